//! Where a group stands in line: the order of each policy in one kind of place.
//!
//! Runs are sorted into lanes by the work that is left of them, a quarter of an octave each: what
//! is nearly done goes first (shortest remaining processing time), and in a lane whoever came
//! first.

use super::backlog::{Group, GroupKey, Run};
use super::policy::Order;

/// How many steps of a task's priority there are.
const PRIORITIES: u16 = 101;

/// The place of some groups in line: the smaller goes first. Groups that share one belong to one
/// run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seat {
    pub(super) tier: u16,
    pub(super) lane: u16,
    first: u64,
    second: u64,
    run: u64,
}

/// The place of one group: its seat, and its place among those that share it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) seat: Seat,
    pub(super) within: u64,
}

/// A lane: the tier of its runs, and the work that is left of each.
pub(super) type LaneId = (u16, u16);

/// The lane of a run. A run that its longest path holds back, and not the fleet, is worth more than
/// its work says: it takes little and gives its results soon.
pub(super) fn lane(run: &Run) -> LaneId {
    let (work, path) = (octaves(run.work), octaves(run.path));
    let lane = work.saturating_sub(path.saturating_sub(work) * 3 / 10);
    (tier(run, Group::default().priority), lane)
}

/// The quarters of octaves up to a number.
fn octaves(number: u64) -> u16 {
    let Some(top) = number.checked_ilog2() else { return 0 };
    let quarter = if top >= 2 { number >> (top - 2) & 3 } else { 0 };
    u16::try_from(u64::from(top) * 4 + quarter).unwrap_or(u16::MAX)
}

fn tier(run: &Run, priority: u8) -> u16 {
    let inverse = |priority: u8| 100 - u16::from(priority.min(100));
    inverse(run.priority) * PRIORITIES + inverse(priority)
}

/// Where a group stands.
pub(super) fn place(order: Order, key: GroupKey, group: &Group, run: &Run) -> Place {
    let tier = tier(run, group.priority);
    let longest_first = u64::MAX - group.rank;
    let seat = |first, second| Seat { tier, lane: 0, first, second, run: key.run };
    match order {
        Order::Arrival => Place { seat: seat(group.ready_at, 0), within: 0 },
        Order::Shortest => Place { seat: seat(group.expected, group.ready_at), within: 0 },
        Order::Rank => Place { seat: seat(longest_first, group.ready_at), within: 0 },
        Order::Remaining => {
            Place { seat: own_seat(key.run, group.priority, run), within: longest_first }
        }
    }
}

/// Where all groups of a run with one priority stand that goes by the work that is left of it.
pub(super) fn own_seat(key: u64, priority: u8, run: &Run) -> Seat {
    let (tier, (_, lane)) = (tier(run, priority), lane(run));
    Seat { tier, lane, first: run.arrived_at, second: 0, run: key }
}

#[cfg(test)]
mod tests {
    use super::octaves;

    #[test]
    fn an_octave_has_four_quarters() {
        assert_eq!([0, 1, 2, 3, 4, 5, 6, 7, 8].map(octaves), [0, 0, 4, 4, 8, 9, 10, 11, 12]);
        assert_eq!(octaves(u64::MAX), 63 * 4 + 3);
    }
}
