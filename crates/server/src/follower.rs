//! What comes after the journal: the catalog and the archive follow the durable facts, and the
//! driver forgets ended runs that both of them hold.
//!
//! It may lag and it may be rebuilt; it never holds up a commit and never decides.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use model::{Fact, Seq, Timestamp};

use crate::driver::Event;

/// Facts that have become durable.
#[derive(Debug)]
pub(crate) struct Committed {
    pub after: Seq,
    pub at: Timestamp,
    pub facts: Vec<Fact>,
}

/// The thread that follows.
#[derive(Debug)]
pub(crate) struct Follower {
    facts: Option<Sender<Committed>>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    pub(crate) fn start(_driver: Sender<Event>) -> std::io::Result<Self> {
        let (facts, inbox) = channel();
        let thread = thread::Builder::new().name("follower".into()).spawn(move || follow(&inbox))?;
        Ok(Self { facts: Some(facts), thread: Some(thread) })
    }

    pub(crate) fn facts(&self) -> Sender<Committed> {
        self.facts.clone().expect("taken only when dropped")
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.facts = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn follow(inbox: &Receiver<Committed>) {
    while inbox.recv().is_ok() {}
}

