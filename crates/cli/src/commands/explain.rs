//! `explain`: why a task waits, or where it runs.

use clap::Args;
use protocol::api::{ExplainQuery, RunRef};

use super::{reader, run_ref};
use crate::app::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::output::Format;
use crate::render::explanation;

const EXAMPLES: &str = "\
Examples:
  autoglm explain last train
  autoglm explain 7 train --item 3";

/// Say why a task waits, or where it runs.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Explain {
    /// The run: its number, or `last`
    #[arg(value_parser = run_ref)]
    pub run: RunRef,

    /// The task
    pub task: String,

    /// An item of its fan-out [default: the one that has come least far]
    #[arg(long, value_name = "NUMBER")]
    pub item: Option<u32>,
}

impl Explain {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit> {
        let session = reader(context).await?;
        let query = ExplainQuery { item: self.item };
        let explained = session.client.explain(self.run, &self.task, &query).await?;
        let output = context.output;
        match output.format {
            Format::Json | Format::Jsonl => output.json(&explained)?,
            Format::Name => {
                let kinds = explained.blockers.iter().map(|blocker| format!("{}\n", blocker.kind));
                output.text(&kinds.collect::<String>())?;
            }
            Format::Table | Format::Wide => {
                output.text(&explanation::render(&explained, output.tone))?;
                let is_final = explained.status.is_final();
                super::tell_if_left(context, &session, explained.run, is_final);
            }
        }
        Ok(Exit::Ok)
    }
}
