//! Where processes of functions come in: one socket to connect to, and one for each that has.
//!
//! The worker's own loop waits for them, beside the supervisor's pipe: an answer costs no other
//! thread a wake-up. What is to be sent gathers until the end of a turn. Nothing here blocks.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::time::Timespec;

use super::environment::token;
use super::wire::{Said, take};

/// Bytes that are read at once.
const READ_BYTES: usize = 256 << 10;
/// Bytes that are read of one process before others have their turn.
const TURN_BYTES: usize = 4 << 20;
/// Sockets that are looked at in one turn.
const EVENTS_PER_TURN: usize = 64;
const LISTENER: u64 = 0;

/// The sockets.
pub(super) struct Door {
    epoll: OwnedFd,
    listener: UnixListener,
    name: String,
    connections: HashMap<u64, Connection>,
    next: u64,
    buffer: Vec<u8>,
    /// Connections with something to be sent.
    waiting: Vec<u64>,
}

struct Connection {
    socket: UnixStream,
    /// Read, and no whole frame yet.
    held: Vec<u8>,
    out: Vec<u8>,
    written: usize,
    /// Whether it is told when it can be written.
    is_full: bool,
}

/// What came of a connection.
pub(super) enum Heard {
    Said(Said),
    /// It has ended, or said what is no frame.
    Gone,
}

impl Door {
    pub(super) fn open() -> io::Result<Self> {
        // A name of the kernel's, which no folder is too deep for. Who connects must show a token.
        let name = format!("autoglm-{}", token());
        let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
        listener.set_nonblocking(true)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
        Ok(Self {
            epoll,
            listener,
            name,
            connections: HashMap::new(),
            next: LISTENER + 1,
            buffer: vec![0; READ_BYTES],
            waiting: Vec::new(),
        })
    }

    /// What processes connect to.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Readable when something has come in.
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }

    /// All that has come in until now, each with its connection.
    pub(super) fn listen(&mut self) -> Vec<(u64, Heard)> {
        let mut ready = [MaybeUninit::uninit(); EVENTS_PER_TURN];
        let found: Vec<(u64, EventFlags)> =
            match epoll::wait(&self.epoll, &mut ready, Some(&Timespec::default())) {
                Ok((events, _)) => {
                    events.iter().map(|event| (event.data.u64(), event.flags)).collect()
                }
                Err(_) => return Vec::new(),
            };
        let mut heard = Vec::new();
        for (id, flags) in found {
            if id == LISTENER {
                self.accept();
                continue;
            }
            if flags.contains(EventFlags::OUT) {
                self.waiting.push(id);
            }
            if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
                self.read(id, &mut heard);
            }
        }
        heard
    }

    fn accept(&mut self) {
        while let Ok((socket, _)) = self.listener.accept() {
            let id = self.next;
            self.next += 1;
            let data = EventData::new_u64(id);
            let is_watched = socket.set_nonblocking(true).is_ok()
                && epoll::add(&self.epoll, &socket, data, EventFlags::IN).is_ok();
            if is_watched {
                let (held, out) = (Vec::new(), Vec::new());
                let connection = Connection { socket, held, out, written: 0, is_full: false };
                self.connections.insert(id, connection);
            }
        }
    }

    fn read(&mut self, id: u64, heard: &mut Vec<(u64, Heard)>) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let mut count = 0;
        let mut is_gone = false;
        while count < TURN_BYTES && !is_gone {
            match connection.socket.read(&mut self.buffer) {
                Ok(0) => is_gone = true,
                Ok(read) => {
                    count += read;
                    connection.held.extend_from_slice(&self.buffer[..read]);
                    is_gone = !connection.frames(|said| heard.push((id, Heard::Said(said))));
                    if read < READ_BYTES {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    is_gone = error.kind() != ErrorKind::WouldBlock;
                    break;
                }
            }
        }
        if is_gone {
            self.close(id);
            heard.push((id, Heard::Gone));
        }
    }

    /// Adds to what is sent at the end of the turn.
    pub(super) fn send(&mut self, id: u64, write: impl FnOnce(&mut Vec<u8>)) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        write(&mut connection.out);
        if self.waiting.last() != Some(&id) {
            self.waiting.push(id);
        }
    }

    /// Sends what has gathered, as far as it can be taken.
    pub(super) fn flush(&mut self) {
        for id in std::mem::take(&mut self.waiting) {
            let Some(connection) = self.connections.get_mut(&id) else { continue };
            // Whoever does not read any more is heard to be gone.
            let is_full = connection.write();
            if is_full != connection.is_full {
                connection.is_full = is_full;
                let flags = if is_full { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
                let data = EventData::new_u64(id);
                let _ = epoll::modify(&self.epoll, &connection.socket, data, flags);
            }
        }
    }

    /// Ends a connection.
    pub(super) fn close(&mut self, id: u64) {
        self.connections.remove(&id);
    }
}

impl Connection {
    /// Takes whole frames off what has been read. False: there is something that is none.
    fn frames(&mut self, mut each: impl FnMut(Said)) -> bool {
        let mut rest = self.held.as_slice();
        let is_fine = loop {
            match take(&mut rest) {
                Ok(Some(said)) => each(said),
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        let taken = self.held.len() - rest.len();
        self.held.drain(..taken);
        is_fine
    }

    /// Whether the socket takes no more for now.
    fn write(&mut self) -> bool {
        while self.written < self.out.len() {
            match self.socket.write(&self.out[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                // It is read that it has ended.
                Err(_) => break,
            }
        }
        self.out.clear();
        self.written = 0;
        false
    }
}
