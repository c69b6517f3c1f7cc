//! What a dead worker has left running that is no process of ours: its containers. They are ended
//! by our own binary, run once more, for the supervisor speaks no HTTP and must not learn it.
//!
//! What cannot be ended now stays marked, and is ended before the next worker starts anything.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use super::{HIDDEN_ARGUMENT, PROCESS_NAME};
use crate::executors::Containers;

/// The argument behind the hidden one that makes the binary this step.
pub const ARGUMENT: &str = "--outside";
/// How long the step may take: the next worker waits for the supervisor's lock.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often is looked whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Ends what a worker of this folder has left, if it may have left anything. Call it when no task
/// runs any more.
pub fn end(state_dir: &Path) -> io::Result<()> {
    if !Containers::may_be_left(state_dir) {
        return Ok(());
    }
    let mut step = Command::new("/proc/self/exe")
        .arg0(PROCESS_NAME)
        .args([HIDDEN_ARGUMENT, ARGUMENT])
        .arg(state_dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    let began = Instant::now();
    while step.try_wait()?.is_none() {
        if began.elapsed() > PATIENCE {
            step.kill()?;
            step.wait()?;
            break;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

/// The step itself.
pub fn main(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let Some(state_dir) = arguments.next().map(PathBuf::from) else { return ExitCode::FAILURE };
    match Containers::end_left(&state_dir) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            // Who reads it, if anybody, has lost the worker, too.
            let _ = writeln!(io::stderr(), "supervisor: containers may be left: {reason}");
            ExitCode::FAILURE
        }
    }
}
