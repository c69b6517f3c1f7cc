//! Nobody writes who does not lead, and nobody twice (invariants S5 and S13).

use model::limits::LEADER_LEASE;
use model::{Seq, Span};

use super::{NOW, Subject, acquire, append, append_after, fact, facts, numbers};
use crate::{AcquireError, AppendError, Journal, Position, Snapshot};

pub(super) fn epochs_ascend<S: Subject>(subject: &mut S) {
    let mut journal = subject.empty();
    let first = acquire(&mut journal);
    let second = acquire(&mut journal);
    assert!(second > first);
    let mut journal = subject.reopen(journal);
    assert!(acquire(&mut journal) > second, "an epoch is never given out again");
}

pub(super) fn a_lease_keeps_others_away_until_it_ends<S: Subject>(subject: &mut S) {
    let mut journal = subject.empty();
    let epoch = acquire(&mut journal);
    let until = NOW + LEADER_LEASE;
    let held = Err(AcquireError::Held { by: "leader".to_owned(), until });
    assert_eq!(journal.acquire("other", until - Span(1)), held);

    let later = NOW + Span::secs(3);
    assert_eq!(journal.renew(epoch, later), Ok(()));
    assert!(journal.acquire("other", until).is_err(), "the renewed lease lasts longer");
    let taken = journal.acquire("other", later + LEADER_LEASE).expect("the lease has run out");
    assert_eq!(journal.renew(epoch, later), Err(AppendError::Fenced { by: taken }));

    assert_eq!(journal.release(taken), Ok(()));
    assert!(journal.acquire("third", later).is_ok(), "a released lease is free at once");
}

pub(super) fn an_older_epoch_is_fenced<S: Subject>(subject: &mut S) {
    let mut journal = subject.empty();
    let old = acquire(&mut journal);
    append(&mut journal, old, &[fact(1)]);
    let new = acquire(&mut journal);
    let refused = append_after(&mut journal, old, Seq(1), &[fact(2)]);
    assert_eq!(refused, Err(AppendError::Fenced { by: new }));
    append(&mut journal, new, &[fact(3)]);
    assert_eq!(numbers(&mut journal, 0), [1, 3]);
}

pub(super) fn a_batch_must_follow_the_last_fact<S: Subject>(subject: &mut S) {
    let mut journal = subject.empty();
    let epoch = acquire(&mut journal);
    append(&mut journal, epoch, &facts(1..4));
    for after in [0, 2, 4, 1_000] {
        let refused = append_after(&mut journal, epoch, Seq(after), &[fact(9)]);
        assert_eq!(refused, Err(AppendError::Moved { last: Seq(3) }), "after {after}");
    }
    assert_eq!(numbers(&mut journal, 0), [1, 2, 3]);
}

/// What a writer does that did not get an answer: it looks, and does not append a second time.
pub(super) fn an_unknown_append_shows_in_the_last_position<S: Subject>(subject: &mut S) {
    let mut journal = subject.empty();
    let epoch = acquire(&mut journal);
    assert_eq!(journal.last(), Ok(Position::default()));
    append(&mut journal, epoch, &facts(1..3));
    assert_eq!(journal.last(), Ok(Position { seq: Seq(2), epoch }));
    let again = append_after(&mut journal, epoch, Seq(0), &facts(1..3));
    assert_eq!(again, Err(AppendError::Moved { last: Seq(2) }));

    let other = acquire(&mut journal);
    append(&mut journal, other, &[fact(3)]);
    assert_eq!(journal.last(), Ok(Position { seq: Seq(3), epoch: other }), "this one is foreign");
}

pub(super) fn a_stale_snapshot_is_fenced<S: Subject>(subject: &mut S) {
    let mut journal = subject.empty();
    let old = acquire(&mut journal);
    append(&mut journal, old, &[fact(1)]);
    let new = acquire(&mut journal);
    let snapshot = Snapshot { covers: Seq(1), facts: vec![] };
    let refused = journal.put_snapshot(old, &snapshot);
    assert_eq!(refused, Err(AppendError::Fenced { by: new }));
    assert_eq!(journal.snapshot(), Ok(None));
}
