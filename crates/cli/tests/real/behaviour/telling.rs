//! What is said of runs is true of them, also where there is little to say.

use crate::support::binary::Home;

#[test]
fn a_fan_out_that_failed_counts_items_and_not_their_first_attempts() {
    let home = Home::new();
    home.write("flow.yaml", "tasks: {sc: {foreach: [a, b, c], script: 'test {{ item }} != b'}}\n");
    let ran = home.run(&["run", "flow.yaml"]);
    assert!(ran.stderr.contains("✗ sc: exit 1 in 1 of 3 items\n"), "{}", ran.stderr);
    home.wait_until_quiet();
}

#[test]
fn a_retry_takes_as_long_as_it_takes() {
    let home = Home::new();
    home.write("flow.yaml", "tasks: {a: {script: 'test -e ok'}}\n");
    assert_eq!(home.run(&["run", "flow.yaml"]).code, 1);
    assert!(home.json(&["get", "1"])["run"].get("again_seconds").is_none());
    home.write("ok", "");
    let again = home.run(&["retry", "1", "--yes"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(again.stderr.contains(" since it was accepted: 1 succeeded\n"), "{}", again.stderr);
    let run = home.json(&["get", "1"])["run"].clone();
    assert!(run["again_seconds"].as_f64() < run["duration_seconds"].as_f64(), "{run}");
    home.wait_until_quiet();
}

#[test]
fn where_there_is_nothing_yet_everything_says_the_same() {
    let home = Home::new();
    for look in ["verify", "export", "stat"] {
        let none = home.run(&["journal", look]);
        assert_eq!(none.code, 5, "{look}: {}", none.stderr);
        assert!(none.stderr.contains("there are no runs yet"), "{look}: {}", none.stderr);
    }
    let help = home.run(&["help"]);
    assert_eq!((help.code, help.stdout.as_str()), (0, home.run(&["--help"]).stdout.as_str()));
    assert_eq!(home.run(&["help", "logs"]).stdout, home.run(&["logs", "--help"]).stdout);
}

#[test]
fn what_would_be_removed_is_named() {
    let home = Home::new();
    home.write("flow.yaml", "tasks: {a: {script: 'true'}}\n");
    for _ in 0..3 {
        assert_eq!(home.run(&["run", "flow.yaml"]).code, 0);
    }
    home.wait_until_quiet();
    let none = home.run(&["list", "-n", "0"]);
    assert!(none.stderr.contains("-n 0 asks for none"), "{}", none.stderr);
    let gc = home.run(&["gc", "--keep-runs", "1"]);
    assert!(gc.stdout.contains("    runs 1-2\n"), "{} {}", gc.stdout, gc.stderr);
    assert_eq!(home.json(&["gc", "--keep-runs", "1"])["numbers"], serde_json::json!([1, 2]));
    home.wait_until_quiet();
}
