//! The socket in a state folder: connecting, asking once, and listening.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::CONTENT_TYPE;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use protocol::api::{PROBLEM_JSON, Problem, SOCKET_NAME};
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use crate::content::Content;
use crate::request::Request;
use crate::{Error, Stream};

/// Bytes of the longest path that fits into a socket address, its final zero not counted.
const SOCKET_PATH_BYTES_MAX: usize = 107;
/// Bytes of the largest single answer.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// The place where the holder of a state folder serves.
#[derive(Clone, Debug)]
pub(crate) struct Socket {
    home: PathBuf,
    path: PathBuf,
}

impl Socket {
    pub(crate) fn new(home: &Path) -> Self {
        Self { home: home.to_owned(), path: home.join(SOCKET_NAME) }
    }

    /// Whether somebody accepts connections there.
    pub(crate) async fn is_served(&self) -> Result<bool, Error> {
        match self.connect().await {
            Ok(_) => Ok(true),
            Err(Error::Gone { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Sends a request and reads its whole answer.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, request: Request) -> Result<T, Error> {
        let response = self.send(request).await?;
        let body = whole_body(response).await?;
        serde_json::from_slice(&body).map_err(|error| Error::Unreadable(error.to_string()))
    }

    /// Sends a request whose answer is a stream.
    pub(crate) async fn listen<T: DeserializeOwned>(
        &self,
        request: Request,
    ) -> Result<Stream<T>, Error> {
        Ok(Stream::new(self.send(request).await?.into_body()))
    }

    /// Sends a request whose answer is the content of something.
    pub(crate) async fn fetch(&self, request: Request) -> Result<Content, Error> {
        Ok(Content::new(self.send(request).await?.into_body()))
    }

    /// Sends a request; an answer that is no success becomes an error.
    async fn send(&self, request: Request) -> Result<Response<Incoming>, Error> {
        let request = request.into_http()?;
        let stream = TokioIo::new(self.connect().await?);
        let (mut sender, connection) =
            http1::handshake::<_, Full<Bytes>>(stream).await.map_err(Error::Broken)?;
        // It ends by itself when the answer has been read, or is dropped unread.
        tokio::spawn(connection);
        let response = sender.send_request(request).await.map_err(Error::Broken)?;
        if response.status().is_success() { Ok(response) } else { Err(refusal(response).await) }
    }

    async fn connect(&self) -> Result<UnixStream, Error> {
        let connected = if self.path.as_os_str().as_bytes().len() <= SOCKET_PATH_BYTES_MAX {
            UnixStream::connect(&self.path).await
        } else {
            connect_below(&self.home).await
        };
        connected.map_err(|source| {
            let socket = self.path.clone();
            match source.kind() {
                // Reset: it ended before it came to accept the connection.
                ErrorKind::NotFound
                | ErrorKind::ConnectionRefused
                | ErrorKind::ConnectionReset
                | ErrorKind::BrokenPipe => Error::Gone { socket },
                _ => Error::Unreachable { socket, source },
            }
        })
    }
}

/// Connects by way of the open folder, whose name in `/proc` is short however long its path is.
async fn connect_below(home: &Path) -> io::Result<UnixStream> {
    let folder = File::open(home)?;
    UnixStream::connect(format!("/proc/self/fd/{}/{SOCKET_NAME}", folder.as_raw_fd())).await
}

async fn refusal(response: Response<Incoming>) -> Error {
    let status = response.status();
    let is_problem = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(PROBLEM_JSON.as_bytes()));
    match whole_body(response).await {
        Err(error) => error,
        Ok(body) if is_problem => match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => Error::Refused(Box::new(problem)),
            Err(error) => Error::Unreadable(error.to_string()),
        },
        Ok(_) => unexplained(status),
    }
}

fn unexplained(status: StatusCode) -> Error {
    Error::Unreadable(format!("status {status} without an explanation"))
}

async fn whole_body(response: Response<Incoming>) -> Result<Bytes, Error> {
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
    match body.collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) => Err(match error.downcast::<hyper::Error>() {
            Ok(error) => Error::Broken(*error),
            Err(error) => Error::Unreadable(error.to_string()),
        }),
    }
}
