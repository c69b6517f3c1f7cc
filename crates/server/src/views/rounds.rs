//! The rounds of a task that are over: what it was before it was run again, by a loop or by hand.
//!
//! State knows the round that a task is in. The others are found by a replay of the run's facts.

use std::collections::VecDeque;

use engine::state::Run;
use model::{Fact, Span, TaskId};
use protocol::api::{Again, Counts, PAGE_SIZE_MAX, RoundSummary, Time};

use super::runs::counts;
use super::words::trouble;

/// The rounds of one task, one fact after the other.
#[derive(Debug)]
pub(crate) struct Rounds {
    task: TaskId,
    /// The round that it is in.
    now: Option<RoundSummary>,
    past: VecDeque<RoundSummary>,
}

impl Rounds {
    pub(crate) const fn new(task: TaskId) -> Self {
        Self { task, now: None, past: VecDeque::new() }
    }

    /// Takes in the next fact, of which `run` is what came.
    pub(crate) fn take(&mut self, fact: &Fact, run: &Run) {
        let by_hand = matches!(fact, Fact::RoundOpened { .. });
        let now = self.seen(run, if by_hand { Again::Retry } else { Again::Loop });
        if let Some(before) = self.now.take().filter(|before| before.round != now.round) {
            self.past.push_back(RoundSummary { then: now.then, ..before });
            if self.past.len() > PAGE_SIZE_MAX {
                self.past.pop_front();
            }
        }
        self.now = Some(now);
    }

    /// Those that are over, oldest first.
    pub(crate) fn past(self) -> Vec<RoundSummary> {
        self.past.into()
    }

    fn seen(&self, run: &Run, then: Again) -> RoundSummary {
        let task = run.task(self.task);
        let fan = run.fan(self.task);
        let one = || Counts::from_iter([(task.status(), 1)]);
        let ended = task.ended_ms().map(|ms| run.admitted_at() + Span::millis(u64::from(ms)));
        RoundSummary {
            round: task.round().0,
            status: task.status(),
            items: fan.map_or_else(one, |fan| counts(fan.tally())),
            trouble: task.trouble().and_then(trouble),
            ended: ended.map(Time),
            then,
        }
    }
}

#[cfg(test)]
mod tests {
    use model::TaskStatus;
    use model::outcome::Outcome;

    use super::super::tests::{FAILED, Stage, flow};
    use super::*;
    use crate::replay::Replayed;

    #[test]
    fn what_was_before_a_retry_is_known() {
        let mut stage = Stage::new(1);
        let run = stage.submit(&flow("", &["a, foreach: [x, y]", "b, depends_on: a"]));
        stage.work(2, |item| if item == 1 { FAILED } else { Outcome::Succeeded });
        stage.retry(run, None);
        stage.work(2, |_| Outcome::Succeeded);
        let past = |task| {
            let (mut rounds, mut replayed) = (Rounds::new(TaskId(task)), Replayed::new());
            for entry in &stage.journal {
                replayed.engine.replay(entry.seq, entry.at, &entry.fact, &stage.shelf);
                if let Some(run) = replayed.engine.state().run(run) {
                    rounds.take(&entry.fact, run);
                }
            }
            rounds.past()
        };
        let [first] = &past(0)[..] else { panic!("one is over: {:?}", past(0)) };
        assert_eq!((first.round, first.status, first.then), (0, TaskStatus::Failed, Again::Retry));
        assert_eq!(first.trouble.as_deref(), Some("exit 1"));
        assert_eq!((first.items[TaskStatus::Succeeded], first.items[TaskStatus::Failed]), (1, 1));
        assert!(first.ended.is_some());
        assert_ne!(past(1)[0].status, TaskStatus::Succeeded);
    }
}
