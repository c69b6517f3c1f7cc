//! The edges of a graph as rows of distances, and what they wait for as runs of equals.

use model::control::EdgeCondition;
use model::limits::EDGES_MAX;

use crate::error::DecodeError;

/// The rows of the edges in ascending order, and the runs of their conditions in the same order.
/// An edge that has no condition waits for success.
pub(super) fn write(edges: &[(u32, u32)], conditions: &[EdgeCondition]) -> (Vec<u32>, Vec<u32>) {
    if edges.is_sorted() {
        let conditions = conditions.iter().take(edges.len()).copied();
        return (write_rows(edges), write_conditions(conditions));
    }
    if conditions.is_empty() {
        let mut edges = edges.to_vec();
        edges.sort_unstable();
        return (write_rows(&edges), Vec::new());
    }
    let conditions = conditions.iter().copied().chain(std::iter::repeat(EdgeCondition::default()));
    let mut both: Vec<_> = edges.iter().copied().zip(conditions).collect();
    both.sort_unstable();
    let edges: Vec<_> = both.iter().map(|&(edge, _)| edge).collect();
    (write_rows(&edges), write_conditions(both.iter().map(|&(_, condition)| condition)))
}

fn write_rows(edges: &[(u32, u32)]) -> Vec<u32> {
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

/// Reads the rows that [`write`] wrote.
pub(super) fn read(packed: &[u32]) -> Result<Vec<(u32, u32)>, DecodeError> {
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

fn write_conditions(conditions: impl Iterator<Item = EdgeCondition>) -> Vec<u32> {
    let mut runs: Vec<[u32; 2]> = Vec::new();
    for condition in conditions {
        let number = write_condition(condition);
        match runs.last_mut() {
            Some([last, length]) if *last == number => *length += 1,
            _ => runs.push([number, 1]),
        }
    }
    runs.pop_if(|[last, _]| *last == write_condition(EdgeCondition::Succeeded));
    runs.into_flattened()
}

/// Reads the runs that [`write`] wrote beside the rows of `edges` edges. None when all wait for
/// success.
pub(super) fn read_conditions(
    packed: &[u32],
    edges: usize,
) -> Result<Vec<EdgeCondition>, DecodeError> {
    let (runs, rest) = packed.as_chunks::<2>();
    let count: u64 = runs.iter().map(|&[_, length]| u64::from(length)).sum();
    if !rest.is_empty() || count > edges as u64 {
        return Err(DecodeError::Length("conditions"));
    }
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    let mut conditions = Vec::with_capacity(edges);
    for &[number, length] in runs {
        conditions.resize(conditions.len() + length as usize, read_condition(number)?);
    }
    conditions.resize(edges, EdgeCondition::Succeeded);
    Ok(conditions)
}

/// Routes are numbered on from this: the route that a condition names is part of its number.
const FIRST_ROUTE: u32 = 5;

const fn write_condition(condition: EdgeCondition) -> u32 {
    match condition {
        EdgeCondition::Succeeded => 1,
        EdgeCondition::Failed => 2,
        EdgeCondition::Finished => 3,
        EdgeCondition::Skipped => 4,
        EdgeCondition::Route(route) => FIRST_ROUTE + route as u32,
    }
}

fn read_condition(number: u32) -> Result<EdgeCondition, DecodeError> {
    Ok(match number {
        1 => EdgeCondition::Succeeded,
        2 => EdgeCondition::Failed,
        3 => EdgeCondition::Finished,
        4 => EdgeCondition::Skipped,
        _ => {
            let route = number.checked_sub(FIRST_ROUTE).and_then(|route| route.try_into().ok());
            let error = DecodeError::Number { what: "condition", number: number.into() };
            EdgeCondition::Route(route.ok_or(error)?)
        }
    })
}

const fn zigzag(difference: u32) -> u32 {
    (difference << 1) ^ ((difference as i32) >> 31) as u32
}

const fn unzigzag(number: u32) -> u32 {
    (number >> 1) ^ (number & 1).wrapping_neg()
}
