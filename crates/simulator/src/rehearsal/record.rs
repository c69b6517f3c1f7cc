//! What happened in a rehearsal, task by task.

use std::collections::BTreeMap;

use engine::state::Run;
use model::fact::Fact;
use model::outcome::Failure;
use model::{Graph, ItemId, Outcome, Round, RunStatus, Span, TaskId, TaskStatus};
use serde_json::Value;
use spec::Rendered;

/// How a rehearsal went.
#[derive(Clone, Debug)]
pub struct Rehearsed {
    /// How the run ended; `running` if it waits for ever.
    pub status: RunStatus,
    /// How long it took, in virtual time.
    pub duration: Span,
    /// Why it went no further, if it did not end.
    pub stuck: Option<String>,
    /// All tasks, in the order of the workflow.
    pub tasks: Vec<TaskRecord>,
}

/// What became of a task.
#[derive(Clone, Debug)]
pub struct TaskRecord {
    /// Its name.
    pub name: String,
    /// How it ended, or where it stands if the run did not end.
    pub status: TaskStatus,
    /// How many attempts it had, over all items and rounds.
    pub attempts: u64,
    /// How many rounds it ran in.
    pub rounds: u64,
    /// How many items it has; nothing if it is no fan-out.
    pub items: Option<u64>,
    /// The step at which it first began.
    pub began: Option<u64>,
    /// The step at which it ended for good.
    pub ended: Option<u64>,
    /// What it left last, an object for each item.
    pub outputs: Vec<Value>,
    /// What its attempts were started with, if the test looks at it.
    pub started: Vec<Rendered>,
    /// What went wrong with it last.
    pub trouble: Option<String>,
}

impl TaskRecord {
    /// Whether it ran: it had an attempt, or came to something without one.
    #[must_use]
    pub fn ran(&self) -> bool {
        use TaskStatus::{Failed, Running, Succeeded, TimedOut};
        self.attempts > 0 || matches!(self.status, Succeeded | Failed | TimedOut | Running)
    }
}

/// What is noted of a task while it goes on.
#[derive(Clone, Debug, Default)]
pub(super) struct Note {
    pub attempts: u64,
    pub rounds: u64,
    pub began: Option<u64>,
    pub ended: Option<u64>,
    pub trouble: Option<String>,
    pub started: Vec<Rendered>,
    /// The rounds in which it waited for somebody.
    pub waited: Vec<Round>,
    /// How many attempts of an item there were in the round of the last.
    tries: BTreeMap<ItemId, (Round, usize)>,
    /// The rounds in which it had attempts.
    tried: Vec<Round>,
}

/// What is noted of all tasks.
pub(super) struct Notes(Vec<Note>);

impl Notes {
    pub(super) fn new(graph: &Graph) -> Self {
        Self(vec![Note::default(); graph.len()])
    }

    pub(super) fn of(&mut self, task: TaskId) -> &mut Note {
        &mut self.0[task.0 as usize]
    }

    pub(super) fn take(&mut self, task: TaskId) -> Note {
        std::mem::take(self.of(task))
    }

    /// Looks at a task after a step: whether it has begun, ended, or is to run again.
    pub(super) fn look(&mut self, run: &Run, task: TaskId, step: u64) {
        use TaskStatus::{Cancelled, Pending, Ready, Skipped, Terminated};
        let status = run.task(task).status();
        let note = self.of(task);
        if !matches!(status, Pending | Ready | Skipped | Cancelled | Terminated) {
            note.began.get_or_insert(step);
        }
        match (status.is_final(), note.ended) {
            (true, None) => {
                note.ended = Some(step);
                note.rounds += u64::from(!matches!(status, Skipped | Cancelled | Terminated));
            }
            (false, Some(_)) => note.ended = None,
            _ => {}
        }
    }
}

impl Note {
    /// Notes an attempt, and says which it is: of the task's rounds and of the item's attempts in
    /// it, both from 0.
    pub(super) fn attempt(&mut self, item: ItemId, round: Round) -> (usize, usize) {
        self.attempts += 1;
        if !self.tried.contains(&round) {
            self.tried.push(round);
        }
        let turn = self.tried.iter().position(|&known| known == round).unwrap_or(0);
        let (last, tries) = self.tries.entry(item).or_insert((round, 0));
        if *last != round {
            (*last, *tries) = (round, 0);
        }
        *tries += 1;
        (turn, *tries - 1)
    }
}

/// The tasks that a fact may have changed, those that depend on them included.
pub(super) fn touched(fact: &Fact, graph: &Graph) -> Vec<TaskId> {
    let one = |task: TaskId| vec![task];
    let mut tasks: Vec<TaskId> = match fact {
        Fact::RunAdmitted(_) => return graph.tasks().collect(),
        Fact::AttemptsLeased { task, .. }
        | Fact::GangLeased { task, .. }
        | Fact::AttemptsStarted { task, .. }
        | Fact::LeasesReturned { task, .. }
        | Fact::TaskSettled { task, .. } => one(task.task),
        Fact::AttemptsEnded(ended) => one(ended.task.task),
        Fact::TaskAnswered(answered) => {
            let task = answered.task.task;
            match graph.policy(task).kind {
                model::control::Kind::Loop { first, .. } => {
                    (first.0..=task.0).map(TaskId).collect()
                }
                _ => one(task),
            }
        }
        Fact::HandlersReleased { tasks, .. }
        | Fact::TasksSkipped { tasks, .. }
        | Fact::TasksCancelled { tasks, .. }
        | Fact::TasksUnsatisfiable { tasks, .. } => tasks.iter().map(TaskId).collect(),
        _ => Vec::new(),
    };
    let next: Vec<TaskId> = tasks.iter().flat_map(|&task| graph.successors(task)).collect();
    tasks.extend(next);
    tasks
}

/// How an attempt or a task ended badly, in a few words; nothing if it ended well.
pub(super) fn words(outcome: Outcome) -> Option<String> {
    let words = match outcome {
        Outcome::Succeeded => return None,
        Outcome::TimedOut => "its time was up",
        Outcome::Cancelled => "it was cancelled",
        Outcome::Terminated => "it was terminated",
        Outcome::Preempted => "it made room for others",
        Outcome::Lost => "its worker was lost",
        Outcome::Failed(Failure::Exit(code)) => return Some(format!("exit {code}")),
        Outcome::Failed(Failure::Status(status)) => return Some(format!("HTTP {status}")),
        Outcome::Failed(Failure::Raised(_)) => "the call raised an error",
        Outcome::Failed(Failure::Unreachable(_)) => "no whole answer was had",
        Outcome::Failed(Failure::Answer) => "the answer was not what it has to be",
        Outcome::Failed(Failure::Unsatisfiable) => "no machine of that size can hold it",
        Outcome::Failed(Failure::Rejected) => "it was rejected",
        Outcome::Failed(Failure::TurnsUsedUp) => "its condition did not hold in the last round",
        Outcome::Failed(Failure::Tasks) => "the tasks that it wrote could not be admitted",
        Outcome::Failed(Failure::Render) => "its text could not be rendered",
        Outcome::Failed(Failure::Control) => "what it asks could not be worked out",
        Outcome::Failed(_) => "it failed",
    };
    Some(words.to_owned())
}
