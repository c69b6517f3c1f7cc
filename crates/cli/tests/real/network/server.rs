//! A server with faults on a free port of this machine.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::net;

/// How many connections may wait to be taken.
const BACKLOG: i32 = 1_024;

/// Gives each connection to one function, and keeps what it was sent. It ends with the test.
pub(crate) struct Server {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

/// A port that nobody else gets, and at which nobody is reached yet.
pub(crate) struct Reserved {
    socket: OwnedFd,
    pub address: SocketAddr,
}

impl Reserved {
    pub(crate) fn new() -> Self {
        let (family, kind) = (net::AddressFamily::INET, net::SocketType::STREAM);
        let flags = net::SocketFlags::CLOEXEC;
        let socket = net::socket_with(family, kind, flags, None).expect("a socket");
        let any = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
        net::bind(&socket, &any).expect("a free port");
        let address = net::getsockname(&socket).expect("it is bound");
        let address = SocketAddr::try_from(address).expect("it is of the internet");
        Self { socket, address }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From now on connections are taken.
    pub(crate) fn listen(
        self,
        answer: impl Fn(usize, &str, TcpStream) + Send + Sync + 'static,
    ) -> Server {
        net::listen(&self.socket, BACKLOG).expect("it is bound");
        Server::serve(TcpListener::from(self.socket), answer)
    }
}

impl Server {
    /// The function is told which request it is, from 0, and what was asked.
    pub(crate) fn start(answer: impl Fn(usize, &str, TcpStream) + Send + Sync + 'static) -> Self {
        Reserved::new().listen(answer)
    }

    fn serve(
        listener: TcpListener,
        answer: impl Fn(usize, &str, TcpStream) + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().expect("it is bound");
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let (kept, answer) = (Arc::clone(&requests), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                thread::spawn(move || {
                    let Some(request) = read(&mut stream) else { return };
                    let number = {
                        let mut kept = kept.lock().expect("nobody panics with it");
                        kept.push(request.clone());
                        kept.len() - 1
                    };
                    answer(number, &request, stream);
                });
            }
        });
        Self { address, requests }
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
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(head) = text.windows(4).position(|four| four == b"\r\n\r\n") {
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

/// Answers, and closes the connection.
pub(crate) fn say(mut stream: TcpStream, status: &str, headers: &str, body: &str) {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n");
    let _ = stream.write_all(format!("{head}{headers}\r\n{body}").as_bytes());
}

/// The value of a header of a request.
pub(crate) fn header<'r>(request: &'r str, name: &str) -> &'r str {
    let found = request.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    found.unwrap_or_else(|| panic!("no {name} in {request}"))
}
