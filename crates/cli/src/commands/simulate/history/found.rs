//! What a history has told, line by line, and how much of it there is.

use protocol::api::{
    HistoryEnd, HistoryLine, PastAttempt, PastNode, PastRun, PastStatus, PastTask, Time, code,
};
use whatif::Recorded;
use workload::{Builder, Estimates};

use super::History;
use super::jobs::Jobs;
use super::nodes::Nodes;
use crate::error::{BAD_ARGUMENT, Error, Result};
use crate::exit::Exit;
use crate::render::history::Found;

/// A task with its attempts.
pub(super) type Done = (PastTask, Vec<PastAttempt>);

/// A run, from when it was asked for until it ended.
pub(super) struct Piece {
    pub run: PastRun,
    pub tasks: Vec<Done>,
}

/// What was told so far.
#[derive(Default)]
pub(super) struct Taken {
    pub end: HistoryEnd,
    nodes: Vec<PastNode>,
    pieces: Vec<Piece>,
    attempts: usize,
}

impl Taken {
    /// Takes in the next line. More than can be simulated is not read.
    pub(super) fn take(&mut self, line: HistoryLine) -> Result<()> {
        match line {
            HistoryLine::Node(node) => self.nodes.push(node),
            HistoryLine::Run(run) => self.pieces.push(Piece { run, tasks: Vec::new() }),
            HistoryLine::Task(task) => {
                if let Some(piece) = self.pieces.last_mut() {
                    piece.tasks.push((task, Vec::new()));
                }
            }
            HistoryLine::Attempts(attempts) => {
                self.attempts += attempts.len();
                if self.attempts > workload::limits::TASKS_MAX {
                    return Err(too_much());
                }
                let task = self.pieces.last_mut().and_then(|piece| piece.tasks.last_mut());
                if let Some((_, known)) = task {
                    known.extend(attempts);
                }
            }
            HistoryLine::End(end) => self.end = end,
        }
        Ok(())
    }

    /// All of it as a workload: the runs that were submitted from a time on, and before another if
    /// one was asked for.
    pub(super) fn into_history(
        mut self,
        estimates: Estimates,
        (since, until): (Time, Option<Time>),
    ) -> Result<History> {
        // Those that were retried come again later.
        self.pieces.sort_by_key(|piece| piece.run.submitted);
        let mut found = self.found((since, until));
        self.pieces.retain(|piece| piece.tasks.iter().any(|(_, attempts)| !attempts.is_empty()));
        let until = until.unwrap_or(self.end.at);
        let Some(first) = self.pieces.first() else { return Err(empty(since, until)) };
        let begin = first.run.submitted;
        let nodes = Nodes::of(&self.nodes, (since, until));
        let mut builder = Builder::new("history");
        builder.repeat(true);
        let mut jobs = Jobs { builder, nodes: &nodes, begin, unknown_nodes: 0 };
        let recorded = self.pieces.iter().map(|piece| jobs.add(piece)).collect();
        let Jobs { mut builder, unknown_nodes, .. } = jobs;
        found.on_unknown_nodes = unknown_nodes;
        found.notes().into_iter().for_each(|note| builder.note(note));
        let workload = builder.finish().map_err(|_| too_much())?;
        let workload = workload.expecting(estimates, whatif::workflow::UNKNOWN_US);
        let recorded = Recorded { jobs: recorded };
        Ok(History { workload, cluster: nodes.cluster, recorded, found })
    }

    fn found(&self, (since, until): (Time, Option<Time>)) -> Found {
        let count =
            |of: &dyn Fn(&Piece) -> bool| self.pieces.iter().filter(|it| of(it)).count() as u64;
        let tasks = self.pieces.iter().flat_map(|piece| &piece.tasks);
        let workers = tasks.filter(|(task, _)| !task.waits);
        let attempts = || workers.clone().flat_map(|(_, attempts)| attempts);
        let is_again = |attempt: &&PastAttempt| {
            matches!(attempt.end, PastStatus::TriedAgain | PastStatus::Preempted)
        };
        let did_run = |piece: &Piece| piece.tasks.iter().any(|(_, attempts)| !attempts.is_empty());
        let is_custom = |piece: &Piece| {
            piece.tasks.iter().any(|(task, attempts)| task.custom && !attempts.is_empty())
        };
        Found {
            since,
            until,
            at: self.end.at,
            runs: count(&|piece| piece.run.retried == 0),
            attempts: attempts().count() as u64,
            going_on: count(&|piece| piece.run.ended.is_none()),
            retried: count(&|piece| piece.run.retried > 0),
            without_work: count(&|piece| !did_run(piece)),
            tried_again: attempts().filter(is_again).count() as u64,
            limited: count(&|piece| piece.run.limited),
            custom: count(&is_custom),
            on_unknown_nodes: 0,
            unreadable: self.end.unreadable,
            removed: self.end.removed,
        }
    }
}

fn empty(since: Time, until: Time) -> Error {
    let message = format!("no run that was submitted from {since} to {until} has run anything");
    Error::new(Exit::NotFound, code::NO_SUCH_RUN, message)
        .hint("look further back, with --since 90d for one; `autoglm list` shows the runs")
}

fn too_much() -> Error {
    let most = workload::limits::TASKS_MAX;
    let message = format!("the history is more than a simulation takes, {most} tasks");
    Error::new(Exit::Usage, BAD_ARGUMENT, message)
        .hint("take a shorter time, with --since and --until")
}
