//! A stream of JSON lines, read one value at a time and never faster than it is asked for.

use std::marker::PhantomData;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::de::DeserializeOwned;

use crate::Error;

/// Bytes of the longest line.
const LINE_BYTES_MAX: usize = 16 << 20;

/// Values as they arrive. Dropping it ends the request.
#[derive(Debug)]
pub struct Stream<T> {
    body: Incoming,
    buffer: Vec<u8>,
    /// Where the first line that has not been handed out begins.
    start: usize,
    /// How far the buffer has been searched for the end of that line.
    searched: usize,
    values: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Stream<T> {
    pub(crate) fn new(body: Incoming) -> Self {
        Self { body, buffer: Vec::new(), start: 0, searched: 0, values: PhantomData }
    }

    /// The next value; `None` after the last one. A call that is dropped loses nothing.
    ///
    /// # Errors
    /// [`Error::Broken`] when the holder ended before the stream did; [`Error::Unreadable`] when
    /// a line is none of this API.
    pub async fn next(&mut self) -> Result<Option<T>, Error> {
        loop {
            if let Some(value) = self.buffered()? {
                return Ok(Some(value));
            }
            let Some(frame) = self.body.frame().await else { return self.last() };
            let Ok(data) = frame.map_err(Error::Broken)?.into_data() else { continue };
            self.buffer.drain(..self.start);
            self.searched -= self.start;
            self.start = 0;
            self.buffer.extend_from_slice(&data);
        }
    }

    /// The next value for which a whole line has arrived. Empty lines keep a connection alive.
    fn buffered(&mut self) -> Result<Option<T>, Error> {
        while let Some(length) = self.buffer[self.searched..].iter().position(|&b| b == b'\n') {
            let end = self.searched + length;
            let line = self.buffer[self.start..end].trim_ascii();
            (self.start, self.searched) = (end + 1, end + 1);
            if !line.is_empty() {
                return read(line).map(Some);
            }
        }
        self.searched = self.buffer.len();
        if self.searched - self.start > LINE_BYTES_MAX {
            return Err(Error::Unreadable("a line without an end".to_owned()));
        }
        Ok(None)
    }

    /// What stands after the last line end.
    fn last(&mut self) -> Result<Option<T>, Error> {
        let rest = std::mem::take(&mut self.buffer);
        let line = rest[self.start..].trim_ascii();
        let value = if line.is_empty() { Ok(None) } else { read(line).map(Some) };
        (self.start, self.searched) = (0, 0);
        value
    }
}

fn read<T: DeserializeOwned>(line: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(line).map_err(|error| Error::Unreadable(error.to_string()))
}
