//! A run is to go on by another version of its graph: a person edits it, or a task wrote tasks.
//!
//! The new version has to follow from the one that the run has: what has begun stays as it was,
//! and nothing that was decided is undone. Checked in O(tasks + edges).

use alloc::boxed::Box;
use alloc::vec::Vec;

use model::collections::HashMap;
use model::control::{EdgeCondition, Kind};
use model::fact::{AmendCause, Fact, RunAmended};
use model::message::LeaseId;
use model::outcome::OutputRef;
use model::policy::{Policy, Stage};
use model::status::{RunStatus, TaskStatus};
use model::{Graph, TaskId};

use super::Turn;
use crate::input::{Amendment, Answer, Rejection, RequestId};
use crate::state::{Fate, Run};

impl Turn<'_> {
    pub(super) fn amend(&mut self, request: RequestId, amendment: &Amendment) {
        let answer = match self.try_amend(amendment, AmendCause::Edited) {
            Ok(()) => Answer::Amended,
            Err(rejection) => Answer::Rejected(rejection),
        };
        self.reply(request, answer);
        self.progress(amendment.run);
    }

    /// The tasks that an attempt wrote become tasks of its run, just before its end is recorded.
    /// If they can't, the reason is handed back.
    pub(super) fn generate(&mut self, lease: LeaseId) -> Result<(), Option<OutputRef>> {
        let Some(generated) = self.volatile.generated.remove(&lease) else { return Err(None) };
        // Members of a gang do their work as often as the gang is tried, and so would write.
        if self.is_of_gang(lease.item) {
            return Err(None);
        }
        let reason = generated.reason;
        let Some(amendment) = generated.amendment else { return Err(reason) };
        if amendment.run != lease.item.run {
            return Err(reason);
        }
        let cause = AmendCause::Generated { task: lease.item.task, item: lease.item.item };
        self.try_amend(&amendment, cause).map_err(|_| reason)
    }

    fn try_amend(&mut self, amendment: &Amendment, cause: AmendCause) -> Result<(), Rejection> {
        let Some(run) = self.state.run(amendment.run) else {
            return Err(Rejection::UnknownRun(amendment.run));
        };
        run.check_amendment(amendment)?;
        let amended = RunAmended {
            run: amendment.run,
            cause,
            graph: amendment.graph.digest(),
            definition: amendment.definition,
            priority: amendment.priority,
            concurrency: amendment.concurrency,
            cost_limit_micro: amendment.cost_limit_micro,
        };
        let known = run.admitted();
        let old = (known.graph, known.definition, known.priority, known.concurrency);
        let new = (amended.graph, amended.definition, amended.priority, amended.concurrency);
        if old != new || known.cost_limit_micro != amended.cost_limit_micro {
            self.record_with(Fact::RunAmended(Box::new(amended)), &amendment.graph);
            self.watch_deadlines(amendment.run);
        }
        Ok(())
    }
}

impl Run {
    /// Whether the run may go on as `amendment` says.
    ///
    /// # Errors
    /// Why not: the run has ended or is being stopped, has another graph by now, a task has begun
    /// that would change, or the new graph does not follow from the old one.
    pub fn check_amendment(&self, amendment: &Amendment) -> Result<(), Rejection> {
        let status = self.status();
        if status.is_final() || status == RunStatus::Stopping {
            return Err(Rejection::RunEnded(status));
        }
        if amendment.base != self.admitted().graph {
            return Err(Rejection::Outdated);
        }
        if amendment.concurrency == Some(0) {
            return Err(Rejection::Unfit("a run has at least one attempt at a time"));
        }
        let (old, new) = (&**self.graph(), &*amendment.graph);
        if new.len() < old.len() {
            return Err(Rejection::Unfit("a task that the run has is missing"));
        }
        self.check_old_tasks(new)?;
        self.check_new_tasks(new)?;
        self.check_edges(new)
    }

    /// What tasks are stays as it is; how they are run may change until they begin.
    fn check_old_tasks(&self, new: &Graph) -> Result<(), Rejection> {
        let old = self.graph();
        let fan_outs = new.fan_outs().iter().take_while(|(task, _)| (task.0 as usize) < old.len());
        if !old.fan_outs().iter().eq(fan_outs) {
            return Err(Rejection::Unfit("the items of a fan-out change"));
        }
        let mut known: HashMap<(usize, usize), Change> = HashMap::default();
        for task in old.tasks() {
            let pair = (old.policy_index(task), new.policy_index(task));
            let compare = || change(&old.policies()[pair.0], &new.policies()[pair.1]);
            match known.entry(pair).or_insert_with(compare) {
                Change::Nothing => {}
                Change::Settings if !self.has_begun(task) => {}
                Change::Settings => return Err(Rejection::Begun(task)),
                Change::Nature => return Err(Rejection::Unfit("a task becomes another one")),
            }
        }
        Ok(())
    }

    /// New tasks are of a stage whose time has not passed, and a loop among them is all new.
    fn check_new_tasks(&self, new: &Graph) -> Result<(), Rejection> {
        let known = self.graph().len();
        for task in new.tasks().skip(known) {
            let Policy { trigger, kind, .. } = new.policy(task);
            let stage = trigger.stage();
            let first = self.released == Stage::Ordinary && stage == Stage::Ordinary;
            if stage <= self.released && !first {
                return Err(Rejection::Unfit("the time for such tasks has passed in this run"));
            }
            if matches!(kind, Kind::Loop { first, .. } if (first.0 as usize) < known) {
                return Err(Rejection::Unfit("tasks that the run has become the body of a loop"));
            }
        }
        Ok(())
    }

    /// The edges among old tasks are the same; new ones lead to what is undecided.
    fn check_edges(&self, new: &Graph) -> Result<(), Rejection> {
        let old = self.graph();
        let looped = self.looped();
        let part = |task: TaskId| looped.get(task.0 as usize).copied().unwrap_or_default();
        let is_old = |task: TaskId| (task.0 as usize) < old.len();
        let stage = |task| new.policy(task).trigger.stage();
        for from in new.tasks() {
            // Those of the next stage wait for all of this one anyway.
            let mut added = new.successors(from).filter(|&to| is_old(from) != is_old(to));
            if added.any(|to| stage(to) != stage(from)) {
                return Err(Rejection::Unfit("a new edge leads into another stage of the run"));
            }
            if is_old(from) {
                let (kept, added): (Vec<_>, Vec<_>) =
                    new.edges_from(from).partition(|&(to, _)| is_old(to));
                if !same_edges(kept, old.edges_from(from)) {
                    return Err(Rejection::Unfit("an edge between tasks that the run has changes"));
                }
                if !added.is_empty() && part(from) == LoopPart::Body {
                    return Err(Rejection::Unfit("an edge leaves the body of a loop"));
                }
                continue;
            }
            for to in new.successors(from).filter(|&to| is_old(to)) {
                let record = self.task(to);
                if record.status() != TaskStatus::Pending || record.fate() != Fate::Waits {
                    return Err(Rejection::Begun(to));
                }
                if part(to) != LoopPart::Outside {
                    return Err(Rejection::Unfit("an edge enters the body of a loop"));
                }
            }
        }
        Ok(())
    }

    /// For each task whether it is a part of a loop; empty if there is none.
    fn looped(&self) -> Vec<LoopPart> {
        if self.loops.is_empty() {
            return Vec::new();
        }
        let mut parts = alloc::vec![LoopPart::Outside; self.graph().len()];
        // The end of an inner loop stands in the body of the outer one, which comes after it.
        for &end in &self.loops {
            let body = self.body(end).start as usize..end.0 as usize;
            parts[body].fill(LoopPart::Body);
            parts[end.0 as usize] = LoopPart::End;
        }
        parts
    }
}

/// What a task is to the loops around it.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum LoopPart {
    /// It is in none.
    #[default]
    Outside,
    /// It is in the body of one, and nothing outside may rest on it.
    Body,
    /// It is the end of one, and in the body of none.
    End,
}

/// Whether a row has the same edges as before, in whatever order.
fn same_edges(
    mut kept: Vec<(TaskId, EdgeCondition)>,
    old: impl Iterator<Item = (TaskId, EdgeCondition)>,
) -> bool {
    let mut old: Vec<_> = old.collect();
    if kept == old {
        return true;
    }
    kept.sort_unstable();
    old.sort_unstable();
    kept == old
}

/// What of a policy is another one.
enum Change {
    /// Nothing, or how many items may be leased at a time.
    Nothing,
    /// How attempts are run.
    Settings,
    /// What the task is.
    Nature,
}

fn change(old: &Policy, new: &Policy) -> Change {
    let settings = Policy {
        kind: old.kind,
        trigger: old.trigger,
        join: old.join,
        asks: old.asks,
        failure: old.failure,
        ..new.clone()
    };
    if settings != *new {
        return Change::Nature;
    }
    let concurrency = Policy { concurrency: new.concurrency, ..old.clone() };
    if concurrency == *new { Change::Nothing } else { Change::Settings }
}
