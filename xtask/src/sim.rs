//! `cargo xtask sim`: builds the simulator and hands it the arguments.
//!
//! The toolbox links none of the product's crates, so the simulator runs as a process of its own.

use std::path::Path;
use std::process::Command;

/// Runs the simulator; its own output says what went wrong.
///
/// # Errors
/// It cannot be started, a seed fails, or an argument is not understood.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<(), String> {
    let status = Command::new("cargo")
        .args(["run", "--quiet", "--package", "simulator", "--"])
        .args(arguments)
        .current_dir(root)
        .status()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("the simulator ended with {status}")) }
}
