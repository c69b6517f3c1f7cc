//! Inputs into facts: everything that is decided is decided here.
//!
//! Each file answers one kind of input. A decision reads the state and records facts; it can't
//! write state in any other way. What is not durable (sessions, the last plan) is [`Volatile`]:
//! it is rebuilt by the next hello or the next plan and may never decide what a fact means.

mod amend;
mod attempt;
mod control;
mod deadline;
mod gang;
mod mark;
mod pause;
mod place;
mod preempt;
mod progress;
mod run;
mod session;
mod submit;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use model::collections::{HashMap, HashSet};
use model::fact::Fact;
use model::message::LeaseId;
use model::{Graph, Round, RunId, TaskKey, Timestamp, WorkerId};

use crate::input::{Effect, Generated, Input, Step};
use crate::planning::Planning;
use crate::rules::Rules;
use crate::state::{ClassId, State};
pub(crate) use deadline::may_start;
pub(crate) use session::Session;

/// What the engine knows besides facts: lost at a restart, and good to lose.
#[derive(Debug)]
pub(crate) struct Volatile {
    /// The sessions of connected workers.
    pub(crate) sessions: HashMap<WorkerId, Session>,
    /// The planner, and what it was told.
    pub(crate) planning: Planning,
    /// Since when the planner has said of a class that no worker can ever hold it.
    pub(crate) never_fits: HashMap<ClassId, Timestamp>,
    /// The same of gangs that can never begin as a whole.
    pub(crate) oversized: BTreeMap<TaskKey, Timestamp>,
    /// The questions that are being worked out.
    pub(crate) asked: HashSet<(TaskKey, Round)>,
    /// How many questions have been handed out since the last tick.
    questions: usize,
    /// Runs with questions that have to wait for the next tick.
    unasked: BTreeSet<RunId>,
    /// When runs are to be looked at because of the deadlines of their tasks. What is due is
    /// decided from the state: a look that finds nothing changes nothing.
    deadlines: BTreeSet<(Timestamp, RunId)>,
    /// What attempts wrote, until the message that says that they have ended.
    generated: HashMap<LeaseId, Generated>,
}

impl Volatile {
    pub(crate) fn new(rules: &Rules) -> Self {
        Self {
            sessions: HashMap::default(),
            planning: Planning::new(rules),
            never_fits: HashMap::default(),
            oversized: BTreeMap::new(),
            asked: HashSet::default(),
            questions: 0,
            unasked: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            generated: HashMap::default(),
        }
    }

    pub(crate) const fn planned_at(&self) -> Timestamp {
        self.planning.planned_at
    }

    /// The next time at which a session changes, a class has been unsatisfiable for too long, a
    /// budget has enough again, or a deadline passes.
    pub(crate) fn next_deadline(&self, state: &State, now: Timestamp) -> Option<Timestamp> {
        let sessions = self
            .sessions
            .iter()
            .filter_map(|(worker, session)| session.next_deadline(state.worker(*worker)?.lease));
        let grace = model::limits::UNSATISFIABLE_GRACE;
        let hopeless = self.never_fits.values().chain(self.oversized.values());
        let hopeless = hopeless.map(|&since| since + grace);
        let deadline = self.deadlines.first().map(|&(at, _)| at);
        let unasked = (!self.unasked.is_empty()).then_some(now);
        let others = [self.planning.look_at, deadline, unasked].into_iter().flatten();
        sessions.chain(hopeless).chain(others).min()
    }
}

/// One step under way.
pub(crate) struct Turn<'a> {
    state: &'a mut State,
    volatile: &'a mut Volatile,
    now: Timestamp,
    step: Step,
}

impl<'a> Turn<'a> {
    pub(crate) fn new(state: &'a mut State, volatile: &'a mut Volatile, now: Timestamp) -> Self {
        Self { state, volatile, now, step: Step::default() }
    }

    pub(crate) fn decide(&mut self, input: Input) {
        match input {
            Input::Lead { epoch } => self.lead(epoch),
            Input::Submit(submission) => self.submit(*submission),
            Input::Worker(message) => {
                self.hear(message);
                self.volatile.generated.clear();
            }
            Input::Stop { request, run, cause } => self.stop(request, run, cause),
            Input::Pause { request, run } => self.pause(request, run),
            Input::Resume { request, run } => self.resume(request, run),
            Input::Preempt { request, task, items } => {
                self.preempt_asked(request, task, items.as_ref());
            }
            Input::Retry { request, run, from } => self.retry(request, run, from),
            Input::Answered(answered) => self.answered(*answered),
            Input::Settle { request, task, verdict, output } => {
                self.settle(request, task, (verdict, output));
            }
            Input::RetryItems { request, task, items } => self.retry_items(request, task, items),
            Input::Amend { request, amendment } => self.amend(request, &amendment),
            Input::Mark { request, mark } => self.mark(request, *mark),
            Input::Generated(generated) => {
                self.volatile.generated.insert(generated.lease, *generated);
            }
            Input::Forget { run } => self.forget(run),
            Input::Tick => self.tick(),
        }
    }

    pub(crate) fn finish(self) -> Step {
        self.step
    }

    /// Records a fact and makes it part of the state.
    fn record(&mut self, fact: Fact) {
        self.state.record(self.now, &fact, None);
        self.note(fact);
    }

    /// The same for a fact that names a graph.
    fn record_with(&mut self, fact: Fact, graph: &Arc<Graph>) {
        self.state.record(self.now, &fact, Some(graph));
        self.note(fact);
    }

    fn note(&mut self, fact: Fact) {
        // Saved work takes nothing and gives nothing back, and may be told of every second.
        let is_told_later = matches!(fact, Fact::AttemptsCheckpointed { .. });
        self.volatile.planning.changed |= !is_told_later;
        self.step.facts.push(fact);
    }

    fn effect(&mut self, effect: Effect) {
        self.step.effects.push(effect);
    }

    fn tick(&mut self) {
        self.fire_timers();
        self.fail_hopeless();
        self.expire_workers();
        self.pass_deadlines();
        self.ask_the_rest();
        self.plan();
    }
}

/// Groups ascending ids of the same key into sets.
fn grouped<K: Copy + PartialEq>(ids: impl IntoIterator<Item = (K, u32)>) -> Vec<(K, model::IdSet)> {
    let mut groups: Vec<(K, model::IdSet)> = Vec::new();
    for (key, id) in ids {
        match groups.last_mut() {
            Some((last, set)) if *last == key => set.insert(id),
            _ => groups.push((key, model::IdSet::one(id))),
        }
    }
    groups
}
