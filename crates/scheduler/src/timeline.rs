//! What is free on a node now and later, as its work is expected to end, and what has been booked
//! of that. Booking is first come, first served: nothing that is booked moves for what comes later.

use alloc::vec::Vec;

use super::ask::{Ask, Form, Taken};
use super::fleet::{Lease, Node};

/// The future of one node: what is free from each of some times on.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    at: Vec<u64>,
    /// How much later than that it may be.
    doubt: Vec<u64>,
    rows: Vec<u64>,
    width: usize,
    /// Whether nothing is booked for later: then more and more is free as time goes on, and what is
    /// free at some time is free from then on.
    is_rising: bool,
}

impl Timeline {
    pub(super) fn of(node: &Node, now: u64, is_hopeful: bool) -> Self {
        let width = node.form.width();
        let leases = node.leases.values();
        let mut ends: Vec<((u64, u64), &Lease)> =
            leases.map(|lease| (lease.expected_end(now, is_hopeful), lease)).collect();
        ends.sort_by_key(|&(end, _)| end);
        let at = Vec::with_capacity(ends.len() + 1);
        let mut timeline = Self { at, doubt: Vec::new(), rows: Vec::new(), width, is_rising: true };
        timeline.rows.reserve(width * (ends.len() + 1));
        timeline.at.push(now);
        timeline.doubt.push(0);
        timeline.rows.extend_from_slice(&node.free);
        for ((end, doubt), lease) in ends {
            if timeline.at.last() != Some(&end) || timeline.doubt.last() != Some(&doubt) {
                let from = timeline.rows.len() - width;
                timeline.at.push(end);
                timeline.doubt.push(doubt);
                timeline.rows.extend_from_within(from..);
            }
            let from = timeline.rows.len() - width;
            node.form.change(&mut timeline.rows[from..], &lease.taken, true);
        }
        timeline
    }

    /// Lets it begin at a time before anything on it changes.
    pub(super) fn begin_at(&mut self, now: u64) {
        if let Some(first) = self.at.first_mut() {
            *first = now;
        }
    }

    fn row(&self, index: usize) -> &[u64] {
        &self.rows[index * self.width..(index + 1) * self.width]
    }

    /// What is free now.
    pub(super) fn now(&self) -> &[u64] {
        self.row(0)
    }

    /// What is free all the time from the step `index` until `end`.
    fn least(&self, form: &Form, index: usize, end: u64) -> Vec<u64> {
        let mut least = self.row(index).to_vec();
        if self.is_rising {
            return least;
        }
        let later = (index + 1..self.at.len()).take_while(|&later| self.at[later] < end);
        for later in later {
            form.meet(&mut least, self.row(later));
        }
        least
    }

    /// What is free all the time from `start` on for `duration`, if an item fits into that.
    pub(super) fn fits_at(
        &self,
        form: &Form,
        ask: &Ask,
        start: u64,
        duration: u64,
    ) -> Option<Vec<u64>> {
        let least = self.least(form, self.step(start), start.saturating_add(duration));
        form.fits(&least, ask).then_some(least)
    }

    /// The step in which a time lies.
    fn step(&self, time: u64) -> usize {
        self.at.partition_point(|&at| at <= time).saturating_sub(1)
    }

    /// The first time from which on an item fits for `duration`, how much later it may be, and what
    /// is free all that time.
    pub(super) fn earliest(
        &self,
        form: &Form,
        ask: &Ask,
        duration: u64,
    ) -> Option<(u64, u64, Vec<u64>)> {
        if self.is_rising {
            let index = self.first_fit(form, ask)?;
            return Some((self.at[index], self.doubt[index], self.row(index).to_vec()));
        }
        (0..self.at.len()).find_map(|index| {
            if !form.fits(self.row(index), ask) {
                return None;
            }
            let least = self.least(form, index, self.at[index].saturating_add(duration));
            form.fits(&least, ask).then(|| (self.at[index], self.doubt[index], least))
        })
    }

    /// The first step in which an item fits, where more and more is free.
    fn first_fit(&self, form: &Form, ask: &Ask) -> Option<usize> {
        let (mut first, mut end) = (0, self.at.len());
        while first < end {
            let middle = first.midpoint(end);
            if form.fits(self.row(middle), ask) {
                end = middle;
            } else {
                first = middle + 1;
            }
        }
        (first < self.at.len()).then_some(first)
    }

    /// How many items fit from a time on for `duration`.
    pub(super) fn times(
        &self,
        form: &Form,
        ask: &Ask,
        (start, duration): (u64, u64),
        most: u32,
    ) -> u32 {
        form.times(&self.least(form, self.step(start), start.saturating_add(duration)), ask, most)
    }

    /// Takes from what is free between two times.
    pub(super) fn book(&mut self, form: &Form, start: u64, end: u64, taken: &Taken) {
        self.is_rising &= self.at.first().is_some_and(|&first| start <= first);
        self.split(start);
        self.split(end);
        for index in 0..self.at.len() {
            if self.at[index] >= start && self.at[index] < end {
                let width = self.width;
                form.change(&mut self.rows[index * width..(index + 1) * width], taken, false);
            }
        }
    }

    fn split(&mut self, time: u64) {
        let index = self.at.partition_point(|&at| at <= time);
        if index == 0 || self.at[index - 1] == time {
            return;
        }
        self.at.insert(index, time);
        self.doubt.insert(index, 0);
        let from = (index - 1) * self.width;
        let row: Vec<u64> = self.rows[from..from + self.width].to_vec();
        let to = index * self.width;
        self.rows.splice(to..to, row);
    }
}
