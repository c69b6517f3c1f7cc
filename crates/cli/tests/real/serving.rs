//! `autoglm serve`: the state is held between runs, and let go of when it is told to.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::support::binary::Home;
use crate::support::{api, wait};

const PATIENCE: Duration = Duration::from_secs(60);
const FLOW: &str = "tasks: {a: {script: echo served}}\n";

#[test]
fn it_is_there_between_runs_until_it_is_told_to_end() {
    let home = Home::new();
    home.write("flow.yaml", FLOW);
    let served = home.start(&["serve"]);
    wait::until("it serves", PATIENCE, || api::get(home.state(), "health"));
    for _ in 0..2 {
        let run = home.run(&["run", "--new", "flow.yaml"]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert_eq!(home.holder(), served.pid(), "every run is held by the same process");
    }
    let second = home.run(&["serve"]);
    assert_eq!(second.code, 75, "{}", second.stderr);
    assert!(second.stderr.contains("serves"), "{}", second.stderr);
    served.signal(Signal::TERM);
    let ended = served.finish();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    home.wait_until_quiet();
}

#[test]
fn it_may_live_as_long_as_its_standard_input() {
    let home = Home::new();
    home.write("flow.yaml", FLOW);
    let mut command: Command = home.command(&["serve", "--until-eof"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("started");
    let mut leash = child.stdin.take().expect("it was asked for");
    wait::until("it serves", PATIENCE, || api::get(home.state(), "health"));
    leash.write_all(b"what it says does not matter\n").expect("it reads");
    assert_eq!(home.run(&["run", "flow.yaml"]).code, 0);
    drop(leash);
    assert!(child.wait().expect("it is a child").success());
    home.wait_until_quiet();
}

const QUEUE: &str = "tasks:\n\
    \x20 wide: {script: sleep 600, resources: {cpu: 1}}\n\
    \x20 large: {script: echo large, resources: {cpu: 2}}\n\
    \x20 small: {script: echo small, resources: {cpu: 1}}\n";

/// Under `fifo` who finds no room holds up all behind; a process in the background is told so on
/// its command line, whatever its environment says.
#[test]
fn whoever_holds_goes_by_the_policy_that_it_was_given() {
    let home = Home::new();
    home.write("queue.yaml", QUEUE);
    let started = home.run(&["run", "queue.yaml", "--detach", "--policy", "fifo"]);
    assert_eq!(started.code, 0, "{}", started.stderr);
    let kind = |task: &str| home.json(&["explain", "1", task])["blockers"][0]["kind"].clone();
    wait::until("the large one has no room", PATIENCE, || {
        (kind("large") == "no_room").then_some(())
    });
    assert_eq!(kind("small"), "behind");
    assert_eq!(home.run(&["terminate", "1"]).code, 0);
    home.wait_until_quiet();

    let other = home.start(&["run", "queue.yaml", "--new"]);
    wait::until("the small one goes before the large one", PATIENCE, || {
        let small = home.run(&["explain", "2", "small", "-o", "json"]).stdout;
        small.contains("\"succeeded\"").then_some(())
    });
    assert_eq!(home.run(&["terminate", "2"]).code, 0);
    other.finish();
}
