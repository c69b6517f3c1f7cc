//! What planted faults make a coordinator record that its engine has not decided.
//!
//! It adds facts, and never takes one away: what the engine decides is recorded as it is.

use engine::Input;
use model::control::{Kind, Verdict};
use model::fact::{AmendCause, AttemptsEnded, RunAmended};
use model::message::{AttemptEvent, FromWorker, News, Report};
use model::outcome::{AttemptEnd, Failure, Then};
use model::{Fact, ItemId, ItemKey, Outcome, RunStatus, TaskId, TaskKey};

use super::Coordinator;
use crate::mutant::Mutant;
use crate::records::Store;
use crate::stage::Stage;

impl Coordinator {
    /// Adds a fact that the engine has not decided.
    pub(super) fn forge(&mut self, store: &Store, fact: Fact, facts: &mut Vec<Fact>) {
        let (seq, at) = (self.engine.state().last().next(), self.engine.now());
        self.engine.replay(seq, at, &fact, &store.graphs);
        facts.push(fact);
    }

    /// The ends of what had to make room, as a planted fault counts them.
    pub(super) fn counted(&self, stage: &Stage, input: &Input) -> Vec<Fact> {
        let Input::Worker(FromWorker { news: News::Reports { reports, .. }, .. }) = input else {
            return vec![];
        };
        let left = |report: &&Report| {
            let lease = self.engine.state().lease(report.lease.item);
            let is_live = lease.is_some_and(|it| it.token == report.lease.token);
            is_live && lease.is_some_and(|it| it.leaving_since.is_some())
        };
        let reports = reports.iter().filter(|_| stage.has(Mutant::PreemptionCosts)).filter(left);
        let ends = reports.filter_map(|report| match report.event {
            AttemptEvent::Ended { outcome, end, .. } if outcome != Outcome::Succeeded => {
                let then = Then::Retry { at: self.engine.now() };
                let outcome = Outcome::Failed(Failure::Signal(15));
                Some(ended(report.lease.item, (outcome, then), end))
            }
            _ => None,
        });
        ends.collect()
    }

    /// What a planted fault adds to the facts of a step.
    pub(super) fn forged(&self, stage: &Stage, facts: &[Fact]) -> Vec<Fact> {
        let twice = |fact: &&Fact| matches!(fact, Fact::TaskAnswered(_));
        match stage.mutant {
            Some(Mutant::AnsweredTwice) => facts.iter().filter(twice).cloned().collect(),
            Some(Mutant::PreemptedAtOnce) => {
                facts.iter().flat_map(|fact| self.left_at_once(fact)).collect()
            }
            Some(Mutant::WaitTimerStays) => {
                facts.iter().flat_map(|fact| self.late_timers(fact)).collect()
            }
            _ => vec![],
        }
    }

    /// The fact of a request that a planted fault lets through when the engine refuses it.
    pub(super) fn refused_anyway(&self, stage: &Stage, input: &Input) -> Option<Fact> {
        match input {
            Input::Amend { amendment, .. } => {
                let run = self.engine.state().run(amendment.run)?;
                let outdated = run.graph().digest() != amendment.base;
                let planted = match stage.mutant? {
                    Mutant::BegunEdited => !outdated,
                    Mutant::OutdatedEdits => outdated,
                    _ => false,
                };
                // What could not even be applied would prove nothing.
                let applies =
                    !run.status().is_final() && run.graph().len() <= amendment.graph.len();
                (planted && applies).then(|| {
                    Fact::RunAmended(Box::new(RunAmended {
                        run: amendment.run,
                        cause: AmendCause::Edited,
                        graph: amendment.graph.digest(),
                        definition: amendment.definition,
                        priority: amendment.priority,
                        concurrency: amendment.concurrency,
                        cost_limit_micro: amendment.cost_limit_micro,
                    }))
                })
            }
            Input::Resume { run, .. } if stage.has(Mutant::ResumedAtLimit) => {
                let known = self.engine.state().run(*run)?;
                let paused = known.status() == RunStatus::Paused;
                paused.then_some(Fact::RunResumed { run: *run })
            }
            Input::Mark { mark, .. } if stage.has(Mutant::BegunMarked) => {
                let run = self.engine.state().run(mark.run)?;
                (!run.status().is_final()).then(|| Fact::Marked(mark.clone()))
            }
            _ => None,
        }
    }

    /// The ends of what a fact tells to make room, as if it had done so.
    fn left_at_once(&self, fact: &Fact) -> Vec<Fact> {
        let Fact::AttemptsPreempted { task, items } = fact else { return vec![] };
        let then = Then::Retry { at: self.engine.now() };
        let left = |item| {
            let key = task.item(ItemId(item));
            ended(key, (Outcome::Preempted, then), AttemptEnd::default())
        };
        items.iter().map(left).collect()
    }

    /// The timers of waits that a fact has ended, as if they fired.
    fn late_timers(&self, fact: &Fact) -> Vec<Fact> {
        let Fact::TasksCancelled { run, tasks } = fact else { return vec![] };
        let Some(known) = self.engine.state().run(*run) else { return vec![] };
        let timers = tasks
            .iter()
            .map(TaskId)
            .filter(|&task| matches!(known.policy(task).kind, Kind::Timer { .. }));
        let verdict = Verdict::Elapsed;
        let key = |task| TaskKey { run: *run, task };
        timers.map(|task| Fact::TaskSettled { task: key(task), verdict, output: None }).collect()
    }
}

fn ended(key: ItemKey, (outcome, then): (Outcome, Then), end: AttemptEnd) -> Fact {
    let (task, ends) = (key.task_key(), vec![(key.item, end)]);
    Fact::AttemptsEnded(Box::new(AttemptsEnded { task, outcome, then, ends }))
}
