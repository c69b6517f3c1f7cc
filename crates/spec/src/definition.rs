//! What a worker starts, by task and item: names, scripts, environments and the values of a
//! fan-out. It is stored beside the graph and never changes.
//!
//! Rendering happens when a task starts, from immutable inputs alone: the same definition and the
//! same outputs always give the same command.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use minijinja::value::Value;
use model::secret::SecretRef;
use model::{ItemId, TaskId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::code;
use crate::environment::EnvironmentSnapshot;
use crate::template::Templates;

mod render;
mod surrounded;

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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    environment: Option<EnvironmentSnapshot>,
    /// Where secrets are to be found, as one text each; a parameter's under `params.NAME`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    secrets: BTreeMap<String, String>,
    tasks: Vec<TaskDefinition>,
    #[serde(skip)]
    derived: Derived,
}

/// What follows from the definition and is worked out when it is first needed.
#[derive(Debug, Default)]
struct Derived {
    by_name: OnceLock<Vec<u32>>,
    params: OnceLock<Value>,
    env: OnceLock<Value>,
    templates: Templates,
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
}

/// What a task does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Action {
    /// A text for the shell.
    Script(Box<str>),
    /// A program and its arguments.
    Command(Box<[String]>),
}

impl Default for Action {
    fn default() -> Self {
        Self::Script(Box::default())
    }
}

/// The items of a task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Items {
    /// The task is no fan-out.
    #[default]
    Single,
    /// One item a value.
    Values(Vec<Json>),
    /// One item a whole number from `first`.
    Range {
        /// The first number.
        first: i64,
        /// How many.
        count: u32,
    },
}

impl Items {
    fn is_single(&self) -> bool {
        matches!(self, Self::Single)
    }

    /// How many; nothing if the task is no fan-out.
    pub(crate) fn count(&self) -> Option<u32> {
        match self {
            Self::Single => None,
            Self::Values(values) => u32::try_from(values.len()).ok(),
            Self::Range { count, .. } => Some(*count),
        }
    }

    fn value(&self, item: ItemId) -> Option<Json> {
        match self {
            Self::Single => None,
            Self::Values(values) => values.get(item.0 as usize).cloned(),
            Self::Range { first, count } => {
                (item.0 < *count).then(|| Json::from(first.saturating_add(i64::from(item.0))))
            }
        }
    }
}

/// What a worker starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The program and its arguments, never empty.
    pub argv: Vec<String>,
    /// Variables in addition to the worker's own, each name once.
    pub env: Vec<(String, String)>,
    /// Variables whose values are secrets, none of them in `env`: whoever starts the process looks
    /// them up, and masks what they are in all that it prints.
    pub secret_env: Vec<(String, SecretRef)>,
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

/// Where a template's references to other tasks are answered.
pub trait UpstreamOutputs {
    /// The outputs of a task. Asked for only if the template names the task.
    fn outputs(&self, task: TaskId) -> TaskOutputs;
}

impl<F: Fn(TaskId) -> TaskOutputs> UpstreamOutputs for F {
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
        Self { name, path, folder, params, env, shell, tasks, ..Self::default() }
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
        const CHARS_MAX: usize = 60;
        let label = match self.get(task)?.items.value(item)? {
            Json::String(text) => text,
            other => other.to_string(),
        };
        let mut chars = label.chars();
        let short: String = chars.by_ref().take(CHARS_MAX).collect();
        Some(if chars.next().is_some() { short + "…" } else { short })
    }

    /// What a worker starts for an item.
    ///
    /// # Errors
    /// A text names something that is not defined, or becomes too large.
    pub fn render(
        &self,
        task: TaskId,
        item: ItemId,
        upstream: &dyn UpstreamOutputs,
    ) -> Result<Rendered, RenderError> {
        let Some(defined) = self.get(task) else {
            let message = format!("there is no task number {task}");
            return Err(RenderError { code: code::RENDER, task: String::new(), message });
        };
        let renderer = Renderer { definition: self, task: defined, item, upstream };
        renderer.render().map_err(|Failure { code, message }| RenderError {
            code,
            task: defined.name.to_string(),
            message,
        })
    }

    fn get(&self, task: TaskId) -> Option<&TaskDefinition> {
        self.tasks.get(task.0 as usize)
    }
}

impl TaskDefinition {
    /// Every text of the task that may be a template.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        let (script, command) = match &self.action {
            Action::Script(script) => (Some(&**script), &[][..]),
            Action::Command(command) => (None, &**command),
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
