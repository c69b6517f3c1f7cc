//! `import`: a workflow made of what was recorded elsewhere. It reads one file and writes one.

pub(crate) mod names;
pub(crate) mod text;
pub(crate) mod wfcommons;

use clap::{Args, Subcommand};

use crate::app::Context;
use crate::error::Result;
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  autoglm import wfcommons montage.json.gz --time-scale 0.01 --to montage.yaml
  autoglm import wfcommons --help        What can be chosen";

/// Make a workflow of what was recorded elsewhere: wfcommons.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Import {
    #[command(subcommand)]
    pub format: Format,
}

/// What it was recorded as.
#[derive(Debug, Subcommand)]
pub(crate) enum Format {
    /// An instance of WfCommons, in WfFormat 1.4 or 1.5: each task sleeps or computes as long
    Wfcommons(wfcommons::WfCommons),
}

impl Import {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        match self.format {
            Format::Wfcommons(command) => command.run(context),
        }
    }
}
