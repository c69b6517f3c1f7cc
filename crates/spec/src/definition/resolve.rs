//! Where a name leads: to a task, or to the same task of every copy of a group.

use model::TaskId;

use super::{Action, Definition, End};

/// What the first steps of a path name.
pub(super) enum Found {
    /// A task.
    One(TaskId),
    /// The same task of each copy, in the order of the copies.
    Each(Vec<TaskId>),
}

impl Definition {
    /// What the first steps of a path name, as the tasks of a group see it, and how many steps
    /// these are.
    pub(super) fn resolve(&self, scope: &str, path: &[String]) -> Option<(Found, usize)> {
        let mut around = Some(scope);
        while let Some(group) = around {
            if let Some(found) = self.resolve_in(group, (scope, path)) {
                return Some(found);
            }
            around = match group {
                "" => None,
                _ => Some(group.rfind('.').map_or("", |dot| &group[..dot])),
            };
        }
        None
    }

    fn resolve_in(&self, group: &str, (scope, path): (&str, &[String])) -> Option<(Found, usize)> {
        let mut name = group.to_owned();
        for (step, steps) in path.iter().zip(1..) {
            if !name.is_empty() {
                name.push('.');
            }
            name.push_str(step);
            let Some(task) = self.task(&name) else { continue };
            let Some(Action::End(End { copies: Some(copies), .. })) =
                self.get(task).map(|it| &it.action)
            else {
                return Some((Found::One(task), steps));
            };
            return self.resolve_copies((&name, *copies), scope, (path, steps));
        }
        None
    }

    /// The tasks of the copies of a group that the rest of a path names; within one of them, its
    /// own.
    fn resolve_copies(
        &self,
        (group, copies): (&str, u32),
        scope: &str,
        (path, steps): (&[String], usize),
    ) -> Option<(Found, usize)> {
        let within = scope.strip_prefix(group).and_then(|rest| rest.strip_prefix('.'));
        let own = within.map(|rest| rest.split('.').next().unwrap_or_default());
        if let Some(own) = own.and_then(|own| own.parse().ok()) {
            return self.resolve_copy((group, own), scope, (path, steps));
        }
        let mut each = Vec::new();
        let mut used = path.iter().position(|step| step == "outputs" || step == "status");
        for copy in 0..copies {
            let (found, steps) = self.resolve_copy((group, copy), scope, (path, steps))?;
            used = Some(steps);
            match found {
                Found::One(task) => each.push(task),
                Found::Each(tasks) => each.extend(tasks),
            }
        }
        Some((Found::Each(each), used.unwrap_or(path.len())))
    }

    fn resolve_copy(
        &self,
        (group, copy): (&str, u32),
        scope: &str,
        (path, steps): (&[String], usize),
    ) -> Option<(Found, usize)> {
        let name = format!("{group}.{copy}");
        let rest = &path[steps..];
        // The copy of a file is itself what has the outputs.
        if let Some(task) = self.task(&name)
            && rest.first().is_none_or(|step| step == "outputs" || step == "status")
        {
            return Some((Found::One(task), steps));
        }
        let (found, more) = self.resolve_in(&name, (scope, rest))?;
        Some((found, steps + more))
    }
}
