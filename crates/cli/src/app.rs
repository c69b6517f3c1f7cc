//! From arguments to an exit code: settings, one runtime, one command, one place for errors.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;

use crate::args::Arguments;
use crate::cluster;
use crate::commands::{self, Command};
use crate::error::{Error, HOLDER_ENDED, Result};
use crate::exit::Exit;
use crate::home::{Home, Rules};
use crate::output::Output;
use crate::settings::{Setting, Settings};
use crate::style::{Color, Tone};

/// How long a command that only looks asks again when the holder that it asked has ended.
pub(crate) const GONE_PATIENCE: Duration = Duration::from_secs(10);
/// How often it does.
pub(crate) const GONE_POLL: Duration = Duration::from_millis(20);

/// What a command works with.
pub(crate) struct Context {
    /// The state folder.
    pub home: Home,
    /// Where the result goes.
    pub output: Output,
    /// The tone of standard error.
    pub tone: Tone,
    /// Where the settings file is or would be.
    pub settings_file: Option<PathBuf>,
    /// Each setting with where it comes from.
    pub settings: Vec<Setting>,
}

impl Context {
    /// Says something to people, on standard error.
    pub(crate) fn say(&self, text: &str) {
        // Nobody may be listening, and a command does not fail for that.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}

/// Runs the command that the arguments name.
pub(crate) fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(help) => {
            let exit = if help.use_stderr() { Exit::Usage } else { Exit::Ok };
            // Help that nobody reads is no failure.
            let _ = help.print();
            return exit.into();
        }
    };
    let is_json = arguments.global.output.is_some_and(|format| format.is_json());
    let color = arguments.global.color.unwrap_or_default();
    let may_repeat = arguments.command.as_ref().is_some_and(Command::may_repeat);
    let deadline = Instant::now() + GONE_PATIENCE;
    let mut outcome = run(arguments);
    while may_repeat && Instant::now() < deadline && outcome.as_ref().is_err_and(|e| e.is_gone) {
        // The holder was ending. Whoever comes after it answers, or nobody is left and the state
        // is read.
        thread::sleep(GONE_POLL);
        outcome = run(Arguments::parse());
    }
    match outcome {
        Ok(exit) => exit.into(),
        Err(error) => {
            report(&error, is_json, color);
            error.exit.into()
        }
    }
}

fn run(arguments: Arguments) -> Result<Exit> {
    let env = |name: &str| std::env::var(name).ok();
    let settings = Settings::resolve(arguments.layer(), &env)?;
    let no_color = env("NO_COLOR");
    let tone = Tone::of(&io::stdout(), settings.color, no_color.as_deref());
    let error_tone = Tone::of(&io::stderr(), settings.color, no_color.as_deref());
    let rules = Rules { keep: settings.keep, policy: settings.policy, queues: settings.queues };
    let mut home = Home::new(settings.home, settings.offers, rules);
    let offers = arguments.command.as_ref().and_then(Command::offers);
    if let Some(file) = offers.and_then(|offers| offers.cluster.as_deref()) {
        let (file, cluster) = cluster::read(file, error_tone)?;
        home = home.with_nodes(file.path, cluster)?;
    }
    let context = Context {
        home,
        output: Output { format: settings.output.unwrap_or_default(), tone },
        tone: error_tone,
        settings_file: settings.file,
        settings: settings.each,
    };
    match arguments.command {
        Some(command) => command.run(&context),
        None => commands::welcome::run(&context),
    }
}

/// Runs what talks to a holder. One thread is enough: it waits for answers.
pub(crate) fn block_on<T>(command: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        let message = format!("cannot wait for anything: {error}");
        Error::new(Exit::Internal, HOLDER_ENDED, message)
    })?;
    let outcome = runtime.block_on(command);
    // What still waits on a thread of its own is not worth waiting for.
    runtime.shutdown_background();
    outcome
}

fn report(error: &Error, is_json: bool, color: Color) {
    let no_color = std::env::var("NO_COLOR").ok();
    let tone = Tone::of(&io::stderr(), color, no_color.as_deref());
    let text = if is_json { format!("{}\n", error.to_json()) } else { error.to_text(tone) };
    // There is no other place to say it.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
