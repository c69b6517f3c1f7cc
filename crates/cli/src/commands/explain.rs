//! `explain`: why a task waits, or where it runs.

use clap::Args;
use protocol::api::{ExplainQuery, Moment, RunRef};

use super::{reader, run_ref};
use crate::app::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::moment;
use crate::output::Format;
use crate::render::{explanation, now};

const EXAMPLES: &str = "\
Examples:
  autoglm explain last train
  autoglm explain 7 train --item 3
  autoglm explain 7 train --at 2026-11-20T18:36:51Z
  autoglm explain 7 train --at 10m                     Ten minutes ago
  autoglm explain 7 train --at 812                     When fact 812 of the journal was the last";

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

    /// As of a time, such as 2026-11-20T18:36:51Z or 10m for ago, or of a fact by its number
    #[arg(long, value_name = "WHEN", value_parser = moment::moment, allow_hyphen_values = true)]
    pub at: Option<Moment>,
}

impl Explain {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit> {
        let session = reader(context).await?;
        let query = ExplainQuery { item: self.item, at: self.at };
        let explained = session.client.explain(self.run, &self.task, &query).await?;
        let output = context.output;
        match output.format {
            Format::Json | Format::Jsonl => output.json(&explained)?,
            Format::Name => {
                let kinds = explained.blockers.iter().map(|blocker| format!("{}\n", blocker.kind));
                output.text(&kinds.collect::<String>())?;
            }
            Format::Table | Format::Wide => {
                output.text(&explanation::render(&explained, now(), output.tone))?;
                // How things stood then says nothing of who works on it now.
                let is_over = explained.status.is_final() || explained.as_of.is_some();
                super::tell_if_left(context, &session, explained.run, is_over);
            }
        }
        Ok(Exit::Ok)
    }
}
