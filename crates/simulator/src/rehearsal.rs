//! A rehearsal: a workflow goes through the real engine and planner, and nothing is run.
//!
//! Time is virtual and skips whatever is waited for; attempts end as a test says, on one machine
//! that is never slow and never lies. There is no fault here, no draw and no clock: the same
//! workflow with the same test goes the same way, always.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use engine::{Answer, Effect, Engine, Input, RequestId, Submission};
use model::fact::RunAdmitted;
use model::graph::GraphError;
use model::message::{LeaseId, Order, StopKind};
use model::{Constraints, Digest, Epoch, Graph, ItemId, Outcome, Round, RunId, TaskId, Timestamp};
use spec::cases::{self, Case, End};
use spec::{Compiled, Definition, RunOptions};

mod attempts;
mod control;
mod judge;
mod machine;
mod memory;
mod record;
#[cfg(test)]
mod tests;

pub use judge::{Difference, judge};
pub use record::{Rehearsed, TaskRecord};

use machine::Machine;
use memory::Memory;
use record::{Notes, touched};

/// When every rehearsal begins: 2026-01-01T00:00:00Z.
pub const BEGINS_AT: Timestamp = Timestamp(1_767_225_600_000_000);

/// Inputs that one rehearsal may take. More is a workflow that goes round in circles.
const STEPS_MAX: u64 = 20_000_000;
/// What the only machine is called.
const MACHINE: &str = "machine";

/// Lets a workflow go its way, as far as it goes.
///
/// # Errors
/// The parts make no graph, which a checked workflow never does.
pub fn rehearse(compiled: Compiled, case: &Case) -> Result<Rehearsed, GraphError> {
    let Compiled { mut parts, definition, options } = compiled;
    // One machine cannot have every label at once: it stands for all of them.
    parts.policies.iter_mut().for_each(|policy| policy.constraints = Constraints::default());
    // Nobody looks the graph up by its content here, so any address will do.
    let graph = Arc::new(Graph::new(Digest::default(), parts)?);
    let machine = Machine::new(&case.machine, &graph);
    let is_watched = |task: TaskId| {
        let mut expected = case.expect.tasks.iter();
        let name = definition.task_name(task);
        expected.any(|task| task.value.looks_at_start() && task.is_about(name))
    };
    let mut rehearsal = Rehearsal {
        engine: Engine::new(),
        now: BEGINS_AT,
        run: RunId(1),
        memory: Memory::default(),
        notes: Notes::new(&graph),
        definition: &definition,
        graph: &graph,
        case,
        watched: graph.tasks().map(is_watched).collect(),
        machine,
        due: BTreeMap::new(),
        scheduled: 0,
        steps: 0,
        effects: VecDeque::new(),
    };
    rehearsal.begin(options);
    rehearsal.go_on();
    Ok(rehearsal.into_rehearsed())
}

/// Something that will happen.
enum Due {
    /// An attempt ends.
    Ends(LeaseId),
    /// Somebody says something to a task, in the round in which it waits.
    IsSaid(TaskId, Round, cases::Answer),
}

struct Rehearsal<'c> {
    engine: Engine,
    now: Timestamp,
    run: RunId,
    memory: Memory,
    notes: Notes,
    definition: &'c Definition,
    graph: &'c Arc<Graph>,
    case: &'c Case,
    /// For each task whether the test looks at what is started.
    watched: Vec<bool>,
    machine: Machine,
    /// What will happen, in order; the number tells apart what happens at one time.
    due: BTreeMap<(Timestamp, u64), Due>,
    scheduled: u64,
    steps: u64,
    effects: VecDeque<Effect>,
}

impl Rehearsal<'_> {
    fn begin(&mut self, options: RunOptions) {
        self.step(Input::Lead { epoch: Epoch(1) });
        let hello = self.machine.hello();
        self.step(Input::Worker(hello));
        let run = RunAdmitted {
            run: self.run,
            key: None,
            tenant: "default".into(),
            queue: "default".into(),
            name: options.name.into(),
            identity: Digest::default(),
            content: Digest::default(),
            graph: self.graph.digest(),
            definition: Digest::default(),
            priority: model::policy::Priority::default(),
            failure: options.failure,
            timeout: options.timeout,
            concurrency: options.concurrency,
            cost_limit_micro: options.cost_limit_micro,
            trace: 0,
        };
        let (request, graph) = (RequestId(1), Arc::clone(self.graph));
        self.step(Input::Submit(Box::new(Submission { request, run, graph, done: Vec::new() })));
        self.settle();
    }

    /// From one time at which something happens to the next, until nothing will.
    fn go_on(&mut self) {
        while !self.is_over() && self.steps < STEPS_MAX {
            let due = self.due.first_key_value().map(|(&(at, _), _)| at);
            let deadline = self.engine.next_deadline().filter(|&at| at > self.now);
            let Some(next) = due.into_iter().chain(deadline).min() else { return };
            self.now = self.now.max(next);
            if let Some(beat) = self.machine.beat(self.now) {
                self.step(Input::Worker(beat));
            }
            self.settle();
        }
    }

    fn is_over(&self) -> bool {
        self.engine.state().run(self.run).is_none_or(|run| run.status().is_final())
    }

    /// Everything that happens at this time.
    fn settle(&mut self) {
        loop {
            let mut is_busy = false;
            while let Some(effect) = self.effects.pop_front() {
                self.act(effect);
                is_busy = true;
            }
            while let Some(grant) = self.machine.next() {
                self.start(grant);
                is_busy = true;
            }
            while let Some(due) = self.next_due() {
                match due {
                    Due::Ends(lease) => self.end(lease),
                    Due::IsSaid(task, round, answer) => self.is_said(task, round, &answer),
                }
                is_busy = true;
            }
            self.step(Input::Tick);
            let is_quiet = !is_busy && self.effects.is_empty();
            if is_quiet || self.steps >= STEPS_MAX {
                return;
            }
        }
    }

    /// What happens next, if it happens at this time.
    fn next_due(&mut self) -> Option<Due> {
        let entry = self.due.first_entry()?;
        (entry.key().0 <= self.now).then(|| entry.remove())
    }

    fn act(&mut self, effect: Effect) {
        match effect {
            Effect::Ask { task, round, turn } => self.answer(task.task, round, turn),
            Effect::Send { message, .. } => match message.order {
                Order::Assign(grants) => self.machine.take(grants),
                Order::Stop { leases, how } => self.stop(&leases, how),
                Order::Welcome { .. } | Order::Acknowledge { .. } | Order::Renew { .. } => {}
            },
            Effect::Reply { answer: Answer::Admitted { run, .. }, .. } => self.run = run,
            Effect::Reply { .. } | Effect::Refused { .. } => {}
        }
    }

    /// One step of the engine, and a look at what it may have changed.
    fn step(&mut self, input: Input) {
        self.steps += 1;
        let step = self.engine.step(self.now, input);
        self.effects.extend(step.effects);
        let mut tasks: Vec<TaskId> =
            step.facts.iter().flat_map(|fact| touched(fact, self.graph)).collect();
        tasks.sort_unstable();
        tasks.dedup();
        for task in tasks {
            let Some(run) = self.engine.state().run(self.run) else { return };
            self.notes.look(run, task, self.steps);
            self.see_who_waits(task);
        }
    }

    fn schedule(&mut self, at: Timestamp, due: Due) {
        self.scheduled += 1;
        self.due.insert((at, self.scheduled), due);
    }

    fn stop(&mut self, leases: &[LeaseId], how: StopKind) {
        for &lease in leases {
            match how {
                StopKind::Retract => self.give_back(lease),
                StopKind::Revoke => drop(self.machine.let_go(lease)),
                StopKind::Cancel => self.cut_short(lease, Outcome::Cancelled),
                StopKind::TimeOut => self.cut_short(lease, Outcome::TimedOut),
                StopKind::Terminate => self.cut_short(lease, Outcome::Terminated),
            }
        }
    }

    fn into_rehearsed(mut self) -> Rehearsed {
        let stuck = self.why_stuck();
        let run = self.engine.state().run(self.run).expect("it was admitted and never forgotten");
        let ended_at = run.ended_at().unwrap_or(self.now);
        let mut tasks = Vec::with_capacity(self.graph.len());
        for task in self.graph.tasks() {
            let mut note = self.notes.take(task);
            if let model::control::Kind::Loop { .. } = run.policy(task).kind {
                note.rounds = u64::from(run.turn(task));
            }
            let status = run.task(task).status();
            let trouble = run.task(task).trouble().and_then(record::words);
            let trouble = note.trouble.or(trouble).filter(|_| status.is_unsuccessful());
            let outputs = (0..run.item_count(task)).map(|it| self.memory.outputs(task, ItemId(it)));
            tasks.push(TaskRecord {
                name: self.definition.task_name(task).to_owned(),
                status,
                attempts: note.attempts,
                rounds: note.rounds,
                items: run.fan(task).map(|fan| fan.items().len() as u64),
                began: note.began,
                ended: note.ended,
                outputs: outputs.collect(),
                started: note.started,
                trouble,
            });
        }
        let duration = ended_at.since(run.admitted_at());
        Rehearsed { status: run.status(), duration, stuck, tasks }
    }

    /// Why the run did not end; nothing if it did.
    fn why_stuck(&self) -> Option<String> {
        if self.is_over() {
            return None;
        }
        if self.steps >= STEPS_MAX {
            return Some(format!("it did not end within {STEPS_MAX} steps"));
        }
        let run = self.engine.state().run(self.run)?;
        let waits = |task: &TaskId| run.wait(*task).is_some();
        if let Some(task) = self.graph.tasks().find(waits) {
            let name = self.definition.task_name(task);
            return Some(format!(
                "`{name}` waits, and nobody answers: write an entry in `answers`"
            ));
        }
        if let Some(running) = self.machine.running().find(|it| it.end == End::Hangs) {
            let name = self.definition.task_name(running.grant.attempt.key.task);
            return Some(format!("`{name}` hangs and has no `timeout`"));
        }
        Some("nothing is left that could happen".to_owned())
    }
}
