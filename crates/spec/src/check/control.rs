//! What a task is: work, a decision, a wait, a group. Keys that do not go with that are told.

use std::collections::BTreeMap;

use model::control::{Kind, Verdict};
use model::{Span, TaskId};

use super::decisions::Decisions;
use super::graph::TaskGraph;
use super::steps::{Role, Step, Steps, Target};
use super::task::time_limit;
use crate::code;
use crate::decision::Decision;
use crate::definition::{Action, End};
use crate::diagnostic::{Fault, Faults};
use crate::expression::bare;
use crate::file::{
    Approval, ApprovalDefault, ApprovalFile, Signal, SignalDefault, SignalFile, TaskFile, Wait,
};
use crate::instant;
use crate::limits::ROUNDS_DEFAULT;
use crate::link::Call;
use crate::read::Placed;
use crate::template::expression_references;

/// A file, as far as it is checked when its tasks are compiled.
#[derive(Clone, Copy)]
pub(super) struct Checked<'c, 'f> {
    pub steps: &'c Steps<'f>,
    pub decisions: &'c Decisions,
    pub graph: &'c TaskGraph,
    /// The files that tasks name, by task.
    pub calls: &'c BTreeMap<u32, Call>,
}

/// What a task of the file does, if no worker runs it.
pub(super) fn action(
    (number, step): (u32, &Step<'_>),
    file: &Checked<'_, '_>,
    faults: &mut Faults,
) -> Option<(Kind, Action)> {
    match step.role {
        Role::Compensation { .. } | Role::Outer => None,
        Role::Joint => Some((Kind::Decision, Action::End(End::default()))),
        Role::Task if step.is_call() => {
            refuse(step, NOT_FOR_CALLS, "a workflow of its own", faults);
            let outputs = file.calls.get(&number).map(|call| call.workflow.outputs.iter());
            let outputs = outputs.into_iter().flatten();
            let outputs = outputs.map(|(name, text)| (name.as_str().into(), text.clone()));
            let end = End { outputs: outputs.collect(), copies: None };
            Some((Kind::Decision, Action::End(end)))
        }
        Role::Gate => {
            let when = step.task.when.as_ref().map(|when| bare(&when.value.0).into());
            Some((Kind::Decision, Action::Decision(Box::new(Decision::gate(when)))))
        }
        Role::End { first } => Some(end(number, first, step, file)),
        Role::Task => {
            check_loop(step, faults);
            let found =
                waiting(step.task, faults).or_else(|| decision((number, step), file.decisions));
            if found.is_some() {
                refuse(step, NOT_FOR_CONTROL, "nothing that a worker runs", faults);
            }
            found
        }
    }
}

fn decision((number, step): (u32, &Step<'_>), decisions: &Decisions) -> Option<(Kind, Action)> {
    if let Some(decision) = decisions.by_step.get(&number) {
        return Some((Kind::Decision, Action::Decision(Box::new(decision.clone()))));
    }
    let task = step.task;
    let result = task.result.as_ref().filter(|_| !does_work(task))?;
    Some((Kind::Decision, Action::Result(bare(&result.value.0).into())))
}

/// Whether a worker runs it.
fn does_work(task: &TaskFile) -> bool {
    task.script.is_some() || task.command.is_some() || task.call().is_some()
}

fn waiting(task: &TaskFile, faults: &mut Faults) -> Option<(Kind, Action)> {
    if let Some(approval) = &task.approval {
        let Approval(ApprovalFile { message, timeout, default }) = &approval.value;
        let otherwise = default.as_ref().map(|default| match default.value {
            ApprovalDefault::Approve => Verdict::Approved,
            ApprovalDefault::Reject => Verdict::Rejected,
            ApprovalDefault::Fail => Verdict::Expired,
        });
        check_default(default.as_ref().map(|default| default.extent), timeout.is_some(), faults);
        let timeout = time_limit(timeout.as_ref(), faults);
        return Some((signal(timeout, otherwise), Action::Approval(text(message.as_ref()))));
    }
    if let Some(given) = &task.signal {
        let Signal(SignalFile { message, timeout, default }) = &given.value;
        let otherwise = default.as_ref().map(|default| match default.value {
            SignalDefault::Continue => Verdict::Approved,
            SignalDefault::Fail => Verdict::Expired,
        });
        check_default(default.as_ref().map(|default| default.extent), timeout.is_some(), faults);
        let timeout = time_limit(timeout.as_ref(), faults);
        return Some((signal(timeout, otherwise), Action::Signal(text(message.as_ref()))));
    }
    match &task.wait.as_ref()?.value {
        // A worker looks for it: that is work.
        Wait::Look(_) => None,
        Wait::For(wait) => Some((Kind::Timer { wait: *wait }, Action::Timer(None))),
        Wait::Until(until) => {
            let text = &until.value.0;
            // A time that is written out is told at once if it is none.
            let seconds = text.trim().parse().ok().and_then(instant::from_seconds);
            let expression = match text.starts_with(|first: char| first.is_ascii_digit()) {
                true if seconds.is_some() => text.trim().to_owned(),
                true => {
                    if let Err(message) = instant::parse(text) {
                        faults.push(Fault::new(code::BAD_VALUE, until.extent, message));
                    }
                    format!("'{}'", text.trim().replace(['\'', '\\'], ""))
                }
                false => bare(text),
            };
            Some((Kind::Timer { wait: Span::ZERO }, Action::Timer(Some(expression.into()))))
        }
    }
}

fn signal(timeout: Option<Span>, otherwise: Option<Verdict>) -> Kind {
    Kind::Signal { timeout, otherwise: otherwise.unwrap_or(Verdict::Expired) }
}

fn text(message: Option<&Placed<String>>) -> Box<str> {
    message.map(|message| message.value.as_str().into()).unwrap_or_default()
}

fn check_default(default: Option<crate::source::Extent>, has_timeout: bool, faults: &mut Faults) {
    if let Some(extent) = default.filter(|_| !has_timeout) {
        let message = "a `default` without a `timeout` is never used";
        faults.push(Fault::new(code::MISSING_KEY, extent, message).hint("add `timeout: 1h`"));
    }
}

/// Whether the `until` of a task looks at how tasks have ended.
pub(super) fn looks_at_status(task: &TaskFile) -> bool {
    let expression = task.until.as_ref().map(|until| bare(&until.value.0)).unwrap_or_default();
    let references = expression_references(&expression);
    references.iter().any(|it| it.root == "tasks" && it.path.iter().any(|key| key == "status"))
}

/// The end of a turn of the tasks from `first` up to this one.
fn end(number: u32, first: u32, step: &Step<'_>, file: &Checked<'_, '_>) -> (Kind, Action) {
    let steps = file.steps;
    let turns = step.task.max_rounds.as_ref().map_or(u64::from(ROUNDS_DEFAULT), |it| it.value.0);
    let expression = step.task.until.as_ref().map(|until| bare(&until.value.0)).unwrap_or_default();
    let body = first..number;
    let ends = file.graph.edges_into(number);
    let knows_status = expression_references(&expression).iter().any(|reference| {
        let found = steps.resolve_path(step.scope, &reference.path);
        reference.root == "tasks"
            && matches!(found, Some((Target::Step(it), steps))
                if body.contains(&it)
                    && reference.path.get(steps).is_some_and(|key| key == "status"))
    });
    let kind = Kind::Loop {
        first: TaskId(first),
        turns_max: u16::try_from(turns).unwrap_or(ROUNDS_DEFAULT),
    };
    (kind, Action::Until { expression: expression.into(), ends: ends.collect(), knows_status })
}

fn check_loop(step: &Step<'_>, faults: &mut Faults) {
    let task = step.task;
    if let Some(rounds) = task.max_rounds.as_ref().filter(|_| task.until.is_none()) {
        let message = "`max_rounds` belongs to a loop, and this is none";
        let fault = Fault::new(code::MISSING_KEY, rounds.extent, message);
        faults.push(fault.hint("add `until: EXPRESSION`"));
    }
    if let Some(parallel) = task.max_parallel.as_ref() {
        match &task.foreach {
            None => {
                let message = "`max_parallel` belongs to a fan-out, and this is none";
                let fault = Fault::new(code::MISSING_KEY, parallel.extent, message);
                faults.push(fault.hint("add `foreach`"));
            }
            Some(foreach) if foreach.value.max_parallel.is_some() => {
                let message = "`max_parallel` stands in the task and in its `foreach`";
                let fault = Fault::new(code::CONFLICT, parallel.extent, message);
                faults.push(fault.hint("keep one of the two"));
            }
            Some(_) => {}
        }
    }
}

/// The task whose `result` a task knows: the only one that it depends on and that has one.
pub(super) fn result_source(step: &Step<'_>, steps: &Steps<'_>) -> Option<u32> {
    let dependencies = step.task.depends_on.iter().flat_map(|depends_on| &depends_on.0);
    let mut found = dependencies.filter_map(|dependency| {
        match steps.resolve(step.scope, &dependency.task.value)? {
            Target::Step(it) if steps.list[it as usize].task.result.is_some() => Some(it),
            _ => None,
        }
    });
    let first = found.next()?;
    found.all(|other| other == first).then_some(first)
}

const NOT_FOR_CONTROL: &[&str] = &[
    "foreach",
    "gang",
    "retry",
    "timeout",
    "expected",
    "alternatives",
    "heartbeat",
    "preemptible",
    "restart_cost",
    "max_parallel",
    "spread",
    "together",
    "locks",
    "rate",
    "breaker",
    "artifacts",
    "cache",
];
const NOT_FOR_GROUPS: &[&str] = &[
    "script",
    "command",
    "decision",
    "conditions",
    "approval",
    "signal",
    "wait",
    "result",
    "gang",
    "retry",
    "timeout",
    "expected",
    "alternatives",
    "heartbeat",
    "grace",
    "preemptible",
    "restart_cost",
    "resources",
    "select",
    "prefer",
    "tolerate",
    "spread",
    "together",
    "max_parallel",
    "compensate",
    "locks",
    "rate",
    "breaker",
    "artifacts",
    "cache",
    "workflow",
];
const NOT_FOR_CALLS: &[&str] = &[
    "result",
    "gang",
    "retry",
    "timeout",
    "expected",
    "alternatives",
    "heartbeat",
    "grace",
    "preemptible",
    "restart_cost",
    "resources",
    "select",
    "prefer",
    "tolerate",
    "spread",
    "together",
    "max_parallel",
    "compensate",
    "env",
    "shell",
    "working_dir",
];
const NOT_FOR_COMPENSATIONS: &[&str] = &[
    "workflow",
    "name",
    "tasks",
    "decision",
    "conditions",
    "approval",
    "signal",
    "wait",
    "result",
    "foreach",
    "gang",
    "max_parallel",
    "spread",
    "together",
    "depends_on",
    "join",
    "when",
    "until",
    "max_rounds",
    "on",
    "on_failure",
    "compensate",
    "deadline",
    "artifacts",
    "cache",
];

/// Notes what excludes each other in the tasks, groups and compensations of a file.
pub(super) fn check(steps: &Steps<'_>, faults: &mut Faults) {
    for step in &steps.list {
        match step.role {
            Role::Task => check_one_kind(step, faults),
            Role::Compensation { .. } => {
                refuse(step, NOT_FOR_COMPENSATIONS, "a compensation", faults);
            }
            Role::Gate | Role::End { .. } | Role::Joint | Role::Outer => {}
        }
    }
    for group in &steps.groups {
        let (Some(task), Some(short)) = (group.task, group.short) else { continue };
        check_copies(task, short, faults);
        let is_group = task.tasks.is_some();
        let calls = task.calls().map(|call| call.kind.key());
        let refused = keys(task).filter(|key| NOT_FOR_GROUPS.contains(key)).chain(calls);
        for key in refused.filter(|_| is_group) {
            let message = format!("`{}` is a group, and takes no `{key}`", short.value);
            let fault = Fault::new(code::CONFLICT, short.extent, message);
            faults.push(fault.hint("write it in the tasks of the group"));
        }
        if let Some(rounds) = task.max_rounds.as_ref().filter(|_| task.until.is_none()) {
            let message = "`max_rounds` belongs to a loop, and this is none";
            faults.push(Fault::new(code::MISSING_KEY, rounds.extent, message));
        }
    }
}

/// Notes what does not go with copies of a group.
fn check_copies(task: &TaskFile, short: &Placed<String>, faults: &mut Faults) {
    let Some(foreach) = &task.foreach else { return };
    if task.until.is_some() {
        let message = format!("`{}` has copies, and takes no `until`", short.value);
        let fault = Fault::new(code::CONFLICT, short.extent, message);
        faults.push(fault.hint("put it into a group that has the `until`"));
    }
    if foreach.value.max_parallel.is_some() || task.max_parallel.is_some() {
        let message = format!("all copies of `{}` may run at once: it takes no `max_parallel`", {
            &short.value
        });
        let fault = Fault::new(code::CONFLICT, foreach.extent, message);
        faults.push(fault.hint("write it in the tasks of the group, or in the workflow"));
    }
}

fn check_one_kind(step: &Step<'_>, faults: &mut Faults) {
    const KINDS: [&str; 7] =
        ["decision", "conditions", "approval", "signal", "wait", "tasks", "workflow"];
    let task = step.task;
    let work = [("script", task.script.is_some()), ("command", task.command.is_some())];
    let work = work.into_iter().filter_map(|(key, is_there)| is_there.then_some(key));
    let calls = task.calls().map(|call| call.kind.key());
    let others = keys(task).filter(|key| KINDS.contains(key));
    let found: Vec<&str> = work.chain(calls).chain(others).collect();
    let both_work = found.as_slice() == ["script", "command"];
    if let [first, second, ..] = found.as_slice()
        && !both_work
    {
        let message = format!("task `{}` has `{first}` and `{second}`", step.name);
        let fault = Fault::new(code::CONFLICT, step.short.extent, message);
        faults.push(fault.hint("a task does one thing: make two of it"));
    }
}

fn refuse(step: &Step<'_>, words: &[&str], what: &str, faults: &mut Faults) {
    for key in keys(step.task).filter(|key| words.contains(key)) {
        let message = format!("`{}` is {what}, and takes no `{key}`", step.name);
        let fault = Fault::new(code::CONFLICT, step.short.extent, message);
        faults.push(fault.hint(format!("leave `{key}` out")));
    }
}

/// The keys that a task has and that do not go with everything.
fn keys(task: &TaskFile) -> impl Iterator<Item = &'static str> {
    let keys = [
        ("name", task.name.is_some()),
        ("script", task.script.is_some()),
        ("command", task.command.is_some()),
        ("tasks", task.tasks.is_some()),
        ("decision", task.decision.is_some()),
        ("conditions", task.conditions.is_some()),
        ("approval", task.approval.is_some()),
        ("signal", task.signal.is_some()),
        ("wait", task.wait.is_some()),
        ("result", task.result.is_some()),
        ("depends_on", task.depends_on.is_some()),
        ("join", task.join.is_some()),
        ("when", task.when.is_some()),
        ("foreach", task.foreach.is_some()),
        ("gang", task.gang.is_some()),
        ("max_parallel", task.max_parallel.is_some()),
        ("until", task.until.is_some()),
        ("max_rounds", task.max_rounds.is_some()),
        ("on", task.on.is_some()),
        ("on_failure", task.on_failure.is_some()),
        ("compensate", task.compensate.is_some()),
        ("resources", task.resources.is_some()),
        ("select", task.select.is_some()),
        ("prefer", task.prefer.is_some()),
        ("tolerate", task.tolerate.is_some()),
        ("spread", task.spread.is_some()),
        ("together", task.together.is_some()),
        ("retry", task.retry.is_some()),
        ("timeout", task.timeout.is_some()),
        ("expected", task.expected.is_some()),
        ("alternatives", task.alternatives.is_some()),
        ("heartbeat", task.heartbeat.is_some()),
        ("grace", task.grace.is_some()),
        ("preemptible", task.preemptible.is_some()),
        ("restart_cost", task.restart_cost.is_some()),
        ("locks", task.locks.is_some()),
        ("rate", task.rate.is_some()),
        ("breaker", task.breaker.is_some()),
        ("deadline", task.deadline.is_some()),
        ("artifacts", task.artifacts.is_some()),
        ("cache", task.cache.is_some()),
        ("workflow", task.workflow.is_some()),
        ("env", task.env.is_some()),
        ("shell", task.shell.is_some()),
        ("working_dir", task.working_dir.is_some()),
    ];
    keys.into_iter().filter_map(|(key, is_there)| is_there.then_some(key))
}
