//! Ctrl-C, counted: once means stop, twice means terminate, a third time means leave.

use protocol::api::StopMode;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::{Error, HOLDER_ENDED, Result};
use crate::exit::Exit;

/// What a Ctrl-C asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// End the run in this way, and wait until it has ended.
    End(StopMode),
    /// End this command at once.
    Leave,
}

/// The Ctrl-Cs of this process. While it lives they no longer kill it.
#[derive(Debug)]
pub(crate) struct Interrupts {
    signal: Signal,
    count: u32,
}

impl Interrupts {
    /// Begins to count.
    pub(crate) fn catch() -> Result<Self> {
        let signal = signal(SignalKind::interrupt()).map_err(|error| {
            let message = format!("cannot catch Ctrl-C: {error}");
            Error::new(Exit::Internal, HOLDER_ENDED, message)
        })?;
        Ok(Self { signal, count: 0 })
    }

    /// The next one. A call that is dropped loses nothing.
    pub(crate) async fn next(&mut self) -> Wish {
        // The stream of signals never ends while its runtime lives.
        self.signal.recv().await;
        self.count += 1;
        wish(self.count)
    }

    /// Whether there was one.
    pub(crate) const fn any(&self) -> bool {
        self.count > 0
    }
}

const fn wish(count: u32) -> Wish {
    match count {
        0 | 1 => Wish::End(StopMode::Stop),
        2 => Wish::End(StopMode::Terminate),
        _ => Wish::Leave,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_stops_twice_terminates() {
        let wishes = [1, 2, 3, 4].map(wish);
        let (stop, terminate) = (Wish::End(StopMode::Stop), Wish::End(StopMode::Terminate));
        assert_eq!(wishes, [stop, terminate, Wish::Leave, Wish::Leave]);
    }
}
