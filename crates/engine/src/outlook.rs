//! When something that waits is expected to begin, and why something is where it is: what the
//! planner says of it, in the state's words.

use alloc::vec::Vec;

use model::wait::Blocker;
use model::{ItemKey, Timestamp, WorkerId};
use scheduler::Spread;

use crate::engine::Engine;
use crate::planning::{Origin, Planning};

/// Groups that are looked at to say when something begins.
const LOOKS_MAX: usize = 10_000;

/// When an item is expected to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// When. What comes later and goes first is not counted.
    pub at: Timestamp,
    /// The worker on which room is kept for it from then on, if any is.
    pub worker: Option<WorkerId>,
    /// Whether work there was told to end so that it has room.
    pub is_made: bool,
    /// Whether more goes before it than was counted.
    pub is_least: bool,
    /// How far estimates are to be trusted; nothing if too little was measured.
    pub spread: Option<Spread>,
}

/// Why an item is where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// How many workers had room.
    pub roomy: u32,
    /// The worker that was taken, and then the next best of those that had room.
    pub candidates: Vec<(WorkerId, scheduler::Candidate)>,
}

impl Engine {
    /// When an item is expected to begin that `blockers` keep, by what the planner expects of what
    /// runs and of what goes before it; `None` if it is none of that which keeps it.
    #[must_use]
    pub fn outlook(&self, item: ItemKey, blockers: &[Blocker]) -> Option<Outlook> {
        let is_gang = self.state().run(item.run).is_some_and(|run| run.is_gang(item.task));
        match blockers.first()? {
            Blocker::Gang { at, .. } => Some(self.whole_gang(*at.as_ref()?)),
            // Where one member has room says nothing of all.
            Blocker::NoRoom { .. }
            | Blocker::Behind { .. }
            | Blocker::Reserved
            | Blocker::Apart { .. }
            | Blocker::Faster { .. }
                if is_gang =>
            {
                None
            }
            Blocker::NoRoom { .. }
            | Blocker::Behind { .. }
            | Blocker::Reserved
            | Blocker::Apart { .. }
            | Blocker::Faster { .. } => self.outlook_of_room(item),
            Blocker::Lock { holders, .. } => self.first_end(holders.iter().copied()),
            Blocker::TaskConcurrency { .. } => {
                let run = self.state().run(item.run)?;
                self.first_end(run.held_items(item.task).map(|held| item.task_key().item(held)))
            }
            _ => None,
        }
    }

    fn outlook_of_room(&self, item: ItemKey) -> Option<Outlook> {
        let planning = &self.volatile().planning;
        let planner = planning.planner();
        let waits = |origin: &Origin| planner.group(Planning::key(*origin)).is_some();
        let origin = origins(item).into_iter().find(waits)?;
        let key = Planning::key(origin);
        let told = planner.outlook(self.now().0, key, LOOKS_MAX)?;
        let fan = self.state().run(item.run).and_then(|run| run.fan(item.task));
        // Those before it in its own group.
        let before = match (origin, fan, planner.group(key)) {
            (Origin::Task(_), Some(fan), Some(group)) => {
                let each = planner.work(group.class, group.expected);
                each.saturating_mul(u64::from(fan.ready_before(item.item.0)))
            }
            _ => 0,
        };
        Some(Outlook {
            at: Timestamp(told.at.saturating_add(before)),
            worker: told.booked.and_then(|node| planning.worker(node)),
            is_made: told.is_made,
            is_least: told.is_least,
            spread: told.spread,
        })
    }

    /// All members of a gang have room at a time, which is kept for them.
    fn whole_gang(&self, at: Timestamp) -> Outlook {
        let spread = self.volatile().planning.planner().spread();
        Outlook { at, worker: None, is_made: false, is_least: false, spread }
    }

    /// When the first of some items that are with workers is expected to end.
    fn first_end(&self, held: impl Iterator<Item = ItemKey>) -> Option<Outlook> {
        let planner = self.volatile().planning.planner();
        let now = self.now();
        let ends =
            held.filter_map(|item| planner.end_of(now.0, Planning::key(Origin::Retry(item))));
        let at = Timestamp(ends.min()?).max(now);
        let spread = planner.spread();
        Some(Outlook { at, worker: None, is_made: false, is_least: false, spread })
    }

    /// Why an item that is with a worker was given to that; `None` if it is not, or if it is not
    /// remembered: only the last placements since this engine began to lead are.
    #[must_use]
    pub fn decision(&self, item: ItemKey) -> Option<Decision> {
        let planning = &self.volatile().planning;
        let lease = self.state().lease(item)?;
        let node = planning.node(lease.worker)?;
        let of = |key| planning.planner().decision(lease.leased_at.0, key, node);
        let found = origins(item).map(Planning::key).into_iter().find_map(of)?;
        let all = core::iter::once(&found.taken).chain(&found.others);
        let named = all.filter_map(|it| Some((planning.worker(it.node)?, *it)));
        Some(Decision { roomy: found.roomy, candidates: named.collect() })
    }
}

/// By what the planner may know an item: alone, or with the others of its task.
fn origins(item: ItemKey) -> [Origin; 2] {
    [Origin::Retry(item), Origin::Task(item.task_key())]
}
