//! What came of a case as text: nothing in it depends on time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::home::{Finished, Home};

/// The exit code and the words of a command that is to say something.
pub(crate) fn words(finished: &Finished, folder: &Path) -> String {
    let Finished { code, stdout, stderr } = finished;
    let text = format!("exit {code}\n{stdout}{stderr}");
    text.replace(&folder.display().to_string(), "FOLDER")
}

/// How a run ended, each of its tasks, and what they wrote.
pub(crate) fn run(home: &Home, folder: &Path, run: &str, code: i32) -> Result<String, String> {
    let got = home.json(folder, &["get", run, "-n", "1000", "-o", "json"])?;
    let got = got.first().ok_or("`get` prints nothing")?;
    let mut told = format!("exit {code}\nrun {}", word(&got["run"]["status"]));
    if let Some(cause) = got["run"]["cause"].as_str() {
        write!(told, " ({cause})").expect("a string");
    }
    told.push_str("\n\n");
    let entries = home.json(folder, &["logs", run, "-o", "jsonl"])?;
    let logs = logs(&entries);
    let mut tasks: Vec<&Value> = got["tasks"].as_array().into_iter().flatten().collect();
    // Which of the items that write tasks is the first to end is chance.
    let fans: Vec<&Value> = tasks.iter().filter(|task| task["fan_out"] == true).copied().collect();
    let is_written = |task: &Value| fans.iter().any(|fan| fan["name"] == task["written_by"]);
    tasks.sort_by_key(|task| is_written(task).then(|| word(&task["name"])));
    for task in tasks {
        told.push_str(&of_task(task));
        let name = word(&task["name"]);
        if task["fan_out"] == true {
            let items = home.json(folder, &["get", run, name, "-n", "1000", "-o", "json"])?;
            for item in items.iter().flat_map(|page| page["items"].as_array()).flatten() {
                told.push_str(&of_item(item));
                told.push_str(&written(&logs, (name, item["item"].as_u64())));
            }
        }
        told.push_str(&written(&logs, (name, None)));
    }
    Ok(told)
}

/// What tasks have been answered, such as which rule held; sorted, since tasks that do not wait for
/// each other are answered in any order.
pub(crate) fn answers(events: &[Value]) -> String {
    let those = events.iter().filter(|event| {
        let kind = event["kind"].as_str().unwrap_or_default();
        let of_attempts = ["attempt", "run_", "lease", "gang_leased"];
        !of_attempts.iter().any(|of| kind.starts_with(of))
    });
    // When something will be is never the same.
    let texts = those.map(|event| {
        let text = event["text"].as_str().unwrap_or_default();
        let until = " waits until ";
        text.find(until).map_or(text, |at| &text[..at + until.len() - 1]).to_owned()
    });
    let mut lines: Vec<String> = texts.collect();
    lines.sort();
    lines.iter().fold(String::new(), |told, line| format!("{told}. {line}\n"))
}

/// Why a task waits; not for how long.
pub(crate) fn blocker(task: &str, blocker: &Value) -> String {
    let text = word(&blocker["text"]);
    let text = text.split("; it fails in").next().unwrap_or_default();
    format!("? {task} waits ({}): {text}\n", word(&blocker["kind"]))
}

fn of_task(task: &Value) -> String {
    let mut line = format!("{}: {}", word(&task["name"]), word(&task["status"]));
    if task["round"].as_u64() > Some(0) {
        write!(line, ", round {}", task["round"]).expect("a string");
    }
    if task["fan_out"] == true {
        let counts = task["items"].as_object().into_iter().flatten();
        let counts: Vec<String> =
            counts.map(|(status, count)| format!("{count} {status}")).collect();
        write!(line, ", items: {}", counts.join(", ")).expect("a string");
    } else {
        line.push_str(&attempts(task));
    }
    line + "\n"
}

fn of_item(item: &Value) -> String {
    let value = item["value"].as_str().unwrap_or("-");
    let status = word(&item["status"]);
    format!("  [{}] {value}: {status}{}\n", item["item"], attempts(item))
}

/// How often it was tried if that says something, and its last bad end.
fn attempts(of: &Value) -> String {
    let mut told = match (of["attempts"].as_u64(), of["status"].as_str()) {
        (Some(1), _) => String::new(),
        (Some(0), Some("skipped" | "cancelled")) => String::new(),
        (Some(0), _) => ", without an attempt".to_owned(),
        (count, _) => format!(", {} attempts", count.unwrap_or_default()),
    };
    if let Some(trouble) = of["trouble"].as_str() {
        write!(told, ", {trouble}").expect("a string");
    }
    if let Some(reason) = of["reason"].as_str() {
        write!(told, ": {reason}").expect("a string");
    }
    told
}

/// Task and item.
type Place<'a> = (&'a str, Option<u64>);

/// What each item wrote in its last attempt.
fn logs(entries: &[Value]) -> BTreeMap<Place<'_>, String> {
    let mut sorted: Vec<&Value> = entries.iter().collect();
    // Streams are read side by side: which of them comes first is chance.
    sorted.sort_by_key(|entry| (word(&entry["stream"]) != "stdout", entry["seq"].as_u64()));
    let mut logs = BTreeMap::<_, String>::new();
    for entry in sorted {
        let text = logs.entry((word(&entry["task"]), entry["item"].as_u64())).or_default();
        text.push_str(word(&entry["text"]));
    }
    logs
}

fn written(logs: &BTreeMap<Place<'_>, String>, place: Place<'_>) -> String {
    let lines = logs.get(&place).map_or("", |text| text).lines();
    // What the kernel keeps tasks to is another thing on another machine.
    let lines = lines.filter(|line| !line.starts_with("autoglm: its limit of"));
    lines.fold(String::new(), |told, line| format!("{told}    | {line}\n"))
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
