//! The stored form of compiled graphs, which is also what their content address is taken of.
//!
//! Edges are written in ascending order whatever order they came in, so that equal graphs have
//! equal bytes. Reading gives plain parts; whether they make a graph is checked where it is built.

use model::Span;
use model::graph::GraphParts;
use model::limits::{EDGES_MAX, TASKS_PER_RUN_MAX};
use model::policy::{Policy, Priority, RetryPolicy};
use prost::Message;

use crate::error::DecodeError;
use crate::noun::{Amounts, Numbered, narrow, required};

/// The layout that this build writes, and the newest that it reads.
const VERSION: u32 = 1;

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
}

#[derive(Clone, PartialEq, Message)]
struct PolicyForm {
    #[prost(message, optional, tag = "1")]
    request: Option<Amounts>,
    #[prost(uint32, tag = "2")]
    retry_limit: u32,
    #[prost(uint32, tag = "3")]
    loss_limit: u32,
    #[prost(uint64, tag = "4")]
    backoff_us: u64,
    #[prost(uint64, tag = "5")]
    backoff_max_us: u64,
    #[prost(sint32, repeated, tag = "6")]
    only_exit_codes: Vec<i32>,
    #[prost(sint32, repeated, tag = "7")]
    never_exit_codes: Vec<i32>,
    #[prost(uint64, optional, tag = "8")]
    timeout_us: Option<u64>,
    #[prost(uint64, tag = "9")]
    grace_us: u64,
    #[prost(uint32, tag = "10")]
    priority: u32,
    #[prost(uint32, tag = "11")]
    trigger: u32,
}

/// The stored form of a graph. O(tasks + edges) when the edges are in order already.
#[must_use]
pub fn encode(parts: &GraphParts) -> Vec<u8> {
    let form = GraphForm {
        version: VERSION,
        policies: parts.policies.iter().map(write_policy).collect(),
        policy_runs: write_runs(&parts.policy_of),
        edges: write_edges(&parts.edges),
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
    if form.version != VERSION {
        let (version, known) = (form.version, VERSION);
        return Err(DecodeError::Newer { what: "graph", version, known });
    }
    let policies = form.policies.into_iter().map(read_policy);
    let (fan_outs, rest) = form.fan_outs.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(DecodeError::Length("fan-outs"));
    }
    Ok(GraphParts {
        policies: policies.collect::<Result<_, _>>()?,
        policy_of: read_runs(&form.policy_runs)?,
        edges: read_edges(&form.edges)?,
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

fn write_edges(edges: &[(u32, u32)]) -> Vec<u32> {
    if edges.is_sorted() {
        return write_sorted_edges(edges);
    }
    let mut edges = edges.to_vec();
    edges.sort_unstable();
    write_sorted_edges(&edges)
}

fn write_sorted_edges(edges: &[(u32, u32)]) -> Vec<u32> {
    let mut packed = Vec::with_capacity(edges.len() + edges.len() / 2);
    let mut last_from = 0;
    for row in edges.chunk_by(|a, b| a.0 == b.0) {
        let (from, first) = row[0];
        packed.push(from - last_from);
        packed.push(u32::try_from(row.len()).expect("edges are fewer than EDGES_MAX"));
        packed.push(zigzag(first.wrapping_sub(from)));
        packed.extend(row.windows(2).map(|pair| pair[1].1 - pair[0].1));
        last_from = from;
    }
    packed
}

fn read_edges(packed: &[u32]) -> Result<Vec<(u32, u32)>, DecodeError> {
    if packed.len() > 3 * EDGES_MAX {
        return Err(DecodeError::Length("edges"));
    }
    let mut edges = Vec::with_capacity(packed.len());
    let mut rest = packed;
    let mut from = 0_u32;
    while let Some((&[gap, count], tail)) = rest.split_first_chunk::<2>() {
        let row = tail.split_at_checked(count as usize).ok_or(DecodeError::Length("edges"))?;
        let gap_error = DecodeError::Number { what: "task", number: gap.into() };
        from = from.checked_add(gap).ok_or(gap_error)?;
        let mut to = from;
        for (index, &distance) in row.0.iter().enumerate() {
            to = to.wrapping_add(if index == 0 { unzigzag(distance) } else { distance });
            edges.push((from, to));
        }
        rest = row.1;
    }
    if rest.is_empty() { Ok(edges) } else { Err(DecodeError::Length("edges")) }
}

const fn zigzag(difference: u32) -> u32 {
    (difference << 1) ^ ((difference as i32) >> 31) as u32
}

const fn unzigzag(number: u32) -> u32 {
    (number >> 1) ^ (number & 1).wrapping_neg()
}

fn write_policy(policy: &Policy) -> PolicyForm {
    PolicyForm {
        request: Some((&policy.request).into()),
        retry_limit: policy.retry.limit.into(),
        loss_limit: policy.retry.loss_limit.into(),
        backoff_us: policy.retry.backoff.0,
        backoff_max_us: policy.retry.backoff_max.0,
        only_exit_codes: policy.retry.only_exit_codes.to_vec(),
        never_exit_codes: policy.retry.never_exit_codes.to_vec(),
        timeout_us: policy.timeout.map(|timeout| timeout.0),
        grace_us: policy.grace.0,
        priority: policy.priority.0.into(),
        trigger: policy.trigger.number(),
    }
}

fn read_policy(form: PolicyForm) -> Result<Policy, DecodeError> {
    let priority = u8::try_from(form.priority).ok().filter(|&number| number <= Priority::MAX.0);
    let priority =
        priority.ok_or(DecodeError::Number { what: "priority", number: form.priority.into() })?;
    Ok(Policy {
        request: required("a request", form.request)?.into(),
        retry: RetryPolicy {
            limit: narrow("retry limit", form.retry_limit)?,
            loss_limit: narrow("loss limit", form.loss_limit)?,
            backoff: Span(form.backoff_us),
            backoff_max: Span(form.backoff_max_us),
            only_exit_codes: form.only_exit_codes.into(),
            never_exit_codes: form.never_exit_codes.into(),
        },
        timeout: form.timeout_us.map(Span),
        grace: Span(form.grace_us),
        priority: Priority(priority),
        trigger: Numbered::from_number(form.trigger)?,
    })
}

#[cfg(test)]
mod tests;
