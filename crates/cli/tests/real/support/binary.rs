//! The binary under test on a state folder of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::{processes, wait};

/// How long a command may take that does not run tasks for long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with workflow files and a state folder in it; gone with this value, and so is whatever
/// it has left running.
pub(crate) struct Home {
    folder: TempDir,
    state: PathBuf,
    started: std::cell::Cell<u32>,
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// A command that was started.
pub(crate) struct Running {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Home {
    /// Nothing has run here yet.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let state = folder.path().canonicalize().expect("it is there").join("state");
        Self { folder, state, started: Default::default() }
    }

    /// The same with the state somewhere else.
    pub(crate) fn with_state(state: PathBuf) -> Self {
        let mut home = Self::new();
        home.state = state;
        home
    }

    /// The folder with the workflow files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The state folder, as processes name it.
    pub(crate) fn state(&self) -> &Path {
        &self.state
    }

    /// Writes a file beside the state folder, and returns its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder().join(name);
        fs::write(&path, text).expect("written");
        path.to_str().expect("UTF-8").to_owned()
    }

    /// The lines of a file beside the state folder; none if it is not there.
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.folder().join(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// A command with a clean environment and two cores for tasks.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_autoglm"));
        command.args(arguments).env_clear().stdin(Stdio::null()).current_dir(self.folder());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.folder()).env("AUTOGLM_HOME", &self.state);
        command.env("AUTOGLM_CPU", "2").env("FOLDER", self.folder());
        command
    }

    /// Starts a command. What it says goes into files, so that it is never held up.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        self.start_with(self.command(arguments))
    }

    /// Starts a command that was made by [`Home::command`].
    pub(crate) fn start_with(&self, mut command: Command) -> Running {
        let number = self.started.replace(self.started.get() + 1);
        let file = |name: &str| {
            let path = self.folder().join(format!("said-{number}.{name}"));
            (File::create(&path).expect("made"), path)
        };
        let ((out, stdout), (err, stderr)) = (file("out"), file("err"));
        let child = command.stdout(out).stderr(err).spawn().expect("it starts");
        Running { child, stdout, stderr }
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Finished {
        self.start(arguments).finish()
    }

    /// Runs a command that must do as it is told, and reads the JSON that it prints.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let finished = self.run(&[arguments, &["-o", "json"]].concat());
        assert_eq!(finished.code, 0, "{arguments:?}: {}", finished.stderr);
        serde_json::from_str(&finished.stdout).expect("JSON")
    }

    /// The process that holds the state, as its lock file names it.
    pub(crate) fn holder(&self) -> u32 {
        let text = fs::read_to_string(self.state.join("lock")).expect("there was a holder");
        text.trim().parse().expect("it names itself")
    }

    /// Whether some process holds the state.
    pub(crate) fn is_held(&self) -> bool {
        let Ok(file) = File::open(self.state.join("lock")) else { return false };
        let lock = rustix::fs::FlockOperation::NonBlockingLockShared;
        rustix::fs::flock(&file, lock).is_err()
    }

    /// Waits until nobody holds the state and no process of it is left.
    pub(crate) fn wait_until_quiet(&self) {
        wait::until("nobody holds the state", PATIENCE, || (!self.is_held()).then_some(()));
        wait::until_gone("supervisors", PATIENCE, || processes::supervisors(&self.state));
        wait::until_gone("processes of tasks", PATIENCE, || processes::of_tasks(&self.state));
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // Only a test that failed leaves anything; what it leaves must not slow down the others.
        if self.is_held() {
            processes::signal(self.holder(), Signal::KILL);
        }
        let left = [processes::supervisors(&self.state), processes::of_tasks(&self.state)];
        for process in left.concat() {
            processes::signal(process.pid, Signal::KILL);
        }
        if std::thread::panicking() {
            self.folder.disable_cleanup(true);
            eprintln!("left for you: {}", self.folder().display());
        }
    }
}

impl Running {
    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        processes::signal(self.pid(), signal);
    }

    /// What it has said to people so far.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.stderr).expect("it is there")
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it is a child")
    }

    /// Waits until it has ended.
    pub(crate) fn finish(self) -> Finished {
        self.finish_within(PATIENCE)
    }

    /// Waits until it has ended, or fails the test.
    pub(crate) fn finish_within(mut self, patience: Duration) -> Finished {
        let what = format!("the end of a command that says: {}", self.said());
        let status = wait::until(&what, patience, || self.ended());
        let stdout = fs::read_to_string(&self.stdout).expect("text");
        Finished { code: status.code().unwrap_or(-1), stdout, stderr: self.said() }
    }
}
