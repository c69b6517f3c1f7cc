//! A disk that is full in the middle of a run, or read-only, and is put right again: what was
//! acknowledged stays, running tasks end, and work goes on by itself.
//!
//! A file system of its own needs root and the right to mount. Without them the tests say so and
//! pass, unless `AUTOGLM_TEST_MOUNT=required`, which CI sets.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::binary::Home;
use crate::support::{api, journal, processes, wait};

/// The variable that says whether the tests must find a way to mount.
const SWITCH: &str = "AUTOGLM_TEST_MOUNT";
/// How large the file system is.
const DISK_MIB: u32 = 24;
/// How soon trouble must show, and be over.
const SHOWS_WITHIN: Duration = Duration::from_secs(30);
/// How soon somebody who asks for something must hear that it is impossible.
const REFUSED_WITHIN: Duration = Duration::from_secs(20);

/// A task says something, leaves an output, and writes down that it was there.
const FLOW: &str = r#"
version: 1
tasks:
  - name: work
    foreach: {range: 300}
    script: |
      printf '%s\n' "$AUTOGLM_ITEM" >> "$FOLDER/begun"
      sleep 0.02
      echo "item $AUTOGLM_ITEM was here"
  - name: end
    depends_on: work
    script: echo over
"#;

const OTHER: &str = "tasks: [{name: other, script: 'true'}]\n";

/// A small ext4 file system in a file, mounted while this lives.
struct Disk {
    folder: TempDir,
}

impl Disk {
    /// `None` when this machine does not let us, and nobody insists.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let disk = Self { folder };
        fs::create_dir(disk.root()).expect("made");
        let image = disk.folder.path().join("image");
        let file = File::create(&image).expect("made");
        file.set_len(u64::from(DISK_MIB) << 20).expect("sized");
        let made = run("mkfs.ext4", &["-q", "-m", "0", path(&image)])
            .and_then(|()| run("mount", &["-o", "loop", path(&image), path(&disk.root())]));
        match made {
            Ok(()) => Some(disk),
            Err(reason) => {
                let required = std::env::var(SWITCH).is_ok_and(|value| value == "required");
                assert!(!required, "{SWITCH}=required, but {reason}");
                println!("not tested, for want of a file system: {reason}");
                None
            }
        }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    fn filler(&self) -> PathBuf {
        self.root().join("filler")
    }

    /// Takes all the room that there is.
    fn fill(&self) {
        let mut file = File::create(self.filler()).expect("made");
        // Ever smaller pieces, to the last block.
        for size in [1 << 20, 64 << 10, 4 << 10, 512] {
            while file.write_all(&vec![7; size]).is_ok() {}
        }
        let _ = file.sync_all();
    }

    fn free(&self) {
        fs::remove_file(self.filler()).expect("removed");
    }

    /// As after a fault, even though files are open for writing.
    fn make_read_only(&self, read_only: bool) {
        let how = if read_only { "remount,ro" } else { "remount,rw" };
        run("mount", &["-o", how, path(&self.root())]).expect("remounted");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmounted = run("umount", &["-l", path(&self.root())]);
        if let (Err(reason), false) = (unmounted, std::thread::panicking()) {
            panic!("{reason}");
        }
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error| format!("`{program}`: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("`{program}`: {said}")) }
}

fn storage(home: &Home) -> Option<String> {
    api::get(home.state(), "health")?["storage"].as_str().map(str::to_owned)
}

fn succeeded(home: &Home) -> u64 {
    let run = api::get(home.state(), "runs/last?limit=1").expect("somebody answers");
    run["run"]["items"]["succeeded"].as_u64().unwrap_or(0)
}

/// The end of every test here: all items have succeeded, each once, and the journal is sound.
fn check_end(home: &Home, run: &str) {
    let detail = home.json(&["get", run]);
    assert_eq!(detail["run"]["status"], "succeeded");
    assert_eq!(detail["run"]["items"], serde_json::json!({ "succeeded": 301 }));
    journal::verify(home);
    let facts = journal::facts(home);
    assert!(journal::ends(&facts).iter().all(|end| end.outcome == "succeeded"));
    let mut begun = home.lines("begun");
    begun.sort();
    begun.dedup();
    assert_eq!((begun.len(), home.lines("begun").len()), (300, 300), "each item began once");
}

#[test]
fn a_full_disk_is_waited_for() {
    let Some(disk) = Disk::mount() else { return };
    let home = Home::with_state(disk.root().join("state"));
    let flow = home.write("flow.yaml", FLOW);
    let other = home.write("other.yaml", OTHER);
    let running = home.start(&["run", &flow]);
    wait::until("some items have ended", SHOWS_WITHIN, || {
        (home.lines("begun").len() >= 40).then_some(())
    });
    disk.fill();
    wait::until("the holder says that the disk is full", SHOWS_WITHIN, || {
        storage(&home).filter(|storage| storage == "full")
    });
    // What runs comes to its end; nothing new can be recorded as begun.
    wait::until_gone("running tasks", SHOWS_WITHIN, || processes::of_tasks(home.state()));
    let before = succeeded(&home);
    let begun = home.lines("begun").len();
    assert!(before >= 20 && begun < 300, "{before} succeeded, {begun} begun");

    // Who asks for something hears why it is impossible, and soon.
    let asked = Instant::now();
    let refused = home.start(&["run", &other, "--detach", "-o", "json"]);
    let refused = refused.finish_within(REFUSED_WITHIN);
    assert_eq!(refused.code, 74, "{}{}", refused.stdout, refused.stderr);
    let error: Value = serde_json::from_str(&refused.stderr).expect("JSON");
    let code = error["error"]["code"].as_str().expect("it has a code");
    assert!(code.starts_with("E03"), "{error}");
    println!("refused after {:?}: {}", asked.elapsed(), error["error"]["message"]);

    assert_eq!(succeeded(&home), before, "what was seen is still there");
    // What comes after the journal waits for room, too, with its files open: who reads them has
    // none to open them anew.
    assert!(processes::threads(running.pid()).iter().any(|name| name == "follower"));
    disk.free();
    let finished = running.finish();
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let archived = fs::read_dir(home.state().join("objects")).expect("there").count();
    assert_eq!(archived, 2, "the history of the run, beside the folder of what is under way");
    check_end(&home, "1");
    home.wait_until_quiet();
}

#[test]
fn a_full_disk_outlives_the_holder() {
    let Some(disk) = Disk::mount() else { return };
    let home = Home::with_state(disk.root().join("state"));
    let flow = home.write("flow.yaml", FLOW);
    let running = home.start(&["run", &flow]);
    wait::until("some items have ended", SHOWS_WITHIN, || {
        (home.lines("begun").len() >= 40).then_some(())
    });
    disk.fill();
    wait::until("the holder says that the disk is full", SHOWS_WITHIN, || {
        storage(&home).filter(|storage| storage == "full")
    });
    let before = succeeded(&home);
    running.signal(rustix::process::Signal::KILL);
    running.finish();
    // Looking needs no room.
    let listed = home.run(&["get", "last", "-o", "json"]);
    assert_eq!(listed.code, 0, "{}", listed.stderr);
    let detail: Value = serde_json::from_str(&listed.stdout).expect("JSON");
    let now = detail["run"]["items"]["succeeded"].as_u64().unwrap_or(0);
    assert!(now >= before, "{now} succeeded, and {before} had been acknowledged");
    // Going on does. What has ended has given a little back: that is taken, too.
    home.wait_until_quiet();
    disk.fill();
    let refused = home.start(&["run", &flow]).finish_within(REFUSED_WITHIN);
    assert_eq!(refused.code, 74, "{}", refused.stderr);
    disk.free();
    let finished = home.run(&["run", &flow]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    assert!(finished.stderr.contains("goes on where it stopped"), "{}", finished.stderr);
    assert_eq!(home.json(&["get", "1"])["run"]["items"]["succeeded"], 301);
    journal::verify(&home);
    home.wait_until_quiet();
}

#[test]
fn a_read_only_disk_is_named() {
    let Some(disk) = Disk::mount() else { return };
    let home = Home::with_state(disk.root().join("state"));
    let flow = home.write("other.yaml", OTHER);
    assert_eq!(home.run(&["run", &flow]).code, 0);
    home.wait_until_quiet();
    disk.make_read_only(true);
    let refused = home.start(&["run", &flow]).finish_within(REFUSED_WITHIN);
    assert_eq!(refused.code, 74, "{}", refused.stderr);
    let names_it = refused.stderr.contains("E0304") || refused.stderr.contains("Read-only");
    assert!(names_it, "{}", refused.stderr);
    disk.make_read_only(false);
    assert_eq!(home.run(&["run", &flow]).code, 0);
    assert_eq!(home.json(&["list"])["runs"].as_array().map(Vec::len), Some(2));
}

/// What a kill has left on a disk that cannot be written since is read, the journal's log included.
#[test]
fn a_read_only_disk_is_read() {
    let Some(disk) = Disk::mount() else { return };
    let home = Home::with_state(disk.root().join("state"));
    let other = home.write("other.yaml", "tasks: [{name: other, script: 'echo so it was'}]\n");
    assert_eq!(home.run(&["run", &other]).code, 0);
    let flow = home.write("flow.yaml", FLOW);
    let running = home.start(&["run", &flow]);
    wait::until("some items have ended", SHOWS_WITHIN, || {
        (home.lines("begun").len() >= 40).then_some(())
    });
    running.signal(rustix::process::Signal::KILL);
    running.finish();
    home.wait_until_quiet();
    let log = fs::metadata(home.state().join("journal.sqlite-wal")).expect("the journal's log");
    assert!(log.len() > 0, "there must be something in it to lose");
    let facts = || {
        let exported = home.run(&["journal", "export"]);
        assert_eq!(exported.code, 0, "{}", exported.stderr);
        exported.stdout
    };
    disk.make_read_only(true);
    let read_only = facts();
    assert_eq!(home.json(&["list"])["runs"].as_array().map(Vec::len), Some(2));
    assert_eq!(home.json(&["get", "2"])["run"]["status"], "running");
    assert_eq!(home.run(&["logs", "1"]).stdout, "other | so it was\n");
    assert_eq!(home.run(&["explain", "2", "end"]).code, 0);
    assert!(home.run(&["events", "2"]).stdout.contains("run 2 of flow was accepted"));
    journal::verify(&home);
    assert_eq!(home.run(&["journal", "stat"]).code, 0);
    disk.make_read_only(false);
    assert_eq!(facts(), read_only, "nothing was passed over");
    assert_eq!(home.run(&["run", &flow]).code, 0);
}
