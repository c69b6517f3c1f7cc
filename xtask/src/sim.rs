//! `cargo xtask sim`: builds the simulator and hands it the arguments.
//!
//! The toolbox links none of the product's crates, so the simulator runs as a process of its own.
//! Without `--seed` the seeds follow from the commit: each commit tries new ones, and anybody can
//! try the same.

use std::path::Path;
use std::process::Command;

/// Runs the simulator; its own output says what went wrong.
///
/// # Errors
/// It cannot be started, a seed fails, or an argument is not understood.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<(), String> {
    let seed = if arguments.iter().any(|word| word == "--seed" || word == "--plan") {
        Vec::new()
    } else {
        vec!["--seed".to_owned(), commit_seed(root).to_string()]
    };
    let status = Command::new("cargo")
        .args(["run", "--quiet", "--package", "simulator", "--"])
        .args(seed)
        .args(arguments)
        .current_dir(root)
        .status()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("the simulator ended with {status}")) }
}

/// The first seven hexadecimal digits of the commit as a number; 1 where there is no commit.
fn commit_seed(root: &Path) -> u64 {
    const DIGITS: usize = 7;
    let output = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(root).output();
    let commit = output.map(|output| output.stdout).unwrap_or_default();
    let digits = commit.get(..DIGITS).and_then(|digits| std::str::from_utf8(digits).ok());
    digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()).map_or(1, |seed| seed.max(1))
}
