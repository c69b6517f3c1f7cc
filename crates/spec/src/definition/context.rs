//! What texts and expressions can name when they are worked out, and where each name leads.

use std::collections::BTreeMap;

use minijinja::value::Value;
use model::{ItemId, RunId, TaskId, TaskStatus};
use serde_json::{Map, Value as Json, json};

use super::render::Renderer;
use super::resolve::Found;
use super::{Action, Awaited, Definition, FrameId, TaskDefinition, TaskOutputs, Upstream};
use crate::expression::{evaluate, to_json, typed};
use crate::params::convert;
use crate::template::{Reference, expression_references, is_template, single_expression, to_value};

/// Who asks, and where the answers come from.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'d> {
    pub definition: &'d Definition,
    pub task: TaskId,
    pub defined: &'d TaskDefinition,
    /// What surrounds the text that is worked out.
    pub frame: FrameId,
    /// The group whose names it uses.
    pub scope: &'d str,
    /// The item, if one is being started.
    pub item: Option<ItemId>,
    pub upstream: &'d dyn Upstream,
    pub round: u16,
    pub run: Option<RunId>,
    /// The task's own outputs, once it has some.
    pub output: Option<&'d Value>,
    /// For an expression, which compares outputs, and not for a text, which repeats them.
    pub is_expression: bool,
}

/// Values by name, in each other as far as groups are.
enum Tree {
    Leaf(Value),
    Branch(BTreeMap<String, Tree>),
}

impl Scene<'_> {
    /// The value of an expression with what it names.
    ///
    /// # Errors
    /// As [`evaluate`].
    pub(crate) fn evaluate(&self, expression: &str) -> Result<Value, String> {
        let references = expression_references(expression);
        let context = self.context(&references.iter().collect::<Vec<_>>())?;
        evaluate(&self.definition.derived.environment, expression, &context)
    }

    /// All names, with as much behind them as is asked for.
    ///
    /// # Errors
    /// The result of another task is asked for and cannot be worked out; in words.
    pub(crate) fn context(&self, references: &[&Reference]) -> Result<Value, String> {
        let definition = self.definition;
        let mut names: BTreeMap<&str, Value> = BTreeMap::new();
        let late = self.surroundings(references, &mut names)?;
        names.insert("tasks", self.tasks(references));
        names.insert("round", Value::from(self.round));
        let run = self.run.map(|run| Value::from(run.to_string()));
        let name = Value::from(definition.name.as_str());
        let run = run.into_iter().map(|run| ("id", run)).chain([("name", name)]);
        names.insert("run", Value::from_pairs(run));
        self.items(&mut names);
        if references.iter().any(|reference| reference.root == "result") {
            names.insert("result", self.result()?);
        }
        if references.iter().any(|reference| reference.root == "output") {
            // What runs nothing has no outputs, and nothing in them.
            names.insert("output", self.output.cloned().unwrap_or_else(|| to_value(&Map::new())));
        }
        if matches!(self.defined.action, Action::Decision(_)) {
            let params = definition.around(self.frame).params.iter().chain(&late);
            for (name, value) in params.filter(|(name, _)| is_bare(name)) {
                names.insert(name, to_value(value));
            }
        }
        Ok(Value::from_pairs(names))
    }

    /// Parameters and variables. What comes back are those of the parameters that have just been
    /// worked out.
    fn surroundings(
        &self,
        references: &[&Reference],
        names: &mut BTreeMap<&str, Value>,
    ) -> Result<Map<String, Json>, String> {
        let (definition, derived) = (self.definition, &self.definition.derived);
        let around = definition.around(self.frame);
        let Some((file, parent)) = around.file else {
            let params = derived.params.get_or_init(|| to_value(&definition.params));
            let env = derived.env.get_or_init(|| to_value(&definition.env));
            names.extend([("params", params.clone()), ("env", env.clone())]);
            return Ok(Map::new());
        };
        let is_decision = matches!(self.defined.action, Action::Decision(_));
        let is_named = |name: &str| {
            is_decision
                || references
                    .iter()
                    .filter(|it| it.root == "params")
                    .any(|reference| reference.path.first().is_none_or(|first| first == name))
        };
        let caller = Scene { frame: parent, scope: &file.scope, item: None, output: None, ..*self };
        let mut late = Map::new();
        for given in file.late.iter().filter(|given| is_named(&given.name)) {
            let wrong = |reason: String| format!("the parameter `{}`: {reason}", given.name);
            let value = caller.filled(&given.value).map_err(wrong)?;
            let value = convert(&value, given.kind)
                .map_err(|found| wrong(format!("it takes {}, not {found}", given.kind)))?;
            given.rules.check(&value).map_err(wrong)?;
            late.insert(given.name.to_string(), value);
        }
        let params = match late.is_empty() {
            true => to_value(around.params),
            false => to_value(&around.params.iter().chain(&late).collect::<BTreeMap<_, _>>()),
        };
        names.extend([("params", params), ("env", to_value(around.env))]);
        Ok(late)
    }

    /// A value with all texts in it worked out.
    pub(crate) fn filled(&self, value: &Json) -> Result<Json, String> {
        match value {
            Json::String(text) if !is_template(text) => Ok(value.clone()),
            Json::String(text) => match single_expression(text) {
                Some(expression) => {
                    let scene = Self { is_expression: true, ..*self };
                    to_json(&scene.evaluate(&expression)?)
                }
                None => self.rendered(text).map(Json::from),
            },
            Json::Array(values) => values.iter().map(|value| self.filled(value)).collect(),
            Json::Object(fields) => {
                let filled =
                    |(name, value): (&String, &Json)| Ok((name.clone(), self.filled(value)?));
                fields.iter().map(filled).collect::<Result<_, _>>().map(Json::Object)
            }
            plain => Ok(plain.clone()),
        }
    }

    /// A text with what it names.
    pub(crate) fn rendered(&self, text: &str) -> Result<String, String> {
        if !is_template(text) {
            return Ok(text.to_owned());
        }
        let scene = Self { is_expression: false, ..*self };
        Renderer { scene }.one(text).map_err(|failure| failure.message)
    }

    /// The item of the task, or else that of the copy that it is in.
    fn items(&self, names: &mut BTreeMap<&str, Value>) {
        let copy = self.definition.copy(self.frame);
        let own = self.item.filter(|_| copy.is_none() || self.defined.is_fan_out());
        let (index, value, is_batch) = match (own, copy) {
            (Some(item), _) => (item.0, self.item_value(item), self.defined.batch().is_some()),
            (None, Some(copy)) => (copy.index, Some(copy.item.clone()), copy.is_batch),
            (None, None) => return,
        };
        names.insert("index", Value::from(index));
        let Some(value) = value.map(|value| to_value(&value)) else { return };
        if is_batch {
            names.insert("items", value.clone());
        }
        names.insert("item", value);
    }

    fn item_value(&self, item: ItemId) -> Option<Json> {
        match self.defined.is_late() {
            true => self.upstream.item_value(self.task, item),
            false => self.defined.item_value(item),
        }
    }

    /// What the task came to that this one depends on.
    fn result(&self) -> Result<Value, String> {
        let Some(earlier) = self.defined.result_of() else { return Ok(Value::UNDEFINED) };
        let Some(defined) = self.definition.get(earlier) else { return Ok(Value::UNDEFINED) };
        let mut outputs = match self.outputs(earlier) {
            TaskOutputs::Single(outputs) => outputs,
            TaskOutputs::Items(items) => Json::Object(transposed(&items)),
        };
        if let Action::Result(_) = defined.action {
            return Ok(to_value(&outputs).get_attr("result").unwrap_or_default());
        }
        let Some(expression) = defined.result() else { return Ok(Value::UNDEFINED) };
        typed(&mut outputs);
        let output = to_value(&outputs);
        let (frame, scope) = (defined.frame, &*defined.scope);
        let output = Some(&output);
        let scene = Scene { task: earlier, defined, frame, scope, item: None, output, ..*self };
        let value = scene.evaluate(expression);
        value.map_err(|reason| format!("the result of `{}`: {reason}", defined.name))
    }

    /// The outputs of a task. An approval that nobody answered in time has the same names as one
    /// that somebody did.
    fn outputs(&self, task: TaskId) -> TaskOutputs {
        let said = self.upstream.outputs(task);
        let is_approval = self.definition.awaited(task) == Some(Awaited::Approval);
        let is_silent = said == TaskOutputs::Single(Json::Object(Map::new()));
        if is_approval && is_silent {
            let approved = self.upstream.status(task) == TaskStatus::Succeeded;
            let unsaid = json!({"approved": approved, "by": null, "comment": null});
            return TaskOutputs::Single(unsaid);
        }
        said
    }

    fn tasks(&self, references: &[&Reference]) -> Value {
        let mut tree = BTreeMap::new();
        for reference in references.iter().filter(|reference| reference.root == "tasks") {
            let Some((found, steps)) = self.definition.resolve(self.scope, &reference.path) else {
                continue;
            };
            // Reading outputs may take a while: who asks for the status alone gets that alone.
            let wants_outputs = reference.path.get(steps).is_none_or(|step| step != "status");
            insert(&mut tree, &reference.path[..steps], &|known| match &found {
                Found::One(task) => self.task_value(*task, wants_outputs, known),
                Found::Each(tasks) => self.each_value(tasks),
            });
        }
        Tree::Branch(tree).into_value()
    }

    /// `{"outputs": {...}, "status": "succeeded"}`.
    fn task_value(&self, task: TaskId, wants_outputs: bool, known: Option<Value>) -> Value {
        let status: TaskStatus = self.upstream.status(task);
        let mut fields = vec![("status", Value::from(status.as_str()))];
        let outputs = known.and_then(|known| known.get_attr("outputs").ok());
        match outputs.filter(|outputs| !outputs.is_undefined()) {
            Some(outputs) => fields.push(("outputs", outputs)),
            None if wants_outputs => {
                let mut outputs = match self.outputs(task) {
                    TaskOutputs::Single(outputs) => outputs,
                    TaskOutputs::Items(items) => Json::Object(transposed(&items)),
                };
                if self.is_expression {
                    typed(&mut outputs);
                }
                fields.push(("outputs", to_value(&outputs)));
            }
            None => {}
        }
        Value::from_pairs(fields)
    }
}

impl Scene<'_> {
    /// The outputs of the same task of each copy of a group: lists, like those of a fan-out.
    fn each_value(&self, tasks: &[TaskId]) -> Value {
        let single = |task: &TaskId| match self.outputs(*task) {
            TaskOutputs::Single(outputs) => outputs,
            TaskOutputs::Items(items) => Json::Object(transposed(&items)),
        };
        let outputs: Vec<Json> = tasks.iter().map(single).collect();
        let mut outputs = Json::Object(transposed(&outputs));
        if self.is_expression {
            typed(&mut outputs);
        }
        let status = tasks.iter().map(|&task| self.upstream.status(task).as_str());
        let status = Value::from(status.collect::<Vec<_>>());
        Value::from_pairs([("status", status), ("outputs", to_value(&outputs))])
    }
}

impl Tree {
    fn into_value(self) -> Value {
        match self {
            Self::Leaf(value) => value,
            Self::Branch(branch) => {
                Value::from_pairs(branch.into_iter().map(|(name, tree)| (name, tree.into_value())))
            }
        }
    }
}

/// Whether the rules of a decision know a parameter of this name without `params`, too.
pub(crate) fn is_bare(name: &str) -> bool {
    !["params", "env", "tasks", "round", "run"].contains(&name)
}

/// Puts a value at the end of a path. A path never leads through a leaf: names are unique.
fn insert(
    tree: &mut BTreeMap<String, Tree>,
    path: &[String],
    value: &dyn Fn(Option<Value>) -> Value,
) {
    match path {
        [] => {}
        [last] => {
            let known = match tree.get(last) {
                Some(Tree::Leaf(value)) => Some(value.clone()),
                _ => None,
            };
            tree.insert(last.clone(), Tree::Leaf(value(known)));
        }
        [first, rest @ ..] => {
            let branch = tree.entry(first.clone()).or_insert_with(|| Tree::Branch(BTreeMap::new()));
            if let Tree::Branch(branch) = branch {
                insert(branch, rest, value);
            }
        }
    }
}

/// A fan-out's outputs: each key with the list of its items' values.
fn transposed(items: &[Json]) -> Map<String, Json> {
    let mut columns: Map<String, Json> = Map::new();
    for (index, (key, value)) in items
        .iter()
        .enumerate()
        .flat_map(|(index, item)| item.as_object().into_iter().flatten().map(move |x| (index, x)))
    {
        let column =
            columns.entry(key).or_insert_with(|| Json::Array(vec![Json::Null; items.len()]));
        column[index] = value.clone();
    }
    columns
}
