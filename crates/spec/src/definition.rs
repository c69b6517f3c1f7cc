//! What a worker starts, by task and item: names, scripts, environments and the values of a
//! fan-out. It is stored beside the graph and never changes.
//!
//! Rendering happens when a task starts, from immutable inputs alone: the same definition and the
//! same outputs always give the same command.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use minijinja::Environment;
use minijinja::value::Value;
use model::secret::SecretRef;
use model::{ItemId, TaskId, VariantId};
use serde::de::Error as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::code;
use crate::environment::EnvironmentSnapshot;
use crate::template::{Templates, environment};

mod cache;
mod context;
mod extras;
mod fired;
mod frame;
mod look;
mod render;
mod resolve;
mod sketch;
mod stored;
mod surrounded;
mod task;
mod upstream;

pub use cache::Sameness;
pub(crate) use context::{Scene, is_bare};
pub use extras::{ARTIFACTS_KEY, Artifact, AttemptArtifacts, CacheRule, Limits};
pub(crate) use extras::{Collected, Extras, Placed, split};
pub use fired::Fired;
pub(crate) use frame::{Copied, FileFrame, Frame, FrameId, LateParameter};
pub use look::Looked;
pub(crate) use look::action as look_action;
use render::{Failure, Renderer};
pub use sketch::{Does, Sketch, SketchedItems, SketchedRule, SketchedText};
pub(crate) use task::{Action, Control, End, LateItems, TaskDefinition};
pub use upstream::{TaskOutputs, Upstream};

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
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    tasks: Vec<TaskDefinition>,
    /// What surrounds tasks that are not of the file itself, by number from 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    frames: Vec<Frame>,
    /// What tasks and people have added while the run went on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    added: Vec<Added>,
    #[serde(skip)]
    derived: Derived,
}

/// Tasks that were added while the run went on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Added {
    /// The task that wrote them, and its item if it is a fan-out; nothing if a person added them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<(u32, Option<u32>)>,
    /// The BLAKE3 hash of what was written, its form aside, in hexadecimal digits.
    pub digest: String,
    /// The number of the first of them; they reach to the first of what was added next.
    pub first: u32,
}

/// Tasks that a task wrote while the run went on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The task that wrote them.
    pub by: TaskId,
    /// Which item of it, if it is a fan-out.
    pub item: Option<ItemId>,
    /// Their numbers.
    pub tasks: Range<u32>,
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
    /// What it does.
    pub does: model::work::Does,
    /// The settings of a kind of work, with all filled in; nothing for a process.
    pub settings: Json,
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

impl Rendered {
    /// The program and its arguments; empty if it is no process.
    #[must_use]
    pub fn argv(&self) -> &[String] {
        match &self.does {
            model::work::Does::Process(argv) => argv,
            _ => &[],
        }
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

impl Clone for Definition {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            path: self.path.clone(),
            folder: self.folder.clone(),
            params: self.params.clone(),
            env: self.env.clone(),
            shell: self.shell.clone(),
            environment: self.environment.clone(),
            secrets: self.secrets.clone(),
            labels: self.labels.clone(),
            tasks: self.tasks.clone(),
            frames: self.frames.clone(),
            added: self.added.clone(),
            derived: Derived::default(),
        }
    }
}

impl Definition {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { name, path, folder, params, env, shell, tasks } = parts;
        Self { name, path, folder, params, env, shell, tasks, ..Self::default() }
    }

    /// The stored form: compact JSON, compressed if it is long.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let json = serde_json::to_vec(self).expect("texts, numbers and a path that was text");
        stored::pack(json)
    }

    /// What [`Definition::to_bytes`] wrote.
    ///
    /// # Errors
    /// The bytes are something else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DefinitionError> {
        let damaged = || DefinitionError(serde_json::Error::custom("it is damaged"));
        let json = stored::unpack(bytes).ok_or_else(damaged)?;
        serde_json::from_slice(&json).map_err(DefinitionError)
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
        for frame in self.frames.iter_mut().filter_map(|frame| frame.file.as_mut()) {
            frame.env.extend(env.clone());
        }
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

    /// What a worker starts for an item, in one of the ways to do it.
    ///
    /// # Errors
    /// A text names something that is not defined, or becomes too large.
    pub fn render(
        &self,
        (task, item): (TaskId, ItemId),
        variant: VariantId,
        upstream: &dyn Upstream,
    ) -> Result<Rendered, RenderError> {
        self.rendering(task, Some(item), upstream, |renderer| renderer.render(Some(variant)))
    }

    /// The name of one of the ways to do a task, if there are several: the model that is asked.
    #[must_use]
    pub fn way(&self, task: TaskId, variant: VariantId) -> Option<&str> {
        let Action::Call(call) = &self.get(task)?.action else { return None };
        let models = call.settings.get("models")?.as_array().filter(|models| models.len() > 1)?;
        models.get(usize::from(variant.0))?.get("name")?.as_str()
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

    /// The name of a route of a decision, by its number; nothing if it has none.
    #[must_use]
    pub fn route(&self, task: TaskId, route: u16) -> Option<&str> {
        let decision = match &self.get(task)?.action {
            Action::Decision(decision) => decision,
            Action::End(_) => return Some("its tasks have ended"),
            _ => return None,
        };
        decision.rules.iter().find(|rule| rule.route == route)?.name.as_deref()
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
            frame: defined.frame,
            scope: &defined.scope,
            item,
            upstream,
            round: upstream.round(task),
            run: upstream.run(),
            output: None,
            is_expression: false,
        };
        render(&Renderer { scene }).map_err(|Failure { code, message }| RenderError {
            code,
            task: defined.name.to_string(),
            message,
        })
    }

    /// What works out texts and expressions.
    pub(crate) fn engine(&self) -> (&Templates, &Environment<'static>) {
        (&self.derived.templates, &self.derived.environment)
    }

    /// Where tasks start that name no folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What tasks have written, in the order in which it was admitted.
    pub fn written(&self) -> impl Iterator<Item = Written> {
        let len = u32::try_from(self.tasks.len()).expect("within TASKS_PER_RUN_MAX");
        let ends = self.added.iter().skip(1).map(|next| next.first).chain([len]);
        self.added.iter().zip(ends).filter_map(|(added, end)| {
            let (by, item) = added.by?;
            let (by, item) = (TaskId(by), item.map(ItemId));
            Some(Written { by, item, tasks: added.first..end })
        })
    }

    /// Whether the very same was added before.
    pub(crate) fn has_added(&self, added: &Added) -> bool {
        self.added.iter().any(|it| it.by == added.by && it.digest == added.digest)
    }

    /// Whether the same task has added something before.
    pub(crate) fn has_added_by(&self, added: &Added) -> bool {
        added.by.is_some() && self.added.iter().any(|it| it.by == added.by)
    }

    pub(crate) fn note_added(&mut self, added: Added) {
        self.added.push(added);
    }

    pub(crate) fn tasks(&self) -> &[TaskDefinition] {
        &self.tasks
    }

    /// The tasks, to be changed or added to while a definition is made.
    pub(crate) fn tasks_mut(&mut self) -> &mut Vec<TaskDefinition> {
        self.derived.by_name = OnceLock::new();
        &mut self.tasks
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
/// Whether a path can be stored and shown: it is text.
pub(crate) fn is_text(path: &Path) -> bool {
    path.to_str().is_some()
}
