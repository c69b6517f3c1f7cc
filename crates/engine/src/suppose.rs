//! What a plan would have found at a time that is past: for who asks why something waited then.
//!
//! The planner is the one that runs live. What it finds is kept for `explain`, and what it would
//! place is not leased: nothing here records a fact.

use alloc::collections::BTreeMap;

use model::{ItemKey, Timestamp};
use scheduler::GroupKey;

use crate::decide::{Session, Volatile};
use crate::engine::Engine;
use crate::planning::{Origin, Planning};

/// What a supposed plan would place: how many items of each group.
#[derive(Debug, Default)]
pub(crate) struct Supposed(BTreeMap<GroupKey, u32>);

impl Engine {
    /// Asks the planner what it makes of the state at `now`, as a new leader asks it, and keeps
    /// what it finds for [`Engine::explain`]. For an engine that facts were replayed into and that
    /// is never stepped.
    ///
    /// What is no fact is not known: a worker counts as heard of until its loss is recorded, and
    /// all that waits counts as having begun to at `now`.
    pub fn suppose(&mut self, now: Timestamp) {
        let mut volatile = Volatile::new(self.rules());
        let (state, now) = self.begin_at(now);
        volatile.planning.begin(state, now);
        let lively = state.workers().filter(|(_, known)| !known.gone).map(|(worker, _)| worker);
        volatile.sessions.extend(lively.map(|worker| (worker, Session::supposed(now))));
        let plan = volatile.planning.plan(state, &volatile.sessions, now);
        let mut supposed = Supposed::default();
        for placement in plan.placements {
            *supposed.0.entry(placement.group).or_default() += placement.count;
        }
        self.keep_supposed(volatile, supposed);
    }

    /// Whether a supposed plan would place an item, which has so many of its group before it.
    pub(crate) fn is_placed(&self, item: ItemKey, origin: Origin) -> bool {
        let placed = self.supposed().0.get(&Planning::key(origin)).copied().unwrap_or(0);
        let run = self.state().run(item.run).filter(|run| !run.is_gang(item.task));
        let fan = run.and_then(|run| run.fan(item.task));
        let before = match (origin, fan) {
            (Origin::Task(_), Some(fan)) => fan.ready_before(item.item.0),
            _ => 0,
        };
        before < placed
    }
}
