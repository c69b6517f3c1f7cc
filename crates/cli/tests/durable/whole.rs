//! A run in which everything happens, watched from its first fact to its last.

use std::process::Stdio;
use std::time::{Duration, Instant};

use model::{Fact, Seq, Timestamp};

use crate::house::{House, PATIENCE};

/// In outputs of tasks.
pub(crate) const OUT: &str = "Mark-OUT-M3V7";
/// In what people and programs say to tasks.
pub(crate) const SAY: &str = "Mark-SAY-H7J2";
/// In texts, once they are rendered.
pub(crate) const TEXT: &str = "Mark-TEXT-W8P2Q";
/// In logs.
pub(crate) const LOG: &str = "Mark-LOG-D4F6";
/// A secret.
pub(crate) const KEY: &str = "Mark-KEY-Z9X3C";
/// The name of the workflow, which is a part of the history.
pub(crate) const NAME: &str = "Mark-NAME-5R8T";

/// The run, when it has ended and its holder too.
pub(crate) struct Whole {
    pub(crate) house: House,
    /// What the live engine was, after one fact and another.
    pub(crate) moments: Vec<Moment>,
    /// What the tasks have printed.
    pub(crate) logs: String,
}

/// The live engine after a fact.
pub(crate) struct Moment {
    pub(crate) seq: Seq,
    pub(crate) hash: u64,
    /// All that it holds, what is not durable too.
    pub(crate) engine: String,
    /// The state in its stored form.
    pub(crate) snapshot: Vec<(Seq, Timestamp, Fact)>,
}

impl Whole {
    /// Runs the workflow and ends the holder.
    pub(crate) fn run() -> Self {
        let house = House::new();
        house.put("whole.yaml", include_str!("whole.yaml"));
        house.put("secret.txt", &format!("{KEY}\n"));
        let files: Vec<String> = (0..5).map(|number| format!("{OUT}-{number}")).collect();
        let output = serde_json::json!({"text": OUT, "rows": 12, "files": files});
        house.put("output.json", &output.to_string());

        let mut running = house.command(&["run", "whole.yaml"]);
        let running = running.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut running = running.expect("it starts");
        let mut moments = Vec::new();
        let end = Instant::now() + PATIENCE;
        let mut has_answered = false;
        while running.try_wait().expect("a child").is_none() {
            moments.push(moment(&house));
            if !has_answered && moments.len() > 20 {
                house.insist(&["approve", "last", "ask", "-m", SAY]);
                house.insist(&["signal", "last", "told", "-v", &format!("word={SAY}")]);
                has_answered = true;
            }
            assert!(Instant::now() < end, "the run does not end: {}", house.say(&["get"]).stdout);
            std::thread::sleep(Duration::from_millis(2));
        }
        let output = running.wait_with_output().expect("a child");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "the run is to fail at its end: {said}");
        let again = house.say(&["retry", "last", "--from", "each", "--yes"]);
        assert_eq!(again.code, 1, "it fails at its end once more: {}", again.stderr);
        let logs = house.say(&["logs", "last"]).stdout;
        moments.push(moment(&house));
        let mut whole = Self { house, moments, logs };
        whole.house.close();
        whole
    }

    /// The live engine at the end.
    pub(crate) fn last(&self) -> &Moment {
        self.moments.last().expect("there is one")
    }
}

fn moment(house: &House) -> Moment {
    house.ask(|view| Moment {
        seq: view.engine.state().last(),
        hash: view.engine.state_hash(),
        engine: format!("{:?}", view.engine),
        snapshot: view.engine.snapshot(),
    })
}
