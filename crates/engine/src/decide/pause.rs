//! Runs pause: because a person asks, or because they have cost as much as they may.

use alloc::vec::Vec;

use model::fact::{Fact, PauseCause};
use model::message::{LeaseId, StopKind};
use model::status::RunStatus;
use model::{ItemKey, RunId};

use super::Turn;
use crate::input::{Answer, Rejection, RequestId};

impl Turn<'_> {
    /// Pausing what is paused changes nothing.
    pub(super) fn pause(&mut self, request: RequestId, id: RunId) {
        let Some(run) = self.state.run(id) else {
            return self.reject(request, Rejection::UnknownRun(id));
        };
        match run.status() {
            RunStatus::Paused => {}
            RunStatus::Queued | RunStatus::Running => self.begin_pause(id, PauseCause::Asked),
            ended => return self.reject(request, Rejection::RunEnded(ended)),
        }
        self.reply(request, Answer::Paused);
    }

    /// Resuming what is not paused changes nothing. What has cost as much as it may would pause
    /// again at once: it may have to cost more first.
    pub(super) fn resume(&mut self, request: RequestId, id: RunId) {
        let Some(run) = self.state.run(id) else {
            return self.reject(request, Rejection::UnknownRun(id));
        };
        match (run.status(), run.admitted().cost_limit_micro) {
            (RunStatus::Queued | RunStatus::Running, _) => {}
            (RunStatus::Paused, Some(limit_micro)) if run.is_at_cost_limit() => {
                let cost_micro = run.spent().cost_micro;
                return self.reject(request, Rejection::CostLimit { cost_micro, limit_micro });
            }
            (RunStatus::Paused, _) => self.record(Fact::RunResumed { run: id }),
            (ended, _) => return self.reject(request, Rejection::RunEnded(ended)),
        }
        self.reply(request, Answer::Resumed);
        self.progress(id);
    }

    /// Pauses a run that has cost as much as it may. Not one that is being stopped: what is undone
    /// then, and what comes last, is to be done.
    pub(super) fn keep_to_cost_limit(&mut self, id: RunId) {
        let reached =
            |run: &crate::state::Run| run.status() == RunStatus::Running && run.is_at_cost_limit();
        if self.state.run(id).is_some_and(reached) {
            self.begin_pause(id, PauseCause::CostLimit);
        }
    }

    /// What was lent ahead of room and has not started is asked back.
    fn begin_pause(&mut self, id: RunId, cause: PauseCause) {
        self.record(Fact::RunPaused { run: id, cause });
        let of_run: Vec<ItemKey> =
            self.state.leases.keys().filter(|item| item.run == id).copied().collect();
        self.ask_back(of_run);
    }

    /// Asks for what is with workers and has not started, as far as is known here: what has by then
    /// goes on.
    pub(super) fn ask_back(&mut self, items: impl IntoIterator<Item = ItemKey>) {
        let unstarted = |item| {
            let lease = self.state.lease(item).filter(|lease| lease.started_at.is_none())?;
            Some((lease.worker, LeaseId { item, token: lease.token }))
        };
        let mut held: Vec<_> = items.into_iter().filter_map(unstarted).collect();
        held.sort_unstable();
        for group in held.chunk_by(|a, b| a.0 == b.0) {
            let leases = group.iter().map(|&(_, lease)| lease).collect();
            self.send_stop(group[0].0, leases, StopKind::Retract);
        }
    }
}
