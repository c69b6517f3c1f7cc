//! A workflow is submitted.

use alloc::boxed::Box;

use model::fact::{Fact, RunAdmitted};
use model::hash::mix;

use super::Turn;
use crate::input::{Answer, Effect, Submission};

impl Turn<'_> {
    /// The same idempotency key is the same run (S13), whatever else the second submission says.
    pub(super) fn submit(&mut self, submission: Submission) {
        let Submission { request, run: admitted, graph, .. } = submission;
        let known = admitted.key.and_then(|key| self.state.run_by_key(&key));
        if let Some(run) = known {
            return self
                .effect(Effect::Reply { request, answer: Answer::Admitted { run, again: true } });
        }
        let run = model::RunId(self.state.next_run.0.max(1));
        let trace = if admitted.trace == 0 { self.trace_of(run.0) } else { admitted.trace };
        let fact = Fact::RunAdmitted(Box::new(RunAdmitted { run, trace, ..admitted }));
        self.record_admission(fact, &graph);
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
