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

use super::children::variable;
use super::{COOKIE_VARIABLE, PROCESS_NAME};

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
        let is_left = || carries_cookie(pid, state_dir) || is_unborn(pid, state_dir);
        if !is_left() {
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
        if is_left() {
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

/// A task that a supervisor was just starting when it was killed: it is still the supervisor's
/// image and has no environment of its own, but goes on to become the task. A supervisor that
/// waits for its lock looks alike, except that it leads its own session.
fn is_unborn(pid: Pid, state_dir: &Path) -> bool {
    let is_supervisor = fs::read(format!("/proc/{pid}/cmdline"))
        .is_ok_and(|words| names_supervisor(&words, state_dir));
    is_supervisor && rustix::process::getsid(Some(pid)).is_ok_and(|session| session != pid)
}

/// Whether a command line, words ended by zeros, is that of a supervisor of `state_dir`.
fn names_supervisor(words: &[u8], state_dir: &Path) -> bool {
    let mut words = words.split(|&byte| byte == 0);
    let state_dir = state_dir.as_os_str().as_encoded_bytes();
    words.next() == Some(PROCESS_NAME.as_bytes()) && words.any(|word| word == state_dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_supervisor_is_known_by_its_name_and_its_state() {
        let words = b"autoglm-supervisor\0__supervise\0/state\0";
        assert!(names_supervisor(words, Path::new("/state")));
        assert!(!names_supervisor(words, Path::new("/stat")));
        assert!(!names_supervisor(b"sh\0__supervise\0/state\0", Path::new("/state")));
        assert!(!names_supervisor(b"", Path::new("/state")));
    }
}
