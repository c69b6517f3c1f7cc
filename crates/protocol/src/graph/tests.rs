//! Graphs: both ways, their golden file, and garbage.

use model::control::{EdgeCondition, Join, Kind, Verdict};
use model::graph::GraphParts;
use model::outcome::ErrorName;
use model::policy::{
    Alternative, FailurePolicy, MemoryGrowth, Policy, Priority, RetryPolicy, Rule, Trigger, Variant,
};
use model::shared::{Breaker, Deadline, Lock, Shared, Spending, Unit};
use model::site::{Domain, Selector};
use model::{Constraints, DeviceRequest, Request, Span, TaskId, Timestamp};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::sample::select;

use super::{decode, encode};
use crate::error::DecodeError;
use crate::golden;
use crate::record::arbitrary::verdict;
use crate::record::samples;

/// The triggers that name no task; the first five are those of the first layout.
const TRIGGERS: [Trigger; 6] = [
    Trigger::Dependencies,
    Trigger::Success,
    Trigger::Failure,
    Trigger::Cancel,
    Trigger::Exit,
    Trigger::Finally,
];

fn policies() -> Vec<Policy> {
    let full = |trigger| Policy {
        request: samples::request(),
        retry: RetryPolicy {
            limit: 5,
            loss_limit: 16,
            backoff: Span::secs(1),
            backoff_max: Span::secs(300),
            only_exit_codes: [75, -1].into(),
            never_exit_codes: [2].into(),
            ..RetryPolicy::default()
        },
        timeout: Some(Span::secs(60)),
        grace: Span::secs(10),
        priority: Priority(80),
        trigger,
        ..Policy::default()
    };
    let plain = Policy { request: Request::default(), ..Policy::default() };
    TRIGGERS[..5].iter().copied().map(full).chain([plain]).collect()
}

fn sample() -> GraphParts {
    GraphParts {
        policies: policies(),
        policy_of: vec![5, 5, 5, 0, 1, 2, 3, 4],
        edges: vec![(0, 3), (0, 4), (1, 0), (2, 7), (6, 1)],
        fan_outs: vec![(1, 1_000_000), (6, 0)],
        ..GraphParts::default()
    }
}

#[test]
fn a_graph_is_written_as_its_golden_file_and_read_back() {
    golden::check("graph", &[encode(&sample())], &format!("{:#?}\n", sample()));
    assert_eq!(decode(&golden::read("graph")[0]), Ok(sample()));
}

fn control_policies() -> Vec<Policy> {
    let kinds = [
        Kind::Decision,
        Kind::Loop { first: TaskId(1), turns_max: u16::MAX },
        Kind::Timer { wait: Span::secs(90) },
        Kind::Timer { wait: Span(0) },
        Kind::Signal { timeout: None, otherwise: Verdict::Expired },
        Kind::Signal { timeout: Some(Span::secs(60)), otherwise: Verdict::Approved },
    ];
    let joins = [Join::Any, Join::AtLeast(0), Join::AtLeast(u32::MAX), Join::AllDone];
    let triggers = [0, 7]
        .map(|of| Trigger::Compensation { of: TaskId(of) })
        .into_iter()
        .chain([Trigger::Finally]);
    let failures = [FailurePolicy::FailFast, FailurePolicy::Continue];
    let mut policies = vec![
        Policy { asks: true, ..Policy::default() },
        Policy { concurrency: Some(0), ..Policy::default() },
        Policy { concurrency: Some(4), ..Policy::default() },
    ];
    policies.extend(kinds.map(|kind| Policy { kind, ..Policy::default() }));
    policies.extend(joins.map(|join| Policy { join, ..Policy::default() }));
    policies.extend(triggers.map(|trigger| Policy { trigger, ..Policy::default() }));
    policies.extend(failures.map(|it| Policy { failure: Some(it), ..Policy::default() }));
    policies
}

const CONDITIONS: [EdgeCondition; 6] = [
    EdgeCondition::Succeeded,
    EdgeCondition::Failed,
    EdgeCondition::Finished,
    EdgeCondition::Skipped,
    EdgeCondition::Route(0),
    EdgeCondition::Route(u16::MAX),
];

fn control_sample() -> GraphParts {
    let policies = control_policies();
    let tasks = u32::try_from(policies.len()).unwrap();
    GraphParts {
        policies,
        policy_of: (0..tasks).collect(),
        edges: (1..8).map(|task| (0, task)).collect(),
        conditions: CONDITIONS.into_iter().chain([EdgeCondition::Succeeded]).collect(),
        ..GraphParts::default()
    }
}

#[test]
fn control_flow_is_written_as_its_golden_file_and_read_back() {
    let text = format!("{:#?}\n", control_sample());
    golden::check("graph_control", &[encode(&control_sample())], &text);
    assert_eq!(decode(&golden::read("graph_control")[0]), Ok(control_sample()));
}

fn shared_policies() -> Vec<Policy> {
    let lock = |name: &str, holders_max| Lock { name: name.into(), holders_max };
    let spending = spending(Unit::Attempts);
    let shared = [
        Shared { locks: [lock("db", 1), lock("disk", u32::MAX)].into(), ..Shared::default() },
        Shared { budgets: [spending].into(), ..Shared::default() },
    ];
    let deadlines = [Deadline::After(Span::secs(90)), Deadline::At(Timestamp(1))];
    let mut policies: Vec<Policy> =
        shared.map(|shared| Policy { shared, ..Policy::default() }).into();
    policies.extend(deadlines.map(|at| Policy { deadline: Some(at), ..Policy::default() }));
    policies
}

fn shared_sample() -> GraphParts {
    GraphParts { policies: shared_policies(), policy_of: vec![0, 1, 2, 3], ..GraphParts::default() }
}

#[test]
fn what_runs_share_is_written_as_its_golden_file_and_read_back() {
    let text = format!("{:#?}\n", shared_sample());
    golden::check("graph_shared", &[encode(&shared_sample())], &text);
    assert_eq!(decode(&golden::read("graph_shared")[0]), Ok(shared_sample()));
}

fn spending(unit: Unit) -> Spending {
    Spending { name: "api".into(), unit, amount: 2, limit: 60, per: Span::secs(60) }
}

fn breaker(counts_transient: bool) -> Breaker {
    let (open, open_max) = (Span::secs(30), Span::secs(600));
    Breaker { name: "api".into(), failures: 5, open, open_max, trials: 2, counts_transient }
}

const RULES: [Rule; 12] = [
    Rule::Any,
    Rule::Transient,
    Rule::TimeOut,
    Rule::Exit,
    Rule::Signal,
    Rule::OutOfMemory,
    Rule::Crash,
    Rule::Connection,
    Rule::Answer,
    Rule::Status(429),
    Rule::StatusClass(5),
    Rule::Raised(ErrorName(u32::MAX)),
];

fn call_policies() -> Vec<Policy> {
    let growth = MemoryGrowth { factor_milli: 2_000, max_bytes: 16 << 30 };
    let retries = [
        RetryPolicy { on: RULES.into(), ..RetryPolicy::default() },
        RetryPolicy { never: RULES.into(), ..RetryPolicy::default() },
        RetryPolicy { memory: Some(growth), ..RetryPolicy::default() },
    ];
    let budgets = [Unit::Requests, Unit::Tokens]
        .map(|unit| Shared { budgets: [spending(unit)].into(), ..Shared::default() });
    let breakers =
        [false, true].map(|all| Shared { breakers: [breaker(all)].into(), ..Shared::default() });
    let shared = budgets.into_iter().chain(breakers);
    let retries = retries.map(|retry| Policy { retry, ..Policy::default() });
    retries.into_iter().chain(shared.map(|shared| Policy { shared, ..Policy::default() })).collect()
}

fn call_sample() -> GraphParts {
    let policies = call_policies();
    let policy_of = (0..).take(policies.len()).collect();
    GraphParts { policies, policy_of, ..GraphParts::default() }
}

#[test]
fn how_calls_are_run_is_written_as_its_golden_file_and_read_back() {
    let text = format!("{:#?}\n", call_sample());
    golden::check("graph_calls", &[encode(&call_sample())], &text);
    assert_eq!(decode(&golden::read("graph_calls")[0]), Ok(call_sample()));
}

fn way_sample() -> GraphParts {
    let other = |cpu_milli, shared| Variant {
        request: Request { cpu_milli, ..Request::default() },
        shared,
    };
    let shared = Shared {
        locks: [Lock { name: "db".into(), holders_max: 3 }].into(),
        budgets: [spending(Unit::Tokens)].into(),
        breakers: [breaker(true)].into(),
    };
    let others = [other(10, shared), other(2_000, Shared::default())].into();
    let policies = vec![Policy { others, ..Policy::default() }];
    GraphParts { policies, policy_of: vec![0, 0], ..GraphParts::default() }
}

#[test]
fn ways_are_written_as_their_golden_file_and_read_back() {
    let text = format!("{:#?}\n", way_sample());
    golden::check("graph_ways", &[encode(&way_sample())], &text);
    assert_eq!(decode(&golden::read("graph_ways")[0]), Ok(way_sample()));
}

/// Policies with what came with devices, and with how long work is expected to take.
fn device_sample() -> GraphParts {
    let devices = |kinds: &[&str]| DeviceRequest {
        count: 2,
        share: 250,
        memory_bytes: 8 << 30,
        kinds: kinds.iter().map(|&kind| kind.into()).collect(),
    };
    let request = |kinds| Request { devices: devices(kinds), ..Request::default() };
    let others = [Variant { request: request(&["t4"]), shared: Shared::default() }].into();
    let policies = vec![
        Policy { request: request(&[]), ..Policy::default() },
        Policy { others, ..Policy::default() },
        Policy { expected: Some(Span::secs(90)), ..Policy::default() },
    ];
    GraphParts { policies, policy_of: vec![0, 1, 2], ..GraphParts::default() }
}

#[test]
fn devices_are_written_as_their_golden_file_and_read_back() {
    let text = format!("{:#?}\n", device_sample());
    golden::check("graph_devices", &[encode(&device_sample())], &text);
    assert_eq!(decode(&golden::read("graph_devices")[0]), Ok(device_sample()));
}

/// Policies that ask something of the workers that attempts go to.
fn constraint_sample() -> GraphParts {
    let selector = |key: &str, values: &[&str]| Selector {
        key: key.into(),
        values: values.iter().map(|&value| value.into()).collect(),
    };
    let label = || Some(Domain::Label("zone".into()));
    let asked = [
        Constraints {
            select: [selector("disk", &["nvme", "ssd"]), selector("zone", &["a"])].into(),
            tolerate: ["reserved".into()].into(),
            ..Constraints::default()
        },
        Constraints { spread: Some(Domain::Node), together: label(), ..Constraints::default() },
        Constraints {
            prefer: [selector("disk", &["ssd"])].into(),
            spread: label(),
            ..Constraints::default()
        },
    ];
    let policies = asked.map(|constraints| Policy { constraints, ..Policy::default() }).into();
    GraphParts { policies, policy_of: vec![0, 1, 2], ..GraphParts::default() }
}

#[test]
fn constraints_are_written_as_their_golden_file_and_read_back() {
    let text = format!("{:#?}\n", constraint_sample());
    golden::check("graph_constraints", &[encode(&constraint_sample())], &text);
    assert_eq!(decode(&golden::read("graph_constraints")[0]), Ok(constraint_sample()));
}

/// Policies of what may be made to leave its place, and of what it costs to begin anew.
fn preemption_sample() -> GraphParts {
    let policies = vec![
        Policy { preemptible: true, ..Policy::default() },
        Policy { restart_cost: Span::secs(120), ..Policy::default() },
    ];
    GraphParts { policies, policy_of: vec![0, 1], ..GraphParts::default() }
}

#[test]
fn preemption_is_written_as_its_golden_file_and_read_back() {
    let text = format!("{:#?}\n", preemption_sample());
    golden::check("graph_preemption", &[encode(&preemption_sample())], &text);
    assert_eq!(decode(&golden::read("graph_preemption")[0]), Ok(preemption_sample()));
}

/// Policies with other requests, and one of what goes before all others.
fn alternative_sample() -> GraphParts {
    let alternative = |cpu_milli, expected| Alternative {
        request: Request { cpu_milli, ..Request::default() },
        expected,
    };
    let alternatives = [alternative(16_000, Some(Span::secs(7_200))), alternative(1, None)];
    let policies = vec![
        Policy { alternatives: alternatives.into(), ..Policy::default() },
        Policy { critical: true, ..Policy::default() },
    ];
    GraphParts { policies, policy_of: vec![0, 1], ..GraphParts::default() }
}

#[test]
fn alternatives_are_written_as_their_golden_file_and_read_back() {
    let text = format!("{:#?}\n", alternative_sample());
    golden::check("graph_alternatives", &[encode(&alternative_sample())], &text);
    assert_eq!(decode(&golden::read("graph_alternatives")[0]), Ok(alternative_sample()));
}

/// The policy of a gang.
fn gang_sample() -> GraphParts {
    let policies = vec![Policy { gang: true, ..Policy::default() }];
    let (policy_of, fan_outs) = (vec![0], vec![(0, 4)]);
    GraphParts { policies, policy_of, fan_outs, ..GraphParts::default() }
}

#[test]
fn gangs_are_written_as_their_golden_file_and_read_back() {
    let text = format!("{:#?}\n", gang_sample());
    golden::check("graph_gangs", &[encode(&gang_sample())], &text);
    assert_eq!(decode(&golden::read("graph_gangs")[0]), Ok(gang_sample()));
}

#[test]
fn a_breaker_that_never_closes_and_memory_that_does_not_grow_are_refused() {
    let refused = |policy: Policy| {
        let parts =
            GraphParts { policies: vec![policy], policy_of: vec![0], ..GraphParts::default() };
        matches!(decode(&encode(&parts)), Err(DecodeError::Number { .. }))
    };
    let wrong = [
        Breaker { failures: 0, ..breaker(true) },
        Breaker { trials: 0, ..breaker(true) },
        Breaker { open: Span::ZERO, ..breaker(true) },
        Breaker { open_max: Span::secs(1), ..breaker(true) },
    ];
    for breaker in wrong {
        let shared = Shared { breakers: [breaker].into(), ..Shared::default() };
        assert!(refused(Policy { shared, ..Policy::default() }));
    }
    let memory = Some(MemoryGrowth { factor_milli: 1_000, max_bytes: 1 });
    let retry = RetryPolicy { memory, ..RetryPolicy::default() };
    assert!(refused(Policy { retry, ..Policy::default() }));
}

#[test]
fn a_lock_for_nobody_and_a_budget_of_nothing_are_refused() {
    let refused = |shared: Shared| {
        let policies = vec![Policy { shared, ..Policy::default() }];
        let parts = GraphParts { policies, policy_of: vec![0], ..GraphParts::default() };
        matches!(decode(&encode(&parts)), Err(DecodeError::Number { .. }))
    };
    let lock = Lock { name: "db".into(), holders_max: 0 };
    assert!(refused(Shared { locks: [lock].into(), ..Shared::default() }));
    let spending = |amount, limit, per| Spending { amount, limit, per, ..spending(Unit::Attempts) };
    for wrong in [spending(0, 1, Span(1)), spending(2, 1, Span(1)), spending(1, 1, Span(0))] {
        assert!(refused(Shared { budgets: [wrong].into(), ..Shared::default() }));
    }
}

#[test]
fn only_what_the_first_layout_cannot_say_is_of_the_second() {
    let version = |parts: &GraphParts| encode(parts)[..2].to_vec();
    assert_eq!(version(&sample()), [1 << 3, 1]);
    for policy in control_policies() {
        let parts = GraphParts { policies: vec![policy], ..sample() };
        assert_eq!(version(&parts), [1 << 3, 2], "{:?}", parts.policies);
    }
    for policy in shared_policies() {
        let parts = GraphParts { policies: vec![policy], ..sample() };
        assert_eq!(version(&parts), [1 << 3, 3], "{:?}", parts.policies);
    }
    for policy in call_policies() {
        let parts = GraphParts { policies: vec![policy], ..sample() };
        assert_eq!(version(&parts), [1 << 3, 4], "{:?}", parts.policies);
    }
    assert_eq!(version(&way_sample()), [1 << 3, 5]);
    for policy in constraint_sample().policies {
        let parts = GraphParts { policies: vec![policy], ..sample() };
        assert_eq!(version(&parts), [1 << 3, 7], "{:?}", parts.policies);
    }
    for policy in device_sample().policies {
        let parts = GraphParts { policies: vec![policy], ..sample() };
        assert_eq!(version(&parts), [1 << 3, 6], "{:?}", parts.policies);
    }
    assert_eq!(version(&gang_sample()), [1 << 3, 8]);
    for policy in preemption_sample().policies {
        let parts = GraphParts { policies: vec![policy], ..sample() };
        assert_eq!(version(&parts), [1 << 3, 7], "{:?}", parts.policies);
    }
    for policy in alternative_sample().policies {
        let parts = GraphParts { policies: vec![policy], ..sample() };
        assert_eq!(version(&parts), [1 << 3, 8], "{:?}", parts.policies);
    }
    let mut conditions = vec![EdgeCondition::Succeeded; sample().edges.len()];
    let all_plain = GraphParts { conditions: conditions.clone(), ..sample() };
    assert_eq!(encode(&all_plain), encode(&sample()));
    conditions[2] = EdgeCondition::Failed;
    assert_eq!(version(&GraphParts { conditions, ..sample() }), [1 << 3, 2]);
}

#[test]
fn a_graph_of_a_newer_layout_is_refused() {
    let mut bytes = encode(&sample());
    bytes[1] = 9;
    let expected = DecodeError::Newer { what: "graph", version: 9, known: 8 };
    assert_eq!(decode(&bytes), Err(expected));
}

#[test]
fn conditions_beyond_the_edges_are_refused_before_they_are_made() {
    let mut bytes = encode(&control_sample());
    bytes.extend([6 << 3 | 2, 6, 2, 0xff, 0xff, 0xff, 0xff, 0x0f]);
    assert_eq!(decode(&bytes), Err(DecodeError::Length("conditions")));
    let mut odd = encode(&sample());
    odd.extend([6 << 3 | 2, 1, 2]);
    assert_eq!(decode(&odd), Err(DecodeError::Length("conditions")));
    for unknown in [0, 5 + (1 << 16)] {
        let mut bytes = encode(&sample());
        let mut runs = Vec::new();
        prost::encoding::uint32::encode_packed(6, &[unknown, 1], &mut runs);
        bytes.extend(runs);
        let number = unknown.into();
        assert_eq!(decode(&bytes), Err(DecodeError::Number { what: "condition", number }));
    }
}

#[test]
fn an_edge_costs_a_byte_more_only_where_conditions_change() {
    let tasks = 10_000;
    let plain = GraphParts {
        policies: vec![Policy::default()],
        policy_of: vec![0; tasks as usize],
        edges: (1..tasks).map(|task| (task - 1, task)).collect(),
        ..GraphParts::default()
    };
    let bytes = |of: fn(u32) -> EdgeCondition| {
        let conditions = (1..tasks).map(of).collect();
        encode(&GraphParts { conditions, ..plain.clone() }).len() - encode(&plain).len()
    };
    assert_eq!(bytes(|_| EdgeCondition::Succeeded), 0);
    assert!(bytes(|_| EdgeCondition::Finished) <= 8);
    let one_in_ten = bytes(|task| match task % 10 {
        0 => EdgeCondition::Failed,
        _ => EdgeCondition::Succeeded,
    });
    assert!(one_in_ten <= 4 * tasks as usize / 10 + 8, "{one_in_ten} bytes");
}

#[test]
fn the_order_of_edges_does_not_change_the_bytes() {
    let mut shuffled = sample();
    shuffled.edges.reverse();
    assert_eq!(encode(&shuffled), encode(&sample()));
    let mut shuffled = control_sample();
    shuffled.edges.reverse();
    shuffled.conditions.reverse();
    assert_eq!(encode(&shuffled), encode(&control_sample()));
}

#[test]
fn equal_tasks_and_a_chain_cost_a_few_bytes_each() {
    let tasks = 10_000;
    let parts = GraphParts {
        policies: vec![Policy::default()],
        policy_of: vec![0; tasks as usize],
        edges: (1..tasks).map(|task| (task - 1, task)).collect(),
        ..GraphParts::default()
    };
    let bytes = encode(&parts);
    assert!(bytes.len() < 3 * tasks as usize + 100, "{} bytes", bytes.len());
    assert_eq!(decode(&bytes), Ok(parts));
}

#[test]
fn runs_beyond_the_limit_of_tasks_are_refused_before_they_are_made() {
    let bytes = encode(&GraphParts { policy_of: vec![7; 3], ..GraphParts::default() });
    let at = bytes.windows(2).position(|pair| pair == [7, 3]).unwrap();
    let mut bomb = bytes[..at].to_vec();
    bomb[at - 1] = 6;
    bomb.extend([7, 0xff, 0xff, 0xff, 0xff, 0x0f]);
    assert_eq!(decode(&bomb), Err(DecodeError::Length("tasks")));
}

fn kind() -> impl Strategy<Value = Kind> {
    let turns = (any::<u32>(), any::<u16>());
    prop_oneof![
        Just(Kind::Work),
        Just(Kind::Decision),
        turns.prop_map(|(first, turns_max)| Kind::Loop { first: TaskId(first), turns_max }),
        any::<u64>().prop_map(|wait| Kind::Timer { wait: Span(wait) }),
        (of(any::<u64>()), verdict()).prop_map(|(timeout, otherwise)| Kind::Signal {
            timeout: timeout.map(Span),
            otherwise,
        }),
    ]
}

fn policy() -> impl Strategy<Value = Policy> {
    let trigger = prop_oneof![
        select(TRIGGERS.to_vec()),
        any::<u32>().prop_map(|of| Trigger::Compensation { of: TaskId(of) }),
    ];
    let join = prop_oneof![
        select(vec![Join::All, Join::Any, Join::AllDone]),
        any::<u32>().prop_map(Join::AtLeast),
    ];
    let failure = of(select(vec![FailurePolicy::FailFast, FailurePolicy::Continue]));
    let constraints = constraint_sample().policies.into_iter().map(|policy| policy.constraints);
    let constraints = of(select(constraints.collect::<Vec<_>>()));
    (trigger, kind(), join, any::<bool>(), failure, of(any::<u32>()), constraints).prop_map(
        |(trigger, kind, join, asks, failure, concurrency, constraints)| Policy {
            trigger,
            kind,
            join,
            asks,
            failure,
            concurrency,
            gang: asks && concurrency.is_some(),
            constraints: constraints.unwrap_or_default(),
            ..policies().swap_remove(0)
        },
    )
}

/// What edges wait for: of each kind, and mostly success.
fn condition() -> impl Strategy<Value = EdgeCondition> {
    prop_oneof![
        3 => Just(EdgeCondition::Succeeded),
        1 => select(CONDITIONS.to_vec()),
        1 => any::<u16>().prop_map(EdgeCondition::Route),
    ]
}

fn parts() -> impl Strategy<Value = GraphParts> {
    let policies = vec(policy(), 0..6).prop_map(|more| [policies(), more].concat());
    let policy_of = vec(0..6_u32, 0..50);
    let edges = vec((any::<u32>(), any::<u32>()), 0..50);
    let near = vec((0..60_u32, 0..60_u32), 0..200);
    let conditions = of(vec(condition(), 250));
    let fan_outs = vec((any::<u32>(), any::<u32>()), 0..5);
    (policies, policy_of, edges, near, conditions, fan_outs).prop_map(
        |(policies, policy_of, mut edges, near, conditions, fan_outs)| {
            edges.extend(near);
            edges.sort_unstable();
            let mut conditions = conditions.unwrap_or_default();
            conditions.truncate(edges.len());
            if conditions.iter().all(|&condition| condition == EdgeCondition::Succeeded) {
                conditions.clear();
            }
            GraphParts { policies, policy_of, edges, conditions, fan_outs }
        },
    )
}

proptest! {
    #[test]
    fn any_parts_go_both_ways(parts in parts()) {
        assert_eq!(decode(&encode(&parts)), Ok(parts));
    }

    #[test]
    fn any_bytes_end_in_parts_or_an_error(bytes in vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes);
    }
}
