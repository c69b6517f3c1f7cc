//! `reject`: say no to a task that waits for an approval: it fails.

use clap::Args;
use protocol::api::Say;

use super::approve::{Said, Whom, settle};
use crate::app::Context;
use crate::error::Result;
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  autoglm reject 7 release -m 'the recall has dropped'";

/// Say no to a task that waits for an approval: it fails
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Reject {
    #[command(flatten)]
    pub whom: Whom,

    /// What is said beside it, for the record and for later tasks
    #[arg(short, long, value_name = "TEXT")]
    pub message: Option<String>,
}

impl Reject {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit> {
        let said = Said { say: Say::Reject, comment: self.message, value: None };
        settle(context, self.whom, said).await
    }
}
