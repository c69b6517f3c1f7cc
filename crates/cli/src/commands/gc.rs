//! `gc`: take away ended runs that are not to be kept, after showing what would go.

use clap::Args;
use protocol::api;

use crate::app::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::output::Format;
use crate::quantity::{self, Limit};
use crate::render::gc;

const EXAMPLES: &str = "\
Examples:
  autoglm gc                        Only show what would go
  autoglm gc --yes                  Remove it
  autoglm gc --keep-runs 100 --yes  Keep the last 100 runs that ended
  autoglm gc --keep-days 30         See what is older than 30 days

A run goes when either limit says so, with its history, its work folders, and the log segments that
it was the last to need. Runs that have not ended are never touched.";

/// Take away ended runs that are not to be kept, and what they left.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Gc {
    /// Remove it, instead of only showing what would go
    #[arg(short, long)]
    pub yes: bool,

    /// How many ended runs to keep, or all [default: the setting `keep_runs`, else 10000]
    #[arg(long, value_name = "COUNT", value_parser = quantity::limit)]
    pub keep_runs: Option<Limit>,

    /// For how many days to keep them, or all [default: the setting `keep_days`, else all]
    #[arg(long, value_name = "DAYS", value_parser = quantity::days)]
    pub keep_days: Option<Limit>,
}

impl Gc {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit> {
        let report = self.ask(context).await?;
        let output = context.output;
        match output.format {
            Format::Json | Format::Jsonl => output.json(&report)?,
            // Nothing of it has a name.
            Format::Name => {}
            Format::Table | Format::Wide => output.text(&gc::render(&report, self.yes))?,
        }
        if !self.yes && !gc::is_nothing(&report) {
            context.say("Nothing was removed. To remove it: autoglm gc --yes");
        }
        Ok(Exit::Ok)
    }

    async fn ask(&self, context: &Context) -> Result<api::GcReport> {
        if !context.home.has_state() {
            return Ok(api::GcReport::default());
        }
        let keep = context.home.keep();
        let (keep_runs, keep_days) = (keep.runs.number(), keep.days.number());
        let gc = api::Gc { keep_runs, keep_days, preview: !self.yes };
        let session = context.home.keeping_all().attach_or_hold().await?;
        Ok(session.client.gc(&gc).await?)
    }
}
