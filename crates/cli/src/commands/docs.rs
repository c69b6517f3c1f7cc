//! `docs`: a workflow as Markdown, for those who use it and do not read YAML.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use spec::{Parameter, ParameterType, Workflow};

use super::plan;
use crate::app::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::inputs::Inputs;
use crate::outline::Outline;
use crate::output::Format;
use crate::render::markdown::{Page, Param, render};
use crate::workflow::{WorkflowFile, compile};

const EXAMPLES: &str = "\
Examples:
  autoglm docs digits.yaml > digits.md
  autoglm docs digits.yaml -E production --param-file big.yaml

The page has the parameters, the tasks, and a graph in the notation of Mermaid. A parameter that has
to be given may be left out, unless the tasks cannot be told without it.";

/// Describe a workflow as Markdown: parameters, tasks, graph.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Docs {
    /// The workflow file, YAML or JSON
    pub file: PathBuf,

    #[command(flatten)]
    pub inputs: Inputs,
}

impl Docs {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let workflow = WorkflowFile::read(&self.file)?.check(context.tone)?;
        let page = page(&self, workflow, context)?;
        let output = context.output;
        match output.format {
            Format::Json | Format::Jsonl => output.json(&page)?,
            Format::Name => {
                let names = page.tasks.iter().map(|step| format!("{}\n", step.task));
                output.text(&names.collect::<String>())?;
            }
            Format::Table | Format::Wide => output.text(&render(&page))?,
        }
        Ok(Exit::Ok)
    }
}

fn page(docs: &Docs, workflow: Workflow, context: &Context) -> Result<Page> {
    let description = workflow.description().map(str::to_owned);
    let parameters = workflow.params().iter().map(|parameter| Param {
        name: parameter.name.clone(),
        kind: json!(parameter.kind).as_str().unwrap_or_default().to_owned(),
        default: parameter.default.clone(),
        rules: parameter.rules.clone(),
        description: parameter.description.clone(),
    });
    let parameters = parameters.collect();
    let values = docs.inputs.values(&workflow, context.tone)?;
    let given = with_stand_ins(workflow.params(), values);
    let given = (docs.inputs.environment.as_deref(), &given);
    let (graph, definition) = plan::graph(compile(workflow, given, context.tone)?)?;
    let outline = Outline::new(&graph, &definition);
    Ok(Page {
        name: definition.name().to_owned(),
        file: docs.file.display().to_string(),
        description,
        labels: definition.labels().clone(),
        parameters,
        tasks: graph.tasks().map(|task| outline.step(task)).collect(),
    })
}

/// The parameters with something in place of those that have to be given and were not: no value of
/// a parameter is on the page.
fn with_stand_ins(
    parameters: &[Parameter],
    mut given: BTreeMap<String, Value>,
) -> BTreeMap<String, Value> {
    for parameter in parameters.iter().filter(|parameter| parameter.default.is_none()) {
        let rules = &parameter.rules;
        given.entry(parameter.name.clone()).or_insert_with(|| match parameter.kind {
            _ if !rules.choices.is_empty() => rules.choices[0].clone(),
            ParameterType::Int | ParameterType::Float => {
                json!(rules.min.as_ref().or(rules.max.as_ref()).cloned().unwrap_or(1.into()))
            }
            ParameterType::Bool => json!(true),
            ParameterType::List => json!([]),
            ParameterType::Object => json!({}),
            // Never looked up: a page shows no value.
            ParameterType::Secret => json!("env:SECRET"),
            _ => json!(parameter.name),
        });
    }
    given
}
