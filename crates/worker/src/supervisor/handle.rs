//! The worker's end: how a supervisor is launched, told what to do, and listened to.
//!
//! Commands are gathered until `flush`, so that many starts cost one write; events come in batches
//! on a thread of the caller's. Nothing here kills: a supervisor ends when its pipe does.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use artifacts::logs::Ticket;

use super::wire::{self, Command, Event, Start, StopKind};
use super::{HIDDEN_ARGUMENT, PROCESS_NAME};

/// Bytes that are read at once; grows when a frame is longer.
const READ_BYTES: usize = 256 << 10;

/// What a supervisor is launched with.
#[derive(Clone, Debug)]
pub struct Config {
    /// The binary that runs [`super::main`].
    pub program: PathBuf,
    /// The arguments that make it do so; the state directory follows them.
    pub arguments: Vec<OsString>,
    /// The directory whose tasks it keeps; made if it is not there.
    pub state_dir: PathBuf,
}

impl Config {
    /// The own binary with [`HIDDEN_ARGUMENT`].
    #[must_use]
    pub fn new(state_dir: PathBuf) -> Self {
        let program = PathBuf::from("/proc/self/exe");
        Self { program, arguments: vec![HIDDEN_ARGUMENT.into()], state_dir }
    }
}

/// A supervisor that was launched. Dropping it makes the supervisor kill all its tasks and exit.
pub struct Supervisor {
    child: Child,
    commands: ChildStdin,
    waiting: Vec<u8>,
}

impl Supervisor {
    /// Launches a supervisor. It may wait for an earlier one to end; [`Event::Ready`] says when it
    /// has its lock.
    ///
    /// # Errors
    /// If the state directory cannot be made or the process cannot be started.
    pub fn launch(config: &Config) -> io::Result<(Self, EventReader)> {
        DirBuilder::new().recursive(true).mode(0o700).create(&config.state_dir)?;
        let state_dir = fs::canonicalize(&config.state_dir)?;
        let mut child = std::process::Command::new(&config.program)
            .arg0(PROCESS_NAME)
            .args(&config.arguments)
            .arg(state_dir)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let commands = child.stdin.take().expect("it was asked for");
        let events = child.stdout.take().expect("it was asked for");
        // Refused when the user has many pipes; the usual size will do then.
        let _ = rustix::pipe::fcntl_setpipe_size(&commands, READ_BYTES);
        let reader = EventReader { pipe: events, bytes: vec![0; READ_BYTES], start: 0, end: 0 };
        Ok((Self { child, commands, waiting: Vec::new() }, reader))
    }

    /// The supervisor's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Adds the start of a process to the next flush.
    pub fn start(&mut self, start: Start) {
        wire::put(&mut self.waiting, &Command::Start(Box::new(start)));
    }

    /// Adds the end of a process to the next flush. A process that has ended is left alone.
    pub fn stop(&mut self, ticket: Ticket, kind: StopKind) {
        wire::put(&mut self.waiting, &Command::Stop(ticket, kind));
    }

    /// Sends what was added since the last flush.
    ///
    /// # Errors
    /// If the supervisor is gone: its tasks are lost, and the next supervisor kills what is left of
    /// them.
    pub fn flush(&mut self) -> io::Result<()> {
        if !self.waiting.is_empty() {
            self.commands.write_all(&self.waiting)?;
            self.waiting.clear();
        }
        Ok(())
    }

    /// Makes the supervisor kill all its tasks, and waits until it has.
    ///
    /// # Errors
    /// If it cannot be waited for, or did not end well.
    pub fn shut_down(self) -> io::Result<()> {
        let Self { mut child, commands, .. } = self;
        drop(commands);
        let status = child.wait()?;
        if status.success() {
            Ok(())
        } else {
            Err(io::Error::other(format!("the supervisor ended with {status}")))
        }
    }
}

/// Where the events of a supervisor come in.
pub struct EventReader {
    pipe: ChildStdout,
    bytes: Vec<u8>,
    /// What is not yet taken is `bytes[start..end]`.
    start: usize,
    end: usize,
}

/// The events that came in together.
pub type Batch = Vec<Event>;

impl AsFd for EventReader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

impl EventReader {
    /// Waits for events and adds all that are there to `batch`. False: the supervisor is gone.
    ///
    /// # Errors
    /// If the pipe cannot be read, or holds what no supervisor writes.
    pub fn read(&mut self, batch: &mut Batch) -> io::Result<bool> {
        let before = batch.len();
        while batch.len() == before {
            self.make_room();
            let count = match self.pipe.read(&mut self.bytes[self.end..]) {
                Ok(0) => return Ok(false),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.end += count;
            let mut rest = &self.bytes[self.start..self.end];
            while let Some(event) = wire::take(&mut rest)? {
                batch.push(event);
            }
            self.start = self.end - rest.len();
        }
        Ok(true)
    }

    fn make_room(&mut self) {
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.bytes.len() {
            self.bytes.resize(self.end * 2, 0);
        }
    }
}
