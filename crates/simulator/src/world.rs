//! The world: one thread, one seed, one heap of events, and everything that they happen to.
//!
//! It runs a plan to its end and says what was seen. It never reads a clock and is a function of
//! the plan and the mutant alone.

use engine::{Engine, Input};
use model::hash::mix;
use model::message::News;
use model::shared::Breaker;
use model::{Fact, RunId, Span, TaskId, Timestamp};

use crate::clients::Clients;
use crate::coordinator::{Coordinator, TurnEnd};
use crate::event::{Event, Wish};
use crate::invariants::{
    Violation, l01_runs_end, l02_no_idle_wait, l04_leases_return, l07_nobody_starves, s06_replay,
    s14_limits, s15_goes_on, s23_locks, s25_deadlines, s38_alternatives,
};
use crate::mark::{Mark, Marks};
use crate::mutant::Mutant;
use crate::node::Node;
use crate::plan::{EPOCH, Fault, FaultKind, Plan, Tail};
use crate::records::{Records, Store};
use crate::stage::{Stage, Way};
use crate::workload::{self, Behaviour};

/// How long an attempt takes whose dependency is down.
const OUTAGE_WALL: Span = Span::millis(20);

/// How often the costly invariants are looked at.
const INSPECTION: Span = Span::secs(60);
/// Ended runs stay for this long before the archive has them.
const ARCHIVED_AFTER: usize = 20;

/// What a simulation came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The first invariant that did not hold.
    pub violation: Option<Violation>,
    /// What was reached.
    pub marks: Marks,
    /// Inputs that engines took.
    pub inputs: u64,
    /// Items that ended for good.
    pub items: u64,
    /// Things that broke.
    pub faults: u64,
    /// Virtual time that passed.
    pub length: Span,
    /// A hash over everything that was recorded: equal for equal plans.
    pub hash: u64,
}

/// Everything.
#[derive(Debug)]
pub struct World {
    plan: Plan,
    stage: Stage,
    store: Store,
    records: Records,
    clients: Clients,
    nodes: Vec<Node>,
    /// Who leads, or is about to find out that it does not.
    leader: Option<Coordinator>,
    /// One that sleeps.
    sleeper: Option<Coordinator>,
    /// What the last coordinator that died knew.
    former: Option<Engine>,
    lives: u64,
    inputs: u64,
    faults: u64,
    healed: bool,
    neglected: Option<(RunId, TaskId, Timestamp)>,
    starving: l07_nobody_starves::Watch,
}

/// Runs a plan to its end.
#[must_use]
pub fn run(plan: &Plan, mutant: Option<Mutant>, trace: bool) -> Outcome {
    let mut world = World::new(plan.clone(), mutant);
    world.stage.trace = trace;
    world.run()
}

impl World {
    fn new(plan: Plan, mutant: Option<Mutant>) -> Self {
        let local: Vec<bool> = plan.nodes.iter().map(|node| node.local).collect();
        let mut stage = Stage::new(plan.seed, plan.net, &local);
        stage.mutant = mutant;
        stage.rules = workload::queues::rules(&plan, mutant);
        stage.truth.awake_since = vec![None; plan.nodes.len()];
        stage.truth.instances = vec![Vec::new(); plan.nodes.len()];
        let mut store = Store::new(&plan, mutant);
        let mut records = Records::new(&plan, &mut store, mutant);
        records.ledger.has_queues = workload::queues::are_set(&plan);
        records.ledger.lane.is_kept = workload::queues::is_kept(&plan);
        let nodes = (0..).zip(&plan.nodes).map(|(index, node)| Node::new(index, *node)).collect();
        Self {
            plan,
            stage,
            store,
            records,
            clients: Clients::default(),
            nodes,
            leader: None,
            sleeper: None,
            former: None,
            lives: 0,
            inputs: 0,
            faults: 0,
            healed: false,
            neglected: None,
            starving: l07_nobody_starves::Watch::default(),
        }
    }

    fn run(mut self) -> Outcome {
        self.stage.queue.push(EPOCH, Event::CoordinatorStart { host: 0 });
        for node in 0..u32::try_from(self.nodes.len()).expect("few nodes") {
            self.stage.queue.push(EPOCH, Event::NodeUp { node });
        }
        for (index, fault) in self.plan.faults.iter().enumerate() {
            self.stage.queue.push(EPOCH + fault.at, Event::Fault { index });
        }
        self.stage.queue.push(self.plan.heals_at(), Event::Heal);
        self.stage.queue.push(EPOCH + INSPECTION, Event::Inspect);
        self.clients.start(&mut self.stage, &self.plan);
        let deadline = self.plan.heals_at() + l01_runs_end::bound(&self.plan);
        while self.stage.violation.is_none() {
            let Some((at, event)) = self.stage.queue.pop() else { break };
            debug_assert!(at >= self.stage.now, "time goes back");
            self.stage.now = at;
            self.happen(event);
            if at > deadline {
                let late = l01_runs_end::check(&self.records.ledger, deadline);
                let restless = Err("clients or workers do not come to rest".to_owned());
                self.stage.judge("L1", late.and(restless));
            }
            if self.healed && self.is_done() {
                break;
            }
        }
        self.finish()
    }

    fn finish(mut self) -> Outcome {
        if self.stage.violation.is_none() {
            let ended = l01_runs_end::check(&self.records.ledger, self.stage.now);
            self.stage.judge("L4", ended);
            self.inspect();
        }
        let engines = [&self.leader, &self.sleeper].into_iter().flatten();
        let inputs = self.inputs + engines.map(|coordinator| coordinator.inputs).sum::<u64>();
        let events = self.stage.queue.planned();
        Outcome {
            hash: mix(self.records.ledger.hash ^ mix(events) ^ mix(inputs).rotate_left(7)),
            violation: self.stage.violation,
            marks: self.stage.marks,
            inputs,
            items: self.records.items_ended,
            faults: self.faults,
            length: self.stage.now.since(EPOCH),
        }
    }

    /// Whether nothing is left to do anywhere.
    fn is_done(&self) -> bool {
        self.stage.wishes == 0
            && self.records.ledger.live == 0
            && self.leader.is_some()
            && self.records.ended.len() == self.records.ledger.runs.len()
            && self.nodes.iter().all(Node::is_idle)
    }

    /// What keeps the world going, in one line.
    fn summary(&self) -> String {
        let runs = &self.records.ledger.runs;
        let open: Vec<_> = runs.iter().filter(|(_, run)| !run.status.is_final()).take(3).collect();
        let open = open
            .iter()
            .map(|(id, run)| format!("{id}: {} {:?} {}", run.status, run.cause, run.live));
        format!(
            "{} wishes, {} leases, led: {}, {} of {} runs ended, busy nodes: {:?}, open: {:?}",
            self.stage.wishes,
            self.records.ledger.live,
            self.leader.is_some(),
            self.records.ended.len(),
            runs.len(),
            self.nodes.iter().filter(|node| !node.is_idle()).count(),
            open.collect::<Vec<_>>(),
        )
    }

    fn happen(&mut self, event: Event) {
        let stage = &mut self.stage;
        match event {
            Event::NodeTurn { node, instance } => {
                let (records, plan, now) = (&self.records, &self.plan, stage.now);
                let granted = std::cell::RefCell::new(Ok(()));
                let script = |grant: &model::message::Grant| {
                    let run = grant.attempt.key.run;
                    let known = records.work(run).zip(records.ledger.run(run));
                    let (work, run) = known.expect("a grant is of a durable run");
                    let memory = grant.request.memory_bytes;
                    let calm = workload::behaviour(&work.plan, &run.graph, grant.attempt, memory);
                    let told = s38_alternatives::granted(&run.graph, grant);
                    if told.is_err() {
                        *granted.borrow_mut() = told;
                    }
                    let policy = run.graph.policy(grant.attempt.key.task);
                    let breakers = &policy.shared_of(grant.variant).breakers;
                    let down = |it: &Breaker| workload::calls::is_down(plan, &it.name, now);
                    if !breakers.iter().any(down) {
                        return calm;
                    }
                    let failure = Some(workload::calls::down_failure(grant.attempt));
                    Behaviour { wall: Some(OUTAGE_WALL), failure, writes: false, ..calm }
                };
                let before = stage.truth.started;
                self.nodes[node as usize].turn(stage, instance, &script);
                stage.judge("S38", granted.into_inner());
                if stage.truth.started != before {
                    let held = s23_locks::really(&self.records.ledger, &stage.truth, stage.now);
                    stage.judge("S23", held);
                }
            }
            Event::ToNode { node, bytes } => self.nodes[node as usize].receive(stage, &bytes),
            Event::Process { node, instance, lease, serial, ended } => {
                self.nodes[node as usize].process(stage, lease, (instance, serial, ended));
            }
            Event::Saves { node, instance, lease, serial } => {
                self.nodes[node as usize].saves(stage, lease, (instance, serial));
            }
            Event::NodeUp { node } => {
                let is_orphan = self.nodes[node as usize].is_local() && self.leader.is_none();
                if !is_orphan {
                    self.nodes[node as usize].start(stage);
                }
            }
            Event::NodeWake { node } => self.nodes[node as usize].wake(stage),
            Event::ToCoordinator { bytes } => self.hear(&bytes),
            Event::CoordinatorTurn { life } => {
                self.with(life, |leader, stage, store, _| leader.turn(stage, store))
            }
            Event::Committed { life } => self.with(life, Coordinator::committed),
            Event::Evaluated { life, answered } => self.evaluated(life, *answered),
            Event::CoordinatorStart { host } => self.lead(host),
            Event::CoordinatorWake { life } => self.wake(life),
            Event::Fault { index } => self.break_something(self.plan.faults[index]),
            Event::DiskFree => self.store.journal.plan_mut().is_full = false,
            Event::Heal => self.heal(),
            Event::Ask { wish } => self.ask(wish),
            Event::Unanswered { request } => self.clients.give_up(stage, &self.records, request),
            Event::Inspect => {
                self.stage.tell(|| self.summary());
                self.inspect();
                self.forget_old();
                self.stage.after(INSPECTION, Event::Inspect);
            }
        }
    }

    /// Whoever would be connected to: the leader, or the one that sleeps in its place.
    fn reachable(&mut self) -> Option<&mut Coordinator> {
        self.leader.as_mut().or(self.sleeper.as_mut())
    }

    fn hear(&mut self, bytes: &[u8]) {
        let mut message = match protocol::message::decode_from_worker(bytes) {
            Ok(message) => message,
            Err(error) => {
                let what = format!("a worker's message is unreadable: {error}");
                return self.stage.judge("S5", Err(what));
            }
        };
        if let (News::Reports { reports, .. }, true) =
            (&mut message.news, self.stage.has(Mutant::NoTokenFence))
        {
            for report in reports {
                if let Some(item) = self.records.ledger.item(report.lease.item) {
                    report.lease.token = item.token;
                }
            }
        }
        let stage = &mut self.stage;
        if let Some(leader) = self.leader.as_mut().or(self.sleeper.as_mut()) {
            leader.hand_in(stage, Input::Worker(message));
        }
    }

    /// An answer reaches the coordinator that asked, if that one is still there.
    fn evaluated(&mut self, life: u64, answered: engine::Answered) {
        let outlives = self.stage.has(Mutant::AnswersOutliveLeader);
        let mut found = [&mut self.leader, &mut self.sleeper].into_iter().flatten();
        let asker = found.find(|known| known.life == life || outlives);
        match asker {
            Some(asker) => asker.hand_in(&mut self.stage, Input::Answered(Box::new(answered))),
            None if outlives => {
                let again = Event::Evaluated { life, answered: Box::new(answered) };
                self.stage.after(Span::millis(50), again);
            }
            None => self.stage.hit(Mark::AnswerDied),
        }
    }

    fn ask(&mut self, wish: Wish) {
        let is_led = self.reachable().is_some();
        let context = (&mut self.records, &mut self.store);
        let input = self.clients.ask(&mut self.stage, context, wish, is_led);
        let stage = &mut self.stage;
        if let (Some(input), Some(leader)) = (input, self.leader.as_mut().or(self.sleeper.as_mut()))
        {
            leader.hand_in(stage, input);
        }
    }

    /// Lets a coordinator do something, and sees what becomes of it.
    fn with(
        &mut self,
        life: u64,
        what: impl FnOnce(&mut Coordinator, &mut Stage, &mut Store, &mut Records) -> TurnEnd,
    ) {
        let found = [&mut self.leader, &mut self.sleeper].into_iter();
        let Some(slot) =
            found.into_iter().find(|slot| slot.as_ref().is_some_and(|found| found.life == life))
        else {
            return;
        };
        let coordinator = slot.as_mut().expect("it was just found");
        let end = what(coordinator, &mut self.stage, &mut self.store, &mut self.records);
        let answers = coordinator.take_answers();
        let gone = if end == TurnEnd::Alive { None } else { slot.take() };
        for answer in answers {
            self.clients.answered(&mut self.stage, (&mut self.records, &self.store), answer);
        }
        if let Some(gone) = gone {
            self.bury(gone, end);
        }
    }

    /// A coordinator is gone.
    fn bury(&mut self, gone: Coordinator, end: TurnEnd) {
        self.stage.tell(|| format!("host {} is gone: {end:?}", gone.host));
        self.inputs += gone.inputs;
        let (doom, host) = (gone.doom, gone.host);
        if end == TurnEnd::Deposed {
            if self.leader.is_none() && self.sleeper.is_none() {
                self.stage.after(Span::secs(1), Event::CoordinatorStart { host });
            }
            return;
        }
        self.former = Some(gone.into_engine());
        let tail = doom.map_or(Tail::Kept, |(_, tail)| tail);
        self.stop_machine(tail);
        let down = self.stage.draw_span(100_000, 70_000_000);
        let down = if self.healed { Span::millis(100) } else { down };
        self.stage.after(down, Event::CoordinatorStart { host });
    }

    /// The coordinator's machine loses its power, and with it what was not synced.
    fn stop_machine(&mut self, tail: Tail) {
        match tail {
            Tail::Kept => {}
            Tail::Lost => self.stage.hit(Mark::TailLost),
            Tail::Torn => self.stage.hit(Mark::TailTorn),
        }
        self.store.journal.plan_mut().tail = tail;
        self.store.journal.crash(journal::memory::Crash::Power);
        for node in self.nodes.iter_mut().filter(|node| node.is_local()) {
            node.crash(&mut self.stage);
        }
    }

    fn lead(&mut self, host: u32) {
        if self.leader.is_some() {
            return;
        }
        self.lives += 1;
        let recovered = Coordinator::recover(
            &mut self.stage,
            (&mut self.store, &mut self.records),
            (self.lives, host),
            self.former.take(),
        );
        match recovered {
            Ok(leader) => self.leader = Some(leader),
            Err(reason) => {
                self.stage.tell(|| format!("host {host} cannot lead: {reason}"));
                return self.stage.after(Span::secs(1), Event::CoordinatorStart { host });
            }
        }
        for node in self.nodes.iter_mut().filter(|node| node.is_local()) {
            node.start(&mut self.stage);
        }
        if self.stage.has(Mutant::StateOutsideApply) && self.lives > 1 {
            self.corrupt();
        }
    }

    /// Marks an attempt as started in the live state alone.
    fn corrupt(&mut self) {
        let leased = |run: &crate::ledger::Run| {
            let waits = |task: &TaskId| run.task(*task).end.is_none() && !run.task(*task).begun;
            run.graph.tasks().find(waits)
        };
        let found = self.records.ledger.runs.iter().find_map(|(&id, run)| {
            (!run.status.is_final()).then(|| leased(run)).flatten().map(|task| (id, task))
        });
        if let (Some((run, task)), Some(leader)) = (found, &mut self.leader) {
            let tasks = model::IdSet::one(task.0);
            leader.corrupt(&Fact::TasksSkipped { run, tasks }, &self.store);
        }
    }

    fn wake(&mut self, life: u64) {
        let Some(mut woken) = self.sleeper.take_if(|sleeper| sleeper.life == life) else { return };
        woken.wake(&mut self.stage);
        if self.leader.is_none() {
            self.leader = Some(woken);
        } else {
            self.sleeper = Some(woken);
        }
    }

    fn break_something(&mut self, fault: Fault) {
        if self.healed {
            return;
        }
        self.faults += 1;
        let left = self.plan.heals_at().since(self.stage.now);
        let length = Span(fault.length.0.min(left.0).max(1));
        let stage = &mut self.stage;
        stage.tell(|| format!("fault: {:?} for {length}", fault.kind));
        match fault.kind {
            FaultKind::NodeCrash { node } => {
                self.nodes[node as usize].crash(stage);
                // Longer than any message may still be under way.
                let down = Span(length.0.max(1_000_000));
                stage.after(down, Event::NodeUp { node });
            }
            FaultKind::NodeGone { node } => self.nodes[node as usize].lose(stage),
            FaultKind::NodePause { node } => self.nodes[node as usize].sleep(stage, length),
            FaultKind::NodeSlow { node } => self.nodes[node as usize].slow(stage.now + length),
            FaultKind::CutTo { node } => stage.cut(node, Way::To, length),
            FaultKind::CutFrom { node } => stage.cut(node, Way::From, length),
            FaultKind::CoordinatorCrash { boundary, tail } => {
                if let Some(leader) = &mut self.leader {
                    leader.doom = Some((boundary, tail));
                }
            }
            FaultKind::Takeover => self.begin_takeover(length),
            FaultKind::SyncError => {
                self.store.journal.plan_mut().next = Some(journal::memory::Fault::SyncFailed);
            }
            FaultKind::DiskFull => {
                self.store.journal.plan_mut().is_full = true;
                stage.after(length, Event::DiskFree);
            }
        }
    }

    fn begin_takeover(&mut self, length: Span) {
        if self.sleeper.is_some() {
            return;
        }
        let Some(mut sleeper) = self.leader.take() else { return };
        sleeper.asleep = true;
        let (life, host) = (sleeper.life, sleeper.host);
        self.sleeper = Some(sleeper);
        self.stage.after(length, Event::CoordinatorWake { life });
        self.stage.after(Span::secs(1), Event::CoordinatorStart { host: host + 1 });
    }

    /// From now on nothing breaks, and what is broken comes back.
    fn heal(&mut self) {
        self.healed = true;
        self.stage.heal_net();
        self.store.journal.plan_mut().heal();
        if let Some(leader) = &mut self.leader {
            leader.doom = None;
        }
    }

    fn inspect(&mut self) {
        let Some(leader) = &self.leader else { return };
        let engine = leader.engine();
        if let Err(violation) = engine.check() {
            let what = format!("{violation:?}");
            self.stage.judge("S10", Err(what));
        }
        self.stage.judge("S6", s06_replay::snapshot(engine, &self.store.graphs));
        let forgets = self.stage.has(Mutant::PastWithoutWorkers);
        let is_told = |fact: &Fact| !(forgets && matches!(fact, Fact::WorkerJoined(_)));
        let asked = s06_replay::supposed(engine, &self.store.graphs, is_told);
        if asked.as_ref().is_ok_and(|&reasons| reasons > 0) {
            self.stage.hit(Mark::ExplainedThen);
        }
        self.stage.judge("S6", asked.map(drop));
        let dead =
            l04_leases_return::check(&self.records.ledger, &self.stage.truth, self.stage.now);
        self.stage.judge("L4", dead);
        self.stage.judge("S14", s14_limits::leases(&self.records.ledger));
        let late =
            s25_deadlines::neglected(&self.records.ledger, &self.stage.truth, self.stage.now);
        self.stage.judge("S25", late);
        let goes_on = s15_goes_on::check(&self.records.ledger, &self.stage.truth, engine);
        self.stage.judge("S15", goes_on);
        self.look_for_neglect();
        if let Some(what) = self.starving.look(&self.plan, &self.records, self.stage.now) {
            self.stage.judge("L7", Err(what));
        }
    }

    /// L2 and L6, in quiet times only.
    fn look_for_neglect(&mut self) {
        let quiet = self.plan.faults.is_empty() && self.plan.net.loss == 0;
        let since_healing = self.stage.now.since(self.plan.heals_at());
        if !quiet && since_healing < Span::secs(300) {
            return;
        }
        let found = l02_no_idle_wait::neglected(&self.records.ledger, self.stage.now);
        match (found, self.neglected) {
            (Some((run, task)), Some((old_run, old_task, since)))
                if (run, task) == (old_run, old_task) =>
            {
                let waited = self.stage.now.since(since);
                if waited > l02_no_idle_wait::PATIENCE {
                    let id = l02_no_idle_wait::id(&self.records.ledger, (run, task));
                    self.stage.judge(id, Err(l02_no_idle_wait::complaint((run, task))));
                }
            }
            (Some((run, task)), _) => self.neglected = Some((run, task, self.stage.now)),
            (None, _) => self.neglected = None,
        }
    }

    /// The archive takes the oldest ended runs.
    fn forget_old(&mut self) {
        let count = self.records.ended.len().saturating_sub(ARCHIVED_AFTER);
        let old: Vec<_> = self.records.ended.iter().copied().take(count).collect();
        let stage = &mut self.stage;
        if let Some(leader) = &mut self.leader {
            old.into_iter().for_each(|run| leader.hand_in(stage, Input::Forget { run }));
        }
    }
}
