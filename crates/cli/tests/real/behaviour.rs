//! What each command does on the real thing, in brief: how it ends, what it prints, what it leaves.

mod decisions;
mod ending;
mod repeating;
mod tasks;
mod telling;

use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::binary::Home;

const FINE: &str = "tasks: [{name: only, script: echo fine}]\n";

#[test]
fn exit_codes_tell_who_is_to_blame() {
    let home = Home::new();
    let fine = home.write("fine.yaml", FINE);
    let failing = home.write("failing.yaml", "tasks: [{name: bad, script: exit 9}]\n");
    let invalid = home.write("invalid.yaml", "tasks: [{name: a, depends_on: b, script: x}]\n");
    let needy = home.write(
        "needy.yaml",
        "params: {day: {type: string}}\ntasks: [{name: a, script: 'echo {{ params.day }}'}]\n",
    );
    for (arguments, code) in [
        (&["run", &fine][..], 0),
        (&["run", &failing], 1),
        (&["run", "--no-such-option"], 2),
        (&["run", &invalid], 4),
        (&["run", &needy], 4),
        (&["run", &needy, "-p", "day=monday"], 0),
        (&["run", "missing.yaml"], 5),
        (&["get", "99"], 5),
        (&["get", "1", "nobody"], 5),
        (&["logs", "99"], 5),
        (&["explain", "1", "nobody"], 5),
        (&["stop", "1"], 6),
        (&["retry", "1", "--yes"], 6),
        (&["resume", "1"], 6),
        (&["journal", "verify"], 0),
    ] {
        let finished = home.run(arguments);
        assert_eq!(finished.code, code, "{arguments:?}: {}", finished.stderr);
        assert!(code == 0 || !finished.stderr.is_empty(), "{arguments:?} says why");
    }
}

#[test]
fn a_refused_file_leaves_nothing() {
    let home = Home::new();
    let invalid = home.write("invalid.yaml", "tasks: [{name: a, scirpt: x}]\n");
    let finished = home.run(&["run", &invalid]);
    assert_eq!(finished.code, 4);
    assert!(finished.stderr.contains("script"), "{}", finished.stderr);
    assert!(!home.state().join("journal.sqlite").exists(), "nothing was begun for it");
}

#[test]
fn every_json_is_json() {
    let home = Home::new();
    let fine = home.write("fine.yaml", FINE);
    let run = home.json(&["run", &fine]);
    assert_eq!(run["run"]["status"], "succeeded");
    assert_eq!(home.json(&["list"])["runs"][0]["run"], 1);
    assert_eq!(home.json(&["get"])["tasks"][0]["name"], "only");
    assert_eq!(home.json(&["get", "1", "only"])["items"][0]["status"], "succeeded");
    assert_eq!(home.json(&["explain", "1", "only"])["status"], "succeeded");
    home.json(&["plan", &fine]);
    home.json(&["validate", &fine]);
    assert_eq!(home.json(&["journal", "verify"])["ok"], true);
    assert_eq!(home.json(&["journal", "stat"])["facts"]["run_ended"], 1);
    assert!(home.json(&["schema"])["properties"].is_object());
    let refused = home.run(&["get", "99", "-o", "json"]);
    let error: serde_json::Value = serde_json::from_str(&refused.stderr).expect("JSON");
    assert_eq!(error["error"]["code"], "E0202");
    assert_eq!(home.run(&["list", "-o", "name"]).stdout, "1\n");
    assert_eq!(home.run(&["logs", "last", "only"]).stdout, "fine\n");
}

/// Holders come and go, and whoever looks meanwhile is always answered, by one of them or by the
/// folder itself.
#[test]
fn looking_while_holders_come_and_go_never_fails() {
    let home = Home::new();
    let fine = home.write("fine.yaml", FINE);
    assert_eq!(home.run(&["run", &fine]).code, 0);
    let binary = home.command(&[]);
    let mut shell = Command::new("sh");
    let script = r#"until test -e end; do "$0" run fine.yaml && echo x >> runs || exit; done"#;
    shell.args(["-c", script]).arg(binary.get_program()).env_clear().current_dir(home.folder());
    shell.envs(binary.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut running = home.start_with(shell);
    let until = Instant::now() + Duration::from_secs(10);
    let mut looks = 0;
    while Instant::now() < until {
        for look in [&["list"][..], &["get", "last"], &["logs"], &["events"]] {
            let looked = home.run(look);
            assert_eq!(looked.code, 0, "{look:?}: {}", looked.stderr);
            looks += 1;
        }
        assert_eq!(running.ended(), None, "{}", running.said());
    }
    home.write("end", "");
    assert_eq!(running.finish().code, 0);
    println!("{looks} looks beside {} runs", home.lines("runs").len());
    home.wait_until_quiet();
}

/// Runs that are submitted from several sides: to whoever holds the state, be it one that is just
/// ending, or to one of their own. Each is accepted, and each runs to its end without a pause.
#[test]
fn running_while_holders_come_and_go_never_fails() {
    const SIDES: usize = 3;
    const RUNS: usize = 40;
    /// Less than a worker waits for the answer to a hello that got lost.
    const PAUSE_MAX: Duration = Duration::from_millis(2_500);
    let home = Home::new();
    let fine = home.write("fine.yaml", FINE);
    let command = |side: usize, number: usize| {
        let mut command = home.command(&["run", "--new", &fine]);
        if side == 0 && number.is_multiple_of(4) {
            command.arg("--detach");
        }
        command
    };
    let run_all = |commands: Vec<Command>| {
        let timed = commands.into_iter().map(|mut command| {
            let begun = Instant::now();
            let output = command.output().expect("it starts");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{command:?}: {said}");
            begun.elapsed()
        });
        timed.max()
    };
    let slowest = std::thread::scope(|scope| {
        let sides = (0..SIDES).map(|side| (0..RUNS).map(|number| command(side, number)).collect());
        let sides: Vec<_> = sides.map(|commands| scope.spawn(move || run_all(commands))).collect();
        sides.into_iter().filter_map(|side| side.join().expect("it ends")).max()
    });
    println!("the slowest of {} runs took {slowest:?}", SIDES * RUNS);
    assert!(slowest < Some(PAUSE_MAX), "{slowest:?}");
    home.wait_until_quiet();
    // None was accepted by a process that ended without it, and none was accepted twice.
    let succeeded = home.run(&["list", "--status", "succeeded", "-n", "1000", "-o", "name"]);
    assert_eq!(succeeded.stdout.lines().count(), SIDES * RUNS, "{}", succeeded.stderr);
}
