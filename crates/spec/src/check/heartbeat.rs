//! How long attempts may be silent, and which tasks have a voice at all.

use model::Span;

use super::look::look_of;
use super::steps::Step;
use super::task::longer_than_nothing;
use crate::call::CallKind;
use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::file::TaskFile;

/// How long an attempt of a task may be silent. Notes what goes with no such limit.
pub(super) fn heartbeat(step: &Step<'_>, faults: &mut Faults) -> Option<Span> {
    let said = step.task.heartbeat.as_deref()?;
    if let Some((why, hint)) = mute(step.task) {
        let message = format!("`{}` {why}, and takes no `heartbeat`", step.name);
        faults.push(Fault::new(code::CONFLICT, said.extent, message).hint(hint));
    }
    longer_than_nothing("heartbeat", Some(said), faults)
}

/// Why attempts of a task cannot say that they live, and what to write instead.
fn mute(task: &TaskFile) -> Option<(&'static str, &'static str)> {
    let is_batched = || task.function.as_ref().is_some_and(|it| it.value.file.batch.is_some());
    match task.call().map(|call| call.kind) {
        None => look_of(task)
            .is_some()
            .then_some(("waits for something to come", "write a `timeout` under `wait`")),
        Some(CallKind::Function) if is_batched() => Some((
            "works on many items in one call, which has one voice",
            "leave `batch` out, or limit the call by a `timeout`",
        )),
        Some(CallKind::Function | CallKind::Container) => None,
        Some(_) => Some(("runs nothing of yours that could say something", "write a `timeout`")),
    }
}
