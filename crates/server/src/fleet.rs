//! The connected workers: how messages reach them, and how theirs come in.

use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc::Sender;

use model::bounds::Enforcement;
use model::message::LeaseId;
use model::outcome::LogRef;
use model::work::{Delivery, Dispatch, Pool};

use crate::driver::Event;

/// A way to a worker. What is sent may get lost: the protocol mends that.
pub trait Link: Send {
    /// Sends without waiting.
    fn send(&mut self, dispatch: Dispatch);
}

/// Where a worker's messages go. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Mailbox {
    inbox: Sender<Event>,
}

impl Mailbox {
    pub(crate) const fn new(inbox: Sender<Event>) -> Self {
        Self { inbox }
    }

    /// Hands a message to the driver. One that has ended hears nothing any more.
    pub fn deliver(&self, delivery: Delivery) {
        let _ = self.inbox.send(Event::Worker(Box::new(delivery)));
    }

    /// Tells where the output of live attempts has come to. Only for those who watch.
    pub fn logs_grew(&self, logs: Vec<(LeaseId, LogRef)>) {
        let _ = self.inbox.send(Event::LogsGrew(logs));
    }

    /// Tells what attempts are held to on a node. Only for those who ask.
    pub fn enforces(&self, node: &str, enforcement: Enforcement) {
        let _ = self.inbox.send(Event::Enforces(node.into(), enforcement));
    }

    /// Tells how the processes of functions fare. Only for those who watch.
    pub fn pools(&self, pools: Vec<Pool>) {
        let _ = self.inbox.send(Event::Pools(pools));
    }
}

/// What attempts are held to on each node, as the nodes have said.
#[derive(Debug, Default)]
pub struct Enforced {
    nodes: BTreeMap<Box<str>, Enforcement>,
}

impl Enforced {
    /// On this node, with its name.
    #[must_use]
    pub fn of(&self, name: &str) -> Option<(&str, &Enforcement)> {
        self.nodes.get_key_value(name).map(|(name, enforcement)| (&**name, enforcement))
    }

    /// On the first node, for what is on none yet.
    #[must_use]
    pub fn any(&self) -> Option<(&str, &Enforcement)> {
        self.nodes.first_key_value().map(|(name, enforcement)| (&**name, enforcement))
    }

    pub(crate) fn note(&mut self, name: Box<str>, enforcement: Enforcement) {
        self.nodes.insert(name, enforcement);
    }
}

/// Where the output of live attempts has come to, as their workers last said.
#[derive(Debug, Default)]
pub struct LiveLogs {
    logs: HashMap<LeaseId, LogRef>,
}

impl LiveLogs {
    /// The output so far of an attempt that is live.
    #[must_use]
    pub fn get(&self, lease: LeaseId) -> Option<LogRef> {
        self.logs.get(&lease).copied()
    }

    pub(crate) fn note(&mut self, logs: Vec<(LeaseId, LogRef)>) {
        self.logs.extend(logs);
    }

    /// Forgets what is no longer live; looked at now and then, so that the map stays small.
    pub(crate) fn keep(&mut self, is_live: impl Fn(LeaseId) -> bool) {
        self.logs.retain(|&lease, _| is_live(lease));
    }

    pub(crate) fn len(&self) -> usize {
        self.logs.len()
    }
}

/// All links, by the name of the node.
#[derive(Default)]
pub(crate) struct Fleet {
    links: BTreeMap<Box<str>, Box<dyn Link>>,
}

impl Fleet {
    pub(crate) fn connect(&mut self, name: Box<str>, link: Box<dyn Link>) {
        self.links.insert(name, link);
    }

    /// Sends to a node; one that has no link hears of it after its next hello.
    pub(crate) fn send(&mut self, name: &str, dispatch: Dispatch) {
        if let Some(link) = self.links.get_mut(name) {
            link.send(dispatch);
        }
    }
}
