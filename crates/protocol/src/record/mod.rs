//! Records: the stored form of facts.
//!
//! `v1` is what is written down, `write` and `read` go there and back. Golden files hold every
//! kind of fact to its bytes, so that a journal of today is read by every later build. `json` shows
//! facts to those who read an export.

mod amend;
#[cfg(test)]
pub(crate) mod arbitrary;
mod control;
#[cfg(test)]
mod golden;
pub mod json;
mod read;
#[cfg(test)]
pub(crate) mod samples;
mod v1;
mod write;

use model::Fact;
use model::fact::Restored;
use prost::Message;

use crate::error::{DecodeError, EncodeError};

/// Appends the record of `fact` to `out`, its length (a varint) before it.
///
/// # Errors
/// The fact breaks a promise about itself; `out` is as it was.
pub fn encode(fact: &Fact, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let record = write::record(fact)?;
    let before = out.len();
    if record.encode_length_delimited(out).is_err() {
        out.truncate(before);
        return Err(EncodeError::TooLarge(record.encoded_len()));
    }
    Ok(())
}

/// Reads the record that fills `bytes`, without a length before it.
///
/// # Errors
/// The bytes are no record, of an unknown kind, or say that newer facts follow.
pub fn decode(bytes: &[u8]) -> Result<Fact, DecodeError> {
    read::fact(v1::Record::decode(bytes)?)
}

macro_rules! kinds {
    ($($name:literal: $pattern:pat,)*) => {
        /// The names of all kinds of facts.
        pub const KINDS: &[&str] = &[$($name),*];

        /// The name of a fact's kind, as golden files and exports show it.
        #[must_use]
        pub fn kind(fact: &Fact) -> &'static str {
            // A new kind does not compile until it has a name here, and no test passes until it
            // has a golden file.
            match fact {
                $($pattern => $name,)*
                Fact::Restored(piece) => restored_kind(piece),
            }
        }
    };
}

kinds! {
    "leader_started": Fact::LeaderStarted { .. },
    "worker_joined": Fact::WorkerJoined(_),
    "worker_lost": Fact::WorkerLost { .. },
    "run_admitted": Fact::RunAdmitted(_),
    "attempts_leased": Fact::AttemptsLeased { .. },
    "gang_leased": Fact::GangLeased { .. },
    "attempts_started": Fact::AttemptsStarted { .. },
    "attempt_overran": Fact::AttemptOverran { .. },
    "attempts_checkpointed": Fact::AttemptsCheckpointed { .. },
    "attempts_preempted": Fact::AttemptsPreempted { .. },
    "attempts_ended": Fact::AttemptsEnded(_),
    "leases_returned": Fact::LeasesReturned { .. },
    "task_answered": Fact::TaskAnswered(_),
    "task_settled": Fact::TaskSettled { .. },
    "handlers_released": Fact::HandlersReleased { .. },
    "tasks_skipped": Fact::TasksSkipped { .. },
    "tasks_cancelled": Fact::TasksCancelled { .. },
    "tasks_unsatisfiable": Fact::TasksUnsatisfiable { .. },
    "run_stopping": Fact::RunStopping { .. },
    "run_paused": Fact::RunPaused { .. },
    "run_resumed": Fact::RunResumed { .. },
    "run_ended": Fact::RunEnded { .. },
    "round_opened": Fact::RoundOpened { .. },
    "items_reopened": Fact::ItemsReopened { .. },
    "run_amended": Fact::RunAmended(_),
    "marked": Fact::Marked(_),
    "deadline_passed": Fact::DeadlinePassed { .. },
    "run_forgotten": Fact::RunForgotten { .. },
}

macro_rules! restored_kinds {
    ($($name:literal: $pattern:pat,)*) => {
        /// The names of all kinds of snapshot pieces.
        pub const RESTORED_KINDS: &[&str] = &[$($name),*];

        fn restored_kind(piece: &Restored) -> &'static str {
            match piece { $($pattern => $name,)* }
        }
    };
}

restored_kinds! {
    "restored_counters": Restored::Counters { .. },
    "restored_run": Restored::Run { .. },
    "restored_tasks": Restored::Tasks { .. },
    "restored_items": Restored::Items { .. },
    "restored_control": Restored::Control { .. },
    "restored_lease": Restored::Lease(_),
    "restored_preempted": Restored::Preempted { .. },
    "restored_retry": Restored::Retry { .. },
    "restored_budget": Restored::Budget { .. },
    "restored_breaker": Restored::Breaker(_),
    "restored_run_spent": Restored::RunSpent { .. },
    "restored_tenant_spent": Restored::TenantSpent { .. },
    "restored_durations": Restored::Durations { .. },
    "restored_end": Restored::End { .. },
}
