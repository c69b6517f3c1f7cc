//! Servers with faults, on free ports of this machine, and what an attempt tells: for tests.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use artifacts::logs::Stream;
use model::outcome::Spent;

use super::{Happened, Teller};
use crate::inbox::{Event, Inbox, inbox};
use crate::supervisor::Ticket;

/// A server that gives each connection to one function, one after the other, and keeps what it was
/// sent. It ends with the test.
pub(crate) struct Server {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers connection after connection; the function is told which it is, from 0, and what was
    /// asked.
    pub(crate) fn start(answer: impl Fn(usize, &str, TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let (kept, answer) = (Arc::clone(&requests), Arc::new(answer));
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let Ok(mut stream) = stream else { return };
                let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                thread::spawn(move || {
                    let Some(request) = read(&mut stream) else { return };
                    kept.lock().expect("nobody panics with it").push(request.clone());
                    answer(number, &request, stream);
                });
            }
        });
        Self { address, requests }
    }

    /// One that answers everything with this text.
    pub(crate) fn saying(answer: impl Into<String>) -> Self {
        let answer = answer.into();
        Self::start(move |_, _, mut stream| drop(stream.write_all(answer.as_bytes())))
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What it was sent.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("nobody panics with it").clone()
    }
}

/// A whole request, head and body.
fn read(stream: &mut TcpStream) -> Option<String> {
    let patience = Some(Duration::from_secs(10));
    stream.set_read_timeout(patience).ok()?;
    let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let head = text.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(head) = head {
            let said = String::from_utf8_lossy(&text[..head]).to_ascii_lowercase();
            let length = said.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
            if text.len() >= head + 4 + length {
                return Some(String::from_utf8_lossy(&text).into_owned());
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(count) => text.extend_from_slice(&buffer[..count]),
        }
    }
}

/// An answer with a length.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

/// A teller, and what it told.
pub(crate) struct Told {
    pub teller: Teller,
    inbox: Inbox,
}

impl Told {
    pub(crate) fn new() -> Self {
        let (slot, inbox) = inbox().expect("a pipe");
        Self {
            teller: Teller { ticket: Ticket(1), slot, spent: Arc::default(), is_quiet: false },
            inbox,
        }
    }

    /// What stands in the log by now: what the other side said, and what the worker did.
    pub(crate) fn logs(&self) -> (String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        while let Some(Event::Happened(told)) = self.inbox.take() {
            for (_, happened) in told {
                match happened {
                    Happened::Output(Stream::Out, bytes) => out.extend(bytes),
                    Happened::Output(Stream::Err, bytes) => err.extend(bytes),
                    _ => {}
                }
            }
        }
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (text(out), text(err))
    }

    pub(crate) fn spent(&self) -> Spent {
        *self.teller.spent.lock().expect("nobody panics with it")
    }
}
