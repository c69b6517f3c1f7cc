//! `fork`: make a new run from one that has been, which keeps what was done before a task.

use clap::Args;
use protocol::api::{Fork, Forked, RunRef};

use super::{bad_argument, must_have_runs, run_ref};
use crate::app::Context;
use crate::args::Offers;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::inputs::Inputs;
use crate::render::plural;
use crate::workflow::{WorkflowFile, params};
use crate::{commands, watch};

const EXAMPLES: &str = "\
Examples:
  autoglm fork 7 --from train                  Train again, in a new run
  autoglm fork 7 --from train -p rate=0.01     With another parameter
  autoglm fork last --from report -E staging --detach

The new run keeps what succeeded in the old one and does not depend on the task, with its outputs;
the task and all that depends on it run. With other parameters or another environment it is made
from the file as it was submitted then, even if the file has changed. Outputs that are kept are not
worked out again: begin at the first task that a changed parameter matters to. The old run stays as
it is, and may still be going on, or be in the archive.";

/// Begin a new run at a task of an earlier one, and keep what was done before it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ForkRun {
    /// The run: its number, or `last`
    #[arg(value_parser = run_ref)]
    pub run: RunRef,

    /// The task that runs again, with all that depends on it
    #[arg(long, value_name = "TASK")]
    pub from: String,

    #[command(flatten)]
    pub inputs: Inputs,

    /// Return as soon as the run is accepted; it goes on in the background
    #[arg(short, long)]
    pub detach: bool,

    #[command(flatten)]
    pub offers: Offers,
}

impl ForkRun {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit> {
        let request = self.request(context)?;
        must_have_runs(context)?;
        let mut session = match self.detach {
            true => context.home.attach_or_detach().await?,
            false => context.home.attach_or_hold().await?,
        };
        let forked = session.client.fork(self.run, &request).await?;
        session.begin()?;
        let note = note(&forked);
        if self.detach && !session.is_own() {
            context.say(&note);
            return accepted(context, &forked);
        }
        watch::to_the_end(context, session, forked.run, &note).await
    }

    /// Relative paths among the parameters begin here.
    fn request(&self, context: &Context) -> Result<Fork> {
        let here = std::env::current_dir().map_err(|error| {
            bad_argument(format!("the folder that this runs in cannot be found: {error}"))
        })?;
        let mut values = std::collections::BTreeMap::new();
        for named in &self.inputs.param_files {
            let file = WorkflowFile::read(named)?;
            let found = spec::params_file(&file.source);
            values.extend(found.map_err(|errors| Error::invalid(&errors, context.tone))?);
        }
        values.extend(params(&self.inputs.params));
        Ok(Fork {
            from: self.from.clone(),
            params: values,
            folder: here.to_str().map(str::to_owned),
            environment: self.inputs.environment.clone(),
        })
    }
}

fn accepted(context: &Context, forked: &Forked) -> Result<Exit> {
    match context.output.format.is_json() {
        true => context.output.json(forked)?,
        false => commands::run::accepted(context, forked.run)?,
    }
    Ok(Exit::Ok)
}

fn note(forked: &Forked) -> String {
    let Forked { run, from, name, kept, tasks } = forked;
    let of = plural(*tasks, "task");
    match kept {
        0 => format!("Run {run} of {name} begins, made from run {from}: it keeps nothing of it."),
        1 => format!("Run {run} of {name} begins, made from run {from}: 1 of {of} is kept."),
        _ => format!("Run {run} of {name} begins, made from run {from}: {kept} of {of} are kept."),
    }
}

#[cfg(test)]
mod tests {
    use model::RunId;

    use super::*;

    #[test]
    fn the_note_says_how_much_is_kept() {
        let forked =
            |kept| Forked { run: RunId(9), from: RunId(7), name: "etl".to_owned(), kept, tasks: 4 };
        assert_eq!(
            note(&forked(3)),
            "Run 9 of etl begins, made from run 7: 3 of 4 tasks are kept."
        );
        assert!(note(&forked(1)).ends_with("1 of 4 tasks is kept."));
        assert!(note(&forked(0)).ends_with("it keeps nothing of it."));
    }
}
