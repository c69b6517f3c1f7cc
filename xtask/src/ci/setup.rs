//! Brings the programs that the chosen steps need: Debian packages, and only missing ones.
//!
//! It installs as root alone and says what is missing otherwise. No package starts a service
//! while it is being installed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::runner;
use super::steps::{Need, Step};

/// Debian asks this program before it starts a service; exit code 101 forbids it.
const POLICY: &str = "/usr/sbin/policy-rc.d";
const POLICY_TEXT: &str = "#!/bin/sh\nexit 101\n";

/// Says which test runner is here, and installs what `steps` need and the machine lacks.
///
/// # Errors
/// When something is missing and cannot be installed.
pub(crate) fn prepare(root: &Path, steps: &[&Step]) -> Result<(), String> {
    let runner = if has_nextest() { "cargo nextest" } else { "cargo test (no nextest here)" };
    println!("tests run by {runner}");
    let needs = steps.iter().flat_map(|step| step.needs);
    let mut missing: Vec<&str> =
        needs.filter(|need| !is_installed(need)).map(|need| need.package).collect();
    missing.sort_unstable();
    missing.dedup();
    if missing.is_empty() { Ok(()) } else { install(root, &missing.join(" ")) }
}

/// Whether `cargo nextest` can be run.
pub(crate) fn has_nextest() -> bool {
    let version = Command::new("cargo")
        .args(["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    version.is_ok_and(|status| status.success())
}

fn is_installed(need: &Need) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // A server's own folder is often not in the path of an ordinary user.
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.into_iter().any(|folder| folder.join(need.program).is_file())
}

fn install(root: &Path, packages: &str) -> Result<(), String> {
    let by_hand = format!("install by hand: apt-get install --no-install-recommends {packages}");
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    if !is_root {
        return Err(format!("missing, and this is not root; {by_hand}"));
    }
    let _trap = NoServices::set().map_err(|error| format!("{POLICY}: {error}; {by_hand}"))?;
    let arguments = "--yes --no-install-recommends";
    for line in [
        "apt-get update --quiet".to_owned(),
        format!("DEBIAN_FRONTEND=noninteractive apt-get install {arguments} {packages}"),
    ] {
        runner::run(root, &line).map_err(|reason| format!("{reason}; {by_hand}"))?;
    }
    Ok(())
}

/// While it lives, no package starts a service. A policy that was there before is left alone.
struct NoServices {
    is_ours: bool,
}

impl NoServices {
    fn set() -> std::io::Result<Self> {
        let is_ours = !Path::new(POLICY).exists();
        if is_ours {
            fs::write(POLICY, POLICY_TEXT)?;
            fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755))?;
        }
        Ok(Self { is_ours })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.is_ours {
            // Left behind it would only forbid more; nothing better can be done here.
            let _ = fs::remove_file(POLICY);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_in_the_path_or_not_at_all() {
        assert!(is_installed(&Need { program: "sh", package: "dash" }));
        assert!(!is_installed(&Need { program: "no-such-program-here", package: "none" }));
    }
}
