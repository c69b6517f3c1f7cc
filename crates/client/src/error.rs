//! What can go wrong between a client and the holder of a state folder.

use std::io;
use std::path::PathBuf;

use protocol::api::Problem;

/// The status with which a holder that is ending refuses everything.
const SERVICE_UNAVAILABLE: u16 = 503;

/// Why a request has no answer, or not the wanted one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The holder understood the request and refused it.
    #[error(transparent)]
    Refused(Box<Problem>),
    /// Nobody holds the state folder any more.
    #[error("nobody serves {} any more", socket.display())]
    Gone {
        /// The socket.
        socket: PathBuf,
    },
    /// There is a socket, and it cannot be used.
    #[error("cannot reach {}: {source}", socket.display())]
    Unreachable {
        /// The socket.
        socket: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The connection broke before the answer was complete: the holder has ended or was killed.
    #[error("the connection broke before the answer was complete: {0}")]
    Broken(hyper::Error),
    /// The answer is none of this API, so the two ends are of different versions.
    #[error("an answer that this version cannot read: {0}")]
    Unreadable(String),
    /// The request cannot be written down.
    #[error("a request that cannot be sent: {0}")]
    Unsendable(String),
}

impl Error {
    /// What the holder said, if it refused the request.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused(problem) => Some(problem),
            _ => None,
        }
    }

    /// Whether the holder is gone, so that asking again needs another one.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        match self {
            Self::Gone { .. } | Self::Broken(_) => true,
            // It is ending, and says so.
            Self::Refused(problem) => problem.status == SERVICE_UNAVAILABLE,
            _ => false,
        }
    }
}
