//! Rehearsals of small workflows: what happens, and what a test file says of it.

use std::path::PathBuf;

use model::{RunStatus, Span, TaskStatus};
use spec::Source;
use spec::cases::TestFile;

use super::*;

fn source(name: &str, text: &str) -> Source {
    Source { name: name.to_owned(), folder: PathBuf::from("/"), text: text.as_bytes().to_vec() }
}

/// Rehearses the tasks with a test of these keys.
fn went_and_differs(tasks: &str, test: &str) -> (Rehearsed, Vec<Difference>) {
    let workflow = spec::check(&source("a.yaml", tasks)).unwrap_or_else(|told| panic!("{told}"));
    let text = format!("workflow: a.yaml\ntests:\n- name: test\n{test}");
    let file = TestFile::read(source("a.test.yaml", &text)).unwrap_or_else(|told| panic!("{told}"));
    file.check_names(&workflow).unwrap_or_else(|told| panic!("{told}"));
    let case = &file.cases[0];
    let bound = workflow.bind(&case.params).unwrap_or_else(|told| panic!("{told}"));
    let compiled = bound.compile().unwrap_or_else(|told| panic!("{told}"));
    let went = rehearse(compiled, case).expect("it is a graph");
    let differences = judge(case, &went);
    (went, differences)
}

/// The differences of a rehearsal, a line each.
fn differences(tasks: &str, test: &str) -> Vec<String> {
    let all = went_and_differs(tasks, test).1.into_iter();
    all.map(|one| {
        let hint = one.hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
        format!("{}: {} | {}{hint}", one.what, one.expected, one.got)
    })
    .collect()
}

/// Holds a test that must pass.
fn passes(tasks: &str, test: &str) -> Rehearsed {
    let (went, differences) = went_and_differs(tasks, test);
    assert_eq!(differences, [], "{went:#?}");
    went
}

const CHAIN: &str = "
tasks:
  - {name: a, script: 'echo {{ params.day }}', env: {DAY: '{{ params.day }}'}}
  - name: b
    depends_on: a
    command: [load, '{{ tasks.a.outputs.rows }}']
    retry: {limit: 3, backoff: 10s}
    timeout: 1h
params:
  day: {type: string, default: monday}
";

#[test]
fn a_chain_goes_well_and_takes_the_time_of_its_tasks() {
    let went = passes(
        CHAIN,
        "
  params: {day: friday}
  mocks: {a: {outputs: {rows: 3}, duration: 10m}, b: {duration: 5m}}
  expect:
    status: succeeded
    duration: 15m
    order: [a, b]
    ran: [a, b]
    tasks:
      a: {status: succeeded, outputs: {rows: 3}, script: echo friday, env: {DAY: friday}}
      b: {command: [load, '3']}
",
    );
    assert_eq!(went.duration, Span::secs(900));
    assert_eq!((went.status, went.stuck), (RunStatus::Succeeded, None));
}

#[test]
fn what_is_not_as_expected_is_told_with_its_reason() {
    let told = differences(
        CHAIN,
        "
  mocks: {a: {outputs: {rows: 3}}, b: {exit: 7}}
  expect:
    status: succeeded
    not_ran: b
    order: [b, a]
    duration: < 1s
    tasks:
      a: {outputs: {rows: 4}, script: {contains: tuesday}}
      b: {status: succeeded, attempts: 2}
",
    );
    let why = "`b` failed: exit 7 after 4 attempts";
    assert_eq!(told[0], format!("run: succeeded | failed ({why})"));
    assert_eq!(told[1], "a: outputs: {\"rows\":4} | {\"rows\":3}");
    assert_eq!(told[2], "a: script: `tuesday` in it | `echo monday`");
    assert_eq!(told[3], format!("b: succeeded | failed ({why})"));
    assert_eq!(told[4], format!("b: attempts: 2 | 4 ({why})"));
    assert_eq!(told[5], format!("b: not to run | failed ({why})"));
    assert_eq!(told[6], "order: `b` ends before `a` begins | `a` begins before that");
    assert!(told[7].starts_with("duration: < 1.000s | "), "{}", told[7]);
}

#[test]
fn attempts_fail_are_lost_and_run_out_of_time() {
    let rows = "a: {outputs: {rows: 1}}";
    passes(
        CHAIN,
        &format!(
            "
  mocks: {{{rows}, b: {{fails: 2, lost: 1}}}}
  expect: {{status: succeeded, tasks: {{b: {{attempts: 4}}}}, duration: '> 10s'}}
"
        ),
    );
    passes(
        CHAIN,
        &format!(
            "
  mocks: {{{rows}, b: [hangs, succeeds]}}
  expect: {{status: succeeded, tasks: {{b: {{attempts: 2}}}}, duration: '> 1h'}}
"
        ),
    );
    passes(
        CHAIN,
        &format!(
            "
  mocks: {{{rows}, b: hangs}}
  expect: {{status: failed, tasks: {{b: {{status: timed_out, attempts: 4}}}}}}
"
        ),
    );
}

#[test]
fn the_one_machine_stands_for_all_labels() {
    passes(
        "tasks:
  a: {script: x, select: {zone: a}}
  b: {script: x, select: {zone: b}, depends_on: a}
",
        "\n  expect: {status: succeeded, order: [a, b]}\n",
    );
}

#[test]
fn a_text_that_names_what_is_not_there_fails_as_it_would() {
    let told = differences(
        CHAIN,
        "\n  mocks: {a: {outputs: {lines: 1}}}\n  expect: {status: succeeded}\n",
    );
    assert!(told[0].contains("there is no `tasks.a.outputs.rows`"), "{told:?}");
}

#[test]
fn nobody_answers_and_the_run_waits_for_ever() {
    let flow = "
tasks:
  - {name: build, script: make}
  - {name: review, depends_on: build, approval: {message: ship?}}
  - {name: ship, depends_on: review, script: ship}
";
    let told = differences(flow, "\n  expect: {status: succeeded}\n");
    let hint = "`review` waits, and nobody answers: write an entry in `answers`";
    assert_eq!(told, [format!("run: succeeded | running ({hint})")]);
    passes(flow, "\n  answers: {review: never}\n  expect: {status: running, not_ran: ship}\n");
    passes(
        flow,
        "
  mocks: {build: {duration: 1h}}
  answers: {review: {say: approve, after: 2h, by: ada}}
  expect:
    status: succeeded
    duration: 3h
    order: [build, review, ship]
    tasks: {review: {status: succeeded, outputs: {approved: true, by: ada}}}
",
    );
    passes(
        flow,
        "
  answers: {review: reject}
  expect: {status: failed, tasks: {review: failed}, not_ran: [ship]}
",
    );
}

#[test]
fn an_approval_that_nobody_gives_in_time_ends_by_itself() {
    let flow = "
tasks:
  - {name: review, approval: {message: ship?, timeout: 3d, default: reject}}
";
    passes(
        flow,
        "
  answers: {review: {say: approve, after: 4d}}
  expect: {status: failed, duration: 3d}
",
    );
}

#[test]
fn decisions_loops_and_late_items_go_their_way() {
    let flow = "
tasks:
  - {name: find, script: find}
  - name: score
    depends_on: find
    foreach: '{{ tasks.find.outputs.files }}'
    script: 'score {{ item }}'
  - name: improve
    depends_on: score
    script: improve
    until: tasks.improve.outputs.loss < 0.1
    max_rounds: 5
  - name: route
    depends_on: improve
    decision:
      - {rule: tasks.improve.outputs.loss < 0.06, action: publish}
      - {action: archive}
  - {name: publish, script: publish}
  - {name: archive, script: archive}
";
    passes(
        flow,
        "
  mocks:
    find: {outputs: {files: [x, y, z]}}
    score: {items: {1: {duration: 7m}}}
    improve: {rounds: [{outputs: {loss: 0.5}}, {outputs: {loss: 0.2}}, {outputs: {loss: 0.05}}]}
  expect:
    status: succeeded
    duration: 7m
    ran: publish
    not_ran: archive
    order: [find, score, improve, route, publish]
    tasks:
      score: {items: 3, attempts: 3, script: {contains: score y}}
      improve: {rounds: 3, attempts: 3}
      route: {status: succeeded, outputs: {rule: 1}}
      archive: skipped
",
    );
    let told = differences(
        flow,
        "
  mocks: {find: {outputs: {files: []}}, improve: {outputs: {loss: 1}}}
  expect: {status: succeeded, tasks: {score: {items: 0}, improve: {rounds: 2}}}
",
    );
    assert!(told[0].contains("its condition did not hold in the last round"), "{told:?}");
    assert!(told[1].starts_with("improve: rounds: 2 | 5"), "{told:?}");
}

#[test]
fn what_was_done_is_undone_and_the_end_is_told() {
    passes(
        "
tasks:
  - {name: reserve, script: reserve, compensate: {script: release}}
  - {name: pay, depends_on: reserve, script: pay, compensate: {script: refund}}
  - {name: ship, depends_on: pay, script: ship}
  - {name: tell, on: failure, script: tell}
",
        "
  mocks: {ship: fails}
  expect:
    status: failed
    order: [ship, pay.compensate, reserve.compensate, tell]
    tasks: {pay.compensate: {status: succeeded, script: refund}}
",
    );
}

#[test]
fn a_small_machine_takes_longer() {
    let flow = "
tasks:
  - {name: a, foreach: {range: 6}, script: x, resources: {cpu: 1, gpu: 1}}
";
    let test = |machine: &str, duration: &str| {
        format!(
            "
  machine: {machine}
  mocks: {{a: {{duration: 10m}}}}
  expect: {{status: succeeded, duration: {duration}, tasks: {{a: {{items: 6}}}}}}
"
        )
    };
    passes(flow, &test("{}", "10m"));
    passes(flow, &test("{gpu: 2}", "30m"));
    passes(flow, &test("{cpu: 3}", "20m"));
    let told = differences(flow, &test("{gpu: 0}", "10m"));
    assert!(told[0].contains("no machine of that size can hold it"), "{told:?}");
}

#[test]
fn the_same_test_goes_the_same_way() {
    let flow = "
tasks:
  - {name: a, foreach: {range: 200}, script: x, retry: {limit: 5, backoff: 1s}}
  - {name: b, depends_on: {a: finished}, script: y}
";
    let test = "\n  mocks: {a: {fails: 2, duration: 3s}}\n  expect: {status: succeeded}\n";
    let all = [0; 3].map(|_| format!("{:?}", passes(flow, test)));
    assert!(all[0] == all[1] && all[1] == all[2]);
    let went = passes(flow, test);
    assert_eq!((went.tasks[0].attempts, went.tasks[1].status), (600, TaskStatus::Succeeded));
}
