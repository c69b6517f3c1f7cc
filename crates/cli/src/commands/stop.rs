//! `stop`: end a run gracefully. `terminate` shares all but the manner.

use clap::Args;
use protocol::api::{RunRef, StopMode};

use super::{acknowledged, run_ref, tell};
use crate::app::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::home::Session;
use crate::watch;

const EXAMPLES: &str = "\
Examples:
  autoglm stop last
  autoglm stop 7 --wait    Return when it has ended";

/// End a run gracefully: tasks are asked to end, handlers run.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct StopRun {
    /// The run: its number, or `last`
    #[arg(value_parser = run_ref)]
    pub run: RunRef,

    /// Return when the run has ended, with its exit code
    #[arg(short, long)]
    pub wait: bool,
}

impl StopRun {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit> {
        end(context, self.run, StopMode::Stop, self.wait).await
    }
}

/// Asks for the end of a run. A process that holds the state itself stays until it has come.
pub(super) async fn end(
    context: &Context,
    run: RunRef,
    mode: StopMode,
    wait: bool,
) -> Result<Exit> {
    let stop = async |session: &Session| session.client.stop(run, mode).await;
    let (mut session, summary) = tell(context, stop).await?;
    if !summary.status.is_final() {
        // Its handlers have yet to run.
        session.begin()?;
    }
    let run = summary.run;
    let verb = match mode {
        StopMode::Stop => "is being stopped",
        StopMode::Terminate => "is being terminated",
    };
    let note = format!("Run {run} ({}) {verb}.", summary.name);
    if wait || session.is_own() {
        let exit = watch::to_the_end(context, session, run, &note).await?;
        return Ok(if wait { exit } else { Exit::Ok });
    }
    acknowledged(context, &summary, &note)
}
