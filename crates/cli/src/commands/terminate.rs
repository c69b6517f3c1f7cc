//! `terminate`: end a run at once.

use clap::Args;
use protocol::api::{RunRef, StopMode};

use super::{run_ref, stop};
use crate::app::Context;
use crate::error::Result;
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  autoglm terminate last
  autoglm terminate 7 --wait    Return when it has ended";

/// End a run at once: tasks are killed, nothing else runs.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Terminate {
    /// The run: its number, or `last`
    #[arg(value_parser = run_ref)]
    pub run: RunRef,

    /// Return when the run has ended, with its exit code
    #[arg(short, long)]
    pub wait: bool,
}

impl Terminate {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit> {
        stop::end(context, self.run, StopMode::Terminate, self.wait).await
    }
}
