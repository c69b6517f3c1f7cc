//! Test files, well and badly written.

use std::path::PathBuf;

use model::Span;

use super::*;

fn read(text: &str) -> Result<TestFile, Diagnostics> {
    let source = Source {
        name: "a.test.yaml".to_owned(),
        folder: PathBuf::from("/"),
        text: text.as_bytes().to_vec(),
    };
    TestFile::read(source)
}

fn mock(text: &str) -> Mock {
    let text = format!(
        "workflow: a.yaml\ntests:\n  - {{name: x, mocks: {{a: {text}}}, expect: {{ran: a}}}}\n"
    );
    read(&text).expect("it is in order").cases[0].mocks[0].value.clone()
}

fn ends(mock: &Mock) -> Vec<End> {
    match mock {
        Mock::Attempts(attempts) => attempts.iter().map(|attempt| attempt.end).collect(),
        other => panic!("not a list of attempts: {other:?}"),
    }
}

#[test]
fn mocks_say_how_each_attempt_ends() {
    use End::{Exits, Hangs, IsLost, Succeeds};
    assert_eq!(ends(&mock("fails")), [Exits(1)]);
    assert_eq!(ends(&mock("hangs")), [Hangs]);
    assert_eq!(ends(&mock("{exit: 3}")), [Exits(3)]);
    assert_eq!(ends(&mock("{fails: 2}")), [Exits(1), Exits(1), Succeeds]);
    assert_eq!(ends(&mock("{fails: 1, exit: 7, lost: 1}")), [IsLost, Exits(7), Succeeds]);
    assert_eq!(ends(&mock("[{exit: 2}, lost, succeeds]")), [Exits(2), IsLost, Succeeds]);
    let Mock::Items(items) = mock("{items: [succeeds, {exit: 4}]}") else { panic!("no items") };
    assert_eq!(ends(&items[&1]), [Exits(4)]);
    let Mock::Items(items) = mock("{items: {7: fails}}") else { panic!("no items") };
    assert_eq!(ends(&items[&7]), [Exits(1)]);
    let Mock::Rounds(rounds) = mock("{rounds: [{fails: 1}, lost]}") else { panic!("no rounds") };
    assert_eq!(ends(&rounds[0]), [Exits(1), Succeeds]);
}

#[test]
fn everything_that_is_wrong_is_told_at_once_with_its_place() {
    let told = read(
        "workflow: a.yaml\n\
         tests:\n\
         \x20 - name: first\n\
         \x20   mokcs: {a: fails}\n\
         \x20   mocks: {a: flies, b: {items: [lost], exit: 3}}\n\
         \x20   answers: {c: {say: aprove}}\n\
         \x20   expect: {status: succeded, duration: <= 3x, tasks: {a: {atempts: 2}}}\n",
    )
    .expect_err("it is wrong")
    .to_string();
    for part in [
        "a.test.yaml:4:5",
        "did you mean `mocks`?",
        "`flies` is not allowed here",
        "`items` and `rounds` stand alone",
        "did you mean `approve`?",
        "did you mean `succeeded`?",
        "`3x` is not a duration",
        "did you mean `attempts`?",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn what_a_file_must_have_is_asked_for() {
    let told = |text: &str| read(text).expect_err("it is wrong").to_string();
    assert!(told("tests: [{name: a, expect: {ran: a}}]").contains("no `workflow`"));
    assert!(told("workflow: a.yaml").contains("no `tests`"));
    assert!(told("workflow: a.yaml\ntests: [{name: a}]").contains("expects nothing"));
    assert!(told("workflow: a.yaml\ntests: [{expect: {ran: a}}]").contains("no `name`"));
    assert!(told("- a").contains("a mapping with `workflow` and `tests`"));
}

#[test]
fn names_are_held_against_the_workflow() {
    let source = Source {
        name: "a.yaml".to_owned(),
        folder: PathBuf::from("/"),
        text: b"tasks:\n  - {name: fetch-1, script: x}\n  - {name: ask, approval: true}\n".to_vec(),
    };
    let workflow = crate::check(&source).expect("a workflow");
    let file = |text: &str| {
        let text = format!("workflow: a.yaml\ntests:\n  - {{name: x, {text}}}\n");
        read(&text).expect("it is in order")
    };
    let good = file("mocks: {'fetch-*': fails}, answers: {ask: approve}, expect: {ran: ask}");
    good.check_names(&workflow).expect("all are there");
    let bad = file("mocks: {'x*': fails}, answers: {fetch-1: approve}, expect: {ran: fetch-2}");
    let told = bad.check_names(&workflow).expect_err("none is there").to_string();
    for part in
        ["no task has a name like `x*`", "did you mean `fetch-1`?", "`fetch-1` waits for nobody"]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn texts_and_durations_are_compared() {
    let text = TextMatch { contains: vec!["b".to_owned()], ..TextMatch::default() };
    assert!(text.holds("abc") && !text.holds("ac"));
    let equal = TextMatch { equals: Some("a\n".to_owned()), ..TextMatch::default() };
    assert!(equal.holds(" a") && !equal.holds("ab"));
    let file = read("workflow: a\ntests: [{name: a, expect: {duration: <= 3h}}]").expect("good");
    let duration = file.cases[0].expect.duration.expect("it is there");
    assert!(duration.holds(Span::secs(3 * 3_600)) && !duration.holds(Span::secs(10_801)));
}

#[test]
fn no_text_is_too_bad_to_be_told_of() {
    let good = include_str!("../../../../examples/release/workflow.test.yaml");
    read(good).expect("it is in order");
    for (at, _) in good.char_indices() {
        let _ = read(&good[..at]);
        let _ = read(&good[at..]);
        let _ = read(&format!("{}: [{{{}", &good[..at], &good[at..]));
    }
}
