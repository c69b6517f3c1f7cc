//! S7: only the transitions of the published tables happen; a final state is final for its round.

use model::{RunStatus, TaskStatus};

/// Holds a change of an item against the table.
///
/// # Errors
/// The table does not have it.
pub fn item(from: TaskStatus, to: TaskStatus) -> Result<(), String> {
    if from.may_become(to) { Ok(()) } else { Err(format!("an item went from {from} to {to}")) }
}

/// Holds a change of a run against the table.
///
/// # Errors
/// The table does not have it.
pub fn run(from: RunStatus, to: RunStatus) -> Result<(), String> {
    if from.may_become(to) { Ok(()) } else { Err(format!("a run went from {from} to {to}")) }
}
