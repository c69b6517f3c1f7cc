//! The stored form of compiled graphs, which is also what their content address is taken of.
//!
//! Edges are written in ascending order whatever order they came in, so that equal graphs have
//! equal bytes. Reading gives plain parts; whether they make a graph is checked where it is built.

mod edges;
mod policy;
#[cfg(test)]
mod tests;

use model::graph::GraphParts;
use model::limits::TASKS_PER_RUN_MAX;
use prost::Message;

use crate::error::DecodeError;
use policy::PolicyForm;

/// The first layout: every edge waits for success, and workers run every task.
const PLAIN: u32 = 1;

/// The layout with control flow: conditions on edges, and tasks that no worker runs.
const CONTROL: u32 = 2;

/// The layout with what runs share, and deadlines.
const SHARED: u32 = 3;

/// The layout with rules for retries, circuit breakers and budgets that settle.
const CALLS: u32 = 4;

/// The layout with tasks that may be done in several ways.
///
/// The lowest layout is written that can say what the graph says: an older build refuses the others
/// instead of leaving out what it does not know, and a graph that needs nothing new keeps its
/// content address.
const WAYS: u32 = 5;
/// The sixth says which devices are asked for, and how long work is expected to take.
const DEVICES: u32 = 6;
/// The seventh says what is asked of the workers that attempts go to, whose place others may take,
/// and what it costs to begin anew.
const PLACES: u32 = 7;
/// The eighth says with what else tasks can be done, which go before all others, and which are
/// gangs.
const ALTERNATIVES: u32 = 8;

/// The newest that this build reads.
const NEWEST: u32 = ALTERNATIVES;

#[derive(Clone, PartialEq, Message)]
struct GraphForm {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(message, repeated, tag = "2")]
    policies: Vec<PolicyForm>,
    /// Pairs: a policy, and how many tasks in a row have it.
    #[prost(uint32, repeated, tag = "3")]
    policy_runs: Vec<u32>,
    /// Rows: the gap since the last row's dependency, the number of dependents, then for each
    /// dependent its distance: the first from the dependency (zigzag), the others from the one
    /// before.
    #[prost(uint32, repeated, tag = "4")]
    edges: Vec<u32>,
    /// Pairs: a task and its number of items.
    #[prost(uint32, repeated, tag = "5")]
    fan_outs: Vec<u32>,
    /// Pairs: what an edge waits for, and how many edges in a row wait for that. Without those at
    /// the end that wait for success.
    #[prost(uint32, repeated, tag = "6")]
    conditions: Vec<u32>,
}

/// The stored form of a graph. O(tasks + edges) when the edges are in order already.
#[must_use]
pub fn encode(parts: &GraphParts) -> Vec<u8> {
    let policies: Vec<PolicyForm> = parts.policies.iter().map(policy::write).collect();
    let (edges, conditions) = edges::write(&parts.edges, &parts.conditions);
    let of_edges = if conditions.is_empty() { PLAIN } else { CONTROL };
    let version = policies.iter().map(PolicyForm::layout).max().unwrap_or(PLAIN).max(of_edges);
    let form = GraphForm {
        version,
        policies,
        policy_runs: write_runs(&parts.policy_of),
        edges,
        conditions,
        fan_outs: parts.fan_outs.iter().flat_map(|&(task, items)| [task, items]).collect(),
    };
    form.encode_to_vec()
}

/// Reads what [`encode`] wrote.
///
/// # Errors
/// The bytes are no graph, of a newer version, or above the limits of a run.
pub fn decode(bytes: &[u8]) -> Result<GraphParts, DecodeError> {
    let form = GraphForm::decode(bytes)?;
    if !(PLAIN..=NEWEST).contains(&form.version) {
        let (version, known) = (form.version, NEWEST);
        return Err(DecodeError::Newer { what: "graph", version, known });
    }
    let policies = form.policies.into_iter().map(policy::read);
    let edges = edges::read(&form.edges)?;
    let (fan_outs, rest) = form.fan_outs.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(DecodeError::Length("fan-outs"));
    }
    Ok(GraphParts {
        policies: policies.collect::<Result<_, _>>()?,
        policy_of: read_runs(&form.policy_runs)?,
        conditions: edges::read_conditions(&form.conditions, edges.len())?,
        edges,
        fan_outs: fan_outs.iter().map(|&[task, items]| (task, items)).collect(),
    })
}

fn write_runs(policy_of: &[u32]) -> Vec<u32> {
    let runs = policy_of.chunk_by(|a, b| a == b);
    runs.flat_map(|run| {
        let length = u32::try_from(run.len()).expect("tasks are numbered with 32 bits");
        [run[0], length]
    })
    .collect()
}

fn read_runs(runs: &[u32]) -> Result<Vec<u32>, DecodeError> {
    let (runs, rest) = runs.as_chunks::<2>();
    let count: u64 = runs.iter().map(|&[_, length]| u64::from(length)).sum();
    if !rest.is_empty() || count > TASKS_PER_RUN_MAX as u64 {
        return Err(DecodeError::Length("tasks"));
    }
    let tasks = runs.iter();
    Ok(tasks.flat_map(|&[policy, length]| std::iter::repeat_n(policy, length as usize)).collect())
}
