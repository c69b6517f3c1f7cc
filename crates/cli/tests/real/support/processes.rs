//! The processes of a state folder, as the kernel shows them in `/proc`.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::process::{Pid, Signal};

/// The variable that every process of a task inherits; its value is the state folder.
const COOKIE: &str = "AUTOGLM_SUPERVISOR";

/// A process, told from a later one with the same number by its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub pid: u32,
    parent: u32,
    started: String,
    /// The command line, for messages.
    pub command: String,
    /// The fencing token of the attempt that it belongs to.
    pub token: Option<u64>,
}

impl Process {
    /// Whether it still runs; one that has ended and waits to be reaped does not.
    pub(crate) fn runs(&self) -> bool {
        let same = |status: &Status| status.state != "Z" && status.started == self.started;
        status(self.pid).as_ref().is_some_and(same)
    }
}

/// All processes that tasks of the state folder have started, grandchildren included.
pub(crate) fn of_tasks(home: &Path) -> Vec<Process> {
    all(|pid| {
        let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
        let value = |name: &str| {
            let entries = environment.split(|byte| *byte == 0);
            entries.into_iter().find_map(|entry| {
                entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=").map(<[u8]>::to_vec)
            })
        };
        if value(COOKIE)? != home.as_os_str().as_bytes() {
            return None;
        }
        let token = value("AUTOGLM_TOKEN").and_then(|text| String::from_utf8(text).ok());
        Some(token.and_then(|text| text.parse().ok()))
    })
}

/// The supervisors of the state folder.
pub(crate) fn supervisors(home: &Path) -> Vec<Process> {
    let wanted = home.as_os_str().as_bytes();
    let found = all(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let mut words = line.split(|byte| *byte == 0);
        let is_one = words.any(|word| word == b"__supervise") && words.any(|word| word == wanted);
        is_one.then_some(None)
    });
    // A task looks like its supervisor between its fork and its exec.
    let pids: Vec<_> = found.iter().map(|process| process.pid).collect();
    found.into_iter().filter(|process| !pids.contains(&process.parent)).collect()
}

/// The names of the threads of a process.
pub(crate) fn threads(pid: u32) -> Vec<String> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| fs::read_to_string(entry.path().join("comm")).ok());
    names.map(|name| name.trim_end().to_owned()).collect()
}

/// Sends a signal. That the process has ended is no error.
pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process id");
    // It may have ended a moment ago.
    let _ = rustix::process::kill_process(pid, signal);
}

/// Every process of which `look` says something.
fn all(look: impl Fn(u32) -> Option<Option<u64>>) -> Vec<Process> {
    let entries = fs::read_dir("/proc").expect("/proc is there");
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let found = pids.filter_map(|pid| {
        let token = look(pid)?;
        let Status { state, parent, started } = status(pid)?;
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&line).replace('\0', " ");
        (state != "Z").then_some(Process { pid, parent, started, command, token })
    });
    found.collect()
}

/// What the kernel says of a process.
struct Status {
    /// A letter; `Z` has ended and waits to be reaped.
    state: String,
    parent: u32,
    /// When it started, in ticks since the machine did.
    started: String,
}

fn status(pid: u32) -> Option<Status> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it is in brackets, and may hold anything.
    let mut fields = text.rsplit_once(") ")?.1.split(' ').map(str::to_owned);
    let (state, parent) = (fields.next()?, fields.next()?.parse().ok()?);
    Some(Status { state, parent, started: fields.nth(17)? })
}
