//! Who must be let forward so that nobody waits too long, and how far.
//!
//! Smith's rule for the least sum of completion times when each has a deadline (W. E. Smith, 1956):
//! the shortest first, except that whoever would miss its deadline moves forward as far as it must
//! and no further. Here it is read from the front: a group that, with all the work of the lanes
//! before its own, would start too late goes before the last lane that it can still wait for. Too
//! late is what has waited for longer than patience, or misses a deadline of its own.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::backlog::Backlog;
use super::queue::QueueId;
use super::seat::LaneId;

/// Runs of a lane that are looked at, oldest first. Those behind are younger.
const LOOK_MAX: usize = 32;

/// Groups that have to start by some time and are looked at, whoever has least time first.
const HURRIED_MAX: usize = 256;

/// The time that work takes, of which a part of the fleet is always short.
fn unhurried(work: u128) -> u64 {
    u64::try_from(work + work / 9).unwrap_or(u64::MAX)
}

/// A run that moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Promotion {
    /// The lane before which it goes.
    pub(super) lane: LaneId,
    /// By when it has to start.
    pub(super) deadline: u64,
    pub(super) run: u64,
}

/// A run that would start too late: by when it has to, its number, its work, and the place of its
/// lane.
type Late = (u64, u64, u64, usize);

/// Those of a queue that would start too late for a deadline of their own if all of their lane and
/// of those before it went first. One that is late already hurries all the more: what is expected
/// of it may be too much.
fn hurried(
    backlog: &Backlog,
    queue: QueueId,
    now: u64,
    (before, all): (&[(LaneId, u64)], u64),
) -> Vec<Late> {
    let late = backlog.hurried(queue).take(HURRIED_MAX).filter_map(|(by, key)| {
        let lane = backlog.lane_of(key.run)?;
        let index = before.binary_search_by_key(&lane, |&(lane, _)| lane).ok()?;
        // Before the next lane goes all that is in its own.
        let whole = before.get(index + 1).map_or(all, |&(_, work)| work);
        let known = backlog.run(key.run)?;
        let ahead = whole.saturating_sub(unhurried(known.work));
        // Its longest path is allowed for. Of its work only what takes longer than that counts.
        let own = unhurried(known.work).saturating_sub(known.run.path);
        (now.saturating_add(ahead) > by).then_some((by, key.run, own, index))
    });
    late.collect()
}

/// Those of a queue that have to move forward in it so that nobody waits longer than `patience`, in
/// the order in which they go.
pub(super) fn promotions(
    backlog: &Backlog,
    queue: QueueId,
    now: u64,
    patience: u64,
) -> Vec<Promotion> {
    // The work of the lanes before each.
    let mut before: Vec<(LaneId, u64)> = Vec::new();
    let mut work = 0_u64;
    let mut late: Vec<Late> = Vec::new();
    for (index, (at, lane)) in backlog.lanes(queue).enumerate() {
        before.push((at, work));
        let mut ahead = work;
        for &(since, run) in lane.since.iter().take(LOOK_MAX) {
            let own = backlog.run(run).map_or(0, |known| unhurried(known.work));
            ahead = ahead.saturating_add(own);
            let deadline = since.saturating_add(patience);
            if index > 0 && now.saturating_add(ahead) > deadline {
                late.push((deadline, run, own, index));
            }
        }
        work = work.saturating_add(unhurried(lane.work));
    }
    late.extend(hurried(backlog, queue, now, (&before, work)));
    late.sort_unstable();
    // Once a run moves forward, all that waits of it does.
    let mut seen = BTreeSet::new();
    late.retain(|&(_, run, ..)| seen.insert(run));
    let mut promoted = 0_u64;
    let mut promotions: Vec<Promotion> = late
        .into_iter()
        .map(|(deadline, run, own, index)| {
            promoted = promoted.saturating_add(own);
            let slack = deadline.saturating_sub(now).saturating_sub(promoted);
            let last = before.partition_point(|&(_, work)| work <= slack);
            Promotion { lane: before[last.saturating_sub(1).min(index)].0, deadline, run }
        })
        .collect();
    promotions.sort_by_key(|it| (it.lane, it.deadline, it.run));
    promotions
}
