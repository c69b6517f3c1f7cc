//! Runs that have left memory: they answer as before, until they are not kept any more.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use axum::http::StatusCode;
use journal::Journal;
use model::outcome::Outcome;
use model::{Digest, RunId, Span, Timestamp};
use protocol::api::{Forked, GcReport, LogChunk, Problem, Retry, RunDetail, RunList, Submitted};
use serde_json::{Value, json};
use stores::sqlite::{Options, SqliteJournal};
use stores::{Archive, Catalog};

use super::house::{Act, House};
use super::{FAILED, ONE, PAIR, file, of_all};
use crate::Keep;

/// All runs are kept, and so many that have ended stay in memory.
pub(super) fn in_memory(in_memory: usize) -> Keep {
    Keep { runs: None, age: None, in_memory }
}

pub(super) async fn run(house: &House, content: &str) -> u64 {
    let run = submit(house, content).await;
    house.wait(run).await;
    run
}

/// Begins a run in any case.
pub(super) async fn submit(house: &House, content: &str) -> u64 {
    let mut file = file(content);
    file["new"] = json!(true);
    house.post::<Submitted>("/api/v1/runs", &file).await.1.run.0
}

/// Everything that can be asked about a run of `PAIR`.
async fn asked(house: &House, run: u64) -> Vec<Value> {
    let path = |rest: &str| format!("/api/v1/runs/{run}{rest}");
    let mut answers = Vec::new();
    for rest in ["", "?status=failed", "/tasks/wide/items", "/tasks/wide/items?limit=1&cursor=1"] {
        answers.push(house.value(&path(rest)).await);
    }
    for rest in ["/tasks/end/explain", "/tasks/wide/explain?item=1"] {
        answers.push(house.value(&path(rest)).await);
    }
    for rest in ["/events", "/progress?follow=true", "/logs", "/logs?task=wide&item=1&tail=1"] {
        answers.push(house.lines::<Value>(&path(rest)).await.into());
    }
    answers
}

#[tokio::test]
async fn a_run_answers_from_the_archive_as_it_did_from_memory() {
    let house = House::keeping(in_memory(1), |grant: &model::message::Grant| {
        let is_bad = grant.attempt.key.item.0 == 1 && grant.attempt.round.0 == 0;
        Act::End(if is_bad { FAILED } else { Outcome::Succeeded })
    });
    assert_eq!(run(&house, PAIR).await, 1);
    house.post::<Value>("/api/v1/runs/1/retry", &json!({})).await;
    house.wait(1).await;
    let before = asked(&house, 1).await;
    run(&house, ONE).await;
    house.forgotten(1).await;
    let after = asked(&house, 1).await;
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before, after);
    }
    assert_eq!(after[0]["run"]["round"], 1);
}

#[tokio::test]
async fn why_something_could_not_be_worked_out_is_told_from_memory_and_from_the_archive() {
    let house = House::keeping(in_memory(1), of_all(Outcome::Succeeded));
    let flow = "tasks:\n  - {name: a, script: 'true'}\n  \
        - {name: b, depends_on: a, when: tasks.a.outputs.x > 1, script: 'true'}\n";
    run(&house, flow).await;
    let told = async || {
        let paths =
            ["", "/tasks/b/items", "/tasks/b/explain"].map(|of| format!("/api/v1/runs/1{of}"));
        let [detail, items, explained] = paths;
        let detail = house.value(&detail).await["tasks"][1]["reason"].clone();
        let item = house.value(&items).await["items"][0]["reason"].clone();
        [detail, item, house.value(&explained).await["reason"].clone()]
    };
    let reason = "`when`: there is no `tasks.a.outputs.x`: `tasks.a.outputs` has nothing";
    assert_eq!(told().await, [reason; 3]);
    run(&house, ONE).await;
    house.forgotten(1).await;
    assert_eq!(told().await, [reason; 3]);
}

#[tokio::test]
async fn what_left_memory_cannot_be_changed_and_says_so() {
    let house = House::keeping(in_memory(0), of_all(FAILED));
    run(&house, ONE).await;
    house.forgotten(1).await;
    for retry in [Retry::default(), Retry { preview: true, ..Retry::default() }] {
        let retry = serde_json::to_value(&retry).expect("JSON");
        let (status, problem) = house.post::<Problem>("/api/v1/runs/1/retry", &retry).await;
        assert_eq!((status, problem.code.as_str()), (StatusCode::CONFLICT, "E0211"));
        assert!(problem.detail.contains("only the 1000 runs that ended last"), "{problem}");
        let hint = problem.hint.expect("it says what to do");
        assert!(hint.contains("autoglm run '/w/flow.yaml'`"), "{hint}");
    }
    let stop = json!({"kind": "stop"});
    assert_eq!(house.post::<Problem>("/api/v1/runs/1/stop", &stop).await.1.code, "E0205");
    assert_eq!(house.get::<Problem>("/api/v1/runs/9").await.1.code, "E0202");
    let task = house.get::<Problem>("/api/v1/runs/1/tasks/b/explain").await.1;
    assert_eq!(task.code, "E0203");
}

#[tokio::test]
async fn the_last_run_is_the_last_even_when_an_older_one_is_in_memory() {
    let house = House::keeping(in_memory(0), |grant: &model::message::Grant| {
        match grant.attempt.key.run.0 {
            1 => Act::Hold,
            _ => Act::End(Outcome::Succeeded),
        }
    });
    submit(&house, PAIR).await;
    assert_eq!(run(&house, ONE).await, 2);
    house.forgotten(2).await;
    let (_, last) = house.get::<RunDetail>("/api/v1/runs/last").await;
    assert_eq!(last.run.run, RunId(2));
}

/// The numbers that a list shows, page by page.
async fn listed(house: &House, query: &str) -> Vec<u64> {
    let (mut seen, mut next) = (Vec::new(), None::<String>);
    loop {
        let cursor = next.map_or_else(String::new, |next| format!("&cursor={next}"));
        let page = format!("/api/v1/runs?limit=2{query}{cursor}");
        let (_, list) = house.get::<RunList>(&page).await;
        assert!(list.runs.len() <= 2);
        seen.extend(list.runs.iter().map(|run| run.run.0));
        next = list.next;
        if next.is_none() {
            return seen;
        }
    }
}

#[tokio::test]
async fn a_list_runs_through_memory_and_archive_and_survives_a_lost_catalog() {
    let act = || {
        |grant: &model::message::Grant| match grant.attempt.key.run.0 {
            3 => Act::Hold,
            run if run % 2 == 0 => Act::End(FAILED),
            _ => Act::End(Outcome::Succeeded),
        }
    };
    let house = House::keeping(in_memory(1), act());
    let mut shown = Vec::new();
    for number in 1..=7 {
        let content = if number < 4 { ONE } else { PAIR };
        submit(&house, content).await;
        if number != 3 {
            house.wait(number).await;
            shown.push(house.value(&format!("/api/v1/runs/{number}")).await["run"].clone());
        }
    }
    house.forgotten(6).await;
    let check = async |house: &House| {
        assert_eq!(listed(house, "").await, [7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(listed(house, "&status=failed").await, [6, 4, 2]);
        assert_eq!(listed(house, "&status=running").await, [3]);
        assert_eq!(listed(house, "&name=one").await, [3, 2, 1]);
        assert_eq!(listed(house, "&name=pair&status=succeeded").await, [7, 5]);
        let list = house.value("/api/v1/runs").await;
        let list = list["runs"].as_array().expect("a list").iter().rev();
        let ended: Vec<_> = list.filter(|run| run["run"] != 3).cloned().collect();
        assert_eq!(ended, shown);
    };
    check(&house).await;
    let folder = house.folder();
    drop(house);
    for name in ["catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"] {
        let _ = fs::remove_file(folder.path().join(name));
    }
    let house = House::on(folder, in_memory(1), act());
    // The catalog is made anew beside the driver; the first answer of the follower comes after.
    collect(&house, json!({"preview": true})).await;
    check(&house).await;
}

async fn collect(house: &House, gc: Value) -> GcReport {
    let (status, report) = house.post::<GcReport>("/api/v1/gc", &gc).await;
    assert_eq!(status, StatusCode::OK);
    report
}

fn files(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { 1 }).sum()
}

#[tokio::test]
async fn what_is_not_kept_goes_by_itself() {
    let keep = Keep { runs: Some(2), age: None, in_memory: 1 };
    let house = House::keeping(keep, of_all(Outcome::Succeeded));
    for number in 1..=5 {
        let work = house.folder().path().join(format!("work/{number}/0.0/0"));
        fs::create_dir_all(work).expect("made");
        assert_eq!(run(&house, ONE).await, number);
    }
    for number in 1..=3 {
        house.forgotten(number).await;
    }
    // What somebody asks for comes after what is done without being asked.
    let report = collect(&house, json!({"keep_runs": 2})).await;
    assert_eq!(report.runs_kept, 2);
    assert_eq!(listed(&house, "").await, [5, 4]);
    assert_eq!(house.get::<Problem>("/api/v1/runs/3").await.1.code, "E0202");
    let folder = house.folder();
    assert_eq!(files(&folder.path().join("objects")), 2, "one history a run that is kept");
    let work = fs::read_dir(folder.path().join("work")).expect("there").count();
    assert_eq!(work, 2);
    drop(house);
    let house = House::on(folder, keep, of_all(Outcome::Succeeded));
    assert_eq!(listed(&house, "").await, [5, 4]);
    assert_eq!(run(&house, ONE).await, 6, "numbers are not given twice");
}

#[tokio::test]
async fn a_collection_shows_what_goes_and_leaves_what_is_needed() {
    let house = House::keeping(in_memory(100), |grant: &model::message::Grant| {
        match grant.attempt.key.run.0 {
            1 => Act::Hold,
            _ => Act::End(Outcome::Succeeded),
        }
    });
    let folder = house.folder();
    submit(&house, ONE).await;
    // The same file once more, two of another, and one that is kept.
    let other = ONE.replace("name: one", "name: two").replace("'true'", "'echo 2'");
    for content in [ONE, &other, &other, PAIR] {
        run(&house, content).await;
    }
    fs::create_dir_all(folder.path().join("work/1/0.0/0")).expect("made");
    fs::create_dir_all(folder.path().join("work/4/0.0/0")).expect("made");

    let keep = json!({"keep_runs": 1, "preview": true});
    let shown = collect(&house, keep.clone()).await;
    assert_eq!(collect(&house, keep).await, shown, "a preview changes nothing");
    assert_eq!((shown.runs, shown.runs_kept, shown.work_folders), (3, 1, 1));
    assert_eq!(
        shown.objects, 2,
        "the other file and its text; a graph like its own is still needed"
    );
    assert!(shown.history_bytes > 0 && shown.object_bytes > 0);

    assert_eq!(collect(&house, json!({"keep_runs": 1})).await, shown);
    assert_eq!(listed(&house, "").await, [5, 1]);
    let nothing = GcReport { runs_kept: 1, ..GcReport::default() };
    assert_eq!(collect(&house, json!({"keep_runs": 1})).await, nothing);
    assert!(folder.path().join("work/1/0.0/0").is_dir(), "a live run's");

    // Nothing that a replay needs is gone, and what is submitted again brings along what was.
    drop(house);
    let house = House::on(folder, in_memory(0), of_all(Outcome::Succeeded));
    house.wait(1).await;
    assert_eq!(run(&house, &other).await, 6);
    house.forgotten(6).await;
    let (status, detail) = house.get::<RunDetail>("/api/v1/runs/6").await;
    assert_eq!((status, detail.tasks[0].name.as_str()), (StatusCode::OK, "a"));
}

#[tokio::test]
async fn log_segments_go_when_no_kept_run_can_have_written_to_them() {
    let act = || {
        |grant: &model::message::Grant| match grant.attempt.key.run.0 {
            3 => Act::Hold,
            _ => Act::End(Outcome::Succeeded),
        }
    };
    let mut house = House::keeping(in_memory(0), act());
    // Each worker begins a segment of its own.
    for number in 0..5 {
        match number {
            2 => {
                assert_eq!(submit(&house, PAIR).await, 3);
                house.running(3).await;
            }
            _ => assert_eq!(run(&house, ONE).await, number + 1),
        }
        if number < 4 {
            let folder = house.folder();
            drop(house);
            house = House::on(folder, in_memory(0), act());
        }
    }
    let folder = house.folder();
    let segments = || -> Vec<bool> {
        let there = |segment| folder.path().join(format!("logs/{segment:08}.log")).exists();
        (0..5).map(there).collect()
    };
    assert_eq!(segments(), [true; 5]);
    let keep = json!({"keep_runs": 1, "preview": true});
    let shown = collect(&house, keep).await;
    assert_eq!((shown.runs, shown.log_segments), (3, 1));
    let done = collect(&house, json!({"keep_runs": 1})).await;
    assert_eq!((done.log_segments, done.log_bytes), (1, shown.log_bytes));
    // Run 3 goes on, so all that was written since it began stays, and where run 2 ended.
    assert_eq!(segments(), [false, true, true, true, true]);
    assert_eq!(house.lines::<LogChunk>("/api/v1/runs/5/logs").await.len(), 2);
}

#[tokio::test]
async fn a_day_old_run_is_not_a_days_old() {
    let house = House::keeping(Keep { age: Some(Span::secs(86_400)), ..in_memory(0) }, |_| {
        Act::End(Outcome::Succeeded)
    });
    run(&house, ONE).await;
    house.forgotten(1).await;
    assert_eq!(collect(&house, json!({"keep_days": 1})).await.runs, 0);
    for bad in [json!({"keep_days": 0}), json!({"keep_runs": 0}), json!({"keep_days": u64::MAX})] {
        assert_eq!(house.post::<Problem>("/api/v1/gc", &bad).await.1.code, "E0201");
    }
}

#[tokio::test]
async fn a_removal_that_a_crash_cut_short_is_finished_at_the_next_start() {
    let house = House::keeping(in_memory(0), of_all(Outcome::Succeeded));
    for number in 1..=2 {
        run(&house, ONE).await;
        house.forgotten(number).await;
    }
    let folder = house.folder();
    drop(house);
    // The row of the archive is gone, and nothing else.
    let objects = artifacts::objects::Objects::open(&folder.path().join("objects")).expect("open");
    let mut archive = Archive::open(folder.path(), objects.into()).expect("it opens");
    let digest = archive.find(RunId(1)).expect("read").expect("it is there").digest;
    let bytes = fs::read(object(folder.path(), &digest.to_string())).expect("its history");
    archive.remove(&[RunId(1)]).expect("removed");
    fs::write(object(folder.path(), &digest.to_string()), bytes).expect("put back");
    drop(archive);

    let house = House::on(folder, in_memory(0), of_all(Outcome::Succeeded));
    let shown = collect(&house, json!({"preview": true})).await;
    assert_eq!((shown.runs, shown.objects), (0, 1), "a history that nobody names");
    assert_eq!(listed(&house, "").await, [2]);
    collect(&house, json!({})).await;
    assert!(!object(house.folder().path(), &digest.to_string()).exists());
    assert_eq!(house.get::<RunDetail>("/api/v1/runs/2").await.0, StatusCode::OK);
}

fn object(folder: &Path, digest: &str) -> std::path::PathBuf {
    folder.join("objects").join(&digest[..2]).join(&digest[2..])
}

#[tokio::test]
async fn a_run_that_ended_before_a_crash_is_archived_after_it() {
    let house = House::new(of_all(Outcome::Succeeded));
    run(&house, ONE).await;
    let folder = house.folder();
    drop(house);
    for name in ["archive.sqlite", "archive.sqlite-wal", "archive.sqlite-shm"] {
        let _ = fs::remove_file(folder.path().join(name));
    }
    let house = House::on(folder, in_memory(0), of_all(Outcome::Succeeded));
    run(&house, PAIR).await;
    house.forgotten(1).await;
    assert_eq!(house.get::<RunDetail>("/api/v1/runs/1").await.0, StatusCode::OK);
    let catalog = Catalog::open_existing(house.folder().path()).expect("open").expect("there");
    assert!(catalog.get(RunId(1)).expect("read").expect("listed").archive.is_some());
}

#[tokio::test]
async fn what_follows_the_journal_begins_as_soon_as_its_files_can_be_written() {
    let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
    let in_the_way = folder.path().join("catalog.sqlite");
    fs::create_dir(&in_the_way).expect("made");
    let house = House::on(Arc::clone(&folder), in_memory(0), of_all(Outcome::Succeeded));
    run(&house, ONE).await;
    let refused = house.post::<Problem>("/api/v1/gc", &json!({})).await.1;
    assert!(refused.detail.contains("catalog.sqlite"), "{}", refused.detail);
    fs::remove_dir(&in_the_way).expect("removed");
    // Of this run it has heard nothing: it is in the journal.
    house.forgotten(1).await;
    run(&house, PAIR).await;
    house.forgotten(2).await;
    assert_eq!(listed(&house, "").await, [2, 1]);
}

#[tokio::test]
async fn output_whose_segment_was_removed_is_missed_by_name() {
    let house = House::keeping(in_memory(0), of_all(Outcome::Succeeded));
    run(&house, ONE).await;
    house.forgotten(1).await;
    fs::remove_dir_all(house.folder().path().join("logs")).expect("removed");
    let said = house.lines::<LogChunk>("/api/v1/runs/1/logs").await;
    assert_eq!(said[0].text, "the output is gone: 00000000.log is no longer there\n");
}

#[tokio::test]
async fn labels_find_a_run_in_memory_and_out_of_it() {
    let house = House::keeping(in_memory(0), of_all(Outcome::Succeeded));
    let mut wanted = file(&format!("labels: {{team: data, tier: 1}}\n{ONE}"));
    wanted["labels"] = json!({"nightly": "yes", "tier": "2"});
    house.post::<Submitted>("/api/v1/runs", &wanted).await;
    house.wait(1).await;
    run(&house, ONE).await;
    let found = async |labels: &str| {
        let path = format!("/api/v1/runs?labels={labels}");
        let list = house.get::<RunList>(&path).await.1;
        list.runs.iter().map(|run| run.run.0).collect::<Vec<_>>()
    };
    for is_forgotten in [false, true] {
        if is_forgotten {
            house.forgotten(1).await;
        }
        assert_eq!(found("team%3Ddata").await, [1]);
        assert_eq!(found("nightly%0Atier%3D2").await, [1]);
        assert!(found("tier%3D1").await.is_empty(), "the run's own goes before the file's");
        assert_eq!(found("").await, [2, 1]);
    }
    wanted["labels"] = json!({"a b": "x"});
    let (status, problem) = house.post::<Problem>("/api/v1/runs", &wanted).await;
    assert_eq!((status, problem.code.as_str()), (StatusCode::BAD_REQUEST, "E0201"));
}

#[tokio::test]
async fn a_run_is_forked_from_the_archive_with_its_text_and_its_outcome() {
    let house = House::keeping(in_memory(0), of_all(Outcome::Succeeded));
    let wide = "name: wide\nparams: {n: 1}\ntasks:\n  - {name: a, script: 'true'}\n  \
        - {name: many, depends_on: a, foreach: {range: 20000}, script: 'true', \
        resources: {cpu: 1m}}\n  \
        - {name: end, depends_on: many, script: 'echo {{ params.n }}'}\n";
    assert_eq!(run(&house, wide).await, 1);
    house.forgotten(1).await;
    let fork = json!({"from": "end", "params": {"n": 2}});
    let (status, forked) = house.post::<Forked>("/api/v1/runs/1/fork", &fork).await;
    assert_eq!((status, forked.run, forked.kept), (StatusCode::CREATED, RunId(2), 2));
    house.wait(2).await;
    let (_, detail) = house.get::<RunDetail>("/api/v1/runs/2").await;
    assert_eq!((detail.forked_from, &detail.params["n"]), (Some(RunId(1)), &json!(2)));
    let seen: Vec<_> =
        detail.tasks.iter().map(|task| (task.attempts, task.note.as_deref())).collect();
    assert_eq!(seen, [(0, Some("from run 1")), (0, Some("from run 1")), (1, None)]);
    assert_eq!(house.value("/api/v1/runs/2").await["run"]["items"]["succeeded"], 20_002);
    let other = json!({"from": "end", "environment": "staging"});
    let (status, problem) = house.post::<Problem>("/api/v1/runs/1/fork", &other).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
}

#[tokio::test]
async fn a_fork_with_other_parameters_needs_the_file_that_was_stored() {
    let house = House::keeping(in_memory(1), of_all(Outcome::Succeeded));
    let folder = house.folder();
    let text = "name: old\nparams: {n: 1}\ntasks:\n  - {name: a, script: 'echo {{ params.n }}'}\n";
    assert_eq!(run(&house, text).await, 1);
    drop(house);
    // As an earlier version of the program left it.
    let mut journal = SqliteJournal::open(folder.path(), Options::default()).expect("there");
    let epoch = journal.acquire("test", Timestamp(u64::MAX >> 2)).expect("nobody leads");
    let name = Digest(*blake3::hash(text.as_bytes()).as_bytes());
    journal.remove(epoch, &[], &[name]).expect("written");
    journal.release(epoch).expect("written");
    drop(journal);
    let house = House::on(folder, in_memory(1), of_all(Outcome::Succeeded));
    let fork = json!({"from": "a", "params": {"n": 2}});
    let (status, problem) = house.post::<Problem>("/api/v1/runs/1/fork", &fork).await;
    assert_eq!((status, problem.code.as_str()), (StatusCode::CONFLICT, "E0215"));
    let fork = json!({"from": "a"});
    let (status, _) = house.post::<Forked>("/api/v1/runs/1/fork", &fork).await;
    assert_eq!(status, StatusCode::CREATED);
}
