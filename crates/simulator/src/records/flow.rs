//! Control flow as it is recorded: which marks it hits, and what people do because of it.

use model::control::{ControlAnswer, EdgeCondition, Join, Kind, Verdict};
use model::outcome::Then;
use model::policy::{FailurePolicy, Trigger};
use model::{Fact, Outcome, RunId, TaskId, TaskKey, TaskStatus};

use super::Records;
use crate::event::{Event, Wish};
use crate::ledger::{Followed, Run};
use crate::mark::Mark;
use crate::stage::Stage;
use crate::workload::people;

impl Records {
    /// The marks that a fact hits, before the ledger takes it in.
    pub(super) fn flow_marks(&self, stage: &mut Stage, fact: &Fact) {
        let Some(run) = run_of(fact).and_then(|run| self.ledger.run(run)) else { return };
        match fact {
            Fact::TaskAnswered(answered) => {
                stage.hit(Mark::Answered);
                let mark = answer_mark(run, answered.task.task, answered.answer);
                mark.into_iter().for_each(|mark| stage.hit(mark));
            }
            Fact::TaskSettled { task, verdict, .. } => {
                stage.hit(settled_mark(run, *task, *verdict))
            }
            Fact::TasksCancelled { tasks, .. }
                if tasks.iter().any(|task| run.task(TaskId(task)).waits.is_some()) =>
            {
                stage.hit(Mark::WaitStopped);
            }
            Fact::AttemptsLeased { task, items, .. } => {
                let live = run.live_items(task.task) + items.len();
                let limit = run.graph.policy(task.task).concurrency;
                if limit.is_some_and(|limit| live == limit as usize) {
                    stage.hit(Mark::TaskConcurrency);
                }
                let queue = self.ledger.queues.find(&run.admitted.queue);
                if self.ledger.has_queues && !self.ledger.queues.lets(queue, 1_000) {
                    stage.hit(Mark::QueueFull);
                }
            }
            Fact::AttemptsPreempted { task, .. } if !stage.truth.preempted.contains(task) => {
                stage.hit(Mark::TakenBack);
            }
            Fact::AttemptsEnded(ended) if ended.then == Then::Final => {
                self.end_marks(stage, run, (ended.task.task, ended.outcome));
            }
            Fact::RunEnded { status: model::RunStatus::Succeeded, .. } => {
                let failed = |task| run.task(task).end == Some(TaskStatus::Failed);
                if run.graph.tasks().any(failed) {
                    stage.hit(Mark::FailureExpected);
                }
            }
            Fact::RoundOpened { tasks, .. }
                if run.undone.iter().any(|task| tasks.contains(task.0)) =>
            {
                stage.hit(Mark::Redone);
            }
            _ => {}
        }
    }

    fn end_marks(&self, stage: &mut Stage, run: &Run, (task, outcome): (TaskId, Outcome)) {
        let policy = run.graph.policy(task);
        match (policy.trigger, outcome) {
            (Trigger::Compensation { .. }, Outcome::Succeeded) => stage.hit(Mark::Undone),
            (Trigger::Finally, _) => stage.hit(Mark::Finally),
            (Trigger::Dependencies, Outcome::Failed(_)) => {
                let spared = policy.failure == Some(FailurePolicy::Continue)
                    && run.admitted.failure == FailurePolicy::FailFast;
                if spared && run.cause.is_none() {
                    stage.hit(Mark::FailureSpared);
                }
            }
            _ => {}
        }
    }

    /// What people do, and the marks that are hit, when the ledger has taken a fact in.
    pub(super) fn follow_flow(&mut self, stage: &mut Stage, fact: &Fact) {
        let Some(id) = run_of(fact) else { return };
        let Some(run) = self.ledger.runs.get_mut(&id) else { return };
        for followed in std::mem::take(&mut run.followed) {
            let mark = match followed {
                Followed::Went(task) => went_mark(run, task),
                Followed::Spoilt(_) => Some(Mark::BodySpoilt),
                Followed::Skipped(task) => skip_mark(run, task),
                Followed::Waits(task) => {
                    let plan = self.of_run.get(&id).map(|&index| &self.works[index].plan);
                    let Kind::Signal { timeout, .. } = run.graph.policy(task).kind else {
                        continue;
                    };
                    let said =
                        plan.map(|plan| people::said(plan, task, run.task(task).waited, timeout));
                    for (after, verdict) in said.into_iter().flatten() {
                        stage.wishes += 1;
                        let wish = Wish::Settle { task: TaskKey { run: id, task }, verdict };
                        stage.after(after, Event::Ask { wish });
                    }
                    None
                }
            };
            mark.into_iter().for_each(|mark| stage.hit(mark));
        }
    }
}

fn run_of(fact: &Fact) -> Option<RunId> {
    Some(match fact {
        Fact::RunAdmitted(run) => run.run,
        Fact::AttemptsLeased { task, .. }
        | Fact::GangLeased { task, .. }
        | Fact::AttemptsStarted { task, .. }
        | Fact::AttemptsCheckpointed { task, .. }
        | Fact::AttemptsPreempted { task, .. }
        | Fact::LeasesReturned { task, .. }
        | Fact::ItemsReopened { task, .. }
        | Fact::TaskSettled { task, .. } => task.run,
        Fact::AttemptOverran { item } => item.run,
        Fact::AttemptsEnded(ended) => ended.task.run,
        Fact::TaskAnswered(answered) => answered.task.run,
        Fact::HandlersReleased { run, .. }
        | Fact::TasksSkipped { run, .. }
        | Fact::TasksCancelled { run, .. }
        | Fact::TasksUnsatisfiable { run, .. }
        | Fact::RunStopping { run, .. }
        | Fact::RunPaused { run, .. }
        | Fact::RunResumed { run }
        | Fact::RunEnded { run, .. }
        | Fact::RoundOpened { run, .. }
        | Fact::DeadlinePassed { run, .. }
        | Fact::RunForgotten { run } => *run,
        Fact::RunAmended(amended) => amended.run,
        Fact::Marked(marked) => marked.run,
        Fact::LeaderStarted { .. }
        | Fact::WorkerJoined(_)
        | Fact::WorkerLost { .. }
        | Fact::Restored(_) => return None,
    })
}

fn answer_mark(run: &Run, task: TaskId, answer: ControlAnswer) -> Option<Mark> {
    Some(match answer {
        ControlAnswer::Begin => return None,
        ControlAnswer::Skip => Mark::ConditionFalse,
        ControlAnswer::FanOut { items: 0, .. } => Mark::FannedOutEmpty,
        ControlAnswer::FanOut { .. } => Mark::FannedOut,
        ControlAnswer::Until(_) => Mark::TimedByAnswer,
        ControlAnswer::Route(_) => Mark::Routed,
        ControlAnswer::Done => Mark::LoopDone,
        ControlAnswer::Again => match run.graph.policy(task).kind {
            Kind::Loop { turns_max, .. } if run.task(task).turn >= turns_max => Mark::TurnsUsedUp,
            _ => Mark::LoopTurned,
        },
        ControlAnswer::Cached => Mark::Cached,
        ControlAnswer::Invalid => Mark::Unanswerable,
    })
}

fn settled_mark(run: &Run, key: TaskKey, verdict: Verdict) -> Mark {
    let is_timer = matches!(run.graph.policy(key.task).kind, Kind::Timer { .. });
    match verdict {
        _ if is_timer => Mark::TimerElapsed,
        Verdict::Approved => Mark::Approved,
        Verdict::Rejected => Mark::Rejected,
        Verdict::Expired | Verdict::Elapsed => Mark::WaitExpired,
    }
}

fn went_mark(run: &Run, task: TaskId) -> Option<Mark> {
    let met = |&(from, condition): &_| run.is_met(from, condition);
    let mut inputs = run.inputs(task).iter();
    let open = inputs.clone().any(|edge| met(edge).is_none());
    let unmet = inputs.any(|edge| met(edge) == Some(false));
    match run.graph.policy(task).join {
        Join::Any | Join::AtLeast(_) if open => Some(Mark::JoinedEarly),
        Join::AllDone if unmet => Some(Mark::JoinedAfterTrouble),
        _ => None,
    }
}

fn skip_mark(run: &Run, task: TaskId) -> Option<Mark> {
    let policy = run.graph.policy(task);
    let other = |&(from, condition): &(TaskId, EdgeCondition)| {
        matches!(condition, EdgeCondition::Route(_))
            && run.is_met(from, condition) == Some(false)
            && run.task(from).end == Some(TaskStatus::Succeeded)
    };
    match policy.join {
        _ if run.inputs(task).iter().any(other) => Some(Mark::RouteNotTaken),
        Join::AtLeast(_) | Join::Any => Some(Mark::JoinImpossible),
        _ => None,
    }
}
