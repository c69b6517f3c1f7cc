//! Waiting for a run: its progress on a display, Ctrl-C as wishes, its end as an exit code.
//!
//! When the process that held the state dies meanwhile, this one takes its place, so that whoever
//! waits for a run sees it end.

mod ended;

use std::cell::RefCell;
use std::io::IsTerminal;
use std::time::Duration;

use client::Client;
use model::RunId;
use protocol::api::{Progress, RetryPlan, StopMode, TasksQuery, code};

use crate::app::Context;
use crate::display::Display;
use crate::error::{Error, OTHER_VERSION, Result};
use crate::exit::Exit;
use crate::home::Session;
use crate::interrupt::{Interrupts, Wish};
use crate::output::Format;
use crate::render::{plural, summary};
use ended::Ended;

/// How often the display shows that time passes.
const TICK: Duration = Duration::from_millis(250);
/// How often to look for another holder while the last one is ending.
const GONE_POLL: Duration = Duration::from_millis(20);

/// What the holder answers.
type Answer<T> = std::result::Result<T, client::Error>;

/// Says `note`, watches the run until it has ended, tells how, and waits for what else this
/// process holds.
pub(crate) async fn to_the_end(
    context: &Context,
    session: Session,
    run: RunId,
    note: &str,
) -> Result<Exit> {
    let display = Display::new(std::io::stderr().is_terminal(), context.tone);
    show_to_the_end(context, session, run, (note, display)).await
}

/// The same for a run of which some tasks run again: the others have ended before, and are not
/// shown.
pub(crate) async fn again_to_the_end(
    context: &Context,
    session: Session,
    plan: &RetryPlan,
    note: &str,
) -> Result<Exit> {
    let mut display = Display::new(std::io::stderr().is_terminal(), context.tone);
    // A plan that is too long to be sent whole is of a run whose tasks get no lines of their own.
    if plan.tasks.len() as u64 == plan.tasks_total {
        display.show_only(plan.tasks.iter().map(|task| task.name.clone()).collect());
    }
    show_to_the_end(context, session, plan.run, (note, display)).await
}

async fn show_to_the_end(
    context: &Context,
    mut session: Session,
    run: RunId,
    (note, display): (&str, Display),
) -> Result<Exit> {
    // Whoever has read the note may press Ctrl-C: it must mean the run by then.
    let mut interrupts = Interrupts::catch()?;
    context.say(note);
    let display = RefCell::new(display);
    let ended = watch(context, &mut session, run, (&display, &mut interrupts)).await;
    display.into_inner().finish();
    let Some(ended) = ended? else {
        context.say(&left(run, session.is_own()));
        return Ok(Exit::Interrupted);
    };
    let exit = tell(context, &ended)?;
    let exit =
        if interrupts.any() && exit == Exit::RunCancelled { Exit::Interrupted } else { exit };
    wait_for_others(context, session, interrupts).await?;
    Ok(exit)
}

/// Waits for the end of a run, whoever holds it; `None` when the user does not want to wait.
async fn watch(
    context: &Context,
    session: &mut Session,
    run: RunId,
    (display, interrupts): (&RefCell<Display>, &mut Interrupts),
) -> Result<Option<Ended>> {
    loop {
        // Ctrl-C is obeyed even while the holder does not answer.
        let seen = tokio::select! {
            ended = follow(&session.client, run, display) => ended.map(Some),
            left = obey(&session.client, run, display, interrupts) => left.map(|()| None),
        };
        match seen {
            Ok(ended) => return Ok(ended),
            Err(error) if error.is_gone() && !session.is_own() => {
                *session = attach_again(context, run, display).await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// A session after the holder has ended. It ends when its last run has; if this run is among
/// them, it is enough to read.
async fn attach_again(
    context: &Context,
    run: RunId,
    display: &RefCell<Display>,
) -> Result<Session> {
    let query = TasksQuery { limit: Some(1), ..TasksQuery::default() };
    while let Some(reading) = context.home.attach_or_read().await? {
        match reading.client.run(run.into(), &query).await {
            Ok(detail) if detail.run.status.is_final() => return Ok(reading),
            // It still answered while it was ending.
            Err(error) if error.is_gone() => tokio::time::sleep(GONE_POLL).await,
            _ => break,
        }
    }
    display.borrow().line("The process that held the state has ended; this one goes on.");
    let mut session = context.home.attach_or_hold().await?;
    session.begin()?;
    Ok(session)
}

/// Follows the progress of a run until it has ended, and reads how.
async fn follow(client: &Client, run: RunId, display: &RefCell<Display>) -> Answer<Ended> {
    let mut stream = client.progress(run.into()).await?;
    let mut ticks = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            progress = stream.next() => match progress? {
                Some(progress) => show(client, display, &progress).await?,
                None => return Ended::read(client, run).await,
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
) -> Answer<()> {
    let mut wish = interrupts.next().await;
    loop {
        let Wish::End(mode) = wish else { return Ok(()) };
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
        StopMode::Terminate => {
            "Terminating: running tasks are killed. Ctrl-C again leaves the run as it is."
        }
    }
}

/// What becomes of a run that nobody here waits for any more.
fn left(run: RunId, is_own: bool) -> String {
    match is_own {
        true => format!(
            "Left run {run} as it is, before its end: its tasks end with this process. To go on \
             with it: autoglm resume {run}"
        ),
        false => format!(
            "Left run {run}: it goes on to its end in the process that holds it. To watch it \
             again: autoglm resume {run}"
        ),
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
fn tell(context: &Context, ended: &Ended) -> Result<Exit> {
    let Ended { detail, failed } = ended;
    context.say(summary::render(detail, failed, context.tone).trim_end());
    let run = &detail.run;
    match context.output.format {
        Format::Json | Format::Jsonl => context.output.json(detail)?,
        Format::Name => context.output.text(&format!("{}\n", run.run))?,
        Format::Table | Format::Wide => {}
    }
    if run.status.is_final() {
        return Ok(Exit::of_run(run.status));
    }
    let message = format!("the progress of run {} broke off before its end", run.run);
    Err(Error::new(Exit::Internal, OTHER_VERSION, message))
}

/// When this process holds the state, the runs of others live in it too.
async fn wait_for_others(
    context: &Context,
    session: Session,
    mut interrupts: Interrupts,
) -> Result<()> {
    if !session.is_working() {
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
