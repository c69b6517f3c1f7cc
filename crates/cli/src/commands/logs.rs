//! `logs`: what tasks wrote, as far as it goes or as it goes on.

use clap::Args;
use protocol::api::{LogsQuery, RunRef};

use super::{listen, run_ref, tell_where_it_stands};
use crate::app::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::home::Session;
use crate::render::log::LineWriter;

const EXAMPLES: &str = "\
Examples:
  autoglm logs                       All tasks of the last run
  autoglm logs 7 train -f            Follow one task
  autoglm logs 7 train --item 3 --attempt 1
  autoglm logs 7 train --round 1     Before it was run again
  autoglm logs 7 train --all         Every round and attempt
  autoglm logs 7 --tail 20 -o jsonl

Where a task shows more than one round or attempt, a line names each from the second on.";

/// Show what tasks wrote.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Logs {
    /// The run: its number, or `last`
    #[arg(value_parser = run_ref, default_value = "last")]
    pub run: RunRef,

    /// Only this task
    pub task: Option<String>,

    /// Only this item of the task
    #[arg(long, value_name = "NUMBER", requires = "task")]
    pub item: Option<u32>,

    /// Only this attempt [default: the last one of each item]
    #[arg(long, value_name = "NUMBER")]
    pub attempt: Option<u16>,

    /// Only this round, from 1 as `get` counts them [default: the last that was opened by hand]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    pub round: Option<u16>,

    /// All rounds and all attempts, each under a line that names it
    #[arg(long, conflicts_with_all = ["round", "attempt"])]
    pub all: bool,

    /// Go on until the run, or the task, has ended
    #[arg(short, long)]
    pub follow: bool,

    /// Only the last lines of each attempt
    #[arg(long, value_name = "LINES")]
    pub tail: Option<u64>,

    /// Begin each line with its time
    #[arg(short, long)]
    pub timestamps: bool,
}

impl Logs {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit> {
        let open = async |session: &Session| {
            let query = LogsQuery {
                task: self.task.clone(),
                item: self.item,
                attempt: self.attempt,
                round: self.round.map(|round| round - 1),
                all: self.all,
                // Nothing is written while nobody holds the state.
                follow: self.follow && !session.is_reading(),
                tail: self.tail,
            };
            session.client.logs(self.run, &query).await
        };
        let (session, mut stream) = listen(context, open).await?;
        let output = context.output;
        let mut writer =
            LineWriter::new(output.tone, self.task.is_none(), self.timestamps).naming_all(self.all);
        while let Some(chunk) = stream.next().await? {
            if output.format.is_json() {
                // A stream has no end to wait for: one value a line, whichever JSON was asked for.
                let line = serde_json::to_string(&chunk).unwrap_or_default();
                output.text(&format!("{line}\n"))?;
            } else {
                output.text(&writer.push(&chunk))?;
            }
        }
        output.text(&writer.finish())?;
        if self.follow {
            tell_where_it_stands(context, &session, self.run).await?;
        }
        Ok(Exit::Ok)
    }
}
