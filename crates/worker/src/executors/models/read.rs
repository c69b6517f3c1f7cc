//! Answers of models as they come: whole, or piece by piece as events of a stream.

use model::outcome::{Failure, Unreached};
use reqwest::{Response, header};
use serde_json::Value;

use super::Asking;
use crate::executors::http::read_all;
use crate::executors::network::Trouble;
use crate::executors::network::client::trouble;
use artifacts::logs::Stream;

/// How long an answer may be.
const BYTES_MAX: u64 = 16 << 20;
/// About so many bytes are a token.
const TOKEN_BYTES: u64 = 4;

/// What an answer has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tokens {
    pub sent: u64,
    pub received: u64,
    /// Whether the server did not say.
    pub is_guess: bool,
}

impl Tokens {
    /// What the server says, or else about what it must have been.
    pub(super) fn of(usage: &Value, sent_bytes: usize, received_bytes: usize) -> Self {
        let count = |key: &str| usage[key].as_u64();
        let guess = |bytes: usize| (bytes as u64).div_ceil(TOKEN_BYTES);
        match (count("prompt_tokens"), count("completion_tokens")) {
            (Some(sent), received) => {
                let total = count("total_tokens").map(|total| total.saturating_sub(sent));
                let received = received.or(total).unwrap_or(0);
                Self { sent, received, is_guess: false }
            }
            _ => Self { sent: guess(sent_bytes), received: guess(received_bytes), is_guess: true },
        }
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self {
            sent: self.sent.saturating_add(other.sent),
            received: self.received.saturating_add(other.received),
            is_guess: self.is_guess || other.is_guess,
        }
    }
}

/// What a model has said.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub text: String,
    /// Why it ended, in the server's word.
    pub finish_reason: Option<String>,
    /// What the server says of tokens.
    pub usage: Value,
}

/// Reads what a model says; what comes piece by piece goes to the log at once.
pub(super) async fn said(asking: &Asking<'_>, response: Response) -> Result<Said, Trouble> {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if kind.is_some_and(|kind| kind.starts_with("text/event-stream")) {
        return events(asking, response).await;
    }
    let answer = whole(asking, response).await?;
    let choice = &answer["choices"][0];
    let Some(text) = choice["message"]["content"].as_str() else {
        let refusal = choice["message"]["refusal"].as_str();
        let reason = refusal.map_or_else(
            || "the answer has no text at `choices[0].message.content`".to_owned(),
            |refusal| format!("the model refuses: {refusal}"),
        );
        return Err(Trouble::new(Failure::Answer, reason));
    };
    asking.teller.output(Stream::Out, format!("{text}\n").into_bytes());
    let finish_reason = choice["finish_reason"].as_str().map(str::to_owned);
    Ok(Said { text: text.to_owned(), finish_reason, usage: answer["usage"].clone() })
}

/// Reads an answer as JSON.
pub(super) async fn whole(asking: &Asking<'_>, response: Response) -> Result<Value, Trouble> {
    let body = read_all(response, BYTES_MAX, asking.patience).await?;
    let answer: Value = serde_json::from_slice(&body).map_err(|error| {
        Trouble::new(Failure::Answer, format!("the answer of the server is no JSON: {error}"))
    })?;
    match answer.get("error").filter(|error| !error.is_null()) {
        Some(error) => Err(told(error)),
        None => Ok(answer),
    }
}

async fn events(asking: &Asking<'_>, mut response: Response) -> Result<Said, Trouble> {
    let (mut said, mut lines) = (Said::default(), Lines::default());
    let mut is_done = false;
    let mut bytes: u64 = 0;
    while !is_done {
        let piece = asking.patience.wait("the whole answer", response.chunk()).await;
        let Some(piece) = piece?.map_err(trouble)? else { break };
        bytes += piece.len() as u64;
        if bytes > BYTES_MAX {
            let reason = format!("the model says more than {BYTES_MAX} bytes");
            return Err(Trouble::new(Failure::TooLarge, reason));
        }
        lines.push(&piece);
        let mut fresh = String::new();
        while let Some(line) = lines.next() {
            is_done |= event(&line, &mut said, &mut fresh)?;
        }
        if !fresh.is_empty() {
            said.text.push_str(&fresh);
            asking.teller.output(Stream::Out, fresh.into_bytes());
        }
    }
    asking.teller.output(Stream::Out, b"\n".to_vec());
    if !is_done && said.finish_reason.is_none() {
        let reason = "the stream ended before the answer did";
        return Err(Trouble::new(Failure::Unreachable(Unreached::Broken), reason));
    }
    Ok(said)
}

/// Takes in a line of a stream. True: it was the last.
fn event(line: &[u8], said: &mut Said, fresh: &mut String) -> Result<bool, Trouble> {
    // Comments, names of events and blank lines say nothing.
    let Some(data) = line.strip_prefix(b"data:") else { return Ok(false) };
    let data = data.trim_ascii();
    if data == b"[DONE]" {
        return Ok(true);
    }
    let event: Value = serde_json::from_slice(data).map_err(|error| {
        Trouble::new(Failure::Answer, format!("an event of the stream is no JSON: {error}"))
    })?;
    if let Some(error) = event.get("error").filter(|error| !error.is_null()) {
        return Err(told(error));
    }
    let choice = &event["choices"][0];
    if let Some(text) = choice["delta"]["content"].as_str() {
        fresh.push_str(text);
    }
    if let Some(reason) = choice["finish_reason"].as_str() {
        said.finish_reason = Some(reason.to_owned());
    }
    if event["usage"].is_object() {
        said.usage = event["usage"].clone();
    }
    Ok(false)
}

/// An error that a server tells in an answer that began well.
fn told(error: &Value) -> Trouble {
    let code = ["code", "status"].iter().find_map(|key| {
        let code = &error[*key];
        let number = code.as_u64().or_else(|| code.as_str()?.parse().ok())?;
        u16::try_from(number).ok().filter(|code| (400..=599).contains(code))
    });
    let failure = code.map_or(Failure::Unreachable(Unreached::Broken), Failure::Status);
    let words = error["message"].as_str().map_or_else(|| error.to_string(), str::to_owned);
    Trouble::new(failure, format!("the server gave up: {words}"))
}

/// Bytes as lines, wherever they are cut.
#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    /// How far they have been taken.
    at: usize,
    /// How far no line ends: a long one is not looked through again and again.
    seen: usize,
}

impl Lines {
    fn push(&mut self, more: &[u8]) {
        self.bytes.drain(..self.at);
        self.seen -= self.at;
        self.at = 0;
        self.bytes.extend_from_slice(more);
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        let fresh = &self.bytes[self.seen..];
        let Some(end) = fresh.iter().position(|&byte| byte == b'\n') else {
            self.seen = self.bytes.len();
            return None;
        };
        let end = self.seen + end;
        let line = self.bytes[self.at..end].trim_ascii_end().to_vec();
        (self.at, self.seen) = (end + 1, end + 1);
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_however_they_are_cut() {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        for piece in ["da", "ta: 1\r\n\nda", "ta: 2\n", "rest"] {
            lines.push(piece.as_bytes());
            found.extend(std::iter::from_fn(|| lines.next()));
        }
        assert_eq!(found, [&b"data: 1"[..], b"", b"data: 2"]);
    }

    #[test]
    fn a_server_that_counts_nothing_is_guessed_at() {
        let said = serde_json::json!({"prompt_tokens": 3, "completion_tokens": 4});
        let exact = Tokens { sent: 3, received: 4, is_guess: false };
        assert_eq!(Tokens::of(&said, 100, 100), exact);
        let guess = Tokens { sent: 25, received: 3, is_guess: true };
        assert_eq!(Tokens::of(&Value::Null, 100, 9), guess);
    }
}
