//! `edit`: change what a run goes by while it goes on, after showing what changes.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

use clap::Args;
use protocol::api::{Edit, EditPlan, RunRef};
use serde_json::Value;

use super::{bad_argument, confirmed, hand_over, listen, run_ref, told};
use crate::app::Context;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::home::Session;
use crate::output::Format;
use crate::render::edit;
use crate::workflow::{WorkflowFile, pair};

const EXAMPLES: &str = "\
Examples:
  autoglm edit 7 --set priority=80                     The run
  autoglm edit 7 --set cost_limit=8                    What it may cost before it pauses
  autoglm edit 7 train --set priority=90 --set retry.limit=3
  autoglm edit 7 shards --set max_parallel=4           How many items of a fan-out at a time
  autoglm edit 7 train --set resources.memory=8Gi --yes
  autoglm edit 7 --add more.yaml                       Tasks that may depend on those there are
  autoglm edit 7 train --set timeout=2h --preview      Only show what would change

Settings of a task change as long as nothing of it has begun; its max_parallel changes at any time.
Settings of a run: priority, max_parallel, cost_limit. Of a task: priority, max_parallel, timeout,
expected, grace, preemptible, restart_cost, retry, retry.limit, retry.backoff, retry.backoff_max,
resources.cpu, resources.memory, resources.NAME.

What is typed on a terminal is asked about; elsewhere --yes is needed.";

/// Change a run while it goes on: settings, or more tasks
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct EditRun {
    /// The run: its number, or `last`
    #[arg(value_parser = run_ref)]
    pub run: RunRef,

    /// The task, a group, or a pattern such as `shard-*`; without it the settings are the run's
    pub task: Option<String>,

    /// A setting and its new value; may be given again
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair, required_unless_present = "add")]
    pub set: Vec<(String, String)>,

    /// A file of tasks to add: what stands under `tasks` in a workflow file
    #[arg(long, value_name = "FILE", conflicts_with = "task")]
    pub add: Option<PathBuf>,

    /// Only show what would change
    #[arg(long, conflicts_with = "yes")]
    pub preview: bool,

    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

impl EditRun {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit> {
        let request = self.request()?;
        // Asked of a reader: while somebody thinks about it, nobody is kept from the state.
        let look = async |session: &Session| session.client.edit(self.run, &request).await;
        let plan = match self.yes {
            true => None,
            false => Some(listen(context, look).await?.1),
        };
        if let Some(plan) = &plan {
            if self.preview {
                return show(context, plan);
            }
            context.say(edit::render(plan, context.tone).trim_end());
            if let Some(refused) = plan.refused.first() {
                return Err(begun(plan, &refused.task, &refused.reason));
            }
            if !io::stdin().is_terminal() {
                return Err(bad_argument("nobody can be asked here whether to change this")
                    .hint("say --yes to change it, or --preview to only see it"));
            }
            if !confirmed("Change it?") {
                context.say("Nothing was changed.");
                return Ok(Exit::Ok);
            }
        }
        let request = Edit { preview: false, ..request };
        let change = async |session: &Session| session.client.edit(self.run, &request).await;
        let (session, plan) = told(context, change).await?;
        let note = edit::note(&plan);
        context.say(&note);
        let exit = show_to_program(context, &plan)?;
        hand_over(context, session, plan.run).await?;
        Ok(exit)
    }

    fn request(&self) -> Result<Edit> {
        let set: BTreeMap<String, Value> = self
            .set
            .iter()
            .map(|(key, value)| (key.clone(), Value::from(value.as_str())))
            .collect();
        if set.len() < self.set.len() {
            return Err(bad_argument("a setting is given twice"));
        }
        let add = self.add.as_deref().map(WorkflowFile::read).transpose()?;
        let add_name = add.as_ref().map(|file| file.source.name.clone());
        let add = add.map(|file| file.text());
        Ok(Edit { task: self.task.clone(), set, add, add_name, preview: true })
    }
}

fn begun(plan: &EditPlan, task: &str, reason: &str) -> Error {
    let code = protocol::api::code::BEGUN;
    let message = format!("task {task} of run {} {reason}: it cannot be changed", plan.run);
    let hint = format!("`autoglm fork {} --from {task}` begins there again in a new run", plan.run);
    Error::new(Exit::Conflict, code, message).hint(hint)
}

fn show(context: &Context, plan: &EditPlan) -> Result<Exit> {
    match context.output.format {
        Format::Table | Format::Wide => {
            context.output.text(&edit::render(plan, context.output.tone))?;
            Ok(Exit::Ok)
        }
        _ => show_to_program(context, plan),
    }
}

fn show_to_program(context: &Context, plan: &EditPlan) -> Result<Exit> {
    match context.output.format {
        Format::Json | Format::Jsonl => context.output.json(plan)?,
        Format::Name => context.output.text(&format!("{}\n", plan.run))?,
        Format::Table | Format::Wide => {}
    }
    Ok(Exit::Ok)
}
