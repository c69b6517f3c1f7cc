//! Tasks in containers, by a real Docker daemon of its own on a private socket, with an image made
//! from busybox: what they see, leave and are held to, how they end, and that none is left behind.
//!
//! It needs Docker's daemon, busybox and the right to run them. Without these the tests say so and
//! pass, unless `AUTOGLM_TEST_DOCKER=required`, which CI sets.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::binary::Home;
use crate::support::wait;

/// The variable that says whether the tests must find what they need.
const SWITCH: &str = "AUTOGLM_TEST_DOCKER";
/// How long a daemon may take to be there, and to go.
const PATIENCE: Duration = Duration::from_secs(60);
const IMAGE: &str = "autoglm-test:1";
const APPLETS: [&str; 9] = ["sh", "echo", "sleep", "head", "awk", "cat", "ls", "touch", "test"];

/// A daemon that lives as long as this.
struct Docker {
    daemon: Child,
    folder: TempDir,
}

impl Docker {
    /// One with an image; `None` when this machine has none, and nobody insists.
    fn start() -> Option<Self> {
        match Self::try_start() {
            Ok(docker) => Some(docker),
            Err(reason) => {
                let required = std::env::var(SWITCH).is_ok_and(|value| value == "required");
                assert!(!required, "{SWITCH}=required, but {reason}");
                println!("not tested, for want of Docker: {reason}");
                None
            }
        }
    }

    fn try_start() -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let at = |name: &str| folder.path().join(name);
        let log = fs::File::create(at("log")).map_err(|error| error.to_string())?;
        let daemon = Command::new("dockerd")
            .arg(format!("--host=unix://{}", at("docker.sock").display()))
            .arg("--data-root")
            .arg(at("data"))
            .arg("--exec-root")
            .arg(at("exec"))
            .arg("--pidfile")
            .arg(at("pid"))
            .args(["--iptables=false", "--ip6tables=false", "--bridge=none"])
            .args(["--ip-forward=false", "--ip-masq=false", "--storage-driver=vfs"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("`dockerd`: {error}"))?;
        let mut docker = Self { daemon, folder };
        let began = Instant::now();
        while docker.ask(&["version"]).is_err() {
            let is_over = docker.daemon.try_wait().is_ok_and(|ended| ended.is_some());
            if is_over || began.elapsed() > PATIENCE {
                let log = fs::read_to_string(docker.folder.path().join("log"));
                return Err(format!("the daemon does not come up: {}", log.unwrap_or_default()));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        docker.make_image()?;
        Ok(docker)
    }

    fn socket(&self) -> String {
        format!("unix://{}", self.folder.path().join("docker.sock").display())
    }

    /// What Docker's own client says.
    fn ask(&self, arguments: &[&str]) -> Result<String, String> {
        let mut docker = Command::new("docker");
        docker.arg("--host").arg(self.socket()).args(arguments);
        let said = docker.output().map_err(|error| format!("`docker`: {error}"))?;
        match said.status.success() {
            true => Ok(String::from_utf8_lossy(&said.stdout).trim().to_owned()),
            false => Err(String::from_utf8_lossy(&said.stderr).into_owned()),
        }
    }

    fn make_image(&self) -> Result<(), String> {
        let root = self.folder.path().join("root");
        fs::create_dir_all(root.join("bin")).map_err(|error| error.to_string())?;
        fs::create_dir_all(root.join("tmp")).map_err(|error| error.to_string())?;
        fs::copy("/bin/busybox", root.join("bin/busybox"))
            .map_err(|error| format!("busybox: {error}"))?;
        for applet in APPLETS {
            std::os::unix::fs::symlink("busybox", root.join("bin").join(applet))
                .map_err(|error| error.to_string())?;
        }
        let archive = self.folder.path().join("image.tar");
        let archive = archive.to_str().expect("a plain path");
        let root = root.to_str().expect("a plain path");
        let packed = Command::new("tar").args(["-C", root, "-cf", archive, "."]).status();
        if !packed.is_ok_and(|status| status.success()) {
            return Err("`tar` failed".to_owned());
        }
        self.ask(&["import", archive, IMAGE]).map(drop)
    }

    fn containers(&self) -> Vec<String> {
        let ids = self.ask(&["ps", "--all", "--quiet"]).expect("the daemon answers");
        ids.lines().map(str::to_owned).collect()
    }

    /// A command on a state folder that knows the daemon.
    fn command(&self, home: &Home, arguments: &[&str]) -> Command {
        let mut command = home.command(arguments);
        command.env("DOCKER_HOST", self.socket());
        command
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        // It stops its containers, and its own children.
        let pid = rustix::process::Pid::from_child(&self.daemon);
        let _ = rustix::process::kill_process(pid, Signal::TERM);
        let _ = self.daemon.wait();
    }
}

const FLOW: &str = r#"
on_failure: continue
tasks:
  hi:
    foreach: [1, 2]
    env: {WHO: "{{ item }}"}
    container:
      image: autoglm-test:1
      command:
        - sh
        - -c
        - |
          echo "hi $WHO"; echo there >&2; cat /seen/file
          touch /seen/mine || echo "read only"
          echo "n=$WHO$(cat /seen/file)" > "$AUTOGLM_OUTPUT"
          echo kept > "$AUTOGLM_WORKDIR/kept"
      mounts: "seen:/nowhere"
      network: none
  both: {depends_on: hi, script: "echo {{ tasks.hi.outputs.n | join('+') }}"}
"#;

/// One for each way to end.
const ENDS: &str = r#"
on_failure: continue
tasks:
  code: {container: {image: "autoglm-test:1", command: [sh, -c, "exit 7"], pull: never}}
  absent: {container: {image: "absent:1", pull: never}}
  program: {container: {image: "autoglm-test:1", command: [no-such-program]}}
  memory:
    container:
      image: autoglm-test:1
      command: [sh, -c, 'exec awk "BEGIN { for (;;) s[++n] = sprintf(\"%4096s\", n) }"']
    resources: {limits: {memory: 32Mi, pids: 50, cpu: 1}}
  asked:
    container:
      image: autoglm-test:1
      command: [sh, -c, "trap 'echo caught; exit 3' TERM; while :; do sleep 0.1; done"]
    timeout: 3s
    grace: 20s
  deaf:
    container:
      image: autoglm-test:1
      command: [sh, -c, "trap '' TERM; while :; do sleep 0.1; done"]
    timeout: 3s
    grace: 1s
  silent:
    container: {image: "autoglm-test:1", command: [sleep, "1000"]}
    heartbeat: 2s
    grace: 100ms
  lives:
    container:
      image: autoglm-test:1
      command: [sh, -c, 'for i in 1 2 3 4; do sleep 1; touch "$AUTOGLM_HEARTBEAT"; done']
    heartbeat: 3s
  sly:
    container: {image: "autoglm-test:1", command: [sh, -c, 'ln -s /etc/passwd "$AUTOGLM_OUTPUT"']}
"#;

fn tasks(run: &Value) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let tasks = run["tasks"].as_array().expect("a list").iter();
    tasks.map(|it| (text(&it["name"]), text(&it["status"]), text(&it["trouble"]))).collect()
}

#[test]
#[ignore = "starts a Docker daemon: a CI step of its own"]
fn tasks_run_in_containers() {
    let Some(docker) = Docker::start() else { return };
    let home = Home::new();
    let flow = FLOW.replace("seen:/nowhere", &format!("{}:/seen:ro", home.folder().display()));
    fs::write(home.folder().join("file"), "5").expect("written");
    let file = home.write("flow.yaml", &flow);
    let run = home.start_with(docker.command(&home, &["run", &file])).finish();
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let log = home.run(&["logs", "last"]).stdout;
    for said in ["hi 1", "hi 2", "there", "read only", "15+25"] {
        assert!(log.contains(said), "{said} in {log}");
    }
    assert!(!home.folder().join("mine").exists());

    let file = home.write("ends.yaml", ENDS);
    let run = home.start_with(docker.command(&home, &["run", &file])).finish();
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    let ended = tasks(&home.json(&["get", "last"]));
    let how = |name: &str| {
        let (_, status, trouble) = ended.iter().find(|it| it.0 == name).expect("a task");
        format!("{status}: {trouble}")
    };
    assert_eq!(how("code"), "failed: exit 7");
    assert!(how("absent").starts_with("failed: could not be started"), "{}", how("absent"));
    assert!(how("program").starts_with("failed: could not be started"), "{}", how("program"));
    assert_eq!(how("memory"), "failed: out of memory");
    assert_eq!((how("asked"), how("deaf")), ("timed_out: timed out".into(), how("asked")));
    assert_eq!((how("silent"), how("lives")), (how("asked"), "succeeded: ".into()));
    assert_eq!(how("sly"), "succeeded: ", "a link is no file of outputs");
    let log = home.run(&["logs", "last"]).stdout;
    assert!(log.contains("caught") && log.contains("is never to be pulled"), "{log}");
    assert!(!log.contains("root:"), "what the link led to was read");
    assert_eq!(docker.containers(), Vec::<String>::new(), "containers were left");
}

#[test]
#[ignore = "starts a Docker daemon: a CI step of its own"]
fn what_a_killed_worker_left_is_removed() {
    let Some(docker) = Docker::start() else { return };
    let home = Home::new();
    let text = "tasks:\n  stay:\n    container:\n      image: autoglm-test:1\n      \
                command: [sh, -c, 'test -e \"$AUTOGLM_WORKDIR/been\" && exit 0; \
                touch \"$AUTOGLM_WORKDIR/been\"; sleep 1000']\n";
    let file = home.write("stay.yaml", text);
    let running = home.start_with(docker.command(&home, &["run", &file]));
    let began = Instant::now();
    while docker.containers().is_empty() || !is_there(&home, "been") {
        assert!(began.elapsed() < PATIENCE, "the container never came: {}", running.said());
        std::thread::sleep(Duration::from_millis(50));
    }
    let left = docker.containers();
    running.signal(Signal::KILL);
    running.finish();
    assert_eq!(docker.containers(), left, "nobody is there to remove it yet");

    let again = home.start_with(docker.command(&home, &["run", &file])).finish();
    assert_eq!(again.code, 0, "{}{}", again.stdout, again.stderr);
    wait::until("no container", PATIENCE, || docker.containers().is_empty().then_some(()));
}

/// Whether a work folder has a file.
fn is_there(home: &Home, name: &str) -> bool {
    let found = Command::new("find").arg(home.state().join("work")).args(["-name", name]).output();
    found.is_ok_and(|found| !found.stdout.is_empty())
}
