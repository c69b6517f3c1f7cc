//! `completions`: what a shell needs to complete commands and options.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::app::Context;
use crate::args::Arguments;
use crate::error::Result;
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  autoglm completions bash > ~/.local/share/bash-completion/completions/autoglm
  autoglm completions zsh > ~/.zfunc/_autoglm
  autoglm completions fish > ~/.config/fish/completions/autoglm.fish";

/// Print completions for a shell.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Completions {
    /// The shell
    pub shell: Shell,
}

impl Completions {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "autoglm", &mut script);
        context.output.text(&String::from_utf8_lossy(&script))?;
        Ok(Exit::Ok)
    }
}
