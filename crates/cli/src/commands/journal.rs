//! `journal`: look at the durable log itself, whoever holds it or nobody.

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::app::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::home::journal;
use crate::output::{Format, Output};
use crate::table::{Cell, Table};

const EXAMPLES: &str = "\
Examples:
  autoglm journal verify           Every sum and every number
  autoglm journal export > facts.jsonl
  autoglm journal stat";

/// Look after the journal: verify, export, stat.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Journal {
    #[command(subcommand)]
    pub action: Action,
}

/// What to do with it.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Action {
    /// Read all of it, and check every sum and every number
    Verify,
    /// Print every fact, one JSON value a line
    Export,
    /// Say how much there is, and of what
    Stat,
}

impl Journal {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let (folder, output) = (context.home.folder(), context.output);
        if !context.home.has_state() {
            return Err(super::no_runs());
        }
        match self.action {
            Action::Verify => {
                let report = journal::verify(folder)?;
                print(output, &report)?;
                let is_sound = report.get("ok").and_then(Value::as_bool).unwrap_or(false);
                Ok(if is_sound { Exit::Ok } else { Exit::Storage })
            }
            Action::Export => {
                journal::export(folder, &mut |fact| output.text(&format!("{fact}\n")))?;
                Ok(Exit::Ok)
            }
            Action::Stat => {
                print(output, &journal::stat(folder)?)?;
                Ok(Exit::Ok)
            }
        }
    }
}

fn print(output: Output, report: &Value) -> Result<()> {
    match output.format {
        Format::Json | Format::Jsonl => output.json(report),
        Format::Table | Format::Wide | Format::Name => output.text(&rows(report, output)),
    }
}

/// A report as rows of name and value; what lies deeper gets a dot.
fn rows(report: &Value, output: Output) -> String {
    let mut table = Table::new(&["WHAT", "VALUE"]);
    fn add(table: &mut Table, name: &str, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (field, value) in fields {
                    let dot = if name.is_empty() { "" } else { "." };
                    add(table, &format!("{name}{dot}{field}"), value);
                }
            }
            Value::Array(list) => list.iter().for_each(|value| add(table, name, value)),
            Value::String(text) => table.row([Cell::from(name), Cell::whole(text)]),
            value => table.row([Cell::from(name), Cell::whole(&value.to_string())]),
        }
    }
    add(&mut table, "", report);
    table.render(output.tone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::style::Tone;

    #[test]
    fn a_report_is_rows() {
        let report = serde_json::json!({
            "ok": false,
            "facts": 12,
            "damage": ["frame 3: bad checksum"],
            "kinds": {"run_ended": 2},
        });
        let output = Output { format: Format::Table, tone: Tone::PLAIN };
        insta::assert_snapshot!(rows(&report, output), @r"
        WHAT             VALUE
        damage           frame 3: bad checksum
        facts            12
        kinds.run_ended  2
        ok               false
        ");
    }
}
