//! What runs become and what they share, as it is recorded: which marks it hits.

use journal::Entry;
use model::fact::{AmendCause, LossCause, MarkCause};
use model::outcome::Failure;
use model::{Fact, Outcome, RunId, TaskId, TaskStatus};

use super::Records;
use crate::ledger::Run;
use crate::mark::Mark;
use crate::stage::Stage;

impl Records {
    /// The marks that a fact hits, before the ledger takes it in.
    pub(super) fn change_marks(&self, stage: &mut Stage, entry: &Entry) {
        match &entry.fact {
            Fact::RunAmended(amended) => {
                let Some(run) = self.ledger.run(amended.run) else { return };
                match amended.cause {
                    AmendCause::Edited if amended.graph == run.admitted.graph => {
                        stage.hit(Mark::EditedSettings);
                    }
                    AmendCause::Edited => stage.hit(Mark::EditedGraph),
                    AmendCause::Generated { task, item } => {
                        let token = run.item(task, item).map(|item| item.token.0);
                        self.generated(stage, (amended.run, task), token);
                    }
                }
            }
            Fact::AttemptsEnded(ended) if ended.outcome == Outcome::Failed(Failure::Tasks) => {
                stage.hit(Mark::NotGenerated);
            }
            Fact::Marked(marked) => {
                let Some(run) = self.ledger.run(marked.run) else { return };
                marks(run, marked).into_iter().for_each(|mark| stage.hit(mark));
            }
            Fact::ItemsReopened { .. } => stage.hit(Mark::ItemsAgain),
            Fact::DeadlinePassed { run, tasks } => {
                let Some(run) = self.ledger.run(*run) else { return };
                for task in tasks.iter().map(TaskId) {
                    deadline(run, task).into_iter().for_each(|mark| stage.hit(mark));
                }
            }
            Fact::AttemptsLeased { task, .. } => self.shared(stage, (task.run, task.task), entry),
            Fact::WorkerLost { worker, cause: LossCause::Expired } => {
                let holds = self.ledger.runs.values().any(|run| {
                    run.graph.tasks().any(|task| {
                        let mut items = run.items_of(task).iter();
                        !run.graph.policy(task).shared.locks.is_empty()
                            && items.any(|x| x.status.is_live() && x.worker == *worker)
                    })
                });
                if holds {
                    stage.hit(Mark::LockLost);
                }
            }
            _ => {}
        }
    }

    fn generated(&self, stage: &mut Stage, (run, task): (RunId, TaskId), token: Option<u64>) {
        stage.hit(Mark::Generated);
        let first = self.work(run).map_or(0, |work| work.graph.len());
        if task.0 as usize >= first {
            stage.hit(Mark::GeneratedDeep);
        }
        if token.is_some_and(|token| token < self.ledger.led_since.0) {
            stage.hit(Mark::GeneratedElsewhere);
        }
        let waits = self.ledger.run(run).is_some_and(|run| {
            run.graph.successors(task).any(|next| (next.0 as usize) < first && run.is_open(next))
        });
        if waits {
            stage.hit(Mark::GeneratedBetween);
        }
    }

    fn shared(&self, stage: &mut Stage, (run, task): (RunId, TaskId), entry: &Entry) {
        let Some(run) = self.ledger.run(run) else { return };
        let shared = &run.graph.policy(task).shared;
        for lock in &shared.locks {
            let (held, least) = self.ledger.shares.holders(&lock.name);
            if held + 1 >= lock.holders_max as usize {
                stage.hit(Mark::LockFull);
            }
            if held > 0 && least != lock.holders_max {
                stage.hit(Mark::LockMixed);
            }
        }
        for spending in &shared.budgets {
            let since = self.ledger.shares.enough_since(spending, entry.at);
            if since.is_some_and(|since| since.0 < spending.per.0 / u64::from(spending.limit)) {
                stage.hit(Mark::BudgetSpent);
            }
        }
    }
}

fn marks(run: &Run, marked: &model::fact::Marked) -> Vec<Mark> {
    use model::fact::ControlImage;
    let mut found = match marked.cause {
        MarkCause::Cache => vec![Mark::CachedItems],
        MarkCause::Fork { .. } => vec![Mark::Forked],
        MarkCause::Person if marked.items.is_some() => vec![Mark::MarkedItems],
        MarkCause::Person => vec![Mark::MarkedTask],
    };
    let is_fork = matches!(marked.cause, MarkCause::Fork { .. });
    match marked.control {
        Some(ControlImage::FanOut { .. }) if is_fork => found.push(Mark::ForkedFanOut),
        Some(ControlImage::Route(_)) if is_fork => found.push(Mark::ForkedRoute),
        _ => {}
    }
    if marked.status == TaskStatus::Failed {
        found.push(Mark::MarkedFailed);
    }
    let open = |task: u32| run.is_open(TaskId(task));
    if marked.cause == MarkCause::Person && marked.tasks.iter().any(open) {
        found.push(Mark::MarkedPending);
    }
    found
}

fn deadline(run: &Run, task: TaskId) -> Vec<Mark> {
    let live = run.live_items(task) > 0;
    let mut found = vec![if live { Mark::DeadlineRunning } else { Mark::DeadlineWaiting }];
    if run.reopened {
        found.push(Mark::DeadlineAgain);
    }
    found
}
