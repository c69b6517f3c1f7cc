//! The private protocol between a worker and its supervisor: length-prefixed frames on two pipes.
//!
//! Both ends are the same binary, so there is no version and no schema, only a closed set of
//! commands and events, and a round-trip test of each. Nothing here reads or writes a file
//! descriptor. A frame that does not parse is an error, never a panic: it means that something else
//! wrote into the pipe.

mod limits;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use artifacts::logs::{Stream, Ticket};
use model::bounds::Enforcement;
use model::outcome::Usage;
use model::{Span, Timestamp};

pub use limits::Limits;

/// Bytes of one frame without its length: far above a start command at its limits.
const FRAME_BYTES_MAX: usize = 64 << 20;

/// What a worker asks of its supervisor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Start a process.
    Start(Box<Start>),
    /// End a process that was started; nothing happens if it has already ended.
    Stop(Ticket, StopKind),
}

/// A process to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The attempt that the process belongs to; unique among those that run.
    pub ticket: Ticket,
    /// The program and its arguments. A program without a slash is searched in `PATH`.
    pub argv: Vec<OsString>,
    /// Variables beside those that the supervisor inherited, which they replace.
    pub env: Vec<(String, String)>,
    /// Variables that the supervisor inherited and the process does not get.
    pub withheld: Vec<String>,
    /// The absolute directory in which the process starts.
    pub cwd: PathBuf,
    /// A directory that is made, with its parents, before the process starts.
    pub work_dir: Option<PathBuf>,
    /// The file in which the process may leave its outputs; only looked for, never read.
    pub output_file: PathBuf,
    /// Bytes of stdout and stderr together that are kept; what comes after is drained and dropped.
    pub output_cap_bytes: u64,
    /// What the process is held to, as far as [`Event::Ready`] says that it can be.
    pub limits: Limits,
}

/// How a process is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopKind {
    /// SIGTERM to its group, and SIGKILL to the whole group when `grace` is over.
    Term {
        /// How long the process has to end by itself.
        grace: Span,
    },
    /// SIGKILL to the whole group, now.
    Kill,
}

/// What a supervisor reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The lock is held and nothing of an earlier supervisor is left: starts are obeyed from now.
    Ready {
        /// How many processes an earlier supervisor had left behind. They are gone.
        leftovers: u32,
        /// What processes can be held to.
        enforcement: Enforcement,
    },
    /// A process runs.
    Started {
        /// Its attempt.
        ticket: Ticket,
        /// Its process id, which is also the id of its process group.
        pid: u32,
        /// When it was started.
        at: Timestamp,
    },
    /// A process wrote something.
    Output {
        /// Its attempt.
        ticket: Ticket,
        /// Where it wrote.
        stream: Stream,
        /// When it was read.
        at: Timestamp,
        /// What it wrote: a piece of the stream, cut anywhere.
        bytes: Vec<u8>,
    },
    /// Output was dropped; said once before `Exited`, for all of the attempt.
    Dropped {
        /// Its attempt.
        ticket: Ticket,
        /// Bytes beyond the cap.
        over_cap_bytes: u64,
        /// Bytes that came while the worker did not read.
        stalled_bytes: u64,
    },
    /// A process ended, and so did its group; the last event of its attempt.
    Exited {
        /// Its attempt.
        ticket: Ticket,
        /// How it ended.
        how: Exit,
        /// Whether the kernel killed it, or one of its processes, for want of memory.
        oom: bool,
        /// How often it was refused another process, because it had all that it may have.
        forks_refused: u64,
        /// What it used.
        usage: Usage,
        /// The last step of the kill ladder that was taken before it ended.
        stopped_by: Option<Step>,
        /// Whether its output file is there.
        has_output_file: bool,
    },
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this exit code.
    Code(i32),
    /// By a signal.
    Signal {
        /// The signal's number.
        signal: i32,
        /// Whether it dumped core.
        core: bool,
    },
    /// It never ran.
    SpawnFailed {
        /// The operating system's error number; 0 if it gave none.
        errno: i32,
        /// What failed, for a person.
        message: String,
    },
}

/// A step of the kill ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// SIGTERM was sent.
    Term,
    /// SIGKILL was sent.
    Kill,
}

/// A frame that is no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl From<Malformed> for std::io::Error {
    fn from(Malformed: Malformed) -> Self {
        Self::new(std::io::ErrorKind::InvalidData, "malformed frame between worker and supervisor")
    }
}

/// A frame's body: what both directions have in common.
pub trait Frame: Sized {
    /// Appends the body.
    fn encode(&self, out: &mut Vec<u8>);
    /// Reads a whole body.
    ///
    /// # Errors
    /// If the bytes are not exactly one body.
    fn decode(body: &[u8]) -> Result<Self, Malformed>;
}

/// Appends a frame: the length of its body, then the body.
pub fn put(out: &mut Vec<u8>, frame: &impl Frame) {
    framed(out, |out| frame.encode(out));
}

/// Appends an output event without owning its bytes.
pub fn put_output(out: &mut Vec<u8>, ticket: Ticket, stream: Stream, at: Timestamp, bytes: &[u8]) {
    framed(out, |out| encode_output(out, ticket, stream, at, bytes));
}

/// Takes the first whole frame off `bytes`; `None` if there is no whole frame yet.
///
/// # Errors
/// If the frame does not parse or claims to be longer than any frame is.
pub fn take<F: Frame>(bytes: &mut &[u8]) -> Result<Option<F>, Malformed> {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_le_bytes(*length) as usize;
    if length > FRAME_BYTES_MAX {
        return Err(Malformed);
    }
    let Some((body, rest)) = rest.split_at_checked(length) else { return Ok(None) };
    *bytes = rest;
    F::decode(body).map(Some)
}

fn framed(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend([0; 4]);
    body(out);
    let length = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

impl Frame for Command {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Start(start) => {
                out.push(0);
                start.encode(out);
            }
            Self::Stop(ticket, StopKind::Term { grace }) => {
                out.push(1);
                put_u64(out, ticket.0);
                put_u64(out, grace.0);
            }
            Self::Stop(ticket, StopKind::Kill) => {
                out.push(2);
                put_u64(out, ticket.0);
            }
        }
    }

    fn decode(body: &[u8]) -> Result<Self, Malformed> {
        let mut body = Body(body);
        let command = match body.u8()? {
            0 => Self::Start(Box::new(Start::decode(&mut body)?)),
            1 => Self::Stop(Ticket(body.u64()?), StopKind::Term { grace: Span(body.u64()?) }),
            2 => Self::Stop(Ticket(body.u64()?), StopKind::Kill),
            _ => return Err(Malformed),
        };
        body.end(command)
    }
}

impl Start {
    fn encode(&self, out: &mut Vec<u8>) {
        put_u64(out, self.ticket.0);
        put_u64(out, self.output_cap_bytes);
        put_u32(out, self.argv.len() as u32);
        self.argv.iter().for_each(|argument| put_bytes(out, argument.as_bytes()));
        put_u32(out, self.env.len() as u32);
        for (key, value) in &self.env {
            put_bytes(out, key.as_bytes());
            put_bytes(out, value.as_bytes());
        }
        put_u32(out, self.withheld.len() as u32);
        self.withheld.iter().for_each(|name| put_bytes(out, name.as_bytes()));
        put_bytes(out, self.cwd.as_os_str().as_bytes());
        out.push(u8::from(self.work_dir.is_some()));
        if let Some(work_dir) = &self.work_dir {
            put_bytes(out, work_dir.as_os_str().as_bytes());
        }
        put_bytes(out, self.output_file.as_os_str().as_bytes());
        self.limits.encode(out);
    }

    fn decode(body: &mut Body<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            ticket: Ticket(body.u64()?),
            output_cap_bytes: body.u64()?,
            argv: (0..body.u32()?).map(|_| body.os_string()).collect::<Result<_, _>>()?,
            env: (0..body.u32()?)
                .map(|_| Ok((body.string()?, body.string()?)))
                .collect::<Result<_, _>>()?,
            withheld: (0..body.u32()?).map(|_| body.string()).collect::<Result<_, _>>()?,
            cwd: body.os_string()?.into(),
            work_dir: if body.bool()? { Some(body.os_string()?.into()) } else { None },
            output_file: body.os_string()?.into(),
            limits: Limits::decode(body)?,
        })
    }
}

impl Frame for Event {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Ready { leftovers, enforcement } => {
                out.push(0);
                put_u32(out, *leftovers);
                limits::encode_enforcement(enforcement, out);
            }
            Self::Started { ticket, pid, at } => {
                out.push(1);
                put_u64(out, ticket.0);
                put_u32(out, *pid);
                put_u64(out, at.0);
            }
            Self::Output { ticket, stream, at, bytes } => {
                encode_output(out, *ticket, *stream, *at, bytes);
            }
            Self::Dropped { ticket, over_cap_bytes, stalled_bytes } => {
                out.push(4);
                put_u64(out, ticket.0);
                put_u64(out, *over_cap_bytes);
                put_u64(out, *stalled_bytes);
            }
            Self::Exited {
                ticket,
                how,
                oom,
                forks_refused,
                usage,
                stopped_by,
                has_output_file,
            } => {
                out.push(5);
                put_u64(out, ticket.0);
                put_u64(out, usage.wall_us);
                put_u64(out, usage.cpu_us);
                put_u64(out, usage.peak_rss_kib);
                put_u64(out, *forks_refused);
                out.push(u8::from(*oom));
                out.push(u8::from(*has_output_file));
                out.push(stopped_by.map_or(0, |step| step as u8 + 1));
                how.encode(out);
            }
        }
    }

    fn decode(body: &[u8]) -> Result<Self, Malformed> {
        let mut body = Body(body);
        let event = match body.u8()? {
            0 => Self::Ready {
                leftovers: body.u32()?,
                enforcement: limits::decode_enforcement(&mut body)?,
            },
            1 => Self::Started {
                ticket: Ticket(body.u64()?),
                pid: body.u32()?,
                at: Timestamp(body.u64()?),
            },
            kind @ (2 | 3) => Self::Output {
                stream: if kind == 2 { Stream::Out } else { Stream::Err },
                ticket: Ticket(body.u64()?),
                at: Timestamp(body.u64()?),
                bytes: std::mem::take(&mut body.0).to_vec(),
            },
            4 => Self::Dropped {
                ticket: Ticket(body.u64()?),
                over_cap_bytes: body.u64()?,
                stalled_bytes: body.u64()?,
            },
            5 => Self::Exited {
                ticket: Ticket(body.u64()?),
                usage: Usage {
                    wall_us: body.u64()?,
                    cpu_us: body.u64()?,
                    peak_rss_kib: body.u64()?,
                },
                forks_refused: body.u64()?,
                oom: body.bool()?,
                has_output_file: body.bool()?,
                stopped_by: match body.u8()? {
                    0 => None,
                    1 => Some(Step::Term),
                    2 => Some(Step::Kill),
                    _ => return Err(Malformed),
                },
                how: Exit::decode(&mut body)?,
            },
            _ => return Err(Malformed),
        };
        body.end(event)
    }
}

fn encode_output(out: &mut Vec<u8>, ticket: Ticket, stream: Stream, at: Timestamp, bytes: &[u8]) {
    out.push(if stream == Stream::Out { 2 } else { 3 });
    put_u64(out, ticket.0);
    put_u64(out, at.0);
    out.extend_from_slice(bytes);
}

impl Exit {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Code(code) => {
                out.push(0);
                out.extend(code.to_le_bytes());
            }
            Self::Signal { signal, core } => {
                out.push(1 + u8::from(*core));
                out.extend(signal.to_le_bytes());
            }
            Self::SpawnFailed { errno, message } => {
                out.push(3);
                out.extend(errno.to_le_bytes());
                put_bytes(out, message.as_bytes());
            }
        }
    }

    fn decode(body: &mut Body<'_>) -> Result<Self, Malformed> {
        let kind = body.u8()?;
        let value = i32::from_le_bytes(body.array()?);
        Ok(match kind {
            0 => Self::Code(value),
            1 | 2 => Self::Signal { signal: value, core: kind == 2 },
            3 => Self::SpawnFailed { errno: value, message: body.string()? },
            _ => return Err(Malformed),
        })
    }
}

fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_u32(out, bytes.len() as u32);
    out.extend_from_slice(bytes);
}

/// What is left to read of a frame's body.
struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (array, rest) = self.0.split_first_chunk::<N>().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*array)
    }

    fn u8(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn bool(&mut self) -> Result<bool, Malformed> {
        Ok(self.u8()? != 0)
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.u32()? as usize;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn os_string(&mut self) -> Result<OsString, Malformed> {
        self.bytes().map(|bytes| OsString::from_vec(bytes.to_vec()))
    }

    fn string(&mut self) -> Result<String, Malformed> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| Malformed)
    }

    fn end<T>(&self, value: T) -> Result<T, Malformed> {
        if self.0.is_empty() { Ok(value) } else { Err(Malformed) }
    }
}
