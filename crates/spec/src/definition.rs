//! What a worker starts, by task and item: names, scripts, environments and the values of a
//! fan-out. It is stored beside the graph and never changes.
//!
//! Rendering happens when a task starts, from immutable inputs alone: the same definition and the
//! same outputs always give the same command.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use minijinja::Environment;
use minijinja::value::Value;
use model::{ItemId, RunId, TaskId, TaskStatus};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::code;
use crate::decision::Decision;
use crate::items::{Items, ItemsSource};
use crate::template::{Templates, environment};

mod context;
mod render;
mod sketch;

pub(crate) use context::Scene;
pub use sketch::{Does, Sketch, SketchedItems, SketchedRule, SketchedText};
use render::{Failure, Renderer};

/// All tasks of a workflow as they are started.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Definition {
    name: String,
    /// The workflow file, as its source was named.
    path: PathBuf,
    /// Where tasks start that name no folder.
    folder: PathBuf,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    params: Map<String, Json>,
    /// The file's own, rendered.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    env: BTreeMap<String, String>,
    shell: Vec<String>,
    tasks: Vec<TaskDefinition>,
    #[serde(skip)]
    derived: Derived,
}

/// What follows from the definition and is worked out when it is first needed.
#[derive(Debug)]
struct Derived {
    by_name: OnceLock<Vec<u32>>,
    params: OnceLock<Value>,
    env: OnceLock<Value>,
    templates: Templates,
    environment: Environment<'static>,
}

impl Default for Derived {
    fn default() -> Self {
        Self {
            by_name: OnceLock::new(),
            params: OnceLock::new(),
            env: OnceLock::new(),
            templates: Templates::default(),
            environment: environment(),
        }
    }
}

/// One task as it is started.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct TaskDefinition {
    pub name: Box<str>,
    pub action: Action,
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub env: Box<[(String, String)]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<Box<[String]>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Items::is_single")]
    pub items: Items,
    /// The group that the task is in; empty if it is in none.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub scope: Box<str>,
    /// What few tasks have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<Box<Control>>,
}

/// What does not go without saying about a task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Control {
    /// The expression that has to hold, or else the task is skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Box<str>>,
    /// Where items come from that are not known before the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<LateItems>,
    /// How many values make one item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<u32>,
    /// What the task comes to, over its own outputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Box<str>>,
    /// The task whose result this one knows as `result`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_of: Option<u32>,
}

/// Items that are worked out when the task's turn comes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LateItems {
    pub source: ItemsSource,
    /// How many items there may be.
    pub max_items: u32,
}

/// What a task does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Action {
    /// A text for the shell.
    Script(Box<str>),
    /// A program and its arguments.
    Command(Box<[String]>),
    /// Rules, of which the first that holds is taken.
    Decision(Box<Decision>),
    /// One expression that gives the task's only output, `result`.
    Result(Box<str>),
    /// The end of a turn.
    Until {
        /// The expression that ends the loop.
        expression: Box<str>,
        /// The last tasks of the body.
        ends: Box<[u32]>,
        /// Whether the expression judges failures by itself.
        knows_status: bool,
    },
    /// Time that passes; until when, if it is not a fixed while.
    Timer(Option<Box<str>>),
    /// What a person is asked.
    Approval(Box<str>),
    /// What is waited for.
    Signal(Box<str>),
}

impl Default for Action {
    fn default() -> Self {
        Self::Script(Box::default())
    }
}

/// What a task waits for that somebody outside has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// A person's yes or no.
    Approval,
    /// A signal, which may bring a value.
    Signal,
}

/// What a worker starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The program and its arguments, never empty.
    pub argv: Vec<String>,
    /// Variables in addition to the worker's own, each name once.
    pub env: Vec<(String, String)>,
    /// Where it starts: absolute if the workflow file's folder is.
    pub working_dir: PathBuf,
    /// Whether the command or its variables name `AUTOGLM_WORKDIR`, so that the attempt's own
    /// folder must be there.
    pub uses_work_dir: bool,
}

/// The outputs of one task.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskOutputs {
    /// A plain task: one object.
    Single(Json),
    /// A fan-out: one object an item, in the order of the items. `outputs.k` is then the list of
    /// the items' values, `null` where an item has none.
    Items(Vec<Json>),
}

/// Where a text's references to other tasks are answered.
pub trait Upstream {
    /// The outputs of a task. Asked for only if a text names the task.
    fn outputs(&self, task: TaskId) -> TaskOutputs;

    /// How a task has ended. Those that texts name have succeeded, unless this says otherwise.
    fn status(&self, task: TaskId) -> TaskStatus {
        let _ = task;
        TaskStatus::Succeeded
    }

    /// The value of an item whose list was worked out while the run went on: from the list that
    /// came with the answer.
    fn item_value(&self, task: TaskId, item: ItemId) -> Option<Json> {
        let _ = (task, item);
        None
    }

    /// The turn of the loop that a task is in, from 1.
    fn round(&self, task: TaskId) -> u16 {
        let _ = task;
        1
    }

    /// The run.
    fn run(&self) -> Option<RunId> {
        None
    }
}

impl<F: Fn(TaskId) -> TaskOutputs> Upstream for F {
    fn outputs(&self, task: TaskId) -> TaskOutputs {
        self(task)
    }
}

/// Why a task's text could not be rendered. The task has failed, and trying again will not help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderError {
    /// Its code: [`code::RENDER`] or [`code::RENDERED_TOO_LARGE`].
    pub code: model::code::Code,
    /// The task's name.
    pub task: String,
    /// What is wrong, in one sentence.
    pub message: String,
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: task `{}`: {}", self.code, self.task, self.message)
    }
}

impl std::error::Error for RenderError {}

/// Why bytes are no definition.
#[derive(Debug)]
pub struct DefinitionError(serde_json::Error);

impl fmt::Display for DefinitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the stored definition of a workflow cannot be read: {}", self.0)
    }
}

impl std::error::Error for DefinitionError {}

/// What a definition is made of.
pub(crate) struct Parts {
    pub name: String,
    pub path: PathBuf,
    pub folder: PathBuf,
    pub params: Map<String, Json>,
    pub env: BTreeMap<String, String>,
    pub shell: Vec<String>,
    pub tasks: Vec<TaskDefinition>,
}

impl Definition {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { name, path, folder, params, env, shell, tasks } = parts;
        Self { name, path, folder, params, env, shell, tasks, derived: Derived::default() }
    }

    /// Compact JSON.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts, numbers and a path that was text")
    }

    /// What [`Definition::to_bytes`] wrote.
    ///
    /// # Errors
    /// The bytes are something else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DefinitionError> {
        serde_json::from_slice(bytes).map_err(DefinitionError)
    }

    /// The workflow's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same definition with variables that replace those of the same name: the file's and
    /// those of its tasks.
    #[must_use]
    pub fn with_env(mut self, env: &BTreeMap<String, String>) -> Self {
        self.env.extend(env.clone());
        for (name, value) in self.tasks.iter_mut().flat_map(|task| task.env.iter_mut()) {
            if let Some(given) = env.get(name) {
                value.clone_from(given);
            }
        }
        self.derived = Derived::default();
        self
    }

    /// The workflow file, as its source was named.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The parameters, defaults included.
    #[must_use]
    pub const fn params(&self) -> &Map<String, Json> {
        &self.params
    }

    /// How many tasks there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether there are no tasks.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// The name of a task; empty if there is no such task.
    #[must_use]
    pub fn task_name(&self, task: TaskId) -> &str {
        self.get(task).map_or("", |task| &task.name)
    }

    /// The task of a name.
    #[must_use]
    pub fn task(&self, name: &str) -> Option<TaskId> {
        let by_name = self.derived.by_name.get_or_init(|| {
            let mut order: Vec<u32> = (0..).take(self.tasks.len()).collect();
            order.sort_unstable_by_key(|&task| &self.tasks[task as usize].name);
            order
        });
        let found =
            by_name.binary_search_by(|&task| (*self.tasks[task as usize].name).cmp(name)).ok()?;
        Some(TaskId(by_name[found]))
    }

    /// The value of an item, short enough to show; nothing if the task is no fan-out.
    #[must_use]
    pub fn item_label(&self, task: TaskId, item: ItemId) -> Option<String> {
        self.get(task)?.item_value(item).map(|value| label(&value))
    }

    /// What a worker starts for an item.
    ///
    /// # Errors
    /// A text names something that is not defined, or becomes too large.
    pub fn render(
        &self,
        task: TaskId,
        item: ItemId,
        upstream: &dyn Upstream,
    ) -> Result<Rendered, RenderError> {
        self.rendering(task, Some(item), upstream, |renderer| renderer.render())
    }

    /// What a task waits for that somebody outside has to say.
    #[must_use]
    pub fn awaited(&self, task: TaskId) -> Option<Awaited> {
        match self.get(task)?.action {
            Action::Approval(_) => Some(Awaited::Approval),
            Action::Signal(_) => Some(Awaited::Signal),
            _ => None,
        }
    }

    /// What is said to the person or program that a task waits for; empty if nothing is, or if it
    /// waits for nobody.
    ///
    /// # Errors
    /// The text names something that is not defined, or becomes too large.
    pub fn message(&self, task: TaskId, upstream: &dyn Upstream) -> Result<String, RenderError> {
        self.rendering(task, None, upstream, |renderer| renderer.message())
    }

    fn rendering<T>(
        &self,
        task: TaskId,
        item: Option<ItemId>,
        upstream: &dyn Upstream,
        render: impl FnOnce(&Renderer<'_>) -> Result<T, Failure>,
    ) -> Result<T, RenderError> {
        let Some(defined) = self.get(task) else {
            let message = format!("there is no task number {task}");
            return Err(RenderError { code: code::RENDER, task: String::new(), message });
        };
        let scene = Scene {
            definition: self,
            task,
            defined,
            item,
            upstream,
            round: upstream.round(task),
            run: upstream.run(),
            is_expression: false,
        };
        render(&Renderer { scene }).map_err(|Failure { code, message }| RenderError {
            code,
            task: defined.name.to_string(),
            message,
        })
    }

    /// The task that the first steps of a path name, as the tasks of a group see it, and how many
    /// steps these are.
    fn resolve(&self, scope: &str, path: &[String]) -> Option<(TaskId, usize)> {
        let mut scope = Some(scope);
        while let Some(group) = scope {
            let mut name = group.to_owned();
            for (step, steps) in path.iter().zip(1..) {
                if !name.is_empty() {
                    name.push('.');
                }
                name.push_str(step);
                if let Some(task) = self.task(&name) {
                    return Some((task, steps));
                }
            }
            scope = match group {
                "" => None,
                _ => Some(group.rfind('.').map_or("", |dot| &group[..dot])),
            };
        }
        None
    }

    /// What works out texts and expressions.
    pub(crate) fn engine(&self) -> (&Templates, &Environment<'static>) {
        (&self.derived.templates, &self.derived.environment)
    }

    pub(crate) fn get(&self, task: TaskId) -> Option<&TaskDefinition> {
        self.tasks.get(task.0 as usize)
    }
}

/// A value, short enough to show.
#[must_use]
pub fn label(value: &Json) -> String {
    const CHARS_MAX: usize = 60;
    let label = match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut chars = label.chars();
    let short: String = chars.by_ref().take(CHARS_MAX).collect();
    if chars.next().is_some() { short + "…" } else { short }
}

impl TaskDefinition {
    /// How many values make one of its items.
    pub(crate) fn batch(&self) -> Option<u32> {
        self.control.as_ref()?.batch
    }

    /// What it comes to, over its own outputs.
    pub(crate) fn result(&self) -> Option<&str> {
        self.control.as_ref()?.result.as_deref()
    }

    /// The task whose result it knows as `result`.
    pub(crate) fn result_of(&self) -> Option<TaskId> {
        self.control.as_ref()?.result_of.map(TaskId)
    }

    /// Whether its items are worked out while the run goes on.
    pub(crate) fn is_late(&self) -> bool {
        self.control.as_ref().is_some_and(|control| control.late.is_some())
    }

    /// How many items it has; nothing if it is no fan-out, or if that is not known yet.
    pub(crate) fn item_count(&self) -> Option<u32> {
        self.items.batches(self.batch())
    }

    /// The value of an item that was known before the run.
    pub(crate) fn item_value(&self, item: ItemId) -> Option<Json> {
        self.items.batch_value(item, self.batch())
    }

    /// Every text of the task that may be a template.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        let (script, command) = match &self.action {
            Action::Script(text) | Action::Approval(text) | Action::Signal(text) => {
                (Some(&**text), &[][..])
            }
            Action::Command(command) => (None, &**command),
            _ => (None, &[][..]),
        };
        script
            .into_iter()
            .chain(command.iter().map(String::as_str))
            .chain(self.env.iter().map(|(_, value)| value.as_str()))
            .chain(self.working_dir.as_deref())
    }
}

/// Whether a path can be stored and shown: it is text.
pub(crate) fn is_text(path: &Path) -> bool {
    path.to_str().is_some()
}
