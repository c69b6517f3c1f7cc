//! How long work is expected to take.
//!
//! Who knows best is asked first. What a file says counts until some attempts have shown what is
//! true: an estimate that is wildly wrong costs no more than having none.

use alloc::boxed::Box;

use model::VariantId;

use crate::state::{ClassId, Run, State};

/// What nothing is known of is taken to last so long, in microseconds.
const UNKNOWN: u64 = 1_000_000;

/// After so many attempts of a kind, what they took counts more than what a file says.
const ATTEMPTS_THAT_TELL: usize = 3;

/// How long an item of a policy's tasks is expected to take on a node of usual speed, in
/// microseconds: a quantile of what such work of the same workflow took of late, what the file
/// says, the mean of attempts that asked for the same, the mean of all.
fn expected(state: &State, run: &Run, policy: usize, class: ClassId) -> u64 {
    known(state, run, policy, VariantId::default()).unwrap_or_else(|| {
        match state.classes.mean_wall_us(class) {
            0 => state.classes.mean_of_all_us().unwrap_or(UNKNOWN),
            mean => mean,
        }
    })
}

/// How long an item of a policy's tasks takes in one way to do it, as far as that was measured or
/// said of it.
fn known(state: &State, run: &Run, policy: usize, way: VariantId) -> Option<u64> {
    let kind = u32::try_from(policy).unwrap_or(u32::MAX);
    let measured = state.durations.expected(&run.admitted().name, (kind, way));
    let said = run.graph().policies()[policy].expected_of(way).map(|expected| expected.0);
    match (measured, said) {
        (Some((attempts, measured)), _) if attempts >= ATTEMPTS_THAT_TELL => Some(measured),
        (_, Some(said)) => Some(said),
        (Some((_, measured)), None) => Some(measured),
        (None, None) => None,
    }
}

/// Whether what is expected of a policy's tasks has been measured often enough, of the same work of
/// the same workflow, to make others wait for it.
pub(super) fn is_sure(state: &State, run: &Run, policy: usize) -> bool {
    let kind = u32::try_from(policy).unwrap_or(u32::MAX);
    let measured = state.durations.expected(&run.admitted().name, (kind, VariantId::default()));
    measured.is_some_and(|(attempts, _)| attempts >= ATTEMPTS_THAT_TELL)
}

/// The same for each of the alternatives that it has, the first first. What nothing is known of
/// takes as long as the first: what others take that ask for the same says little of how the two
/// compare.
pub(super) fn times(state: &State, run: &Run, policy: usize, class: ClassId) -> Box<[u64]> {
    let first = expected(state, run, policy, class);
    let count = run.graph().policies()[policy].alternatives.len();
    let others = (1..=count).map(|way| {
        let way = VariantId(u8::try_from(way).unwrap_or(u8::MAX));
        known(state, run, policy, way).unwrap_or(first)
    });
    core::iter::once(first).chain(others).collect()
}
