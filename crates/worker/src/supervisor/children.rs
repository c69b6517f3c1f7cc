//! The children that the supervisor did not start: descendants of tasks whose parents have died,
//! which the kernel gives to the nearest subreaper.
//!
//! A sweep lists them and kills those whose task has ended. The kernel's list of children is one
//! read of one open file, so it can be asked at every exit. A child keeps its process id until it
//! is reaped here, so an id in the list is safe to signal.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use artifacts::logs::Ticket;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions};

use super::{COOKIE_VARIABLE, TICKET_VARIABLE};

/// What the kernel writes of a list at once; no page is smaller.
const PAGE_BYTES: usize = 4096;

/// The kernel's list of this process's children.
pub struct Children {
    file: File,
    text: Vec<u8>,
}

impl Children {
    /// Opens the list. There must be one thread only: the kernel keeps a list for each.
    pub fn open() -> io::Result<Self> {
        const PATH: &str = "/proc/thread-self/children";
        let file = File::open(PATH)
            .map_err(|error| io::Error::new(error.kind(), format!("{PATH}: {error}")))?;
        Ok(Self { file, text: vec![0; PAGE_BYTES] })
    }

    /// The children that exist now, those not yet reaped included.
    pub fn list(&mut self) -> io::Result<impl Iterator<Item = Pid>> {
        let mut length = 0;
        loop {
            let count = self.file.read_at(&mut self.text[length..], length as u64)?;
            length += count;
            // The kernel stops within a list only when a page is full, so the usual list, which is
            // short, costs one call.
            if count < PAGE_BYTES / 2 {
                break;
            }
            self.text.resize(length + PAGE_BYTES, 0);
        }
        let words = self.text[..length].split(|byte| *byte == b' ');
        Ok(words.filter_map(|word| Pid::from_raw(str::from_utf8(word).ok()?.parse().ok()?)))
    }

    /// Kills every child, and theirs as they come, until none is left.
    pub fn kill_all(&mut self) -> io::Result<()> {
        loop {
            for pid in self.list()? {
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
            match rustix::process::wait(WaitOptions::empty()) {
                Ok(_) => while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {},
                Err(Errno::CHILD) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// A child that the supervisor did not start.
struct Stranger {
    /// Readable when it has ended.
    exit: OwnedFd,
    /// The task that it comes from; `None` while it hides it.
    ticket: Option<Ticket>,
}

/// All such children that are known.
#[derive(Default)]
pub struct Strangers(HashMap<Pid, Stranger>);

impl Strangers {
    /// Looks at a child that no task leads: learns where it comes from, and kills it unless
    /// `may_live` is true of its task. Returns what tells its end if the child is new.
    pub fn meet(
        &mut self,
        pid: Pid,
        state_dir: &Path,
        may_live: impl Fn(Option<Ticket>) -> bool,
    ) -> io::Result<Option<&OwnedFd>> {
        let is_new = !self.0.contains_key(&pid);
        if is_new {
            let exit = match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
                Ok(exit) => exit,
                // The next sweep tries again.
                Err(Errno::MFILE | Errno::NFILE) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            self.0.insert(pid, Stranger { exit, ticket: None });
        }
        let stranger = self.0.get_mut(&pid).expect("just inserted");
        if stranger.ticket.is_none() {
            stranger.ticket = ticket_of(pid, state_dir);
        }
        if !may_live(stranger.ticket) {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
        Ok(is_new.then_some(&stranger.exit))
    }

    /// Reaps a stranger that has ended.
    pub fn reap(&mut self, pid: Pid) {
        if self.0.remove(&pid).is_some() {
            let _ = rustix::process::waitpid(Some(pid), WaitOptions::NOHANG);
        }
    }

    /// Whether there is anything to keep an eye on.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The task that a process comes from, by its environment; `None` if it has cleared it, is just
/// executing another program, or belongs to a supervisor further down.
fn ticket_of(pid: Pid, state_dir: &Path) -> Option<Ticket> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let cookie = variable(&environment, COOKIE_VARIABLE)?;
    if cookie != state_dir.as_os_str().as_encoded_bytes() {
        return None;
    }
    str::from_utf8(variable(&environment, TICKET_VARIABLE)?).ok()?.parse().ok().map(Ticket)
}

/// The value of a variable in the text of `/proc/PID/environ`.
pub fn variable<'a>(environment: &'a [u8], name: &str) -> Option<&'a [u8]> {
    environment
        .split(|byte| *byte == 0)
        .find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_found_by_their_whole_name() {
        let environment = b"XAUTOGLM_TICKET=1\0AUTOGLM_TICKETS=2\0AUTOGLM_TICKET=3\0EMPTY=\0";
        assert_eq!(variable(environment, TICKET_VARIABLE), Some(&b"3"[..]));
        assert_eq!(variable(environment, "EMPTY"), Some(&b""[..]));
        assert_eq!(variable(environment, "AUTOGLM"), None);
    }
}
