//! What is taken of an answer: outputs, or why it is none that was expected.

use std::time::SystemTime;

use model::outcome::{Failure, Unreached};
use model::work::http::HttpRequest;
use model::{Span, limits};
use reqwest::header::{self, HeaderMap};
use reqwest::{Response, StatusCode};
use secrets::Mask;
use serde_json::{Map, Value, json};
use serde_json_path::JsonPath;

use crate::executors::network::client::trouble;
use crate::executors::network::patience::Patience;
use crate::executors::network::{Teller, Trouble};
use crate::outputs;

/// Headers that become outputs.
const KEPT: [&str; 7] =
    ["content-type", "etag", "last-modified", "link", "location", "retry-after", "x-request-id"];
/// Bytes of an answer that was not expected that stand in the log.
const SHOWN_BYTES: usize = 2_000;

/// An answer whose status is as expected.
pub(super) struct Taken<'t> {
    pub request: &'t HttpRequest,
    pub code: u16,
    pub headers: &'t HeaderMap,
}

impl Taken<'_> {
    /// The outputs of an answer that was read.
    pub(super) fn outputs(&self, body: &[u8], teller: &Teller) -> Result<Vec<u8>, Trouble> {
        let mut outputs = self.common();
        if self.request.outputs.is_empty() {
            outputs.insert("body".to_owned(), self.body(body, teller)?);
        } else {
            let wrong = |error| {
                let reason = format!("its outputs cannot be taken: the answer is no JSON: {error}");
                Trouble::new(Failure::Answer, reason)
            };
            let value: Value = serde_json::from_slice(body).map_err(wrong)?;
            for (name, path) in &self.request.outputs {
                outputs.insert(name.clone(), at(&value, path, name)?);
            }
        }
        canonical(outputs)
    }

    /// The outputs of one that was written to a file.
    pub(super) fn saved(&self, path: &str, bytes: u64) -> Result<Vec<u8>, Trouble> {
        let mut outputs = self.common();
        outputs.insert("path".to_owned(), path.into());
        outputs.insert("bytes".to_owned(), bytes.into());
        canonical(outputs)
    }

    fn common(&self) -> Map<String, Value> {
        let kept = KEPT.iter().filter_map(|name| {
            let value = self.headers.get(*name)?.to_str().ok()?;
            Some(((*name).to_owned(), Value::from(value)))
        });
        let headers: Map<String, Value> = kept.collect();
        let mut outputs = Map::new();
        outputs.insert("status".to_owned(), self.code.into());
        outputs.insert("headers".to_owned(), headers.into());
        outputs
    }

    fn body(&self, body: &[u8], teller: &Teller) -> Result<Value, Trouble> {
        if body.is_empty() {
            return Ok(Value::Null);
        }
        let kind = self.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
        if kind.ends_with("/json") || kind.ends_with("+json") {
            return serde_json::from_slice(body).map_err(|error| {
                let reason = format!("the answer says that it is JSON, and is none: {error}");
                Trouble::new(Failure::Answer, reason)
            });
        }
        match str::from_utf8(body) {
            Ok(text) => Ok(text.into()),
            Err(_) => {
                teller.say("the answer is no text and is not kept: write it to a file with `save`");
                Ok(Value::Null)
            }
        }
    }
}

fn canonical(outputs: Map<String, Value>) -> Result<Vec<u8>, Trouble> {
    outputs::canonical(&Value::Object(outputs)).map_err(|_| {
        let reason = format!(
            "the outputs are larger than {} bytes: write the answer to a file with `save`, or take \
             what is needed with `outputs`",
            limits::OUTPUT_BYTES_MAX
        );
        Trouble::new(Failure::TooLarge, reason)
    })
}

/// What is at a path: a list if the path can lead to more than one place.
fn at(value: &Value, path: &str, name: &str) -> Result<Value, Trouble> {
    let wrong = |reason: String| Trouble::new(Failure::Answer, reason);
    let parsed = JsonPath::parse(path).map_err(|error| wrong(error.to_string()))?;
    let found = parsed.query(value);
    let is_many = ["*", "..", "?", ":", ","].iter().any(|mark| unquoted(path).contains(mark));
    if is_many {
        return Ok(json!(found.all()));
    }
    let found = found.first().cloned();
    found.ok_or_else(|| wrong(format!("the answer has nothing at `{path}` for `{name}`")))
}

/// A path without the names that stand in quotes.
fn unquoted(path: &str) -> String {
    let mut quote = None;
    let outside = path.chars().filter(|&next| match quote {
        None => {
            quote = (next == '\'' || next == '"').then_some(next);
            quote.is_none()
        }
        Some(open) => {
            if open == next {
                quote = None;
            }
            false
        }
    });
    outside.collect()
}

/// Reads an answer as a whole.
pub(crate) async fn read(
    mut response: Response,
    bytes_max: u64,
    patience: Patience,
) -> Result<Vec<u8>, Trouble> {
    let too_large = || {
        let reason = format!(
            "the answer is larger than {bytes_max} bytes: raise `max_bytes`, or write it to a file \
             with `save`"
        );
        Trouble::new(Failure::TooLarge, reason)
    };
    if response.content_length().is_some_and(|length| length > bytes_max) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(piece) =
        patience.wait("the whole answer", response.chunk()).await?.map_err(trouble)?
    {
        if (body.len() + piece.len()) as u64 > bytes_max {
            return Err(too_large());
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// Why an answer is none that was expected, with how it begins: without what the mask hides.
pub(super) async fn unexpected(response: Response, patience: Patience, mask: &Mask) -> Trouble {
    let status = response.status();
    let retry_after = retry_after(response.headers());
    let mut reason = format!("{status}, which was not expected");
    let begins = excerpt(response, patience, mask).await;
    if !begins.is_empty() {
        reason = format!("{reason}: {begins}");
    }
    Trouble { failure: Failure::Status(status.as_u16()), reason, retry_after }
}

/// How an answer begins, for people. It is masked before it is cut: half a secret is none that
/// would be found.
async fn excerpt(mut response: Response, patience: Patience, mask: &Mask) -> String {
    let (mut masking, mut begins) = (mask.stream(), Vec::new());
    while begins.len() < SHOWN_BYTES {
        match patience.wait("the answer", response.chunk()).await {
            Ok(Ok(Some(piece))) => masking.push(&piece, &mut begins),
            Ok(Ok(None)) => {
                masking.finish(&mut begins);
                break;
            }
            // What does not come any more is not needed.
            _ => break,
        }
    }
    begins.truncate(SHOWN_BYTES);
    String::from_utf8_lossy(&begins).trim().to_owned()
}

/// How long a server asks to wait: seconds, or until a time.
fn retry_after(headers: &HeaderMap) -> Option<Span> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Span(seconds.saturating_mul(1_000_000)));
    }
    let at = httpdate::parse_http_date(text).ok()?;
    // A server whose clock is behind asks for nothing.
    let left = at.duration_since(SystemTime::now()).unwrap_or_default();
    Some(Span(u64::try_from(left.as_micros()).unwrap_or(u64::MAX)))
}

/// That a server could not go on where an attempt broke off.
pub(super) fn broken(reason: impl Into<String>) -> Trouble {
    Trouble::new(Failure::Unreachable(Unreached::Broken), reason)
}

/// Whether there is something in an answer of this status.
pub(super) const fn is_whole(status: StatusCode) -> bool {
    status.as_u16() != StatusCode::PARTIAL_CONTENT.as_u16()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_path_that_may_lead_to_many_places_gives_a_list() {
        let value = json!({"a": [{"b": 1}, {"b": 2}], "c,d": 3});
        assert_eq!(at(&value, "$.a[0].b", "x"), Ok(json!(1)));
        assert_eq!(at(&value, "$.a[*].b", "x"), Ok(json!([1, 2])));
        assert_eq!(at(&value, "$.a[?@.b == 9]", "x"), Ok(json!([])));
        assert_eq!(at(&value, "$['c,d']", "x"), Ok(json!(3)));
        assert_eq!(at(&value, "$.z", "x").unwrap_err().failure, Failure::Answer);
    }

    #[test]
    fn a_wait_is_a_number_or_a_time() {
        let said = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, text.parse().unwrap());
            retry_after(&headers)
        };
        assert_eq!(said("3"), Some(Span::secs(3)));
        assert_eq!(said("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Span::ZERO));
        let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(60));
        let span = said(&soon).unwrap();
        assert!(Span::secs(50) < span && span <= Span::secs(60), "{span:?}");
        assert_eq!(said("soon"), None);
        assert_eq!(said("99999999999999999999"), None);
    }
}
