//! What a worker starts, and what travels beside messages: rendered work one way, outputs the
//! other. None of it is ever a part of a fact.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::bounds::Bounds;
use crate::message::{FromWorker, LeaseId, ToWorker};
use crate::outcome::ErrorName;
use crate::secret::SecretRef;
use crate::{Digest, Span};

pub mod container;
pub mod http;
pub mod models;

use container::Container;
use http::HttpRequest;
use models::ModelCall;

/// The work of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Something that takes a while.
    Assignment(Box<Assignment>),
    /// Its text could not be rendered: the attempt fails with this reason in its log.
    Unrenderable {
        /// What is wrong, for people.
        reason: String,
    },
    /// It succeeds at once.
    Nothing,
}

/// What is to be done, and what surrounds it, whatever its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignment {
    /// What is done.
    pub does: Does,
    /// Variables in addition to the worker's own.
    pub env: Vec<(String, String)>,
    /// Variables whose values are secrets: looked up where it starts, masked in what it prints.
    pub secrets: Vec<(String, SecretRef)>,
    /// Variables of the worker that it is not given: secrets of its run come from them.
    pub withheld: Vec<String>,
    /// Where it starts.
    pub working_dir: String,
    /// Whether the attempt's own folder has to exist.
    pub needs_work_dir: bool,
    /// Artifacts that have to be there before it starts.
    pub place: Vec<Placement>,
    /// Artifacts that are kept when it has succeeded.
    pub collect: Vec<Collect>,
    /// The most that it may use.
    pub limits: Bounds,
    /// The errors that its rules name: one that has many names is told by these.
    pub watched: Vec<ErrorName>,
    /// How long it may be silent before it is held to hang.
    pub heartbeat: Option<Span>,
}

/// What is done: one variant a kind of task, each for an executor of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Does {
    /// A process: the program and its arguments; not empty.
    Process(Vec<String>),
    /// Nothing.
    Nothing,
    /// Time passes.
    Sleep(Span),
    /// It succeeds at once with these outputs: a JSON object.
    Emit(Vec<u8>),
    /// A request over HTTP.
    Http(Box<HttpRequest>),
    /// What runs in a container.
    Container(Box<Container>),
    /// A call of a language model.
    Model(Box<ModelCall>),
    /// A function is called.
    Call(Box<Call>),
}

/// A function of the user's, called in a process that stays warm.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// `package.module:name`, or a name in the workflow's own module.
    pub handler: String,
    /// JSON: what it is called with. An object by name, a list by place.
    pub arguments: Vec<u8>,
    /// The interpreter, or the folder of its environment; empty for the worker's own choice.
    pub python: String,
    /// How many items one call may take, if it takes several.
    pub batch: Option<Batch>,
    /// How many calls are sent ahead to a process that is busy.
    pub prefetch: u32,
    /// What its processes may use, and how long they stay.
    pub keep: Keep,
}

/// What the processes of a function may use, and how long they stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Keep {
    /// How many calls a process serves before it is replaced.
    pub calls_max: Option<u32>,
    /// How long a process stays that has nothing to do.
    pub idle: Option<Span>,
    /// How many bytes of memory a process may have.
    pub memory_bytes_max: Option<u64>,
}

/// Processes of functions that are alike, as their worker last saw them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pool {
    /// The interpreter.
    pub python: String,
    /// Where they were started.
    pub folder: String,
    /// How many there are.
    pub processes: u32,
    /// How many are in a call.
    pub busy: u32,
    /// Calls that wait for one.
    pub waiting: u64,
    /// Calls that have ended.
    pub calls: u64,
    /// Processes that ended by themselves.
    pub crashes: u64,
    /// What all of them have of the memory.
    pub memory_bytes: u64,
    /// How long one stays that has nothing to do.
    pub keep: Span,
}

/// Items that are worked on by one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Batch {
    /// How many at most.
    pub items_max: u32,
    /// How long an item waits for others while nothing else of its task runs.
    pub window: Span,
}

impl Default for Does {
    fn default() -> Self {
        Self::Process(Vec::new())
    }
}

/// An artifact that is put somewhere before an attempt starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// What people know it by: `TASK/NAME`.
    pub name: String,
    /// Its content.
    pub digest: Digest,
    /// How long it is.
    pub bytes: u64,
    /// Where it goes, relative to where the attempt starts.
    pub path: String,
    /// Whether the file may be run.
    pub is_executable: bool,
}

/// Files that are kept of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collect {
    /// The name in the outputs; the path of the file if there is none.
    pub name: Option<String>,
    /// A path, or a pattern of paths, relative to where the attempt starts.
    pub pattern: String,
}

/// A message to a worker with the work of its grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// The message.
    pub message: ToWorker,
    /// One for each grant of an [`crate::message::Order::Assign`], in the same order.
    pub work: Vec<Work>,
}

/// A message from a worker with the outputs of the attempts that it says have ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The message.
    pub message: FromWorker,
    /// Canonical JSON, by attempt.
    pub outputs: Vec<(LeaseId, Vec<u8>)>,
    /// The tasks that attempts wrote, as they wrote them.
    pub tasks: Vec<(LeaseId, Vec<u8>)>,
}
