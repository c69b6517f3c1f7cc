//! `schema`: the JSON Schema of workflow files, for editors.

use clap::Args;

use crate::app::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::output::{Format, Output};

const EXAMPLES: &str = "\
Examples:
  autoglm schema > autoglm.schema.json

An editor with a YAML language server uses it when the file begins with
  # yaml-language-server: $schema=autoglm.schema.json";

/// Print the JSON Schema of workflow files.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Schema {}

impl Schema {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let format = match context.output.format {
            Format::Jsonl => Format::Jsonl,
            _ => Format::Json,
        };
        Output { format, ..context.output }.json(&spec::schema())?;
        Ok(Exit::Ok)
    }
}
