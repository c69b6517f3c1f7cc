//! Waiting for a file or an address, as it is kept: a small script that looks, waits, and looks
//! again, with a variable that tells it where; or a request that is sent again and again. Here it
//! is written, and read again for people.

use model::{Span, TaskId};
use serde_json::json;

use super::{Action, Definition, TaskDefinition};
use crate::call::{Call, CallKind};

/// The variable that tells the script where to look: no text has to be quoted.
const AT: &str = "AUTOGLM_WAIT_FOR";
const FILE: &str = "until [ -e \"$AUTOGLM_WAIT_FOR\" ]; do sleep ";

/// What a task looks for that waits for something to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked<'d> {
    /// A path or an address, as it is written.
    pub at: &'d str,
    /// What the address has to answer; nothing for a path.
    pub status: Option<u64>,
}

/// What looks, and the variable that it reads, if it does.
pub(crate) fn action(
    at: &str,
    status: Option<u64>,
    every: Span,
) -> (Action, Option<(String, String)>) {
    let Span(every) = every;
    if let Some(status) = status {
        let settings = json!({
            "url": at,
            "expect": status,
            "every": format!("{every}us"),
            "timeout": "30s",
            "redirects": 0,
        });
        return (Action::Call(Box::new(Call { kind: CallKind::Http, settings })), None);
    }
    let (seconds, millis) = (every / 1_000_000, every / 1_000 % 1_000);
    let script = format!("{FILE}{seconds}.{millis:03}; done");
    (Action::Script(script.into()), Some((AT.to_owned(), at.to_owned())))
}

/// What a task looks for, if it is one that looks.
pub(super) fn looked(task: &TaskDefinition) -> Option<Looked<'_>> {
    match &task.action {
        Action::Script(script) => {
            let (_, at) = task.env.iter().find(|(name, _)| name == AT)?;
            script.starts_with(FILE).then_some(Looked { at, status: None })
        }
        Action::Call(call) if call.kind == CallKind::Http => {
            // No request of a file's own is sent again and again.
            call.settings.get("every")?;
            let at = call.settings.get("url")?.as_str()?;
            Some(Looked { at, status: call.settings.get("expect")?.as_u64() })
        }
        _ => None,
    }
}

impl Definition {
    /// The file or the address that a task waits for, if it does.
    #[must_use]
    pub fn looked_for(&self, task: TaskId) -> Option<Looked<'_>> {
        looked(self.get(task)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for status in [None, Some(200)] {
            let (action, variable) = action("a b", status, Span(1_500_000));
            let env = variable.into_iter().collect();
            let task = TaskDefinition { action, env, ..TaskDefinition::default() };
            assert_eq!(looked(&task), Some(Looked { at: "a b", status }));
        }
        let action = Action::Script("until [ -e x ]; do sleep 1; done".into());
        assert_eq!(looked(&TaskDefinition { action, ..TaskDefinition::default() }), None);
    }
}
