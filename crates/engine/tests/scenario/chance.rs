//! Scenarios by chance: small runs that share, are edited, marked, stopped, retried and crashed at
//! random. The house checks invariants, replay and snapshot after each step; here is checked that
//! nothing takes more than it may, and that every run ends.

use std::collections::BTreeMap;

use engine::Generated;
use model::control::{ControlAnswer, EdgeCondition, Join, Kind};
use model::fact::{Fact, MarkCause, Marked, StopCause};
use model::graph::GraphParts;
use model::hash::mix;
use model::message::{AttemptEvent, Grant, Report};
use model::policy::{FailurePolicy, Policy, Trigger};
use model::shared::{Deadline, Lock, Spending, Unit};
use model::{
    Digest, Graph, IdSet, ItemId, Outcome, RunId, RunStatus, Span, TaskId, TaskKey, TaskStatus,
};

use crate::house::{FAILED, House};

struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = mix(self.0);
        (self.0 >> 20) % bound
    }

    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn policy(&mut self) -> Policy {
        let mut policy = Policy::default();
        policy.retry.limit = self.below(3) as u8;
        if self.once_in(3) {
            let (name, holders_max) = ("db".into(), 1 + self.below(2) as u32);
            policy.shared.locks = [Lock { name, holders_max }].into();
        }
        if self.once_in(4) {
            let (amount, limit) = (1 + self.below(2) as u32, 3);
            let spending = Spending {
                name: "api".into(),
                unit: Unit::Attempts,
                amount,
                limit,
                per: Span::secs(7),
            };
            policy.shared.budgets = [spending].into();
        }
        if self.once_in(4) {
            policy.deadline = Some(Deadline::After(Span::secs(1 + self.below(20))));
        }
        policy.asks = self.once_in(4);
        policy.timeout = self.once_in(4).then_some(Span::secs(2));
        policy.concurrency = self.once_in(5).then_some(1);
        policy.failure = self.once_in(3).then_some(FailurePolicy::Continue);
        policy.trigger = match self.below(12) {
            0 => Trigger::Exit,
            1 => Trigger::Failure,
            _ => Trigger::Dependencies,
        };
        match self.below(10) {
            0 if policy.trigger == Trigger::Dependencies => {
                policy.kind = Kind::Timer { wait: Span::secs(3) };
            }
            1 => policy.join = Join::Any,
            2 => policy.join = Join::AllDone,
            _ => {}
        }
        policy
    }

    /// More tasks after those that there are, and edges from any task to a later one among them.
    fn grown(&mut self, parts: &GraphParts, more: u64) -> GraphParts {
        let mut parts = parts.clone();
        parts.conditions.resize(parts.edges.len(), EdgeCondition::Succeeded);
        for _ in 0..more {
            let task = parts.policy_of.len() as u32;
            parts.policy_of.push(parts.policies.len() as u32);
            parts.policies.push(self.policy());
            if self.once_in(4) && parts.policies[parts.policies.len() - 1].kind == Kind::Work {
                parts.fan_outs.push((task, self.below(4) as u32));
            }
            let ordinary = |parts: &GraphParts, task: u32| {
                let policy = &parts.policies[parts.policy_of[task as usize] as usize];
                !policy.trigger.is_handler()
            };
            for from in 0..task {
                let fits = ordinary(&parts, from) && ordinary(&parts, task);
                if fits && self.once_in(3) {
                    parts.edges.push((from, task));
                    let conditions = [EdgeCondition::Finished, EdgeCondition::Failed];
                    let other = conditions.get(self.below(6) as usize).copied();
                    parts.conditions.push(other.unwrap_or_default());
                }
            }
        }
        parts
    }
}

/// Nobody holds more of a lock than the widest of its holders may, and no budget is overdrawn.
fn check_shares(house: &House) {
    let state = house.engine.state();
    let mut held: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for (_, worker) in state.workers() {
        for item in &worker.items {
            let lease = state.lease(*item).expect("held");
            for lock in &state.classes().get(lease.class).shared.locks {
                let entry = held.entry(&lock.name).or_default();
                *entry = (entry.0 + 1, entry.1.max(lock.holders_max));
            }
        }
    }
    assert!(held.values().all(|(held, widest)| held <= widest), "{held:?}");
    assert!(state.shares().backlog("api", house.now) <= Span::secs(7));
}

/// What waits for a worker has a reason to.
fn check_reasons(house: &House, id: RunId) {
    let run = house.engine.state().run(id).expect("known");
    for task in run.graph().tasks() {
        for item in (0..run.item_count(task)).map(ItemId) {
            let key = TaskKey { run: id, task }.item(item);
            let explained = house.engine.explain(key).expect("it is there");
            let waits = matches!(explained.status, TaskStatus::Ready | TaskStatus::Retrying);
            assert!(!waits || !explained.blockers.is_empty(), "{key:?} waits for nothing");
        }
    }
}

struct World {
    house: House,
    chance: Chance,
    parts: GraphParts,
    run: RunId,
    live: Vec<Grant>,
    epoch: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let (mut house, mut chance) = (House::new(3), Chance(seed));
        let count = 2 + chance.below(5);
        let parts = chance.grown(&GraphParts::default(), count);
        let fast = chance.once_in(2);
        let run = house.submit(parts.clone(), |run| {
            run.failure = if fast { FailurePolicy::FailFast } else { FailurePolicy::Continue };
        });
        Self { house, chance, parts, run, live: Vec::new(), epoch: 1 }
    }

    fn task(&mut self) -> u32 {
        self.chance.below(self.parts.policy_of.len() as u64) as u32
    }

    fn end_one(&mut self) {
        let granted = self.house.granted();
        self.live.extend(granted);
        let state = self.house.engine.state();
        self.live
            .retain(|it| state.lease(it.attempt.key).is_some_and(|held| held.token == it.token));
        if self.live.is_empty() {
            return;
        }
        let grant = self.live.remove(self.chance.below(self.live.len() as u64) as usize);
        let held = self.house.engine.state().lease(grant.attempt.key).expect("held");
        let fresh = held.started_at.is_none();
        match self.chance.below(8) {
            0 => self.house.end(&grant, FAILED),
            1 => self.house.end(&grant, Outcome::TimedOut),
            2 if fresh => {
                let event = AttemptEvent::Returned;
                self.house.report(vec![Report { lease: grant.lease(), event }]);
            }
            3 => {
                let parts = self.chance.grown(&self.parts, 1);
                let graph = self.house.keep(parts.clone());
                let amendment = Some(self.house.amendment(self.run, Some(&graph)));
                let generated = Generated { lease: grant.lease(), amendment, reason: None };
                self.house.end_with_tasks(&grant, Some(generated));
                self.adopt(&graph, parts);
            }
            4 if fresh => {
                self.house.start(&grant);
                self.live.push(grant);
            }
            _ => self.house.end(&grant, Outcome::Succeeded),
        }
    }

    fn adopt(&mut self, graph: &Graph, parts: GraphParts) {
        let known = self.house.engine.state().run(self.run).expect("known");
        if known.graph().digest() == graph.digest() {
            self.parts = parts;
        }
    }

    fn mark(&mut self) {
        let statuses = [TaskStatus::Succeeded, TaskStatus::Failed, TaskStatus::Skipped];
        let (task, run) = (self.task(), self.run);
        let items = self.chance.once_in(2).then(|| IdSet::one(0));
        let status = statuses[self.chance.below(3) as usize];
        let (tasks, cause) = (IdSet::one(task), MarkCause::Person);
        self.house.mark(Marked { run, tasks, items, status, cause, control: None, output: None });
    }

    fn answer_all(&mut self) {
        while let Some(&(task, ..)) = self.house.asked.first() {
            let answer = match self.chance.below(6) {
                0 => ControlAnswer::Skip,
                1 => ControlAnswer::Invalid,
                2 if self
                    .house
                    .engine
                    .state()
                    .run(task.run)
                    .expect("known")
                    .fan(task.task)
                    .is_none()
                    && self.parts.policies[self.parts.policy_of[task.task.0 as usize] as usize]
                        .kind
                        .is_work() =>
                {
                    ControlAnswer::FanOut { items: 3, list: Digest([9; 32]) }
                }
                _ => ControlAnswer::Begin,
            };
            let cached = (0..3).filter(|_| self.chance.once_in(3)).collect();
            self.house.answer_cached(task.task.0, answer, cached);
        }
    }

    fn act(&mut self) {
        match self.chance.below(24) {
            0 => {
                let parts = self.chance.grown(&self.parts, 1);
                let graph = self.house.keep(parts.clone());
                self.house.amend(self.house.amendment(self.run, Some(&graph)));
                self.adopt(&graph, parts);
            }
            1 | 2 => self.mark(),
            3 if self.chance.once_in(3) => self.house.stop(self.run, StopCause::Stopped),
            4 => {
                let from = self.chance.once_in(2).then(|| TaskId(self.task()));
                self.house.retry(self.run, from);
            }
            5 => {
                let (task, item) = (self.task(), self.chance.below(2) as u32);
                self.house.retry_items(self.run, task, IdSet::one(item));
            }
            6 => {
                self.epoch += 1;
                self.house.asked.clear();
                self.house.crash(self.epoch);
                self.house.hello("w", 3, Some(Span::secs(60)));
            }
            7..=10 => {
                self.house.now = self.house.now + Span::millis(200 + self.chance.below(3_000));
                self.house.hello("w", 3, Some(Span::secs(60)));
            }
            11 | 12 => self.answer_all(),
            _ => self.end_one(),
        }
        self.house.answers.clear();
        check_shares(&self.house);
        check_reasons(&self.house, self.run);
    }

    /// Everything succeeds from now on: the run ends.
    fn come_to_an_end(&mut self) {
        for _ in 0..400 {
            if self.house.status(self.run).is_final() {
                return;
            }
            self.house.now = self.house.now + Span::secs(1);
            self.house.hello("w", 3, Some(Span::secs(60)));
            while let Some(&(task, ..)) = self.house.asked.first() {
                self.house.answer(task.task.0, ControlAnswer::Begin);
            }
            let granted = self.house.granted();
            self.live.extend(granted);
            for grant in std::mem::take(&mut self.live) {
                self.house.end(&grant, Outcome::Succeeded);
            }
            check_shares(&self.house);
        }
        let run = self.house.engine.state().run(self.run).expect("known");
        let open = run.graph().tasks().flat_map(|task| {
            let key = TaskKey { run: self.run, task };
            (0..run.item_count(task)).map(move |item| key.item(ItemId(item)))
        });
        let open = open.filter_map(|item| {
            let explained = self.house.engine.explain(item)?;
            (!explained.status.is_final()).then_some((item, explained))
        });
        panic!("the run does not end: {:#?}", open.collect::<Vec<_>>());
    }
}

#[test]
fn whatever_is_done_to_it_a_run_keeps_its_invariants_and_ends() {
    let (mut amended, mut marked, mut passed, mut items) = (0, 0, 0, 0);
    let (first, count) = match std::env::var("ENGINE_CHANCE").ok().and_then(|it| it.parse().ok()) {
        Some(seed) => (seed, 1),
        None => (1, 150),
    };
    for seed in first..first + count {
        let mut world = World::new(seed);
        let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            (0..60).for_each(|_| world.act());
            world.come_to_an_end();
        }));
        assert!(failed.is_ok(), "seed {seed}");
        for (.., fact) in &world.house.journal {
            match fact {
                Fact::RunAmended(_) => amended += 1,
                Fact::Marked(_) => marked += 1,
                Fact::DeadlinePassed { .. } => passed += 1,
                Fact::ItemsReopened { .. } => items += 1,
                _ => {}
            }
        }
        assert_ne!(world.house.status(world.run), RunStatus::Running);
    }
    assert!(amended > 50 && marked > 50 && passed > 50 && items > 20, "chance does its work");
}
