//! How long is waited for another machine.

use std::future::Future;
use std::time::Duration;

use model::Span;
use model::outcome::{Failure, Unreached};
use tokio::time::{Instant, timeout_at};

use super::Trouble;

/// How long is waited: for a piece of something, or for all of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    most: Duration,
    /// When it ends, if it is for all.
    until: Option<Instant>,
}

impl Patience {
    /// For all that is waited for together, from now on.
    pub(crate) fn in_all(most: Span) -> Self {
        let most = Duration::from_micros(most.0);
        Self { most, until: Some(Instant::now() + most) }
    }

    /// For each thing that is waited for.
    pub(crate) fn for_each(most: Span) -> Self {
        Self { most: Duration::from_micros(most.0), until: None }
    }

    /// Waits for something.
    pub(crate) async fn wait<F: Future>(self, what: &str, it: F) -> Result<F::Output, Trouble> {
        let until = self.until.unwrap_or_else(|| Instant::now() + self.most);
        timeout_at(until, it).await.map_err(|_| {
            let reason = format!("{what} did not come within {:?}", self.most);
            Trouble::new(Failure::Unreachable(Unreached::Slow), reason)
        })
    }
}
