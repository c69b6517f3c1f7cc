//! Waiting for a file or an address: a small script that looks, waits, and looks again, or a
//! request that is sent again and again.
//!
//! It costs a worker next to nothing, and is killed and timed like any other work.

use model::{Request, Span};
use serde_json::json;

use crate::call::{Call, CallKind};
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

/// What looks, and the variable that it reads, if it does.
pub(super) fn action(look: &Look) -> (Action, Option<(String, String)>) {
    let Span(every) = look.every;
    if let Some(status) = look.status {
        let settings = json!({
            "url": look.at.value,
            "expect": status,
            "every": format!("{every}us"),
            "timeout": "30s",
            "redirects": 0,
        });
        return (Action::Call(Box::new(Call { kind: CallKind::Http, settings })), None);
    }
    let (seconds, millis) = (every / 1_000_000, every / 1_000 % 1_000);
    let script = format!("until [ -e \"${AT}\" ]; do sleep {seconds}.{millis:03}; done");
    (Action::Script(script.into()), Some((AT.to_owned(), look.at.value.clone())))
}

/// What it needs of a worker.
pub(super) fn request() -> Request {
    Request { cpu_milli: 10, ..Request::default() }
}
