//! Attempts make room for others: they are told to end, and their items begin anew at no cost.
//!
//! A place is given on only when the attempt that had it has ended, so nothing here frees any. Who
//! is to make room is not decided here: the planner says it, or a person.

use alloc::vec::Vec;

use model::fact::Fact;
use model::limits::ITEMS_PER_FACT_MAX;
use model::message::{LeaseId, StopKind};
use model::outcome::{Outcome, Then};
use model::status::RunStatus;
use model::{IdSet, ItemId, ItemKey, TaskKey, WorkerId};

use super::{Turn, grouped};
use crate::input::{Answer, Rejection, RequestId};

impl Turn<'_> {
    /// A person asks that what runs of a task makes room, or only some of its items.
    pub(super) fn preempt_asked(
        &mut self,
        request: RequestId,
        key: TaskKey,
        items: Option<&IdSet>,
    ) {
        let Some(run) = self.state.run(key.run) else {
            return self.reject(request, Rejection::UnknownRun(key.run));
        };
        if key.task.0 as usize >= run.graph().len() {
            return self.reject(request, Rejection::UnknownTask(key.task));
        }
        let chosen = |item: &ItemId| items.is_none_or(|items| items.contains(item.0));
        let held: Vec<_> = run.held_items(key.task).filter(chosen).collect();
        match self.preempt(held.into_iter().map(|item| key.item(item))) {
            0 => self.reject(request, Rejection::NothingToPreempt),
            items => self.reply(request, Answer::Preempted { items }),
        }
    }

    /// Tells attempts to make room: those that are live by now and are not told to end already.
    /// Says how many. What has not started is given back, what has is asked to end.
    pub(super) fn preempt(&mut self, items: impl IntoIterator<Item = ItemKey>) -> usize {
        let leaves = |item| Some((item, self.who_may_leave(item)?));
        let items = items.into_iter().flat_map(|item| self.with_its_gang(item));
        let mut leaving: Vec<(ItemKey, (WorkerId, LeaseId))> = items.filter_map(leaves).collect();
        leaving.sort_unstable();
        leaving.dedup();
        let by_task = |&(item, _): &(ItemKey, _)| (item.task_key(), item.item.0);
        for part in leaving.chunks(ITEMS_PER_FACT_MAX) {
            for (task, items) in grouped(part.iter().map(by_task)) {
                self.record(Fact::AttemptsPreempted { task, items });
            }
        }
        let mut told: Vec<(WorkerId, LeaseId)> = leaving.into_iter().map(|(_, it)| it).collect();
        told.sort_unstable();
        for group in told.chunk_by(|a, b| a.0 == b.0) {
            let leases = group.iter().map(|&(_, lease)| lease).collect();
            self.send_stop(group[0].0, leases, StopKind::Cancel);
        }
        told.len()
    }

    /// The lease of an item that may be told to make room, and who has it.
    fn who_may_leave(&self, item: ItemKey) -> Option<(WorkerId, LeaseId)> {
        let lease = self.state.lease(item).filter(|lease| !lease.is_ending())?;
        let cause = self.state.run(item.run)?.cause();
        let ends = cause.is_some_and(|cause| self.is_ended_by(item, cause));
        (!ends).then_some((lease.worker, LeaseId { item, token: lease.token }))
    }

    /// How the end of an attempt counts that was told to make room, and what follows: whatever is
    /// said of it, and also if it is lost, its item waits for its next attempt at once. Nothing if
    /// it ended as any other: it has done its work all the same, or is ended with its run.
    pub(super) fn after_leaving(&self, item: ItemKey, outcome: Outcome) -> Option<(Outcome, Then)> {
        let lease = self.state.lease(item).filter(|lease| lease.leaving_since.is_some())?;
        let run = self.state.run(item.run)?;
        let ends = run.status() == RunStatus::Stopping && !run.is_handler(item.task);
        if outcome == Outcome::Succeeded || ends {
            return None;
        }
        // Its deadline has passed meanwhile: there is no next attempt. That it was lost stays true.
        if lease.overran || self.is_late(run, item.task) {
            let lost = outcome == Outcome::Lost;
            return Some((if lost { outcome } else { Outcome::TimedOut }, Then::Final));
        }
        Some((Outcome::Preempted, Then::Retry { at: self.now }))
    }
}

#[cfg(test)]
mod tests {
    //! What a plan names is told to leave: the scenarios have no planner that names any.

    use alloc::boxed::Box;
    use alloc::sync::Arc;
    use alloc::vec;

    use model::fact::RunAdmitted;
    use model::graph::GraphParts;
    use model::message::{AttemptEvent, FromWorker, News, Report};
    use model::policy::{FailurePolicy, Policy, Priority};
    use model::{Digest, Epoch, Graph, Request, RunId, TaskId, Timestamp, Token};
    use scheduler::{ALL_ITEMS, GroupKey, Plan};

    use super::*;
    use crate::decide::Volatile;
    use crate::input::{Input, Submission};
    use crate::state::State;

    const TASK: TaskKey = TaskKey { run: RunId(1), task: TaskId(0) };

    struct House {
        state: State,
        volatile: Volatile,
        said: u64,
    }

    impl House {
        fn turn<T>(&mut self, decide: impl FnOnce(&mut Turn<'_>) -> T) -> (T, Vec<Fact>) {
            let mut turn = Turn::new(&mut self.state, &mut self.volatile, Timestamp(5));
            let decided = decide(&mut turn);
            (decided, turn.finish().facts)
        }

        fn say(&mut self, news: News) {
            self.said += 1;
            let (name, number) = ("w".into(), self.said);
            let message = FromWorker { name, instance: 7, session: 1, number, news };
            self.turn(|turn| turn.decide(Input::Worker(message)));
        }

        /// Three items, of which a worker holds two and has started one.
        fn new() -> Self {
            let volatile = Volatile::new(&crate::rules::Rules::default());
            let mut house = Self { state: State::default(), volatile, said: 0 };
            house.turn(|turn| turn.decide(Input::Lead { epoch: Epoch(1) }));
            let offers = Request { cpu_milli: 2_000, ..Request::default() };
            house.say(News::Hello { offers: offers.into(), lease: None, reports_from: 1 });
            let parts = GraphParts {
                policies: vec![Policy::default()],
                policy_of: vec![0],
                fan_outs: vec![(0, 3)],
                ..GraphParts::default()
            };
            let graph = Arc::new(Graph::new(Digest::default(), parts).unwrap());
            let (request, done) = (RequestId(1), Vec::new());
            let submission = Submission { request, run: admitted(), graph, done };
            house.turn(|turn| turn.decide(Input::Submit(Box::new(submission))));
            house.turn(|turn| turn.decide(Input::Tick));
            let token: Token = house.state.lease(TASK.item(ItemId(0))).expect("leased").token;
            let lease = LeaseId { item: TASK.item(ItemId(0)), token };
            let reports = vec![Report { lease, event: AttemptEvent::Started }];
            house.say(News::Reports { first: 1, reports });
            house
        }
    }

    fn admitted() -> RunAdmitted {
        RunAdmitted {
            run: RunId(0),
            key: None,
            tenant: "default".into(),
            queue: "default".into(),
            name: "planned".into(),
            identity: Digest::default(),
            content: Digest::default(),
            graph: Digest::default(),
            definition: Digest::default(),
            priority: Priority::default(),
            failure: FailurePolicy::FailFast,
            timeout: None,
            concurrency: None,
            cost_limit_micro: None,
            trace: 1,
        }
    }

    #[test]
    fn what_a_plan_names_is_told_to_leave_once_if_it_lives() {
        let mut house = House::new();
        let name = |item| GroupKey { run: 1, task: 0, item };
        let preemptions = vec![name(0), name(2), name(ALL_ITEMS), name(1), name(0)];
        let plan = Plan { preemptions, ..Plan::default() };
        let live: IdSet = [0, 1].into_iter().collect();
        let ((), facts) = house.turn(|turn| turn.carry_out(&plan));
        assert_eq!(facts, [Fact::AttemptsPreempted { task: TASK, items: live }]);
        let ((), facts) = house.turn(|turn| turn.carry_out(&plan));
        assert_eq!(facts, [], "they leave already");
    }
}
