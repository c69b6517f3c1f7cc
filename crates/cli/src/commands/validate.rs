//! `validate`: everything that is wrong with workflow files, without running anything.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use spec::{Cluster, Workflow};

use crate::app::Context;
use crate::cluster;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::inputs::Inputs;
use crate::output::Format;
use crate::render::plural;
use crate::style::{Paint, Tone};
use crate::workflow::{WorkflowFile, compile};

const EXAMPLES: &str = "\
Examples:
  autoglm validate digits.yaml
  autoglm validate *.yaml -o json
  autoglm validate train.yaml -E staging -p rate=0.1   Would it run with these?
  autoglm validate train.yaml --cluster nodes.yaml   Would each task fit a node?";

/// Check workflow files.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Validate {
    /// The workflow files, YAML or JSON
    #[arg(required = true)]
    pub files: Vec<PathBuf>,

    #[command(flatten)]
    pub inputs: Inputs,

    /// A file with the nodes of a cluster: each task must fit one of them
    #[arg(long, value_name = "FILE")]
    pub cluster: Option<PathBuf>,
}

impl Validate {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let mut reports = Vec::new();
        let mut exit = Exit::Ok;
        let cluster = self.cluster(context.tone)?;
        for named in &self.files {
            let file = match WorkflowFile::read(named) {
                Ok(file) => file,
                Err(error) => {
                    exit = if exit == Exit::Ok { error.exit } else { exit };
                    if !context.output.format.is_json() {
                        context.say(error.to_text(context.tone).trim_end());
                    }
                    reports.push(unreadable(named, &error));
                    continue;
                }
            };
            match self.check(&file, cluster.as_ref(), context.tone) {
                Ok(workflow) => {
                    let (name, tasks) = (workflow.name(), workflow.task_count());
                    reports.push(json!({
                        "file": file.source.name,
                        "valid": true,
                        "name": name,
                        "tasks": tasks,
                        "params": workflow.params(),
                    }));
                    self.say_valid(context, &file, tasks as u64)?;
                }
                Err(error) => {
                    exit = if exit == Exit::Ok { error.exit } else { exit };
                    if !context.output.format.is_json() {
                        context.say(error.to_text(context.tone).trim_end());
                    }
                    reports.push(invalid(&file, error.details));
                }
            }
        }
        match context.output.format {
            Format::Json if reports.len() == 1 => context.output.json(&reports[0])?,
            Format::Json => context.output.json(&reports)?,
            Format::Jsonl => context.output.json_list(&reports, &reports)?,
            Format::Table | Format::Wide | Format::Name => {}
        }
        Ok(exit)
    }

    /// Checks a file by itself; then in its environments, or with what a run would be given; then
    /// against the nodes of a cluster.
    fn check(
        &self,
        file: &WorkflowFile,
        cluster: Option<&Cluster>,
        tone: Tone,
    ) -> Result<Workflow> {
        let workflow = file.check(tone)?;
        let invalid = |diagnostics| Error::invalid(&diagnostics, tone);
        let Inputs { params, param_files, environment } = &self.inputs;
        if environment.is_none() {
            workflow.check_environments().map_err(invalid)?;
        }
        if !params.is_empty() || !param_files.is_empty() {
            let values = self.inputs.values(&workflow, tone)?;
            compile(file.check(tone)?, (environment.as_deref(), &values), tone)?;
        } else if environment.is_some() {
            let chosen = file.check(tone)?.choose(environment.as_deref());
            chosen.and_then(|chosen| chosen.check_environment()).map_err(invalid)?;
        }
        let fits = cluster.map_or(Ok(()), |cluster| workflow.fits(&file.source, cluster));
        fits.map_err(invalid)?;
        Ok(workflow)
    }

    /// The nodes that tasks have to fit.
    fn cluster(&self, tone: Tone) -> Result<Option<Cluster>> {
        let Some(named) = &self.cluster else { return Ok(None) };
        cluster::read(named, tone).map(|(_, cluster)| Some(cluster))
    }

    fn say_valid(&self, context: &Context, file: &WorkflowFile, tasks: u64) -> Result<()> {
        let name = &file.source.name;
        match context.output.format {
            Format::Json | Format::Jsonl => Ok(()),
            Format::Name => context.output.text(&format!("{name}\n")),
            Format::Table | Format::Wide => {
                let ok = context.output.tone.paint(Paint::Good, "valid");
                context.output.text(&format!("{name}: {ok}, {}\n", plural(tasks, "task")))
            }
        }
    }
}

/// A file that cannot be read, with the answer up front.
fn unreadable(named: &Path, error: &Error) -> Value {
    json!({
        "file": named.display().to_string(),
        "valid": false,
        "code": error.code,
        "message": error.message,
    })
}

/// The diagnostics of a file, with the answer up front.
fn invalid(file: &WorkflowFile, details: Option<Box<Value>>) -> Value {
    let mut report = json!({ "file": file.source.name, "valid": false });
    if let (Some(report), Some(Value::Object(details))) =
        (report.as_object_mut(), details.map(|details| *details))
    {
        report.extend(details);
    }
    report
}
