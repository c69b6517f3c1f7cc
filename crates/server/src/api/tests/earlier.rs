//! Why something waited at an earlier time, asked when all is done.

use axum::http::StatusCode;
use journal::{Journal, Snapshot};
use model::outcome::Outcome;
use model::{Fact, Seq, Timestamp};
use protocol::api::{Explanation, Moment, Problem, Time};
use stores::sqlite::{Options, SqliteJournal};

use super::house::House;
use super::past::{in_memory, run};
use super::{ONE, of_all};
use crate::earlier::{Earlier, Stored, Untold};
use crate::replay::replay;

/// One at a time has room on the four cores of the worker; `b` goes first, on the longer path.
const THREE: &str = "name: three\ntasks:\n  - {name: a, script: 'true', resources: {cpu: 3}}\n  \
    - {name: b, script: 'true', resources: {cpu: 3}}\n  \
    - {name: c, script: 'true', resources: {cpu: 3}, depends_on: b}\n";

/// Why a task waited at a moment.
async fn explained(house: &House, task: &str, at: &str) -> Explanation {
    let path = format!("/api/v1/runs/1/tasks/{task}/explain?at={at}");
    let (status, explanation) = house.get::<Explanation>(&path).await;
    assert_eq!(status, StatusCode::OK);
    explanation
}

fn kinds(explanation: &Explanation) -> Vec<&str> {
    explanation.blockers.iter().map(|blocker| blocker.kind.as_str()).collect()
}

/// The place and the time of the first fact that is one of these.
async fn place(house: &House, is_it: impl Fn(&Fact) -> bool) -> (Seq, Timestamp) {
    let facts = house.facts().await;
    let found = facts.iter().find(|entry| is_it(&entry.fact)).expect("it was recorded");
    (found.seq, found.at)
}

async fn first_lease(house: &House) -> (Seq, Timestamp) {
    place(house, |fact| matches!(fact, Fact::AttemptsLeased { .. })).await
}

#[tokio::test]
async fn what_waited_for_room_says_so_when_all_is_done() {
    let house = House::new(of_all(Outcome::Succeeded));
    run(&house, THREE).await;
    let (leased, at) = first_lease(&house).await;
    let then = explained(&house, "a", &leased.to_string()).await;
    assert_eq!((then.status.as_str(), kinds(&then)), ("ready", vec!["no_room"]));
    assert!(then.blockers[0].text.contains("asks for 3"), "{then:?}");
    let as_of = then.as_of.expect("it says as of when");
    assert_eq!((as_of.seq, as_of.time), (leased.0, Time(at)));
    assert!(as_of.unknown[0].starts_with("whether workers were heard of"), "{as_of:?}");
    assert!(as_of.unknown[1].ends_with("by `autoglm`"), "{as_of:?}");

    // A fact earlier nobody had it, and nothing kept it.
    let before = explained(&house, "b", &Seq(leased.0 - 1).to_string()).await;
    assert_eq!((before.status.as_str(), kinds(&before)), ("ready", vec![]));
    assert!(before.summary.contains("nothing keeps it"), "{before:?}");
    let depends = explained(&house, "c", &leased.to_string()).await;
    assert_eq!(kinds(&depends), ["dependency"]);
    assert_eq!(depends.as_of.expect("dated").unknown, Vec::<String>::new());

    // By a time it is the state after all that was recorded by then.
    let by_time = explained(&house, "a", &Time(at).to_string()).await;
    assert!(by_time.as_of.is_some_and(|as_of| as_of.seq >= leased.0));
    let path = "/api/v1/runs/1/tasks/a/explain";
    let now = house.get::<Explanation>(path).await.1;
    assert_eq!((now.status.as_str(), now.as_of), ("succeeded", None));
}

#[tokio::test]
async fn what_was_not_there_then_is_refused() {
    let house = House::new(of_all(Outcome::Succeeded));
    run(&house, ONE).await;
    let (admitted, at) = place(&house, |fact| matches!(fact, Fact::RunAdmitted(_))).await;
    let refused = async |at: String| {
        let path = format!("/api/v1/runs/1/tasks/a/explain?at={at}");
        house.get::<Problem>(&path).await
    };
    let later = format!("run 1 was submitted later: by fact {admitted}, at {}", Time(at));
    for early in ["0".to_owned(), Time(Timestamp(at.0 - 1)).to_string()] {
        let (status, problem) = refused(early).await;
        assert_eq!((status, problem.code.as_str()), (StatusCode::NOT_FOUND, "E0220"));
        assert_eq!(problem.detail, later);
    }
    let (_, problem) = refused("999".to_owned()).await;
    assert!(problem.detail.contains("there is no fact 999 yet"), "{problem}");
    let (_, problem) = refused("9999-01-01T00:00:00Z".to_owned()).await;
    assert!(problem.detail.contains("has not come yet"), "{problem}");
    assert_eq!(refused("soon".to_owned()).await.1.code, "E0201");
}

#[tokio::test]
async fn a_run_that_left_memory_is_explained_as_before() {
    let house = House::keeping(in_memory(0), of_all(Outcome::Succeeded));
    run(&house, THREE).await;
    let (leased, _) = first_lease(&house).await;
    house.forgotten(1).await;
    let then = explained(&house, "a", &leased.to_string()).await;
    assert_eq!(kinds(&then), ["no_room"]);
    // Later it had been forgotten, and so had ended: its own facts tell all there is.
    let forgotten = place(&house, |fact| matches!(fact, Fact::RunForgotten { .. })).await.0;
    let after = explained(&house, "a", &forgotten.to_string()).await;
    assert_eq!(after.status.as_str(), "succeeded");
    assert_eq!(after.as_of.expect("dated").unknown, Vec::<String>::new());
}

/// Gives up all that the journal has before the newest snapshot, which covers all.
fn cut(house: House) -> House {
    let folder = house.folder();
    drop(house);
    let mut journal = SqliteJournal::open(folder.path(), Options::default()).expect("it is there");
    let objects = artifacts::objects::Objects::open(&folder.path().join("objects"));
    let replayed = replay(&mut journal, &objects.expect("it is there")).expect("readable");
    let covers = replayed.engine.state().last();
    let epoch = journal.acquire("local", Timestamp(u64::MAX / 2)).expect("nobody holds it");
    let snapshot = Snapshot { covers, facts: replayed.engine.snapshot() };
    journal.put_snapshot(epoch, &snapshot).expect("written");
    journal.cut(covers).expect("covered");
    drop(journal);
    House::on(folder, in_memory(0), of_all(Outcome::Succeeded))
}

#[tokio::test]
async fn when_the_journal_was_cut_the_facts_of_the_run_are_left() {
    let house = House::keeping(in_memory(0), of_all(Outcome::Succeeded));
    run(&house, THREE).await;
    let (leased, _) = first_lease(&house).await;
    house.forgotten(1).await;
    run(&house, ONE).await;
    let house = cut(house);
    let then = explained(&house, "a", &leased.to_string()).await;
    assert_eq!((then.status.as_str(), kinds(&then)), ("ready", vec![]));
    assert_eq!(then.summary, "what kept it from starting can no longer be told");
    let unknown = &then.as_of.as_ref().expect("dated").unknown;
    assert!(unknown[0].contains("the journal begins with fact"), "{unknown:?}");
    let depends = explained(&house, "c", &leased.to_string()).await;
    assert_eq!(kinds(&depends), ["dependency"], "its own state is known");
}

#[tokio::test]
async fn no_more_facts_are_read_than_may_be() {
    let house = House::new(of_all(Outcome::Succeeded));
    run(&house, ONE).await;
    let facts = house.facts().await;
    let (folder, last) = (house.folder(), facts.last().expect("facts").seq);
    let objects = artifacts::objects::Objects::open(&folder.path().join("objects")).expect("there");
    let options = Options { create: false, ..Options::default() };
    let mut journal = SqliteJournal::open_beside(folder.path(), options).expect("there");
    let mut told = |facts_max| {
        let mut stored = Stored { journal: &mut journal, objects: &objects, facts_max };
        let known = (model::RunId(1), Seq(1), None);
        Earlier::of(Moment::Seq(last), &engine::Rules::default(), known, &mut stored).err()
    };
    assert_eq!(told(facts.len()), None);
    assert_eq!(told(facts.len() - 1), Some(Untold::TooFar));
}
