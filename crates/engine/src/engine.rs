//! The engine: durable state, volatile sessions, and the step that changes them.

use alloc::sync::Arc;
use alloc::vec::Vec;

use model::queue::QueueSpec;
use model::{Digest, Fact, Graph, Seq, Timestamp};

use crate::decide::{Turn, Volatile};
use crate::input::{Input, Step};
use crate::planning::{KeptRoom, QueueUse};
use crate::rules::Rules;
use crate::state::State;
use crate::suppose::Supposed;

/// Where compiled graphs come from. Every graph that a fact names is there before the fact is.
pub trait Graphs {
    /// The graph with this content address.
    fn graph(&self, digest: &Digest) -> Arc<Graph>;
}

/// The coordinator. See the crate's page.
#[derive(Debug)]
pub struct Engine {
    state: State,
    volatile: Volatile,
    now: Timestamp,
    supposed: Supposed,
}

/// Gives the one graph that a submission or an amendment brought along.
struct Submitted<'a>(Option<&'a Arc<Graph>>);

impl Graphs for Submitted<'_> {
    fn graph(&self, _: &Digest) -> Arc<Graph> {
        Arc::clone(self.0.expect("who records a fact that names a graph brings it"))
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

impl Engine {
    /// An engine that knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::with(&Rules::default())
    }

    /// An engine that knows nothing yet, and goes by these rules.
    #[must_use]
    pub fn with(rules: &Rules) -> Self {
        Self {
            state: State::default(),
            volatile: Volatile::new(rules),
            now: Timestamp::default(),
            supposed: Supposed::default(),
        }
    }

    /// Takes in a fact of the journal, or of a snapshot: the code that runs live, too.
    pub fn replay(&mut self, seq: Seq, at: Timestamp, fact: &Fact, graphs: &dyn Graphs) {
        self.state.apply(seq, at, fact, graphs);
        self.now = self.now.max(at);
    }

    /// Decides what follows from `input` at `now`, and makes it part of the state. Time never goes
    /// back: an earlier `now` than any before counts as that one.
    pub fn step(&mut self, now: Timestamp, input: Input) -> Step {
        self.now = self.now.max(now).max(self.state.at());
        let mut turn = Turn::new(&mut self.state, &mut self.volatile, self.now);
        turn.decide(input);
        turn.finish()
    }

    /// When [`Input::Tick`] has something to do, if nothing else happens before.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let timer = self.state.timers.first().map(|&(at, _)| at);
        let retry = self.state.ready.next_due(self.volatile.planned_at());
        let volatile = self.volatile.next_deadline(&self.state, self.now);
        [timer, retry, volatile].into_iter().flatten().min()
    }

    /// How it plans.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        self.volatile.planning.rules()
    }

    /// What the facts so far have made.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The time of the last step or fact.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// All queues that are set, each after the one above it, with what the runs in each have.
    #[must_use]
    pub fn queues(&self) -> Vec<(&QueueSpec, Vec<QueueUse>)> {
        self.volatile.planning.queue_uses(&self.state)
    }

    /// What is kept on workers for critical work, and how much of it such work has.
    #[must_use]
    pub fn kept_rooms(&self) -> Vec<KeptRoom> {
        self.volatile.planning.kept_rooms(&self.state)
    }

    #[cfg(test)]
    pub(crate) const fn state_mut(&mut self) -> &mut State {
        &mut self.state
    }

    pub(crate) const fn volatile(&self) -> &Volatile {
        &self.volatile
    }

    pub(crate) const fn supposed(&self) -> &Supposed {
        &self.supposed
    }

    /// The state, for who asks at `now` what a plan would find.
    pub(crate) fn begin_at(&mut self, now: Timestamp) -> (&mut State, Timestamp) {
        self.now = self.now.max(now).max(self.state.at());
        (&mut self.state, self.now)
    }

    pub(crate) fn keep_supposed(&mut self, volatile: Volatile, supposed: Supposed) {
        (self.volatile, self.supposed) = (volatile, supposed);
    }
}

impl State {
    /// Applies a fact that was just decided.
    pub(crate) fn record(&mut self, at: Timestamp, fact: &Fact, graph: Option<&Arc<Graph>>) {
        self.apply(self.last.next(), at, fact, &Submitted(graph));
    }
}

/// A list of facts with their places, as snapshots hold them.
pub type Placed = Vec<(Seq, Timestamp, Fact)>;
