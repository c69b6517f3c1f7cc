//! One task as it is stored: what it does, and what does not go without saying about it.
//!
//! Texts and expressions stand here as they were written. Nothing here works them out.

use model::{ItemId, TaskId};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::Extras;
use super::frame::{FrameId, is_root};
use crate::call::Call;
use crate::decision::Decision;
use crate::expression::texts_of;
use crate::items::{Items, ItemsSource};

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
    /// What surrounds it.
    #[serde(default, skip_serializing_if = "is_root")]
    pub frame: FrameId,
    /// What few tasks have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<Box<Control>>,
    /// What few tasks have beside what they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extras: Option<Box<Extras>>,
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
    /// Another kind of work.
    Call(Box<Call>),
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
    /// The end of a file that is a part of another, or of all copies of a group.
    End(End),
}

/// What stands at the end of tasks that were put in its place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct End {
    /// The outputs of a file: expressions over its tasks.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub outputs: Box<[(Box<str>, Box<str>)]>,
    /// How many copies of a group there are, if it is the end of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copies: Option<u32>,
}

impl Default for Action {
    fn default() -> Self {
        Self::Script(Box::default())
    }
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

    /// Whether it has items.
    pub(crate) fn is_fan_out(&self) -> bool {
        self.is_late() || !self.items.is_single()
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
        let settings = match &self.action {
            Action::Call(call) => texts_of(&call.settings),
            _ => Vec::new(),
        };
        script
            .into_iter()
            .chain(settings)
            .chain(command.iter().map(String::as_str))
            .chain(self.env.iter().map(|(_, value)| value.as_str()))
            .chain(self.working_dir.as_deref())
    }
}
