//! What the catalog shows of a life, what it finds, and that it can be dropped.

use std::sync::Arc;

use artifacts::objects::Objects;
use journal::memory::MemoryJournal;
use journal::{Batch, Entry, Journal, Snapshot};
use model::fact::{AttemptsEnded, Restored, RunAdmitted, StopCause};
use model::outcome::{AttemptEnd, Failure, Then};

use model::policy::{FailurePolicy, Priority, Stage};
use model::{
    DeviceSet, Digest, Epoch, Fact, ItemId, Outcome, RunId, RunStatus, Seq, TaskId, TaskKey,
    Timestamp, VariantId, WorkerId,
};

use super::{Catalog, Filter, Kept};
use crate::{Archive, subject};

fn admitted(run: u64) -> Fact {
    Fact::RunAdmitted(Box::new(RunAdmitted {
        run: RunId(run),
        key: (run == 3).then_some(Digest([9; 32])),
        tenant: "default".into(),
        queue: "default".into(),
        name: if run.is_multiple_of(2) { "even" } else { "odd" }.into(),
        identity: Digest([u8::try_from(run % 2).unwrap(); 32]),
        content: Digest([2; 32]),
        graph: Digest([3; 32]),
        definition: Digest([4; 32]),
        priority: Priority::default(),
        failure: FailurePolicy::FailFast,
        timeout: None,
        concurrency: None,
        cost_limit_micro: None,
        trace: 1,
    }))
}

fn leased(run: u64, items: u32) -> Fact {
    let task = TaskKey { run: RunId(run), task: TaskId(0) };
    let (worker, variant, devices) = (WorkerId(1), VariantId(0), DeviceSet::EMPTY);
    Fact::AttemptsLeased { task, items: 0..items, worker, variant, devices }
}

fn ended(run: u64, items: u32, outcome: Outcome, then: Then) -> Fact {
    let task = TaskKey { run: RunId(run), task: TaskId(0) };
    let ends = (0..items).map(|item| (ItemId(item), AttemptEnd::default())).collect();
    Fact::AttemptsEnded(Box::new(AttemptsEnded { task, outcome, then, ends }))
}

const fn run_ended(run: u64, status: RunStatus) -> Fact {
    Fact::RunEnded { run: RunId(run), status }
}

/// A life with a retry in run 1, and a run 2 that is stopped by a failure.
fn life() -> Vec<Entry> {
    let failed = Outcome::Failed(Failure::Exit(3));
    let facts = [
        Fact::LeaderStarted { epoch: Epoch(1), format: 1 },
        admitted(1),
        leased(1, 4),
        admitted(2),
        ended(1, 1, failed, Then::Retry { at: Timestamp(9) }),
        ended(1, 3, Outcome::Succeeded, Then::Final),
        leased(1, 1),
        leased(2, 1),
        ended(1, 1, Outcome::Succeeded, Then::Final),
        run_ended(1, RunStatus::Succeeded),
        ended(2, 1, failed, Then::Final),
        Fact::RunStopping { run: RunId(2), cause: StopCause::TaskFailed },
        admitted(3),
        run_ended(2, RunStatus::Failed),
    ];
    let entry =
        |(seq, fact)| Entry { seq: Seq(seq), at: Timestamp(1_000 + seq), epoch: Epoch(1), fact };
    (1..).zip(facts).map(entry).collect()
}

#[test]
fn labels_are_found_in_what_is_noted() {
    let dir = tempfile::tempdir().unwrap();
    let mut catalog = Catalog::open(dir.path()).unwrap();
    catalog.apply(&life()).unwrap();
    catalog.set_summary(RunId(1), r#"{"labels":{"team":"data","a":"b=c"}}"#).unwrap();
    catalog.set_summary(RunId(2), "no JSON").unwrap();
    catalog.set_summary(RunId(3), r#"{"labels":{"team":"web"}}"#).unwrap();
    let found = |labels: &[(&str, Option<&str>)]| -> Vec<u64> {
        let filter = Filter { labels, ..Filter::default() };
        catalog.list(&filter).unwrap().iter().map(|run| run.run.0).collect()
    };
    assert_eq!(found(&[("team", None)]), [3, 1]);
    assert_eq!(found(&[("team", Some("data"))]), [1]);
    assert_eq!(found(&[("team", None), ("a", Some("b=c"))]), [1]);
    assert_eq!(found(&[("a=b", Some("c"))]), [1], "no key has a `=` in it, so that none is meant");
    assert!(found(&[("team", Some("' OR TRUE --"))]).is_empty());
    assert!(found(&[("other", None)]).is_empty());
}

fn all(catalog: &Catalog) -> Vec<super::Run> {
    catalog.list(&Filter::default()).unwrap()
}

#[test]
fn a_life_is_shown_however_its_facts_are_batched() {
    let mut shown = Vec::new();
    for size in 1..=life().len() {
        let folder = tempfile::tempdir().unwrap();
        let mut catalog = Catalog::open(folder.path()).unwrap();
        for batch in life().chunks(size) {
            catalog.apply(batch).unwrap();
            // A second time changes nothing.
            catalog.apply(batch).unwrap();
        }
        assert_eq!(catalog.cursor(), Ok(Seq(14)));
        shown.push(all(&catalog));
    }
    assert!(shown.iter().all(|runs| *runs == shown[0]));
    let first = &shown[0][2];
    assert_eq!((first.run, first.status), (RunId(1), RunStatus::Succeeded));
    let counts = (first.leased, first.succeeded, first.failed, first.retried);
    assert_eq!(counts, (5, 4, 1, 1));
    assert_eq!(first.started_at, Some(Timestamp(1_003)));
    assert_eq!(first.ended_at, Some(Timestamp(1_010)));
    let second = &shown[0][1];
    assert_eq!(second.cause, Some(StopCause::TaskFailed));
    assert_eq!(shown[0][0].status, RunStatus::Queued);
}

#[test]
fn lists_are_filtered_paged_and_newest_first() {
    let folder = tempfile::tempdir().unwrap();
    let mut catalog = Catalog::open(folder.path()).unwrap();
    catalog.apply(&life()).unwrap();
    let numbers = |filter: Filter<'_>| -> Vec<u64> {
        catalog.list(&filter).unwrap().iter().map(|run| run.run.0).collect()
    };
    assert_eq!(numbers(Filter::default()), [3, 2, 1]);
    assert_eq!(numbers(Filter { limit: 2, ..Filter::default() }), [3, 2]);
    assert_eq!(numbers(Filter { before: Some(RunId(2)), ..Filter::default() }), [1]);
    assert_eq!(numbers(Filter { name: Some("odd"), ..Filter::default() }), [3, 1]);
    assert_eq!(numbers(Filter { name: Some("' OR 1=1"), ..Filter::default() }), [0; 0]);
    let statuses = &[RunStatus::Failed, RunStatus::Queued];
    assert_eq!(numbers(Filter { statuses, ..Filter::default() }), [3, 2]);
    let both = Filter { statuses, name: Some("even"), ..Filter::default() };
    assert_eq!(numbers(both), [2]);
}

#[test]
fn what_is_not_kept_is_too_old_or_one_too_many_by_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut catalog = Catalog::open(folder.path()).unwrap();
    catalog.apply(&life()).unwrap();
    // Run 1 ended at 1,010, run 2 at 1,014, and run 3 not at all.
    let since = |at| Some(Timestamp(at));
    let not_kept = |runs, since| -> Vec<u64> {
        let runs = catalog.not_kept(Kept { runs, since }, 10).unwrap();
        runs.iter().map(|run| run.0).collect()
    };
    assert_eq!(not_kept(None, None), [0; 0]);
    assert_eq!(not_kept(Some(2), None), [0; 0]);
    assert_eq!(not_kept(Some(1), None), [1]);
    assert_eq!(not_kept(Some(0), None), [1, 2], "what has not ended is nobody's surplus");
    assert_eq!(not_kept(None, since(1_010)), [0; 0]);
    assert_eq!(not_kept(None, since(1_011)), [1]);
    assert_eq!(not_kept(Some(1), since(9_999)), [1, 2]);
    let first = catalog.not_kept(Kept { runs: Some(0), since: None }, 1);
    assert_eq!(first, Ok(vec![RunId(1)]));
}

#[test]
fn a_removed_run_is_neither_listed_nor_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut catalog = Catalog::open(folder.path()).unwrap();
    catalog.apply(&life()).unwrap();
    catalog.set_summary(RunId(1), "short").unwrap();
    assert_eq!(catalog.summary(RunId(1)).as_deref(), Some("short"));
    catalog.remove(&[RunId(1)]).unwrap();
    assert_eq!(catalog.summary(RunId(1)), None);
    assert_eq!(
        (catalog.all(), catalog.ended()),
        (Ok(vec![RunId(2), RunId(3)]), Ok(vec![RunId(2)]))
    );
    let names = |without: &[u64]| {
        let without = without.iter().map(|&run| RunId(run)).collect();
        catalog.named(&without).unwrap().len()
    };
    assert_eq!((names(&[2]), names(&[2, 3])), (4, 0), "they share all that they name");
}

#[test]
fn runs_that_are_left_out_do_not_count() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Catalog::open_existing(folder.path()).unwrap().is_none());
    Catalog::open(folder.path()).unwrap().apply(&life()).unwrap();
    let catalog = Catalog::open_existing(folder.path()).unwrap().expect("it is there now");
    let filter = Filter { ended: true, limit: 1, ..Filter::default() };
    let listed = |left_out: &[u64]| -> Vec<u64> {
        let runs = catalog.list_without(&filter, &|run| left_out.contains(&run.0)).unwrap();
        runs.iter().map(|run| run.run.0).collect()
    };
    assert_eq!((listed(&[]), listed(&[2])), (vec![2], vec![1]));
}

#[test]
fn runs_are_found_by_identity_name_and_key() {
    let folder = tempfile::tempdir().unwrap();
    let mut catalog = Catalog::open(folder.path()).unwrap();
    catalog.apply(&life()).unwrap();
    let number = |run: Result<Option<super::Run>, _>| run.unwrap().map(|run| run.run.0);
    assert_eq!(number(catalog.find_identity(&Digest([1; 32]))), Some(3));
    assert_eq!(number(catalog.find_identity(&Digest([7; 32]))), None);
    assert_eq!(number(catalog.find_name("even")), Some(2));
    assert_eq!(number(catalog.find_key(&Digest([9; 32]))), Some(3));
    assert_eq!(number(catalog.get(RunId(1))), Some(1));
    assert_eq!(number(catalog.get(RunId(8))), None);
}

/// A journal of `life`, whose first eight facts are given up: run 1 rests in the archive, run 2 in
/// the snapshot.
fn cut_journal() -> MemoryJournal {
    let mut journal = MemoryJournal::new();
    let epoch = journal.acquire("leader", Timestamp(1)).unwrap();
    for entry in life() {
        let facts = [entry.fact];
        let (after, at) = (Seq(entry.seq.0 - 1), entry.at);
        let batch = Batch { epoch, after, at, facts: &facts, outputs: &[], objects: &[] };
        journal.append(&batch).unwrap();
    }
    let restored = |run, status| {
        let released = Stage::Ordinary;
        let (cause, ended_at) = (None, None);
        let piece =
            Restored::Run { run: RunId(run), status, cause, ended_at, released, paused: None };
        Fact::Restored(Box::new(piece))
    };
    let facts = vec![
        (Seq(4), Timestamp(1_004), admitted(2)),
        (Seq(8), Timestamp(1_008), restored(2, RunStatus::Running)),
    ];
    journal.put_snapshot(epoch, &Snapshot { covers: Seq(8), facts }).unwrap();
    journal.cut(Seq(8)).unwrap();
    journal
}

#[test]
fn a_dropped_catalog_is_rebuilt_from_archive_and_journal() {
    let folder = tempfile::tempdir().unwrap();
    let objects = Arc::new(Objects::open(&folder.path().join("objects")).unwrap());
    let mut archive = Archive::open(folder.path(), objects).unwrap();
    let of_first = |entry: &Entry| subject::run_of(&entry.fact) == Some(RunId(1));
    let history: Vec<Entry> = life().into_iter().filter(of_first).collect();
    let digest = archive.write(RunId(1), &history).unwrap();

    let mut whole = Catalog::open(folder.path()).unwrap();
    whole.apply(&life()).unwrap();
    whole.set_archive(RunId(1), &digest).unwrap();
    let expected = all(&whole);
    let mut journal = cut_journal();
    whole.rebuild(&archive, &mut journal).unwrap();

    let rebuilt = all(&whole);
    assert_eq!(whole.cursor(), Ok(Seq(14)));
    assert_eq!(rebuilt[0], expected[0]);
    assert_eq!(rebuilt[2], expected[2], "the archived run is whole, and counted once");
    let (found, known) = (&rebuilt[1], &expected[1]);
    assert_eq!(
        (found.status, found.cause, found.ended_at),
        (known.status, known.cause, known.ended_at)
    );
    assert_eq!(found.admitted_at, known.admitted_at);
}
