//! Tasks that are added to a run: read and checked like those of a file, with names of the run that
//! they may use beside their own.

use std::borrow::Cow;

use model::control::EdgeCondition;

use super::calls::Ground;
use super::{Outer, Whole, check_unit};
use crate::code;
use crate::diagnostic::{Diagnostics, Fault, Faults};
use crate::extend::expand;
use crate::file::{ActionFile, NamedTask, WorkflowFile};
use crate::limits::{FRAGMENT_BYTES_MAX, FRAGMENT_TASKS_MAX};
use crate::node::{Content, Entry, Node};
use crate::params::Workflow;
use crate::parse::{decode, parse};
use crate::source::{Extent, Source};
use crate::template::expression_references;

/// The keys that a fragment may have beside its tasks.
const KEYS: [&str; 4] = ["tasks", "task_graph", "templates", "version"];

/// What a fragment names that may be a task of the run.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// Names and patterns of what tasks depend on, or lead to.
    pub depended: Vec<String>,
    /// The steps that follow `tasks` in its texts.
    pub paths: Vec<Vec<String>>,
}

/// A fragment that could be read.
pub(crate) struct FragmentFile<'s> {
    text: &'s str,
    file: WorkflowFile,
    pub wanted: Wanted,
    /// All of it as one value: its form and comments do not count.
    pub meaning: String,
    uses: crate::extend::Uses,
}

/// Reads a fragment.
pub(crate) fn read<'s>(source: &'s Source, faults: &mut Faults) -> Option<FragmentFile<'s>> {
    if source.text.len() > FRAGMENT_BYTES_MAX {
        let bytes = source.text.len();
        let message = format!("the tasks take {bytes} bytes, and may take {FRAGMENT_BYTES_MAX}");
        faults.push(Fault::nowhere(code::TOO_LARGE, message));
        return None;
    }
    let text = decode(&source.text, faults)?;
    let mut root = parse(text, faults)?;
    if let Content::List(_) = root.content {
        let (extent, key_extent) = (root.extent, Extent::default());
        let entry = Entry { key: Cow::Borrowed("tasks"), key_extent, value: root };
        root = Node { extent, content: Content::Map(vec![entry]) };
    }
    let meaning = root.to_json().to_string();
    if let Content::Map(entries) = &mut root.content {
        check_keys(entries, faults);
        // They have been told of, and are not told of again as keys of a file.
        entries.retain(|entry| is_of_fragment(&entry.key));
        if entries.is_empty() && !faults.is_empty() {
            return None;
        }
    }
    let uses = expand(&mut root, text, &|| None, faults).ok()?;
    let mut wanted = Wanted::default();
    collect_paths(&root, &mut wanted.paths);
    let file = super::read_file(&root, faults)?;
    for named in file.tasks.iter().chain(&file.task_graph).flat_map(|tasks| &tasks.0) {
        collect_names(named, &mut wanted.depended);
        refuse(named, faults);
    }
    super::check_tasks(&file, faults)?;
    Some(FragmentFile { text, file, wanted, meaning, uses })
}

impl FragmentFile<'_> {
    /// Checks it.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn check(
        self,
        whole: Whole<'_>,
        mut faults: Faults,
    ) -> Result<Workflow, Diagnostics> {
        let none =
            |_: &std::path::Path| Err("tasks that are added to a run read no files".to_owned());
        let mut ground = Ground::new(&none);
        let whole = Whole { text: self.text, ..whole };
        let unit = check_unit(&whole, &self.file, &mut ground, &mut faults);
        self.uses.explain(&mut faults);
        match unit {
            Some(unit) if faults.is_empty() && unit.tasks.len() <= most(whole.outer) => Ok(unit),
            Some(_) if faults.is_empty() => {
                let message = format!("more than {FRAGMENT_TASKS_MAX} tasks are added at once");
                let fault = Fault::nowhere(code::TOO_LARGE, message);
                faults.push(fault.hint("write tasks that differ by a value as one with `foreach`"));
                Err(faults.into_diagnostics(&whole.source.name, self.text))
            }
            _ => Err(faults.into_diagnostics(&whole.source.name, self.text)),
        }
    }
}

fn most(outer: &Outer) -> usize {
    outer.tasks.len() + FRAGMENT_TASKS_MAX
}

fn check_keys(entries: &[Entry<'_>], faults: &mut Faults) {
    for entry in entries.iter().filter(|entry| !is_of_fragment(&entry.key)) {
        let message = format!("tasks that are added to a run bring no `{}` with them", entry.key);
        let fault = Fault::new(code::CONFLICT, entry.key_extent, message);
        faults.push(fault.hint("write the tasks below `tasks`: they see what the run has"));
    }
}

fn is_of_fragment(key: &str) -> bool {
    KEYS.contains(&key) || key.starts_with("x-")
}

fn refuse(named: &NamedTask, faults: &mut Faults) {
    let extent = named.name.extent;
    if named.task.on.is_some() {
        let message = format!("`{}` is a handler, which is never added to a run", named.name.value);
        faults.push(Fault::new(code::CONFLICT, extent, message).hint("leave `on` out"));
    }
    if let Some(path) = &named.task.workflow {
        let message = "a task that is added to a run names no file";
        let fault = Fault::new(code::NOT_AVAILABLE, path.extent, message);
        faults.push(fault.hint("write its tasks here"));
    }
    let inner = named.task.tasks.iter().flat_map(|tasks| &tasks.value.0);
    inner.for_each(|named| refuse(named, faults));
}

fn collect_names(named: &NamedTask, names: &mut Vec<String>) {
    let task = &named.task;
    let depends_on = task.depends_on.iter().flat_map(|depends_on| &depends_on.0);
    names.extend(depends_on.map(|dependency| dependency.task.value.clone()));
    for rule in super::decisions::rules_of(task).into_iter().flat_map(|rules| rules.value.rules()) {
        match &rule.action.value {
            ActionFile::Name(name) => names.push(name.value.clone()),
            ActionFile::Tasks(tasks) => names.extend(tasks.iter().map(|name| name.value.clone())),
            ActionFile::Route(_) | ActionFile::Value(_) => {}
        }
    }
    let inner = task.tasks.iter().flat_map(|tasks| &tasks.value.0);
    inner.for_each(|named| collect_names(named, names));
}

fn collect_paths(node: &Node<'_>, paths: &mut Vec<Vec<String>>) {
    match &node.content {
        Content::Scalar(scalar) if scalar.text.contains("tasks") => {
            let references = expression_references(&scalar.text);
            let tasks = references.into_iter().filter(|reference| reference.root == "tasks");
            paths.extend(tasks.map(|reference| reference.path));
        }
        Content::Scalar(_) => {}
        Content::List(items) => items.iter().for_each(|item| collect_paths(item, paths)),
        Content::Map(entries) => {
            entries.iter().for_each(|entry| collect_paths(&entry.value, paths));
        }
    }
}

/// The condition under which what a task has added is waited for, by that for the task.
pub(crate) const fn condition_of_added(condition: EdgeCondition) -> Option<EdgeCondition> {
    match condition {
        EdgeCondition::Succeeded => Some(condition),
        _ => None,
    }
}
