//! The tasks of a workflow as they can be known before it runs: what each does and waits for, with
//! what is certain filled in.
//!
//! It reads a compiled workflow and nothing else. What is worked out at run time is said to be so,
//! never guessed.

use std::collections::BTreeMap;

use model::control::{EdgeCondition, Join, Kind, Verdict};
use model::policy::{Alternative, Trigger};
use model::resources::WHOLE_DEVICE;
use model::{DeviceRequest, Graph, ItemId, Request, Span, TaskId};
use protocol::api::Seconds;
use serde::Serialize;
use serde_json::{Value, json};
use spec::{Definition, Does, SketchedItems, SketchedText};

mod beside;

pub(crate) use beside::Beside;

/// Items of a fan-out that are named.
const LABELS_MAX: u32 = 3;

/// A task before it runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Step {
    /// Its name.
    pub task: String,
    /// What it does.
    #[serde(flatten)]
    pub does: Action,
    /// What it waits for.
    pub after: Vec<After>,
    /// How many of these are enough, if not all: `any`, `all_done`, `at_least 2`.
    pub join: Option<String>,
    /// How the run has to have gone, for a task that waits for its end.
    pub on: Option<&'static str>,
    /// What has to hold, or else it is skipped.
    pub when: Option<String>,
    /// Its items, for a fan-out.
    pub items: Option<Items>,
    /// What each attempt asks for, by name; empty if it asks for nothing.
    pub resources: BTreeMap<String, Value>,
    /// The devices among them, in words.
    #[serde(skip)]
    pub devices: String,
    /// With what else it can be done.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<Other>,
    /// The names of its variables.
    pub variables: Vec<String>,
    /// The folder that it starts in, if not the file's.
    pub working_dir: Option<Text>,
    /// What it has beside what it does.
    #[serde(flatten)]
    pub beside: Beside,
}

/// With what else a task can be done.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Other {
    /// What each attempt asks for then, by name.
    pub resources: BTreeMap<String, Value>,
    /// The devices among them, in words.
    #[serde(skip)]
    pub devices: String,
    /// How long an attempt is expected to take then, in seconds.
    #[serde(rename = "expected_seconds", skip_serializing_if = "Option::is_none")]
    pub expected: Option<Seconds>,
}

/// What a task does.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Action {
    /// A text for a shell.
    Script { shell: Vec<String>, script: Text },
    /// A program and its arguments.
    Command { command: Vec<Text> },
    /// Another kind of work, by the key of the file that makes a task one of it.
    Call { call: &'static str, settings: Value },
    /// The first rule that holds is taken.
    Decision { rules: Vec<Rule> },
    /// An expression gives its output.
    Result { expression: String },
    /// The tasks of the body run again until something holds.
    Loop { body: Vec<String>, until: String, rounds_max: u16 },
    /// The tasks that stand in its place have ended: its outputs are made of theirs.
    End { outputs: BTreeMap<String, String> },
    /// Time passes.
    Wait { seconds: Option<Seconds>, until: Option<String> },
    /// A file is waited for, or an address that answers with a status.
    #[serde(rename = "wait")]
    Look { file: Option<Text>, http: Option<Text>, status: Option<u64> },
    /// A person is asked.
    Approval { message: Text, timeout_seconds: Option<Seconds>, otherwise: Option<&'static str> },
    /// A signal is waited for.
    Signal { message: Text, timeout_seconds: Option<Seconds>, otherwise: Option<&'static str> },
}

/// A text, and whether all of it is known before the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Text {
    /// The text; what is not known yet is there as it is written in the file.
    pub text: String,
    /// Whether it is what will be used.
    pub certain: bool,
}

/// A rule of a decision.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Rule {
    /// What has to hold; `None` for "otherwise".
    pub rule: Option<String>,
    /// The tasks that it chooses.
    pub tasks: Vec<String>,
    /// The name of its route.
    pub route: Option<String>,
    /// The value that it gives.
    pub value: Value,
}

/// A task that another one waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct After {
    /// Its name.
    pub task: String,
    /// How it has to have ended: `succeeded`, `failed`, `finished`, `skipped`; or `chosen`, if it
    /// is a decision that has to choose this one.
    pub is: &'static str,
}

/// The items of a fan-out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Items {
    /// How many; `None` if that is worked out at run time.
    pub count: Option<u32>,
    /// The first ones.
    pub first: Vec<String>,
    /// What they are worked out from at run time.
    pub from: Option<String>,
}

/// Makes the steps of one workflow.
pub(crate) struct Outline<'w> {
    graph: &'w Graph,
    definition: &'w Definition,
    /// For each task what it waits for.
    before: Vec<Vec<(TaskId, EdgeCondition)>>,
}

impl<'w> Outline<'w> {
    /// O(tasks + dependencies).
    pub(crate) fn new(graph: &'w Graph, definition: &'w Definition) -> Self {
        let mut before = vec![Vec::new(); graph.len()];
        for task in graph.tasks() {
            for (next, condition) in graph.edges_from(task) {
                before[next.0 as usize].push((task, condition));
            }
        }
        Self { graph, definition, before }
    }

    /// Whether there is more to a task than its name and what it depends on.
    pub(crate) fn is_control(&self, task: TaskId) -> bool {
        let policy = self.graph.policy(task);
        if let Trigger::Compensation { .. } = policy.trigger {
            return policy.asks;
        }
        let is_conditional = |condition: EdgeCondition| condition != EdgeCondition::Succeeded;
        policy.must_ask()
            || !policy.kind.is_work()
            || self.definition.looked_for(task).is_some()
            || policy.join != Join::All
            || Beside::of(task, policy, self.definition) != Beside::default()
            || self.before[task.0 as usize].iter().any(|edge| is_conditional(edge.1))
    }

    /// One task.
    pub(crate) fn step(&self, task: TaskId) -> Step {
        let policy = self.graph.policy(task);
        let sketch =
            self.definition.sketch(task).expect("graph and definition have the same tasks");
        let name = |task: TaskId| self.definition.task_name(task).to_owned();
        let after = self.before[task.0 as usize].iter();
        let after = after.map(|&(from, condition)| After { task: name(from), is: is(condition) });
        let is_work = policy.kind.is_work();
        let is_look = matches!(sketch.does, Does::LooksFor(..));
        Step {
            task: name(task),
            after: after.collect(),
            join: join(policy.join),
            on: on(policy.trigger),
            when: sketch.when,
            items: self.items(task, sketch.items),
            resources: if is_work { resources(&policy.request) } else { BTreeMap::new() },
            devices: policy.request.devices.to_string(),
            alternatives: policy.alternatives.iter().map(Other::of).collect(),
            variables: if is_work && !is_look { sketch.variables } else { Vec::new() },
            working_dir: sketch.working_dir.map(Text::from),
            does: self.action(task, sketch.does),
            beside: Beside::of(task, policy, self.definition),
        }
    }

    fn action(&self, task: TaskId, does: Does) -> Action {
        let kind = self.graph.policy(task).kind;
        let name = |task: TaskId| self.definition.task_name(task).to_owned();
        match does {
            Does::Script { shell, text } => Action::Script { shell, script: text.into() },
            Does::Command(words) => {
                Action::Command { command: words.into_iter().map(Text::from).collect() }
            }
            Does::Calls(kind, settings) => Action::Call { call: kind.key(), settings },
            Does::Decides(rules) => {
                let rules = rules.into_iter().map(|rule| Rule {
                    tasks: self.chosen(task, rule.route),
                    rule: rule.rule,
                    route: rule.name,
                    value: rule.value,
                });
                Action::Decision { rules: rules.collect() }
            }
            Does::WorksOut(expression) => Action::Result { expression },
            Does::Repeats(until) => {
                let (first, rounds_max) = match kind {
                    Kind::Loop { first, turns_max } => (first, turns_max),
                    _ => (task, 1),
                };
                let body = (first.0..task.0).map(|task| name(TaskId(task)));
                Action::Loop { body: body.collect(), until, rounds_max }
            }
            Does::Gathers(outputs) => Action::End { outputs: outputs.into_iter().collect() },
            Does::Waits(until) => {
                let fixed = match kind {
                    Kind::Timer { wait } if until.is_none() => Some(Seconds(wait)),
                    _ => None,
                };
                Action::Wait { seconds: fixed, until }
            }
            Does::LooksFor(at, status) => {
                let at = Some(Text::from(at));
                let (file, http) = if status.is_none() { (at, None) } else { (None, at) };
                Action::Look { file, http, status }
            }
            Does::Asks(message) => {
                let (timeout_seconds, otherwise) = patience(kind, "rejected");
                Action::Approval { message: message.into(), timeout_seconds, otherwise }
            }
            Does::Listens(message) => {
                let (timeout_seconds, otherwise) = patience(kind, "failed");
                Action::Signal { message: message.into(), timeout_seconds, otherwise }
            }
        }
    }

    /// The tasks that wait for this route of a decision.
    fn chosen(&self, decision: TaskId, route: u16) -> Vec<String> {
        let edges = self.graph.edges_from(decision);
        let chosen = edges.filter(|&(_, condition)| condition == EdgeCondition::Route(route));
        chosen.map(|(task, _)| self.definition.task_name(task).to_owned()).collect()
    }

    fn items(&self, task: TaskId, items: SketchedItems) -> Option<Items> {
        match items {
            SketchedItems::None => None,
            SketchedItems::Known(count) => {
                let first = (0..count.min(LABELS_MAX))
                    .filter_map(|item| self.definition.item_label(task, ItemId(item)));
                Some(Items { count: Some(count), first: first.collect(), from: None })
            }
            SketchedItems::Late { from, .. } => {
                Some(Items { count: None, first: Vec::new(), from: Some(from) })
            }
        }
    }
}

impl From<SketchedText> for Text {
    fn from(text: SketchedText) -> Self {
        Self { text: text.text, certain: text.is_certain }
    }
}

const fn is(condition: EdgeCondition) -> &'static str {
    match condition {
        EdgeCondition::Succeeded => "succeeded",
        EdgeCondition::Failed => "failed",
        EdgeCondition::Finished => "finished",
        EdgeCondition::Skipped => "skipped",
        EdgeCondition::Route(_) => "chosen",
    }
}

fn join(join: Join) -> Option<String> {
    match join {
        Join::All => None,
        Join::Any => Some("any".to_owned()),
        Join::AllDone => Some("all_done".to_owned()),
        Join::AtLeast(count) => Some(format!("at_least {count}")),
    }
}

/// The word for what makes a task run that waits for the end of the ordinary ones.
pub(crate) const fn on(trigger: Trigger) -> Option<&'static str> {
    match trigger {
        Trigger::Dependencies => None,
        Trigger::Success => Some("success"),
        Trigger::Failure => Some("failure"),
        Trigger::Cancel => Some("cancel"),
        Trigger::Exit => Some("exit"),
        Trigger::Finally => Some("finally"),
        Trigger::Compensation { .. } => Some("undo"),
    }
}

/// How long somebody has to answer, and what follows if nobody does.
fn patience(kind: Kind, no: &'static str) -> (Option<Seconds>, Option<&'static str>) {
    let Kind::Signal { timeout: Some(timeout), otherwise } = kind else { return (None, None) };
    let otherwise = match otherwise {
        Verdict::Approved | Verdict::Elapsed => "approved",
        Verdict::Rejected => no,
        Verdict::Expired => "failed",
    };
    (Some(Seconds(timeout)), Some(otherwise))
}

impl Other {
    fn of(alternative: &Alternative) -> Self {
        Self {
            resources: resources(&alternative.request),
            devices: alternative.request.devices.to_string(),
            expected: alternative.expected.map(Seconds),
        }
    }
}

fn resources(request: &Request) -> BTreeMap<String, Value> {
    let mut resources = BTreeMap::new();
    if request.cpu_milli > 0 {
        #[expect(clippy::cast_precision_loss, reason = "cores are few")]
        let cores = request.cpu_milli as f64 / 1_000.0;
        resources.insert("cpu".to_owned(), json!(cores));
    }
    if request.memory_bytes > 0 {
        resources.insert("memory".to_owned(), json!(request.memory_bytes));
    }
    let custom = request.custom.iter();
    resources.extend(custom.map(|(name, amount)| (name.to_string(), json!(amount))));
    if request.devices.count > 0 {
        resources.insert("gpu".to_owned(), devices(&request.devices));
    }
    resources
}

/// Devices as a file would say them: a number where that is all.
fn devices(request: &DeviceRequest) -> Value {
    let DeviceRequest { count, share, memory_bytes, kinds } = request;
    let is_plain = *memory_bytes == 0 && kinds.is_empty();
    let share = f64::from(*share) / f64::from(WHOLE_DEVICE);
    let is_whole = share >= 1.0;
    match (is_plain, *count, is_whole) {
        (true, count, true) => return json!(count),
        (true, 1, false) => return json!(share),
        _ => {}
    }
    let mut keys = json!({"count": count});
    if !kinds.is_empty() {
        keys["type"] = json!(kinds);
    }
    if !is_whole {
        keys["share"] = json!(share);
    }
    if *memory_bytes > 0 {
        keys["memory"] = json!(memory_bytes);
    }
    keys
}

/// A length of time in words.
pub(crate) fn span(seconds: Seconds) -> String {
    let Seconds(Span(us)) = seconds;
    let text = seconds.0.to_string();
    match us {
        0..60_000_000 if us % 1_000_000 == 0 => format!("{}s", us / 1_000_000),
        _ => {
            text.trim_end_matches(" 0s").trim_end_matches(" 0m").trim_end_matches(" 0h").to_owned()
        }
    }
}
