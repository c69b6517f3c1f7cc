//! What a worker starts, and what travels beside messages: rendered work one way, outputs the
//! other. None of it is ever a part of a fact.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::bounds::Bounds;
use crate::message::{FromWorker, LeaseId, ToWorker};
use crate::secret::SecretRef;
use crate::{Digest, Span};

pub mod container;
pub mod http;

use container::Container;
use http::HttpRequest;

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
