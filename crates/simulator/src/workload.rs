//! From the plan of a run to its graph, and to what each attempt of its items does.
//!
//! Both are functions of the plan alone, so that an attempt which is tried again on another machine
//! does what it would have done on the first, and the oracle can ask without running anything.

pub mod calls;
mod flow;
mod gangs;
pub mod people;
pub mod preemption;
pub mod queues;
pub mod shared;
pub(crate) mod sites;
pub mod version;

use std::sync::Arc;

use model::control::{Join, Kind};
use model::fact::RunAdmitted;
use model::graph::GraphParts;
use model::hash::mix;
use model::outcome::{Failure, Spent};
use model::policy::{Policy, Priority, RetryPolicy, Trigger, Variant};
use model::resources::WHOLE_DEVICE;
use model::shared::{Shared, Unit};
use model::{AttemptId, Digest, Graph, ItemId, Request, RunId, Span, TaskId};

use crate::mutant::Mutant;
use crate::plan::{RunPlan, Shape};
use crate::random::Random;

/// The policies of every run: light, heavy, limited in time; then the handlers'.
const LIGHT: u32 = 0;
const HEAVY: u32 = 1;
const LIMITED: u32 = 2;
const HANDLERS: [Trigger; 4] = [Trigger::Success, Trigger::Failure, Trigger::Cancel, Trigger::Exit];

/// The longest that a task waits for time, or for a person who will come.
pub const WAIT_MAX: Span = Span::secs(600);

/// What an attempt does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// How long it takes; `None` if it never ends by itself.
    pub wall: Option<Span>,
    /// How it ends: `None` is well.
    pub failure: Option<Failure>,
    /// What it does when it is asked to end.
    pub manners: Manners,
    /// Whether it writes tasks for its run.
    pub writes: bool,
    /// What it spends.
    pub spent: Spent,
    /// How long it asks to be left alone, if it fails.
    pub retry_after: Option<Span>,
    /// How often it saves its work, if it does.
    pub saves_every: Option<Span>,
}

/// What a process does when it is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manners {
    /// It dies of the signal.
    Dies,
    /// It goes on as if nothing had happened.
    Ignores,
    /// It finishes quickly, and well.
    Finishes,
}

/// What must become of an item that is left to run, whatever else breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It succeeds.
    Succeeds,
    /// It ends badly.
    Fails,
    /// That depends on what else happens.
    Either,
}

/// How an item differs from one that simply works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    None,
    FailsFirst(u16),
    FailsAlways(Failure),
    /// It needs as much memory as is asked for after so many attempts that had not enough.
    Hungry(u8),
    Hangs,
    Slow,
}

/// The graph of a run.
#[must_use]
pub fn graph(run: &RunPlan) -> Arc<Graph> {
    let random = &mut Random::stream(run.seed, "graph");
    let plain = shape(run, random);
    let mut parts = if run.flow > 0 {
        flow::grow(run, plain, policies(run))
    } else {
        let (tasks, edges, fan_outs) = plain;
        let policy_of = (0..tasks).map(|_| *random.pick(&[LIGHT, HEAVY, LIMITED])).collect();
        GraphParts { policies: policies(run), policy_of, edges, conditions: vec![], fan_outs }
    };
    gangs::make(run, &mut parts);
    if run.handlers {
        for trigger in HANDLERS {
            parts.policy_of.push(u32::try_from(parts.policies.len()).expect("few policies"));
            parts.policies.push(Policy { trigger, ..parts.policies[LIGHT as usize].clone() });
        }
    }
    Arc::new(Graph::new(digest(run.seed, 1), parts).expect("drawn graphs are well formed"))
}

/// The graph as the engine gets it: with a planted fault it may not be the one that was drawn.
#[must_use]
pub fn planted(graph: &Arc<Graph>, mutant: Option<Mutant>) -> Arc<Graph> {
    let mut parts = graph.to_parts();
    let policies = parts.policies.iter_mut();
    match mutant {
        Some(Mutant::TurnsWithoutEnd) => policies.for_each(|policy| {
            if let Kind::Loop { turns_max, .. } = &mut policy.kind {
                *turns_max += 2;
            }
        }),
        Some(Mutant::ConditionsIgnored) => parts.conditions.clear(),
        Some(Mutant::AnyNeedsAll) => policies.for_each(|policy| {
            if policy.join == Join::Any {
                policy.join = Join::All;
            }
        }),
        Some(Mutant::WaitEndsEarly) => policies.for_each(|policy| {
            if let Kind::Timer { wait } = &mut policy.kind {
                *wait = Span(wait.0 / 2);
            }
        }),
        Some(Mutant::OneByOne) => policies.for_each(|policy| policy.gang = false),
        Some(Mutant::NoTaskLimit) => policies.for_each(|policy| policy.concurrency = None),
        Some(Mutant::NoLocks) => shares(&mut parts, |shared| shared.locks = Box::default()),
        Some(Mutant::NoBudgets) => shares(&mut parts, |shared| shared.budgets = Box::default()),
        Some(Mutant::NoBreakers) => shares(&mut parts, |shared| shared.breakers = Box::default()),
        Some(Mutant::NotSettled) => shares(&mut parts, |shared| {
            shared.budgets.iter_mut().for_each(|it| it.unit = Unit::Attempts);
        }),
        Some(Mutant::OneWay) => policies.for_each(|policy| policy.others = Box::default()),
        Some(Mutant::FirstWayTwice) => policies.for_each(|policy| {
            if !policy.others.is_empty() {
                let (request, shared) = (policy.request.clone(), policy.shared.clone());
                policy.others = [&[Variant { request, shared }], &*policy.others].concat().into();
            }
        }),
        Some(Mutant::AlternativesForgotten) => policies.for_each(|policy| {
            let own = &policy.request;
            policy.alternatives.iter_mut().for_each(|other| other.request = own.clone());
        }),
        Some(Mutant::NoGrowth) => policies.for_each(|policy| policy.retry.memory = None),
        Some(Mutant::RulesIgnored) => policies.for_each(|policy| {
            (policy.retry.on, policy.retry.never) = (Box::default(), Box::default());
        }),
        Some(Mutant::NoDeadlines) => policies.for_each(|policy| policy.deadline = None),
        Some(Mutant::UndoneForwards) => {
            let undoes = |task: u32| {
                let trigger = graph.policy(TaskId(task)).trigger;
                matches!(trigger, Trigger::Compensation { .. })
            };
            let edges = parts.edges.iter_mut().filter(|edge| undoes(edge.0));
            edges.for_each(|edge| *edge = (edge.1, edge.0));
        }
        other => {
            if !parts
                .policies
                .iter_mut()
                .fold(false, |is, policy| is | asks_otherwise(policy, other))
            {
                return Arc::clone(graph);
            }
        }
    }
    Arc::new(Graph::new(graph.digest(), parts).expect("only settings were changed"))
}

/// Changes what a policy asks for of machines, and how urgent it is; whether a fault does.
fn asks_otherwise(policy: &mut Policy, mutant: Option<Mutant>) -> bool {
    match mutant {
        Some(Mutant::DeviceGivenTwice) => {
            policy.request.devices.share /= 4;
            policy.others.iter_mut().for_each(|other| other.request.devices.share /= 4);
        }
        Some(Mutant::FractionAcross) => {
            let devices = &mut policy.request.devices;
            if devices.count == 1 && devices.share < WHOLE_DEVICE {
                (devices.count, devices.share) = (2, devices.share / 2);
            }
        }
        Some(Mutant::LabelsIgnored) => policy.constraints.select = Box::default(),
        Some(Mutant::NotTogether) => policy.constraints.together = None,
        Some(Mutant::NothingInherited) => {
            policy.priority = policy.priority.min(Priority::default());
        }
        _ => return false,
    }
    true
}

/// Changes what is taken of what all runs share, in every way.
fn shares(parts: &mut GraphParts, change: impl Fn(&mut Shared)) {
    for policy in &mut parts.policies {
        change(&mut policy.shared);
        policy.others.iter_mut().for_each(|other| change(&mut other.shared));
    }
}

/// The admission of a run, as its client asks for it.
#[must_use]
pub fn admission(run: &RunPlan, graph: &Graph) -> RunAdmitted {
    RunAdmitted {
        run: RunId(0),
        key: (run.submissions > 1).then(|| digest(run.seed, 2)),
        tenant: "default".into(),
        queue: queues::of(run).into(),
        name: "simulated".into(),
        identity: digest(run.seed, 3),
        content: digest(run.seed, 4),
        graph: graph.digest(),
        definition: digest(run.seed, 5),
        priority: Priority(run.priority),
        failure: run.failure,
        timeout: run.timeout,
        concurrency: run.concurrency,
        cost_limit_micro: calls::cost_limit(run),
        trace: u128::from(run.seed),
    }
}

/// What this attempt does with so much memory, in bytes.
#[must_use]
pub fn behaviour(run: &RunPlan, graph: &Graph, attempt: AttemptId, memory: u64) -> Behaviour {
    let (task, item) = (attempt.key.task, attempt.key.item);
    let policy = graph.policy(task);
    let mut draw = item_stream(run, task, item);
    let trouble = trouble(run, graph, task, &mut draw);
    let wall = Span(draw.between(run.wall_min.0, run.wall_max.0));
    let manners = match draw.below(100) {
        0..70 => Manners::Dies,
        70..85 => Manners::Ignores,
        _ => Manners::Finishes,
    };
    let (wall, failure) = match trouble {
        Trouble::None => (Some(wall), None),
        Trouble::FailsFirst(count) if attempt.attempt.0 > count => (Some(wall), None),
        Trouble::FailsFirst(_) => {
            let place = u64::from(task.0) << 32 | u64::from(item.0);
            (Some(wall), Some(calls::first_failure(run, policy, place)))
        }
        Trouble::Hungry(times) => {
            let needs = policy
                .retry
                .memory
                .map_or(0, |growth| growth.grown(policy.request.memory_bytes, times));
            (Some(wall), (memory < needs).then_some(Failure::OutOfMemory))
        }
        Trouble::FailsAlways(failure) => (Some(wall), Some(failure)),
        Trouble::Hangs => (None, None),
        Trouble::Slow => (Some(Span(wall.0 * 10)), None),
    };
    let writes = version::fragment(run, graph, task, item).is_some();
    let (spent, retry_after) = calls::spent(run, attempt);
    let saves_every = preemption::saves_every(run, attempt);
    Behaviour { wall, failure, manners, writes, spent, retry_after, saves_every }
}

/// What becomes of an item. `undisturbed` is whether nothing breaks but the work itself.
#[must_use]
pub fn fate(run: &RunPlan, graph: &Graph, item: (TaskId, ItemId), undisturbed: bool) -> Fate {
    let (task, item) = item;
    // What becomes of a member depends on the others, and on whether there is room for all.
    if graph.policy(task).gang {
        return Fate::Either;
    }
    let has_limit = graph.policy(task).timeout.is_some();
    let retries = u16::from(graph.policy(task).retry.limit);
    let survives = undisturbed || (run.losses > 1 && !has_limit);
    let policy = graph.policy(task);
    // What a breaker stands for may be down at any time.
    let survives = survives && policy.shared.breakers.is_empty();
    let undisturbed = undisturbed && policy.shared.breakers.is_empty();
    let place = u64::from(task.0) << 32 | u64::from(item.0);
    let first = calls::first_failure(run, policy, place);
    match trouble(run, graph, task, &mut item_stream(run, task, item)) {
        Trouble::FailsFirst(_) | Trouble::FailsAlways(_) if !calls::lets_retry(policy, first) => {
            Fate::Either
        }
        Trouble::Hungry(_) => Fate::Either,
        Trouble::None if survives => Fate::Succeeds,
        Trouble::FailsFirst(count) if count <= retries && survives => Fate::Succeeds,
        Trouble::FailsFirst(count) if count > retries && undisturbed => Fate::Fails,
        Trouble::FailsAlways(_) | Trouble::Hangs => Fate::Fails,
        Trouble::Slow if survives && !has_limit => Fate::Succeeds,
        Trouble::None | Trouble::FailsFirst(_) | Trouble::Slow => Fate::Either,
    }
}

/// The longest that one attempt of the run can take, with everything that may delay its end.
#[must_use]
pub fn attempt_max(run: &RunPlan) -> Span {
    Span(run.wall_max.0 * 100 + policies(run)[LIMITED as usize].grace.0 + 2_000_000)
}

fn item_stream(run: &RunPlan, task: TaskId, item: ItemId) -> Random {
    Random::stream(mix(run.seed) ^ mix(u64::from(task.0) << 32 | u64::from(item.0)), "item")
}

fn trouble(run: &RunPlan, graph: &Graph, task: TaskId, draw: &mut Random) -> Trouble {
    let (troubled, kind) = (draw.per_mille(run.trouble), draw.below(8));
    if !troubled {
        return Trouble::None;
    }
    match kind {
        0..3 => Trouble::FailsFirst(1 + u16::try_from(kind).expect("below 3")),
        3 => Trouble::FailsAlways(Failure::Exit(3)),
        4 if graph.policy(task).retry.memory.is_some() => {
            let place = mix(run.seed) ^ u64::from(task.0);
            let times = Random::stream(place, "hunger").small(1, 4);
            Trouble::Hungry(u8::try_from(times).expect("up to four"))
        }
        4 => Trouble::FailsAlways(Failure::OutOfMemory),
        5 if graph.policy(task).timeout.is_some() => Trouble::Hangs,
        5 | 6 => Trouble::Slow,
        _ => Trouble::FailsAlways(Failure::Spawn(2)),
    }
}

fn policies(run: &RunPlan) -> Vec<Policy> {
    let light = Policy {
        request: Request { cpu_milli: 500, ..Request::default() },
        retry: RetryPolicy {
            limit: run.retries,
            loss_limit: run.losses,
            backoff: Span::millis(500),
            backoff_max: Span::secs(30),
            never_exit_codes: Box::new([77]),
            ..RetryPolicy::default()
        },
        grace: Span::secs(2),
        priority: Priority(run.priority),
        ..Policy::default()
    };
    let heavy =
        Request { cpu_milli: 1_000, custom: Box::new([("slot".into(), 1)]), ..Request::default() };
    let limit = Span(run.wall_max.0 * 2 + 1_000_000);
    vec![
        light.clone(),
        Policy { request: heavy, ..light.clone() },
        Policy { timeout: Some(limit), ..light },
    ]
}

type Parts = (u32, Vec<(u32, u32)>, Vec<(u32, u32)>);

fn shape(run: &RunPlan, random: &mut Random) -> Parts {
    let size = run.size.max(1);
    match run.shape {
        Shape::Chain => (size, (1..size).map(|task| (task - 1, task)).collect(), vec![]),
        Shape::FanOut => (3, vec![(0, 1), (1, 2)], vec![(1, size)]),
        Shape::Diamond => {
            let last = size + 1;
            let edges = (1..last).flat_map(|task| [(0, task), (task, last)]).collect();
            (size + 2, edges, vec![])
        }
        Shape::Layers => {
            let edges = (10..size).flat_map(|task| {
                let row = task / 10 * 10 - 10;
                let first = random.small(0, 6);
                (0..random.small(2, 3)).map(move |step| (row + first + step, task))
            });
            (size, edges.collect(), vec![])
        }
        Shape::Random => {
            let edges = (1..size).flat_map(|task| {
                let mut from: Vec<u32> =
                    (0..random.below(4)).map(|_| random.small(0, task - 1)).collect();
                from.sort_unstable();
                from.dedup();
                from.into_iter().map(move |from| (from, task))
            });
            (size, edges.collect(), vec![])
        }
    }
}

/// A digest that stands for something with this number.
#[must_use]
pub fn digest(seed: u64, salt: u64) -> Digest {
    let word = |index: u64| mix(mix(seed ^ salt) ^ index).to_le_bytes();
    let mut bytes = [0; 32];
    (0..).zip(bytes.chunks_exact_mut(8)).for_each(|(i, chunk)| chunk.copy_from_slice(&word(i)));
    Digest(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::draw;

    #[test]
    fn every_drawn_run_has_a_graph() {
        let runs = (0..200).flat_map(|seed| draw(seed, Span::secs(3_600)).runs);
        let mut items = 0;
        for run in runs {
            let graph = graph(&run);
            items += graph.tasks().map(|task| u64::from(graph.items(task))).sum::<u64>();
        }
        assert!(items > 50_000, "only {items} items");
    }
}
