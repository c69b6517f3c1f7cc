//! Checking a file: everything that can be said of it without its parameters, said at once.
//!
//! Reading notes what does not fit its key; this looks at how the keys fit each other, task by
//! task, then at the graph, then at the texts. A file without a fault becomes a workflow; nothing
//! of a file with one does.

use std::borrow::Cow;
use std::path::Path;

use model::control::EdgeCondition;
use model::graph::GraphParts;
use model::limits::TASKS_PER_RUN_MAX;
use model::policy::{FailurePolicy, Priority, Trigger};
use model::shared::Deadline;

use crate::code;
use crate::compile::{ComputedItems, RunOptions};
use crate::decision::Decision;
use crate::diagnostic::{Diagnostic, Diagnostics, Fault, Faults, Lines};
use crate::extend::{LIBRARY, MODELS, add_models, expand};
use crate::file::{
    DecisionFile, Declaration, DeclaredRules, NamedTask, OnFailure, TaskFile, WorkflowFile,
};
use crate::limits::{DIAGNOSTICS_MAX, NAME_BYTES_MAX};
use crate::link::Structure;
use crate::node::{Content, Entry, Node};
use crate::params::{Located, ParameterType, Workflow};
use crate::parse::{decode, parse};
use crate::read::{Placed, Read};
use crate::source::{Extent, Source};

mod alternatives;
mod artifacts;
mod calls;
mod control;
mod copies;
mod decisions;
mod fan_out;
mod find;
pub(crate) mod fragment;
mod gang;
mod graph;
mod heartbeat;
mod links;
mod look;
mod models;
mod names;
mod order;
pub(crate) mod parameters;
mod resources;
mod retries;
pub(crate) mod secrets;
mod sharing;
mod site;
mod steps;
mod surroundings;
mod task;
pub(crate) mod texts;
pub(crate) mod types;
mod without_item;

use calls::Ground;
pub(crate) use names::fits;
pub(crate) use task::{expected, time_limit};

/// Checks a workflow file that names no other.
///
/// # Errors
/// Everything that is wrong with it, in the order of its text; after a fault of syntax, that alone.
pub fn check(source: &Source) -> Result<Workflow, Diagnostics> {
    check_with(source, &|path| Err(format!("`{}` cannot be read here", path.display())))
}

/// Checks a workflow file and those that it names. `read` gives the content of a file by its path,
/// which is absolute if the folder of `source` is; or says why there is none.
///
/// # Errors
/// As [`check`], with what is wrong in the other files behind: each such diagnostic names its file.
pub fn check_with(
    source: &Source,
    read: &dyn Fn(&Path) -> Result<Vec<u8>, String>,
) -> Result<Workflow, Diagnostics> {
    let mut ground = Ground::new(read);
    let checked = check_part(source, &mut ground);
    if ground.told.is_empty() {
        return checked;
    }
    let mut told = checked.err().unwrap_or_default();
    told.file.clone_from(&source.name);
    for diagnostic in ground.told {
        match told.diagnostics.len() < DIAGNOSTICS_MAX {
            true => told.diagnostics.push(diagnostic),
            false => told.omitted += 1,
        }
    }
    Err(told)
}

/// Checks a file where it stands.
fn check_part(source: &Source, ground: &mut Ground<'_>) -> Result<Workflow, Diagnostics> {
    let mut faults = Faults::default();
    let told = ground.told.len();
    let text = decode(&source.text, &mut faults);
    let workflow = text.and_then(|text| check_text(source, text, ground, &mut faults));
    match workflow {
        Some(workflow) if faults.is_empty() && ground.told.len() == told => Ok(workflow),
        _ => {
            let valid = source.text.utf8_chunks().next().map_or("", |chunk| chunk.valid());
            Err(faults.into_diagnostics(&source.name, text.unwrap_or(valid)))
        }
    }
}

fn check_text(
    source: &Source,
    text: &str,
    ground: &mut Ground<'_>,
    faults: &mut Faults,
) -> Option<Workflow> {
    let mut root = parse(text, faults)?;
    if let Content::List(_) = root.content {
        let (extent, key_extent) = (root.extent, Extent::default());
        let entry = Entry { key: Cow::Borrowed("tasks"), key_extent, value: root };
        root = Node { extent, content: Content::Map(vec![entry]) };
    }
    let library = source.folder.join(LIBRARY);
    let uses = expand(&mut root, text, &|| (ground.read)(&library).ok(), faults);
    let uses = match uses {
        Ok(uses) => uses,
        Err(told) => {
            tell(told, LIBRARY, source, ground);
            return None;
        }
    };
    let library = source.folder.join(MODELS);
    if let Err(told) = add_models(&mut root, &|| (ground.read)(&library).ok()) {
        tell(told, MODELS, source, ground);
        return None;
    }
    let workflow = check_root(source, (text, root, &uses.implied), ground, faults);
    uses.explain(faults);
    workflow
}

/// Tells what is wrong in a file beside.
fn tell(told: Diagnostics, name: &str, source: &Source, ground: &mut Ground<'_>) {
    let file = Path::new(&source.name).with_file_name(name).display().to_string();
    let named = told.diagnostics.into_iter();
    ground.told.extend(named.map(|it| Diagnostic { file: Some(file.clone()), ..it }));
}

fn check_root(
    source: &Source,
    (text, root, implied): (&str, Node<'_>, &[(String, Extent)]),
    ground: &mut Ground<'_>,
    faults: &mut Faults,
) -> Option<Workflow> {
    let mut file = read_file(&root, faults)?;
    drop(root);
    let implied = implied.iter().map(|(name, extent)| {
        let name = Placed { value: name.clone(), extent: *extent };
        (name, ParameterType::String)
    });
    declare(&mut file, implied.collect());
    take_decision(&mut file, faults);
    check_tasks(&file, faults)?;
    if ground.is_part() {
        calls::check_part_keys(&file, faults);
    }
    let declarations = file.params.iter().flat_map(|params| &params.0);
    let parameters = parameters::parameters(declarations, faults);
    let scene = surroundings::Scene { file: &file, parameters: &parameters };
    surroundings::check(scene, faults);
    if let Some(name) = &file.name {
        check_name("a workflow", name, faults);
    }
    let mut options = options(source, &file, faults);
    let around = ground.inherited.unwrap_or_default();
    options.priority = priority(file.priority).unwrap_or(around.priority);
    let failure = file.on_failure.map(failure).filter(|_| ground.is_part()).or(around.failure);
    let deadline = file.deadline.as_ref().map(|deadline| deadline.value.0).or(around.deadline);
    let critical = file.critical.map_or(around.critical, |critical| critical.0);
    let inherited = Inherited { priority: options.priority, critical, failure, deadline };
    let names = texts::Names::of(&file);
    let whole = Whole { source, text, names, inherited, outer: &Outer::default() };
    let unit = check_unit(&whole, &file, ground, faults)?;
    let lines = Lines::new(text);
    let located = |text: &Placed<String>| Located {
        text: text.value.clone(),
        place: lines.place(text.extent),
    };
    let surroundings = surroundings::compile(scene, &source.folder, &lines);
    let env = file.env.iter().flat_map(|env| &env.0);
    Some(Workflow {
        surroundings,
        options,
        parameters: parameters.into_iter().map(|it| it.located(&lines)).collect(),
        env: env.map(|(name, text)| (name.value.clone(), located(text))).collect(),
        working_dir: file.working_dir.as_ref().map(located),
        shell: file.shell.as_ref().map_or_else(default_shell, |shell| shell.0.clone()),
        outputs: calls::outputs(&file),
        ..unit
    })
}

/// What tasks have that say nothing themselves.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Inherited {
    pub priority: Priority,
    pub critical: bool,
    /// Nothing for what the run says.
    pub failure: Option<FailurePolicy>,
    pub deadline: Option<Deadline>,
}

/// What is there already where tasks are added.
#[derive(Default)]
pub(crate) struct Outer {
    /// The tasks that are named, each with its place in a run.
    pub tasks: Vec<(NamedTask, Trigger)>,
    /// Those of them that are decisions.
    pub decisions: Vec<(u32, Decision)>,
    /// Pairs of them, the second after the first.
    pub known: Vec<(u32, u32)>,
    /// Which of them have ended when the added tasks begin.
    pub ended: Vec<bool>,
    /// Whether there is an item for all of the added tasks.
    pub has_item: bool,
}

/// The tasks of a text with what they may name.
pub(crate) struct Whole<'w> {
    pub source: &'w Source,
    pub text: &'w str,
    pub names: texts::Names<'w>,
    pub inherited: Inherited,
    pub outer: &'w Outer,
}

/// Checks tasks and what is between them; nothing after a fault. What comes back has no
/// surroundings.
fn check_unit(
    whole: &Whole<'_>,
    file: &WorkflowFile,
    ground: &mut Ground<'_>,
    faults: &mut Faults,
) -> Option<Workflow> {
    let Whole { source, text, ref names, inherited, outer } = *whole;
    let lines = Lines::new(text);
    let steps = steps::flatten(file, &outer.tasks, faults);
    control::check(&steps, faults);
    let (mut decisions, made) = decisions::collect(&steps, faults);
    decisions.by_step.extend(outer.decisions.iter().cloned());
    let links = links::collect(&steps, (&decisions, made), faults);
    let graph = graph::build(&steps, links, &outer.known, faults);
    let calls = calls::load((&steps, source), (inherited, &lines), ground, faults);
    let scene =
        texts::Scene { text, file, names, steps: &steps, graph: &graph, calls: &calls, outer };
    texts::check(scene, faults);
    let checked =
        control::Checked { steps: &steps, decisions: &decisions, graph: &graph, calls: &calls };
    let models = models::Models::of(file);
    models.check(&names.secrets, faults);
    let sharing = sharing::Sharing::of(file, faults);
    let defaults = task::Defaults { inherited, sharing, models };
    let compiled = task::compile(checked, defaults, faults);
    let copied = copies::collect(&steps, &lines, faults);
    if !faults.is_empty() {
        return None;
    }
    Some(Workflow {
        file: source.name.clone(),
        folder: source.folder.clone(),
        parts: GraphParts {
            policies: compiled.policies,
            policy_of: compiled.policy_of,
            edges: graph.edges,
            conditions: plain_or(graph.conditions),
            fan_outs: Vec::new(),
        },
        tasks: compiled.tasks,
        computed: compiled
            .computed
            .into_iter()
            .map(|task::Computed { task, source, max_items, extent }| ComputedItems {
                task,
                source,
                max_items,
                place: lines.place(extent),
            })
            .collect(),
        description: file.description.clone(),
        labels: file.labels.as_ref().map(|labels| labels.0.clone()).unwrap_or_default(),
        request_extents: steps.list.iter().map(request_extent).collect(),
        structure: Structure { copied, calls: calls.into_values().collect(), outer: Vec::new() },
        ..Workflow::default()
    })
}

/// Where it stands what a task asks for: or else its name.
fn request_extent(step: &steps::Step<'_>) -> Extent {
    step.task.resources.as_ref().map_or(step.short.extent, |resources| resources.extent)
}

fn default_shell() -> Vec<String> {
    vec!["sh".to_owned(), "-eu".to_owned()]
}

fn read_file(root: &Node<'_>, faults: &mut Faults) -> Option<WorkflowFile> {
    if let Content::Map(_) = root.content {
        return WorkflowFile::read(root, "", faults);
    }
    let message = format!("a workflow is a mapping, and this is {}", root.describe());
    let fault = Fault::new(code::WRONG_TYPE, root.extent, message);
    faults.push(match root.content {
        Content::List(_) => fault.hint("put the list under the key `tasks`"),
        _ => fault.hint("begin with the key `tasks`"),
    });
    None
}

/// Conditions that say something; none if all edges wait for success.
fn plain_or(conditions: Vec<EdgeCondition>) -> Vec<EdgeCondition> {
    let is_plain = conditions.iter().all(|&condition| condition == EdgeCondition::Succeeded);
    if is_plain { Vec::new() } else { conditions }
}

/// A decision that is written in the file itself is a task like any other.
fn take_decision(file: &mut WorkflowFile, faults: &mut Faults) {
    let (name, conditions) = match (file.decision_node.take(), file.conditions.take()) {
        (None, None) => return,
        (Some(name), Some(conditions)) => (name, conditions),
        (Some(name), None) => {
            if faults.is_empty() {
                let message = "the decision has no rules";
                let fault = Fault::new(code::MISSING_KEY, name.extent, message);
                faults.push(fault.hint("write them under `conditions`"));
            }
            return;
        }
        (None, Some(conditions)) => {
            let message = "these rules belong to no decision";
            let fault = Fault::new(code::MISSING_KEY, conditions.extent, message);
            return faults.push(fault.hint("name it: `decision_node: NAME`"));
        }
    };
    if file.tasks.is_none() && file.task_graph.is_none() {
        declare_implied(file, &conditions.value);
    }
    let task = TaskFile { conditions: Some(conditions), ..TaskFile::default() };
    let tasks = match &mut file.task_graph {
        Some(tasks) => tasks,
        None => file.tasks.get_or_insert_default(),
    };
    tasks.0.push(NamedTask { name, task, is_whole: true });
}

/// A file that is one decision need not declare what its rules name: it has to be given.
fn declare_implied(file: &mut WorkflowFile, rules: &DecisionFile) {
    let known = file.params.iter().flat_map(|params| &params.0);
    let names: Vec<&str> = known.map(|known| known.name.value.as_str()).collect();
    let implied = decisions::implied_parameters(rules, &names);
    declare(file, implied);
}

/// Declares parameters that a file names and does not declare.
fn declare(file: &mut WorkflowFile, implied: Vec<(Placed<String>, ParameterType)>) {
    if implied.is_empty() {
        return;
    }
    let declared = file.params.get_or_insert_default();
    let known: Vec<String> = declared.0.iter().map(|known| known.name.value.clone()).collect();
    let implied = implied.into_iter().filter(|(name, _)| !known.contains(&name.value));
    declared.0.extend(implied.map(|(name, kind)| Declaration {
        name,
        kind: Some(kind),
        default: None,
        description: None,
        rules: DeclaredRules::default(),
    }));
}

/// Notes what is wrong with the tasks as a whole; nothing if there is nothing to go on with.
fn check_tasks(file: &WorkflowFile, faults: &mut Faults) -> Option<()> {
    let tasks = match (&file.tasks, &file.task_graph) {
        (Some(tasks), None) | (None, Some(tasks)) => tasks,
        (Some(_), Some(second)) => {
            let message = "the tasks stand under `tasks` and under `task_graph`";
            let extent = second.0.first().map(|task| task.name.extent).unwrap_or_default();
            faults.push(Fault::new(code::CONFLICT, extent, message).hint("use one of the two"));
            return None;
        }
        (None, None) => {
            // A list or mapping that could not be read has its own fault.
            if faults.is_empty() {
                faults.push(no_tasks());
            }
            return None;
        }
    };
    let count = tasks.0.len();
    if count > TASKS_PER_RUN_MAX {
        let message = format!("the workflow has {count} tasks, and may have {TASKS_PER_RUN_MAX}");
        let fault = Fault::nowhere(code::TOO_LARGE, message);
        faults.push(fault.hint("write tasks that differ by a value as one with `foreach`"));
        return None;
    }
    if count == 0 && faults.is_empty() {
        faults.push(no_tasks());
    }
    Some(())
}

fn no_tasks() -> Fault {
    Fault::nowhere(code::NO_TASKS, "the workflow has no tasks")
        .hint("write `tasks: [{name: hello, script: echo hello}]`")
}

/// Notes a name that cannot be a path component, a label and a word of a command line.
pub(crate) fn check_name(what: &str, name: &Placed<String>, faults: &mut Faults) {
    let text = &name.value;
    if text.is_empty() && name.extent == Extent::default() {
        return; // It is missing, which has a fault of its own.
    }
    let wrong = if text.is_empty() {
        "is empty"
    } else if text.len() > NAME_BYTES_MAX {
        "is longer than 200 bytes"
    } else if text.trim() != text {
        "begins or ends with white space"
    } else if text.contains('/') {
        "has a `/` in it"
    } else if text.chars().any(char::is_control) {
        "has a control character in it"
    } else if text == "." || text == ".." {
        "stands for a folder"
    } else {
        return;
    };
    let fault = Fault::new(code::BAD_NAME, name.extent, format!("the name of {what} {wrong}"));
    faults
        .push(fault.hint("names are texts of up to 200 bytes, without `/` and control characters"));
}

fn options(source: &Source, file: &WorkflowFile, faults: &mut Faults) -> RunOptions {
    let stem = || Path::new(&source.name).file_stem().map(|stem| stem.to_string_lossy().into());
    let name = file.name.as_ref().map(|name| name.value.clone()).or_else(stem);
    RunOptions {
        name: name.unwrap_or_default(),
        failure: file.on_failure.map(failure).unwrap_or_default(),
        timeout: time_limit(file.timeout.as_ref(), faults),
        concurrency: file.max_parallel.and_then(|count| u32::try_from(count.0).ok()),
        cost_limit_micro: file.cost_limit.as_ref().map(|limit| limit.value.0),
        priority: priority(file.priority).unwrap_or_default(),
        queue: file.queue.as_ref().map(|queue| queue.value.clone()),
    }
}

fn failure(on_failure: OnFailure) -> FailurePolicy {
    match on_failure {
        OnFailure::Stop => FailurePolicy::FailFast,
        OnFailure::Continue => FailurePolicy::Continue,
    }
}

pub(crate) fn priority(priority: Option<crate::file::Whole<0, 100>>) -> Option<Priority> {
    priority.and_then(|priority| u8::try_from(priority.0).ok()).map(Priority)
}
