//! Gangs: what goes with members that begin together and are tried again together.

use super::look::look_of;
use super::steps::Step;
use crate::call::CallKind;
use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::file::{Retry, TaskFile};
use crate::source::Extent;

/// Whether a task is a gang. Notes what does not go with that.
pub(super) fn is_one(step: &Step<'_>, faults: &mut Faults) -> bool {
    let Some(gang) = &step.task.gang else { return false };
    for (at, what, hint) in conflicts(step.task, gang.0.extent) {
        let message = format!("`{}` is a gang, {what}", step.name);
        faults.push(Fault::new(code::CONFLICT, at, message).hint(hint));
    }
    true
}

/// Where something stands that does not go with a gang, why not, and what to do.
type Conflict = (Extent, &'static str, &'static str);

fn conflicts(task: &TaskFile, gang: Extent) -> Vec<Conflict> {
    let foreach = task.foreach.as_ref().map(|foreach| {
        let hint = "for a gang for each item make a group: `{foreach: ..., tasks: {each: {gang: \
                    ...}}}`";
        (foreach.extent, "whose items are its members: it takes no `foreach`", hint)
    });
    let parallel = task.max_parallel.as_ref().map(|parallel| {
        let why = "all of which runs at once: it takes no `max_parallel`";
        (parallel.extent, why, "leave `max_parallel` out")
    });
    let cache = task.cache.as_ref().map(|cache| {
        (cache.extent, "and the outputs of one are not kept: it takes no `cache`", "leave it out")
    });
    let memory = match task.retry.as_ref() {
        Some(Retry::Rules(rules)) => rules.memory.as_ref(),
        _ => None,
    };
    let memory = memory.map(|memory| {
        let why = "whose members ask for the same: it takes no `memory` under `retry`";
        (memory.extent, why, "ask for as much as the largest member needs")
    });
    let kind = task.call().filter(|call| !may_be_gang(call.kind)).map(|call| {
        let why = "and only scripts, commands and containers work together";
        (call.extent, why, "for many calls at a time use `foreach`")
    });
    let look = look_of(task).map(|look| {
        (look.at.extent, "and waits for something to come", "one that waits is enough")
    });
    let alternatives = task.alternatives.as_ref().map(|alternatives| {
        let why = "whose members all ask for the same: it takes no `alternatives`";
        (alternatives.extent, why, "leave `alternatives` out")
    });
    let workflow = task.workflow.as_ref().map(|_| {
        let why = "and a file has gangs of its own";
        (gang, why, "write `gang` in tasks of that file")
    });
    let all = [foreach, parallel, cache, memory, kind, look, alternatives, workflow];
    all.into_iter().flatten().collect()
}

/// Whether it makes sense that many do such work together.
const fn may_be_gang(kind: CallKind) -> bool {
    matches!(kind, CallKind::Container | CallKind::Noop | CallKind::Sleep | CallKind::Emit)
}

#[cfg(test)]
mod tests {
    use crate::source::Source;

    fn told(task: &str) -> String {
        let text = format!("params: {{n: 2}}\ntasks: {{a: {{{task}}}}}").into_bytes();
        let source = Source { name: "a.yaml".to_owned(), folder: "/".into(), text };
        crate::check(&source).map_or_else(|told| told.to_string(), |_| String::new())
    }

    #[test]
    fn a_gang_is_read() {
        for good in [
            "script: x, gang: 4",
            "script: 'echo {{ item }} {{ index }}', gang: '{{ params.n }}'",
            "command: [x], gang: 2, together: zone, spread: node, retry: 3, timeout: 1h",
            "container: {image: x}, gang: 2",
            "sleep: 1s, gang: 2, preemptible: true",
        ] {
            assert_eq!(told(good), "", "{good}");
        }
    }

    #[test]
    fn what_does_not_go_with_a_gang_is_told_with_its_place_and_what_to_do() {
        for (bad, expected) in [
            (
                "script: x, gang: 2, alternatives: [{resources: {cpu: 1}}]",
                "it takes no `alternatives`",
            ),
            ("script: x, gang: 0", "`gang` is a whole number from 1 to 1024, not 0"),
            ("script: x, gang: 1025", "`gang` is a whole number from 1 to 1024, not 1025"),
            ("script: x, gang: many", "a whole number"),
            ("script: x, gang: [1]", "`gang` takes a number of members, or a template"),
            ("script: x, gang: '{{ params.m }}'", "`m`"),
            ("script: x, gang: 2, foreach: [1]", "it takes no `foreach`"),
            ("script: x, gang: 2, max_parallel: 1", "it takes no `max_parallel`"),
            ("script: x, gang: 2, cache: true", "it takes no `cache`"),
            ("http: 'http://x', gang: 2", "only scripts, commands and containers work together"),
            ("signal: {}, gang: 2", "takes no `gang`"),
            (
                "script: x, gang: 2, resources: {memory: 1Gi}, retry: {limit: 1, memory: x2}",
                "it takes no `memory` under `retry`",
            ),
        ] {
            let told = told(bad);
            assert!(told.contains(expected) && told.contains("a.yaml:2:"), "{bad}: {told}");
        }
    }
}
