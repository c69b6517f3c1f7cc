//! From a workflow with its parameters to what the engine and the workers take.
//!
//! What still depends on parameters is worked out here, once: the file's variables, its working
//! folder, and the items of fan-outs. Nothing that depends on outputs is.

use std::collections::BTreeMap;
use std::path::Path;

use minijinja::value::Value;
use model::Span;
use model::graph::GraphParts;
use model::policy::{FailurePolicy, Priority};
use serde_json::{Map, Value as Json};

use crate::code;
use crate::definition::{Definition, is_text};
use crate::diagnostic::{Diagnostic, Diagnostics, Place};
use crate::items::ItemsSource;
use crate::link::Linker;
use crate::params::{Bound, Located, fault};
use crate::template::{Templates, is_template, to_value};

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
    /// What its attempts may cost together before it pauses, in millionths.
    pub cost_limit_micro: Option<u64>,
    /// The priority of tasks that name none; theirs are in the graph's policies.
    pub priority: Priority,
    /// The queue that its runs wait in; `default` if nothing is said.
    pub queue: Option<String>,
}

/// The items of a fan-out as they follow from parameters.
#[derive(Clone, Debug)]
pub(crate) struct ComputedItems {
    pub task: u32,
    pub source: ItemsSource,
    /// How many there may be.
    pub max_items: u32,
    pub place: Place,
}

impl Bound {
    /// The parameters with their defaults, by name.
    #[must_use]
    pub fn params(&self) -> &Map<String, Json> {
        &self.params
    }

    /// Compiles a workflow that reads no files.
    ///
    /// # Errors
    /// What can only be seen with the parameters: a `foreach` that gives no list or too long a
    /// one, or takes the lines of a file, a variable that cannot be rendered.
    pub fn compile(self) -> Result<Compiled, Diagnostics> {
        self.compile_with(&|path| Err(format!("`{}` cannot be read here", path.display())))
    }

    /// Compiles the workflow. `read` gives the content of a file whose lines are items, by its
    /// path, which is absolute if the workflow's folder is; or says why there is none.
    ///
    /// # Errors
    /// As [`Bound::compile`], and what `read` says.
    pub fn compile_with(
        self,
        read: &dyn Fn(&Path) -> Result<Vec<u8>, String>,
    ) -> Result<Compiled, Diagnostics> {
        let Self { mut workflow, params } = self;
        let file = std::mem::take(&mut workflow.file);
        let mut compiler = Compiler::new(&params);
        let env = compiler.env(&workflow.env);
        let mut secrets = workflow.surroundings.visible_secrets();
        secrets.extend(workflow.secret_params(&params));
        let working_dir = workflow.working_dir.as_ref().map(|text| compiler.text(text));
        let folder = match working_dir {
            Some(relative) => workflow.folder.join(relative),
            None => workflow.folder.clone(),
        };
        if !is_text(&folder) {
            let message = "the path of the file's folder is not valid UTF-8".to_owned();
            compiler.faults.push(fault(code::BAD_VALUE, message));
        }
        let environment = workflow.surroundings.snapshot(&env);
        let definition = Definition::new(crate::definition::Parts {
            name: workflow.options.name.clone(),
            path: file.clone().into(),
            folder,
            params,
            env,
            shell: workflow.shell.clone(),
            tasks: Vec::new(),
        });
        let definition = definition.surrounded(environment, secrets).with_labels(&workflow.labels);
        let mut linker = Linker::new(definition, GraphParts::default(), read);
        linker.faults = compiler.faults;
        linker.take(&mut workflow);
        let (parts, definition) = linker.finish(&file)?;
        Ok(Compiled { parts, definition, options: workflow.options })
    }
}

/// Evaluates what depends on parameters.
struct Compiler {
    templates: Templates,
    context: Value,
    faults: Vec<Diagnostic>,
}

impl Compiler {
    fn new(params: &Map<String, Json>) -> Self {
        Self {
            templates: Templates::default(),
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

    fn fail(&mut self, code: model::code::Code, place: &Place, message: String) {
        self.faults.push(Diagnostic { place: Some(place.clone()), ..fault(code, message) });
    }
}
