//! Control flow, drawn over a plain graph: conditions, joins, questions, decisions, loops, waits,
//! and what is undone or done last.
//!
//! It draws only what a workflow file can say: a body stands before its loop and is left through it
//! alone, what undoes goes against the order of what is undone. It reads the plan and nothing else.

use model::control::{EdgeCondition, Join, Kind, Verdict};
use model::graph::GraphParts;
use model::policy::{FailurePolicy, Policy, Priority, Trigger};
use model::{Span, TaskId};

use super::{HEAVY, LIGHT, LIMITED, Parts, WAIT_MAX, shared};
use crate::plan::RunPlan;
use crate::plan::features::Feature;
use crate::random::Random;

/// Tasks that are undone, at most: each costs a walk through the graph.
const UNDONE_MAX: usize = 8;

/// How urgent a task is: most are as usual or less, so that what is urgent waits for them.
fn urgency(run: &RunPlan, task: u32) -> Priority {
    let random = &mut Random::stream(run.seed ^ u64::from(task), "urgency");
    Priority(*random.pick(&[5, 5, 30, 50, 50, 70, 95]))
}

/// A task of the plain graph, or the body and the loop that stand in its place.
struct Cell {
    entries: Vec<u32>,
    exit: u32,
}

/// The graph as it grows.
struct Grown<'a> {
    run: &'a RunPlan,
    random: Random,
    /// What is shared is drawn apart, so that it leaves the rest of a graph alone.
    scarce: Random,
    parts: GraphParts,
}

/// The graph of a run that uses features of the language.
pub(super) fn grow(run: &RunPlan, plain: Parts, policies: Vec<Policy>) -> GraphParts {
    let (tasks, edges, fan_outs) = plain;
    let mut grown = Grown {
        run,
        random: Random::stream(run.seed, "flow"),
        scarce: Random::stream(run.seed, "scarce"),
        parts: GraphParts { policies, ..GraphParts::default() },
    };
    let cells: Vec<Cell> = (0..tasks)
        .map(|task| {
            let fan = fan_outs.iter().find(|fan| fan.0 == task).map(|fan| fan.1);
            if fan.is_none() && grown.draws(Feature::Loops, 200) {
                grown.body(0)
            } else {
                grown.task(fan)
            }
        })
        .collect();
    for (from, to) in edges {
        for &entry in &cells[to as usize].entries {
            grown.edge(cells[from as usize].exit, entry);
        }
    }
    grown.undoing();
    grown.last();
    grown.parts
}

impl Grown<'_> {
    /// Whether a feature is used here: the run has it, and the two draws say so.
    fn draws(&mut self, feature: Feature, share: u32) -> bool {
        let (selected, drawn) =
            (self.random.per_mille(self.run.flow), self.random.per_mille(share));
        selected && drawn && self.run.features.has(feature)
    }

    fn push(&mut self, policy: Policy) -> u32 {
        let id = self.next();
        self.parts.policy_of.push(u32::try_from(self.parts.policies.len()).expect("few policies"));
        self.parts.policies.push(policy);
        id
    }

    fn next(&self) -> u32 {
        u32::try_from(self.parts.policy_of.len()).expect("few tasks")
    }

    fn is_decision(&self, task: u32) -> bool {
        let policy = self.parts.policy_of[task as usize] as usize;
        self.parts.policies[policy].kind == Kind::Decision
    }

    /// A task, with features or plain.
    fn task(&mut self, fan: Option<u32>) -> Cell {
        let base = *self.random.pick(&[LIGHT, HEAVY, LIMITED]);
        let plain = self.parts.policies[base as usize].clone();
        let policy = self.featured(plain.clone(), fan.is_some());
        let id = if policy == plain {
            self.parts.policy_of.push(base);
            self.next() - 1
        } else {
            self.push(policy)
        };
        let is_empty = Random::stream(self.run.seed, "no items").per_mille(60);
        self.parts.fan_outs.extend(fan.map(|items| (id, if is_empty { 0 } else { items })));
        Cell { entries: vec![id], exit: id }
    }

    fn featured(&mut self, mut policy: Policy, is_fan: bool) -> Policy {
        if !is_fan {
            policy.kind = self.kind();
        }
        if policy.kind != Kind::Work {
            policy.timeout = None;
        }
        if self.draws(Feature::Joins, 700) {
            policy.join = match self.random.below(4) {
                0 | 1 => Join::Any,
                2 => Join::AtLeast(self.random.small(1, 3)),
                _ => Join::AllDone,
            };
        }
        policy.asks = self.draws(Feature::Asks, 700) && !policy.kind.always_asks();
        if self.draws(Feature::Failures, 700) {
            let fail_fast = self.random.per_mille(300);
            policy.failure =
                Some(if fail_fast { FailurePolicy::FailFast } else { FailurePolicy::Continue });
        }
        if self.draws(Feature::Limits, if is_fan { 1_000 } else { 300 }) {
            policy.concurrency = Some(self.random.small(1, 4));
        }
        if self.run.features.has(Feature::Urgency) {
            policy.priority = urgency(self.run, self.next());
        }
        let is_work = policy.kind == Kind::Work;
        shared::share(self.run, &mut self.scarce, &mut policy, is_work);
        policy
    }

    fn kind(&mut self) -> Kind {
        if self.draws(Feature::Decisions, 400) {
            return Kind::Decision;
        }
        if self.draws(Feature::Timers, 400) {
            return Kind::Timer { wait: Span(self.random.spread(1_000, WAIT_MAX.0)) };
        }
        if self.draws(Feature::Signals, 400) {
            let timeout =
                self.random.per_mille(700).then(|| Span(self.random.spread(1_000, WAIT_MAX.0)));
            let otherwise =
                *self.random.pick(&[Verdict::Approved, Verdict::Rejected, Verdict::Expired]);
            return Kind::Signal { timeout, otherwise };
        }
        Kind::Work
    }

    /// A body with the loop that ends it; now and then a member is a body itself.
    fn body(&mut self, depth: u32) -> Cell {
        let first = TaskId(self.next());
        let mut members: Vec<Cell> = Vec::new();
        let (mut entries, mut direct) = (Vec::new(), Vec::new());
        for index in 0..self.random.small(1, 4) {
            let is_body = depth == 0 && self.random.per_mille(100);
            let member = if is_body { self.body(depth + 1) } else { self.task(None) };
            direct.push(member.exit);
            if index > 0 && self.random.per_mille(700) {
                let from = self.random.pick(&members).exit;
                member.entries.iter().for_each(|&entry| self.edge(from, entry));
            } else {
                entries.extend(&member.entries);
            }
            members.push(member);
        }
        let turns_max = u16::try_from(self.random.small(1, 4)).expect("at most four");
        let policy = Policy {
            kind: Kind::Loop { first, turns_max },
            join: Join::AllDone,
            ..self.parts.policies[LIGHT as usize].clone()
        };
        let exit = self.push(policy);
        direct.into_iter().for_each(|from| self.parts.edges.push((from, exit)));
        self.parts.conditions.resize(self.parts.edges.len(), EdgeCondition::Succeeded);
        Cell { entries, exit }
    }

    fn edge(&mut self, from: u32, to: u32) {
        let condition = if self.is_decision(from) && self.random.per_mille(700) {
            EdgeCondition::Route(u16::try_from(self.random.below(4)).expect("below four"))
        } else if self.draws(Feature::Conditions, 1_000) {
            *self.random.pick(&[
                EdgeCondition::Failed,
                EdgeCondition::Finished,
                EdgeCondition::Finished,
                EdgeCondition::Skipped,
            ])
        } else {
            EdgeCondition::Succeeded
        };
        self.parts.edges.push((from, to));
        self.parts.conditions.push(condition);
    }

    /// Some tasks are undone when the run fails, each after all that rests on it.
    fn undoing(&mut self) {
        let tasks = self.next();
        let chosen: Vec<u32> = (0..tasks)
            .filter(|_| self.draws(Feature::Compensation, 600))
            .take(UNDONE_MAX)
            .collect();
        let is_loop = |grown: &Self, task: u32| {
            let policy = grown.parts.policy_of[task as usize] as usize;
            matches!(grown.parts.policies[policy].kind, Kind::Loop { .. })
        };
        let chosen: Vec<u32> = chosen.into_iter().filter(|&task| !is_loop(self, task)).collect();
        let undoing: Vec<u32> = chosen
            .iter()
            .map(|&of| {
                let trigger = Trigger::Compensation { of: TaskId(of) };
                let light = self.parts.policies[LIGHT as usize].clone();
                self.push(Policy { trigger, join: Join::AllDone, ..light })
            })
            .collect();
        for (&of, &undoes) in chosen.iter().zip(&undoing) {
            let reached = self.reached_from(of);
            for (&later, &first) in chosen.iter().zip(&undoing) {
                if reached[later as usize] {
                    self.parts.edges.push((first, undoes));
                    self.parts.conditions.push(EdgeCondition::Succeeded);
                }
            }
        }
    }

    /// For each task whether it rests on this one, itself left out.
    fn reached_from(&self, task: u32) -> Vec<bool> {
        let mut reached = vec![false; self.parts.policy_of.len()];
        let mut stack = vec![task];
        while let Some(from) = stack.pop() {
            for &(_, to) in self.parts.edges.iter().filter(|edge| edge.0 == from) {
                if !std::mem::replace(&mut reached[to as usize], true) {
                    stack.push(to);
                }
            }
        }
        reached
    }

    /// Up to three tasks, or bodies, come last of all; each may rest on the one before.
    fn last(&mut self) {
        if !self.run.features.has(Feature::Finally) {
            return;
        }
        let mut before: Option<u32> = None;
        for _ in 0..self.random.small(1, 3) {
            let first = self.next();
            let cell = if self.draws(Feature::Loops, 400) { self.body(1) } else { self.task(None) };
            (first..self.next()).for_each(|task| self.put_last(task));
            if let Some(from) = before.filter(|_| self.random.per_mille(500)) {
                cell.entries.iter().for_each(|&entry| self.edge(from, entry));
            }
            before = Some(cell.exit);
        }
    }

    fn put_last(&mut self, task: u32) {
        let index = u32::try_from(self.parts.policies.len()).expect("few policies");
        let old = std::mem::replace(&mut self.parts.policy_of[task as usize], index);
        let policy = self.parts.policies[old as usize].clone();
        self.parts.policies.push(Policy { trigger: Trigger::Finally, ..policy });
    }
}
