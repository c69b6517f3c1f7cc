//! How long the work of each workflow has taken of late: what is expected of its next runs.
//!
//! Work is told apart by the workflow's name, the place of its policy and the way in which it is
//! done, so that tasks that ask for the same and are run in the same way count as one kind. The
//! last few attempts are kept as they were, and not only their mean: a quantile of them is not
//! moved by one that hung.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};

use model::VariantId;

/// Attempts of one kind that are remembered.
pub(crate) const RECENT_MAX: usize = 16;
/// Kinds of one workflow that are remembered: the first.
const KINDS_MAX: usize = 256;
/// Workflows that are remembered: those that were seen first make room.
const WORKFLOWS_MAX: usize = 1_000;
/// The part of attempts that take no longer than what is expected, in hundredths.
const QUANTILE: usize = 60;

/// A kind of work of a workflow: the place of its policy, and the way in which it is done.
pub(crate) type Kind = (u32, VariantId);

/// What attempts of one kind took, in milliseconds, the oldest first.
pub(crate) type Recent = VecDeque<u32>;

/// What attempts have taken, by workflow and kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Durations {
    of: BTreeMap<Box<str>, BTreeMap<Kind, Recent>>,
    /// The workflows, those that were seen first at the front.
    seen: VecDeque<Box<str>>,
}

impl Durations {
    /// An attempt has done its work in so many microseconds, at the usual speed. Workflows without
    /// a name have nothing in common, and are not remembered.
    pub(crate) fn observe(&mut self, workflow: &str, kind: Kind, wall_us: u64) {
        let took_ms = u32::try_from(wall_us.div_ceil(1_000)).unwrap_or(u32::MAX);
        let Some(recent) = self.kind_mut(workflow, kind) else { return };
        if recent.len() == RECENT_MAX {
            recent.pop_front();
        }
        recent.push_back(took_ms);
    }

    pub(crate) fn restore(&mut self, workflow: &str, kind: Kind, recent_ms: &[u32]) {
        if let Some(recent) = self.kind_mut(workflow, kind) {
            *recent = recent_ms.iter().take(RECENT_MAX).copied().collect();
        }
    }

    fn kind_mut(&mut self, workflow: &str, kind: Kind) -> Option<&mut Recent> {
        if workflow.is_empty() {
            return None;
        }
        if !self.of.contains_key(workflow) {
            if self.seen.len() == WORKFLOWS_MAX
                && let Some(first) = self.seen.pop_front()
            {
                self.of.remove(&first);
            }
            self.seen.push_back(workflow.into());
            self.of.insert(workflow.into(), BTreeMap::new());
        }
        let kinds = self.of.get_mut(workflow)?;
        if kinds.len() == KINDS_MAX && !kinds.contains_key(&kind) {
            return None;
        }
        Some(kinds.entry(kind).or_default())
    }

    /// How many attempts of a kind are remembered, and what the next is expected to take, in
    /// microseconds.
    pub(crate) fn expected(&self, workflow: &str, kind: Kind) -> Option<(usize, u64)> {
        let recent = self.of.get(workflow)?.get(&kind)?;
        let mut sorted: [u32; RECENT_MAX] = [0; RECENT_MAX];
        let count = recent.len().min(RECENT_MAX);
        sorted.iter_mut().zip(recent).for_each(|(slot, &took)| *slot = took);
        let sorted = &mut sorted[..count];
        sorted.sort_unstable();
        let took_ms = sorted.get(count * QUANTILE / 100).or(sorted.last())?;
        Some((count, u64::from(*took_ms) * 1_000))
    }

    /// All of it, the workflow that was seen first at the front.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Kind, &Recent)> {
        let workflows = self.seen.iter().filter_map(|name| Some((name, self.of.get(name)?)));
        workflows.flat_map(|(name, kinds)| {
            kinds.iter().map(move |(&kind, recent)| (&**name, kind, recent))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    const FIRST: Kind = (0, VariantId(0));

    #[test]
    fn what_is_expected_is_a_quantile_of_the_last_attempts() {
        let mut durations = Durations::default();
        assert_eq!(durations.expected("w", FIRST), None);
        for seconds in 1..=10 {
            durations.observe("w", FIRST, seconds * 1_000_000);
        }
        assert_eq!(durations.expected("w", FIRST), Some((10, 7_000_000)));
        // One that hung does not move it, and what is long past is forgotten.
        durations.observe("w", FIRST, u64::MAX);
        assert_eq!(durations.expected("w", FIRST), Some((11, 7_000_000)));
        (0..RECENT_MAX).for_each(|_| durations.observe("w", FIRST, 2_000_000));
        assert_eq!(durations.expected("w", FIRST), Some((RECENT_MAX, 2_000_000)));
        assert_eq!(
            (durations.expected("w", (1, VariantId(0))), durations.expected("v", FIRST)),
            (None, None)
        );
        assert_eq!(durations.expected("w", (0, VariantId(1))), None, "another way is another kind");
        durations.observe("", FIRST, 1_000);
        assert_eq!(durations.expected("", FIRST), None);
    }

    #[test]
    fn so_many_workflows_are_remembered_and_no_more() {
        let mut durations = Durations::default();
        for number in 0..=WORKFLOWS_MAX {
            durations.observe(&format!("w{number}"), FIRST, 1_000);
        }
        assert_eq!(durations.expected("w0", FIRST), None);
        assert_eq!(durations.expected("w1", FIRST), Some((1, 1_000)));
        assert_eq!(durations.iter().count(), WORKFLOWS_MAX);
    }
}
