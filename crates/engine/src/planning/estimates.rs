//! How long work is expected to take.

use model::policy::Policy;

use crate::state::{ClassId, State};

/// What nothing is known of is taken to last so long, in microseconds.
const UNKNOWN: u64 = 1_000_000;

/// How long an item is expected to take on a node of usual speed, in microseconds: what its file
/// says, else the mean of attempts that asked for the same, else of all.
pub(super) fn expected(state: &State, policy: &Policy, class: ClassId) -> u64 {
    if let Some(expected) = policy.expected {
        return expected.0;
    }
    match state.classes.mean_wall_us(class) {
        0 => state.classes.mean_of_all_us().unwrap_or(UNKNOWN),
        mean => mean,
    }
}

/// How many items of a class one place gets through before anyone would miss it; 0 if that is not
/// known.
pub(super) fn lend(state: &State, class: ClassId) -> u32 {
    let times = LEND_HORIZON_US.checked_div(state.classes.mean_wall_us(class)).unwrap_or(0);
    u32::try_from(times).unwrap_or(u32::MAX)
}

/// Work that is lent ahead of room is started within about this time, in microseconds: several
/// commits of a slow disk, and too short for anyone to miss a worker that stands idle elsewhere.
const LEND_HORIZON_US: u64 = 50_000;
