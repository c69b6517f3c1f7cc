//! The client against a small server that plays the holder.

use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::extract::Path as Segments;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use model::RunId;
use protocol::api::{Disposition, JSON_LINES, LogStream, PROBLEM_JSON, Problem, SOCKET_NAME};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use super::*;

/// Serves `router` in `home` until the test ends.
fn serve(home: &Path, router: Router) {
    // A listener, too, needs the short way to a long path.
    let folder = std::fs::File::open(home).expect("the folder is there");
    let descriptor = std::os::fd::AsRawFd::as_raw_fd(&folder);
    let listener = UnixListener::bind(format!("/proc/self/fd/{descriptor}/{SOCKET_NAME}"))
        .expect("the socket is free");
    tokio::spawn(async move { axum::serve(listener, router).await });
}

async fn client(router: Router) -> (Client, TempDir) {
    let home = tempfile::tempdir().expect("a folder");
    serve(home.path(), router);
    let client = Client::connect(home.path()).await.expect("it answers").expect("it is there");
    (client, home)
}

fn lines(lines: &'static str) -> Response {
    ([(header::CONTENT_TYPE, JSON_LINES)], Body::from(lines)).into_response()
}

#[tokio::test]
async fn nobody_is_none() {
    let home = tempfile::tempdir().expect("a folder");
    assert!(Client::connect(home.path()).await.expect("no socket is no error").is_none());

    // A socket that its holder left behind.
    drop(UnixListener::bind(home.path().join(SOCKET_NAME)).expect("the socket is free"));
    assert!(Client::connect(home.path()).await.expect("refused is no error").is_none());
}

#[tokio::test]
async fn what_is_no_socket_is_an_error() {
    let home = tempfile::tempdir().expect("a folder");
    let long: PathBuf = home.path().join("x".repeat(4_000));
    assert!(matches!(Client::connect(&long).await, Err(Error::Unreachable { .. })));
}

#[tokio::test]
async fn a_folder_with_a_long_path_is_reached() {
    let root = tempfile::tempdir().expect("a folder");
    let home = root.path().join("a".repeat(120)).join("b".repeat(120));
    std::fs::create_dir_all(&home).expect("a deep folder");
    serve(&home, Router::new().route(route::RUNS, get(async || Json(RunList::default()))));
    let client = Client::connect(&home).await.expect("it answers").expect("it is there");
    assert_eq!(client.runs(&RunsQuery::default()).await.expect("a page"), RunList::default());
}

#[tokio::test]
async fn a_submission_carries_its_key_twice() {
    let answer = async |headers: HeaderMap, Json(submit): Json<Submit>| {
        let key = headers[IDEMPOTENCY_KEY].to_str().expect("text").to_owned();
        assert_eq!(submit.idempotency_key, Some(key.clone()));
        let submitted = Submitted {
            run: RunId(9),
            name: submit.path,
            disposition: Disposition::Attached,
            note: key,
        };
        (StatusCode::CREATED, Json(submitted))
    };
    let (client, _home) = client(Router::new().route(route::RUNS, post(answer))).await;
    let submit = Submit {
        path: "/a.yaml".to_owned(),
        idempotency_key: Some("k1".to_owned()),
        ..Submit::default()
    };
    let submitted = client.submit(&submit).await.expect("accepted");
    assert_eq!((submitted.run, submitted.note.as_str()), (RunId(9), "k1"));
}

#[tokio::test]
async fn names_and_queries_arrive_as_they_were() {
    let answer = async |Segments((run, task)): Segments<(String, String)>, uri: Uri| {
        let problem = Problem {
            detail: format!("{run} {task} {}", uri.query().unwrap_or("")),
            ..Problem::default()
        };
        refuse(StatusCode::NOT_FOUND, &problem)
    };
    let (client, _home) = client(Router::new().route(route::EXPLAIN, get(answer))).await;
    let query = ExplainQuery { item: Some(3), at: None };
    let error = client.explain(RunRef::Last, "a/b 训练", &query).await.expect_err("refused");
    assert_eq!(error.problem().expect("a problem").detail, "last a/b 训练 item=3");
}

fn refuse(status: StatusCode, problem: &Problem) -> Response {
    let body = serde_json::to_string(problem).expect("it is JSON");
    (status, [(header::CONTENT_TYPE, PROBLEM_JSON)], body).into_response()
}

#[tokio::test]
async fn an_error_without_an_explanation_is_told_apart() {
    let (client, _home) = client(Router::new()).await;
    let error = client.health().await.expect_err("there is no such route");
    assert_eq!(
        error.to_string(),
        "an answer that this version cannot read: status 404 Not Found without an explanation"
    );
}

const CHUNKS: &str = concat!(
    r#"{"time":"2026-11-20T10:00:00Z","task":"a","attempt":1,"stream":"stdout","#,
    r#""seq":1,"text":"x\n"}"#,
    "\n\n",
    r#"{"time":"2026-11-20T10:00:01Z","task":"a","attempt":1,"stream":"stderr","#,
    r#""seq":2,"text":"y"}"#,
);

#[tokio::test]
async fn a_stream_ends_after_its_last_value() {
    let (client, _home) =
        client(Router::new().route(route::LOGS, get(async || lines(CHUNKS)))).await;
    let mut logs = client.logs(RunRef::Last, &LogsQuery::default()).await.expect("a stream");
    let first = logs.next().await.expect("readable").expect("a chunk");
    assert_eq!((first.stream, first.text.as_str()), (LogStream::Stdout, "x\n"));
    let second = logs.next().await.expect("readable").expect("a chunk without a line end");
    assert_eq!((second.stream, second.seq), (LogStream::Stderr, 2));
    assert_eq!(logs.next().await.expect("the end is no error"), None);
    assert_eq!(logs.next().await.expect("and stays"), None);
}

/// Answers one request with a stream of `pieces`, each sent by itself; without a proper end when
/// `is_cut`.
async fn play(pieces: Vec<&'static [u8]>, is_cut: bool) -> (Client, TempDir) {
    let home = tempfile::tempdir().expect("a folder");
    let listener = UnixListener::bind(home.path().join(SOCKET_NAME)).expect("the socket is free");
    let client = Client::connect(home.path()).await.expect("it answers").expect("it is there");
    tokio::spawn(async move {
        let (_probe, _) = listener.accept().await.expect("the client looked whether it is there");
        let (mut stream, _) = listener.accept().await.expect("the request");
        let seen = stream.read(&mut [0; 4_096]).await.expect("a request");
        assert!(seen > 0, "the request has arrived");
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {JSON_LINES}\r\n");
        stream.write_all(head.as_bytes()).await.expect("sent");
        stream.write_all(b"transfer-encoding: chunked\r\n\r\n").await.expect("sent");
        for piece in pieces {
            let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
            stream.write_all(&chunk).await.expect("sent");
            stream.flush().await.expect("sent");
        }
        if !is_cut {
            stream.write_all(b"0\r\n\r\n").await.expect("sent");
        }
    });
    (client, home)
}

#[tokio::test]
async fn a_line_may_arrive_in_pieces() {
    let (client, _home) = play(CHUNKS.as_bytes().chunks(7).collect(), false).await;
    let mut logs = client.logs(RunRef::Last, &LogsQuery::default()).await.expect("a stream");
    let mut seen = Vec::new();
    while let Some(chunk) = logs.next().await.expect("readable") {
        seen.push(chunk.seq);
    }
    assert_eq!(seen, [1, 2]);
}

#[tokio::test]
async fn a_stream_that_breaks_is_no_end() {
    let first = CHUNKS.as_bytes().split_inclusive(|&byte| byte == b'\n').next();
    let (client, _home) = play(vec![first.expect("a line")], true).await;
    let mut logs = client.logs(RunRef::Last, &LogsQuery::default()).await.expect("a stream");
    assert_eq!(logs.next().await.expect("readable").expect("a chunk").seq, 1);
    assert!(logs.next().await.expect_err("it is incomplete").is_gone());
}
