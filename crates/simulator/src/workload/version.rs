//! Other versions of a run's graph: with the tasks that an attempt wrote, or as a person edits it.
//!
//! A few are flawed on purpose, and must be refused. What is drawn follows from the graph and the
//! numbers given alone, so that whoever makes a version again makes the same.

use model::control::{EdgeCondition, Join, Kind};
use model::graph::GraphParts;
use model::policy::{Policy, Priority, Trigger};
use model::{Digest, Graph, ItemId, Span, TaskId};

use super::gangs;
use crate::plan::RunPlan;
use crate::plan::features::Feature;
use crate::random::Random;

/// Attempts of tasks from this one on write nothing: no run grows for ever.
const WRITERS_MAX: u32 = 3_000;
/// Only the first items of a fan-out write tasks.
const WRITING_ITEMS_MAX: u32 = 3;
/// How often people edit a run, at most.
pub const EDITS_MAX: u32 = 3;

/// What an attempt writes beside its outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    seed: u64,
    tasks: u32,
    flaw: Flaw,
}

/// What is wrong with a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    /// It cannot be read.
    Unreadable,
    /// An edge among old tasks is gone.
    DropsEdge,
    /// An old task is something else.
    OtherKind,
    /// An old task that may have begun depends on a new one.
    IntoAny,
    /// The newest task is gone.
    Shrinks,
}

impl Flaw {
    fn draw(random: &mut Random, share: u32) -> Self {
        if !random.per_mille(share) {
            return Self::None;
        }
        *random.pick(&[
            Self::Unreadable,
            Self::DropsEdge,
            Self::OtherKind,
            Self::IntoAny,
            Self::Shrinks,
        ])
    }
}

/// What the attempts of an item write, if they write anything.
#[must_use]
pub fn fragment(run: &RunPlan, graph: &Graph, task: TaskId, item: ItemId) -> Option<Fragment> {
    let policy = graph.policy(task);
    let may = run.features.has(Feature::Generation)
        && policy.kind == Kind::Work
        && !policy.gang
        && policy.trigger == Trigger::Dependencies
        && (task.0 < WRITERS_MAX && item.0 < WRITING_ITEMS_MAX);
    if !may {
        return None;
    }
    let place = u64::from(task.0) << 32 | u64::from(item.0);
    let mut draw = Random::stream(model::hash::mix(run.seed) ^ model::hash::mix(place), "fragment");
    let writes = draw.per_mille(run.flow.min(250));
    let (seed, tasks) = (draw.next(), draw.small(1, 4));
    writes.then(|| Fragment { seed, tasks, flaw: Flaw::draw(&mut draw, 100) })
}

/// The graph with what an attempt of `writer` wrote, known as `digest`; nothing if it cannot be
/// made.
#[must_use]
pub fn extended(
    graph: &Graph,
    writer: TaskId,
    fragment: Fragment,
    digest: Digest,
) -> Option<Graph> {
    if fragment.flaw == Flaw::Unreadable || in_body(graph, writer) {
        return None;
    }
    let mut draft = Draft::new(graph, Random::stream(fragment.seed, "fragment's tasks"));
    let leaves = draft.grow(&[writer], fragment.tasks);
    for (next, condition) in graph.edges_from(writer) {
        let policy = graph.policy(next);
        let is_plain = policy.kind.is_work() && policy.trigger == Trigger::Dependencies;
        if condition == EdgeCondition::Succeeded && is_plain && !in_body(graph, next) {
            leaves.iter().for_each(|&leaf| draft.edge(leaf, next.0, condition));
        }
    }
    draft.spoil(writer, fragment.flaw);
    Graph::new(digest, draft.parts).ok()
}

/// What a person wants to be otherwise.
#[derive(Clone, Debug)]
pub struct Edit {
    /// The graph.
    pub graph: Option<Graph>,
    /// The run's place among others.
    pub priority: Priority,
    /// Its limit.
    pub concurrency: Option<u32>,
}

/// What the edit `seed` makes of a run. `graph` keeps its digest if only settings of the run
/// change. `open` are tasks that a new one may be put before, `idle` such that have not begun.
#[must_use]
pub fn edited(
    run: &RunPlan,
    (graph, digest): (&Graph, Digest),
    (priority, concurrency): (Priority, Option<u32>),
    (open, idle): (&[TaskId], &[TaskId]),
    seed: u64,
) -> Edit {
    let mut random = Random::stream(seed, "edit");
    let mut edit = Edit { graph: None, priority, concurrency };
    let what = random.below(10);
    if what < 2 {
        edit.priority = Priority(u8::try_from(random.below(101)).expect("below 101"));
        // A gang of more members than that would wait for the next edit.
        let least = if run.features.has(Feature::Gangs) { gangs::MEMBERS_MAX } else { 1 };
        edit.concurrency = random.per_mille(600).then(|| random.small(least, 20));
        edit.graph = Some(graph.clone());
        return edit;
    }
    let flaw = Flaw::draw(&mut random, 80);
    let any = TaskId(u32::try_from(random.below(graph.len() as u64)).expect("fewer tasks"));
    let often = random.per_mille(700);
    let chosen = if idle.is_empty() || !often { any } else { *random.pick(idle) };
    let mut draft = Draft::new(graph, random);
    if what < 6 {
        draft.set(run, chosen);
    } else {
        let is_plain = |task: &TaskId| {
            graph.policy(*task).trigger == Trigger::Dependencies && !in_body(graph, *task)
        };
        let before: Vec<TaskId> = [any, chosen].into_iter().filter(is_plain).take(1).collect();
        let count = draft.random.small(1, 3);
        let leaves = draft.grow(&before, count);
        if let (Some(&next), true) = (open.first(), draft.random.per_mille(600)) {
            leaves.iter().for_each(|&leaf| draft.edge(leaf, next.0, EdgeCondition::Succeeded));
        }
    }
    draft.spoil(any, flaw);
    edit.graph = (flaw != Flaw::Unreadable).then(|| Graph::new(digest, draft.parts).ok()).flatten();
    edit
}

/// Whether a task is in the body of a loop, or ends one.
#[must_use]
pub fn in_body(graph: &Graph, task: TaskId) -> bool {
    let has_loops = graph.policies().iter().any(|policy| matches!(policy.kind, Kind::Loop { .. }));
    has_loops
        && graph.tasks().any(|end| match graph.policy(end).kind {
            Kind::Loop { first, .. } => (first..=end).contains(&task),
            _ => false,
        })
}

/// A version under way.
struct Draft {
    random: Random,
    parts: GraphParts,
    old: u32,
}

impl Draft {
    fn new(graph: &Graph, random: Random) -> Self {
        let mut parts = graph.to_parts();
        parts.conditions.resize(parts.edges.len(), EdgeCondition::Succeeded);
        Self { random, parts, old: u32::try_from(graph.len()).expect("few tasks") }
    }

    fn edge(&mut self, from: u32, to: u32, condition: EdgeCondition) {
        if !self.parts.edges.contains(&(from, to)) {
            self.parts.edges.push((from, to));
            self.parts.conditions.push(condition);
        }
    }

    fn push(&mut self, policy: Policy) -> u32 {
        self.parts.policy_of.push(u32::try_from(self.parts.policies.len()).expect("few policies"));
        self.parts.policies.push(policy);
        u32::try_from(self.parts.policy_of.len() - 1).expect("few tasks")
    }

    /// Adds tasks after some old ones. Returns those that nothing new depends on.
    fn grow(&mut self, after: &[TaskId], count: u32) -> Vec<u32> {
        let like = after.first().map_or(0, |task| self.parts.policy_of[task.0 as usize]);
        let like = self.parts.policies[like as usize].clone();
        let mut leaves: Vec<u32> = Vec::new();
        for index in 0..count {
            let policy = self.fresh(&like);
            let is_fan = policy.kind.is_work() && self.random.per_mille(120);
            let task = self.push(policy);
            if is_fan {
                self.parts.fan_outs.push((task, self.random.small(0, 6)));
            }
            let earlier = task - index;
            if index == 0 || self.random.per_mille(400) {
                after.iter().for_each(|from| self.edge(from.0, task, EdgeCondition::Succeeded));
            } else {
                let from = self.random.small(earlier, task - 1);
                let other = [EdgeCondition::Finished, EdgeCondition::Skipped];
                let plain = self.random.per_mille(800);
                let condition =
                    if plain { EdgeCondition::Succeeded } else { *self.random.pick(&other) };
                self.edge(from, task, condition);
                leaves.retain(|&leaf| leaf != from);
            }
            leaves.push(task);
        }
        leaves
    }

    fn fresh(&mut self, like: &Policy) -> Policy {
        let kind = match self.random.below(10) {
            0 => Kind::Timer { wait: Span(self.random.spread(1_000, 60_000_000)) },
            1 => Kind::Decision,
            _ => Kind::Work,
        };
        Policy {
            kind,
            join: if self.random.per_mille(100) { Join::Any } else { Join::All },
            trigger: Trigger::Dependencies,
            asks: false,
            priority: Priority(u8::try_from(self.random.below(101)).expect("below 101")),
            timeout: like.timeout.filter(|_| kind.is_work()),
            ..like.clone()
        }
    }

    /// Sets something of an old task.
    fn set(&mut self, run: &RunPlan, task: TaskId) {
        let mut policy =
            self.parts.policies[self.parts.policy_of[task.0 as usize] as usize].clone();
        let random = &mut self.random;
        match random.below(8) {
            0 => policy.priority = Priority(u8::try_from(random.below(101)).expect("below 101")),
            1 if policy.gang => {}
            1 => policy.concurrency = random.per_mille(700).then(|| random.small(1, 4)),
            2 => policy.retry.limit = u8::try_from(random.below(5)).expect("below five"),
            3 => policy.timeout = policy.timeout.map(|timeout| Span(timeout.0 + 1_000_000)),
            4 => policy.request.cpu_milli = 1_500 - policy.request.cpu_milli.min(1_000),
            5 if policy.kind.is_work() => {
                policy.shared.locks = super::shared::locks(run, random);
            }
            6 if policy.kind.is_work() => {
                policy.shared.budgets = super::shared::budgets(run, random);
            }
            // A body would run on when its loop has run out of time.
            _ if matches!(policy.kind, Kind::Loop { .. }) => {}
            _ => policy.deadline = Some(super::shared::deadline(run, random)),
        }
        let index = u32::try_from(self.parts.policies.len()).expect("few policies");
        self.parts.policies.push(policy);
        self.parts.policy_of[task.0 as usize] = index;
    }

    fn spoil(&mut self, task: TaskId, flaw: Flaw) {
        match flaw {
            Flaw::None | Flaw::Unreadable => {}
            Flaw::DropsEdge => {
                if !self.parts.edges.is_empty() {
                    self.parts.edges.remove(0);
                    self.parts.conditions.remove(0);
                }
            }
            Flaw::OtherKind => {
                let of = self.parts.policy_of[task.0 as usize] as usize;
                let mut policy = self.parts.policies[of].clone();
                policy.kind = match policy.kind {
                    Kind::Work => Kind::Timer { wait: Span::secs(1) },
                    Kind::Loop { .. } => return,
                    _ => Kind::Work,
                };
                self.parts.policy_of[task.0 as usize] =
                    u32::try_from(self.parts.policies.len()).expect("few policies");
                self.parts.policies.push(policy);
            }
            Flaw::IntoAny => {
                let newest = u32::try_from(self.parts.policy_of.len()).expect("few tasks") - 1;
                let old = u32::try_from(self.random.below(u64::from(self.old))).expect("few");
                if newest >= self.old {
                    self.edge(newest, old, EdgeCondition::Succeeded);
                }
            }
            Flaw::Shrinks => {
                let gone = self.old - 1;
                self.parts.policy_of.truncate(gone as usize);
                let edges = self.parts.edges.iter().zip(&self.parts.conditions);
                let kept = edges.filter(|(edge, _)| edge.0 < gone && edge.1 < gone);
                let (edges, conditions) = kept.map(|(edge, kind)| (*edge, *kind)).unzip();
                (self.parts.edges, self.parts.conditions) = (edges, conditions);
                self.parts.fan_outs.retain(|fan| fan.0 < gone);
            }
        }
    }
}
