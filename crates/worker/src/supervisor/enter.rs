//! The step of a process into the groups of its attempt, before it becomes the task.
//!
//! A process must be in its group before the task's first instruction: a child that is moved later
//! may have children outside by then. The supervisor itself does not go in to fork there, because
//! the kernel might kill it when the group's memory ends, and may wait for a grace period when a
//! process is moved. So the child is our own binary first, which enters and then executes the
//! task: one exec more, in the child's time.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use super::{HIDDEN_ARGUMENT, PROCESS_NAME};

/// The argument behind the hidden one that makes the binary this step.
pub const ARGUMENT: &str = "--enter";

/// What shells say of a program that cannot be executed.
const CANNOT_EXECUTE: u8 = 126;

/// The words of the step: its own, the files to enter by, and the program. What follows them are
/// the words of the task.
pub fn arguments<'a>(
    doors: &'a [PathBuf],
    program: &'a OsStr,
) -> impl Iterator<Item = OsString> + 'a {
    let count = doors.len().to_string().into();
    let own = [PROCESS_NAME.into(), HIDDEN_ARGUMENT.into(), ARGUMENT.into(), count];
    let doors = doors.iter().map(|door| door.as_os_str().to_owned());
    own.into_iter().chain(doors).chain([program.to_owned()])
}

/// Enters and executes; what it returns is how it failed to.
pub fn main(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let error = match step(&mut arguments) {
        Err(error) => error,
        Ok(mut command) => command.exec(),
    };
    let _ = writeln!(io::stderr(), "autoglm: cannot start under its limits: {error}");
    ExitCode::from(CANNOT_EXECUTE)
}

fn step(arguments: &mut impl Iterator<Item = OsString>) -> io::Result<Command> {
    let mut next = || arguments.next().ok_or_else(|| io::Error::other("an argument is missing"));
    let doors = next()?.into_string().ok().and_then(|count| count.parse().ok()).unwrap_or(0);
    for _ in 0..doors {
        let door = next()?;
        fs::write(&door, "0").map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", door.display()))
        })?;
    }
    let mut command = Command::new(next()?);
    command.arg0(next()?).args(arguments);
    Ok(command)
}
