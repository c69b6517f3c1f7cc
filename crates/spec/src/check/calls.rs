//! Files that tasks name: read, checked as files of their own, and held against what they are
//! given.
//!
//! What is wrong within one is told with its own name and places, beside what is wrong here.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde_json::Value as Json;

use super::steps::{Step, Steps};
use super::{Inherited, task};
use crate::code;
use crate::diagnostic::{Diagnostic, Fault, Faults, Lines};
use crate::expression::{bare, texts_of};
use crate::file::{Arguments, NamedTask, WorkflowFile};
use crate::limits::{FILE_CHAIN_MAX, FILES_MAX};
use crate::link::{Call, ReadFile};
use crate::params::{Parameter, Workflow, convert};
use crate::read::Placed;
use crate::source::{Extent, Source};
use crate::suggest::did_you_mean;
use crate::template::is_template;

/// Where a file is checked: what it may read, and which files it is a part of.
pub(super) struct Ground<'r> {
    pub read: &'r ReadFile<'r>,
    /// The paths of the files around it, and its own if it is a part.
    pub around: Vec<PathBuf>,
    /// How many files have been read.
    pub files: usize,
    /// What is wrong in other files.
    pub told: Vec<Diagnostic>,
    /// What holds around its tasks.
    pub inherited: Option<Inherited>,
}

impl<'r> Ground<'r> {
    pub(super) fn new(read: &'r ReadFile<'r>) -> Self {
        Self { read, around: Vec::new(), files: 0, told: Vec::new(), inherited: None }
    }

    pub(super) fn is_part(&self) -> bool {
        !self.around.is_empty()
    }
}

/// Reads and checks the files that tasks name.
pub(super) fn load(
    (steps, source): (&Steps<'_>, &Source),
    (inherited, lines): (Inherited, &Lines<'_>),
    ground: &mut Ground<'_>,
    faults: &mut Faults,
) -> BTreeMap<u32, Call> {
    let mut calls = BTreeMap::new();
    for (number, step) in (0..).zip(&steps.list).filter(|(_, step)| step.is_call()) {
        let Some(path) = &step.task.workflow else { continue };
        let inherited = task::inherited(steps, step, inherited);
        let Some(workflow) = load_one((path, source), inherited, ground, faults) else { continue };
        let none = Arguments::default();
        let with = step.task.with.as_ref().map_or(&none, |with| &with.value);
        check_given((step, path.extent), with, &workflow, faults);
        check_names(step, &workflow, faults);
        let with = with.0.iter().map(|(name, it)| (name.value.clone(), it.value.clone()));
        let (with, place) = (with.collect(), lines.place(path.extent));
        calls.insert(number, Call { task: number, workflow: Box::new(workflow), with, place });
    }
    calls
}

fn load_one(
    (path, source): (&Placed<String>, &Source),
    inherited: Inherited,
    ground: &mut Ground<'_>,
    faults: &mut Faults,
) -> Option<Workflow> {
    let mut told = |code, message: String, hint: Option<&str>| {
        let fault = Fault::new(code, path.extent, message);
        faults.push(fault.hint_if(hint.map(str::to_owned)));
    };
    if is_template(&path.value) {
        let message = "the path of a workflow file is written out: it is read before the run";
        told(code::BAD_VALUE, message.to_owned(), Some("choose between two files with `when`"));
        return None;
    }
    if ground.around.is_empty() {
        ground.around.push(normal(&source.folder.join(file_name(&source.name))));
    }
    let full = normal(&source.folder.join(&path.value));
    if let Some(first) = ground.around.iter().position(|around| *around == full) {
        let names = ground.around[first..].iter().chain([&full]).map(|it| shown(it));
        let names = names.collect::<Vec<_>>().join(" → ");
        told(code::CYCLE, format!("these files name each other: {names}"), None);
        return None;
    }
    if ground.around.len() > FILE_CHAIN_MAX || ground.files >= FILES_MAX {
        let message = format!(
            "a workflow may be made of {FILES_MAX} files, {FILE_CHAIN_MAX} of them within each \
             other"
        );
        told(code::TOO_LARGE, message, None);
        return None;
    }
    ground.files += 1;
    let text = match (ground.read)(&full) {
        Ok(text) => text,
        Err(reason) => {
            told(code::BAD_VALUE, reason, Some("the path begins at the folder of this file"));
            return None;
        }
    };
    let folder = full.parent().map(Path::to_owned).unwrap_or_default();
    let beside = Path::new(&source.name).parent().unwrap_or(Path::new(""));
    let name = normal(&beside.join(&path.value)).display().to_string();
    let part = Source { name, folder, text };
    ground.around.push(full);
    let before = ground.inherited.replace(inherited);
    let workflow = super::check_part(&part, ground);
    ground.inherited = before;
    ground.around.pop();
    match workflow {
        Ok(workflow) => Some(workflow),
        Err(diagnostics) => {
            let named = diagnostics.diagnostics.into_iter().map(|diagnostic| Diagnostic {
                file: diagnostic.file.or_else(|| Some(part.name.clone())),
                ..diagnostic
            });
            ground.told.extend(named);
            None
        }
    }
}

fn file_name(name: &str) -> &Path {
    Path::new(name).file_name().map_or(Path::new(name), Path::new)
}

fn shown(path: &Path) -> String {
    file_name(&path.to_string_lossy()).display().to_string()
}

/// A path without `.` and `..`, as far as it can be said without looking.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if normal.file_name().is_some_and(|name| name != "..") => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}

/// What a file is given must be what it takes.
fn check_given(
    (step, extent): (&Step<'_>, Extent),
    with: &Arguments,
    workflow: &Workflow,
    faults: &mut Faults,
) {
    let names = workflow.parameters.iter().map(|it| it.name.as_str());
    for (name, value) in &with.0 {
        let Some(parameter) = workflow.parameters.iter().find(|it| it.name == name.value) else {
            let message = format!("`{}` has no parameter `{}`", workflow.file, name.value);
            let all: Vec<&str> = names.clone().collect();
            let list = match all.len() {
                0 => "it takes no parameters".to_owned(),
                _ => format!("it takes: {}", all.join(", ")),
            };
            let fault = Fault::new(code::UNKNOWN_PARAMETER, name.extent, message);
            let meant = did_you_mean(&name.value, names.clone());
            faults.push(fault.hint_if(meant).hint_if(Some(list)));
            continue;
        };
        check_value(parameter, value, faults);
    }
    for parameter in workflow.parameters.iter().filter(|it| it.default.is_none()) {
        if !with.0.iter().any(|(name, _)| name.value == parameter.name) {
            let (file, name) = (&workflow.file, &parameter.name);
            let message = format!("`{}` does not give `{file}` its parameter `{name}`", step.name);
            let fault = Fault::new(code::MISSING_PARAMETER, extent, message);
            faults.push(fault.hint(format!("add `with: {{{name}: ...}}`")));
        }
    }
}

fn check_value(parameter: &Parameter, value: &Placed<Json>, faults: &mut Faults) {
    if texts_of(&value.value).into_iter().any(is_template) {
        return;
    }
    let wrong = match convert(&value.value, parameter.kind) {
        Ok(value) => parameter.rules.check(&value).err(),
        Err(found) => Some(format!("takes {}, not {found}", parameter.kind)),
    };
    if let Some(wrong) = wrong {
        let message = format!("parameter `{}` {wrong}", parameter.name);
        faults.push(Fault::new(code::WRONG_PARAMETER, value.extent, message));
    }
}

/// What stands around the tasks of the file has names, too.
fn check_names(step: &Step<'_>, workflow: &Workflow, faults: &mut Faults) {
    let is_taken = |name: &str| workflow.tasks.iter().any(|task| &*task.name == name);
    let gate = step.task.when.is_some() || step.task.join.is_some();
    for name in [gate.then_some("when"), step.task.until.is_some().then_some("until")] {
        if let Some(name) = name.filter(|name| is_taken(name)) {
            let message = format!(
                "`{}.{name}` is made here, and `{}` has a task `{name}`",
                step.name, workflow.file
            );
            faults.push(Fault::new(code::DUPLICATE_TASK, step.short.extent, message));
        }
    }
}

/// What a file may not have when it is a part of another.
pub(super) fn check_part_keys(file: &WorkflowFile, faults: &mut Faults) {
    let refused = |key: &str, hint: &str| {
        let message = format!("a file that is a part of another has no `{key}`");
        Fault::nowhere(code::CONFLICT, message).hint(hint.to_owned())
    };
    let whole = "it belongs to the run as a whole: write it in the file that names this one";
    if file.environments.is_some() {
        faults.push(refused("environments", whole));
    }
    if file.default_environment.is_some() {
        faults.push(refused("default_environment", whole));
    }
    if file.timeout.is_some() {
        faults.push(refused("timeout", "write it in the tasks"));
    }
    if file.max_parallel.is_some() {
        faults.push(refused("max_parallel", whole));
    }
    if file.cost_limit.is_some() {
        faults.push(refused("cost_limit", whole));
    }
    if file.queue.is_some() {
        faults.push(refused("queue", whole));
    }
    if file.finally.is_some() {
        faults.push(refused("finally", whole));
    }
    let tasks = file.tasks.iter().chain(&file.task_graph).flat_map(|tasks| &tasks.0);
    tasks.for_each(|named| check_no_handler(named, faults));
}

fn check_no_handler(named: &NamedTask, faults: &mut Faults) {
    if named.task.on.is_some() {
        let message = format!(
            "`{}` is a handler, and a file that is a part of another has none",
            named.name.value
        );
        let fault = Fault::new(code::CONFLICT, named.name.extent, message);
        faults.push(fault.hint("write it in the file that names this one"));
    }
    let inner = named.task.tasks.iter().flat_map(|tasks| &tasks.value.0);
    inner.for_each(|named| check_no_handler(named, faults));
}

/// The outputs of a file, as they are worked out.
pub(super) fn outputs(file: &WorkflowFile) -> Vec<(String, Box<str>)> {
    let outputs = file.outputs.iter().flat_map(|outputs| &outputs.0);
    outputs.map(|(name, text)| (name.value.clone(), bare(&text.value.0).into())).collect()
}
