//! Arithmetic on amounts: how often a request fits, and what it misses by. Integers only.

use model::resources::ResourceId;

/// How many items of `request` fit into `free` at once. A request for nothing fits without end.
#[must_use]
pub fn fits(request: &[u64], free: &[u64]) -> u32 {
    let each = request.iter().enumerate().filter(|&(_, &asked)| asked > 0);
    let least = each.map(|(index, asked)| free.get(index).copied().unwrap_or(0) / asked).min();
    least.map_or(u32::MAX, |times| u32::try_from(times).unwrap_or(u32::MAX))
}

/// The resource that `request` misses most, in proportion to what it asks for: (id, asked, free).
/// `None` if it fits.
#[must_use]
pub fn nearest_miss(request: &[u64], free: &[u64]) -> Option<(ResourceId, u64, u64)> {
    let missing = (0u16..).zip(request).filter_map(|(index, &asked)| {
        let free = free.get(usize::from(index)).copied().unwrap_or(0);
        (free < asked).then_some((ResourceId(index), asked, free))
    });
    // a.free / a.asked < b.free / b.asked, without division.
    missing.reduce(|a, b| {
        let (left, right) = (u128::from(a.2) * u128::from(b.1), u128::from(b.2) * u128::from(a.1));
        if left <= right { a } else { b }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scarcest_resource_decides() {
        assert_eq!(fits(&[1_000, 512, 1], &[4_000, 1_024, 9]), 2);
        assert_eq!(fits(&[1_000, 0, 1], &[4_000, 1_024]), 0);
        assert_eq!(fits(&[0, 0], &[]), u32::MAX);
    }

    #[test]
    fn the_nearest_miss_is_the_largest_in_proportion() {
        let miss = nearest_miss(&[4_000, 100], &[2_000, 10]);
        assert_eq!(miss, Some((ResourceId(1), 100, 10)));
        assert_eq!(nearest_miss(&[1], &[1]), None);
    }
}
