//! Streams of JSON lines. A stream that ends early breaks, so that nobody takes a part for all.

use std::fmt;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use http_body_util::channel::{Channel, Sender};
use protocol::api::JSON_LINES;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::Service;
use super::problem::Refusal;
use crate::handle::Gone;

/// How often a stream that follows something looks at it.
pub(super) const POLL: Duration = Duration::from_millis(100);
/// After this long without a line an empty one is sent, which finds out whether anybody listens.
const QUIET_MAX: Duration = Duration::from_secs(5);
/// Bytes that are sent at once.
const PIECE_BYTES: usize = 32 << 10;
/// Pieces on their way to a slow client; then the producer waits.
const PIECES_MAX: usize = 4;

/// Why a stream ends before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// Nobody listens any more.
    NobodyListens,
    /// This server is ending, or what it reads from has failed.
    Ending,
}

impl From<Gone> for Cut {
    fn from(_: Gone) -> Self {
        Self::Ending
    }
}

impl From<Refusal> for Cut {
    /// What was there when the stream began is there no more.
    fn from(_: Refusal) -> Self {
        Self::Ending
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the stream was cut")
    }
}

impl std::error::Error for Cut {}

/// The sending end of a stream.
pub(super) struct Lines {
    sender: Sender<Bytes, Cut>,
    stopping: watch::Receiver<bool>,
    waiting: Vec<u8>,
    sent_at: Instant,
}

impl Service {
    /// A stream: its sending end, and the response that carries it.
    pub(super) fn stream(&self) -> (Lines, Response) {
        let (sender, body) = Channel::new(PIECES_MAX);
        let stopping = self.stopping.clone();
        let lines = Lines { sender, stopping, waiting: Vec::new(), sent_at: Instant::now() };
        let response = ([(header::CONTENT_TYPE, JSON_LINES)], Body::new(body)).into_response();
        (lines, response)
    }
}

impl Lines {
    /// Sends a value, perhaps together with others.
    pub(super) async fn send(&mut self, value: &impl Serialize) -> Result<(), Cut> {
        serde_json::to_writer(&mut self.waiting, value).map_err(|_| Cut::Ending)?;
        self.waiting.push(b'\n');
        if self.waiting.len() >= PIECE_BYTES { self.flush().await } else { Ok(()) }
    }

    /// Sends what waits, then waits for `span`.
    pub(super) async fn pause(&mut self, span: Duration) -> Result<(), Cut> {
        if self.waiting.is_empty() && self.sent_at.elapsed() > QUIET_MAX {
            self.waiting.push(b'\n');
        }
        self.flush().await?;
        tokio::select! {
            () = sleep(span) => Ok(()),
            // An error says that the server is gone.
            _ = self.stopping.changed() => Err(Cut::Ending),
        }
    }

    /// Ends the stream: properly, or as one that was cut.
    pub(super) async fn finish(mut self, ended: Result<(), Cut>) {
        let ended = match ended {
            Ok(()) => self.flush().await,
            cut => cut,
        };
        if let Err(cut) = ended {
            self.sender.abort(cut);
        }
    }

    async fn flush(&mut self) -> Result<(), Cut> {
        if *self.stopping.borrow() {
            return Err(Cut::Ending);
        }
        if self.waiting.is_empty() {
            return Ok(());
        }
        self.sent_at = Instant::now();
        let piece = Bytes::from(std::mem::take(&mut self.waiting));
        self.sender.send_data(piece).await.map_err(|_| Cut::NobodyListens)
    }
}
