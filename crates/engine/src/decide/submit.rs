//! A workflow is submitted.

use alloc::boxed::Box;

use model::fact::{Fact, Marked, RunAdmitted};
use model::hash::mix;

use super::Turn;
use super::mark::check_done;
use crate::input::{Answer, Effect, Submission};

impl Turn<'_> {
    /// The same idempotency key is the same run (S13), whatever else the second submission says.
    /// What was done before is marked in the same step: nothing of it asks or is leased.
    pub(super) fn submit(&mut self, submission: Submission) {
        let Submission { request, run: admitted, graph, done } = submission;
        let known = admitted.key.and_then(|key| self.state.run_by_key(&key));
        if let Some(run) = known {
            return self
                .effect(Effect::Reply { request, answer: Answer::Admitted { run, again: true } });
        }
        if let Err(rejection) = check_done(&graph, &done) {
            return self.reject(request, rejection);
        }
        let run = model::RunId(self.state.next_run.0.max(1));
        let trace = if admitted.trace == 0 { self.trace_of(run.0) } else { admitted.trace };
        let fact = Fact::RunAdmitted(Box::new(RunAdmitted { run, trace, ..admitted }));
        self.record_with(fact, &graph);
        for mark in done {
            self.record(Fact::Marked(Box::new(Marked { run, ..mark })));
        }
        self.watch_deadlines(run);
        self.effect(Effect::Reply { request, answer: Answer::Admitted { run, again: false } });
        self.progress(run);
    }

    /// A trace id for a run that came without one: never zero, and different for each admission.
    fn trace_of(&self, run: u64) -> u128 {
        let high = mix(self.now.0 ^ mix(run));
        let low = mix(high ^ self.state.epoch().0);
        u128::from(high) << 64 | u128::from(low) | 1
    }
}
