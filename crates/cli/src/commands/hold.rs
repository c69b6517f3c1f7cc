//! `__hold`: the process behind `--detach`. People do not type it.

use clap::Args;

use crate::app::Context;
use crate::args::Offers;
use crate::error::Result;
use crate::exit::Exit;
use crate::home;

/// Hold the state for others, until the last run has ended.
#[derive(Debug, Args)]
pub(crate) struct Hold {
    #[command(flatten)]
    pub offers: Offers,
}

impl Hold {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        home::serve_detached(&context.home)
    }
}
