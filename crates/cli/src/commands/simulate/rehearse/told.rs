//! What a rehearsal's own history tells, as what happened to the jobs that were simulated.

use std::collections::HashMap;

use protocol::api::{HistoryLine, PastAttempt, PastNode, PastRun, PastStatus, Time};
use whatif::{Attempt, Cluster, RecordedJob};

use super::super::history::{after, end};
use super::flow;
use crate::error::{Error, HOLDER_ENDED, Result};
use crate::exit::Exit;

/// What was told, line by line.
#[derive(Default)]
pub(super) struct Told {
    nodes: Vec<PastNode>,
    /// Each run with the attempts of its tasks, by their places.
    runs: Vec<(PastRun, Vec<(u32, PastAttempt)>)>,
    /// The place of the task whose attempts follow.
    place: u32,
}

impl Told {
    pub(super) fn take(&mut self, line: HistoryLine) {
        match line {
            HistoryLine::Node(node) => self.nodes.push(node),
            HistoryLine::Run(run) => self.runs.push((run, Vec::new())),
            HistoryLine::Task(task) => self.place = flow::place(&task.name).unwrap_or_default(),
            HistoryLine::Attempts(attempts) => {
                let run = self.runs.last_mut();
                run.into_iter().for_each(|(_, known)| {
                    known.extend(attempts.iter().map(|&attempt| (self.place, attempt)));
                });
            }
            HistoryLine::End(_) => {}
        }
    }

    /// What happened to each job, in their order; the first of them came at `begin_us`.
    ///
    /// # Errors
    /// An attempt has failed, which a sleep does not.
    pub(super) fn jobs(mut self, cluster: &Cluster, begin_us: u64) -> Result<Vec<RecordedJob>> {
        self.runs.sort_by_key(|(run, _)| run.run);
        let begin = self.runs.first().map(|(run, _)| run.submitted).unwrap_or_default();
        let at = |time: Time| begin_us + after(begin, time);
        let attempts = self.runs.iter().flat_map(|(_, attempts)| attempts);
        let failed = attempts.filter(|(_, attempt)| attempt.end == PastStatus::Failed).count();
        if failed > 0 {
            let message = format!("{failed} tasks of the rehearsal failed, and should have slept");
            return Err(Error::new(Exit::Internal, HOLDER_ENDED, message)
                .hint("the shell, `sleep` and `awk` have to be there"));
        }
        let places = places(cluster);
        let job = |(run, attempts): &(PastRun, Vec<(u32, PastAttempt)>)| RecordedJob {
            came_us: at(run.submitted),
            ended_us: at(run.ended.unwrap_or_default()),
            attempts: attempts
                .iter()
                .map(|&(task, attempt)| {
                    let node = attempt.node.and_then(|number| self.nodes.get(number as usize));
                    Attempt {
                        task,
                        node: node.and_then(|it| places.get(&it.name).copied()).unwrap_or(0),
                        began_us: at(attempt.began.unwrap_or(attempt.ended)),
                        ended_us: at(attempt.ended),
                        end: end(attempt.end),
                    }
                })
                .collect(),
        };
        Ok(self.runs.iter().map(job).collect())
    }
}

/// The number of each node by its name, counted over all kinds in their order.
fn places(cluster: &Cluster) -> HashMap<String, u32> {
    let kinds = cluster.nodes.iter();
    let names = kinds.flat_map(|kind| (0..kind.count).map(|number| kind.name_of(number)));
    names.zip(0..).collect()
}
