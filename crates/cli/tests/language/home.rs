//! A state folder that plays one case after the other, each in a folder of its own with the files
//! of its topic.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long a command may take.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);

/// One state folder.
pub(crate) struct Home {
    folder: TempDir,
    /// Runs that were accepted so far, which is the number of the last one.
    pub(crate) runs: u32,
    cases: u32,
}

/// A command that has ended.
pub(crate) struct Finished {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A command that was started.
pub(crate) struct Running {
    child: Child,
    said: PathBuf,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder"), runs: 0, cases: 0 }
    }

    /// A folder with all files of the topic that `case` is of.
    pub(crate) fn folder_for(&mut self, case: &Path) -> PathBuf {
        self.cases += 1;
        let folder = self.folder.path().join(self.cases.to_string());
        fs::create_dir(&folder).expect("made");
        let topic = case.parent().expect("a file is in a folder");
        copy(topic, &folder);
        folder
    }

    /// A command in `folder` with a clean environment.
    pub(crate) fn command(&self, folder: &Path, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_autoglm"));
        command.args(words).env_clear().stdin(Stdio::null()).current_dir(folder);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", folder).env("AUTOGLM_HOME", self.folder.path().join("state"));
        command.env("AUTOGLM_CPU", "4").env("AUTOGLM_MEMORY", "1Gi").env("USER", "tester");
        command.env("AUTOGLM_RESOURCES", "license=2,gpu=2");
        command
    }

    /// Runs a command in `folder` to its end.
    pub(crate) fn run(&self, folder: &Path, words: &[&str]) -> Result<Finished, String> {
        start(self.command(folder, words), folder)?.finish()
    }

    /// The JSON that a command prints, one value or one a line.
    pub(crate) fn json(&self, folder: &Path, words: &[&str]) -> Result<Vec<Value>, String> {
        let finished = self.run(folder, words)?;
        if finished.code != 0 {
            return Err(format!("{words:?} ended with {}: {}", finished.code, finished.stderr));
        }
        let values = serde_json::Deserializer::from_str(&finished.stdout).into_iter();
        values.collect::<Result<_, _>>().map_err(|error| format!("{words:?}: {error}"))
    }
}

/// Copies all files of a folder but the snapshots, and those of the folders in it.
fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("the topic") {
        let from = entry.expect("it is there").path();
        let to = to.join(from.file_name().expect("it has a name"));
        if from.is_dir() {
            fs::create_dir(&to).expect("made");
            copy(&from, &to);
        } else if from.extension().is_none_or(|kind| kind != "snap") {
            fs::copy(&from, to).expect("copied");
        }
    }
}

/// Starts a command. What it says goes into files, so that it is never held up.
pub(crate) fn start(mut command: Command, folder: &Path) -> Result<Running, String> {
    let said = tempfile::Builder::new().prefix(".said").tempdir_in(folder);
    let said = said.map_err(|error| error.to_string())?.keep();
    let file = |name: &str| fs::File::create(said.join(name)).expect("made");
    let child = command.stdout(file("out")).stderr(file("err")).spawn();
    Ok(Running { child: child.map_err(|error| error.to_string())?, said })
}

impl Running {
    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("it is a child").is_some()
    }

    /// Waits for its end; kills it when that does not come.
    pub(crate) fn finish(mut self) -> Result<Finished, String> {
        let text = |name: &str| fs::read_to_string(self.said.join(name)).unwrap_or_default();
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("it is a child") {
                let code = status.code().unwrap_or(-1);
                return Ok(Finished { code, stdout: text("out"), stderr: text("err") });
            }
            if Instant::now() > deadline {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return Err(format!("not ended within {PATIENCE:?}: {}", text("err")));
            }
            std::thread::sleep(POLL);
        }
    }
}

/// Asks until there is an answer.
pub(crate) fn until<T>(
    what: &str,
    mut ask: impl FnMut() -> Result<Option<T>, String>,
) -> Result<T, String> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        std::thread::sleep(POLL);
    }
    Err(format!("not within {PATIENCE:?}: {what}"))
}
