//! What runs attempts: one executor a kind of work.
//!
//! An executor starts, ends and reports, and knows nothing of runs, logs and artifacts: that is the
//! desk's part. It never decides what follows from what it reports.

use std::path::PathBuf;

use artifacts::logs::Stream;
use model::outcome::{ErrorName, Failure, Outcome, Spent, Usage};
use model::{AttemptId, Device, Span, Token};

use crate::devices::{Share, binding};
use crate::inbox::Slot;
use crate::supervisor::{Limits, Supervisor, Ticket};

pub(crate) mod builtin;
pub(crate) mod containers;
pub(crate) mod function;
mod http;
mod models;
mod network;
mod process;

pub(crate) use builtin::Builtin;
pub(crate) use containers::Containers;
pub use containers::is_offered;
pub(crate) use function::Functions;
pub(crate) use http::Http;
pub(crate) use models::Models;
pub(crate) use network::Network;
pub(crate) use process::Processes;

/// The variable that names the file by which an attempt says that it lives.
pub(crate) const HEARTBEAT: &str = "AUTOGLM_HEARTBEAT";

/// The variable that names the file by which an attempt says that it has saved its work.
pub(crate) const CHECKPOINTS: &str = "AUTOGLM_CHECKPOINTS";

/// Runs the attempts of one kind.
pub(crate) trait Executor {
    /// What is to be done.
    type Work;

    /// Starts an attempt. What happens to it is told with its ticket, the last being
    /// [`Happened::Ended`]; all of it comes later, never from within this call.
    fn start(&mut self, attempt: Attempt, work: Self::Work, tools: &mut Tools<'_>);

    /// Makes an attempt end. One that has ended meanwhile is left alone.
    fn stop(&mut self, ticket: Ticket, how: Ending, tools: &mut Tools<'_>);

    /// Forgets all attempts, without a word: they are lost, and so are all processes.
    fn abandon(&mut self);
}

/// What executors work with.
pub(crate) struct Tools<'t> {
    /// Starts and ends processes. None outlives the worker.
    pub supervisor: &'t mut Supervisor,
    /// Where threads of an executor tell what happened.
    pub slot: &'t Slot,
    /// Waits for other machines.
    pub network: &'t mut Network,
}

/// One attempt, whatever its kind.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    /// What it is known by here: the items of one fan-out may share a fencing token.
    pub ticket: Ticket,
    /// What is tried.
    pub id: AttemptId,
    /// What fences it.
    pub token: Token,
    /// Its variables.
    pub env: Vec<(String, String)>,
    /// Its variables with secrets in them. Whatever is printed or returned is masked by the desk.
    pub secrets: Vec<(String, String)>,
    /// Variables of the worker that it is not given.
    pub withheld: Vec<String>,
    /// Where it starts.
    pub folder: PathBuf,
    /// Its own folder, the same for all attempts of an item in a round.
    pub work_dir: PathBuf,
    /// Whether that has to be there.
    pub needs_work_dir: bool,
    /// The errors that its rules name: one that has many names is told by these.
    pub watched: Vec<ErrorName>,
    /// Where it may leave outputs, if it is told of them.
    pub output_file: PathBuf,
    /// Where it may leave tasks for its run, if it is told of them.
    pub tasks_file: PathBuf,
    /// Where it may say that it has saved its work, if it is told of it.
    pub checkpoints_file: PathBuf,
    /// The file that it may touch to say that it lives, if it may not be silent for ever.
    pub heartbeat_file: Option<PathBuf>,
    /// What it is held to.
    pub limits: Limits,
    /// The devices that it has.
    pub granted: Granted,
}

/// The devices that an attempt was granted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Granted {
    /// Which.
    pub devices: Vec<Device>,
    /// How much of each.
    pub share: Share,
    /// Whether it is to see these and no others. Where nothing is known of devices, all that it
    /// inherits stays as it is.
    pub is_bound: bool,
}

impl Granted {
    /// The variables that bind it.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        if !self.is_bound {
            return Vec::new();
        }
        binding(&self.devices.iter().collect::<Vec<_>>(), self.share)
    }
}

/// How an attempt is made to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It is asked, and killed when so much time has passed.
    Ask(Span),
    /// It is killed.
    Kill,
}

/// What happened to an attempt.
#[derive(Debug)]
pub(crate) enum Happened {
    /// It has started.
    Started,
    /// It said something.
    Output(Stream, Vec<u8>),
    /// It has ended. Nothing is told of it after that.
    Ended(Box<Finished>),
}

/// How an attempt ended.
#[derive(Debug)]
pub(crate) struct Finished {
    /// How, as the executor saw it.
    pub outcome: Outcome,
    /// What it used.
    pub usage: Usage,
    /// What it spent of what others count.
    pub spent: Spent,
    /// How long the other side asked to wait before it is tried again.
    pub retry_after: Option<Span>,
    /// What the executor has to say of it, for the log.
    pub reason: Option<String>,
    /// What it left.
    pub left: Left,
}

/// What an attempt left.
#[derive(Debug)]
pub(crate) enum Left {
    /// Nothing.
    Nothing,
    /// Its outputs: a JSON object in canonical form.
    Outputs(Vec<u8>),
    /// What is in the files that it was told of.
    Files {
        /// Whether the file of outputs is there.
        has_outputs: bool,
    },
}

impl Finished {
    /// An end of which nothing else is to be said.
    pub(crate) fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            usage: Usage::default(),
            spent: Spent::NOTHING,
            retry_after: None,
            reason: None,
            left: Left::Nothing,
        }
    }

    /// An attempt that ended because it was told to. Whoever said so knows what that means.
    pub(crate) fn stopped() -> Self {
        const TERM: i32 = 15;
        Self::new(Outcome::Failed(Failure::Signal(TERM)))
    }
}
