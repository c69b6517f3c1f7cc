//! Why a text of a fan-out does not know its item: what it decides, or undoes, is the whole task.

use super::steps::{Role, Step, Steps};

/// The reason and what to write instead; nothing if the task is no fan-out at all.
pub(super) fn reason(step: &Step<'_>, steps: &Steps<'_>) -> Option<(String, String)> {
    let name = step.written_name();
    if let Role::Compensation { of } = step.role {
        steps.list[of as usize].task.items()?;
        let message = "a compensation undoes a fan-out as a whole, when all its items have \
             succeeded, and knows no `item`";
        let hint = format!(
            "to undo each item that has succeeded, make a group of it: `{name}: {{foreach: ..., \
             tasks: {{each: {{script: ..., compensate: ...}}}}}}`"
        );
        return Some((message.to_owned(), hint));
    }
    step.task.items()?;
    let message =
        format!("`when` and `foreach` of `{name}` are worked out once, before there is an `item`");
    let hint = "leave items out of the list: `foreach: \"params.list | select('gt', 1)\"`, or \
         `| selectattr('key', 'eq', 'x')` of mappings";
    Some((message, hint.to_owned()))
}
