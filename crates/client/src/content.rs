//! The content of something, piece by piece, never faster than it is asked for.

use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};

use crate::Error;

/// Bytes as they arrive. Dropping it ends the request.
#[derive(Debug)]
pub struct Content {
    body: Incoming,
}

impl Content {
    pub(crate) const fn new(body: Incoming) -> Self {
        Self { body }
    }

    /// The next bytes; `None` after the last.
    ///
    /// # Errors
    /// [`Error::Broken`] when the holder ended before the content did.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        while let Some(frame) = self.body.frame().await {
            if let Ok(bytes) = frame.map_err(Error::Broken)?.into_data() {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }
}
