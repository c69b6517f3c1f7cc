//! `resume`: go on with a run that has not ended, with the text that it began with. What is paused
//! is not any more.

use clap::Args;
use client::Client;
use model::{RunId, RunStatus};
use protocol::api::{RunRef, RunsQuery, TasksQuery, code};

use super::{must_have_runs, run_ref};
use crate::app::Context;
use crate::args::Offers;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::{commands, watch};

const EXAMPLES: &str = "\
Examples:
  autoglm resume             The last run that has not ended
  autoglm resume 7
  autoglm resume 7 --detach  In the background";

/// Go on with a run that has not ended, or is paused.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Resume {
    /// The run [default: the last one that has not ended]
    #[arg(value_parser = run_ref)]
    pub run: Option<RunRef>,

    /// Return at once; the run goes on in the background
    #[arg(short, long)]
    pub detach: bool,

    #[command(flatten)]
    pub offers: Offers,
}

impl Resume {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit> {
        must_have_runs(context)?;
        let mut session = match self.detach {
            true => context.home.attach_or_detach().await?,
            false => context.home.attach_or_hold().await?,
        };
        let run = match self.run {
            Some(run) => open_run(&session.client, run).await?,
            None => last_open_run(&session.client).await?,
        };
        if run.is_paused {
            session.client.resume(run.number.into()).await?;
        }
        let run = run.number;
        session.begin()?;
        let note = format!("Run {run} goes on.");
        if self.detach && !session.is_own() {
            context.say(&note);
            commands::run::accepted(context, run)?;
            return Ok(Exit::Ok);
        }
        watch::to_the_end(context, session, run, &note).await
    }
}

/// A run that goes on.
struct Open {
    number: RunId,
    is_paused: bool,
}

/// A run; an error if it has ended.
async fn open_run(client: &Client, run: RunRef) -> Result<Open> {
    let query = TasksQuery { limit: Some(1), ..TasksQuery::default() };
    let run = client.run(run, &query).await?.run;
    if run.status.is_final() {
        let message = format!("run {} has ended: it {}", run.run, past(run.status));
        let hint = format!("run again what did not succeed: autoglm retry {}", run.run);
        return Err(Error::new(Exit::Conflict, code::RUN_ENDED, message).hint(hint));
    }
    Ok(Open { number: run.run, is_paused: run.status == RunStatus::Paused })
}

async fn last_open_run(client: &Client) -> Result<Open> {
    let mut last = None;
    for &status in RunStatus::ALL.iter().filter(|status| !status.is_final()) {
        let query = RunsQuery { status: Some(status), limit: Some(1), ..RunsQuery::default() };
        let found = client.runs(&query).await?.runs.first().map(|run| (run.run, run.status));
        last = last.max(found);
    }
    let last = last.map(|(number, status)| {
        let is_paused = status == RunStatus::Paused;
        Open { number, is_paused }
    });
    last.ok_or_else(|| {
        Error::new(Exit::NotFound, code::NO_SUCH_RUN, "every run has ended")
            .hint("start one: autoglm run FILE")
    })
}

const fn past(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Cancelled => "was cancelled",
        status => status.as_str(),
    }
}
