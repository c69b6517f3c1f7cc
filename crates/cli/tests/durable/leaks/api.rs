//! All that the HTTP API shows: every route that can be asked with `GET`, by the reference.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

const REFERENCE: &str = include_str!("../../../../../docs/reference/api.md");
const PATIENCE: Duration = Duration::from_secs(20);

/// What is answered to a request, whatever that is; nothing if nobody answers.
fn answer(state: &Path, path: &str) -> Option<Vec<u8>> {
    let mut socket = UnixStream::connect(state.join("api.sock")).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    // Of this version no answer comes in chunks, which would cut what is looked for.
    let head = format!("GET /api/v1/{path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
    socket.write_all(head.as_bytes()).ok()?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).ok()?;
    Some(answer)
}

/// The value that is at a path, if there is one.
pub(crate) fn get(state: &Path, path: &str) -> Option<Value> {
    let answer = String::from_utf8(answer(state, path)?).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.contains(" 200 ").then(|| serde_json::from_str(body).ok())?
}

/// The patterns of all routes that show something.
fn routes() -> BTreeSet<&'static str> {
    let calls = REFERENCE.split("| `GET /api/v1/").skip(1);
    calls.map(|rest| rest.split('`').next().expect("it is closed")).collect()
}

/// The output in an answer, which comes in pieces that end anywhere: by whose it is.
fn together(answer: &[u8]) -> Vec<u8> {
    let mut whole: BTreeMap<String, String> = BTreeMap::new();
    let answer = String::from_utf8_lossy(answer);
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    for line in body.lines().filter(|line| !line.is_empty()) {
        let piece: Value = serde_json::from_str(line).expect("each line is JSON");
        let keys = ["task", "item", "round", "attempt", "stream"];
        let whose = keys.map(|key| piece[key].to_string()).join(" ");
        *whole.entry(whose).or_default() += piece["text"].as_str().expect("a text");
    }
    whole.into_iter().flat_map(|(whose, text)| format!("{whose}\n{text}\n").into_bytes()).collect()
}

/// Everything that is shown of the run: the path of each answer, and the answer.
pub(crate) fn everything(state: &Path, tasks: &[Value]) -> Vec<(String, Vec<u8>)> {
    let mut asked = BTreeSet::new();
    let mut answers = Vec::new();
    let mut ask = |route: &'static str, path: &str| {
        asked.insert(route);
        let answer = answer(state, path).unwrap_or_else(|| panic!("{path} is not answered"));
        if route.ends_with("/logs") {
            answers.push((format!("{path}, put together"), together(&answer)));
        }
        answers.push((path.to_owned(), answer));
    };
    for route in ["health", "pools", "breakers", "budgets", "history", "queues"] {
        ask(route, route);
    }
    ask("runs", "runs?limit=1000");
    ask("runs/{run}", "runs/1?limit=1000");
    ask("runs/{run}", "runs/last?status=failed");
    ask("runs/{run}/events", "runs/1/events");
    ask("runs/{run}/progress", "runs/1/progress");
    ask("runs/{run}/logs", "runs/1/logs?all=true");
    for task in tasks {
        let name = task["name"].as_str().expect("a name");
        ask("runs/{run}/tasks/{task}/items", &format!("runs/1/tasks/{name}/items"));
        ask("runs/{run}/tasks/{task}/explain", &format!("runs/1/tasks/{name}/explain"));
        let then = format!("runs/1/tasks/{name}/explain?at=20");
        ask("runs/{run}/tasks/{task}/explain", &then);
        ask("runs/{run}/logs", &format!("runs/1/logs?task={name}&all=true"));
        ask("runs/{run}/logs", &format!("runs/1/logs?task={name}&tail=5"));
    }
    ask("runs/{run}/artifacts", "runs/1/artifacts");
    let artifacts = get(state, "runs/1/artifacts").expect("they are listed");
    for artifact in artifacts["artifacts"].as_array().expect("a list") {
        let digest = artifact["digest"].as_str().expect("a digest");
        ask("artifacts/{digest}", &format!("artifacts/{digest}"));
    }
    // Also what is wrong is answered.
    ask("runs/{run}", "runs/9");
    assert_eq!(asked, routes(), "a route is not asked, or is not in the reference");
    answers
}
