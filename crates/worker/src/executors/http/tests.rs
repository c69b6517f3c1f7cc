//! Requests against real servers that misbehave. Each fault ends in its own failure, in bounded time
//! and memory.

use std::io::Write as _;
use std::net::TcpStream;
use std::thread;
use std::time::Instant;

use model::outcome::Unreached;
use model::work::http::{Auth, Body, Tls};
use serde_json::{Value, json};

use super::*;
use crate::executors::network::testing::{Server, Told, answer};

fn get(url: impl Into<String>) -> HttpRequest {
    HttpRequest {
        method: "GET".to_owned(),
        url: Text::Plain(url.into()),
        query: Vec::new(),
        headers: Vec::new(),
        auth: None,
        body: Body::Nothing,
        tls: Tls::default(),
        expect: vec![(200, 299)],
        outputs: Vec::new(),
        save: None,
        timeout: Span::secs(10),
        bytes_max: 1 << 20,
        redirects_max: 3,
        may_use_link_local: false,
        every: None,
    }
}

fn asker(folder: PathBuf) -> Asker {
    Asker::of(HashMap::from([("V".to_owned(), "hunter22".to_owned())]), folder)
}

struct Went {
    ended: Result<Value, Trouble>,
    log: String,
    took: Duration,
}

fn go_in(folder: PathBuf, request: &HttpRequest) -> Went {
    let told = Told::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let since = Instant::now();
    let ended = runtime.block_on(run(request, &asker(folder), &Clients::default(), &told.teller));
    let took = since.elapsed();
    runtime.shutdown_background();
    let ended = ended.map(|finished| match finished.left {
        Left::Outputs(outputs) => serde_json::from_slice(&outputs).unwrap(),
        other => panic!("{other:?}"),
    });
    Went { ended, log: told.logs().1, took }
}

fn go(request: &HttpRequest) -> Went {
    go_in(std::env::temp_dir(), request)
}

fn failure(request: &HttpRequest) -> Failure {
    let Went { ended, took, .. } = go(request);
    assert!(took < Duration::from_secs(8), "{took:?}");
    ended.unwrap_err().failure
}

const SLOW: Failure = Failure::Unreachable(Unreached::Slow);
const BROKEN: Failure = Failure::Unreachable(Unreached::Broken);

#[test]
fn an_answer_becomes_outputs() {
    let json = "content-type: application/json; charset=utf-8\r\netag: \"1\"\r\n";
    let server = Server::saying(answer("200 OK", json, r#"{"items": [{"id": 1}, {"id": 2}]}"#));
    let outputs = go(&get(server.url("/a"))).ended.unwrap();
    assert_eq!(outputs["status"], 200);
    assert_eq!(outputs["headers"]["etag"], "\"1\"");
    assert_eq!(outputs["body"]["items"][1]["id"], 2);
    let paths = [("first", "$.items[0].id"), ("ids", "$.items[*].id")];
    let named = paths.map(|(name, path)| (name.to_owned(), path.to_owned())).to_vec();
    let outputs = go(&HttpRequest { outputs: named, ..get(server.url("/a")) }).ended.unwrap();
    assert_eq!((&outputs["first"], &outputs["ids"]), (&json!(1), &json!([1, 2])));
    assert_eq!(outputs.get("body"), None);
    let missing = vec![("x".to_owned(), "$.nothing".to_owned())];
    assert_eq!(failure(&HttpRequest { outputs: missing, ..get(server.url("/")) }), Failure::Answer);
    let wrong = Server::saying(answer("200 OK", json, "{\"half"));
    assert_eq!(failure(&get(wrong.url("/"))), Failure::Answer);
}

#[test]
fn a_request_says_who_asks_and_its_log_has_no_secrets() {
    let server = Server::saying(answer("204 No Content", "", ""));
    let secret = || Text::Secret("V".to_owned());
    let request = HttpRequest {
        method: "POST".to_owned(),
        query: vec![("q".to_owned(), Text::Plain("a b".to_owned())), ("k".to_owned(), secret())],
        headers: vec![("x-api-key".to_owned(), secret())],
        auth: Some(Auth::Basic(Text::Plain("me".to_owned()), secret())),
        body: Body::Form(vec![("token".to_owned(), secret())]),
        ..get(server.url("/in?z=1"))
    };
    let Went { ended, log, .. } = go(&request);
    assert_eq!(ended.unwrap()["status"], 204);
    let sent = server.requests().remove(0);
    for part in [
        "POST /in?z=1&q=a+b&k=hunter22 HTTP/1.1\r\n",
        "idempotency-key: key\r\n",
        "autoglm-token: 7\r\n",
        "traceparent: 00-aa-bb-01\r\n",
        "x-api-key: hunter22\r\n",
        "authorization: Basic bWU6aHVudGVyMjI=\r\n",
        "\r\n\r\ntoken=hunter22",
    ] {
        assert!(sent.contains(part), "{part} in {sent}");
    }
    assert!(log.contains("/in?z=1&q=a+b&k=***"), "{log}");
    assert!(log.contains("authorization") && log.contains("204 No Content"), "{log}");
    assert!(!log.contains("hunter22") && !log.contains("bWU6"), "{log}");
}

#[test]
fn a_status_that_was_not_expected_says_how_it_begins_and_how_long_to_wait() {
    let busy = answer("429 Too Many Requests", "retry-after: 7\r\n", "slow down");
    let server = Server::saying(busy);
    let trouble = go(&get(server.url("/"))).ended.unwrap_err();
    assert_eq!(trouble.failure, Failure::Status(429));
    assert_eq!(trouble.retry_after, Some(Span::secs(7)));
    assert!(trouble.reason.ends_with("slow down"), "{}", trouble.reason);
    let expected = HttpRequest { expect: vec![(429, 429)], ..get(server.url("/")) };
    assert_eq!(go(&expected).ended.unwrap()["headers"]["retry-after"], "7");
}

#[test]
fn what_does_not_come_in_time_is_slow() {
    // It takes the request and says nothing; then a head that never ends; then a drip.
    let server = Server::start(|number, _, mut stream| {
        let _ = stream.write_all([&b""[..], b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\n\r\n"][number]);
        for _ in 0..100 {
            thread::sleep(Duration::from_millis(100));
            if number == 2 && stream.write_all(b".").is_err() {
                return;
            }
        }
    });
    for _ in 0..3 {
        let request = HttpRequest { timeout: Span::millis(500), ..get(server.url("/")) };
        assert_eq!(failure(&request), SLOW);
    }
}

#[test]
fn what_breaks_off_is_broken() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf";
    assert_eq!(failure(&get(Server::saying(head).url("/"))), BROKEN);
    let chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n";
    assert_eq!(failure(&get(Server::saying(chunks).url("/"))), BROKEN);
    assert_eq!(failure(&get(Server::saying("").url("/"))), BROKEN);
    assert_eq!(failure(&get(Server::saying("no HTTP at all\r\n\r\n").url("/"))), BROKEN);
    let reset = Server::start(|_, _, mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc");
        let _ = rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO));
    });
    assert_eq!(failure(&get(reset.url("/"))), BROKEN);
}

#[test]
fn where_nobody_is_nothing_is_had() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = Failure::Unreachable(Unreached::Refused);
    assert_eq!(failure(&get(format!("http://{gone}/"))), refused);
    let unresolved = Failure::Unreachable(Unreached::Unresolved);
    // Longer than a name can be: no server of names is asked.
    assert_eq!(failure(&get(format!("http://{}.invalid/", "x".repeat(300)))), unresolved);
    // It speaks without being asked, and no TLS.
    let plain = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", plain.local_addr().unwrap());
    thread::spawn(move || plain.accept().unwrap().0.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    assert_eq!(failure(&get(url)), Failure::Unreachable(Unreached::Insecure));
    assert_eq!(failure(&get("ftp://127.0.0.1/")), Failure::Render);
}

/// Sends bytes for ever.
fn flood(mut stream: TcpStream, head: &str, piece: &[u8]) {
    let _ = stream.write_all(head.as_bytes());
    while stream.write_all(piece).is_ok() {}
}

#[test]
fn a_body_that_never_ends_is_too_large() {
    let endless =
        Server::start(|_, _, stream| flood(stream, "HTTP/1.1 200 OK\r\n\r\n", &[b'x'; 9_999]));
    assert_eq!(failure(&get(endless.url("/"))), Failure::TooLarge);
    let headers =
        Server::start(|_, _, stream| flood(stream, "HTTP/1.1 200 OK\r\n", b"x-more: and more\r\n"));
    assert_eq!(failure(&get(headers.url("/"))), BROKEN);
    let said = Server::saying("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n");
    assert_eq!(failure(&get(said.url("/"))), Failure::TooLarge);
}

#[test]
fn a_packed_body_counts_as_it_is_unpacked() {
    // 64 MiB of zeros.
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..64 {
        packed.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let packed = packed.finish().unwrap();
    assert!(packed.len() < 100_000);
    let server = Server::start(move |_, _, mut stream| {
        let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-encoding: gzip\r\n";
        let _ = write!(stream, "{head}content-length: {}\r\n\r\n", packed.len());
        let _ = stream.write_all(&packed);
    });
    assert_eq!(failure(&get(server.url("/"))), Failure::TooLarge);
}

#[test]
fn redirects_are_followed_and_secrets_are_not_sent_elsewhere() {
    let there = Server::saying(answer("200 OK", "", "there"));
    let to = there.url("/b");
    let here = Server::start(move |_, _, mut stream| {
        let to = format!("location: {to}\r\n");
        let _ = stream.write_all(answer("302 Found", &to, "").as_bytes());
    });
    let secret = || Text::Secret("V".to_owned());
    let request = HttpRequest {
        method: "POST".to_owned(),
        auth: Some(Auth::Bearer(secret())),
        headers: vec![
            ("x-key".to_owned(), secret()),
            ("cookie".to_owned(), Text::Plain("c=1".to_owned())),
            ("x-plain".to_owned(), Text::Plain("p".to_owned())),
        ],
        body: Body::Json(b"{}".to_vec()),
        ..get(here.url("/a"))
    };
    assert_eq!(go(&request).ended.unwrap()["body"], "there");
    let sent = there.requests().remove(0);
    assert!(sent.starts_with("GET /b HTTP/1.1\r\n"), "{sent}");
    assert!(sent.contains("x-plain: p"), "{sent}");
    for part in ["hunter22", "authorization", "cookie", "x-key", "content-type"] {
        assert!(!sent.contains(part), "{part} in {sent}");
    }
    let none = HttpRequest { redirects_max: 0, ..get(here.url("/a")) };
    assert_eq!(failure(&none), Failure::Status(302));
}

#[test]
fn redirects_in_a_circle_end() {
    let server = Server::saying(answer("307 Temporary Redirect", "location: /again\r\n", ""));
    assert_eq!(failure(&get(server.url("/"))), Failure::Status(302));
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn no_redirect_leads_to_the_metadata_of_a_cloud() {
    for to in ["http://169.254.169.254/latest", "http://[fd00:ec2::254]/", "http://2852039166/"] {
        let server = Server::saying(answer("302 Found", &format!("location: {to}\r\n"), ""));
        assert_eq!(failure(&get(server.url("/"))), Failure::Forbidden, "{to}");
        assert_eq!(failure(&get(to)), Failure::Forbidden, "{to}");
    }
    let file = Server::saying(answer("302 Found", "location: file:///etc/passwd\r\n", ""));
    assert_eq!(failure(&get(file.url("/"))), Failure::Status(302));
}

#[test]
fn a_download_goes_on_where_it_broke_off() {
    let content: String = (0..20_000).map(|number| format!("{number}\n")).collect();
    let (whole, version) = (content.clone(), "\"v1\"");
    let server = Server::start(move |number, request, mut stream| {
        let from = request.lines().find_map(|line| line.strip_prefix("range: bytes="));
        let from: usize = from.map_or(0, |from| from.trim_end_matches('-').parse().unwrap());
        let rest = &whole[from..];
        let (status, range) = match from {
            0 => ("200 OK", String::new()),
            _ => {
                assert!(request.contains("if-range: \"v1\""), "{request}");
                let range = format!("content-range: bytes {from}-{0}/{0}\r\n", whole.len());
                ("206 Partial Content", range)
            }
        };
        let head = format!("etag: {version}\r\n{range}");
        let full = answer(status, &head, rest);
        // Twice it breaks off after some of it.
        let sent = if number < 2 { full.len() - rest.len() + rest.len() / 2 } else { full.len() };
        let _ = stream.write_all(&full.as_bytes()[..sent]);
    });
    let folder = tempfile::tempdir().unwrap();
    let request = HttpRequest { save: Some("d/f.txt".to_owned()), ..get(server.url("/f")) };
    for _ in 0..2 {
        let went = go_in(folder.path().to_owned(), &request);
        assert_eq!(went.ended.unwrap_err().failure, BROKEN);
        assert!(!folder.path().join("d/f.txt").exists(), "it is there when it is whole");
    }
    let outputs = go_in(folder.path().to_owned(), &request).ended.unwrap();
    assert_eq!(outputs["bytes"], content.len());
    let saved = std::fs::read_to_string(folder.path().join("d/f.txt")).unwrap();
    assert!(saved == content, "{} bytes", saved.len());
    assert_eq!(std::fs::read_dir(folder.path().join("d")).unwrap().count(), 1);
    let sent: usize = server.requests().iter().filter(|it| it.contains("range: bytes=")).count();
    assert_eq!(sent, 2, "both later attempts asked for the rest");
}

#[test]
fn a_download_of_what_has_changed_begins_anew() {
    let server = Server::start(|number, _, mut stream| {
        let (tag, body) = if number == 0 { ("\"a\"", "old content") } else { ("\"b\"", "new") };
        let full = answer("200 OK", &format!("etag: {tag}\r\n"), body);
        let cut = if number == 0 { 4 } else { 0 };
        let _ = stream.write_all(&full.as_bytes()[..full.len() - cut]);
    });
    let folder = tempfile::tempdir().unwrap();
    let request = HttpRequest { save: Some("f".to_owned()), ..get(server.url("/f")) };
    assert!(go_in(folder.path().to_owned(), &request).ended.is_err());
    assert_eq!(go_in(folder.path().to_owned(), &request).ended.unwrap()["bytes"], 3);
    assert_eq!(std::fs::read_to_string(folder.path().join("f")).unwrap(), "new");
}

#[test]
fn a_download_that_never_ends_is_given_up() {
    let endless =
        Server::start(|_, _, stream| flood(stream, "HTTP/1.1 200 OK\r\n\r\n", &[b'x'; 9_999]));
    let folder = tempfile::tempdir().unwrap();
    let request = HttpRequest { save: Some("f".to_owned()), ..get(endless.url("/f")) };
    let went = go_in(folder.path().to_owned(), &request);
    assert_eq!(went.ended.unwrap_err().failure, Failure::TooLarge);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing of it stays");
}

#[test]
fn who_waits_for_an_address_looks_until_it_is_there() {
    let server = Server::start(|number, _, mut stream| {
        let status = if number < 2 { "503 Service Unavailable" } else { "200 OK" };
        let _ = stream.write_all(answer(status, "", "").as_bytes());
    });
    let request = HttpRequest { every: Some(Span::millis(20)), ..get(server.url("/ready")) };
    let told = Told::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let asker = asker(PathBuf::new());
    let ended = runtime.block_on(run(&request, &asker, &Clients::default(), &told.teller));
    assert_eq!(ended.unwrap().outcome, Outcome::Succeeded);
    assert_eq!(server.requests().len(), 3);
    assert_eq!(told.logs().1.lines().count(), 1, "the same is said once");
}

#[test]
fn a_stop_gives_the_connection_up_at_once() {
    let (closed, seen) = std::sync::mpsc::channel();
    let server = Server::start(move |_, _, mut stream| {
        let mut rest = Vec::new();
        let ended = std::io::Read::read_to_end(&mut stream, &mut rest);
        closed.send(ended.is_ok()).unwrap();
    });
    let (slot, inbox) = crate::inbox::inbox().unwrap();
    let mut network = crate::executors::Network::default();
    let request = get(server.url("/"));
    network.begin(Ticket(1), &slot, |teller| async move {
        let ended = run(&request, &asker(PathBuf::new()), &Clients::default(), &teller).await;
        ended.unwrap_or_else(Finished::from)
    });
    while server.requests().is_empty() {
        thread::yield_now();
    }
    network.stop(Ticket(1));
    assert_eq!(seen.recv_timeout(Duration::from_secs(5)), Ok(true), "the server sees its end");
    let ended = || {
        let crate::inbox::Event::Happened(told) = inbox.take()? else { return None };
        told.into_iter().find_map(|(_, happened)| match happened {
            crate::executors::Happened::Ended(finished) => Some(Some(finished)),
            _ => Some(None),
        })
    };
    let finished = std::iter::from_fn(ended).flatten().next().expect("its end is told");
    assert_eq!(finished.outcome, Finished::stopped().outcome);
    assert_eq!(finished.spent.requests, 1);
}
