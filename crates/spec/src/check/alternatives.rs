//! With what else a task can be done: each a request, and how long it takes with that.
//!
//! What there is in the place where it runs, and which is taken, is the planner's to know.

use model::limits::ALTERNATIVES_MAX;
use model::policy::Alternative;

use super::resources;
use super::task::expected_time;
use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::file::{AlternativeFile, TaskFile};
use crate::source::Extent;

/// The alternatives of a task. They are for work that asks for something of this machine.
pub(super) fn alternatives(task: &TaskFile, faults: &mut Faults) -> Box<[Alternative]> {
    let Some(said) = &task.alternatives else { return Box::default() };
    if said.value.len() > ALTERNATIVES_MAX {
        let message =
            format!("there are {} alternatives, and at most {ALTERNATIVES_MAX}", said.value.len());
        faults.push(Fault::new(code::TOO_LARGE, said.extent, message));
    }
    let waits = task.wait.is_some() || task.call().is_some_and(|call| call.kind.waits_for_others());
    if waits {
        let message = "what waits for another machine has no `alternatives`";
        let fault = Fault::new(code::CONFLICT, said.extent, message);
        faults.push(fault.hint("leave `alternatives` out: it asks for next to nothing here"));
    }
    if let Some(together) = &task.together {
        let message = "a task has `alternatives`, or its items stay `together`";
        let fault = Fault::new(code::CONFLICT, said.extent, message);
        faults.push(fault.related(together.extent, "together").hint("keep one of the two"));
    }
    let is_pinned = task.resources.as_ref().and_then(|own| own.pin.as_ref());
    let is_pinned = is_pinned.is_some_and(|pin| pin.value.0);
    let alternatives = said.value.iter();
    alternatives.map(|it| alternative(it, (said.extent, is_pinned), faults)).collect()
}

fn alternative(
    file: &AlternativeFile,
    (extent, is_pinned): (Extent, bool),
    faults: &mut Faults,
) -> Alternative {
    let expected = expected_time(file.expected.as_ref(), faults);
    let Some(said) = &file.resources else {
        let message = "an alternative says no `resources`";
        let fault = Fault::new(code::MISSING_KEY, extent, message);
        faults.push(fault.hint("write what it asks for: `resources: {cpu: 16}`"));
        return Alternative::default();
    };
    if resources::limits(Some(said), faults).is_some() {
        let message = "an alternative says what it asks for, and no limits";
        let fault = Fault::new(code::CONFLICT, said.extent, message);
        faults.push(fault.hint(
            "write limits in the `resources` of the task: they hold in every alternative, and are \
             raised to what it asks for",
        ));
    }
    let request = resources::request(Some(said));
    if is_pinned && !request.cpu_milli.is_multiple_of(resources::CORE_MILLI) {
        let message = "`pin` takes whole cores";
        let fault = Fault::new(code::BAD_VALUE, said.extent, message);
        faults.push(fault.hint("ask for a whole number of `cpu`, or leave `pin` out"));
    }
    Alternative { request, expected }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;
    use model::{DeviceRequest, Request, Span};
    use std::collections::BTreeMap;

    fn read(task: &str) -> Result<Box<[Alternative]>, String> {
        let text = format!("tasks: {{a: {{{task}}}}}").into_bytes();
        let source = Source { name: "a.yaml".to_owned(), folder: "/".into(), text };
        let checked = crate::check(&source).map_err(|told| told.to_string())?;
        let compiled = checked.bind(&BTreeMap::new()).expect("bound").compile().expect("compiled");
        Ok(compiled.parts.policies[0].alternatives.clone())
    }

    #[test]
    fn what_an_alternative_leaves_out_it_does_not_ask_for() {
        let read = read(
            "script: x, resources: {gpu: a100, memory: 8Gi}, expected: 10m, alternatives: \
             [{resources: {gpu: 't4:2'}, expected: 25m}, {resources: {cpu: 16}}]",
        );
        let t4 = DeviceRequest { kinds: ["t4".into()].into(), ..DeviceRequest::whole(2) };
        let request = |cpu_milli, devices| Request { cpu_milli, devices, ..Request::default() };
        let first =
            Alternative { request: request(1_000, t4), expected: Some(Span::secs(25 * 60)) };
        let second =
            Alternative { request: request(16_000, DeviceRequest::default()), expected: None };
        assert_eq!(read.as_deref(), Ok(&[first, second][..]));
    }

    #[test]
    fn what_cannot_be_an_alternative_is_told_with_its_place_and_what_to_do() {
        for (bad, expected) in [
            ("script: x, alternatives: {cpu: 4}", "`alternatives` takes a list"),
            ("script: x, alternatives: [{expected: 2h}]", "an alternative says no `resources`"),
            ("script: x, alternatives: [{cpu: 4}]", "write `resources: {cpu: ...}`"),
            (
                "script: x, alternatives: [{resources: {cpu: 4}, expected: 0s}]",
                "`expected` is longer than nothing",
            ),
            (
                "script: x, alternatives: [{resources: {requests: {cpu: 4}, limits: {cpu: 8}}}]",
                "an alternative says what it asks for, and no limits",
            ),
            (
                "script: x, resources: {pin: true}, alternatives: [{resources: {cpu: 500m}}]",
                "`pin` takes whole cores",
            ),
            (
                "script: x, foreach: [1], together: node, alternatives: [{resources: {cpu: 4}}]",
                "or its items stay `together`",
            ),
            ("wait: 1s, alternatives: [{resources: {cpu: 4}}]", "`alternatives`"),
            (
                "wait: {file: x}, alternatives: [{resources: {cpu: 4}}]",
                "what waits for another machine has no `alternatives`",
            ),
            (
                "http: 'https://example.org', alternatives: [{resources: {cpu: 4}}]",
                "what waits for another machine has no `alternatives`",
            ),
            ("script: x, variants: []", "write `alternatives`"),
        ] {
            let told = read(bad).expect_err(bad);
            assert!(told.contains(expected) && told.contains("a.yaml:1:"), "{bad}: {told}");
        }
    }
}
