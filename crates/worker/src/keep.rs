//! Artifacts: the files that are put where an attempt starts, and those that are kept of it.
//!
//! Copying and hashing may take long, so they are done on a thread of their own, one attempt after
//! the other, and the loop goes on meanwhile. What it says has been done is durable.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use artifacts::objects::Objects;
use model::work::{Collect, Placement};

use crate::inbox::{Event, Slot};
use crate::supervisor::Ticket;

mod collect;
mod place;

pub use collect::{ARTIFACT_BYTES_MAX, ARTIFACTS_MAX};
pub(crate) use collect::{Kept, with_artifacts};

/// What is to be done for an attempt.
pub(crate) enum Job {
    /// Before it starts.
    Place(Vec<Placement>),
    /// After it has succeeded.
    Collect(Vec<Collect>),
}

/// What has been done for an attempt.
pub(crate) struct Done {
    pub ticket: Ticket,
    pub result: Result<Vec<Kept>, Trouble>,
}

/// Why it could not be done.
pub(crate) struct Trouble {
    /// For people.
    pub reason: String,
}

impl Trouble {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }

    fn io(what: &str, error: &io::Error) -> Self {
        Self { reason: format!("{what}: {error}") }
    }
}

/// One attempt's work.
struct Task {
    ticket: Ticket,
    folder: PathBuf,
    job: Job,
}

/// The thread that does it. It is started when there is something to do.
pub(crate) struct Keeper {
    home: PathBuf,
    slot: Slot,
    tasks: Option<Sender<Task>>,
}

impl Keeper {
    pub(crate) fn new(home: &Path, slot: Slot) -> Self {
        Self { home: home.to_owned(), slot, tasks: None }
    }

    /// Begins with a job; the inbox hears when it is done.
    ///
    /// # Errors
    /// The store cannot be opened, or the thread not started.
    pub(crate) fn begin(
        &mut self,
        ticket: Ticket,
        folder: PathBuf,
        job: Job,
    ) -> Result<(), Trouble> {
        let tasks = match self.tasks.take() {
            Some(tasks) => tasks,
            None => self.launch().map_err(|error| Trouble::io("the store of artifacts", &error))?,
        };
        let sent = tasks.send(Task { ticket, folder, job });
        self.tasks = Some(tasks);
        sent.map_err(|_| Trouble::new("the thread that keeps artifacts is gone"))
    }

    fn launch(&self) -> io::Result<Sender<Task>> {
        let objects = Objects::open(&self.home.join("artifacts"))?;
        // This thread alone writes there: what is unfinished is of a worker that has died.
        objects.remove_unfinished()?;
        let (sender, tasks) = channel();
        let slot = self.slot.clone();
        // It ends when the sender is gone, and nobody waits for that.
        thread::Builder::new()
            .name("artifacts".into())
            .spawn(move || work(&objects, &tasks, &slot))?;
        Ok(sender)
    }
}

fn work(objects: &Objects, tasks: &Receiver<Task>, slot: &Slot) {
    for Task { ticket, folder, job } in tasks {
        let result = match job {
            Job::Place(places) => place::place(objects, &folder, &places).map(|()| Vec::new()),
            Job::Collect(wanted) => collect::collect(objects, &folder, &wanted),
        };
        slot.put(Event::Kept(Done { ticket, result }));
    }
}
