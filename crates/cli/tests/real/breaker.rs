//! A circuit breaker in front of a server that is down for a while: the server is left alone but
//! for trials, everybody can see why, nothing is lost, and what waited goes on when it is back.
//!
//! No time is slept away: what is waited for is seen, and times are told by the server.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::network::server::{Reserved, Server, say};
use crate::support::binary::Home;
use crate::support::{processes, wait};

const PATIENCE: Duration = Duration::from_secs(60);
/// How many items there are, and how many are asked for at a time.
const ITEMS: usize = 40;
const PARALLEL: usize = 4;
/// After how many failures it opens, for how long at first, and at most.
const FAILURES: usize = 3;
const OPEN: Duration = Duration::from_millis(300);
const OPEN_MAX: Duration = Duration::from_millis(1_200);
/// How many are answered before the server goes down.
const BEFORE: usize = 10;
/// How many attempts may fail before it is open: those that open it and those beside them, each of
/// which may have been answered well, and be told of between two failures.
const BEFORE_OPEN_MAX: usize = FAILURES * PARALLEL;
/// How many retries an item has: enough for what fails before it is open.
const RETRIES: usize = 3;

fn flow(url: &str) -> String {
    format!(
        "breakers: {{service: {{failures: {FAILURES}, open: {}ms, open_max: {}ms}}}}\ntasks:\n  \
         ask:\n    foreach: {{range: {ITEMS}, max_parallel: {PARALLEL}}}\n    \
         retry: {{limit: {RETRIES}, backoff: 10ms}}\n    \
         breaker: service\n    http: '{url}{{{{ item }}}}'\n",
        OPEN.as_millis(),
        OPEN_MAX.as_millis(),
    )
}

/// What a server has seen.
#[derive(Clone, Default)]
struct Seen {
    /// The items that it has answered.
    served: Arc<Mutex<Vec<usize>>>,
    /// When it was asked in vain.
    in_vain: Arc<Mutex<Vec<Instant>>>,
    is_back: Arc<AtomicBool>,
}

impl Seen {
    /// How it answers that is down from some time on, until it is back.
    fn answer(&self, before: usize) -> impl Fn(usize, &str, std::net::TcpStream) + use<> {
        let seen = self.clone();
        move |_, request, stream| {
            let item = request.split(' ').nth(1).and_then(|path| path[1..].parse().ok());
            let mut served = seen.served.lock().expect("nobody panics with it");
            if served.len() >= before && !seen.is_back.load(Ordering::Relaxed) {
                seen.in_vain.lock().expect("nobody panics with it").push(Instant::now());
                return say(stream, "503 Service Unavailable", "", "not now");
            }
            served.push(item.expect("the number of an item"));
            say(stream, "200 OK", "", "done");
        }
    }

    fn in_vain(&self) -> Vec<Instant> {
        self.in_vain.lock().expect("nobody panics with it").clone()
    }

    /// Each item was answered once.
    fn assert_whole(&self) {
        let mut served = self.served.lock().expect("nobody panics with it").clone();
        served.sort_unstable();
        assert_eq!(served, (0..ITEMS).collect::<Vec<_>>());
    }
}

fn breaker(home: &Home) -> Value {
    home.json(&["get", "breakers"])["breakers"][0].clone()
}

/// How often it has been opened since it was last closed.
fn openings(home: &Home) -> usize {
    let openings = breaker(home)["openings"].as_u64();
    openings.map_or(0, |openings| usize::try_from(openings).expect("it is small"))
}

fn wait_for_openings(home: &Home, count: usize) {
    wait::until("it has been opened so often", PATIENCE, || {
        (openings(home) >= count).then_some(())
    });
}

/// Looks at it while it is open, which it is for most of the time.
fn assert_told(home: &Home, last: &str) {
    let open = wait::until("it is seen open", PATIENCE, || {
        Some(breaker(home)).filter(|breaker| breaker["state"] == "open")
    });
    assert_eq!((&open["name"], &open["last"]), (&"service".into(), &last.into()), "{open}");
    assert!(open["until"].is_string(), "{open}");
    assert!(open["failures"].as_u64() >= Some(FAILURES as u64), "{open}");
    wait::until("it is seen in words", PATIENCE, || {
        let said = home.run(&["get", "breakers"]).stdout;
        let line = said.lines().find(|line| line.starts_with("service  open "))?;
        assert!(line.ends_with(last), "{said}");
        Some(())
    });
    // An item that has not begun, and waits for nothing else.
    let waits = ["explain", "1", "ask", "--item", &(ITEMS - 1).to_string()];
    wait::until("it is explained", PATIENCE, || {
        let told = home.json(&waits);
        let blocker = told["blockers"].as_array()?.first()?.clone();
        let text = blocker["text"].as_str()?;
        let is_it = blocker["kind"] == "breaker" && text.contains("is open for ");
        let ends = text.ends_with(&format!("in a row, the last: {last}"));
        (is_it && ends && told["unblock"].as_str()?.starts_with("time: ")).then_some(())
    });
}

#[test]
fn a_server_that_is_down_is_left_alone_but_for_trials() {
    let seen = Seen::default();
    let server = Server::start(seen.answer(BEFORE));
    let home = Home::new();
    home.write("flow.yaml", &flow(&server.url("/")));
    let run = home.start(&["run", "flow.yaml"]);
    let openings = assert_told_and_trials(&home, &seen);

    seen.is_back.store(true, Ordering::Relaxed);
    let back = Instant::now();
    let ended = run.finish();
    println!("drained in {:.1?}", back.elapsed());
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    seen.assert_whole();
    let told = home.json(&["get", "1"]);
    assert_eq!(told["run"]["items"]["succeeded"], ITEMS);
    // Trials that fail are counted apart from failures of their items.
    let losses = told["tasks"][0]["losses"].as_u64().expect("a number");
    assert!(losses + 1 >= openings as u64, "{losses} losses, {openings} openings");
    assert_eq!(home.json(&["get", "breakers"])["breakers"], Value::Array(Vec::new()));
    home.wait_until_quiet();
}

/// How often it has been opened, when it is open for as long as it may be.
fn assert_told_and_trials(home: &Home, seen: &Seen) -> usize {
    wait_for_openings(home, 1);
    assert_told(home, "HTTP 503");
    wait_for_openings(home, 5);
    let in_vain = seen.in_vain();
    let openings = openings(home);
    let most = BEFORE_OPEN_MAX + openings;
    println!("{} attempts in vain, opened {openings} times", in_vain.len());
    assert!(in_vain.len() <= most, "{} attempts, {openings} openings", in_vain.len());
    // Trials come one by one, after it was open for a while: half of it, for slow machines.
    let gaps: Vec<Duration> = in_vain.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let at_once = gaps.iter().filter(|gap| **gap < OPEN / 2).count();
    assert!(at_once < BEFORE_OPEN_MAX, "{gaps:?}");
    assert!(gaps.iter().any(|gap| *gap >= OPEN_MAX / 2), "it opens for longer: {gaps:?}");
    openings
}

#[test]
fn a_server_that_is_not_there_is_waited_for_over_a_kill() {
    let seen = Seen::default();
    let reserved = Reserved::new();
    let home = Home::new();
    home.write("flow.yaml", &flow(&reserved.url("/")));
    let run = home.start(&["run", "flow.yaml"]);
    wait_for_openings(&home, 2);
    processes::signal(home.holder(), Signal::KILL);
    run.finish();
    home.wait_until_quiet();
    assert!(openings(&home) >= 2, "what is known of it is not forgotten");

    let run = home.start(&["run", "flow.yaml"]);
    wait_for_openings(&home, 4);
    assert_told(&home, "the connection was refused");
    let attempts = &home.json(&["get", "1"])["tasks"][0]["attempts"];
    let attempts = usize::try_from(attempts.as_u64().expect("a number")).expect("it is small");
    let openings = openings(&home);
    println!("{attempts} attempts in vain, opened {openings} times");
    // One more for what the kill may have hit.
    assert!(attempts <= BEFORE_OPEN_MAX + openings + 1, "{attempts}, opened {openings} times");

    let _server = reserved.listen(seen.answer(ITEMS));
    let ended = run.finish();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    seen.assert_whole();
    home.wait_until_quiet();
}
