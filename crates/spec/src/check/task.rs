//! One task: what it does, what it needs, and how it is run.

use model::collections::HashMap;
use model::policy::{Policy, Priority, RetryPolicy, Trigger};
use model::{Request, Span};

use super::check_name;
use crate::code;
use crate::compile::{ItemsExpression, check_count, range_items, single_expression};
use crate::definition::{Action, Items, TaskDefinition};
use crate::diagnostic::{Fault, Faults};
use crate::file::{
    Duration, Foreach, HandlerEvent, NamedTask, OneOrMany, Resources, Retry, RetryFile, TaskFile,
    Whole,
};
use crate::limits::{ARGUMENT_BYTES_MAX, NAME_BYTES_MAX, RETRIES_MAX};
use crate::read::Placed;
use crate::source::Extent;
use crate::template::is_template;

/// The tasks as the engine and the workers take them.
#[derive(Default)]
pub(super) struct CompiledTasks {
    pub policies: Vec<Policy>,
    pub policy_of: Vec<u32>,
    pub tasks: Vec<TaskDefinition>,
    /// Fan-outs whose items follow from parameters.
    pub computed: Vec<(u32, ItemsExpression, Extent)>,
}

pub(super) fn compile(
    tasks: &[NamedTask],
    priority: Priority,
    faults: &mut Faults,
) -> CompiledTasks {
    let mut compiled = CompiledTasks::default();
    let mut numbers: HashMap<Policy, u32> = HashMap::default();
    for (number, named) in (0..).zip(tasks) {
        let NamedTask { name, task, .. } = named;
        check_name("a task", name, faults);
        let policy = policy(task, priority, faults);
        let next = u32::try_from(numbers.len()).expect("no more policies than tasks");
        let policy = *numbers.entry(policy).or_insert_with_key(|policy| {
            compiled.policies.push(policy.clone());
            next
        });
        compiled.policy_of.push(policy);
        let items = match &task.foreach {
            None => Items::Single,
            Some(foreach) => items(foreach, faults).unwrap_or_else(|expression| {
                compiled.computed.push((number, expression, foreach.extent));
                Items::Single
            }),
        };
        compiled.tasks.push(definition(named, items, faults));
    }
    compiled
}

fn definition(named: &NamedTask, items: Items, faults: &mut Faults) -> TaskDefinition {
    let NamedTask { name, task, .. } = named;
    let env = task.env.iter().flat_map(|env| &env.0);
    TaskDefinition {
        name: name.value.as_str().into(),
        action: action(named, faults),
        env: env.map(|(name, text)| (name.value.clone(), text.value.clone())).collect(),
        shell: task.shell.as_ref().map(|shell| shell.0.as_slice().into()),
        working_dir: task.working_dir.as_ref().map(|folder| folder.value.as_str().into()),
        items,
    }
}

fn action(named: &NamedTask, faults: &mut Faults) -> Action {
    let NamedTask { name, task, is_whole } = named;
    match (&task.script, &task.command) {
        (Some(script), Some(command)) => {
            let message = format!("task `{}` has a `script` and a `command`", name.value);
            faults.push(
                Fault::new(code::CONFLICT, command.extent, message)
                    .related(script.extent, "the script")
                    .hint("keep one of the two"),
            );
        }
        (Some(script), None) => return Action::Script(text(script, "script", faults)),
        (None, Some(command)) => {
            let words = &command.value.0;
            if words.first().is_none_or(|program| program.value.is_empty()) {
                let message = "the command has no program";
                faults.push(Fault::new(code::BAD_VALUE, command.extent, message));
            }
            return Action::Command(words.iter().map(|word| word.value.clone()).collect());
        }
        (None, None) => {
            // A script that could not be read has its own fault, and so has a word of another
            // tool or of a later version that stands for one.
            if *is_whole {
                let message = format!("task `{}` has nothing to run", name.value);
                let fault = Fault::new(code::MISSING_KEY, name.extent, message);
                faults.push(fault.hint("give it a `script` or a `command`"));
            }
        }
    }
    Action::default()
}

fn text(text: &Placed<String>, key: &str, faults: &mut Faults) -> Box<str> {
    if text.value.trim().is_empty() {
        let message = format!("the {key} is empty");
        faults.push(Fault::new(code::BAD_VALUE, text.extent, message));
    }
    if text.value.len() >= ARGUMENT_BYTES_MAX && !is_template(&text.value) {
        let message = format!(
            "the {key} has {} bytes, and may have {}",
            text.value.len(),
            ARGUMENT_BYTES_MAX - 1
        );
        let fault = Fault::new(code::TOO_LARGE, text.extent, message);
        faults.push(fault.hint("put it into a file beside the workflow, and run that"));
    }
    text.value.as_str().into()
}

/// The items, or the expression that they follow from.
fn items(foreach: &Placed<Foreach>, faults: &mut Faults) -> Result<Items, ItemsExpression> {
    let items = match &foreach.value {
        Foreach::Values(values) => {
            check_count(values.len() as u64).map(|_| Items::Values(values.clone()))
        }
        Foreach::Range(bounds) if is_template(&bounds.first) || is_template(&bounds.end) => {
            return Err(ItemsExpression::Range(bounds.first.clone(), bounds.end.clone()));
        }
        Foreach::Range(bounds) => {
            let number = |text: &str| {
                text.trim().parse::<i64>().map_err(|_| format!("`{text}` is not a whole number"))
            };
            number(&bounds.first)
                .and_then(|first| number(&bounds.end).map(|end| (first, end)))
                .and_then(|(first, end)| range_items(first, end))
        }
        Foreach::Expression(text) => match single_expression(text) {
            Some(expression) => return Err(ItemsExpression::List(expression)),
            None => Err("`foreach` takes one expression and nothing beside it".to_owned()),
        },
    };
    Ok(items.unwrap_or_else(|message| {
        let fault = Fault::new(code::BAD_ITEMS, foreach.extent, message);
        faults.push(fault.hint("write a list, `{range: N}` or `\"{{ params.list }}\"`"));
        Items::Single
    }))
}

fn policy(task: &TaskFile, priority: Priority, faults: &mut Faults) -> Policy {
    Policy {
        request: request(task.resources.as_ref(), faults),
        retry: retry(task.retry.as_ref(), faults),
        timeout: time_limit(task.timeout.as_ref(), faults),
        grace: task.grace.map_or(Policy::default().grace, |grace| grace.0),
        priority: super::priority(task.priority).unwrap_or(priority),
        trigger: match task.on {
            None => Trigger::Dependencies,
            Some(HandlerEvent::Success) => Trigger::Success,
            Some(HandlerEvent::Failure) => Trigger::Failure,
            Some(HandlerEvent::Cancel) => Trigger::Cancel,
            Some(HandlerEvent::Exit) => Trigger::Exit,
        },
        ..Policy::default()
    }
}

/// A time limit: longer than nothing.
pub(super) fn time_limit(limit: Option<&Placed<Duration>>, faults: &mut Faults) -> Option<Span> {
    let limit = limit?;
    if limit.value.0 == Span::ZERO {
        let fault = Fault::new(code::BAD_VALUE, limit.extent, "a `timeout` is longer than nothing");
        faults.push(fault.hint("leave `timeout` out for no limit"));
        return None;
    }
    Some(limit.value.0)
}

fn request(resources: Option<&Resources>, faults: &mut Faults) -> Request {
    let default = Policy::default().request;
    let Some(resources) = resources else { return default };
    for (name, _) in &resources.custom {
        if name.value.is_empty() || name.value.len() > NAME_BYTES_MAX {
            let message = "the name of a resource has 1 to 200 bytes";
            faults.push(Fault::new(code::BAD_NAME, name.extent, message));
        }
    }
    let amounts = resources.custom.iter().filter(|(_, amount)| *amount > 0);
    let mut custom: Vec<(Box<str>, u64)> =
        amounts.map(|(name, amount)| (name.value.as_str().into(), *amount)).collect();
    custom.sort_unstable();
    Request {
        cpu_milli: resources.cpu.map_or(default.cpu_milli, |cpu| cpu.0),
        memory_bytes: resources.memory.map_or(default.memory_bytes, |memory| memory.0),
        custom: custom.into(),
    }
}

fn retry(retry: Option<&Retry>, faults: &mut Faults) -> RetryPolicy {
    let default = RetryPolicy::default();
    match retry {
        None => default,
        Some(Retry::Limit(limit)) => RetryPolicy { limit: count(limit), ..default },
        Some(Retry::Rules(rules)) => {
            let RetryFile { limit, backoff, backoff_max, exit_codes, not_exit_codes, loss_limit } =
                &**rules;
            let is_empty = limit.is_none() && loss_limit.is_none();
            if let Some(given) = backoff.as_ref().or(backoff_max.as_ref()).filter(|_| is_empty) {
                let message = "`retry` has no `limit`, so that nothing is tried again";
                let fault = Fault::new(code::MISSING_KEY, given.extent, message);
                faults.push(fault.hint("add how many attempts may follow the first: `limit: 3`"));
            }
            let span = |span: &Option<Placed<Duration>>| span.as_ref().map(|span| span.value.0);
            let (first, longest) = (span(backoff), span(backoff_max));
            if let (Some(backoff), Some(longest)) = (backoff, longest)
                && backoff.value.0 > longest
            {
                let message = "`backoff` is longer than `backoff_max`";
                faults.push(Fault::new(code::BAD_VALUE, backoff.extent, message));
            }
            let first = first.unwrap_or(default.backoff);
            RetryPolicy {
                limit: limit.as_ref().map_or(0, count),
                loss_limit: loss_limit.as_ref().map_or(default.loss_limit, count),
                backoff: longest.map_or(first, |longest| first.min(longest)),
                backoff_max: longest.unwrap_or(default.backoff_max).max(first),
                only_exit_codes: exit_codes.as_ref().map(codes).unwrap_or_default(),
                never_exit_codes: not_exit_codes.as_ref().map(codes).unwrap_or_default(),
            }
        }
    }
}

fn count(limit: &Whole<0, { RETRIES_MAX as u64 }>) -> u8 {
    u8::try_from(limit.0).unwrap_or(RETRIES_MAX)
}

fn codes(codes: &OneOrMany<Whole<0, 255>>) -> Box<[i32]> {
    let numbers = codes.0.iter().filter_map(|code| i32::try_from(code.0).ok());
    let mut numbers: Vec<i32> = numbers.collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers.into()
}
