//! `validate`: everything that is wrong with workflow files, without running anything.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::app::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::output::Format;
use crate::render::plural;
use crate::style::Paint;
use crate::workflow::WorkflowFile;

const EXAMPLES: &str = "\
Examples:
  autoglm validate digits.yaml
  autoglm validate *.yaml -o json";

/// Check workflow files.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Validate {
    /// The workflow files, YAML or JSON
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
}

impl Validate {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let mut reports = Vec::new();
        let mut exit = Exit::Ok;
        for named in &self.files {
            let file = WorkflowFile::read(named)?;
            match file.check(context.tone) {
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
                    exit = error.exit;
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
