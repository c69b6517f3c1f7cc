//! Results on standard output: for people as tables, for programs as JSON.
//!
//! Standard output carries the result and nothing else; progress, notes and errors go to standard
//! error.

use std::io::{self, Write};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::error::{Error, NO_OUTPUT, Result};
use crate::exit::Exit;
use crate::style::Tone;

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// A table for people.
    #[default]
    Table,
    /// A table with all columns.
    Wide,
    /// One JSON value.
    Json,
    /// One JSON value a line.
    Jsonl,
    /// Names or numbers alone, one a line.
    Name,
}

impl Format {
    /// Whether a program reads the result.
    pub(crate) const fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::Jsonl)
    }
}

/// Where results go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    /// How.
    pub format: Format,
    /// The tone of standard output.
    pub tone: Tone,
}

impl Output {
    /// Prints text as it is.
    pub(crate) fn text(self, text: &str) -> Result<()> {
        let mut stdout = io::stdout().lock();
        check(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()))
    }

    /// Prints one value as JSON: over several lines for `json`, on one for `jsonl`.
    pub(crate) fn json(self, value: &impl Serialize) -> Result<()> {
        let text = match self.format {
            Format::Json => serde_json::to_string_pretty(value),
            _ => serde_json::to_string(value),
        };
        let text = text.map_err(|error| failed(&error.to_string()))?;
        self.text(&format!("{text}\n"))
    }

    /// Prints a list: for `jsonl` one entry a line, for `json` the `whole`.
    pub(crate) fn json_list<T: Serialize>(self, whole: &impl Serialize, list: &[T]) -> Result<()> {
        match self.format {
            Format::Jsonl => list.iter().try_for_each(|entry| self.json(entry)),
            _ => self.json(whole),
        }
    }
}

/// A reader that has gone away has seen enough; everything else is an error.
fn check(written: io::Result<()>) -> Result<()> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(failed(&error.to_string())),
        _ => Ok(()),
    }
}

fn failed(reason: &str) -> Error {
    Error::new(Exit::Storage, NO_OUTPUT, format!("cannot write the result: {reason}"))
}
