//! Starting a process: one `posix_spawn`, with nothing prepared twice.
//!
//! The standard library would do, but it copies the whole inherited environment for each child.
//! Here the environment is made once, and only a task's own variables are added. The child leads a
//! new process group, has `/dev/null` as stdin (the supervisor's own), two new pipes, no blocked
//! signal and no other open file.

use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags};
use nix::sys::signal::{SigSet, Signal};
use rustix::fs::{Access, OFlags};
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, Resource, Rlimit};
use rustix::thread::CpuSet;

use super::wire::{Exit, Start};
use super::{COOKIE_VARIABLE, TICKET_VARIABLE, enter};

/// Where a program without a slash is looked for when no `PATH` is set, as `execvp` has it.
const DEFAULT_PATH: &str = "/bin:/usr/bin";
/// The binary that this process and its children run, wherever it lies and even if it is gone.
const OWN_PROGRAM: &str = "/proc/self/exe";

/// What all children have in common.
pub struct Spawner {
    inherited: Vec<CString>,
    attributes: PosixSpawnAttr,
    open_files: OpenFiles,
    /// The cores that the supervisor may run on.
    cores: CpuSet,
    /// Files that whoever started the worker has left open; children do not get them.
    leaked: Vec<RawFd>,
}

/// The limit on open files: the supervisor takes all it may, for it holds three a process; children
/// get what it was given, because old programs break above 1,024.
struct OpenFiles {
    inherited: Rlimit,
    raised: Rlimit,
}

/// A process that was just started.
pub struct Child {
    /// Its id, and its group's.
    pub pid: Pid,
    /// The read end of its stdout.
    pub stdout: OwnedFd,
    /// The read end of its stderr.
    pub stderr: OwnedFd,
}

impl Spawner {
    /// A spawner for the supervisor of `state_dir`.
    pub fn new(state_dir: &Path) -> io::Result<Self> {
        let mut inherited = Vec::new();
        for (name, value) in env::vars_os() {
            if name != COOKIE_VARIABLE && name != TICKET_VARIABLE {
                inherited.push(variable(&name, &value)?);
            }
        }
        inherited.push(variable(COOKIE_VARIABLE.as_ref(), state_dir.as_os_str())?);

        let mut attributes = PosixSpawnAttr::init()?;
        attributes.set_flags(
            PosixSpawnFlags::POSIX_SPAWN_SETPGROUP
                | PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK
                | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF,
        )?;
        attributes.set_pgroup(nix::unistd::Pid::from_raw(0))?;
        attributes.set_sigmask(&SigSet::empty())?;
        // Rust programs ignore it; a child would inherit that.
        attributes.set_sigdefault(&SigSet::from(Signal::SIGPIPE))?;
        let cores = rustix::thread::sched_getaffinity(None)?;
        let open_files = OpenFiles::raise()?;
        Ok(Self { inherited, attributes, open_files, cores, leaked: leaked()? })
    }

    /// Starts a process, which first enters its groups by these files. The supervisor enters the
    /// process's directory and stays there.
    pub fn spawn(&self, start: &Start, doors: &[PathBuf]) -> Result<Child, Exit> {
        if let Some(dir) = &start.work_dir {
            fs::create_dir_all(dir).map_err(|error| failed("cannot make", dir, error))?;
        }
        // Always, even if the path is that of the last one: the directory may be another.
        rustix::process::chdir(&start.cwd)
            .map_err(|error| failed("cannot enter", &start.cwd, error.into()))?;
        self.spawn_here(start, doors).map_err(|error| {
            let program = start.argv.first().map_or(Path::new(""), Path::new);
            failed("cannot start", program, error)
        })
    }

    fn spawn_here(&self, start: &Start, doors: &[PathBuf]) -> io::Result<Child> {
        let mut argv =
            start.argv.iter().map(|argument| c_string(argument)).collect::<io::Result<Vec<_>>>()?;
        let program = start.argv.first().ok_or_else(|| invalid("the command is empty"))?;
        let mut program = find(program, start)?;
        if !doors.is_empty() {
            // Its own error would be but an exit code of the step.
            rustix::fs::access(&program, Access::EXEC_OK)?;
            let step = enter::arguments(doors, program.as_os_str());
            let step = step.map(|argument| c_string(&argument)).collect::<io::Result<Vec<_>>>()?;
            argv.splice(0..0, step);
            program = OWN_PROGRAM.into();
        }
        let program = c_string(program.as_os_str())?;

        let own = start
            .env
            .iter()
            .map(|(name, value)| variable(name.as_ref(), value.as_ref()))
            .chain([variable(TICKET_VARIABLE.as_ref(), start.ticket.0.to_string().as_ref())])
            .collect::<io::Result<Vec<_>>>()?;
        let is_kept = |inherited: &&CString| {
            let name = name_of(inherited);
            let is_withheld = start.withheld.iter().any(|withheld| withheld.as_bytes() == name);
            !is_withheld && !own.iter().any(|own| name_of(own) == name)
        };
        let environment: Vec<&CString> =
            self.inherited.iter().filter(is_kept).chain(&own).collect();

        let (stdout, stdout_end) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        let (stderr, stderr_end) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        let mut files = PosixSpawnFileActions::init()?;
        files.add_dup2(stdout_end.as_raw_fd(), 1)?;
        files.add_dup2(stderr_end.as_raw_fd(), 2)?;
        for file in &self.leaked {
            files.add_close(*file)?;
        }
        let spawn = || {
            let Self { attributes, .. } = self;
            nix::spawn::posix_spawnp(&program, &files, attributes, &argv, &environment)
        };
        let spawn = || self.open_files.with_inherited(spawn);
        let pid = self.on_cores(&start.limits.cores, spawn)???;
        let pid = Pid::from_raw(pid.as_raw()).expect("a child's id is not 0");
        if start.limits.nice > 0 {
            // Whatever it has started by now is in its process group. It may have ended.
            let nice = i32::from(start.limits.nice);
            let _ = rustix::process::setpriority_pgrp(Some(pid), nice);
        }
        Ok(Child { pid, stdout, stderr })
    }

    /// Does something that inherits the cores that this thread may run on.
    fn on_cores<T>(&self, cores: &[u32], action: impl FnOnce() -> T) -> io::Result<T> {
        if cores.is_empty() {
            return Ok(action());
        }
        let mut set = CpuSet::new();
        cores.iter().for_each(|core| set.set(*core as usize));
        rustix::thread::sched_setaffinity(None, &set)?;
        let result = action();
        rustix::thread::sched_setaffinity(None, &self.cores)?;
        Ok(result)
    }
}

impl OpenFiles {
    fn raise() -> io::Result<Self> {
        let inherited = rustix::process::getrlimit(Resource::Nofile);
        let raised = Rlimit { current: inherited.maximum, ..inherited };
        rustix::process::setrlimit(Resource::Nofile, raised)?;
        Ok(Self { inherited, raised })
    }

    fn with_inherited<T>(&self, action: impl FnOnce() -> T) -> io::Result<T> {
        if self.inherited == self.raised {
            return Ok(action());
        }
        rustix::process::setrlimit(Resource::Nofile, self.inherited)?;
        let result = action();
        rustix::process::setrlimit(Resource::Nofile, self.raised)?;
        Ok(result)
    }
}

/// The open files that an exec would keep, besides the three that every process has.
fn leaked() -> io::Result<Vec<RawFd>> {
    let mut leaked = Vec::new();
    for entry in fs::read_dir("/proc/self/fdinfo")? {
        let entry = entry?;
        // The entry of the folder itself is gone again when it is read.
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = flags.and_then(|octal| u32::from_str_radix(octal.trim(), 8).ok());
        let is_kept = flags.is_some_and(|flags| flags & OFlags::CLOEXEC.bits() == 0);
        let file: Option<RawFd> = entry.file_name().to_str().and_then(|name| name.parse().ok());
        leaked.extend(file.filter(|file| is_kept && *file > 2));
    }
    Ok(leaked)
}

/// Where a program is, by the `PATH` that the task itself will have.
fn find(program: &OsStr, start: &Start) -> io::Result<PathBuf> {
    if program.is_empty() {
        return Err(invalid("the command's first word is empty"));
    }
    if program.as_bytes().contains(&b'/') {
        return Ok(program.into());
    }
    let own = start.env.iter().rev().find(|(name, _)| name == "PATH");
    let path = own
        .map(|(_, value)| OsString::from(value))
        .or_else(|| env::var_os("PATH"))
        .unwrap_or_else(|| DEFAULT_PATH.into());
    env::split_paths(&path)
        // An empty entry means the current directory; the slash keeps it from being searched again.
        .map(|dir| Path::new(".").join(dir).join(program))
        .find(|file| rustix::fs::access(file, Access::EXEC_OK).is_ok() && file.is_file())
        .ok_or_else(|| io::Error::from_raw_os_error(rustix::io::Errno::NOENT.raw_os_error()))
}

fn variable(name: &OsStr, value: &OsStr) -> io::Result<CString> {
    let mut text = Vec::with_capacity(name.len() + value.len() + 2);
    text.extend_from_slice(name.as_bytes());
    text.push(b'=');
    text.extend_from_slice(value.as_bytes());
    c_string(&OsString::from_vec(text))
}

fn name_of(variable: &CString) -> &[u8] {
    variable.as_bytes().split(|byte| *byte == b'=').next().unwrap_or_default()
}

fn c_string(text: &OsStr) -> io::Result<CString> {
    CString::new(text.as_bytes())
        .map_err(|_| invalid(&format!("a NUL byte in `{}`", text.display())))
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

fn failed(what: &str, path: &Path, error: io::Error) -> Exit {
    Exit::SpawnFailed {
        errno: error.raw_os_error().unwrap_or(0),
        message: format!("{what} `{}`: {error}", path.display()),
    }
}
