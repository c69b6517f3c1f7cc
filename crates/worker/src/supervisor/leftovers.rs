//! What a supervisor that was killed has left running: found by the cookie in the environment, and
//! killed before anything new starts.
//!
//! Processes are named by a pidfd from the moment they are found, so that a reused process id can
//! never be hit.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal};

use super::COOKIE_VARIABLE;
use super::children::variable;

/// Kills every process that carries the cookie of `state_dir`, and waits until all are gone.
/// Returns how many there were.
pub fn kill(state_dir: &Path) -> io::Result<u32> {
    let mut killed = 0;
    loop {
        // A process may fork between the scan and its death, so only an empty scan is the end.
        let found = find(state_dir)?;
        if found.is_empty() {
            return Ok(killed);
        }
        killed += found.len() as u32;
        for process in &found {
            // It may have ended by itself, which is as good.
            let _ = rustix::process::pidfd_send_signal(process, Signal::KILL);
        }
        for process in &found {
            let mut ended = [PollFd::new(process, PollFlags::IN)];
            rustix::io::retry_on_intr(|| rustix::event::poll(&mut ended, None))?;
        }
    }
}

fn find(state_dir: &Path) -> io::Result<Vec<OwnedFd>> {
    let own = rustix::process::getpid();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let pid = name.to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
        let Some(pid) = pid.filter(|pid| *pid != own) else { continue };
        if !carries_cookie(pid, state_dir) {
            continue;
        }
        let process = match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
            Ok(process) => process,
            // The next scan finds the rest, when these are gone and their pidfds closed.
            Err(Errno::MFILE | Errno::NFILE) if !found.is_empty() => break,
            Err(Errno::SRCH) => continue,
            Err(error) => return Err(error.into()),
        };
        // Asked again now that the pidfd holds on to whoever has this id.
        if carries_cookie(pid, state_dir) {
            found.push(process);
        }
    }
    Ok(found)
}

/// False also for a process that has ended, and for one of another user.
fn carries_cookie(pid: Pid, state_dir: &Path) -> bool {
    fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environment| {
        variable(&environment, COOKIE_VARIABLE) == Some(state_dir.as_os_str().as_encoded_bytes())
    })
}
