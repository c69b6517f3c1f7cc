//! How long work is expected to take.
//!
//! Who knows best is asked first. What a file says counts until some attempts have shown what is
//! true: an estimate that is wildly wrong costs no more than having none.

use crate::state::{ClassId, Run, State};

/// What nothing is known of is taken to last so long, in microseconds.
const UNKNOWN: u64 = 1_000_000;

/// After so many attempts of a kind, what they took counts more than what a file says.
const ATTEMPTS_THAT_TELL: usize = 3;

/// How long an item of a policy's tasks is expected to take on a node of usual speed, in
/// microseconds: a quantile of what such work of the same workflow took of late, what the file
/// says, the mean of attempts that asked for the same, the mean of all.
pub(super) fn expected(state: &State, run: &Run, policy: usize, class: ClassId) -> u64 {
    let kind = u32::try_from(policy).unwrap_or(u32::MAX);
    let measured = state.durations.expected(&run.admitted().name, kind);
    let said = run.graph().policies()[policy].expected.map(|expected| expected.0);
    let means = || match state.classes.mean_wall_us(class) {
        0 => state.classes.mean_of_all_us().unwrap_or(UNKNOWN),
        mean => mean,
    };
    match (measured, said) {
        (Some((attempts, measured)), _) if attempts >= ATTEMPTS_THAT_TELL => measured,
        (_, Some(said)) => said,
        (Some((_, measured)), None) => measured,
        (None, None) => means(),
    }
}

/// Whether what is expected of a policy's tasks has been measured often enough, of the same work of
/// the same workflow, to make others wait for it.
pub(super) fn is_sure(state: &State, run: &Run, policy: usize) -> bool {
    let kind = u32::try_from(policy).unwrap_or(u32::MAX);
    let measured = state.durations.expected(&run.admitted().name, kind);
    measured.is_some_and(|(attempts, _)| attempts >= ATTEMPTS_THAT_TELL)
}
