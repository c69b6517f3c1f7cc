//! From a workflow with its parameters to what the engine and the workers take.
//!
//! What still depends on parameters is worked out here, once: the file's variables, its working
//! folder, and the items of fan-outs. Nothing that depends on outputs is.

use std::collections::BTreeMap;

use minijinja::Environment;
use minijinja::value::Value;
use model::Span;
use model::graph::GraphParts;
use model::limits::ITEMS_PER_TASK_MAX;
use model::policy::{FailurePolicy, Priority};
use serde_json::{Map, Value as Json};

use crate::code;
use crate::definition::{Definition, Items, is_text};
use crate::diagnostic::{Diagnostic, Diagnostics, Place};
use crate::params::{Bound, Located, fault};
use crate::template::{Templates, environment, is_template, normalised, to_value};

/// A workflow as the engine and the workers take it.
#[derive(Debug)]
pub struct Compiled {
    /// For [`model::Graph::new`]: acyclic and within the limits.
    pub parts: GraphParts,
    /// What the workers start, by task and item.
    pub definition: Definition,
    /// What holds for the whole run.
    pub options: RunOptions,
}

/// What a file says about the run as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// The workflow's name.
    pub name: String,
    /// What the failure of one task means for the others.
    pub failure: FailurePolicy,
    /// How long the run may take.
    pub timeout: Option<Span>,
    /// How many of its attempts may run at once.
    pub concurrency: Option<u32>,
    /// The priority of tasks that name none; theirs are in the graph's policies.
    pub priority: Priority,
}

/// The items of a fan-out as an expression over parameters.
#[derive(Clone, Debug)]
pub(crate) struct ComputedItems {
    pub task: u32,
    pub expression: ItemsExpression,
    pub place: Place,
}

#[derive(Clone, Debug)]
pub(crate) enum ItemsExpression {
    /// `"{{ params.list }}"`: the expression between the marks.
    List(String),
    /// `{range: [first, end]}`: two texts that become whole numbers.
    Range(String, String),
}

impl Bound {
    /// The parameters with their defaults, by name.
    #[must_use]
    pub fn params(&self) -> &Map<String, Json> {
        &self.params
    }

    /// Compiles the workflow.
    ///
    /// # Errors
    /// What can only be seen with the parameters: a `foreach` that gives no list or too long a
    /// one, a variable that cannot be rendered.
    pub fn compile(self) -> Result<Compiled, Diagnostics> {
        let Self { mut workflow, params } = self;
        let file = std::mem::take(&mut workflow.file);
        let mut compiler = Compiler::new(&params);
        let env = compiler.env(&workflow.env);
        let mut secrets = workflow.surroundings.visible_secrets();
        secrets.extend(workflow.secret_params(&params));
        let working_dir = workflow.working_dir.as_ref().map(|text| compiler.text(text));
        for computed in &workflow.computed {
            let items = compiler.items(computed);
            workflow.tasks[computed.task as usize].items = items;
        }
        let folder = match working_dir {
            Some(relative) => workflow.folder.join(relative),
            None => workflow.folder,
        };
        if !is_text(&folder) {
            let message = "the path of the file's folder is not valid UTF-8".to_owned();
            compiler.faults.push(fault(code::BAD_VALUE, message));
        }
        if !compiler.faults.is_empty() {
            return Err(Diagnostics { file, diagnostics: compiler.faults, omitted: 0 });
        }
        let mut parts = workflow.parts;
        parts.fan_outs = fan_outs(&workflow.tasks);
        let environment = workflow.surroundings.snapshot(&env);
        let definition = Definition::new(crate::definition::Parts {
            name: workflow.options.name.clone(),
            path: file.into(),
            folder,
            params,
            env,
            shell: workflow.shell,
            tasks: workflow.tasks,
        });
        let definition = definition.surrounded(environment, secrets);
        Ok(Compiled { parts, definition, options: workflow.options })
    }
}

fn fan_outs(tasks: &[crate::definition::TaskDefinition]) -> Vec<(u32, u32)> {
    let counts =
        (0..).zip(tasks).filter_map(|(task, defined)| Some((task, defined.items.count()?)));
    counts.collect()
}

/// Evaluates what depends on parameters.
struct Compiler {
    templates: Templates,
    environment: Environment<'static>,
    context: Value,
    faults: Vec<Diagnostic>,
}

impl Compiler {
    fn new(params: &Map<String, Json>) -> Self {
        Self {
            templates: Templates::default(),
            environment: environment(),
            context: Value::from_pairs([("params", to_value(params))]),
            faults: Vec::new(),
        }
    }

    fn env(&mut self, env: &[(String, Located)]) -> BTreeMap<String, String> {
        env.iter().map(|(name, text)| (name.clone(), self.text(text))).collect()
    }

    fn text(&mut self, located: &Located) -> String {
        if !is_template(&located.text) {
            return located.text.clone();
        }
        self.templates.render(&located.text, &self.context).unwrap_or_else(|error| {
            self.fail(code::RENDER, &located.place, format!("this cannot be rendered: {error}"));
            String::new()
        })
    }

    fn items(&mut self, computed: &ComputedItems) -> Items {
        let items = match &computed.expression {
            ItemsExpression::List(expression) => self.list(expression),
            ItemsExpression::Range(first, end) => self.range(first, end),
        };
        items.unwrap_or_else(|message| {
            self.fail(code::BAD_ITEMS, &computed.place, message);
            Items::Single
        })
    }

    fn list(&self, expression: &str) -> Result<Items, String> {
        let compiled = self.environment.compile_expression(expression);
        let value = compiled.and_then(|expression| expression.eval(&self.context));
        let value = value.map_err(|error| format!("the items cannot be worked out: {error}"))?;
        let Ok(json) = serde_json::to_value(&value) else {
            return Err(format!(
                "`foreach` takes a list, and the expression gives a {}",
                value.kind()
            ));
        };
        match json {
            Json::Array(values) => {
                check_count(values.len() as u64)?;
                Ok(Items::Values(values))
            }
            other => Err(format!("`foreach` takes a list, and the expression gives `{other}`")),
        }
    }

    fn range(&self, first: &str, end: &str) -> Result<Items, String> {
        let number = |text: &str| {
            let rendered = if is_template(text) {
                self.templates.render(text, &self.context).map_err(|error| error.to_string())?
            } else {
                text.to_owned()
            };
            rendered
                .trim()
                .parse::<i64>()
                .map_err(|_| format!("a range takes whole numbers, not `{rendered}`"))
        };
        range_items(number(first)?, number(end)?)
    }

    fn fail(&mut self, code: model::code::Code, place: &Place, message: String) {
        self.faults.push(Diagnostic { place: Some(place.clone()), ..fault(code, message) });
    }
}

/// The numbers from `first` up to, not including, `end`.
pub(crate) fn range_items(first: i64, end: i64) -> Result<Items, String> {
    let count = i128::from(end) - i128::from(first);
    let count = u64::try_from(count.max(0)).unwrap_or(u64::MAX);
    Ok(Items::Range { first, count: check_count(count)? })
}

pub(crate) fn check_count(count: u64) -> Result<u32, String> {
    match u32::try_from(count) {
        Ok(count) if count <= ITEMS_PER_TASK_MAX => Ok(count),
        _ => {
            Err(format!("a fan-out may have {ITEMS_PER_TASK_MAX} items, and this one has {count}"))
        }
    }
}

/// The expression of a text that is one expression and nothing else.
pub(crate) fn single_expression(text: &str) -> Option<String> {
    let text = normalised(text.trim());
    let inner = text.strip_prefix("{{")?.strip_suffix("}}")?;
    let inner = inner.trim_matches(['-', '+']).trim();
    (!inner.is_empty() && !inner.contains("{{") && !inner.contains("}}")).then(|| inner.to_owned())
}
