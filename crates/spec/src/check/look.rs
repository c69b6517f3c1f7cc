//! Waiting for a file or an address: a small script that looks, waits, and looks again.
//!
//! It costs a worker next to nothing, and is killed and timed like any other work.

use model::{Request, Span};

use crate::definition::Action;
use crate::file::{Look, TaskFile, Wait};

/// The variable that tells the script where to look: no text has to be quoted.
const AT: &str = "AUTOGLM_WAIT_FOR";

/// What a task looks for, if it waits for something to come.
pub(super) fn look_of(task: &TaskFile) -> Option<&Look> {
    match &task.wait.as_ref()?.value {
        Wait::Look(look) => Some(look),
        _ => None,
    }
}

/// The script that looks, and the variable that it reads.
pub(super) fn action(look: &Look) -> (Action, (String, String)) {
    let is_there = match look.status {
        None => format!("[ -e \"${AT}\" ]"),
        Some(status) => {
            let ask = "curl -s -o /dev/null -m 30 -w '%{http_code}'";
            format!("[ \"$({ask} --url \"${AT}\")\" = {status} ]")
        }
    };
    let Span(every) = look.every;
    let (seconds, millis) = (every / 1_000_000, every / 1_000 % 1_000);
    let script = format!("until {is_there}; do sleep {seconds}.{millis:03}; done");
    (Action::Script(script.into()), (AT.to_owned(), look.at.value.clone()))
}

/// What it needs of a worker.
pub(super) fn request() -> Request {
    Request { cpu_milli: 10, ..Request::default() }
}
