//! What the worker's loop waits for: orders from other threads, and the supervisor's pipe. Waiting
//! for both at once saves a thread in between, and with it a wake-up for each process that ends.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use model::work::Dispatch;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use crate::executors::Happened;
use crate::keep::Done;
use crate::supervisor::{Batch, EventReader, Ticket};

/// Something that the loop has to look at.
pub(crate) enum Event {
    /// An order to a node that the worker stands for, by its number.
    Dispatch(usize, Dispatch),
    /// What the supervisor says.
    Supervisor(Batch),
    /// Artifacts of an attempt are in their places, or stored.
    Kept(Done),
    /// What executors with threads of their own tell of attempts.
    Happened(Vec<(Ticket, Happened)>),
    /// The supervisor is gone.
    SupervisorGone,
    /// A process of functions says something.
    Calls,
    /// The worker is to end.
    Shutdown,
}

/// The end at which events are put in. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    events: Sender<Event>,
    bell: Arc<OwnedFd>,
}

/// The end at which they are taken out.
pub(crate) struct Inbox {
    events: Receiver<Event>,
    bell: Arc<OwnedFd>,
}

/// Both ends.
pub(crate) fn inbox() -> io::Result<(Slot, Inbox)> {
    let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
    let (sender, events) = channel();
    Ok((Slot { events: sender, bell: Arc::clone(&bell) }, Inbox { events, bell }))
}

impl Slot {
    /// Puts an event in. A worker that has ended takes nothing.
    pub(crate) fn put(&self, event: Event) {
        if self.events.send(event).is_ok() {
            // It only fails when the bell has rung more often than anyone can count.
            let _ = rustix::io::write(&self.bell, &1u64.to_ne_bytes());
        }
    }
}

impl Inbox {
    /// An event that is here already, from another thread.
    pub(crate) fn take(&self) -> Option<Event> {
        self.events.try_recv().ok()
    }

    /// Waits for an event, from other threads, the supervisor or processes of functions; `None`
    /// when time is up.
    pub(crate) fn wait(
        &self,
        supervisor: &mut EventReader,
        calls: Option<BorrowedFd<'_>>,
        patience: Duration,
    ) -> Option<Event> {
        if let Some(event) = self.take() {
            return Some(event);
        }
        let patience = Timespec::try_from(patience).ok();
        let mut sources = [
            PollFd::from_borrowed_fd(supervisor.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.bell.as_fd(), PollFlags::IN),
            // Without functions the bell stands in for them.
            PollFd::from_borrowed_fd(calls.unwrap_or(self.bell.as_fd()), PollFlags::IN),
        ];
        // Interrupted: whoever calls comes again.
        poll(&mut sources, patience.as_ref()).ok()?;
        let [spoke, rang, called] = sources.map(|source| !source.revents().is_empty());
        if rang {
            let _ = rustix::io::read(&self.bell, &mut [0u8; 8]);
        }
        if spoke {
            let mut batch = Batch::new();
            return Some(match supervisor.read(&mut batch) {
                Ok(true) => Event::Supervisor(batch),
                _ => Event::SupervisorGone,
            });
        }
        self.take().or_else(|| called.then_some(Event::Calls))
    }
}
