//! `run`: submit a workflow file and wait for its end, or leave it to a holder of its own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use model::RunId;
use protocol::api::{Disposition, Problem, Submit, Submitted, code};
use serde_json::Value;

use super::{bad_argument, dry_run};
use crate::app::{Context, GONE_PATIENCE, GONE_POLL};
use crate::args::Offers;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::home::Session;
use crate::inputs::Inputs;
use crate::render::now;
use crate::watch;
use crate::workflow::{WorkflowFile, pair};

const EXAMPLES: &str = "\
Examples:
  autoglm run digits.yaml
  autoglm run etl.yaml -p day=monday -p rows=1000
  autoglm run etl.yaml --param-file monday.yaml --environment staging
  autoglm run etl.yaml --dry-run         Show what would run, start nothing
  autoglm run etl.yaml --detach          Return at once; see: autoglm get last
  autoglm run etl.yaml --cpu 2 --memory 4Gi --resource license=1
  autoglm run etl.yaml --cluster nodes.yaml     On nodes that are made up, all on this machine

The same file, parameters, environment and variables again: a run that has not ended goes on where
it stopped, or is watched if it is going on; one that has ended is followed by a new one. If the
file has changed since a run of it began that has not ended: `autoglm resume RUN` goes on with the
old text, --new begins anew with the new one.

Ctrl-C once stops the run gracefully, twice terminates it.";

/// Run a workflow, or go on with it where it stopped.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Run {
    /// The workflow file, YAML or JSON
    pub file: PathBuf,

    #[command(flatten)]
    pub inputs: Inputs,

    /// A variable that the tasks get, over those of the file; may be given again. Without a `=` it
    /// is an environment, as with --environment
    #[arg(short, long = "env", value_name = "NAME=VALUE", value_parser = EnvArgument::parse)]
    pub env: Vec<EnvArgument>,

    /// A label of the run, over those of the file; may be given again. See: autoglm list -l
    #[arg(short, long = "label", value_name = "KEY=VALUE", value_parser = label)]
    pub labels: Vec<(String, String)>,

    /// Begin a new run even if one of the same file has not ended
    #[arg(long)]
    pub new: bool,

    /// Run all tasks, also those whose outputs are in the cache
    #[arg(long)]
    pub no_cache: bool,

    /// Return as soon as the run is accepted; it goes on in the background
    #[arg(short, long)]
    pub detach: bool,

    /// Check everything, show what would run, and start nothing
    #[arg(long, conflicts_with_all = ["detach", "new", "idempotency_key"])]
    pub dry_run: bool,

    /// Its place among runs, 0 to 100, higher first [default: as the file says]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub priority: Option<u8>,

    /// Names this submission: the same key again is the same run
    #[arg(long, value_name = "TEXT")]
    pub idempotency_key: Option<String>,

    #[command(flatten)]
    pub offers: Offers,
}

/// Reads `KEY=VALUE`.
fn label(text: &str) -> std::result::Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not KEY=VALUE"))?;
    spec::check_label(key, value)?;
    Ok((key.to_owned(), value.to_owned()))
}

/// What stands behind `--env`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EnvArgument {
    /// `NAME=VALUE`.
    Variable(String, String),
    /// `NAME`.
    Environment(String),
}

impl EnvArgument {
    fn parse(text: &str) -> std::result::Result<Self, String> {
        match text.contains('=') {
            true => pair(text).map(|(name, value)| Self::Variable(name, value)),
            false if text.is_empty() => Err("the name of an environment is not empty".to_owned()),
            false => Ok(Self::Environment(text.to_owned())),
        }
    }

    fn variable(&self) -> Option<(String, String)> {
        match self {
            Self::Variable(name, value) => Some((name.clone(), value.clone())),
            Self::Environment(_) => None,
        }
    }
}

impl Run {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit> {
        // A file that is not valid is refused here, before anything is started for it.
        let file = WorkflowFile::read(&self.file)?;
        let workflow = file.check(context.tone)?;
        let environment = self.environment()?;
        let values = self.inputs.values(&workflow, context.tone)?;
        if self.dry_run {
            let given = (environment, &values);
            return dry_run::run(context, workflow, given, &self.variables());
        }
        let fits = context.home.nodes().map(|nodes| workflow.fits(&file.source, nodes));
        fits.transpose().map_err(|diagnostics| Error::invalid(&diagnostics, context.tone))?;
        let bound = workflow.choose(environment).and_then(|chosen| chosen.bind(&values));
        bound.map_err(|diagnostics| Error::invalid(&diagnostics, context.tone))?;
        let submit = self.submission(&file, environment, values)?;
        let (mut session, submitted) = self.submit(context, submit).await?;
        session.begin()?;
        let note = note(&submitted);
        if self.detach && !session.is_own() {
            context.say(&note);
            accepted(context, submitted.run)?;
            return Ok(Exit::Ok);
        }
        watch::to_the_end(context, session, submitted.run, &note).await
    }

    /// Submits it, to the next holder if one is just ending. What that one may have accepted
    /// without a word is found again by its key.
    async fn submit(&self, context: &Context, mut submit: Submit) -> Result<(Session, Submitted)> {
        if submit.new && submit.idempotency_key.is_none() {
            submit.idempotency_key = Some(format!("{}-{}", std::process::id(), now()));
        }
        let deadline = Instant::now() + GONE_PATIENCE;
        loop {
            let session = match self.detach {
                true => context.home.attach_or_detach().await?,
                false => context.home.attach_or_hold().await?,
            };
            match session.client.submit(&submit).await {
                Ok(submitted) => return Ok((session, submitted)),
                Err(error) if error.is_gone() && !session.is_own() && Instant::now() < deadline => {
                    drop(session);
                    tokio::time::sleep(GONE_POLL).await;
                }
                Err(error) => {
                    let changed = error.problem().and_then(|problem| changed(problem, &self.file));
                    return Err(changed.unwrap_or_else(|| Error::from(error)));
                }
            }
        }
    }

    /// The environment that was asked for, in whichever way.
    fn environment(&self) -> Result<Option<&str>> {
        let named = self.env.iter().filter_map(|argument| match argument {
            EnvArgument::Environment(name) => Some(name.as_str()),
            EnvArgument::Variable(..) => None,
        });
        let mut names = self.inputs.environment.as_deref().into_iter().chain(named);
        let first = names.next();
        match names.find(|&name| Some(name) != first) {
            None => Ok(first),
            Some(other) => {
                let first = first.unwrap_or_default();
                let message = format!("a run has one environment, not `{first}` and `{other}`");
                Err(bad_argument(message).hint("a variable is written --env NAME=VALUE"))
            }
        }
    }

    /// The variables that the tasks get.
    fn variables(&self) -> BTreeMap<String, String> {
        self.env.iter().filter_map(EnvArgument::variable).collect()
    }

    fn submission(
        &self,
        file: &WorkflowFile,
        environment: Option<&str>,
        params: BTreeMap<String, Value>,
    ) -> Result<Submit> {
        let path = file.path.to_str().ok_or_else(|| {
            let shown = file.path.display();
            bad_argument(format!("the path {shown} is no UTF-8, so it cannot be recorded"))
        })?;
        Ok(Submit {
            path: path.to_owned(),
            content: file.text(),
            params,
            environment: environment.map(str::to_owned),
            env: self.variables(),
            labels: self.labels.iter().cloned().collect(),
            priority: self.priority,
            new: self.new,
            no_cache: self.no_cache,
            idempotency_key: self.idempotency_key.clone(),
        })
    }
}

/// Tells a program the number of a run that it does not wait for.
pub(super) fn accepted(context: &Context, run: RunId) -> Result<()> {
    if context.output.format.is_json() {
        context.output.json(&serde_json::json!({ "run": run.0 }))
    } else {
        context.output.text(&format!("{run}\n"))
    }
}

/// What became of the submission, for people.
fn note(submitted: &Submitted) -> String {
    let Submitted { run, name, disposition, .. } = submitted;
    match disposition {
        Disposition::New => format!("Run {run} of {name} begins."),
        Disposition::Resumed => {
            format!("Run {run} of {name} had not ended: it goes on where it stopped.")
        }
        Disposition::Attached => format!("Run {run} of {name} is going on: watching it."),
    }
}

/// The two ways out when the file has changed.
fn changed(problem: &Problem, file: &std::path::Path) -> Option<Error> {
    let run = problem.run_id().filter(|_| problem.code == code::CONTENT_CHANGED.0)?;
    let file = file.display();
    let hint = format!(
        "`autoglm resume {run}` goes on with the text that it began with; \
         `autoglm run {file} --new` begins anew"
    );
    Some(Error::from(problem.clone()).hint(hint))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn a_changed_file_offers_two_ways_out() {
        let problem = Problem {
            code: "E0204".to_owned(),
            detail: "run 4 of this file has not ended, and the file has changed".to_owned(),
            run: Some(4),
            ..Problem::default()
        };
        let error = changed(&problem, "a.yaml".as_ref()).expect("it is about the file");
        assert_eq!(error.exit, Exit::Conflict);
        let hint = error.hint.expect("there is one");
        assert!(hint.contains("autoglm resume 4") && hint.contains("autoglm run a.yaml --new"));
    }

    #[test]
    fn an_environment_is_named_in_two_ways() {
        let environment = |line: &str| {
            let words = format!("run a.yaml {line}");
            let run = Line::try_parse_from(words.split_whitespace()).expect("it is good").run;
            run.environment().map(|name| name.map(str::to_owned)).map_err(|error| error.exit)
        };
        let staging = || Ok(Some("staging".to_owned()));
        assert_eq!(environment("-e A=1 --env B="), Ok(None));
        assert_eq!(environment("--environment staging -e A=1"), staging());
        assert_eq!(environment("--env staging"), staging());
        assert_eq!(environment("-E staging -e staging"), staging());
        assert_eq!(environment("-E staging --env production"), Err(Exit::Usage));
        assert!(Line::try_parse_from(["run", "a.yaml", "--env", "=b"]).is_err());
    }

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        run: Run,
    }

    #[test]
    fn the_note_says_what_became_of_it() {
        let note = |disposition| {
            let name = "etl".to_owned();
            note(&Submitted { run: RunId(4), name, disposition, note: String::new() })
        };
        assert_eq!(note(Disposition::New), "Run 4 of etl begins.");
        let resumed = "Run 4 of etl had not ended: it goes on where it stopped.";
        assert_eq!(note(Disposition::Resumed), resumed);
        assert_eq!(note(Disposition::Attached), "Run 4 of etl is going on: watching it.");
    }
}
