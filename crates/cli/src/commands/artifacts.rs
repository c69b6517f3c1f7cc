//! `artifacts`: what the tasks of a run have left, and copies of it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use client::Client;
use protocol::api::code::NO_SUCH_ARTIFACT;
use protocol::api::{Artifact, ArtifactsQuery, RunRef};

use super::{bad_argument, reader, run_ref};
use crate::app::Context;
use crate::error::{Error, NOT_WRITTEN, Result};
use crate::exit::Exit;
use crate::output::Format;
use crate::render::gc::size;
use crate::table::{Cell, Table};

const EXAMPLES: &str = "\
Examples:
  autoglm artifacts last
  autoglm artifacts 7 train
  autoglm artifacts 7 train/model --to model.bin
  autoglm artifacts 7 train --to results/";

/// List what the tasks of a run have left, or fetch it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Artifacts {
    /// The run: its number, or `last`
    #[arg(value_parser = run_ref)]
    pub run: RunRef,

    /// Only this task, or only its artifact of this name
    #[arg(value_name = "TASK[/NAME]")]
    pub of: Option<String>,

    /// Write them here: a file, or a folder for several
    #[arg(long, value_name = "PATH", requires = "of")]
    pub to: Option<PathBuf>,
}

impl Artifacts {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit> {
        let session = reader(context).await?;
        let (task, name) = match self.of.as_deref().map(|of| of.split_once('/').ok_or(of)) {
            None => (None, None),
            Some(Ok((task, name))) => (Some(task.to_owned()), Some(name)),
            Some(Err(task)) => (Some(task.to_owned()), None),
        };
        let mut list = session.client.artifacts(self.run, &ArtifactsQuery { task }).await?;
        if let Some(name) = name {
            let is_in = |known: &str| {
                known
                    .strip_prefix(name)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            list.artifacts.retain(|artifact| is_in(&artifact.name));
        }
        if list.artifacts.is_empty()
            && let Some(of) = &self.of
        {
            let message = format!("run {} has no artifact {of}", list.run);
            let hint = format!("see what there is: autoglm artifacts {}", list.run);
            return Err(Error::new(Exit::NotFound, NO_SUCH_ARTIFACT, message).hint(hint));
        }
        if let Some(to) = &self.to {
            return fetch(context, &session.client, (&list.artifacts, name), to).await;
        }
        let output = context.output;
        match output.format {
            Format::Json | Format::Jsonl => output.json_list(&list, &list.artifacts)?,
            Format::Name => {
                let names = list.artifacts.iter().map(|one| format!("{}/{}\n", one.task, one.name));
                output.text(&names.collect::<String>())?;
            }
            Format::Table | Format::Wide if list.artifacts.is_empty() => {
                context.say("Its tasks have left no artifacts.");
            }
            format @ (Format::Table | Format::Wide) => {
                output.text(&table(&list.artifacts, format == Format::Wide, context))?;
            }
        }
        Ok(Exit::Ok)
    }
}

fn table(artifacts: &[Artifact], is_wide: bool, context: &Context) -> String {
    let mut table = Table::new(&["TASK", ">ITEM", "NAME", ">SIZE", "DIGEST", "PATH"]);
    for one in artifacts {
        let digest =
            if is_wide { one.digest.as_str() } else { &one.digest[..one.digest.len().min(12)] };
        table.row(vec![
            Cell::from(&one.task),
            Cell::from(one.item.map_or_else(|| "-".to_owned(), |item| item.to_string())),
            Cell::from(&one.name),
            Cell::from(size(one.bytes)),
            Cell::from(digest),
            Cell::from(&one.path),
        ]);
    }
    table.render(context.output.tone)
}

/// Writes artifacts: one to a file of that name, several below a folder.
async fn fetch(
    context: &Context,
    client: &Client,
    (artifacts, name): (&[Artifact], Option<&str>),
    to: &Path,
) -> Result<Exit> {
    let is_folder = to.is_dir() || to.to_string_lossy().ends_with('/');
    let is_one = matches!(artifacts, [one] if Some(one.name.as_str()) == name);
    if !is_one && to.exists() && !is_folder {
        let message = format!("these are {} files, and {} is one", artifacts.len(), to.display());
        return Err(bad_argument(message).hint("name a folder, or one artifact: TASK/NAME"));
    }
    for artifact in artifacts {
        let path = match is_one && !is_folder {
            true => to.to_owned(),
            // A path of an artifact has no `..` in it; whoever says otherwise is not believed.
            false => to.join(plain(&artifact.path)?),
        };
        let failed = |error: io::Error| {
            let message = format!("cannot write {}: {error}", path.display());
            Error::new(Exit::Storage, NOT_WRITTEN, message)
        };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        let part = path.with_file_name(name);
        let mode = if artifact.executable { 0o755 } else { 0o644 };
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(mode);
        let file = options.open(&part).map_err(failed)?;
        let written = receive(client, artifact, file).await;
        if let Err(error) = written {
            // The first error is the one to tell.
            let _ = fs::remove_file(&part);
            return Err(error);
        }
        fs::rename(&part, &path).map_err(failed)?;
        context.say(&format!("{}/{}: {}", artifact.task, artifact.name, path.display()));
    }
    Ok(Exit::Ok)
}

/// A path that stays below where it begins.
fn plain(path: &str) -> Result<&Path> {
    let path = Path::new(path);
    let is_plain = |part| matches!(part, std::path::Component::Normal(_));
    match path.components().all(is_plain) {
        true => Ok(path),
        false => {
            let message = format!("the path of the artifact leads away: {}", path.display());
            Err(Error::new(Exit::Storage, NOT_WRITTEN, message))
        }
    }
}

/// Receives the content of an artifact, and holds it against its name.
async fn receive(client: &Client, artifact: &Artifact, mut file: File) -> Result<()> {
    let mut content = client.artifact(&artifact.digest).await?;
    let mut hasher = blake3::Hasher::new();
    let failed = |error: io::Error| {
        Error::new(Exit::Storage, NOT_WRITTEN, format!("cannot write {}: {error}", artifact.name))
    };
    while let Some(bytes) = content.next().await? {
        hasher.update(&bytes);
        file.write_all(&bytes).map_err(failed)?;
    }
    if hasher.finalize().to_hex().as_str() != artifact.digest {
        let message = format!("what is stored of {} is damaged", artifact.name);
        let hint = "the disk may be failing; the task can make it again: autoglm retry";
        return Err(Error::new(Exit::Storage, NO_SUCH_ARTIFACT, message).hint(hint));
    }
    Ok(())
}
