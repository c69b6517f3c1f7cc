//! Waiting for a run: its progress on a display, Ctrl-C as wishes, its end as an exit code.
//!
//! When the process that held the state dies meanwhile, this one takes its place, so that whoever
//! waits for a run sees it end.

use std::cell::RefCell;
use std::io::IsTerminal;
use std::time::Duration;

use client::Client;
use model::{RunId, TaskStatus};
use protocol::api::{
    ItemsQuery, LogsQuery, Progress, RunDetail, RunRef, StopMode, TaskSummary, TasksQuery, code,
};

use crate::app::Context;
use crate::display::Display;
use crate::error::{Error, OTHER_VERSION, Result};
use crate::exit::Exit;
use crate::home::Session;
use crate::interrupt::{Interrupts, Wish};
use crate::output::Format;
use crate::render::summary::FailedTask;
use crate::render::{plural, summary};

/// How often the display shows that time passes.
const TICK: Duration = Duration::from_millis(250);
/// Failed tasks whose output is shown at the end.
const FAILED_SHOWN: usize = 5;
/// Lines of it.
const LINES_SHOWN: u64 = 10;

/// What the holder answers.
type Answer<T> = std::result::Result<T, client::Error>;

/// How the watch over a run came to its end.
enum Seen {
    /// The run has ended.
    End,
    /// The user does not want to wait for its end.
    Left,
}

/// Says `note`, watches the run until it has ended, tells how, and waits for what else this
/// process holds.
pub(crate) async fn to_the_end(
    context: &Context,
    mut session: Session,
    run: RunId,
    note: &str,
) -> Result<Exit> {
    // Whoever has read the note may press Ctrl-C: it must mean the run by then.
    let mut interrupts = Interrupts::catch()?;
    context.say(note);
    let display = Display::new(std::io::stderr().is_terminal(), context.tone);
    let display = RefCell::new(display);
    let seen = watch(context, &mut session, run, (&display, &mut interrupts)).await;
    display.into_inner().finish();
    if let Seen::Left = seen? {
        context.say(&format!("Left run {run} before its end: autoglm resume {run}"));
        return Ok(Exit::Interrupted);
    }
    let exit = tell(context, &session.client, run).await?;
    let exit =
        if interrupts.any() && exit == Exit::RunCancelled { Exit::Interrupted } else { exit };
    wait_for_others(context, session, interrupts).await?;
    Ok(exit)
}

async fn watch(
    context: &Context,
    session: &mut Session,
    run: RunId,
    (display, interrupts): (&RefCell<Display>, &mut Interrupts),
) -> Result<Seen> {
    loop {
        // Ctrl-C is obeyed even while the holder does not answer.
        let seen = tokio::select! {
            seen = follow(&session.client, run, display) => seen,
            seen = obey(&session.client, run, display, interrupts) => seen,
        };
        match seen {
            Ok(seen) => return Ok(seen),
            Err(error) if error.is_gone() && !session.is_own() => {
                let line = "The process that held the state has ended; this one goes on.";
                display.borrow().line(line);
                *session = context.home.attach_or_hold().await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Follows the progress of a run until it has ended.
async fn follow(client: &Client, run: RunId, display: &RefCell<Display>) -> Answer<Seen> {
    let mut stream = client.progress(run.into()).await?;
    let mut ticks = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            progress = stream.next() => match progress? {
                Some(progress) => show(client, display, &progress).await?,
                None => return Ok(Seen::End),
            },
            _ = ticks.tick() => display.borrow_mut().tick(),
        }
    }
}

async fn show(client: &Client, display: &RefCell<Display>, progress: &Progress) -> Answer<()> {
    let wanted = display.borrow_mut().wants(progress);
    for query in wanted {
        let detail = client.run(progress.run.into(), &query).await?;
        display.borrow_mut().tasks(&detail.tasks);
    }
    display.borrow_mut().progress(progress);
    Ok(())
}

/// Does as each Ctrl-C wishes. It ends when the user does not want to wait any longer.
async fn obey(
    client: &Client,
    run: RunId,
    display: &RefCell<Display>,
    interrupts: &mut Interrupts,
) -> Answer<Seen> {
    let mut wish = interrupts.next().await;
    loop {
        let Wish::End(mode) = wish else { return Ok(Seen::Left) };
        display.borrow().line(ending(mode));
        let asked = async {
            end(client, run, mode).await?;
            // Accepted: what follows shows in the progress.
            std::future::pending::<Answer<Wish>>().await
        };
        wish = tokio::select! {
            refused = asked => refused?,
            next = interrupts.next() => next,
        };
    }
}

const fn ending(mode: StopMode) -> &'static str {
    match mode {
        StopMode::Stop => "Stopping: running tasks are asked to end. Ctrl-C again terminates them.",
        StopMode::Terminate => "Terminating: running tasks are killed. Ctrl-C again leaves.",
    }
}

/// Asks for the end of a run. That it has just ended by itself is no error.
async fn end(client: &Client, run: RunId, mode: StopMode) -> Answer<()> {
    match client.stop(run.into(), mode).await {
        Err(error) if has_code(&error, &code::RUN_ENDED) => Ok(()),
        other => other.map(drop),
    }
}

fn has_code(error: &client::Error, code: &model::code::Code) -> bool {
    error.problem().is_some_and(|problem| problem.code == code.0)
}

/// Prints how the run ended: the summary for people, the result for programs.
async fn tell(context: &Context, client: &Client, run: RunId) -> Result<Exit> {
    let detail = client.run(run.into(), &TasksQuery::default()).await?;
    if !detail.run.status.is_final() {
        let message = format!("the progress of run {run} broke off before its end");
        return Err(Error::new(Exit::Internal, OTHER_VERSION, message));
    }
    let failed = failed_tasks(client, &detail).await?;
    context.say(summary::render(&detail, &failed, context.tone).trim_end());
    match context.output.format {
        Format::Json | Format::Jsonl => context.output.json(&detail)?,
        Format::Name => context.output.text(&format!("{run}\n"))?,
        Format::Table | Format::Wide => {}
    }
    Ok(Exit::of_run(detail.run.status))
}

/// The first tasks that failed, each with the end of what it wrote.
async fn failed_tasks(client: &Client, detail: &RunDetail) -> Result<Vec<FailedTask>> {
    let run = RunRef::Id(detail.run.run);
    let mut failed = Vec::new();
    for status in [TaskStatus::Failed, TaskStatus::TimedOut] {
        if detail.run.tasks[status] > 0 && failed.len() < FAILED_SHOWN {
            let limit = Some(FAILED_SHOWN - failed.len());
            let query = TasksQuery { status: Some(status), limit, cursor: None };
            failed.extend(client.run(run, &query).await?.tasks);
        }
    }
    let mut shown = Vec::new();
    for task in failed {
        let item = first_failed_item(client, run, &task).await?;
        let lines = last_lines(client, run, &task.name, item).await.unwrap_or_default();
        shown.push(FailedTask { task, item, lines });
    }
    Ok(shown)
}

async fn first_failed_item(
    client: &Client,
    run: RunRef,
    task: &TaskSummary,
) -> Result<Option<u32>> {
    if !task.fan_out {
        return Ok(None);
    }
    for status in [TaskStatus::Failed, TaskStatus::TimedOut] {
        let query = ItemsQuery { status: Some(status), limit: Some(1), cursor: None };
        if let Some(item) = client.items(run, &task.name, &query).await?.items.first() {
            return Ok(Some(item.item));
        }
    }
    Ok(None)
}

async fn last_lines(
    client: &Client,
    run: RunRef,
    task: &str,
    item: Option<u32>,
) -> Result<Vec<String>> {
    let query = LogsQuery {
        task: Some(task.to_owned()),
        item,
        tail: Some(LINES_SHOWN),
        ..LogsQuery::default()
    };
    let mut stream = client.logs(run, &query).await?;
    let mut text = String::new();
    while let Some(chunk) = stream.next().await? {
        text.push_str(&chunk.text);
    }
    let lines: Vec<_> = text.lines().map(str::to_owned).collect();
    let first = lines.len().saturating_sub(usize::try_from(LINES_SHOWN).unwrap_or(usize::MAX));
    Ok(lines[first..].to_vec())
}

/// When this process holds the state, the runs of others live in it too.
async fn wait_for_others(
    context: &Context,
    session: Session,
    mut interrupts: Interrupts,
) -> Result<()> {
    if !session.is_own() {
        return Ok(());
    }
    let active = session.client.health().await?.runs_active;
    if active > 0 {
        let runs = plural(active, "other run");
        context.say(&format!("Waiting for {runs} in this process. Ctrl-C leaves them to resume."));
    }
    tokio::select! {
        waited = session.wait_idle() => waited,
        _ = interrupts.next() => Ok(()),
    }
}
