//! `pause`: let nothing more of a run start, until it is resumed.

use clap::Args;
use protocol::api::RunRef;

use super::{acknowledged, run_ref, tell};
use crate::app::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::home::Session;

const EXAMPLES: &str = "\
Examples:
  autoglm pause last
  autoglm resume last    It goes on";

/// Let nothing more of a run start; what runs goes on.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Pause {
    /// The run: its number, or `last`
    #[arg(value_parser = run_ref)]
    pub run: RunRef,
}

impl Pause {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit> {
        let pause = async |session: &Session| session.client.pause(self.run).await;
        let (_session, summary) = tell(context, pause).await?;
        let run = summary.run;
        let note = format!("Run {run} ({}) is paused: autoglm resume {run} goes on.", summary.name);
        acknowledged(context, &summary, &note)
    }
}
