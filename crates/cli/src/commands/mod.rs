//! The commands: one file each, with its options, its help and what it does.
//!
//! A command asks, prints, and says how the program ends. It has no rules of its own about runs:
//! those are the server's.

pub(crate) mod approve;
pub(crate) mod artifacts;
mod checkpointed;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod devices;
pub(crate) mod docs;
mod dry_run;
pub(crate) mod edit;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod fork;
pub(crate) mod gc;
pub(crate) mod get;
pub(crate) mod hold;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod journal;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod mark;
pub(crate) mod pause;
pub(crate) mod plan;
mod preempt;
pub(crate) mod reject;
pub(crate) mod resume;
pub(crate) mod retry;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod serve;
pub(crate) mod signal;
pub(crate) mod simulate;
pub(crate) mod stop;
pub(crate) mod terminate;
pub(crate) mod test;
pub(crate) mod validate;
pub(crate) mod welcome;

use std::io::{self, BufRead, Write};
use std::time::Instant;

use clap::Subcommand;
use model::RunId;
use protocol::api::{RunRef, RunSummary, SOCKET_NAME, TasksQuery};

use crate::app::{Context, GONE_PATIENCE, GONE_POLL, block_on};
use crate::args::Offers;
use crate::error::{BAD_ARGUMENT, Error, Result};
use crate::exit::Exit;
use crate::home::Session;
use crate::output::Format;
use crate::quantity::Limit;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a workflow, or go on with it where it stopped
    Run(run::Run),
    /// Go on with a run that has not ended, or is paused
    Resume(resume::Resume),
    /// List runs, newest first
    #[command(visible_alias = "ls")]
    List(list::List),
    /// Show a run with its tasks, the items of a task, breakers or budgets
    Get(get::Get),
    /// Show what tasks wrote
    Logs(logs::Logs),
    /// List what the tasks of a run have left, or fetch it
    Artifacts(artifacts::Artifacts),
    /// Show what happened to a run, one durable fact a line
    Events(events::Events),
    /// Say why a task waits, or where it runs
    Explain(explain::Explain),
    /// End a run gracefully: tasks are asked to end, handlers run
    Stop(stop::StopRun),
    /// End a run at once: tasks are killed, nothing else runs
    Terminate(terminate::Terminate),
    /// Let nothing more of a run start; what runs goes on
    Pause(pause::Pause),
    /// Let what runs of a task make room for others, and begin anew
    Preempt(preempt::PreemptTask),
    /// Say yes to a task that waits for an approval
    Approve(approve::Approve),
    /// Say no to a task that waits for an approval: it fails
    Reject(reject::Reject),
    /// Give a task the signal that it waits for
    Signal(signal::Signal),
    /// Run again what did not succeed, or a task and all that depends on it
    Retry(retry::RetryRun),
    /// Begin a new run at a task of an earlier one, and keep what was done before it
    Fork(fork::ForkRun),
    /// Change a run while it goes on: settings, or more tasks
    Edit(edit::EditRun),
    /// Pass over tasks that have not begun
    Skip(mark::Skip),
    /// Hold tasks that have not begun to have ended, well or badly
    Mark(mark::MarkTasks),
    /// In a task: say that it has saved its work
    Checkpointed(checkpointed::Checkpointed),
    /// Hold the state and serve its API until told to end
    Serve(serve::Serve),
    /// Show the GPUs of this machine, and how busy they are
    Devices(devices::Devices),
    /// Take away ended runs that are not to be kept, and what they left
    Gc(gc::Gc),
    /// Begin a workflow in a folder
    Init(init::Init),
    /// Make a workflow of what was recorded elsewhere: wfcommons
    Import(import::Import),
    /// Check workflow files
    Validate(validate::Validate),
    /// Test workflows without running anything
    Test(test::Test),
    /// Show the shape of a workflow: levels, critical path, width
    Plan(plan::Plan),
    /// Simulate a workload on a cluster that is described, and compare policies
    Simulate(simulate::Simulate),
    /// Describe a workflow as Markdown: parameters, tasks, graph
    Docs(docs::Docs),
    /// Look after the journal: verify, export, stat
    Journal(journal::Journal),
    /// Show the settings: every value, and where it comes from
    Config(config::Config),
    /// Print the JSON Schema of workflow files
    Schema(schema::Schema),
    /// Print completions for a shell
    Completions(completions::Completions),
    /// Hold the state for others
    #[command(name = "__hold", hide = true)]
    Hold(hold::Hold),
}

impl Command {
    /// What this machine is to offer, for commands that may come to hold the state.
    pub(crate) const fn offers(&self) -> Option<&Offers> {
        match self {
            Self::Run(command) => Some(&command.offers),
            Self::Resume(command) => Some(&command.offers),
            Self::Retry(command) => Some(&command.offers),
            Self::Fork(command) => Some(&command.offers),
            Self::Serve(command) => Some(&command.offers),
            Self::Hold(command) => Some(&command.offers),
            _ => None,
        }
    }

    /// Whether it only looks, and prints nothing before it has its whole answer: when that fails,
    /// it may be done again.
    pub(crate) const fn may_repeat(&self) -> bool {
        matches!(self, Self::List(_) | Self::Get(_) | Self::Explain(_))
    }

    /// What is to be kept of ended runs, for the command that takes the rest away: how many, and
    /// for how many days.
    pub(crate) const fn keep(&self) -> (Option<Limit>, Option<Limit>) {
        match self {
            Self::Gc(command) => (command.keep_runs, command.keep_days),
            _ => (None, None),
        }
    }

    /// Does it.
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        match self {
            Self::Run(command) => block_on(command.run(context)),
            Self::Resume(command) => block_on(command.run(context)),
            Self::List(command) => block_on(command.run(context)),
            Self::Get(command) => block_on(command.run(context)),
            Self::Logs(command) => block_on(command.run(context)),
            Self::Artifacts(command) => block_on(command.run(context)),
            Self::Events(command) => block_on(command.run(context)),
            Self::Explain(command) => block_on(command.run(context)),
            Self::Stop(command) => block_on(command.run(context)),
            Self::Pause(command) => block_on(command.run(context)),
            Self::Preempt(command) => block_on(command.run(context)),
            Self::Approve(command) => block_on(command.run(context)),
            Self::Reject(command) => block_on(command.run(context)),
            Self::Signal(command) => block_on(command.run(context)),
            Self::Terminate(command) => block_on(command.run(context)),
            Self::Retry(command) => block_on(command.run(context)),
            Self::Fork(command) => block_on(command.run(context)),
            Self::Edit(command) => block_on(command.run(context)),
            Self::Skip(command) => block_on(command.run(context)),
            Self::Mark(command) => block_on(command.run(context)),
            Self::Serve(command) => block_on(command.run(context)),
            Self::Gc(command) => block_on(command.run(context)),
            Self::Checkpointed(command) => command.run(),
            Self::Devices(command) => command.run(context),
            Self::Init(command) => command.run(context),
            Self::Import(command) => command.run(context),
            Self::Validate(command) => command.run(context),
            Self::Test(command) => command.run(context),
            Self::Plan(command) => command.run(context),
            Self::Simulate(command) => command.run(context),
            Self::Docs(command) => command.run(context),
            Self::Journal(command) => command.run(context),
            Self::Config(command) => command.run(context),
            Self::Schema(command) => command.run(context),
            Self::Completions(command) => command.run(context),
            Self::Hold(command) => command.run(context),
        }
    }
}

/// Reads a run's number, or `last`.
fn run_ref(text: &str) -> std::result::Result<RunRef, String> {
    text.parse().map_err(|error: protocol::api::RunRefError| error.to_string())
}

/// Says that a run has heard what it was told, and shows the run to a program. Takes the session as
/// [`told`] gave it.
async fn heard(
    context: &Context,
    session: Session,
    summary: &RunSummary,
    note: &str,
) -> Result<Exit> {
    let exit = acknowledged(context, summary, note)?;
    hand_over(context, session, summary.run).await?;
    Ok(exit)
}

/// Says that a run has heard what it was told, and shows the run to a program.
fn acknowledged(context: &Context, summary: &RunSummary, note: &str) -> Result<Exit> {
    context.say(note);
    match context.output.format {
        Format::Json | Format::Jsonl => context.output.json(summary)?,
        Format::Name => context.output.text(&format!("{}\n", summary.run))?,
        Format::Table | Format::Wide => {}
    }
    Ok(Exit::Ok)
}

/// A session that reads; an error when there is no state yet, so that there is no run either.
async fn reader(context: &Context) -> Result<Session> {
    context.home.attach_or_read().await?.ok_or_else(no_runs)
}

/// A session that reads, and the answer or stream that it gets; another one when the holder ends
/// meanwhile.
async fn listen<T>(
    context: &Context,
    ask: impl AsyncFn(&Session) -> std::result::Result<T, client::Error>,
) -> Result<(Session, T)> {
    let deadline = Instant::now() + GONE_PATIENCE;
    loop {
        let session = reader(context).await?;
        match ask(&session).await {
            Ok(answer) => return Ok((session, answer)),
            Err(error) if error.is_gone() && Instant::now() < deadline => {
                tokio::time::sleep(GONE_POLL).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// A session that may change runs, and what it is answered; when the holder is just ending, that of
/// the next. What is said may have been heard before: then it says how things stand.
async fn tell<T>(
    context: &Context,
    say: impl AsyncFn(&Session) -> std::result::Result<T, client::Error>,
) -> Result<(Session, T)> {
    must_have_runs(context)?;
    tell_by(async || context.home.attach_or_hold().await, say).await
}

/// The same for what is said and done at once: when nobody holds the state, a process is started
/// for it, which stays if it is needed. See [`hand_over`].
async fn told<T>(
    context: &Context,
    say: impl AsyncFn(&Session) -> std::result::Result<T, client::Error>,
) -> Result<(Session, T)> {
    must_have_runs(context)?;
    tell_by(async || context.home.attach_or_detach().await, say).await
}

async fn tell_by<T>(
    attach: impl AsyncFn() -> Result<Session>,
    say: impl AsyncFn(&Session) -> std::result::Result<T, client::Error>,
) -> Result<(Session, T)> {
    let deadline = Instant::now() + GONE_PATIENCE;
    loop {
        let session = attach().await?;
        match say(&session).await {
            Ok(answer) => return Ok((session, answer)),
            Err(error) if error.is_gone() && !session.is_own() && Instant::now() < deadline => {
                drop(session);
                tokio::time::sleep(GONE_POLL).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Lets a process that was started for this command go on with the run, and says so. If the run has
/// ended it is let go, and ends.
async fn hand_over(context: &Context, mut session: Session, run: RunId) -> Result<()> {
    if !session.is_detached() {
        return Ok(());
    }
    let only_the_run = TasksQuery { limit: Some(1), ..TasksQuery::default() };
    let detail = session.client.run(run.into(), &only_the_run).await?;
    if !detail.run.status.is_final() {
        session.begin()?;
        context.say(&format!("A background process goes on with run {run}."));
    }
    Ok(())
}

/// Says so when a run that has not ended stands still because nobody holds the state.
fn tell_if_left(context: &Context, session: &Session, run: RunId, is_final: bool) {
    if session.is_reading() && !is_final {
        context.say(&format!("Nobody is working on run {run} now: autoglm resume {run} goes on."));
    }
}

/// The same, for a command that was to go on until the run ends and could not.
async fn tell_where_it_stands(context: &Context, session: &Session, run: RunRef) -> Result<()> {
    if session.is_reading() {
        let only_the_run = TasksQuery { limit: Some(1), ..TasksQuery::default() };
        let detail = session.client.run(run, &only_the_run).await?;
        tell_if_left(context, session, detail.run.run, detail.run.status.is_final());
    }
    Ok(())
}

/// Asks on standard error, which is where a preview goes. Anything but yes is no.
fn confirmed(question: &str) -> bool {
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush());
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

/// Whoever says something to a run where there is none makes no state for it.
fn must_have_runs(context: &Context) -> Result<()> {
    let (home, served) = (&context.home, context.home.folder().join(SOCKET_NAME));
    (home.has_state() || served.exists()).then_some(()).ok_or_else(no_runs)
}

fn no_runs() -> Error {
    let code = protocol::api::code::NO_SUCH_RUN;
    Error::new(Exit::NotFound, code, "there are no runs yet").hint("start one: autoglm run FILE")
}

fn bad_argument(message: impl Into<String>) -> Error {
    Error::new(Exit::Usage, BAD_ARGUMENT, message)
}
