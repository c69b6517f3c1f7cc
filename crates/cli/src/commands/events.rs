//! `events`: what happened to a run, as far as it goes or as it goes on.

use clap::Args;
use protocol::api::{EventsQuery, RunRef};

use super::{listen, run_ref, tell_where_it_stands};
use crate::app::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::home::Session;
use crate::output::Format;
use crate::render::events::Rows;

const EXAMPLES: &str = "\
Examples:
  autoglm events                     All that happened to the last run
  autoglm events 7 -f                And what happens from now on
  autoglm events 7 --after 120       Only what is newer
  autoglm events 7 -f -o jsonl | jq -r 'select(.kind == \"run_ended\").status'";

/// Show what happened to a run, one durable fact a line.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Events {
    /// The run: its number, or `last`
    #[arg(value_parser = run_ref, default_value = "last")]
    pub run: RunRef,

    /// Go on until the run has ended
    #[arg(short, long)]
    pub follow: bool,

    /// Only what came after the event with this number
    #[arg(long, value_name = "SEQ", default_value_t = 0, hide_default_value = true)]
    pub after: u64,
}

impl Events {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit> {
        let open = async |session: &Session| {
            // Nothing happens while nobody holds the state.
            let follow = self.follow && !session.is_reading();
            session.client.events(self.run, &EventsQuery { after: self.after, follow }).await
        };
        let (session, mut stream) = listen(context, open).await?;
        let output = context.output;
        let mut rows = Rows::new(output.tone);
        while let Some(event) = stream.next().await? {
            let line = match output.format {
                // A stream has no end to wait for: one value a line, whichever JSON was asked for.
                Format::Json | Format::Jsonl => {
                    serde_json::to_string(&event).unwrap_or_default() + "\n"
                }
                Format::Name => format!("{}\n", event.seq),
                Format::Table | Format::Wide => rows.row(&event),
            };
            output.text(&line)?;
        }
        if self.follow {
            tell_where_it_stands(context, &session, self.run).await?;
        }
        Ok(Exit::Ok)
    }
}
