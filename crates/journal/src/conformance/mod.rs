//! What every journal must do, as a suite that each store runs on itself.
//!
//! A case is a plain function on an empty journal. It never looks inside a store, and never at a
//! clock.

mod fence;
mod history;
mod rows;

use core::ops::ControlFlow;

use model::{
    Digest, Epoch, Fact, ItemId, ItemKey, RunId, RunStatus, Seq, TaskId, Timestamp, Token,
};

use crate::{AppendError, Batch, Entry, Journal, replay};

/// A kind of journal under test.
pub trait Subject {
    /// Its type.
    type Journal: Journal;

    /// A new, empty journal.
    fn empty(&mut self) -> Self::Journal;

    /// The same journal after its process has ended and begun again.
    fn reopen(&mut self, journal: Self::Journal) -> Self::Journal;
}

/// One thing that must hold.
#[derive(Clone, Copy, Debug)]
pub struct Case<S> {
    /// What holds, as a sentence with underscores.
    pub name: &'static str,
    /// Panics when it does not hold.
    pub check: fn(&mut S),
}

/// Runs every case, each on its own journal.
///
/// # Panics
/// When a case does not hold; its name was printed last.
pub fn run_all<S: Subject>(subject: &mut S) {
    for case in cases::<S>() {
        println!("conformance: {}", case.name);
        (case.check)(subject);
    }
}

macro_rules! cases {
    ($($module:ident::{$($name:ident),* $(,)?}),* $(,)?) => {
        /// All cases.
        #[must_use]
        pub fn cases<S: Subject>() -> Vec<Case<S>> {
            vec![$($(Case { name: stringify!($name), check: $module::$name::<S> },)*)*]
        }
    };
}

cases! {
    fence::{
        epochs_ascend,
        a_lease_keeps_others_away_until_it_ends,
        an_older_epoch_is_fenced,
        a_batch_must_follow_the_last_fact,
        an_unknown_append_shows_in_the_last_position,
        a_stale_snapshot_is_fenced,
    },
    history::{
        an_empty_journal_reads_as_nothing,
        what_is_appended_is_read_back,
        reading_starts_after_any_fact,
        reading_stops_when_asked,
        a_batch_larger_than_a_frame_is_one_batch,
        a_fact_that_cannot_be_written_changes_nothing,
        a_reopened_journal_goes_on,
        a_snapshot_replaces_the_one_before,
        a_cut_gives_up_what_the_snapshot_covers,
        a_cut_never_takes_more_than_the_snapshot_covers,
    },
    rows::{
        outputs_and_objects_come_with_their_batch,
        a_refused_batch_leaves_no_rows,
        the_greatest_token_wins,
        an_object_may_be_stored_twice,
    },
}

const NOW: Timestamp = Timestamp(1_700_000_000_000_000);

/// A small fact that tells itself from others.
fn fact(number: u64) -> Fact {
    Fact::RunEnded { run: RunId(number), status: RunStatus::Succeeded }
}

fn facts(numbers: core::ops::Range<u64>) -> Vec<Fact> {
    numbers.map(fact).collect()
}

fn item(number: u32) -> ItemKey {
    ItemKey { run: RunId(7), task: TaskId(2), item: ItemId(number) }
}

fn acquire(journal: &mut impl Journal) -> Epoch {
    journal.acquire("leader", NOW).expect("the lease is free")
}

/// Appends plain facts after the last one.
fn append(journal: &mut impl Journal, epoch: Epoch, facts: &[Fact]) {
    let after = journal.last().expect("reads").seq;
    append_after(journal, epoch, after, facts).expect("the batch follows the last fact");
}

fn append_after(
    journal: &mut impl Journal,
    epoch: Epoch,
    after: Seq,
    facts: &[Fact],
) -> Result<(), AppendError> {
    let at = Timestamp(NOW.0 + after.0);
    journal.append(&Batch { epoch, after, at, facts, outputs: &[], objects: &[] })
}

/// The numbers of the facts after `after`; checks their places on the way.
fn numbers(journal: &mut impl Journal, after: u64) -> Vec<u64> {
    let entries = replay::collect(journal, Seq(after)).expect("reads");
    let places = entries.iter().map(|entry| entry.seq.0);
    assert!(places.eq((after + 1..).take(entries.len())), "facts have consecutive places");
    entries.iter().map(number).collect()
}

fn number(entry: &Entry) -> u64 {
    match &entry.fact {
        Fact::RunEnded { run, .. } => run.0,
        other => panic!("nobody wrote {other:?}"),
    }
}

/// The first facts after `after`, at most `limit`.
fn some_numbers(journal: &mut impl Journal, after: u64, limit: usize) -> Vec<u64> {
    let mut found = Vec::new();
    let mut sink = |entry: Entry| {
        found.push(number(&entry));
        if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    journal.read(Seq(after), &mut sink).expect("reads");
    found
}

/// A made-up content address.
fn digest(number: u8) -> Digest {
    Digest([number; 32])
}

/// A made-up token.
fn token(number: u64) -> Token {
    Token(number)
}
