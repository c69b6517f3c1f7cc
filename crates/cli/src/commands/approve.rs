//! `approve`: say yes to a task that waits for an approval. `reject` and `signal` share all but
//! what is said.

use clap::Args;
use protocol::api::{RunRef, Say, Settle};

use super::{heard, run_ref, told};
use crate::app::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::home::Session;

const EXAMPLES: &str = "\
Examples:
  autoglm approve 7 release -m 'the numbers are good'
  autoglm approve last release --by dana";

/// Say yes to a task that waits for an approval
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Approve {
    #[command(flatten)]
    pub whom: Whom,

    /// What is said beside it, for the record and for later tasks
    #[arg(short, long, value_name = "TEXT")]
    pub message: Option<String>,
}

/// To which task something is said, and by whom.
#[derive(Debug, Args)]
pub(crate) struct Whom {
    /// The run: its number, or `last`
    #[arg(value_parser = run_ref)]
    pub run: RunRef,

    /// The task that waits
    pub task: String,

    /// Who says it, for the record [default: the user who runs this]
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
}

impl Approve {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit> {
        let said = Said { say: Say::Approve, comment: self.message, value: None };
        settle(context, self.whom, said).await
    }
}

/// What is said.
pub(super) struct Said {
    pub say: Say,
    pub comment: Option<String>,
    pub value: Option<serde_json::Map<String, serde_json::Value>>,
}

/// Says something to a task. What is said is durable when this returns; the run goes on without it.
pub(super) async fn settle(context: &Context, whom: Whom, said: Said) -> Result<Exit> {
    let Whom { run, task, by } = whom;
    let by = by.or_else(|| std::env::var("USER").ok());
    let settle = Settle { verdict: said.say, by, comment: said.comment, value: said.value };
    let settle = async |session: &Session| session.client.settle(run, &task, &settle).await;
    let (session, summary) = told(context, settle).await?;
    let run = summary.run;
    let word = match said.say {
        Say::Approve => "approved",
        Say::Reject => "rejected",
        Say::Signal => "given its signal",
    };
    let note = format!("Task {task} of run {run} ({}) is {word}.", summary.name);
    heard(context, session, &summary, &note).await
}
