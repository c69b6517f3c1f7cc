//! Waiting for a file or an address, as it is kept: a small script that looks, waits, and looks
//! again, and a variable that tells it where. Here it is written, and read again for people.

use super::{Action, Definition, TaskDefinition};
use model::{Span, TaskId};

/// The variable that tells the script where to look: no text has to be quoted.
const AT: &str = "AUTOGLM_WAIT_FOR";
const FILE: &str = "until [ -e \"$AUTOGLM_WAIT_FOR\" ]; do sleep ";
const ADDRESS: &str = "until [ \"$(curl -s -o /dev/null -m 30 -w '%{http_code}' \
     --url \"$AUTOGLM_WAIT_FOR\")\" = ";

/// What a task looks for that waits for something to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked<'d> {
    /// A path or an address, as it is written.
    pub at: &'d str,
    /// What the address has to answer; nothing for a path.
    pub status: Option<u64>,
}

/// The script that looks, and the variable that it reads.
pub(crate) fn script(at: &str, status: Option<u64>, every: Span) -> (Action, (String, String)) {
    let Span(every) = every;
    let (seconds, millis) = (every / 1_000_000, every / 1_000 % 1_000);
    let script = match status {
        None => format!("{FILE}{seconds}.{millis:03}; done"),
        Some(status) => format!("{ADDRESS}{status} ]; do sleep {seconds}.{millis:03}; done"),
    };
    (Action::Script(script.into()), (AT.to_owned(), at.to_owned()))
}

/// What a task looks for, if it is one that looks.
pub(super) fn looked(task: &TaskDefinition) -> Option<Looked<'_>> {
    let Action::Script(script) = &task.action else { return None };
    let (_, at) = task.env.iter().find(|(name, _)| name == AT)?;
    let status = match script.strip_prefix(ADDRESS) {
        Some(behind) => Some(behind.split_once(' ')?.0.parse().ok()?),
        None => script.strip_prefix(FILE).map(|_| None)?,
    };
    Some(Looked { at, status })
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
            let (action, variable) = script("a b", status, Span(1_500_000));
            let env = vec![variable].into();
            let task = TaskDefinition { action, env, ..TaskDefinition::default() };
            assert_eq!(looked(&task), Some(Looked { at: "a b", status }));
        }
        let action = Action::Script("until [ -e x ]; do sleep 1; done".into());
        assert_eq!(looked(&TaskDefinition { action, ..TaskDefinition::default() }), None);
    }
}
