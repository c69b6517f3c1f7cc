//! How much of each resource is busy, and when.

use workload::Cluster;

use super::{Busy, RESOURCES, window};
use crate::Work;
use crate::bound::{has, takes};
use crate::play::{Attempt, Played};

/// What is added up over time, in steps of equal width. O(1) for each addition.
#[derive(Clone, Debug)]
pub(crate) struct Timeline {
    from_us: u64,
    width_us: f64,
    /// What lies in a step only in part, times the part.
    parts: Vec<f64>,
    /// What lies in a whole step, as the difference to the step before.
    changes: Vec<f64>,
}

impl Timeline {
    pub(crate) fn new((from_us, to_us): (u64, u64), steps: usize) -> Self {
        let width_us = (to_us.saturating_sub(from_us).max(1)) as f64 / steps as f64;
        Self { from_us, width_us, parts: vec![0.0; steps], changes: vec![0.0; steps + 1] }
    }

    /// Adds an amount from one time to another.
    pub(crate) fn add(&mut self, (begin_us, end_us): (u64, u64), amount: f64) {
        let steps = self.parts.len() as f64;
        let at = |us: u64| (us.saturating_sub(self.from_us) as f64 / self.width_us).min(steps);
        let (begin, end) = (at(begin_us), at(end_us));
        let (first, last) = (begin as usize, end as usize);
        if first == last {
            if let Some(part) = self.parts.get_mut(first) {
                *part += amount * (end - begin);
            }
            return;
        }
        self.parts[first] += amount * (first as f64 + 1.0 - begin);
        if let Some(part) = self.parts.get_mut(last) {
            *part += amount * (end - last as f64);
        }
        self.changes[first + 1] += amount;
        self.changes[last] -= amount;
    }

    /// The mean amount in each step.
    pub(crate) fn steps(&self) -> Vec<f64> {
        let mut whole = 0.0;
        let step = |(part, change): (&f64, &f64)| {
            whole += change;
            part + whole
        };
        self.parts.iter().zip(&self.changes).map(step).collect()
    }
}

/// What was busy while jobs came, and what there is.
pub(crate) struct Usage {
    busy: [f64; 3],
    all: [f64; 3],
    is_asked: [bool; 3],
}

impl Usage {
    pub(crate) fn of(work: &Work, cluster: &Cluster, played: &Played) -> Self {
        let (from, to) = window(played);
        let busy = used(work, played, &played.attempts);
        let span = to.saturating_sub(from) as f64;
        let all = amounts(cluster).map(|amount| amount * span);
        Self { busy, all, is_asked: asked(work) }
    }

    pub(crate) fn busy(&self) -> Vec<Busy> {
        let part = |at: usize| if self.all[at] > 0.0 { self.busy[at] / self.all[at] } else { 0.0 };
        let asked = (0..3).filter(|&at| self.is_asked[at]);
        asked.map(|at| Busy { resource: RESOURCES[at], part: part(at) }).collect()
    }
}

/// What attempts had of each resource while jobs came, in amounts times microseconds.
pub(super) fn used<'a>(
    work: &Work,
    played: &Played,
    attempts: impl IntoIterator<Item = &'a Attempt>,
) -> [f64; 3] {
    let (from, to) = window(played);
    let mut used = [0.0; 3];
    for attempt in attempts {
        let inside = attempt.ended_us.min(to).saturating_sub(attempt.began_us.max(from));
        let takes = takes(&work.workload.tasks()[attempt.task as usize]);
        used.iter_mut().zip(takes).for_each(|(sum, amount)| *sum += amount as f64 * inside as f64);
    }
    used
}

/// Which resources any task asks for.
pub(crate) fn asked(work: &Work) -> [bool; 3] {
    let mut asked = [false; 3];
    for task in work.workload.tasks() {
        asked.iter_mut().zip(takes(task)).for_each(|(asked, amount)| *asked |= amount > 0);
    }
    asked
}

/// What all nodes have together.
pub(crate) fn amounts(cluster: &Cluster) -> [f64; 3] {
    let mut all = [0.0; 3];
    for node in &cluster.nodes {
        all.iter_mut().zip(has(node)).for_each(|(all, has)| {
            *all += has as f64 * f64::from(node.count);
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_spread_over_steps() {
        let mut line = Timeline::new((100, 200), 10);
        line.add((100, 200), 1.0);
        line.add((115, 135), 2.0);
        line.add((0, 105), 4.0);
        line.add((195, 900), 4.0);
        line.add((121, 124), 10.0);
        let steps = line.steps();
        let expected = [3.0, 2.0, 6.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 3.0];
        assert!(steps.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9), "{steps:?}");
    }
}
