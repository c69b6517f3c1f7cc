//! Which round each task of a run is in, counted from its facts as the engine counts it: a retry by
//! hand begins one, and so does each turn of a loop.
//!
//! It follows the facts beside the state, for whoever reads what was before. It decides nothing.

use std::collections::HashMap;

use journal::Entry;
use model::control::{ControlAnswer, Kind};
use model::{Fact, Graph, RunId, TaskId};

/// The rounds of the tasks of one run, from 0, as far as its facts have been read.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns {
    run: RunId,
    /// The ends of loops, each with the first task of its body and how many turns it may have.
    loops: HashMap<TaskId, (TaskId, u16)>,
    /// The turn of each loop that has had more than one.
    turns: HashMap<TaskId, u16>,
    rounds: HashMap<TaskId, u16>,
}

impl Turns {
    /// Before the first fact of a run with this graph.
    pub(super) fn new(run: RunId, graph: &Graph) -> Self {
        let loops = graph.tasks().filter_map(|task| match graph.policy(task).kind {
            Kind::Loop { first, turns_max } => Some((task, (first, turns_max))),
            _ => None,
        });
        Self { run, loops: loops.collect(), ..Self::default() }
    }

    /// The round of a task.
    pub(super) fn round(&self, task: TaskId) -> u16 {
        self.rounds.get(&task).copied().unwrap_or(0)
    }

    /// Begins so that the rounds are the `actual` ones when all that was `counted` has been taken:
    /// the facts of the first rounds may have been given up.
    pub(super) fn begin_before(&mut self, counted: &Self, actual: &[(TaskId, u16)]) {
        let given_up =
            actual.iter().map(|&(task, round)| (task, round - counted.round(task).min(round)));
        self.rounds = given_up.filter(|&(_, round)| round > 0).collect();
    }

    /// Takes in the next fact, of whatever run.
    pub(super) fn take(&mut self, entry: &Entry) {
        match &entry.fact {
            Fact::RoundOpened { run, tasks, .. } if *run == self.run => {
                tasks.iter().map(TaskId).for_each(|task| self.reopen(task));
            }
            Fact::ItemsReopened { task, .. } if task.run == self.run => {
                *self.rounds.entry(task.task).or_default() += 1;
            }
            Fact::TaskAnswered(answered)
                if answered.task.run == self.run && answered.answer == ControlAnswer::Again =>
            {
                self.turn(answered.task.task);
            }
            _ => {}
        }
    }

    /// A loop asks for another turn of its body, which it gets unless it has had them all.
    fn turn(&mut self, end: TaskId) {
        let Some(&(first, turns_max)) = self.loops.get(&end) else { return };
        let turn = self.turns.get(&end).copied().unwrap_or(1);
        if turn < turns_max {
            (first.0..=end.0).map(TaskId).for_each(|task| self.reopen(task));
            self.turns.insert(end, turn + 1);
        }
    }

    fn reopen(&mut self, task: TaskId) {
        let round = self.rounds.entry(task).or_default();
        *round = round.saturating_add(1);
        self.turns.remove(&task);
    }
}

#[cfg(test)]
mod tests {
    use engine::state::Run;
    use model::outcome::Outcome;

    use super::*;
    use crate::views::tests::{FAILED, Stage, flow};

    #[test]
    fn rounds_are_counted_as_the_engine_counts_them() {
        let mut stage = Stage::new(1);
        let run = stage.submit(&flow("", &["a, foreach: [x, y]", "b, depends_on: a"]));
        stage.work(2, |item| if item == 1 { FAILED } else { Outcome::Succeeded });
        stage.retry(run, None);
        stage.work(9, |_| Outcome::Succeeded);
        stage.retry(run, Some(TaskId(1)));
        stage.work(9, |_| Outcome::Succeeded);
        let actual = |run: &Run| {
            run.graph().tasks().map(|task| (task, run.task(task).round().0)).collect::<Vec<_>>()
        };
        let subject = stage.subject(run);
        let mut turns = Turns::new(run, subject.run.graph());
        stage.journal.iter().for_each(|entry| turns.take(entry));
        let actual = actual(subject.run);
        for &(task, round) in &actual {
            assert_eq!(turns.round(task), round, "{task}");
        }
        // Without the first facts it is known how many rounds there were.
        let (mut late, rest) =
            (Turns::new(run, subject.run.graph()), &stage.journal[stage.journal.len() / 2..]);
        let mut counted = late.clone();
        rest.iter().for_each(|entry| counted.take(entry));
        late.begin_before(&counted, &actual);
        rest.iter().for_each(|entry| late.take(entry));
        assert!(actual.iter().all(|&(task, round)| late.round(task) == round));
    }
}
