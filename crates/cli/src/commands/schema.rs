//! `schema`: the JSON Schemas of workflow files and of test files, for editors.

use clap::Args;

use crate::app::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::output::{Format, Output};

const EXAMPLES: &str = "\
Examples:
  autoglm schema > workflow.schema.json
  autoglm schema --tests > tests.schema.json     Of files such as release.test.yaml

An editor with a YAML language server uses it when the file begins with
  # yaml-language-server: $schema=workflow.schema.json";

/// Print the JSON Schema of workflow files, or of test files.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Schema {
    /// The schema of the files that `autoglm test` plays
    #[arg(long)]
    tests: bool,
}

impl Schema {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let format = match context.output.format {
            Format::Jsonl => Format::Jsonl,
            _ => Format::Json,
        };
        let schema = if self.tests { spec::tests_schema() } else { spec::schema() };
        Output { format, ..context.output }.json(&schema)?;
        Ok(Exit::Ok)
    }
}
