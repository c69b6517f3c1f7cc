//! One process of a task: how it is started, what it writes, how it ends.
//!
//! The process leads a group of its own whose id cannot be reused before the process is reaped, so
//! its group may be signalled as long as this value exists, and never after. Nothing here blocks: a
//! pipe is read only when it is known to hold something or to have ended.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Instant;

use artifacts::logs::Stream;
use artifacts::logs::Ticket;
use model::outcome::Usage;
use rustix::fs::Access;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions};

use super::cgroup::{Confinement, Group, Readings};
use super::spawn::{Child, Spawner};
use super::wire::{Exit, Start, Step};

/// A process that was started and not yet reaped.
pub struct Process {
    /// The attempt it belongs to.
    pub ticket: Ticket,
    /// Its id, and its group's.
    pub pid: Pid,
    /// Readable when it has ended.
    pub exit: OwnedFd,
    /// When it was started.
    pub started: Instant,
    /// The last step of the kill ladder that was taken.
    pub stopped_by: Option<Step>,
    /// When the whole group is to be killed.
    pub kill_at: Option<Instant>,
    /// The machine's count of kills for want of memory when it started.
    pub oom_kills_before: u64,
    /// What becomes of its output.
    pub output: OutputCount,
    /// Its control group, if it has one of its own.
    group: Option<Group>,
    /// Its stdout and stderr, as long as it has not closed them.
    pipes: [Option<OwnedFd>; 2],
    output_file: PathBuf,
}

/// How much output may still be kept, and how much was not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputCount {
    /// Bytes below the cap.
    pub left: u64,
    /// Bytes dropped because of the cap.
    pub over_cap: u64,
    /// Bytes dropped because the worker did not read.
    pub stalled: u64,
}

impl OutputCount {
    /// The part of `bytes` that the cap lets through; the rest is counted as dropped.
    pub fn admit<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let admitted = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= admitted as u64;
        self.over_cap += (bytes.len() - admitted) as u64;
        &bytes[..admitted]
    }

    /// Counts admitted bytes as dropped after all.
    pub fn stall(&mut self, bytes: usize) {
        self.left += bytes as u64;
        self.stalled += bytes as u64;
    }
}

/// What is known of a process that was reaped.
pub struct Ended {
    /// How it ended.
    pub how: Exit,
    /// What it used.
    pub usage: Usage,
    /// Whether its output file is there.
    pub has_output_file: bool,
    /// What its control group told.
    pub readings: Readings,
    /// Its control group, if that cannot be removed yet.
    pub group: Option<Group>,
}

impl Process {
    /// Starts a process.
    pub fn start(start: Start, spawner: &Spawner, confinement: &Confinement) -> Result<Self, Exit> {
        let started = Instant::now();
        let group = group(&start, confinement)?;
        let doors = group.as_ref().map(Group::doors).unwrap_or_default();
        let started_one = spawner.spawn(&start, &doors).and_then(|child| {
            let exit = rustix::process::pidfd_open(child.pid, PidfdFlags::empty());
            exit.map_err(|error| abandon(child.pid, error)).map(|exit| (child, exit))
        });
        let (Child { pid, stdout, stderr }, exit) =
            started_one.inspect_err(|_| group.iter().for_each(give_up))?;
        Ok(Self {
            ticket: start.ticket,
            pid,
            exit,
            started,
            stopped_by: None,
            kill_at: None,
            oom_kills_before: 0,
            output: OutputCount { left: start.output_cap_bytes, ..OutputCount::default() },
            group,
            pipes: [Some(stdout), Some(stderr)],
            output_file: start.output_file,
        })
    }

    /// Ends a process that cannot be watched, and says so.
    pub fn abandon(self, error: Errno) -> Exit {
        let exit = abandon(self.pid, error);
        if let Some(group) = self.group {
            give_up(&group);
        }
        exit
    }

    /// The pipe of a stream, unless it is closed.
    pub fn pipe(&self, stream: Stream) -> Option<&OwnedFd> {
        self.pipes[stream as usize].as_ref()
    }

    /// Reads what a stream holds now into `buffer`, and closes it when it has ended. Returns how
    /// many bytes there were.
    pub fn read(&mut self, stream: Stream, buffer: &mut [u8]) -> usize {
        let Some(pipe) = &self.pipes[stream as usize] else { return 0 };
        match rustix::io::read(pipe, buffer) {
            Ok(count) if count > 0 => count,
            Err(Errno::AGAIN | Errno::INTR) => 0,
            _ => {
                self.pipes[stream as usize] = None;
                0
            }
        }
    }

    /// Bytes that a stream holds now.
    pub fn readable(&self, stream: Stream) -> u64 {
        self.pipe(stream).and_then(|pipe| rustix::io::ioctl_fionread(pipe).ok()).unwrap_or(0)
    }

    /// Sends a signal to the whole group.
    pub fn signal(&mut self, step: Step) {
        let signal = if step == Step::Term { Signal::TERM } else { Signal::KILL };
        self.stopped_by = self.stopped_by.max(Some(step));
        // It fails only when nobody in the group may be signalled any more.
        let _ = rustix::process::kill_process_group(self.pid, signal);
    }

    /// Kills what is in its control group besides: after its end, nothing is to be left.
    pub fn kill_group(&self) {
        self.group.iter().for_each(Group::kill);
    }

    /// Reaps the process, which has ended: from here on its id means nothing.
    pub fn reap(self, now: Instant) -> io::Result<Ended> {
        let pid = self.pid.as_raw_nonzero().get().unsigned_abs();
        let reaped = wait4::try_wait4_pid(pid)?
            .ok_or_else(|| io::Error::other("a process whose end was reported still runs"))?;
        let cpu = reaped.rusage.utime + reaped.rusage.stime;
        let readings = self.group.as_ref().map(Group::readings).unwrap_or_default();
        Ok(Ended {
            how: exit(reaped.status),
            usage: Usage {
                wall_us: now.duration_since(self.started).as_micros() as u64,
                cpu_us: readings.cpu_us.unwrap_or(cpu.as_micros() as u64),
                peak_rss_kib: readings.peak_bytes.unwrap_or(reaped.rusage.maxrss) / 1024,
            },
            readings,
            group: self.group.filter(|group| !group.remove()),
            has_output_file: rustix::fs::access(&self.output_file, Access::EXISTS).is_ok(),
        })
    }
}

/// A control group for what is started, if it needs one and can have one.
fn group(start: &Start, confinement: &Confinement) -> Result<Option<Group>, Exit> {
    if !start.limits.need_group() {
        return Ok(None);
    }
    confinement.group(start.ticket, &start.limits).map_err(|error| Exit::SpawnFailed {
        errno: error.raw_os_error().unwrap_or(0),
        message: format!("cannot limit it: {error}"),
    })
}

/// Removes a group in which nothing was to run. If something does, the next supervisor finds it.
fn give_up(group: &Group) {
    group.kill();
    group.remove();
}

/// Ends a process that runs but cannot be watched, for want of file descriptors or the like.
fn abandon(pid: Pid, error: Errno) -> Exit {
    let _ = rustix::process::kill_process_group(pid, Signal::KILL);
    let _ = rustix::io::retry_on_intr(|| rustix::process::waitpid(Some(pid), WaitOptions::empty()));
    let message = format!("cannot watch the new process: {error}");
    Exit::SpawnFailed { errno: error.raw_os_error(), message }
}

fn exit(status: ExitStatus) -> Exit {
    match status.signal() {
        Some(signal) => Exit::Signal { signal, core: status.core_dumped() },
        None => Exit::Code(status.code().unwrap_or(-1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_above_the_cap_is_counted() {
        let mut output = OutputCount { left: 5, ..OutputCount::default() };
        assert_eq!(output.admit(b"abc"), b"abc");
        output.stall(3);
        assert_eq!(output.admit(b"defghij"), b"defgh");
        assert_eq!(output.admit(b"k"), b"");
        assert_eq!(output, OutputCount { left: 0, over_cap: 3, stalled: 3 });
    }
}
