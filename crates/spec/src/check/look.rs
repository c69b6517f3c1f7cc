//! Waiting for a file or an address is work: it is killed and timed like any other, and costs a
//! worker next to nothing.

use model::Request;

use crate::file::{Look, TaskFile, Wait};

/// What a task looks for, if it waits for something to come.
pub(super) fn look_of(task: &TaskFile) -> Option<&Look> {
    match &task.wait.as_ref()?.value {
        Wait::Look(look) => Some(look),
        _ => None,
    }
}

/// What it needs of a worker.
pub(super) fn request() -> Request {
    Request { cpu_milli: 10, ..Request::default() }
}
