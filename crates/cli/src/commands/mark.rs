//! `mark` and `skip`: hold tasks to have ended that have not begun.

use std::path::PathBuf;

use clap::Args;
use model::TaskStatus;
use protocol::api::{Mark, MarkReport, Part, RunRef};
use serde_json::{Map, Value};

use super::{bad_argument, hand_over, run_ref, told};
use crate::app::Context;
use crate::error::{Error, NO_SUCH_FILE, Result};
use crate::exit::Exit;
use crate::home::Session;
use crate::output::Format;
use crate::render::plural;

const MARK_EXAMPLES: &str = "\
Examples:
  autoglm mark 7 review --as succeeded
  autoglm mark 7 count --as succeeded --outputs '{\"rows\": 1200}'
  autoglm mark 7 count --as succeeded --outputs @count.json
  autoglm mark 7 'train[0-4,9]' --as failed

What depends on the task goes on as if it had ended so. A task that has begun cannot be marked.";

const SKIP_EXAMPLES: &str = "\
Examples:
  autoglm skip 7 report
  autoglm skip last report upload
  autoglm skip 7 'train[3]'        One item of a fan-out; items are counted from 0

What needs a skipped task to succeed is skipped, too. A task that has begun cannot be skipped.";

/// Hold tasks that have not begun to have ended, well or badly
#[derive(Debug, Args)]
#[command(after_help = MARK_EXAMPLES)]
pub(crate) struct MarkTasks {
    /// The run: its number, or `last`
    #[arg(value_parser = run_ref)]
    pub run: RunRef,

    /// The tasks, or items of one: `train[3]`, `train[0-9,12]`
    #[arg(required = true)]
    pub tasks: Vec<Part>,

    /// How they are held to have ended
    #[arg(long = "as", value_name = "STATUS", value_parser = ["succeeded", "failed", "skipped"])]
    pub status: String,

    /// The outputs of the task, an object: JSON, or a file of it as @FILE
    #[arg(long, value_name = "JSON|@FILE")]
    pub outputs: Option<String>,
}

/// Pass over tasks that have not begun
#[derive(Debug, Args)]
#[command(after_help = SKIP_EXAMPLES)]
pub(crate) struct Skip {
    /// The run: its number, or `last`
    #[arg(value_parser = run_ref)]
    pub run: RunRef,

    /// The tasks, or items of one: `train[3]`, `train[0-9,12]`
    #[arg(required = true)]
    pub tasks: Vec<Part>,
}

impl MarkTasks {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit> {
        let outputs = self.outputs.as_deref().map(outputs).transpose()?;
        let status = TaskStatus::from_word(&self.status)
            .ok_or_else(|| bad_argument(format!("there is no status `{}`", self.status)))?;
        mark(context, self.run, Mark { tasks: self.tasks, status, outputs }).await
    }
}

impl Skip {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit> {
        let status = TaskStatus::Skipped;
        mark(context, self.run, Mark { tasks: self.tasks, status, outputs: None }).await
    }
}

/// The outputs that are given on the command line.
fn outputs(text: &str) -> Result<Map<String, Value>> {
    let text = match text.strip_prefix('@') {
        None => text.to_owned(),
        Some(file) => std::fs::read_to_string(PathBuf::from(file)).map_err(|error| {
            Error::new(Exit::NotFound, NO_SUCH_FILE, format!("cannot read {file}: {error}"))
        })?,
    };
    serde_json::from_str(&text).map_err(|error| {
        bad_argument(format!("the outputs are no JSON object: {error}"))
            .hint("such as --outputs '{\"rows\": 1200}'")
    })
}

/// Marks tasks. The mark is durable when this returns; the run goes on without it.
async fn mark(context: &Context, run: RunRef, mark: Mark) -> Result<Exit> {
    let names: Vec<String> = mark.tasks.iter().map(ToString::to_string).collect();
    let say = async |session: &Session| session.client.mark(run, &mark).await;
    let (session, report) = told(context, say).await?;
    let note = note(&report, &names);
    context.say(&note);
    match context.output.format {
        Format::Json | Format::Jsonl => context.output.json(&report)?,
        Format::Name => context.output.text(&format!("{}\n", report.run))?,
        Format::Table | Format::Wide => {}
    }
    hand_over(context, session, report.run).await?;
    Ok(Exit::Ok)
}

fn note(report: &MarkReport, names: &[String]) -> String {
    let MarkReport { run, marked, status } = report;
    match names {
        [one] => format!("{one} of run {run} is held to have {}.", ended(*status)),
        _ => {
            let tasks = plural(*marked, "task");
            format!("{tasks} of run {run} are held to have {}.", ended(*status))
        }
    }
}

const fn ended(status: TaskStatus) -> &'static str {
    match status {
        TaskStatus::Succeeded => "succeeded",
        TaskStatus::Failed => "failed",
        _ => "been skipped",
    }
}

#[cfg(test)]
mod tests {
    use model::RunId;

    use super::*;

    #[test]
    fn outputs_are_an_object_or_a_file_of_one() {
        assert_eq!(outputs("{\"a\": 1}").expect("an object")["a"], 1);
        assert_eq!(outputs("[1]").expect_err("a list").exit, Exit::Usage);
        assert_eq!(outputs("@/nowhere.json").expect_err("no file").exit, Exit::NotFound);
    }

    #[test]
    fn the_note_names_one_task_and_counts_more() {
        let report = MarkReport { run: RunId(7), marked: 2, status: TaskStatus::Skipped };
        let names = |count: usize| ["a", "b"].map(str::to_owned)[..count].to_vec();
        assert_eq!(note(&report, &names(1)), "a of run 7 is held to have been skipped.");
        assert_eq!(note(&report, &names(2)), "2 tasks of run 7 are held to have been skipped.");
    }
}
