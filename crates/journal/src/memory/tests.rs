//! The faults of the in-memory journal, each with what a caller may rely on.

use std::collections::VecDeque;

use model::{Epoch, Fact, RunId, RunStatus, Seq, Timestamp};

use super::{Crash, Fault, FaultPlan, Leftover, MemoryJournal, NoFaults, Operation, Removed};
use crate::conformance::{self, Subject};
use crate::{AppendError, Batch, Journal, ReadError, replay};

struct Memory;

impl Subject for Memory {
    type Journal = MemoryJournal;

    fn empty(&mut self) -> MemoryJournal {
        MemoryJournal::new()
    }

    fn reopen(&mut self, mut journal: MemoryJournal) -> MemoryJournal {
        // Everything confirmed must survive the worse of the two.
        journal.crash(Crash::Power);
        journal
    }
}

#[test]
fn conforms() {
    conformance::run_all(&mut Memory);
}

/// A list of faults for appends, one after the other; everything else works.
#[derive(Default)]
struct Script {
    faults: VecDeque<Fault>,
    leftover: Leftover,
}

impl FaultPlan for Script {
    fn fault(&mut self, operation: Operation) -> Fault {
        match operation {
            Operation::Append => self.faults.pop_front().unwrap_or_default(),
            _ => Fault::None,
        }
    }

    fn leftover(&mut self, _unsynced: usize) -> Leftover {
        self.leftover
    }
}

fn fact(number: u64) -> Fact {
    Fact::RunEnded { run: RunId(number), status: RunStatus::Succeeded }
}

fn append<P: FaultPlan>(
    journal: &mut MemoryJournal<P>,
    epoch: Epoch,
    after: u64,
) -> Result<(), AppendError> {
    let facts = [fact(after + 1)];
    let (after, at) = (Seq(after), Timestamp(1));
    journal.append(&Batch { epoch, after, at, facts: &facts, outputs: &[], objects: &[] })
}

/// A journal of one fact whose next appends meet `faults`.
fn journal(faults: &[Fault], removed: Removed) -> (MemoryJournal<Script>, Epoch) {
    let mut journal = MemoryJournal::with_removed(Script::default(), removed);
    let epoch = journal.acquire("leader", Timestamp(1)).unwrap();
    append(&mut journal, epoch, 0).unwrap();
    journal.plan_mut().faults.extend(faults);
    (journal, epoch)
}

fn last<P: FaultPlan>(journal: &mut MemoryJournal<P>) -> u64 {
    let seq = journal.last().unwrap().seq;
    assert_eq!(replay::collect(journal, Seq(0)).unwrap().len() as u64, seq.0);
    seq.0
}

#[test]
fn refusals_write_nothing_and_pass() {
    let faults = [Fault::NoSpace, Fault::ReadOnly, Fault::Io, Fault::Unknown { committed: false }];
    let (mut journal, epoch) = journal(&faults, Removed::default());
    assert_eq!(append(&mut journal, epoch, 1), Err(AppendError::NoSpace));
    assert_eq!(append(&mut journal, epoch, 1), Err(AppendError::ReadOnly));
    assert!(matches!(append(&mut journal, epoch, 1), Err(AppendError::Store(_))));
    assert!(matches!(append(&mut journal, epoch, 1), Err(AppendError::Unknown(_))));
    assert_eq!(last(&mut journal), 1);
    assert_eq!(append(&mut journal, epoch, 1), Ok(()));
}

#[test]
fn an_unknown_append_that_was_done_is_found() {
    let faults = [Fault::Unknown { committed: true }];
    let (mut journal, epoch) = journal(&faults, Removed::default());
    assert!(matches!(append(&mut journal, epoch, 1), Err(AppendError::Unknown(_))));
    assert_eq!(last(&mut journal), 2);
    assert_eq!(append(&mut journal, epoch, 1), Err(AppendError::Moved { last: Seq(2) }));
}

#[test]
fn after_a_failed_sync_nothing_is_confirmed_until_a_restart() {
    let (mut journal, epoch) = journal(&[Fault::SyncFailed], Removed::default());
    for _ in 0..2 {
        assert!(matches!(append(&mut journal, epoch, 1), Err(AppendError::SyncFailed(_))));
        assert!(matches!(journal.last(), Err(ReadError::SyncFailed(_))));
    }
    journal.crash(Crash::Process);
    assert_eq!(last(&mut journal), 2);
    journal.crash(Crash::Power);
    assert_eq!(last(&mut journal), 2, "the restart has written the tail again");
}

#[test]
fn without_the_rewrite_a_failed_sync_loses_what_a_later_one_confirmed() {
    let removed = Removed { rewrite: true, ..Removed::default() };
    let (mut journal, epoch) = journal(&[Fault::SyncFailed], removed);
    assert!(append(&mut journal, epoch, 1).is_err());
    journal.crash(Crash::Process);
    append(&mut journal, epoch, 2).unwrap();
    journal.crash(Crash::Power);
    assert_eq!(last(&mut journal), 1);
}

#[test]
fn a_power_cut_during_an_append_leaves_all_of_it_or_nothing() {
    let mut seen = [false; 2];
    for bytes in 0..200 {
        let (mut journal, epoch) = journal(&[Fault::PowerCut], Removed::default());
        journal.plan_mut().leftover = Leftover { bytes, is_garbled: bytes % 3 == 0 };
        assert!(matches!(append(&mut journal, epoch, 1), Err(AppendError::Unknown(_))));
        let last = last(&mut journal);
        seen[usize::try_from(last - 1).unwrap()] = true;
        append(&mut journal, epoch, last).unwrap();
    }
    assert_eq!(seen, [true, true]);
}

#[test]
fn without_the_sync_a_power_cut_loses_what_was_confirmed() {
    let removed = Removed { sync: true, ..Removed::default() };
    let (mut journal, _) = journal(&[], removed);
    assert_eq!(last(&mut journal), 1);
    journal.crash(Crash::Power);
    assert_eq!(last(&mut journal), 0);
}

#[test]
fn without_the_fence_a_stale_leader_writes() {
    let removed = Removed { fence: true, ..Removed::default() };
    let (mut journal, stale) = journal(&[], removed);
    journal.acquire("other", Timestamp(u64::MAX)).unwrap();
    assert_eq!(append(&mut journal, stale, 1), Ok(()));
}

#[test]
fn latency_is_data() {
    struct Slow;
    impl FaultPlan for Slow {
        fn fault(&mut self, _operation: Operation) -> Fault {
            Fault::None
        }
        fn latency(&mut self, _operation: Operation) -> model::Span {
            model::Span::millis(5)
        }
    }
    let mut journal = MemoryJournal::with_faults(Slow);
    let epoch = journal.acquire("leader", Timestamp(1)).unwrap();
    append(&mut journal, epoch, 0).unwrap();
    assert_eq!(journal.take_latency(), model::Span::millis(10));
    assert_eq!(journal.take_latency(), model::Span::ZERO);
    assert_eq!(MemoryJournal::<NoFaults>::new().take_latency(), model::Span::ZERO);
}
