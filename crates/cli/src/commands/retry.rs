//! `retry`: run tasks of an ended run once more, after showing which ones.

use std::io::{self, IsTerminal};
use std::time::Instant;

use clap::Args;
use model::RunId;
use protocol::api::{Part, Retry, RetryPlan, RunRef, TasksQuery};

use super::{bad_argument, confirmed, reader, run_ref};
use crate::app::{Context, GONE_PATIENCE, GONE_POLL};
use crate::args::Offers;
use crate::error::Result;
use crate::exit::Exit;
use crate::home::Session;
use crate::output::Format;
use crate::render::retry;
use crate::{commands, watch};

const EXAMPLES: &str = "\
Examples:
  autoglm retry 7                  All that did not succeed
  autoglm retry 7 --from train     This task and all that depends on it
  autoglm retry 7 --item 'train[3]'           One item of a fan-out
  autoglm retry 7 --items 'train[0-9,12]'     Some items, and all that depends on the task
  autoglm retry 7 --preview        Only show what would run

What succeeded and does not depend on what runs again keeps its outcome.";

/// Run again what did not succeed, or a task and all that depends on it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RetryRun {
    /// The run: its number, or `last`
    #[arg(value_parser = run_ref)]
    pub run: RunRef,

    /// All that did not succeed; this is the default
    #[arg(long, conflicts_with = "from")]
    pub failed: bool,

    /// This task and all that depends on it
    #[arg(long, value_name = "TASK")]
    pub from: Option<String>,

    /// Some items of a fan-out and all that depends on it, by number from 0: `train[3]`,
    /// `train[0-9,12]`
    #[arg(
        long,
        visible_alias = "item",
        value_name = "TASK[ITEMS]",
        conflicts_with_all = ["from", "failed"]
    )]
    pub items: Option<Part>,

    /// Only show what would run
    #[arg(long)]
    pub preview: bool,

    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,

    /// Return as soon as it is accepted; the run goes on in the background
    #[arg(short, long)]
    pub detach: bool,

    #[command(flatten)]
    pub offers: Offers,
}

impl RetryRun {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit> {
        if let Some(Part { task, items: None }) = &self.items {
            let message = format!("no items of {task} are named");
            return Err(bad_argument(message).hint(format!("such as --items '{task}[0-9,12]'")));
        }
        if self.preview {
            return self.show(context).await;
        }
        // Asked of a reader: while somebody thinks about it, nobody is kept from the state.
        let plan = reader(context).await?.client.retry(self.run, &self.request(true)).await?;
        context.say(retry::render(&plan, context.tone).trim_end());
        if !self.yes && io::stdin().is_terminal() && !confirmed("Run them again?") {
            context.say("Nothing was changed.");
            return Ok(Exit::Ok);
        }
        let (mut session, plan) = self.reopen(context, plan.run).await?;
        session.begin()?;
        let only_the_run = TasksQuery { limit: Some(1), ..TasksQuery::default() };
        let detail = session.client.run(plan.run.into(), &only_the_run).await?;
        let note = retry::note(&plan, detail.run.tasks.total());
        if self.detach && !session.is_own() {
            context.say(&note);
            commands::run::accepted(context, plan.run)?;
            return Ok(Exit::Ok);
        }
        watch::again_to_the_end(context, session, &plan, &note).await
    }

    /// Asks for it, of the next holder if one is just ending: that one takes nothing any more.
    async fn reopen(&self, context: &Context, run: RunId) -> Result<(Session, RetryPlan)> {
        let deadline = Instant::now() + GONE_PATIENCE;
        loop {
            let session = match self.detach {
                true => context.home.attach_or_detach().await?,
                false => context.home.attach_or_hold().await?,
            };
            match session.client.retry(run.into(), &self.request(false)).await {
                Ok(plan) => return Ok((session, plan)),
                Err(error) if error.is_gone() && !session.is_own() && Instant::now() < deadline => {
                    drop(session);
                    tokio::time::sleep(GONE_POLL).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn show(&self, context: &Context) -> Result<Exit> {
        let session = reader(context).await?;
        let plan = session.client.retry(self.run, &self.request(true)).await?;
        let output = context.output;
        match output.format {
            Format::Json | Format::Jsonl => output.json(&plan)?,
            Format::Name => {
                let names = plan.tasks.iter().map(|task| format!("{}\n", task.name));
                output.text(&names.collect::<String>())?;
            }
            Format::Table | Format::Wide => output.text(&retry::render(&plan, output.tone))?,
        }
        Ok(Exit::Ok)
    }

    fn request(&self, preview: bool) -> Retry {
        Retry { from: self.from.clone(), items: self.items.clone(), preview }
    }
}
