//! The items of a fan-out: packed, counted, and with their ready ones as ranges.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use model::ItemId;
use model::status::TaskStatus;

use super::{Item, Tally};

/// The items of a fan-out: 4 bytes each.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fan {
    pub(crate) items: Vec<Item>,
    pub(crate) tally: Tally,
    /// The ready ones, as start and end of ranges that do not touch.
    pub(crate) ready: BTreeMap<u32, u32>,
}

impl Fan {
    pub(crate) fn new(items: u32, item: Item) -> Self {
        let mut tally = Tally::default();
        tally.grow(item.status(), items);
        let mut ready = BTreeMap::new();
        if item.status() == TaskStatus::Ready && items > 0 {
            ready.insert(0, items);
        }
        Self { items: vec![item; items as usize], tally, ready }
    }

    /// The items, by number.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// How many stand where.
    #[must_use]
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The first ready items that follow each other, at most `count`.
    #[must_use]
    pub fn first_ready(&self, count: u32) -> Option<Range<u32>> {
        let (&start, &end) = self.ready.first_key_value()?;
        Some(start..end.min(start.saturating_add(count)))
    }

    /// How many of the items before `item` are ready.
    pub(crate) fn ready_before(&self, item: u32) -> u32 {
        self.ready.range(..item).map(|(&start, &end)| end.min(item) - start).sum()
    }

    fn make_ready(&mut self, item: u32) {
        let (mut start, mut end) = (item, item + 1);
        if let Some((&before, &until)) = self.ready.range(..item).next_back()
            && until == item
        {
            start = before;
        }
        if let Some(after) = self.ready.remove(&end) {
            end = after;
        }
        self.ready.insert(start, end);
    }

    fn make_unready(&mut self, item: u32) {
        let Some((&start, &end)) = self.ready.range(..=item).next_back() else { return };
        if item >= end {
            return;
        }
        self.ready.remove(&start);
        if start < item {
            self.ready.insert(start, item);
        }
        if item + 1 < end {
            self.ready.insert(item + 1, end);
        }
    }

    pub(super) fn set(&mut self, item: ItemId, new: Item) {
        let slot = &mut self.items[item.0 as usize];
        let (from, to) = (slot.status(), new.status());
        *slot = new;
        self.tally.shift(from, to, 1);
        match (from == TaskStatus::Ready, to == TaskStatus::Ready) {
            (false, true) => self.make_ready(item.0),
            (true, false) => self.make_unready(item.0),
            _ => {}
        }
    }

    pub(crate) fn rebuild_ready(&mut self) {
        self.ready.clear();
        if self.tally.of(TaskStatus::Ready) == 0 {
            return;
        }
        let mut start = None;
        for (index, item) in (0u32..).zip(&self.items) {
            match (item.status() == TaskStatus::Ready, start) {
                (true, None) => start = Some(index),
                (false, Some(from)) => {
                    self.ready.insert(from, index);
                    start = None;
                }
                _ => {}
            }
        }
        if let (Some(from), Ok(end)) = (start, u32::try_from(self.items.len())) {
            self.ready.insert(from, end);
        }
    }
}
