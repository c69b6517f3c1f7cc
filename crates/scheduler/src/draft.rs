//! The fleet as it would be if the plan so far was carried out. The fleet itself stays as it is.

use alloc::vec::Vec;

use super::ask::{Ask, Form, Taken};
use super::fleet::{Future, Node};
use super::timeline::Timeline;

/// A node in a draft: its timeline is made when it is first looked at.
#[derive(Debug, Default)]
struct Page {
    timeline: Option<Timeline>,
    /// Whether anything is booked here for later: then what begins now has to end in time.
    booked: bool,
    /// Whether anything begins or is booked here.
    changed: bool,
    /// Whether it is lent anything: that goes before whatever comes.
    lent: bool,
}

#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) nodes: &'a [Node],
    /// What is free of each node now and later if nothing of this draft is carried out.
    futures: Vec<Option<Future>>,
    pages: Vec<Page>,
    pub(super) now: u64,
}

impl<'a> Draft<'a> {
    pub(super) fn new(nodes: &'a [Node], futures: Vec<Option<Future>>, now: u64) -> Self {
        let mut pages = Vec::new();
        pages.resize_with(nodes.len(), Page::default);
        Self { nodes, futures, pages, now }
    }

    /// Gives back what was worked out of each node.
    pub(super) fn into_futures(self) -> Vec<Option<Future>> {
        self.futures
    }

    fn future(&mut self, node: usize) -> &Timeline {
        let (known, now) = (&self.nodes[node], self.now);
        let future = &mut self.futures[node];
        if future.as_ref().is_some_and(|future| now >= future.until) {
            *future = None;
        }
        let future = future.get_or_insert_with(|| known.future(now));
        future.timeline.begin_at(now);
        &future.timeline
    }

    pub(super) fn form(&self, node: usize) -> &'a Form {
        let nodes: &'a [Node] = self.nodes;
        &nodes[node].form
    }

    fn timeline(&mut self, node: usize) -> &mut Timeline {
        if self.pages[node].timeline.is_none() {
            self.pages[node].timeline = Some(self.future(node).clone());
        }
        self.pages[node].timeline.as_mut().expect("made if it was not there")
    }

    /// What is free on a node now.
    pub(super) fn free(&self, node: usize) -> &[u64] {
        self.pages[node].timeline.as_ref().map_or(&self.nodes[node].free, Timeline::now)
    }

    /// Expects what has outlived its estimate on a node to end at any moment, unless something
    /// begins or is booked there already: then nothing long goes before what is booked next.
    pub(super) fn hope(&mut self, node: usize) {
        let (known, now) = (&self.nodes[node], self.now);
        let page = &mut self.pages[node];
        if !page.changed {
            page.timeline = Some(Timeline::of(known, now, true));
        }
    }

    /// Gives a node what waits there for room.
    pub(super) fn lend(&mut self, node: usize) {
        self.pages[node].lent = true;
    }

    fn is_open(&self, node: usize) -> bool {
        self.nodes[node].is_open() && !self.pages[node].lent
    }

    /// Whether an item fits into what is free on a node now, whatever is reserved there.
    pub(super) fn fits(&self, node: usize, ask: &Ask) -> bool {
        self.is_open(node)
            && self.nodes[node].admits(ask)
            && self.form(node).fits(self.free(node), ask)
    }

    /// Whether anything is booked on a node for later.
    pub(super) fn is_booked(&self, node: usize) -> bool {
        self.pages[node].booked
    }

    /// Whether an item may begin on a node now: with what is free there for as long as it takes.
    pub(super) fn fits_now(&mut self, node: usize, ask: &Ask, duration: u64) -> Option<Vec<u64>> {
        if !self.fits(node, ask) {
            return None;
        }
        if !self.pages[node].booked {
            return Some(self.free(node).to_vec());
        }
        let (form, now) = (self.form(node), self.now);
        self.timeline(node).fits_at(form, ask, now, duration)
    }

    /// When an item may begin on a node at the earliest, and how much later it may be.
    pub(super) fn earliest(
        &mut self,
        node: usize,
        ask: &Ask,
        duration: u64,
    ) -> Option<(u64, u64, Vec<u64>)> {
        let (form, known) = (self.form(node), &self.nodes[node]);
        if !known.spec.accepts || !known.could_hold(ask) {
            return None;
        }
        let first = if self.is_open(node) { self.now } else { self.now + 1 };
        let found = match &self.pages[node].timeline {
            Some(timeline) => timeline.earliest(form, ask, duration),
            None => self.future(node).earliest(form, ask, duration),
        };
        found.map(|(start, doubt, least)| (start.max(first), doubt, least))
    }

    /// What is free on a node from a time on, if an item fits into that.
    pub(super) fn fits_at(
        &mut self,
        node: usize,
        ask: &Ask,
        (start, duration): (u64, u64),
    ) -> Option<Vec<u64>> {
        let form = self.form(node);
        self.timeline(node).fits_at(form, ask, start, duration)
    }

    /// How many items may begin on a node at a time.
    pub(super) fn times(&mut self, node: usize, ask: &Ask, at: (u64, u64), most: u32) -> u32 {
        let form = self.form(node);
        self.timeline(node).times(form, ask, at, most)
    }

    /// Takes from a node between two times.
    pub(super) fn book(&mut self, node: usize, (start, end): (u64, u64), taken: &Taken) {
        let form = self.form(node);
        self.timeline(node).book(form, start, end, taken);
        self.pages[node].booked |= start > self.now;
        self.pages[node].changed = true;
    }
}
