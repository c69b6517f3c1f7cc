//! `init`: a workflow to begin with, in a folder. It never writes over a file.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::app::Context;
use crate::error::{Error, FILE_EXISTS, NOT_WRITTEN, Result};
use crate::exit::Exit;
use crate::output::Format;
use crate::render::shell_word;
use crate::style::Paint;

const EXAMPLES: &str = "\
Examples:
  autoglm init                         Two tasks, in this folder
  autoglm init models --template ml    Try configurations, pick the best, ask, release
  autoglm init sales --template etl    Extract, transform side by side, load

It writes workflow.yaml, the scripts that this runs, workflow.schema.json for editors, and a
.gitignore if there is none. A file that is there already is never written over.";

/// Where the schema lies: beside the workflow, whose first line names it.
const SCHEMA: &str = "workflow.schema.json";
const WORKFLOW: &str = "workflow.yaml";
const GITIGNORE: &str = ".gitignore";

/// Begin a workflow in a folder.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Init {
    /// The folder; it is made if it is not there
    #[arg(default_value = ".")]
    pub folder: PathBuf,

    /// What to begin with: minimal, ml or etl
    #[arg(long, value_enum, value_name = "NAME", default_value_t = Template::Minimal)]
    #[arg(hide_possible_values = true)]
    pub template: Template,
}

/// What to begin with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Template {
    /// Two tasks of which one uses what the other found out.
    #[default]
    Minimal,
    /// A fan-out over configurations, the best of them, a decision, an approval.
    Ml,
    /// Extract, a fan-out over what was found, load, an alert.
    Etl,
}

macro_rules! files {
    ($folder:literal: $($name:literal),+) => {
        &[$(($name, include_str!(concat!("../../templates/", $folder, "/", $name)))),+]
    };
}

impl Template {
    /// Its files by name, below the folder.
    const fn files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Minimal => files!("minimal": "workflow.yaml", "count.sh"),
            Self::Ml => files!("ml": "workflow.yaml", "prepare.py", "train.py"),
            Self::Etl => {
                files!("etl": "workflow.yaml", "extract.sh", "transform.sh", "data.csv")
            }
        }
    }
}

impl Init {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let schema = serde_json::to_string_pretty(&spec::schema());
        let schema = format!("{}\n", schema.expect("a schema is JSON"));
        let mut files: Vec<(&str, &str)> = self.template.files().to_vec();
        files.push((SCHEMA, &schema));
        self.refuse_to_overwrite(&files)?;
        if fs::symlink_metadata(self.folder.join(GITIGNORE)).is_err() {
            files.push((GITIGNORE, include_str!("../../templates/gitignore")));
        }
        write_all(&self.folder, &files)?;
        self.tell(context, &files)?;
        Ok(Exit::Ok)
    }

    fn refuse_to_overwrite(&self, files: &[(&str, &str)]) -> Result<()> {
        let is_there = |name: &&str| fs::symlink_metadata(self.folder.join(name)).is_ok();
        let there: Vec<&str> = files.iter().map(|(name, _)| *name).filter(is_there).collect();
        if there.is_empty() {
            return Ok(());
        }
        let folder = self.folder.display();
        let message = format!("{folder} has {} already; nothing was written", there.join(", "));
        Err(Error::new(Exit::Conflict, FILE_EXISTS, message)
            .hint("name another folder: autoglm init FOLDER"))
    }

    fn tell(&self, context: &Context, files: &[(&str, &str)]) -> Result<()> {
        let (output, tone) = (context.output, context.output.tone);
        let path = |name: &str| {
            let path = self.folder.join(name);
            path.strip_prefix(".").unwrap_or(&path).display().to_string()
        };
        let written: Vec<String> = files.iter().map(|(name, _)| path(name)).collect();
        let workflow = shell_word(&path(WORKFLOW));
        let next = [format!("autoglm plan {workflow}"), format!("autoglm run {workflow}")];
        match output.format {
            Format::Json | Format::Jsonl => output.json(&json!({"written": written, "next": next})),
            Format::Name => {
                output.text(&written.iter().map(|path| format!("{path}\n")).collect::<String>())
            }
            Format::Table | Format::Wide => {
                let mut text = String::from("Written:\n");
                written.iter().for_each(|path| text.push_str(&format!("  {path}\n")));
                text.push_str("\nGo on with:\n");
                for command in next {
                    text.push_str(&format!("  {}\n", tone.paint(Paint::Accent, &command)));
                }
                output.text(&text)
            }
        }
    }
}

/// Writes new files. When one cannot be written, those before it are taken away again.
fn write_all(folder: &Path, files: &[(&str, &str)]) -> Result<()> {
    let mut written = Vec::new();
    let outcome = fs::create_dir_all(folder).and_then(|()| {
        for (name, text) in files {
            let path = folder.join(name);
            let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
            written.push(path);
            file.write_all(text.as_bytes())?;
        }
        Ok(())
    });
    outcome.map_err(|error: io::Error| {
        for path in written {
            // The first error is the one to be told.
            let _ = fs::remove_file(path);
        }
        let message = format!("cannot write into {}: {error}", folder.display());
        Error::new(Exit::Storage, NOT_WRITTEN, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_whole_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = [("a", "1"), ("b/c", "2")];
        let error = write_all(folder.path(), &files).expect_err("there is no folder b");
        assert_eq!(error.exit, Exit::Storage);
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 0);
    }
}
