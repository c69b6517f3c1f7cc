//! Names instead of numbers: the text of a workflow, as far as it can be read.
//!
//! A run whose text is lost is still shown, with numbers for names.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{ItemId, RunId, Span, TaskId};
use protocol::api::Decided;
use serde_json::Value;
use spec::{Awaited, Definition, EnvironmentSnapshot, label};

use super::words::listed;

/// How many names a sentence has at most.
const NAMED_MAX: usize = 3;

/// The text of one run's workflow.
#[derive(Clone, Default)]
pub(crate) struct Names {
    definition: Option<Arc<Definition>>,
    /// The items of fan-outs that were worked out late.
    late: BTreeMap<TaskId, Arc<[Value]>>,
}

impl Names {
    /// The names in a definition.
    pub(crate) const fn new(
        definition: Option<Arc<Definition>>,
        late: BTreeMap<TaskId, Arc<[Value]>>,
    ) -> Self {
        Self { definition, late }
    }

    /// The name of a task.
    pub(crate) fn task(&self, task: TaskId) -> String {
        let name = self.definition.as_deref().map_or("", |text| text.task_name(task));
        if name.is_empty() { format!("task {task}") } else { name.to_owned() }
    }

    /// The labels of the run.
    pub(crate) fn labels(&self) -> BTreeMap<String, String> {
        self.definition.as_deref().map(|text| text.labels().clone()).unwrap_or_default()
    }

    /// The environment of the run, as it was when the run began.
    pub(crate) fn environment(&self) -> Option<&EnvironmentSnapshot> {
        self.definition.as_deref()?.environment_snapshot()
    }

    /// The labels of a task.
    pub(crate) fn task_labels(&self, task: TaskId) -> BTreeMap<String, String> {
        let labels = self.definition.iter().flat_map(|text| text.task_labels(task));
        labels.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    /// Whether a task leaves artifacts.
    pub(crate) fn has_artifacts(&self, task: TaskId) -> bool {
        self.definition.iter().any(|text| text.artifacts_out(task).next().is_some())
    }

    /// Whether what a task did before may be taken.
    pub(crate) fn has_cache(&self, task: TaskId) -> bool {
        self.definition.iter().any(|text| text.cache(task).is_some())
    }

    /// The task of a name.
    pub(crate) fn find(&self, name: &str) -> Option<TaskId> {
        self.definition.as_deref()?.task(name)
    }

    /// The tasks that a task, or an item of it, has written.
    pub(crate) fn written_by(&self, task: TaskId, item: Option<ItemId>) -> Vec<TaskId> {
        let all = self.definition.iter().flat_map(|text| text.written());
        let own = all.filter(|it| it.by == task && (item.is_none() || it.item == item));
        own.flat_map(|it| it.tasks).map(TaskId).collect()
    }

    /// The task that wrote a task while the run went on.
    pub(crate) fn writer(&self, task: TaskId) -> Option<TaskId> {
        let mut all = self.definition.as_deref()?.written();
        all.find(|it| it.tasks.contains(&task.0)).map(|it| it.by)
    }

    /// The first of some tasks by name, and how many more there are: `a, b, c and 4 more`.
    pub(crate) fn some(&self, tasks: impl Iterator<Item = TaskId>, total: usize) -> String {
        listed(tasks.take(NAMED_MAX).map(|task| self.task(task)).collect(), total)
    }

    /// What an item stands for; nothing if its task is no fan-out.
    pub(crate) fn item(&self, task: TaskId, item: ItemId) -> Option<Value> {
        if let Some(items) = self.late.get(&task) {
            return items.get(item.0 as usize).map(|value| Value::String(label(value)));
        }
        self.definition.as_deref()?.item_label(task, item).map(Value::String)
    }

    /// Whether a task is a fan-out with such an item.
    pub(crate) fn has_item(&self, task: TaskId, item: ItemId) -> bool {
        self.item(task, item).is_some()
    }

    /// The route that a decision took, in a word or two.
    pub(crate) fn route(&self, task: TaskId, route: u16) -> String {
        let name = self.definition.as_deref().and_then(|text| text.route(task, route));
        match (route, name) {
            (0, _) => "no rule holds".to_owned(),
            (_, Some(name)) => name.to_owned(),
            (number, None) => format!("route {number}"),
        }
    }

    /// Whether a task decides by rules.
    pub(crate) fn is_decision(&self, task: TaskId) -> bool {
        self.definition.iter().any(|text| text.is_decision(task))
    }

    /// The rule of a decision that fired, by the outputs that it has.
    pub(crate) fn decided(&self, task: TaskId, is_it: impl Fn(&[u8]) -> bool) -> Option<Decided> {
        let fired = self.definition.as_deref()?.fired(task, is_it)?;
        Some(Decided {
            rule: fired.number,
            when: fired.when.map(str::to_owned),
            route: fired.route.map(str::to_owned),
            value: fired.value.clone(),
        })
    }

    /// What a task waits for that somebody outside has to say.
    pub(crate) fn awaited(&self, task: TaskId) -> Option<Awaited> {
        self.definition.as_deref()?.awaited(task)
    }

    /// The file or the address that a task waits for, as it is written.
    pub(crate) fn looked_for(&self, task: TaskId) -> Option<String> {
        let looked = self.definition.as_deref()?.looked_for(task)?;
        Some(match looked.status {
            None => format!("the file {}", looked.at),
            Some(status) => format!("{} to answer {status}", looked.at),
        })
    }

    /// How long an attempt of a task may be silent.
    pub(crate) fn heartbeat(&self, task: TaskId) -> Option<Span> {
        self.definition.as_deref()?.heartbeat(task)
    }

    /// What is said to whom a task waits for, without what comes from outputs. Works out a text, so
    /// that it is not for the driver's thread.
    pub(crate) fn message(&self, task: &str, run: RunId) -> String {
        let Some(definition) = self.definition.as_deref() else { return String::new() };
        let task = definition.task(task);
        task.map_or_else(String::new, |task| definition.message_outline(task, run))
    }

    /// The workflow file.
    pub(crate) fn path(&self) -> String {
        self.definition
            .as_deref()
            .map(|text| text.path().to_string_lossy().into_owned())
            .unwrap_or_default()
    }

    /// The parameters, defaults included.
    pub(crate) fn params(&self) -> BTreeMap<String, Value> {
        let params = self.definition.as_deref().map(Definition::params).into_iter().flatten();
        params.map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}
