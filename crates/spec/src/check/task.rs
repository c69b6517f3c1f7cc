//! One task: what it does, what it needs, and how it is run.

use std::collections::BTreeMap;

use model::collections::HashMap;
use model::control::Join;
use model::policy::{Alternative, Policy, Trigger, Variant};
use model::shared::{Deadline, Shared};
use model::{Request, Span};

use super::control::Checked;
use super::fan_out::{self, Known};
use super::heartbeat::heartbeat;
use super::look::{self, look_of};
use super::models::Models;
use super::sharing::Sharing;
use super::steps::{Role, Step, Steps};
use super::{
    Inherited, alternatives, artifacts, check_name, control, gang, resources, retries, site,
};
use crate::call::{Call, function};
use crate::code;
use crate::definition::{Action, Control, Extras, TaskDefinition, look_action};
use crate::diagnostic::{Fault, Faults};
use crate::expression::bare;
use crate::file::{Called, Duration, JoinFile, Shell, TaskFile};
use crate::items::{Items, ItemsSource};
use crate::limits::ARGUMENT_BYTES_MAX;
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
    pub computed: Vec<Computed>,
}

/// A fan-out whose items follow from parameters.
pub(super) struct Computed {
    pub task: u32,
    pub source: ItemsSource,
    pub max_items: u32,
    pub extent: Extent,
}

/// What holds for tasks that say nothing of it, and what they may share.
pub(super) struct Defaults<'f> {
    /// Of tasks that say nothing themselves.
    pub inherited: Inherited,
    pub sharing: Sharing<'f>,
    pub models: Models<'f>,
}

pub(super) fn compile(
    file: Checked<'_, '_>,
    defaults: Defaults<'_>,
    faults: &mut Faults,
) -> CompiledTasks {
    let steps = file.steps;
    for short in steps.groups.iter().filter_map(|group| group.short) {
        check_name("a group", short, faults);
    }
    let compiler = Compiler { file, steps, defaults };
    let mut compiled = CompiledTasks::default();
    let mut numbers: HashMap<Policy, u32> = HashMap::default();
    for (number, step) in (0..).zip(&steps.list) {
        let (policy, task) = compiler.compile(number, step, &mut compiled.computed, faults);
        let next = u32::try_from(numbers.len()).expect("no more policies than tasks");
        let policy = *numbers.entry(policy).or_insert_with_key(|policy| {
            compiled.policies.push(policy.clone());
            next
        });
        compiled.policy_of.push(policy);
        compiled.tasks.push(task);
    }
    compiled
}

struct Compiler<'s, 'f> {
    file: Checked<'s, 'f>,
    steps: &'s Steps<'f>,
    defaults: Defaults<'s>,
}

impl Compiler<'_, '_> {
    fn compile(
        &self,
        number: u32,
        step: &Step<'_>,
        computed: &mut Vec<Computed>,
        faults: &mut Faults,
    ) -> (Policy, TaskDefinition) {
        if step.role == Role::Task {
            check_name("a task", step.short, faults);
        }
        if step.role == Role::Outer {
            return (Policy::default(), TaskDefinition::default());
        }
        let control = control::action((number, step), &self.file, faults);
        let Some((kind, action)) = control else {
            return self.work(number, step, computed, faults);
        };
        // What stands for a group is skipped by its own condition, and it has no others.
        let is_own = step.role == Role::Task && !step.is_call();
        let when = step.task.when.as_ref().filter(|_| is_own);
        let mut policy = self.policy(step);
        policy.asks = when.is_some() || matches!(action, Action::Timer(Some(_)));
        policy.kind = kind;
        let control = Control {
            when: when.map(|when| bare(&when.value.0).into()),
            result_of: control::result_source(step, self.steps).filter(|_| is_own),
            ..Control::default()
        };
        let mut task = self.named(step, control);
        task.action = action;
        let labels = self.labels(step);
        task.extras = boxed(Extras { labels, ..Extras::default() });
        (policy, task)
    }

    fn work(
        &self,
        number: u32,
        step: &Step<'_>,
        computed: &mut Vec<Computed>,
        faults: &mut Faults,
    ) -> (Policy, TaskDefinition) {
        let task = step.task;
        let mut control = Control {
            when: task.when.as_ref().map(|when| bare(&when.value.0).into()),
            result: task.result.as_ref().map(|result| bare(&result.value.0).into()),
            result_of: control::result_source(step, self.steps),
            ..Control::default()
        };
        let items = items((number, task), &mut control, computed, faults);
        let extras = self.extras(step, faults);
        let (request, mut ways) = (self.request(task), self.shared(task, faults).into_iter());
        let mut policy = Policy {
            shared: ways.next().unwrap_or_default(),
            others: ways.map(|shared| Variant { request: request.clone(), shared }).collect(),
            request,
            retry: retries::policy(task, faults),
            constraints: site::constraints(task, faults),
            timeout: time_limit(task.timeout.as_ref(), faults),
            expected: expected(task, faults),
            alternatives: alternatives(task, faults),
            grace: task.grace.map_or(Policy::default().grace, |grace| grace.0),
            preemptible: task.preemptible.is_some_and(|may| may.0),
            restart_cost: task.restart_cost.map_or(Span::ZERO, |cost| cost.0),
            asks: control.when.is_some() || control.late.is_some() || extras.cache.is_some(),
            concurrency: concurrency(task),
            gang: gang::is_one(step, faults),
            ..self.policy(step)
        };
        let (env, shell, folder) = self.surroundings(step);
        let mut env: Vec<(String, String)> =
            env.into_iter().map(|(name, text)| (name.clone(), text.clone())).collect();
        let mut shell = shell.map(|shell| shell.0.as_slice().into());
        let action = match look_of(task) {
            None => match task.call() {
                None => action(step, faults),
                Some(called) => self.call(called, step, &mut policy, faults),
            },
            Some(look) => {
                let (action, place) = look_action(&look.at.value, look.status, look.every);
                env.extend(place);
                shell = Some(["sh".to_owned(), "-u".to_owned()].into());
                policy.timeout = time_limit(look.timeout.as_ref(), faults).or(policy.timeout);
                if task.resources.is_none() {
                    policy.request = look::request();
                }
                action
            }
        };
        let task = TaskDefinition {
            action,
            env: env.into(),
            shell,
            working_dir: folder.map(|folder| folder.value.as_str().into()),
            items,
            extras: boxed(extras),
            ..self.named(step, control)
        };
        (policy, task)
    }

    /// What few tasks have beside what they do.
    fn extras(&self, step: &Step<'_>, faults: &mut Faults) -> Extras {
        let task = step.task;
        Extras {
            labels: self.labels(step),
            limits: resources::limits(task.resources.as_deref(), faults),
            collect: artifacts::collected(task, faults),
            place: artifacts::placed(task, faults),
            cache: artifacts::cache(task, faults),
            heartbeat_us: heartbeat(step, faults).map(|span| span.0),
        }
    }

    /// What an attempt takes of what all runs share, in each of the ways to do the work: what the
    /// task says itself, and what the model has that is asked. Not empty.
    fn shared(&self, task: &TaskFile, faults: &mut Faults) -> Vec<Shared> {
        let said = self.defaults.sharing.taken(task, faults);
        let models = task.call().map(|call| self.defaults.models.shared(call));
        let ways: Vec<Shared> =
            models.into_iter().flatten().map(|model| both(&said, model)).collect();
        if ways.is_empty() { vec![said] } else { ways }
    }

    /// What an attempt asks for. One that waits for another machine needs next to nothing here.
    fn request(&self, task: &TaskFile) -> Request {
        let waits = task.call().is_some_and(|call| call.kind.waits_for_others());
        let request = match &task.resources {
            None if waits => look::request(),
            resources => resources::request(resources.as_deref()),
        };
        needed(task, request)
    }

    /// Another kind of work than a script or a command.
    fn call(
        &self,
        called: Called<'_>,
        step: &Step<'_>,
        policy: &mut Policy,
        faults: &mut Faults,
    ) -> Action {
        let kind = called.kind;
        let mut settings = self.defaults.models.with_models(called, faults);
        if let Some(function) = &step.task.function {
            let foreach = step.task.foreach.as_ref().map(|foreach| &foreach.value);
            if let Some(extent) = function.value.file.batch.filter(|_| foreach.is_none()) {
                let message = format!("`{}` has a `batch` and no items", step.name);
                let fault = Fault::new(code::CONFLICT, extent, message);
                faults.push(fault.hint("a call takes many items of a `foreach`: add one"));
            }
            let item = foreach.map(|foreach| match foreach.batch {
                Some(_) => "items",
                None => "item",
            });
            settings = function::settled(settings, item);
            function::share(policy, &settings);
        }
        Action::Call(Box::new(Call { kind, settings }))
    }

    fn named(&self, step: &Step<'_>, control: Control) -> TaskDefinition {
        TaskDefinition {
            name: (*step.name).into(),
            scope: self.steps.groups[step.scope as usize].name.as_str().into(),
            control: (control != Control::default()).then(|| Box::new(control)),
            ..TaskDefinition::default()
        }
    }

    /// The mappings that say something of a task: its own, then those of its groups.
    fn said<'s>(&'s self, step: &Step<'s>) -> impl Iterator<Item = &'s TaskFile> {
        let groups = self.steps.scopes(step.scope);
        let around = groups.filter_map(|group| self.steps.groups[group as usize].task);
        std::iter::once(step.task).chain(around)
    }

    /// The variables, shell and folder of a task, those of its groups beneath its own.
    fn surroundings<'s>(
        &'s self,
        step: &Step<'s>,
    ) -> (BTreeMap<&'s String, &'s String>, Option<&'s Shell>, Option<&'s Placed<String>>) {
        let mut env = BTreeMap::new();
        let (mut shell, mut folder) = (None, None);
        for said in self.said(step) {
            for (name, text) in said.env.iter().flat_map(|env| &env.0) {
                env.entry(&name.value).or_insert(&text.value);
            }
            shell = shell.or(said.shell.as_ref());
            folder = folder.or(said.working_dir.as_ref());
        }
        (env, shell, folder)
    }

    /// The labels of a task, those of its groups beneath its own.
    fn labels(&self, step: &Step<'_>) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::new();
        for (key, value) in self.said(step).flat_map(|it| &it.labels).flat_map(|it| &it.0) {
            labels.entry(key.clone()).or_insert_with(|| value.clone());
        }
        labels
    }

    /// By when a task must have ended. What the file says is for ordinary tasks.
    fn deadline(&self, step: &Step<'_>) -> Option<Deadline> {
        if step.role != Role::Task {
            return None;
        }
        let said = self.said(step).find_map(|it| it.deadline.as_ref());
        let file =
            self.defaults.inherited.deadline.filter(|_| step.trigger == Trigger::Dependencies);
        said.map(|deadline| deadline.value.0).or(file)
    }

    /// What holds for work and for all else alike.
    fn policy(&self, step: &Step<'_>) -> Policy {
        let join = match step.role {
            // The end of a turn waits for all of its body, however that has ended.
            Role::Compensation { .. } | Role::End { .. } => Join::AllDone,
            Role::Joint | Role::Outer => Join::All,
            Role::Task if step.is_call() => Join::All,
            Role::Task | Role::Gate => {
                step.task.join.as_ref().map_or(Join::All, |join| match join.value {
                    JoinFile::All => Join::All,
                    JoinFile::Any => Join::Any,
                    JoinFile::AllDone => Join::AllDone,
                    JoinFile::AtLeast(count) => Join::AtLeast(count),
                })
            }
        };
        Policy {
            priority: self
                .said(step)
                .find_map(|it| super::priority(it.priority))
                .unwrap_or(self.defaults.inherited.priority),
            critical: self
                .said(step)
                .find_map(|it| it.critical)
                .map_or(self.defaults.inherited.critical, |critical| critical.0),
            trigger: step.trigger,
            join,
            failure: self
                .said(step)
                .find_map(|it| it.on_failure)
                .map(super::failure)
                .or(self.defaults.inherited.failure),
            deadline: self.deadline(step),
            ..Policy::default()
        }
    }
}

/// With what else the task can be done.
fn alternatives(task: &TaskFile, faults: &mut Faults) -> Box<[Alternative]> {
    let mut alternatives = alternatives::alternatives(task, faults);
    for it in &mut alternatives {
        it.request = needed(task, std::mem::take(&mut it.request));
    }
    alternatives
}

/// What an attempt asks for, with what only some workers have that the kind of work needs.
fn needed(task: &TaskFile, request: Request) -> Request {
    let needed = task.call().and_then(|call| call.kind.needs());
    needed.into_iter().fold(request, resources::with_one)
}

/// What holds for the tasks of a file in the place of a task.
pub(super) fn inherited(steps: &Steps<'_>, step: &Step<'_>, around: Inherited) -> Inherited {
    let said = || {
        let groups = steps.scopes(step.scope);
        let groups = groups.filter_map(|group| steps.groups[group as usize].task);
        std::iter::once(step.task).chain(groups)
    };
    Inherited {
        priority: said().find_map(|it| super::priority(it.priority)).unwrap_or(around.priority),
        critical: said().find_map(|it| it.critical).map_or(around.critical, |it| it.0),
        failure: said().find_map(|it| it.on_failure).map(super::failure).or(around.failure),
        deadline: said()
            .find_map(|it| it.deadline.as_ref())
            .map(|deadline| deadline.value.0)
            .or(around.deadline),
    }
}

/// The items of a task, as far as they are known; what is known later is noted where it belongs.
fn items(
    (number, task): (u32, &TaskFile),
    control: &mut Control,
    computed: &mut Vec<Computed>,
    faults: &mut Faults,
) -> Items {
    let Some(foreach) = task.items() else { return Items::Single };
    control.batch = foreach.value.batch.and_then(|batch| u32::try_from(batch.0).ok());
    match fan_out::known(foreach, faults) {
        Known::Now(known) => return known,
        Known::WithParameters(source, max_items) => {
            let extent = foreach.extent;
            computed.push(Computed { task: number, source, max_items, extent });
        }
        Known::Late(late) => control.late = Some(late),
    }
    Items::Single
}

fn action(step: &Step<'_>, faults: &mut Faults) -> Action {
    let Step { name, short, task, .. } = step;
    match (&task.script, &task.command) {
        (Some(script), Some(command)) => {
            let message = format!("task `{name}` has a `script` and a `command`");
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
            if step.is_whole {
                let message = format!("task `{name}` has nothing to run");
                let fault = Fault::new(code::MISSING_KEY, short.extent, message);
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

/// How many items of a fan-out may be under way.
fn concurrency(task: &TaskFile) -> Option<u32> {
    let said = task.max_parallel.as_ref().map(|most| most.value.0);
    let said = said.or_else(|| Some(task.foreach.as_ref()?.value.max_parallel?.0));
    said.and_then(|most| u32::try_from(most).ok())
}

/// A time limit: longer than nothing.
pub(crate) fn time_limit(limit: Option<&Placed<Duration>>, faults: &mut Faults) -> Option<Span> {
    longer_than_nothing("timeout", limit, faults)
}

/// How long an attempt is expected to take: longer than nothing.
pub(crate) fn expected(task: &TaskFile, faults: &mut Faults) -> Option<Span> {
    expected_time(task.expected.as_ref(), faults)
}

pub(super) fn expected_time(
    expected: Option<&Placed<Duration>>,
    faults: &mut Faults,
) -> Option<Span> {
    let expected = expected?;
    if expected.value.0 == Span::ZERO {
        let message = "`expected` is longer than nothing";
        let fault = Fault::new(code::BAD_VALUE, expected.extent, message);
        faults.push(fault.hint("leave `expected` out if nobody knows"));
        return None;
    }
    Some(expected.value.0)
}

/// A limit of time by its key.
pub(super) fn longer_than_nothing(
    key: &str,
    limit: Option<&Placed<Duration>>,
    faults: &mut Faults,
) -> Option<Span> {
    let limit = limit?;
    if limit.value.0 == Span::ZERO {
        let message = format!("a `{key}` is longer than nothing");
        let fault = Fault::new(code::BAD_VALUE, limit.extent, message);
        faults.push(fault.hint(format!("leave `{key}` out for no limit")));
        return None;
    }
    Some(limit.value.0)
}

/// What a task says itself, and what its model has. No name is in both.
fn both(said: &Shared, model: Shared) -> Shared {
    fn sorted<T: Clone + Ord>(said: &[T], more: &[T]) -> Box<[T]> {
        let mut all = [said, more].concat();
        all.sort_unstable();
        all.into()
    }
    Shared {
        locks: said.locks.clone(),
        budgets: sorted(&said.budgets, &model.budgets),
        breakers: sorted(&said.breakers, &model.breakers),
    }
}

/// Behind a pointer if there is anything in it.
fn boxed(extras: Extras) -> Option<Box<Extras>> {
    (extras != Extras::default()).then(|| Box::new(extras))
}
