//! Calls as they are meant: arguments, results, logs, processes that stay, stops.

use std::time::{Duration, Instant};

use model::Span;
use model::message::StopKind;
use model::outcome::{ErrorName, Failure, Outcome};
use model::work::{Batch, Keep};

use crate::house::{House, call, processes_of};

pub const ALL: &[(&str, fn())] = &[
    ("arguments_and_results_are_json", arguments_and_results_are_json),
    ("a_process_stays_warm_for_many_calls", a_process_stays_warm_for_many_calls),
    ("each_call_has_its_own_log", each_call_has_its_own_log),
    ("errors_are_told_by_name_with_their_trace", errors_are_told_by_name_with_their_trace),
    ("a_process_is_replaced_after_its_calls", a_process_is_replaced_after_its_calls),
    ("another_run_sees_changed_code", another_run_sees_changed_code),
    ("a_call_is_asked_to_end", a_call_is_asked_to_end),
    ("what_was_sent_ahead_is_not_charged", what_was_sent_ahead_is_not_charged),
    ("it_is_told_how_processes_fare", it_is_told_how_processes_fare),
    ("a_call_that_says_nothing_is_ended", a_call_that_says_nothing_is_ended),
    ("a_call_may_name_outputs_beside_its_result", a_call_may_name_outputs_beside_its_result),
    ("no_process_outlives_the_worker", no_process_outlives_the_worker),
];

const FUNCTIONS: &str = r#"
import os, subprocess, sys, time
import numpy_like
def same(*args, **named): return {"args": args, "named": named}
def one(x): return x
def nothing(): pass
async def later(x): return x + 1
def pid(): return os.getpid()
def who(): return [os.environ["AUTOGLM_ITEM"], os.environ["AUTOGLM_WORKDIR"]]
def listed(): return numpy_like.Array()
def say(x):
    print("python", x)
    print("error", x, file=sys.stderr)
    subprocess.run(["sh", "-c", "echo child %s" % x])
    return x
class Refused(ValueError): pass
def refuse(): raise Refused("not today")
def wait():
    try:
        time.sleep(60)
    finally:
        print("tidied")
def nap(x):
    time.sleep(x)
    return x
def live(how):
    for _ in range(3):
        time.sleep(0.8)
        if how == "says": print("it lives")
        else: open(os.environ["AUTOGLM_HEARTBEAT"], "w").close()
def beats(): return os.environ["AUTOGLM_HEARTBEAT"]
def name(**values):
    sys.modules["autoglm_runner"].add_outputs(values)
    return {"a": 1}
def name_each(items): name(a=len(items))
class Kind:
    @staticmethod
    def made(x): return x
"#;

fn house(cores: u64) -> House {
    let house = House::new(cores, FUNCTIONS);
    let array = "class Array:\n    def tolist(self): return [1, 2]\n";
    std::fs::write(house.folder.join("numpy_like.py"), array).unwrap();
    house
}

fn arguments_and_results_are_json() {
    let mut house = house(1);
    let mut outputs = |handler: &str, arguments: &str| {
        let ended = house.one(call(handler, arguments));
        assert_eq!(ended.outcome, Outcome::Succeeded, "{}", ended.log);
        ended.outputs.unwrap()
    };
    assert_eq!(outputs("same", r#"[1,"ä"]"#), r#"{"args":[1,"ä"],"named":{}}"#);
    assert_eq!(outputs("functions:same", r#"{"b":[null]}"#), r#"{"args":[],"named":{"b":[null]}}"#);
    assert_eq!(outputs("one", "[[1.5]]"), r#"{"result":[1.5]}"#);
    assert_eq!(outputs("one", r#"[{"z":1,"a":2}]"#), r#"{"a":2,"z":1}"#);
    assert_eq!(outputs("nothing", "[]"), r#"{"result":null}"#);
    assert_eq!(outputs("later", "[1]"), r#"{"result":2}"#);
    assert_eq!(outputs("listed", "[]"), r#"{"result":[1,2]}"#);
    assert_eq!(outputs("functions:Kind.made", "[3]"), r#"{"result":3}"#);
    assert_eq!(outputs("os.path:basename", r#"["/a/b"]"#), r#"{"result":"b"}"#);
    let who = outputs("who", "[]");
    assert!(who.contains(r#"["9","/"#) && who.ends_with("/1/0.1/9\"]}"), "{who}");
}

fn a_process_stays_warm_for_many_calls() {
    let mut house = house(1);
    let numbers = house.call(vec![call("pid", "[]"); 50]);
    let mut pids: Vec<String> =
        numbers.iter().map(|&number| house.end(number).outputs.unwrap()).collect();
    pids.dedup();
    assert_eq!(pids.len(), 1);
    let usage = house.ended[&49].end.usage;
    assert!(usage.peak_rss_kib > 1_000 && usage.wall_us < 10_000_000, "{usage:?}");
}

fn each_call_has_its_own_log() {
    let mut house = house(1);
    // Sent ahead to one process: what its children print must not be taken for the next call's.
    let calls = |count: u32| {
        (0..count).map(|x| {
            let mut call = call("say", &format!("[{x}]"));
            call.prefetch = 7;
            call
        })
    };
    let numbers = house.call_in(1, 100, calls(20).collect());
    for (x, number) in numbers.into_iter().enumerate() {
        let ended = house.end(number);
        let mut lines: Vec<&str> = ended.log.lines().collect();
        lines.sort_unstable();
        let expected = [format!("child {x}"), format!("error {x}"), format!("python {x}")];
        assert_eq!(lines, expected, "{x}");
    }
}

fn errors_are_told_by_name_with_their_trace() {
    let mut house = house(1);
    let ended = house.one(call("refuse", "[]"));
    let name = ErrorName::of("functions.Refused");
    assert_eq!(ended.outcome, Outcome::Failed(Failure::Raised(name)));
    assert!(ended.log.contains("functions.Refused: not today"), "{}", ended.log);
    assert!(ended.log.contains("in refuse") && !ended.log.contains("runners"), "{}", ended.log);
    let ended = house.one(call("one", "[1,2]"));
    assert_eq!(ended.outcome, Outcome::Failed(Failure::Raised(ErrorName::of("TypeError"))));
}

fn a_process_is_replaced_after_its_calls() {
    let mut house = house(1);
    let mut limited = call("pid", "[]");
    limited.keep = Keep { calls_max: Some(3), ..Keep::default() };
    let numbers = house.call(vec![limited; 9]);
    let mut pids: Vec<String> =
        numbers.iter().map(|&number| house.end(number).outputs.unwrap()).collect();
    pids.sort_unstable();
    pids.dedup();
    assert_eq!(pids.len(), 3);
}

fn another_run_sees_changed_code() {
    let mut house = house(1);
    let first = house.call_in(1, 1_000, vec![call("one", "[1]")])[0];
    assert_eq!(house.end(first).outputs.unwrap(), r#"{"result":1}"#);
    let path = house.folder.join("functions.py");
    std::fs::write(path, "def one(x): return 'changed'").unwrap();
    let same_run = house.call_in(1, 1_000, vec![call("one", "[1]")])[0];
    assert_eq!(house.end(same_run).outputs.unwrap(), r#"{"result":1}"#);
    let other_run = house.call_in(2, 1_000, vec![call("one", "[1]")])[0];
    assert_eq!(house.end(other_run).outputs.unwrap(), r#"{"result":"changed"}"#);
}

fn a_call_is_asked_to_end() {
    let mut house = house(1);
    let number = house.call(vec![call("wait", "[]")])[0];
    house.wait(|house| house.started.contains(&number));
    house.stop(number, StopKind::TimeOut);
    let ended = house.end(number);
    assert_eq!(ended.outcome, Outcome::TimedOut);
    // It may have been asked before its code was reached.
    assert!(ended.log.is_empty() || ended.log.contains("tidied"), "{}", ended.log);
    assert_eq!(house.one(call("one", "[1]")).outcome, Outcome::Succeeded);
}

fn what_was_sent_ahead_is_not_charged() {
    let mut house = house(1);
    let mut quick = call("nap", "[0]");
    quick.prefetch = 15;
    let warm = house.call_in(1, 60, vec![quick.clone(); 20]);
    warm.into_iter().for_each(|number| drop(house.end(number)));
    let mut slow = call("nap", "[60]");
    slow.prefetch = 15;
    let mut calls = vec![slow];
    calls.extend(vec![quick; 10]);
    let numbers = house.call_in(1, 60, calls);
    house.wait(|house| house.started.contains(&numbers[0]));
    house.stop(numbers[0], StopKind::Terminate);
    assert_eq!(house.end(numbers[0]).outcome, Outcome::Terminated);
    for &number in &numbers[1..] {
        assert_eq!(house.end(number).outcome, Outcome::Succeeded);
    }
}

fn it_is_told_how_processes_fare() {
    let mut house = house(1);
    house.one(call("one", "[1]"));
    house.one(call("os:abort", "[]"));
    house.one(call("one", "[1]"));
    // The heartbeat says something often enough.
    let until = Instant::now() + Duration::from_secs(30);
    let is_told = |house: &House| {
        let pools = house.pools.lock().unwrap().clone();
        pools.iter().any(|pool| {
            let counts = (pool.processes, pool.busy, pool.calls, pool.crashes);
            counts == (1, 0, 2, 1) && pool.memory_bytes > 1 << 20
        })
    };
    house.wait(|house| is_told(house) || Instant::now() > until);
    assert!(is_told(&house), "{:?}", house.pools.lock().unwrap());
}

fn a_call_that_says_nothing_is_ended() {
    let mut house = house(3);
    house.heartbeat = Some(Span::secs(2));
    let live = |how: &str| call("live", &format!("[\"{how}\"]"));
    let numbers = house.call(vec![call("wait", "[]"), live("says"), live("touches")]);
    let silent = house.end(numbers[0]);
    assert_eq!(silent.outcome, Outcome::TimedOut);
    assert!(silent.log.contains("nothing was heard of it for 2"), "{}", silent.log);
    assert!(silent.log.contains("tidied"), "{}", silent.log);
    for number in &numbers[1..] {
        assert_eq!(house.end(*number).outcome, Outcome::Succeeded);
    }
    house.heartbeat = None;
    assert_eq!(house.one(call("beats", "[]")).outputs.as_deref(), Some(r#"{"result":""}"#));
}

fn a_call_may_name_outputs_beside_its_result() {
    let mut house = house(1);
    let mut named = |call| house.one(call).outputs.unwrap();
    assert_eq!(named(call("name", r#"{"a": 2, "b": [3]}"#)), r#"{"a":1,"b":[3]}"#);
    assert_eq!(named(call("one", "[1]")), r#"{"result":1}"#, "they are those of one call");
    let mut many = call("name_each", "[]");
    many.batch = Some(Batch { items_max: 4, window: Span::ZERO });
    let refused = house.one(many);
    assert!(refused.log.contains("return a dict for each item"), "{}", refused.log);
}

fn no_process_outlives_the_worker() {
    let mut house = house(2);
    let numbers = house.call(vec![call("nap", "[60]"), call("one", "[1]")]);
    house.end(numbers[1]);
    assert!(!house.processes().is_empty());
    let home = house.close();
    let is_left = || !processes_of(&home.path().join("state/runners")).is_empty();
    let until = Instant::now() + Duration::from_secs(30);
    while is_left() {
        assert!(Instant::now() < until, "the supervisor kills them");
        std::thread::yield_now();
    }
}
