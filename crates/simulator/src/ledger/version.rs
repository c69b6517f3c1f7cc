//! A run takes on another version of its graph: whether it may, and what follows from it.
//!
//! Worked out from where the tasks stand, in the plainest way, and not from what the engine says.

use std::sync::Arc;

use model::control::Kind;
use model::fact::RunAmended;
use model::policy::{Policy, Trigger};
use model::{Graph, RunStatus, TaskId, TaskStatus, Timestamp};

use super::run::{FRESH, Joined, Run, Task};

/// Whether a run may take on a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It may.
    Fits,
    /// The rules do not say.
    Unclear,
    /// It may not, for this reason.
    Unfit(String),
}

impl Fit {
    fn and(self, other: impl FnOnce() -> Self) -> Self {
        match self {
            Self::Fits => other(),
            Self::Unclear => match other() {
                Self::Fits => Self::Unclear,
                worse => worse,
            },
            Self::Unfit(_) => self,
        }
    }

    fn unless(wrong: bool, what: impl FnOnce() -> String) -> Self {
        if wrong { Self::Unfit(what()) } else { Self::Fits }
    }
}

impl Run {
    /// Whether anything of a task has begun or ended in its round.
    #[must_use]
    pub fn has_begun(&self, task: TaskId) -> bool {
        let waits = |status| matches!(status, TaskStatus::Pending | TaskStatus::Ready);
        self.task(task).end.is_some() || self.items_of(task).iter().any(|x| !waits(x.status))
    }

    /// Whether what a task rests on may still be added to.
    #[must_use]
    pub fn is_open(&self, task: TaskId) -> bool {
        let known = self.task(task);
        !known.begun && !known.asks && known.end.is_none() && self.joined(task) == Joined::Open
    }

    /// Whether a task is in the body of a loop, the loop itself left out.
    #[must_use]
    pub fn in_body(&self, task: TaskId) -> bool {
        self.loops.iter().any(|&(first, last)| first <= task && task < last)
    }

    /// Whether the run may go on by this graph.
    #[must_use]
    pub fn fit(&self, graph: &Graph) -> Fit {
        let known = self.graph.len();
        let goes_on = matches!(self.status, RunStatus::Running | RunStatus::Paused);
        Fit::unless(!goes_on, || format!("the run is {}", self.status))
            .and(|| Fit::unless(graph.len() < known, || "tasks are gone".to_owned()))
            .and(|| self.tasks_fit(graph))
            .and(|| self.edges_fit(graph))
            .and(|| self.new_tasks_fit(graph))
    }

    fn tasks_fit(&self, graph: &Graph) -> Fit {
        self.graph.tasks().fold(Fit::Fits, |fit, task| {
            let (old, new) = (self.graph.policy(task), graph.policy(task));
            let fan = self.graph.fan_out(task) != graph.fan_out(task);
            fit.and(|| Fit::unless(fan, || format!("task {task} has other items")))
                .and(|| {
                    let other = fixed(old) != fixed(new);
                    Fit::unless(other, || format!("task {task} is something else"))
                })
                .and(|| {
                    let same = Policy { concurrency: new.concurrency, ..old.clone() };
                    let late = same != *new && self.has_begun(task);
                    Fit::unless(late, || format!("task {task} has begun and is changed"))
                })
        })
    }

    fn edges_fit(&self, graph: &Graph) -> Fit {
        let known = u32::try_from(self.graph.len()).unwrap_or(u32::MAX);
        let mut fit = Fit::Fits;
        for task in graph.tasks() {
            let is_old = task.0 < known;
            let among_old = graph.edges_from(task).filter(|edge| is_old && edge.0.0 < known);
            let mut now: Vec<_> = among_old.collect();
            let mut before: Vec<_> =
                if is_old { self.graph.edges_from(task).collect() } else { Vec::new() };
            now.sort_unstable();
            before.sort_unstable();
            fit = fit.and(|| {
                Fit::unless(now != before, || format!("edges out of task {task} have changed"))
            });
            for next in graph.successors(task).filter(|next| is_old != (next.0 < known)) {
                let old = if is_old { task } else { next };
                let stage = |task| graph.policy(task).trigger.stage();
                let crosses = stage(task) != stage(next);
                fit = fit
                    .and(|| {
                        Fit::unless(crosses, || format!("an edge of task {old} crosses stages"))
                    })
                    .and(|| self.new_edge_fits(old, is_old));
            }
        }
        fit
    }

    fn new_edge_fits(&self, old: TaskId, leaves: bool) -> Fit {
        let policy = self.graph.policy(old);
        let is_loop = matches!(policy.kind, Kind::Loop { .. });
        let unclear = is_loop && !leaves || policy.trigger != Trigger::Dependencies;
        Fit::unless(self.in_body(old), || format!("an edge crosses the body around task {old}"))
            .and(|| {
                let held = unclear && self.joined(old) == Joined::Met && !self.has_begun(old);
                let late = !leaves && !self.is_open(old) && !held;
                Fit::unless(late, || format!("task {old} gets something to wait for too late"))
            })
            .and(|| if unclear { Fit::Unclear } else { Fit::Fits })
    }

    fn new_tasks_fit(&self, graph: &Graph) -> Fit {
        let ordinary = |task: TaskId| graph.policy(task).trigger == Trigger::Dependencies;
        let mut new = graph.tasks().skip(self.graph.len());
        // Once all that was ordinary has ended, its outcome has been acted upon.
        let over = self.graph.tasks().all(|task| !ordinary(task) || self.task(task).end.is_some());
        let grows = graph.len() > self.graph.len();
        if new.any(|task| !ordinary(task)) || grows && over { Fit::Unclear } else { Fit::Fits }
    }

    /// Takes the place of the old version.
    pub(super) fn amend(&mut self, amended: &RunAmended, graph: Arc<Graph>, at: Timestamp) {
        let admitted = &mut self.admitted;
        (admitted.graph, admitted.definition) = (amended.graph, amended.definition);
        (admitted.priority, admitted.concurrency) = (amended.priority, amended.concurrency);
        admitted.cost_limit_micro = amended.cost_limit_micro;
        self.versions.push((amended.graph, amended.priority, amended.concurrency));
        for task in graph.tasks().skip(self.graph.len()) {
            let first = u32::try_from(self.items.len()).expect("few items");
            let count = graph.items(task);
            self.items.resize(self.items.len() + count as usize, FRESH);
            self.tasks.push(Task::new(first, count));
        }
        (self.graph, self.changed_at) = (graph, at);
        self.read_edges();
        let pending = |&task: &TaskId| !self.task(task).begun;
        let pending: Vec<TaskId> = self.graph.tasks().filter(pending).collect();
        self.restart(pending, at);
    }
}

/// What no edit may change.
fn fixed(policy: &Policy) -> (Kind, Trigger, model::control::Join, bool, Option<bool>) {
    let fast = policy.failure.map(|failure| failure == model::policy::FailurePolicy::FailFast);
    (policy.kind, policy.trigger, policy.join, policy.asks, fast)
}
