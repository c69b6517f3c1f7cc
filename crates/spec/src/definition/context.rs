//! What texts and expressions can name when they are worked out, and where each name leads.

use std::collections::BTreeMap;

use minijinja::value::Value;
use model::{ItemId, RunId, TaskId, TaskStatus};
use serde_json::{Map, Value as Json, json};

use super::{Action, Awaited, Definition, TaskDefinition, TaskOutputs, Upstream};
use crate::expression::{evaluate, typed};
use crate::template::{Reference, expression_references, to_value};

/// Who asks, and where the answers come from.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'d> {
    pub definition: &'d Definition,
    pub task: TaskId,
    pub defined: &'d TaskDefinition,
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
        let (definition, derived) = (self.definition, &self.definition.derived);
        let params = derived.params.get_or_init(|| to_value(&definition.params));
        let env = derived.env.get_or_init(|| to_value(&definition.env));
        let mut names: BTreeMap<&str, Value> = BTreeMap::new();
        names.insert("params", params.clone());
        names.insert("env", env.clone());
        names.insert("tasks", self.tasks(references));
        names.insert("round", Value::from(self.round));
        let run = self.run.map(|run| Value::from(run.to_string()));
        let name = Value::from(definition.name.as_str());
        let run = run.into_iter().map(|run| ("id", run)).chain([("name", name)]);
        names.insert("run", Value::from_pairs(run));
        if let Some(item) = self.item {
            names.insert("index", Value::from(item.0));
            if let Some(value) = self.item_value(item) {
                let value = to_value(&value);
                if self.defined.batch().is_some() {
                    names.insert("items", value.clone());
                }
                names.insert("item", value);
            }
        }
        if references.iter().any(|reference| reference.root == "result") {
            names.insert("result", self.result()?);
        }
        if references.iter().any(|reference| reference.root == "output") {
            // What runs nothing has no outputs, and nothing in them.
            names.insert("output", self.output.cloned().unwrap_or_else(|| to_value(&Map::new())));
        }
        if matches!(self.defined.action, Action::Decision(_)) {
            for (name, value) in definition.params.iter().filter(|(name, _)| is_bare(name)) {
                names.insert(name, to_value(value));
            }
        }
        Ok(Value::from_pairs(names))
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
        let scene = Scene { task: earlier, defined, item: None, output: Some(&output), ..*self };
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
            let Some((task, steps)) = self.definition.resolve(&self.defined.scope, &reference.path)
            else {
                continue;
            };
            // Reading outputs may take a while: who asks for the status alone gets that alone.
            let wants_outputs = reference.path.get(steps).is_none_or(|step| step != "status");
            insert(&mut tree, &reference.path[..steps], &|known| {
                self.task_value(task, wants_outputs, known)
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
