//! What a name means where it stands: in a group its tasks come first, then those around it.

use super::steps::{Steps, Target};
use crate::limits::PATTERN_STEPS_MAX;
use crate::suggest::did_you_mean;

impl<'f> Steps<'f> {
    /// What a name means in a group.
    pub(super) fn resolve(&self, scope: u32, name: &str) -> Option<Target> {
        self.scopes(scope).find_map(|group| self.resolve_in(group, name))
    }

    /// The task that the first steps of a path name in a group, and how many steps these are; or
    /// the group that they end in.
    pub(super) fn resolve_path(&self, scope: u32, path: &[String]) -> Option<(Target, usize)> {
        let mut found_group = None;
        for group in self.scopes(scope) {
            let mut name = String::new();
            for (step, steps) in path.iter().zip(1..) {
                if steps > 1 {
                    name.push('.');
                }
                name.push_str(step);
                match self.resolve_in(group, &name) {
                    Some(found @ Target::Step(_)) => return Some((found, steps)),
                    Some(found) => found_group = found_group.or(Some((found, steps))),
                    None => {}
                }
            }
        }
        found_group
    }

    /// A group and those around it, from the inside out.
    pub(super) fn scopes(&self, scope: u32) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(Some(scope), |&group| {
            (group != 0).then(|| self.groups[group as usize].parent)
        })
    }

    fn resolve_in(&self, group: u32, name: &str) -> Option<Target> {
        let names = &self.groups[group as usize].names;
        if let Some(&found) = names.get(name) {
            return Some(found);
        }
        let (first, rest) = name.split_once('.')?;
        match names.get(first) {
            Some(&Target::Group(inner)) => self.resolve_in(inner, rest),
            _ => None,
        }
    }

    /// The tasks and groups whose names fit a pattern, in the order of the file.
    pub(super) fn matching(&self, scope: u32, pattern: &str, steps: &mut usize) -> Vec<Target> {
        for group in self.scopes(scope) {
            let mut found = self.matching_in(group, pattern, steps);
            if !found.is_empty() {
                found.sort_unstable_by_key(|&target| self.first_number(target));
                return found;
            }
        }
        Vec::new()
    }

    fn matching_in(&self, group: u32, pattern: &str, steps: &mut usize) -> Vec<Target> {
        let names = &self.groups[group as usize].names;
        if let Some((first, rest)) = pattern.split_once('.')
            && let Some(&Target::Group(inner)) = names.get(first)
        {
            return self.matching_in(inner, rest, steps);
        }
        *steps = steps.saturating_add(names.len());
        if *steps > PATTERN_STEPS_MAX {
            return Vec::new();
        }
        names.iter().filter(|(name, _)| fits(pattern, name)).map(|(_, &target)| target).collect()
    }

    /// The number of a task, or of the first task of a group.
    fn first_number(&self, target: Target) -> u32 {
        match target {
            Target::Step(step) => step,
            Target::Group(group) => self.groups[group as usize].members.start,
        }
    }

    /// The hint for a mistyped name.
    pub(super) fn meant(&self, scope: u32, name: &str) -> Option<String> {
        self.scopes(scope).find_map(|group| {
            let tasks = self.list.iter().filter(|step| step.scope == group);
            let groups = self.groups.iter().filter(|inner| inner.parent == group);
            let tasks = tasks.map(|step| step.short.value.as_str());
            let groups = groups.filter_map(|group| Some(group.short?.value.as_str()));
            did_you_mean(name, tasks.chain(groups).filter(|known| *known != name))
        })
    }
}

/// Whether a name has a sign that makes it a pattern.
pub(super) fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?'])
}

/// Whether a name fits a pattern: `*` is any text, `?` any character. Linear in both but for the
/// last `*`, which is tried at each place (Krauss 2008).
pub(crate) fn fits(pattern: &str, name: &str) -> bool {
    let (mut pattern, mut name) = (pattern.chars(), name.chars());
    let mut retry = None;
    loop {
        let (here, at) = (pattern.clone(), name.clone());
        match (pattern.next(), name.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                let mut shorter = at.clone();
                let can_shrink = shorter.next().is_some();
                retry = can_shrink.then_some((here, shorter));
                name = at;
                continue;
            }
            (Some('?'), Some(_)) => continue,
            (Some(one), Some(other)) if one == other => continue,
            _ => match retry.take() {
                Some((again, rest)) => (pattern, name) = (again, rest),
                None => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns_fit_what_they_should() {
        let yes = [("*", ""), ("shard-*", "shard-12"), ("*-a-*", "x-a-b-a-y"), ("a?c", "a中c")];
        let yes = yes.into_iter().chain([("*a*b", "aabab"), ("**", "x"), ("a*", "a")]);
        for (pattern, name) in yes {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("shard-*", "shard"), ("a?", "a"), ("*b", "ba"), ("", "a")] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
    }
}
