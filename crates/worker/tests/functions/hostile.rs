//! Functions that do what no function should: each costs its own attempt and nothing else.

use std::time::{Duration, Instant};

use model::message::StopKind;
use model::outcome::{ErrorName, Failure, Outcome};
use model::work::Keep;

use crate::house::{Ended, House, call};

pub const ALL: &[(&str, fn())] = &[
    ("crashes_cost_one_call", crashes_cost_one_call),
    ("a_crash_spares_what_was_sent_ahead", a_crash_spares_what_was_sent_ahead),
    ("output_without_end_is_cut", output_without_end_is_cut),
    ("a_fork_does_not_serve", a_fork_does_not_serve),
    ("who_ignores_the_question_is_killed", who_ignores_the_question_is_killed),
    ("memory_has_a_limit", memory_has_a_limit),
    ("results_have_a_limit", results_have_a_limit),
    ("what_is_no_json_is_told_with_its_place", what_is_no_json_is_told_with_its_place),
    ("ends_by_python_are_errors", ends_by_python_are_errors),
    ("a_thread_may_outlive_its_call", a_thread_may_outlive_its_call),
    ("modules_that_cannot_be_had", modules_that_cannot_be_had),
    ("interpreters_that_cannot_be_had", interpreters_that_cannot_be_had),
    ("nobody_else_is_let_in", nobody_else_is_let_in),
];

const FUNCTIONS: &str = r#"
import math, os, signal, sys, threading, time
def fine(x=1): return x
def die(number): os.kill(os.getpid(), number)
def leave(code): os._exit(code)
def flood(): 
    line = "x" * 1023
    for _ in range(1 << 20): print(line)
def flood_raw():
    data = b"y" * (1 << 20)
    for _ in range(256): os.write(1, data)
def fork():
    if os.fork() == 0:
        return "child"
    os.wait()
    return "parent"
def deaf():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        try: time.sleep(60)
        except BaseException: pass
def leak():
    held = []
    while True: held.append(bytearray(10_000_000))
def big(): return "x" * 100_000_000
def nan(): return {"scores": [0.5, math.nan]}
def endless(): return math.inf
def things(): return {"a": {1, 2}}
def keys(): return {(1, 2): 3}
def circle():
    it = []
    it.append(it)
    return it
def deep():
    it = []
    for _ in range(300): it = [it]
    return it
def exit(): sys.exit(3)
def interrupt(): raise KeyboardInterrupt
def recurse(): return recurse()
def thread():
    def later():
        time.sleep(0.05)
        print("late")
    threading.Thread(target=later).start()
    return 1
class Bad(Exception):
    def __str__(self): raise ValueError("no text")
def bad_text(): raise Bad
def bytes_out():
    sys.stdout.buffer.write(b"\xff\x1e\x1e raw")
    print("\ud800")
def closes():
    os.close(1); os.close(2)
    sys.stdout.close()
"#;

fn house() -> House {
    House::new(1, FUNCTIONS)
}

fn is_alive(house: &mut House) {
    assert_eq!(house.one(call("fine", "[]")).outcome, Outcome::Succeeded);
}

fn raised(ended: &Ended, name: &str) -> bool {
    ended.outcome == Outcome::Failed(Failure::Raised(ErrorName::of(name)))
}

fn crashes_cost_one_call() {
    let mut house = house();
    let crashed = Outcome::Failed(Failure::Crashed);
    for (handler, argument, word) in
        [("die", 11, "signal 11 (SIGSEGV)"), ("die", 9, "signal 9"), ("leave", 0, "exit code 0")]
    {
        let ended = house.one(call(handler, &format!("[{argument}]")));
        assert_eq!(ended.outcome, crashed, "{}", ended.log);
        assert!(ended.log.contains(word), "{}", ended.log);
        is_alive(&mut house);
    }
}

fn a_crash_spares_what_was_sent_ahead() {
    let mut house = house();
    let ahead = |handler: &str, arguments: &str| {
        let mut call = call(handler, arguments);
        call.prefetch = 15;
        call
    };
    let mut calls = vec![ahead("fine", "[]"); 30];
    calls.push(ahead("leave", "[7]"));
    calls.extend(vec![ahead("fine", "[]"); 30]);
    let numbers = house.call_in(1, 60, calls);
    for (at, &number) in numbers.iter().enumerate() {
        let expected = match at {
            30 => Outcome::Failed(Failure::Crashed),
            _ => Outcome::Succeeded,
        };
        let ended = house.end(number);
        assert_eq!(ended.outcome, expected, "{at}: {}", ended.log);
    }
}

fn output_without_end_is_cut() {
    let mut house = house();
    for handler in ["flood", "flood_raw"] {
        let ended = house.one(call(handler, "[]"));
        assert_eq!(ended.outcome, Outcome::Succeeded, "{}", ended.log.len());
        let bytes = ended.log.len();
        assert!((1 << 20..=(16 << 20) + 1_000).contains(&bytes), "{handler}: {bytes}");
        assert!(ended.log.contains("bytes of output were dropped") || handler == "flood_raw");
    }
    is_alive(&mut house);
}

fn a_fork_does_not_serve() {
    let mut house = house();
    for _ in 0..3 {
        let ended = house.one(call("fork", "[]"));
        assert_eq!(ended.outputs.as_deref(), Some(r#"{"result":"parent"}"#), "{}", ended.log);
    }
}

fn who_ignores_the_question_is_killed() {
    let mut house = house();
    let number = house.call(vec![call("deaf", "[]")])[0];
    house.wait(|house| house.started.contains(&number));
    let since = Instant::now();
    house.stop(number, StopKind::Cancel);
    assert_eq!(house.end(number).outcome, Outcome::Cancelled);
    assert!(since.elapsed() < Duration::from_secs(30), "it is not waited for");
    is_alive(&mut house);
}

fn memory_has_a_limit() {
    let mut house = house();
    let keep = Keep { memory_bytes_max: Some(300_000_000), ..Keep::default() };
    let limited = |handler: &str| model::work::Call { keep, ..call(handler, "[]") };
    let before = house.one(limited("fine"));
    assert_eq!(before.outcome, Outcome::Succeeded, "{}", before.log);
    let ended = house.one(limited("leak"));
    assert!(raised(&ended, "MemoryError"), "{:?} {}", ended.outcome, ended.log);
    assert_eq!(house.one(limited("fine")).outcome, Outcome::Succeeded);
}

fn results_have_a_limit() {
    let mut house = house();
    let ended = house.one(call("big", "[]"));
    assert_eq!(ended.outcome, Outcome::Failed(Failure::TooLarge));
    assert!(ended.log.contains("write it to a file"), "{}", ended.log);
    is_alive(&mut house);
}

fn what_is_no_json_is_told_with_its_place() {
    let mut house = house();
    for (handler, words) in [
        ("nan", "result['scores'][1] is nan, which JSON does not have"),
        ("endless", "result is inf"),
        ("things", "result['a'] is a builtins.set"),
        ("keys", "result has a key that is a tuple"),
        ("circle", "nested too deeply, or holds itself"),
        ("deep", "recursion limit"),
    ] {
        let ended = house.one(call(handler, "[]"));
        assert_eq!(ended.outcome, Outcome::Failed(Failure::Outputs), "{handler}: {}", ended.log);
        assert!(ended.log.contains(words), "{handler}: {}", ended.log);
    }
    is_alive(&mut house);
}

fn ends_by_python_are_errors() {
    let mut house = house();
    for (handler, name) in [
        ("exit", "SystemExit"),
        ("interrupt", "KeyboardInterrupt"),
        ("recurse", "RecursionError"),
        ("bad_text", "functions.Bad"),
    ] {
        let ended = house.one(call(handler, "[]"));
        assert!(raised(&ended, name), "{handler}: {:?} {}", ended.outcome, ended.log);
        is_alive(&mut house);
    }
}

fn a_thread_may_outlive_its_call() {
    let mut house = house();
    for handler in ["thread", "bytes_out", "closes"] {
        let ended = house.one(call(handler, "[]"));
        assert_eq!(ended.outcome, Outcome::Succeeded, "{handler}: {}", ended.log);
    }
    is_alive(&mut house);
}

fn modules_that_cannot_be_had() {
    let mut house = house();
    let write = |house: &House, name: &str, text: &str| {
        std::fs::write(house.folder.join(name), text).unwrap();
    };
    write(&house, "broken.py", "def f(:\n");
    write(&house, "raises.py", "1 / 0\n");
    write(&house, "leaves.py", "import os\nos._exit(5)\n");
    for (handler, name, words) in [
        ("nowhere:f", "ModuleNotFoundError", "No module named 'nowhere'"),
        ("broken:f", "SyntaxError", "broken.py"),
        ("raises:f", "ZeroDivisionError", "raises.py"),
        ("functions:nothing", "AttributeError", "has no function `nothing`; it has: "),
        ("functions:math.pi", "TypeError", "is no function"),
    ] {
        let ended = house.one(call(handler, "[]"));
        assert!(raised(&ended, name), "{handler}: {:?} {}", ended.outcome, ended.log);
        assert!(ended.log.contains(words), "{handler}: {}", ended.log);
    }
    let ended = house.one(call("leaves:f", "[]"));
    assert_eq!(ended.outcome, Outcome::Failed(Failure::Crashed));
    is_alive(&mut house);
}

fn interpreters_that_cannot_be_had() {
    let mut house = house();
    let with = |python: &str| model::work::Call { python: python.into(), ..call("fine", "[]") };
    let ended = house.one(with("no-such-python"));
    assert_eq!(ended.outcome, Outcome::Failed(Failure::Spawn(2)), "{}", ended.log);
    assert!(ended.log.contains("cannot start `no-such-python`"), "{}", ended.log);
    let ended = house.one(with("/bin/false"));
    assert_eq!(ended.outcome, Outcome::Failed(Failure::Crashed));
    assert!(ended.log.contains("exit code 1"), "{}", ended.log);
    is_alive(&mut house);
}

fn nobody_else_is_let_in() {
    let mut house = house();
    is_alive(&mut house);
    // Whoever connects without the token of a process is shown out.
    let text = std::fs::read_to_string("/proc/net/unix").unwrap();
    let pid = house.processes()[0];
    assert!(pid > 0);
    let names = text.lines().filter_map(|line| line.split("@autoglm-").nth(1));
    let names: std::collections::BTreeSet<String> = names.map(str::to_owned).collect();
    for name in names {
        use std::io::{Read, Write};
        use std::os::linux::net::SocketAddrExt;
        let address = format!("autoglm-{name}");
        let address = std::os::unix::net::SocketAddr::from_abstract_name(address).unwrap();
        let Ok(mut stream) = std::os::unix::net::UnixStream::connect_addr(&address) else {
            continue;
        };
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let hello = b"H\x01\0\0\0\0\0\0\x80guess";
        let mut frame = u32::try_from(hello.len()).unwrap().to_le_bytes().to_vec();
        frame.extend_from_slice(hello);
        stream.write_all(&frame).unwrap();
        assert!(matches!(stream.read(&mut [0; 8]), Ok(0) | Err(_)), "it says nothing");
    }
    is_alive(&mut house);
}
