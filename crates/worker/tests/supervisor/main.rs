//! The supervisor with real processes.
//!
//! This binary is three things: the tests; with the hidden argument, the supervisor that they
//! launch; and with `stand-in-worker`, a worker for the tests to kill. Nothing here waits for
//! time to pass: it waits for events and for processes to be gone, and gives up after [`PATIENCE`].

#![expect(clippy::unwrap_used, reason = "clippy cannot tell tests that bring their own harness")]

mod fixture;
mod limits;

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use artifacts::logs::Ticket;
use libtest_mimic::{Arguments, Trial};
use model::Span;
use rustix::process::{Pid, Signal};
use worker::supervisor::{
    self, Config, Event, Exit, HIDDEN_ARGUMENT, Start, Step, StopKind, Stream, Supervisor,
};

use fixture::{
    CAP, Fixture, all_gone, another_state, is_gone, listen, script, signal, state, until,
};

const STAND_IN_WORKER: &str = "stand-in-worker";

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    match arguments.next() {
        Some(first) if first == HIDDEN_ARGUMENT => supervisor::main(arguments),
        Some(first) if first == STAND_IN_WORKER => {
            let words: Vec<_> = arguments.map(|word| word.into_string().unwrap()).collect();
            stand_in_worker(Path::new(&words[0]), &words[1]);
            ExitCode::SUCCESS
        }
        _ => libtest_mimic::run(&Arguments::from_args(), trials()).exit_code(),
    }
}

fn trials() -> Vec<Trial> {
    let trial = |name: &str, test: fn()| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    let mut trials = vec![
        trial("exit_codes_signals_and_usage", exit_codes_signals_and_usage),
        trial("what_a_process_is_given", what_a_process_is_given),
        trial("programs_are_found_by_the_tasks_path", programs_are_found_by_the_tasks_path),
        trial("starts_that_fail_say_why", starts_that_fail_say_why),
        trial("open_files_are_limited_for_tasks_only", open_files_are_limited_for_tasks_only),
        trial("many_at_once_leave_nothing", many_at_once_leave_nothing),
        trial("output_above_the_cap_is_dropped", output_above_the_cap_is_dropped),
        trial("a_worker_that_does_not_read", a_worker_that_does_not_read),
        trial("a_pipe_held_open_does_not_delay_the_end", a_pipe_held_open_does_not_delay_the_end),
        trial("term_then_kill", term_then_kill),
        trial("escaped_descendants_end_with_their_task", escaped_descendants_end_with_their_task),
        trial("orphans_of_a_running_task_are_reaped", orphans_of_a_running_task_are_reaped),
        trial("signals_do_not_end_the_supervisor", signals_do_not_end_the_supervisor),
        trial("all_die_with_the_worker", all_die_with_the_worker),
        trial("the_next_supervisor_waits_for_the_last", the_next_supervisor_waits_for_the_last),
        trial("what_a_killed_supervisor_left_is_killed", what_a_killed_supervisor_left_is_killed),
        trial("what_hides_is_killed", what_hides_is_killed)
            .with_ignored_flag(!supervisor::can_group()),
    ];
    trials.extend(limits::trials());
    trials
}

/// A script that leaves a child in its group and one that escaped it, says who they are, and waits.
const FAMILY: &str = "sleep 1000 & echo $!; setsid sh -c 'sleep 1000 & echo $!; wait' & echo $!; \
                      echo $$; wait";
/// How many processes [`FAMILY`] names.
const FAMILY_SIZE: usize = 4;

/// Launches a supervisor, starts one script, prints what it writes, and never ends by itself.
fn stand_in_worker(state: &Path, text: &str) {
    let (mut supervisor, mut reader) = Supervisor::launch(&Config::new(state.into())).unwrap();
    supervisor.start(script(1, text));
    supervisor.flush().unwrap();
    let mut batch = Vec::new();
    while reader.read(&mut batch).unwrap() {
        for event in batch.drain(..) {
            if let Event::Output { bytes, .. } = event {
                std::io::stdout().write_all(&bytes).unwrap();
            }
        }
    }
}

/// A stand-in worker whose task is a [`FAMILY`], and the family's process ids.
fn worker_with_family(state: &Path) -> (Child, Vec<String>) {
    let mut worker = Command::new(env::current_exe().unwrap())
        .args([STAND_IN_WORKER.as_ref(), state.as_os_str(), FAMILY.as_ref()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(worker.stdout.take().unwrap()).lines();
    (worker, lines.take(FAMILY_SIZE).map(Result::unwrap).collect())
}

fn exit_codes_signals_and_usage() {
    let state = state();
    let mut fixture = Fixture::new(state.path());
    fixture.start(script(1, "exit 7"));
    fixture.start(script(2, "kill -SEGV $$"));
    fixture.start(script(3, "kill -KILL $$"));
    fixture.start(script(4, "i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done"));
    fixture.start(script(5, "sleep 0.05"));

    assert_eq!(fixture.ended(1).how, Exit::Code(7));
    assert!(matches!(fixture.ended(2).how, Exit::Signal { signal: 11, .. }));
    let killed = fixture.ended(3);
    assert_eq!(killed.how, Exit::Signal { signal: 9, core: false });
    assert!(!killed.oom && killed.stopped_by.is_none(), "{killed:?}");

    let (busy, idle) = (fixture.ended(4).usage, fixture.ended(5).usage);
    assert!(busy.cpu_us > 1_000 && busy.cpu_us <= busy.wall_us + 20_000, "{busy:?}");
    assert!(idle.wall_us >= 50_000 && idle.cpu_us < 50_000, "{idle:?}");
    assert!((100..1 << 20).contains(&idle.peak_rss_kib), "{idle:?}");
    fixture.supervisor.shut_down().unwrap();
}

#[test]
fn what_is_withheld_is_not_inherited_and_may_be_given() {
    let state = state();
    let mut fixture = Fixture::new(state.path());
    let (text, withheld) = ("echo \"${HOME-none} $PATH\"", vec!["HOME".to_owned()]);
    fixture.start(Start { withheld: withheld.clone(), ..script(1, text) });
    let env = vec![("HOME".into(), "/given".into())];
    fixture.start(Start { withheld, env, ..script(2, text) });
    let path = std::env::var("PATH").unwrap();
    for (ticket, home) in [(1, "none"), (2, "/given")] {
        assert_eq!(fixture.ended(ticket).how, Exit::Code(0));
        assert_eq!(fixture.stdout(ticket), format!("{home} {path}\n"));
    }
}

fn what_a_process_is_given() {
    let state = state();
    let dir = state.path().join("made").join("for it");
    let mut fixture = Fixture::new(state.path());
    let text = "pwd; cat; echo \"$A $AUTOGLM_TICKET $AUTOGLM_SUPERVISOR\"; \
                grep -E '^Sig(Blk|Ign)' /proc/self/status; ls -l /proc/self/fd >&2; \
                ps -o pgid= -p $$; echo $$; : > out";
    fixture.start(Start {
        env: vec![("A".into(), "b c".into())],
        cwd: dir.clone(),
        work_dir: Some(dir.clone()),
        output_file: dir.join("out"),
        ..script(77, text)
    });
    let ended = fixture.ended(77);
    assert_eq!((ended.how, ended.has_output_file), (Exit::Code(0), true));
    let canonical = |path: &Path| fs::canonicalize(path).unwrap().display().to_string();
    let stdout = fixture.stdout(77);
    let [cwd, variables, blocked, ignored, group, pid] =
        stdout.lines().map(str::trim).collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(cwd, canonical(&dir));
    assert_eq!(variables, format!("b c 77 {}", canonical(state.path())));
    let mask =
        |line: &str| u64::from_str_radix(line.split_whitespace().last().unwrap(), 16).unwrap();
    let pipe_and_term = 1 << 12 | 1 << 14;
    assert_eq!((mask(blocked), mask(ignored) & pipe_and_term), (0, 0));
    assert_eq!(group, pid);
    let files = String::from_utf8(fixture.output(77, Stream::Err)).unwrap();
    assert!(files.contains("0 -> /dev/null"), "{files}");
    // 0, 1, 2 and the directory that `ls` reads.
    assert_eq!(files.matches(" -> ").count(), 4, "{files}");
    fixture.start(script(78, "true"));
    assert!(!fixture.ended(78).has_output_file);
}

fn programs_are_found_by_the_tasks_path() {
    let state = state();
    std::os::unix::fs::symlink("/bin/echo", state.path().join("say")).unwrap();
    let mut fixture = Fixture::new(state.path());
    let path = |value: &str| vec![("PATH".to_owned(), value.to_owned())];
    let argv: Vec<_> = ["say", "hello"].map(Into::into).to_vec();
    let cases = [
        path(&format!("/nowhere:{}", state.path().display())),
        path("relative:."),
        path("/nowhere:"),
    ];
    for (ticket, env) in (1..).zip(cases) {
        let (argv, cwd) = (argv.clone(), state.path().into());
        fixture.start(Start { argv, env, cwd, ..script(ticket, "") });
        assert_eq!(fixture.ended(ticket).how, Exit::Code(0));
        assert_eq!(fixture.stdout(ticket), "hello\n");
    }
}

fn starts_that_fail_say_why() {
    let state = state();
    let mut fixture = Fixture::new(state.path());
    let argv = |words: &[&str]| words.iter().map(Into::into).collect::<Vec<_>>();
    let path = vec![("PATH".into(), "/nowhere".into())];
    let file = state.path().join("a file");
    fs::write(&file, "").unwrap();
    let cases = [
        (Start { argv: argv(&["no-such-program"]), ..script(1, "") }, 2, "start `no-such-program`"),
        (Start { cwd: "/nowhere".into(), ..script(2, "") }, 2, "enter `/nowhere`"),
        (Start { argv: argv(&[]), ..script(3, "") }, 0, "the command is empty"),
        (Start { argv: argv(&["a\0b"]), ..script(4, "") }, 0, "NUL byte"),
        (Start { argv: argv(&["/dev/null"]), ..script(5, "") }, 13, "start `/dev/null`"),
        (Start { env: path, ..script(6, "") }, 2, "start `sh`"),
        (Start { work_dir: Some(file), ..script(7, "") }, 17, "a file"),
    ];
    for (start, errno, said) in cases {
        let ticket = start.ticket.0;
        fixture.start(start);
        let Exit::SpawnFailed { errno: got, message } = fixture.ended(ticket).how else {
            panic!("{ticket} ran");
        };
        assert_eq!(got, errno, "{ticket}: {message}");
        assert!(message.contains(said), "{ticket}: {message}");
    }
    fixture.start(script(8, "echo $$; sleep 1000"));
    let pids = fixture.lines(8, 1);
    fixture.start(script(8, "echo twice"));
    assert!(matches!(fixture.ended(8).how, Exit::SpawnFailed { .. }));
    assert!(!is_gone(&pids[0]));
    fixture.start(script(9, "true"));
    assert_eq!(fixture.ended(9).how, Exit::Code(0), "it goes on after failures");
}

fn open_files_are_limited_for_tasks_only() {
    let state = state();
    let own = env::current_exe().unwrap();
    let launch = format!("ulimit -S -n 100; exec '{}' {HIDDEN_ARGUMENT} \"$0\"", own.display());
    let config = Config {
        program: "/bin/sh".into(),
        arguments: ["-c", &launch].map(Into::into).to_vec(),
        ..Config::new(state.path().into())
    };
    let (supervisor, reader) = Supervisor::launch(&config).unwrap();
    let mut fixture = Fixture { supervisor, events: listen(reader), seen: Vec::new() };
    let gate = state.path().join("gate");
    let text = format!("ulimit -S -n; while ! [ -e '{}' ]; do sleep 0.01; done", gate.display());
    for ticket in 0..60 {
        fixture.start(script(ticket, &text));
    }
    for ticket in 0..60 {
        assert_eq!(fixture.lines(ticket, 1), ["100"]);
    }
    fs::write(gate, "").unwrap();
    for ticket in 0..60 {
        assert_eq!(fixture.ended(ticket).how, Exit::Code(0));
    }
}

fn many_at_once_leave_nothing() {
    let state = state();
    let mut fixture = Fixture::new(state.path());
    for ticket in 0..200 {
        fixture.supervisor.start(script(ticket, "echo $AUTOGLM_TICKET; sleep 0.01 & :"));
    }
    fixture.supervisor.flush().unwrap();
    for ticket in 0..200 {
        assert_eq!(fixture.ended(ticket).how, Exit::Code(0));
        assert_eq!(fixture.stdout(ticket), format!("{ticket}\n"));
    }
    until("no child, no zombie", || fixture.children() == 0);
    fixture.supervisor.shut_down().unwrap();
}

fn output_above_the_cap_is_dropped() {
    let state = state();
    let mut fixture = Fixture::new(state.path());
    fixture.start(script(1, "head -c 50000000 /dev/zero; echo done >&2"));
    assert_eq!(fixture.ended(1).how, Exit::Code(0));
    assert_eq!(fixture.dropped(1), (50_000_000 + "done\n".len() as u64 - CAP, 0));
    assert_eq!(fixture.output(1, Stream::Out).len() as u64, CAP);
}

fn a_worker_that_does_not_read() {
    let state = state();
    let (mut supervisor, reader) = Supervisor::launch(&Config::new(state.path().into())).unwrap();
    let done = state.path().join("done");
    let text = format!("head -c 30000000 /dev/zero; : > '{}'", done.display());
    supervisor.start(Start { output_cap_bytes: u64::MAX, ..script(1, &text) });
    supervisor.flush().unwrap();
    until("the end of a task that nobody listens to", || done.exists());

    let mut fixture = Fixture { supervisor, events: listen(reader), seen: Vec::new() };
    assert_eq!(fixture.ended(1).how, Exit::Code(0));
    let (over_cap, stalled) = fixture.dropped(1);
    assert!(over_cap == 0 && stalled > 0);
    assert_eq!(fixture.output(1, Stream::Out).len() as u64 + stalled, 30_000_000);
    fixture.start(script(2, "echo again"));
    fixture.ended(2);
    assert_eq!(fixture.stdout(2), "again\n");
}

fn a_pipe_held_open_does_not_delay_the_end() {
    let state = state();
    let mut fixture = Fixture::new(state.path());
    fixture.start(script(1, "sleep 1000 & echo $!; exit 4"));
    assert_eq!(fixture.ended(1).how, Exit::Code(4));
    all_gone(&fixture.lines(1, 1));
}

fn term_then_kill() {
    let state = state();
    let mut fixture = Fixture::new(state.path());
    let term = |ms| StopKind::Term { grace: Span::millis(ms) };
    let wait = "echo ready; while :; do sleep 0.01; done";
    let cases = [
        ("trap '' TERM", term(50), Exit::Signal { signal: 9, core: false }, Step::Kill),
        ("trap 'exit 3' TERM", term(1_000_000), Exit::Code(3), Step::Term),
        (":", term(1_000_000), Exit::Signal { signal: 15, core: false }, Step::Term),
        ("trap '' TERM", StopKind::Kill, Exit::Signal { signal: 9, core: false }, Step::Kill),
    ];
    for (ticket, (trap, kind, how, step)) in (1..).zip(cases) {
        fixture.start(script(ticket, &format!("{trap}; {wait}")));
        fixture.lines(ticket, 1);
        fixture.supervisor.stop(Ticket(ticket), kind);
        fixture.supervisor.flush().unwrap();
        let ended = fixture.ended(ticket);
        assert_eq!((ended.how, ended.stopped_by), (how, Some(step)), "{trap}, {kind:?}");
        assert!(!ended.oom);
    }
    // A stop again, with less grace, and one for a process that has ended.
    fixture.start(script(9, &format!("trap '' TERM; {wait}")));
    fixture.lines(9, 1);
    for (ticket, grace_ms) in [(9, 1_000_000), (9, 10), (9, 2_000_000), (1, 10)] {
        fixture.supervisor.stop(Ticket(ticket), term(grace_ms));
    }
    fixture.supervisor.flush().unwrap();
    assert_eq!(fixture.ended(9).stopped_by, Some(Step::Kill));
}

fn escaped_descendants_end_with_their_task() {
    let state = state();
    let mut fixture = Fixture::new(state.path());
    fixture.start(script(1, FAMILY));
    fixture.start(script(2, FAMILY));
    let (ends, stays) = (fixture.lines(1, FAMILY_SIZE), fixture.lines(2, FAMILY_SIZE));
    fixture.supervisor.stop(Ticket(1), StopKind::Kill);
    fixture.supervisor.flush().unwrap();
    fixture.ended(1);
    all_gone(&ends);
    assert!(!stays.iter().any(|pid| is_gone(pid)), "another task's family was hit");

    // One that hides where it comes from is spared only as long as there are tasks.
    fixture.start(script(3, "env -i setsid sleep 1000 & echo $!"));
    fixture.ended(3);
    let hidden = fixture.lines(3, 1);
    fixture.supervisor.stop(Ticket(2), StopKind::Kill);
    fixture.supervisor.flush().unwrap();
    fixture.ended(2);
    all_gone(&stays);
    all_gone(&hidden);
    until("no child, no zombie", || fixture.children() == 0);
}

fn orphans_of_a_running_task_are_reaped() {
    let state = state();
    let mut fixture = Fixture::new(state.path());
    fixture.start(script(1, "for i in 1 2 3; do (sleep 0.01 &); done; echo ready; sleep 1000"));
    fixture.lines(1, 1);
    until("only the leader is left", || fixture.children() == 1);
}

fn signals_do_not_end_the_supervisor() {
    let state = state();
    let mut fixture = Fixture::new(state.path());
    fixture.start(script(1, "echo ready; read -r line || :; sleep 0.02; echo end"));
    fixture.lines(1, 1);
    for sent in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT] {
        signal(fixture.supervisor.pid(), sent);
    }
    assert_eq!(fixture.ended(1).how, Exit::Code(0));
    let pid = fixture.supervisor.pid();
    let session = rustix::process::getsid(Pid::from_raw(pid as i32)).unwrap();
    assert_eq!(session.as_raw_nonzero().get() as u32, pid, "it leads its own session");
    fixture.supervisor.shut_down().unwrap();
}

fn all_die_with_the_worker() {
    let state = state();
    let (mut worker, family) = worker_with_family(state.path());
    assert!(!family.iter().any(|pid| is_gone(pid)));
    signal(worker.id(), Signal::KILL);
    worker.wait().unwrap();
    all_gone(&family);
    let mut next = Fixture::new(state.path());
    let leftovers = next.wait(|event| match event {
        Event::Ready { leftovers, .. } => Some(*leftovers),
        _ => None,
    });
    assert_eq!(leftovers, 0, "the supervisor itself has cleaned up");
}

fn the_next_supervisor_waits_for_the_last() {
    let state = state();
    let (mut worker, family) = worker_with_family(state.path());
    let mut next = Fixture::new(state.path());
    // It has had the time in which another state's supervisor comes up and runs a task.
    let elsewhere = another_state();
    let mut other = Fixture::new(elsewhere.path());
    other.start(script(1, "sleep 0.1"));
    other.ended(1);
    assert_eq!(next.events.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout));

    next.start(script(1, "echo started"));
    signal(worker.id(), Signal::KILL);
    next.wait(|event| matches!(event, Event::Ready { .. }).then_some(()));
    assert!(family.iter().all(|pid| is_gone(pid)), "tasks of two supervisors at a time");
    next.lines(1, 1);
    worker.wait().unwrap();
}

fn what_a_killed_supervisor_left_is_killed() {
    let (state, elsewhere) = (state(), another_state());
    let (mut first, mut other) = (Fixture::new(state.path()), Fixture::new(elsewhere.path()));
    first.start(script(1, FAMILY));
    other.start(script(1, FAMILY));
    let (family, spared) = (first.lines(1, FAMILY_SIZE), other.lines(1, FAMILY_SIZE));
    signal(first.supervisor.pid(), Signal::KILL);
    assert!(first.supervisor.shut_down().is_err());
    assert!(!family.iter().any(|pid| is_gone(pid)), "nobody is there to kill them yet");

    let mut next = Fixture::new(state.path());
    let leftovers = next.wait(|event| match event {
        Event::Ready { leftovers, .. } => Some(*leftovers),
        _ => None,
    });
    assert!(family.iter().all(|pid| is_gone(pid)), "it was ready before they were gone");
    assert!(leftovers as usize >= FAMILY_SIZE, "{leftovers}");
    assert!(!spared.iter().any(|pid| is_gone(pid)), "another state's tasks were hit");
}

fn what_hides_is_killed() {
    let state = state();
    let mut first = Fixture::new(state.path());
    // Neither its group, nor its session, nor its environment tells whose it is.
    let hidden = "setsid env -i /bin/sh -c 'echo $$; exec sleep 1000' & wait";
    first.start(script(1, hidden));
    let hidden = first.lines(1, 1);
    signal(first.supervisor.pid(), Signal::KILL);
    assert!(first.supervisor.shut_down().is_err());
    assert!(!is_gone(&hidden[0]), "nobody is there to kill it yet");
    let mut next = Fixture::new(state.path());
    next.wait(|event| matches!(event, Event::Ready { .. }).then_some(()));
    assert!(is_gone(&hidden[0]), "it was ready before the hidden one was gone");
}
