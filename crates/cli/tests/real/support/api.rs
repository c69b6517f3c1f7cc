//! A reader of the HTTP API that shares no code with the product: a request, an answer, the end.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is there at `path`; `None` when nobody serves, or breaks off, or says that it is wrong.
pub(crate) fn get(home: &Path, path: &str) -> Option<Value> {
    let mut socket = UnixStream::connect(home.join("api.sock")).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    let request =
        format!("GET /api/v1/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8(answer).ok()?;
    if !answer.starts_with("HTTP/1.1 200") {
        // What was answered instead is the first thing that whoever mends a test wants to see.
        println!("GET {path}: {answer}");
    }
    let (head, body) = answer.split_once("\r\n\r\n")?;
    // A body that was cut off is no JSON.
    head.starts_with("HTTP/1.1 200").then(|| serde_json::from_str(body).ok())?
}
