//! `autoglm test` on the real binary: what passes, what does not, and what is no test file.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use super::{stderr, stdout};

const FLOW: &str = "\
params:
  rate: {type: float, default: 0.5}
tasks:
  - {name: split, script: 'split --rate {{ params.rate }}'}
  - {name: train, depends_on: split, script: 'train {{ item }}', foreach: [a, b], retry: 1}
  - {name: review, depends_on: train, approval: {message: good?}}
  - {name: ship, depends_on: review, script: ship}
";

const TESTS: &str = "\
workflow: flow.yaml
tests:
  - name: all goes well
    params: {rate: 0.25}
    mocks: {split: {duration: 2h}, train: {items: [{fails: 1}, succeeds]}}
    answers: {review: {say: approve, after: 1d}}
    expect:
      status: succeeded
      order: [split, train, review, ship]
      tasks:
        split: {script: split --rate 0.25}
        train: {items: 2, attempts: 3}
  - name: nobody answers
    expect: {status: succeeded, ran: ship}
  - name: one item fails
    mocks: {train: {items: {1: {exit: 3}}}}
    expect:
      status: succeeded
      tasks: {train: {status: succeeded, attempts: 2, script: {contains: train c}}}
  - name: a rate that is no number
    params: {rate: much}
    expect: {error: E0128}
  - name: a rate that is one after all
    expect: {error: E0128}
";

/// A folder with these files in it.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let home = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        std::fs::write(home.path().join(name), text).expect("written");
    }
    home
}

fn test(home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_autoglm"));
    command.env_clear().env("HOME", home).current_dir(home).arg("test").args(arguments);
    command.output().expect("it starts")
}

#[test]
fn what_differs_is_told_with_its_reason() {
    let home = folder(&[("flow.yaml", FLOW), ("flow.test.yaml", TESTS)]);
    let output = test(home.path(), &["."]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    insta::assert_snapshot!(stdout(&output), @r"
    flow.test.yaml
      ✓ all goes well
      ✗ nobody answers (line 13)
          run: expected succeeded, got running
            `review` waits, and nobody answers: write an entry in `answers`
          ship: expected to run, got pending
      ✗ one item fails (line 15)
          run: expected succeeded, got failed
            `train` failed: exit 3
          train: expected succeeded, got failed
            `train` failed: exit 3
          train: attempts: expected 2, got 3
            `train` failed: exit 3
          train: script: expected `train c` in it, got `train a`
            nor is it so in 2 other attempts
      ✓ a rate that is no number
      ✗ a rate that is one after all (line 23)
          error: expected E0128, got nothing wrong

    3 of 5 tests failed
    ");
    assert!(!home.path().join(".local").exists(), "nothing is run, and no state is made");
}

#[test]
fn what_passes_ends_with_zero_and_says_the_same_every_time() {
    let home = folder(&[("flow.yaml", FLOW), ("flow.test.yaml", TESTS)]);
    let arguments = ["flow.test.yaml", "--only", "all goes well", "-o", "json"];
    let all = [0; 3].map(|_| test(home.path(), &arguments));
    assert_eq!(all[0].status.code(), Some(0));
    insta::assert_snapshot!(stdout(&all[0]), @r#"
    {
      "failed": 0,
      "files": [
        {
          "diagnostics": null,
          "file": "flow.test.yaml",
          "tests": [
            {
              "differences": [],
              "line": 3,
              "name": "all goes well",
              "passed": true,
              "virtual_seconds": 93600.50102
            }
          ],
          "valid": true,
          "workflow": "flow.yaml"
        }
      ],
      "passed": 1
    }
    "#);
    assert!(all.iter().all(|one| one.stdout == all[0].stdout));
}

#[test]
fn junit_is_written_beside_the_result() {
    let home = folder(&[("flow.yaml", FLOW), ("flow.test.yaml", TESTS)]);
    let output = test(home.path(), &["flow.test.yaml", "--only", "n", "--junit", "report.xml"]);
    assert_eq!(output.status.code(), Some(1));
    let document = std::fs::read_to_string(home.path().join("report.xml")).expect("written");
    let suite = "<testsuite name=\"flow.test.yaml\" tests=\"4\" failures=\"3\"";
    assert!(document.contains(suite), "{document}");
    assert!(document.contains("<testcase name=\"a rate that is no number\""), "{document}");
}

#[test]
fn a_test_file_with_mistakes_is_told_as_a_workflow_is() {
    let bad = TESTS.replace("mocks: {split:", "mocks: {splti:").replace("review:", "ship:");
    let home = folder(&[("flow.yaml", FLOW), ("flow.test.yaml", &bad)]);
    let output = test(home.path(), &["flow.test.yaml"]);
    assert_eq!(
        (output.status.code(), stdout(&output)),
        (Some(4), "no test, 1 test file not valid\n")
    );
    insta::assert_snapshot!(stderr(&output), @r"
    error[E0117]: the workflow has no task `splti`
     --> flow.test.yaml:5:13
      |
    5 |     mocks: {splti: {duration: 2h}, train: {items: [{fails: 1}, succeeds]}}
      |             ^^^^^
      |
      = help: did you mean `split`?

    error[E0109]: `ship` waits for nobody
     --> flow.test.yaml:6:15
      |
    6 |     answers: {ship: {say: approve, after: 1d}}
      |               ^^^^
      |
      = help: only tasks with `approval` or `signal` are answered

    flow.test.yaml: 2 errors
    ");
}

#[test]
fn a_workflow_with_mistakes_fails_its_tests_unless_they_are_expected() {
    let circle = "\
tasks:
  - {name: a, script: x, depends_on: b}
  - {name: b, script: x, depends_on: a}
";
    let tests = "\
workflow: circle.yaml
tests:
  - {name: it is refused, expect: {error: E0119}}
  - {name: it runs, expect: {status: succeeded}}
";
    let home = folder(&[("circle.yaml", circle), ("circle.test.yaml", tests)]);
    let output = test(home.path(), &["circle.test.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(stdout(&output), @r"
    circle.test.yaml
      ✓ it is refused
      ✗ it runs (line 4)
          workflow: expected valid, got E0119: these tasks wait for each other: a -> b -> a
            `autoglm validate circle.yaml` shows where

    1 of 2 tests failed
    ");
}

#[test]
fn what_is_not_there_is_not_found() {
    let home = folder(&[("flow.test.yaml", TESTS)]);
    assert_eq!(test(home.path(), &["nowhere"]).status.code(), Some(5));
    let output = test(home.path(), &["flow.test.yaml"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(
        stderr(&output).contains("the workflow `flow.yaml` is not there"),
        "{}",
        stderr(&output)
    );
    std::fs::write(home.path().join("flow.yaml"), FLOW).expect("written");
    let output = test(home.path(), &["flow.test.yaml", "--only", "no such name"]);
    assert_eq!((output.status.code(), output.stdout.ends_with(b"no test\n")), (Some(5), true));
}

#[test]
fn an_environment_is_chosen_and_nothing_of_another_is_seen() {
    let flow = "\
environments:
  staging: {env: {TARGET: here}}
  production: {env: {TARGET: there}}
tasks:
  - {name: ship, script: 'ship {{ env.TARGET }}'}
";
    let tests = "\
workflow: flow.yaml
tests:
  - name: staging
    environment: staging
    expect: {status: succeeded, tasks: {ship: {script: ship here}}}
  - name: production
    environment: production
    expect: {status: succeeded, tasks: {ship: {script: ship there}}}
  - {name: none of that name, environment: prod, expect: {status: succeeded}}
";
    let home = folder(&[("flow.yaml", flow), ("flow.test.yaml", tests)]);
    let output = test(home.path(), &["flow.test.yaml"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    insta::assert_snapshot!(stdout(&output), @r"
    flow.test.yaml
      ✓ staging
      ✓ production
      ✗ none of that name (line 9)
          workflow: expected valid, got E0161: there is no environment `prod`
            the workflow has: staging, production

    1 of 3 tests failed
    ");
}

/// The root of the repository.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[test]
fn every_example_of_the_guide_is_a_file_that_passes() {
    let page = std::fs::read_to_string(root().join("docs/guide/testing.md")).expect("a page");
    let blocks: Vec<(&str, &str)> = page
        .split("```yaml testing/")
        .skip(1)
        .map(|rest| {
            let block = rest.split("```").next().expect("a block ends");
            block.split_once('\n').expect("its first line is its name")
        })
        .collect();
    assert_eq!(blocks.len(), page.matches("```yaml").count(), "every block has a name");
    let home = folder(&blocks);
    let output = test(home.path(), &["."]);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    let first = stdout(&test(home.path(), &["pipeline.test.yaml"])).to_owned();
    assert!(page.contains(&format!("```text\n{first}```")), "the page shows what is printed");
}

#[test]
fn every_example_workflow_passes_its_tests() {
    let output = test(root(), &["examples"]);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
}
