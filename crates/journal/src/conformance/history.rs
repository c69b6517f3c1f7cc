//! What was written is what is read, also after a restart, a snapshot and a cut (invariant S6).

use model::fact::AttemptsEnded;
use model::limits::{FRAME_BYTES_MAX, ITEMS_PER_FACT_MAX};
use model::outcome::{AttemptEnd, Then};
use model::{Fact, IdSet, ItemId, Outcome, RunId, Seq, Timestamp};
use protocol::error::EncodeError;

use super::{
    NOW, Subject, acquire, append, append_after, fact, facts, item, numbers, some_numbers,
};
use crate::{AppendError, Journal, Position, ReadError, Snapshot, replay};

pub(super) fn an_empty_journal_reads_as_nothing<S: Subject>(subject: &mut S) {
    let mut journal = subject.empty();
    assert_eq!(journal.last(), Ok(Position::default()));
    assert!(numbers(&mut journal, 0).is_empty());
    assert_eq!(journal.snapshot(), Ok(None));
    assert_eq!(journal.output(item(0)), Ok(None));
    assert_eq!(journal.object(&super::digest(1)), Ok(None));
}

pub(super) fn what_is_appended_is_read_back<S: Subject>(subject: &mut S) {
    let mut journal = subject.empty();
    let epoch = acquire(&mut journal);
    append(&mut journal, epoch, &facts(1..4));
    append(&mut journal, epoch, &[]);
    append(&mut journal, epoch, &facts(4..5));
    let entries = replay::collect(&mut journal, Seq(0)).expect("reads");
    assert!(entries.iter().all(|entry| entry.epoch == epoch));
    let times: Vec<_> = entries.iter().map(|entry| entry.at.0 - NOW.0).collect();
    assert_eq!(times, [0, 0, 0, 3]);
    assert_eq!(numbers(&mut journal, 0), [1, 2, 3, 4]);
}

pub(super) fn reading_starts_after_any_fact<S: Subject>(subject: &mut S) {
    let mut journal = subject.empty();
    let epoch = acquire(&mut journal);
    append(&mut journal, epoch, &facts(1..4));
    append(&mut journal, epoch, &facts(4..7));
    for after in 0..=6 {
        assert!(numbers(&mut journal, after).into_iter().eq(after + 1..=6), "after {after}");
    }
    assert!(numbers(&mut journal, 99).is_empty());
}

pub(super) fn reading_stops_when_asked<S: Subject>(subject: &mut S) {
    let mut journal = subject.empty();
    let epoch = acquire(&mut journal);
    append(&mut journal, epoch, &facts(1..4));
    append(&mut journal, epoch, &facts(4..7));
    for limit in 1..=6 {
        let expected: Vec<u64> = (1..=limit).collect();
        assert_eq!(some_numbers(&mut journal, 0, expected.len()), expected);
    }
}

pub(super) fn a_batch_larger_than_a_frame_is_one_batch<S: Subject>(subject: &mut S) {
    let mut journal = subject.empty();
    let epoch = acquire(&mut journal);
    // Every other task: two bytes each, and they do not compress to nothing.
    let tasks: IdSet = (0..60_000).map(|task| task * 2 + task % 3).collect();
    let fact = Fact::TasksSkipped { run: RunId(1), tasks };
    let many = vec![fact.clone(); 3 * FRAME_BYTES_MAX / 60_000];
    append(&mut journal, epoch, &many);
    let mut journal = subject.reopen(journal);
    let read = replay::collect(&mut journal, Seq(0)).expect("reads");
    assert_eq!(read.len(), many.len());
    assert!(read.iter().all(|entry| entry.fact == fact));
    assert_eq!(journal.last().map(|last| last.seq), Ok(Seq(many.len() as u64)));
}

pub(super) fn a_fact_that_cannot_be_written_changes_nothing<S: Subject>(subject: &mut S) {
    let mut journal = subject.empty();
    let epoch = acquire(&mut journal);
    let ends = (0..).take(ITEMS_PER_FACT_MAX + 1).map(|id| (ItemId(id), AttemptEnd::default()));
    let ended = AttemptsEnded {
        task: item(0).task_key(),
        outcome: Outcome::Succeeded,
        then: Then::Final,
        ends: ends.collect(),
    };
    let batch = [fact(1), Fact::AttemptsEnded(Box::new(ended))];
    let refused = append_after(&mut journal, epoch, Seq(0), &batch);
    let error = EncodeError::TooManyItems(ITEMS_PER_FACT_MAX + 1);
    assert_eq!(refused, Err(AppendError::Invalid(error)));
    assert!(numbers(&mut journal, 0).is_empty());
    append(&mut journal, epoch, &[fact(1)]);
}

pub(super) fn a_reopened_journal_goes_on<S: Subject>(subject: &mut S) {
    let mut journal = subject.empty();
    for round in 0..5 {
        let epoch = acquire(&mut journal);
        append(&mut journal, epoch, &facts(round * 2 + 1..round * 2 + 3));
        journal = subject.reopen(journal);
        assert_eq!(journal.last(), Ok(Position { seq: Seq(round * 2 + 2), epoch }));
    }
    assert!(numbers(&mut journal, 0).into_iter().eq(1..=10));
}

fn snapshot(covers: u64) -> Snapshot {
    let facts = [(3, 9), (1, 8), (covers, 0)];
    let facts = facts.map(|(seq, at)| (Seq(seq), Timestamp(NOW.0 + at), fact(seq)));
    Snapshot { covers: Seq(covers), facts: facts.to_vec() }
}

pub(super) fn a_snapshot_replaces_the_one_before<S: Subject>(subject: &mut S) {
    let mut journal = subject.empty();
    let epoch = acquire(&mut journal);
    append(&mut journal, epoch, &facts(1..7));
    for covers in [2, 4] {
        journal.put_snapshot(epoch, &snapshot(covers)).expect("writes");
        journal = subject.reopen(journal);
        assert_eq!(journal.snapshot(), Ok(Some(snapshot(covers))));
    }
    journal.put_snapshot(epoch, &snapshot(3)).expect("an older one is no error");
    assert_eq!(journal.snapshot(), Ok(Some(snapshot(4))));
    assert!(numbers(&mut journal, 0).into_iter().eq(1..=6), "the journal is as it was");
}

pub(super) fn a_cut_gives_up_what_the_snapshot_covers<S: Subject>(subject: &mut S) {
    let mut journal = subject.empty();
    let epoch = acquire(&mut journal);
    for first in [1, 3, 5] {
        append(&mut journal, epoch, &facts(first..first + 2));
    }
    journal.put_snapshot(epoch, &snapshot(6)).expect("writes");
    journal.cut(Seq(3)).expect("writes");
    let mut journal = subject.reopen(journal);
    let lost = replay::collect(&mut journal, Seq(0));
    assert_eq!(lost, Err(ReadError::Cut { up_to: Seq(2) }), "whole frames only");
    assert_eq!(numbers(&mut journal, 2), [3, 4, 5, 6]);
    assert_eq!(numbers(&mut journal, 3), [4, 5, 6]);

    journal.cut(Seq(6)).expect("writes");
    assert_eq!(journal.last(), Ok(Position { seq: Seq(6), epoch }), "the last frame stays");
    let epoch = acquire(&mut journal);
    append(&mut journal, epoch, &[fact(7)]);
    assert_eq!(numbers(&mut journal, 6), [7]);
    assert_eq!(journal.snapshot(), Ok(Some(snapshot(6))));
}

pub(super) fn a_cut_never_takes_more_than_the_snapshot_covers<S: Subject>(subject: &mut S) {
    let mut journal = subject.empty();
    let epoch = acquire(&mut journal);
    append(&mut journal, epoch, &facts(1..5));
    append(&mut journal, epoch, &facts(5..9));
    assert_eq!(journal.cut(Seq(4)), Err(AppendError::Uncovered { covers: Seq(0) }));
    journal.put_snapshot(epoch, &snapshot(3)).expect("writes");
    assert_eq!(journal.cut(Seq(4)), Err(AppendError::Uncovered { covers: Seq(3) }));
    assert!(numbers(&mut journal, 0).into_iter().eq(1..=8));
}
