//! Graphs: both ways, their golden file, and garbage.

use model::graph::GraphParts;
use model::policy::{Policy, Priority, RetryPolicy, Trigger};
use model::{Request, Span};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, proptest};

use super::{decode, encode};
use crate::error::DecodeError;
use crate::golden;
use crate::record::samples;

fn policies() -> Vec<Policy> {
    let triggers =
        [Trigger::Dependencies, Trigger::Success, Trigger::Failure, Trigger::Cancel, Trigger::Exit];
    let full = |trigger| Policy {
        request: samples::request(),
        retry: RetryPolicy {
            limit: 5,
            loss_limit: 16,
            backoff: Span::secs(1),
            backoff_max: Span::secs(300),
            only_exit_codes: [75, -1].into(),
            never_exit_codes: [2].into(),
        },
        timeout: Some(Span::secs(60)),
        grace: Span::secs(10),
        priority: Priority(80),
        trigger,
    };
    let plain = Policy { request: Request::default(), ..Policy::default() };
    triggers.map(full).into_iter().chain([plain]).collect()
}

fn sample() -> GraphParts {
    GraphParts {
        policies: policies(),
        policy_of: vec![5, 5, 5, 0, 1, 2, 3, 4],
        edges: vec![(0, 3), (0, 4), (1, 0), (2, 7), (6, 1)],
        fan_outs: vec![(1, 1_000_000), (6, 0)],
    }
}

#[test]
fn a_graph_is_written_as_its_golden_file_and_read_back() {
    golden::check("graph", &[encode(&sample())], &format!("{:#?}\n", sample()));
    assert_eq!(decode(&golden::read("graph")[0]), Ok(sample()));
}

#[test]
fn the_order_of_edges_does_not_change_the_bytes() {
    let mut shuffled = sample();
    shuffled.edges.reverse();
    assert_eq!(encode(&shuffled), encode(&sample()));
}

#[test]
fn equal_tasks_and_a_chain_cost_a_few_bytes_each() {
    let tasks = 10_000;
    let parts = GraphParts {
        policies: vec![Policy::default()],
        policy_of: vec![0; tasks as usize],
        edges: (1..tasks).map(|task| (task - 1, task)).collect(),
        fan_outs: vec![],
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

fn parts() -> impl Strategy<Value = GraphParts> {
    let policy_of = vec(0..6_u32, 0..50);
    let edges = vec((any::<u32>(), any::<u32>()), 0..50);
    let near = vec((0..60_u32, 0..60_u32), 0..200);
    let fan_outs = vec((any::<u32>(), any::<u32>()), 0..5);
    (policy_of, edges, near, fan_outs).prop_map(|(policy_of, mut edges, near, fan_outs)| {
        edges.extend(near);
        edges.sort_unstable();
        GraphParts { policies: policies(), policy_of, edges, fan_outs }
    })
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
