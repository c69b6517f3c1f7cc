//! Events on their way to the worker: gathered, and written with one call a turn.
//!
//! The worker may be slow or stopped. What it does not read stays here up to a bound, beyond which
//! output is refused; the few bytes that say what became of a process are never refused. Nothing
//! here blocks.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use artifacts::logs::{Stream, Ticket};
use model::Timestamp;
use rustix::io::Errno;

use super::wire::{self, Event};

/// Bytes of output that wait for a worker which does not read.
const WAITING_BYTES_MAX: usize = 8 << 20;
/// Bytes that the pipe itself is asked to hold, so that both ends wake less often.
const PIPE_BYTES: usize = 1 << 20;

/// How far a flush came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flushed {
    /// Nothing waits.
    All,
    /// The pipe is full: go on when it can be written.
    Partly,
    /// The worker is gone.
    Closed,
}

/// The events that wait, and the pipe they go into.
pub struct Outbox {
    pipe: OwnedFd,
    waiting: Vec<u8>,
    written: usize,
    urgent: bool,
}

impl Outbox {
    /// An empty outbox.
    pub fn new(pipe: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&pipe, true)?;
        // Refused when the user has many pipes; the usual size will do then.
        let _ = rustix::pipe::fcntl_setpipe_size(&pipe, PIPE_BYTES);
        Ok(Self { pipe, waiting: Vec::new(), written: 0, urgent: false })
    }

    /// Adds an event that leaves at the end of this turn.
    pub fn push(&mut self, event: &Event) {
        wire::put(&mut self.waiting, event);
        self.urgent = true;
    }

    /// Adds an event that may wait for the next one: a worker that is woken to hear that a process
    /// has started is in the way of that process.
    pub fn push_lazily(&mut self, event: &Event) {
        wire::put(&mut self.waiting, event);
    }

    /// Adds output, or refuses it because the worker does not read.
    pub fn push_output(
        &mut self,
        ticket: Ticket,
        stream: Stream,
        at: Timestamp,
        bytes: &[u8],
    ) -> bool {
        let fits = self.waiting.len() - self.written + bytes.len() <= WAITING_BYTES_MAX;
        if fits {
            wire::put_output(&mut self.waiting, ticket, stream, at, bytes);
            self.urgent = true;
        }
        fits
    }

    /// Lets go of what was added lazily.
    pub fn hurry(&mut self) {
        self.urgent |= !self.waiting.is_empty();
    }

    /// Writes what is urgent, and all else with it.
    pub fn flush(&mut self) -> io::Result<Flushed> {
        if !self.urgent {
            return Ok(Flushed::All);
        }
        while self.written < self.waiting.len() {
            match rustix::io::write(&self.pipe, &self.waiting[self.written..]) {
                Ok(count) => self.written += count,
                Err(Errno::AGAIN) => {
                    self.forget_written();
                    return Ok(Flushed::Partly);
                }
                Err(Errno::PIPE) => return Ok(Flushed::Closed),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.waiting.clear();
        self.written = 0;
        self.urgent = false;
        Ok(Flushed::All)
    }

    /// Keeps the buffer from growing for ever under a worker that always lags a little.
    fn forget_written(&mut self) {
        if self.written > WAITING_BYTES_MAX {
            self.waiting.drain(..self.written);
            self.written = 0;
        }
    }
}

impl AsFd for Outbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        Event::Started { ticket: Ticket(1), pid: 2, at: Timestamp(3) }
    }

    #[test]
    fn output_is_refused_above_the_bound_and_events_never() {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let mut outbox = Outbox::new(writer).unwrap();
        let chunk = vec![b'x'; 1 << 20];
        let mut accept = || outbox.push_output(Ticket(1), Stream::Out, Timestamp(0), &chunk);
        let accepted = (0..20).filter(|_| accept()).count();
        assert_eq!(accepted, WAITING_BYTES_MAX / chunk.len() - 1, "frames have headers too");
        outbox.push(&event());
        assert_eq!(outbox.flush().unwrap(), Flushed::Partly);
        drop(reader);
        assert_eq!(outbox.flush().unwrap(), Flushed::Closed);
    }

    #[test]
    fn lazy_events_leave_with_the_next_urgent_one() {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let mut outbox = Outbox::new(writer).unwrap();
        outbox.push_lazily(&event());
        assert_eq!(outbox.flush().unwrap(), Flushed::All);
        assert_eq!(rustix::io::ioctl_fionread(&reader).unwrap(), 0);
        outbox.hurry();
        assert_eq!(outbox.flush().unwrap(), Flushed::All);
        assert!(rustix::io::ioctl_fionread(&reader).unwrap() > 0);
    }
}
