//! A reader that asks all the time, and never forgets: what it was once told has ended must have
//! ended for ever.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::support::api;

/// How long it rests between questions.
const REST: Duration = Duration::from_millis(20);
/// Every so many questions it asks for everything, not for the counts alone.
const ALL_EVERY: u32 = 8;

/// The reader's thread.
pub(crate) struct Reader {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Report>,
}

/// What it has seen.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Answers that it got.
    pub answers: u32,
    /// Questions that nobody answered: there was no holder, or it died meanwhile.
    pub silences: u32,
    /// The most items that had succeeded.
    pub succeeded: u64,
    ended: HashSet<String>,
}

impl Reader {
    /// Begins to ask.
    pub(crate) fn start(home: PathBuf) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut report = Report::default();
            while !stopped.load(Ordering::Relaxed) {
                let turn = report.answers + report.silences;
                let path = match turn % ALL_EVERY {
                    0 => "runs/last?limit=1000",
                    4 => "runs/last/tasks/wide/items?limit=1000",
                    _ => "runs/last?limit=1",
                };
                match api::get(&home, path) {
                    Some(answer) => report.take(&answer, turn % ALL_EVERY == 0),
                    None => report.silences += 1,
                }
                std::thread::sleep(REST);
            }
            report
        });
        Self { stop, thread }
    }

    /// Ends, and says what it has seen.
    pub(crate) fn finish(self) -> Report {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("nothing has disappeared")
    }
}

impl Report {
    /// Compares an answer with all answers before.
    fn take(&mut self, answer: &Value, all_tasks: bool) {
        self.answers += 1;
        if let Some(items) = answer["items"].as_array() {
            let item = |item: &Value| format!("wide {}", item["item"]);
            self.compare(items.iter().map(|entry| (item(entry), &entry["status"])).collect());
            return;
        }
        let succeeded = answer["run"]["items"]["succeeded"].as_u64().unwrap_or(0);
        assert!(succeeded >= self.succeeded, "{succeeded} succeeded, after {}", self.succeeded);
        self.succeeded = succeeded;
        if all_tasks {
            let tasks = answer["tasks"].as_array().expect("a list");
            let name = |task: &Value| task["name"].to_string();
            self.compare(tasks.iter().map(|task| (name(task), &task["status"])).collect());
        }
    }

    fn compare(&mut self, entries: Vec<(String, &Value)>) {
        for (name, status) in entries {
            if status == "succeeded" {
                self.ended.insert(name);
            } else {
                assert!(!self.ended.contains(&name), "{name} had succeeded, and is {status} now");
            }
        }
    }
}
