//! Sets and columns of integers as they are packed: what keeps a fan-out's item at a few bytes.
//!
//! Nothing here knows what the numbers mean.

use model::IdSet;

use crate::error::DecodeError;

/// A set as pairs: the gap since the end of the range before, and the length less one. Since ranges
/// of a set neither touch nor are empty, the first gap is as it is and the others are less one:
/// every list of pairs is a valid set, and every set has one list.
pub(crate) fn pack_set(set: &IdSet) -> Vec<u32> {
    let mut packed = Vec::with_capacity(2 * set.ranges().len());
    let mut free = 0;
    for range in set.ranges() {
        packed.push(range.start - free);
        packed.push(range.end - range.start - 1);
        free = range.end.saturating_add(1);
    }
    packed
}

/// Reads what [`pack_set`] wrote.
pub(crate) fn unpack_set(packed: &[u32]) -> Result<IdSet, DecodeError> {
    let (pairs, rest) = packed.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(DecodeError::Length("ranges"));
    }
    let mut set = IdSet::new();
    let mut free = Some(0_u32);
    for &[gap, more] in pairs {
        let start = free.and_then(|free| free.checked_add(gap));
        let end = start.and_then(|start| start.checked_add(more)?.checked_add(1));
        let (Some(start), Some(end)) = (start, end) else {
            return Err(DecodeError::Number { what: "range of ids", number: more.into() });
        };
        set.insert_range(start..end);
        free = end.checked_add(1);
    }
    Ok(set)
}

/// A list of numbers of known length as the least of them and the distance of each from it. The
/// distances are left out when all are zero, and the whole column when all numbers are.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Column {
    #[prost(uint64, tag = "1")]
    base: u64,
    #[prost(uint64, repeated, tag = "2")]
    above: Vec<u64>,
}

impl Column {
    /// Packs numbers; `None` when all are zero.
    pub(crate) fn pack(numbers: impl Iterator<Item = u64> + Clone) -> Option<Self> {
        let base = numbers.clone().min()?;
        let is_constant = numbers.clone().all(|number| number == base);
        match (base, is_constant) {
            (0, true) => None,
            (_, true) => Some(Self { base, above: Vec::new() }),
            (_, false) => Some(Self { base, above: numbers.map(|n| n - base).collect() }),
        }
    }
}

/// A column that is being read, of a known length.
pub(crate) struct Numbers<'a> {
    what: &'static str,
    base: u64,
    above: &'a [u64],
}

impl<'a> Numbers<'a> {
    /// The numbers of a column that must hold `count` of them.
    pub(crate) fn of(
        what: &'static str,
        column: Option<&'a Column>,
        count: usize,
    ) -> Result<Self, DecodeError> {
        let Some(column) = column else { return Ok(Self { what, base: 0, above: &[] }) };
        if !column.above.is_empty() && column.above.len() != count {
            return Err(DecodeError::Length(what));
        }
        Ok(Self { what, base: column.base, above: &column.above })
    }

    /// The number at `index`.
    pub(crate) fn get(&self, index: usize) -> Result<u64, DecodeError> {
        let above = self.above.get(index).copied().unwrap_or(0);
        let number = self.base.checked_add(above);
        number.ok_or(DecodeError::Number { what: self.what, number: above })
    }

    /// The number at `index`, which must fit into 32 bits.
    pub(crate) fn get_u32(&self, index: usize) -> Result<u32, DecodeError> {
        let number = self.get(index)?;
        u32::try_from(number).map_err(|_| DecodeError::Number { what: self.what, number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_goes_both_ways_up_to_the_last_id() {
        let mut set = IdSet::range(0, 5);
        set.insert_range(6..7);
        set.insert_range(1_000..u32::MAX);
        assert_eq!(pack_set(&set), [0, 4, 0, 0, 992, u32::MAX - 1_001]);
        assert_eq!(unpack_set(&pack_set(&set)), Ok(set));
    }

    #[test]
    fn every_list_that_is_no_set_is_refused() {
        assert!(unpack_set(&[1]).is_err());
        assert!(unpack_set(&[u32::MAX, 0]).is_err());
        assert!(unpack_set(&[0, u32::MAX - 1, 0, 0]).is_err());
    }

    #[test]
    fn columns_cost_what_they_tell() {
        use prost::Message;
        let length = |numbers: &[u64]| {
            Column::pack(numbers.iter().copied()).map_or(0, |column| column.encoded_len())
        };
        assert_eq!(length(&[0; 100]), 0);
        assert_eq!(length(&[7; 100]), 2);
        assert_eq!(length(&[1_000_000, 1_000_100, 1_000_001]), 4 + 2 + 3);
    }
}
