//! The example that the first pages of the documentation run: killed in the middle, it goes on
//! where it stopped, and what it finds out is right.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::binary::Home;
use crate::support::{api, example, journal, wait};

/// How long the whole example may take, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(300);
/// Items of the fan-out that have ended when it is killed.
const KILLED_AFTER: u64 = 12;

fn succeeded(home: &Home) -> u64 {
    let task = |answer: Value| answer["items"].as_array().map(Vec::len);
    let path = "runs/last/tasks/score/items?status=succeeded";
    api::get(home.state(), path).and_then(task).unwrap_or(0) as u64
}

#[test]
#[ignore = "trains for a minute: a CI step of its own"]
fn the_digits_example_survives_a_kill_and_reads_digits() {
    let home = Home::new();
    let folder = example::copy("digits", &home);
    let flow = folder.join("workflow.yaml");
    let flow = flow.to_str().expect("UTF-8");

    let running = home.start(&["run", flow]);
    wait::until("some configurations have been scored", PATIENCE, || {
        (succeeded(&home) >= KILLED_AFTER).then_some(())
    });
    running.signal(Signal::KILL);
    running.finish();
    let before = home.json(&["get", "last", "score", "--status", "succeeded"]);
    let done = before["items"].as_array().expect("a list").len() as u64;
    assert!(done >= KILLED_AFTER, "{done} are left of {KILLED_AFTER}");

    let again = home.start(&["run", flow]).finish_within(PATIENCE);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(again.stderr.contains("goes on where it stopped"), "{}", again.stderr);

    // What had been scored was not scored again.
    let after = home.json(&["get", "last", "score"]);
    let after = after["items"].as_array().expect("a list");
    for item in before["items"].as_array().expect("a list") {
        let place = item["item"].as_u64().expect("a number");
        assert_eq!(&after[place as usize], item, "nothing has changed");
    }
    let attempts = after.iter().filter_map(|item| item["attempts"].as_u64()).sum::<u64>();
    assert!(attempts > 36 && attempts <= 36 + 8, "{attempts} attempts for 36 items");
    let succeeded = journal::ends(&journal::facts(&home));
    assert_eq!(succeeded.iter().filter(|end| end.is_final).count(), 42, "one outcome each");

    let text = |name: &str| fs::read_to_string(folder.join("out").join(name)).expect("written");
    let evaluation: Value = serde_json::from_str(&text("evaluation.json")).expect("JSON");
    let accuracy = evaluation["accuracy"].as_f64().expect("a number");
    println!("accuracy {accuracy}; {done} items had been scored before the kill");
    assert!(accuracy >= 0.95, "{evaluation}");
    assert!(text("report.md").contains("confusion.svg"), "the report shows the figure");
    assert!(text("confusion.svg").starts_with("<svg"));
    home.wait_until_quiet();
}
