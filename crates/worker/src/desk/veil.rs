//! What hides the secrets of an attempt in all that it prints and leaves.

use std::borrow::Cow;

use artifacts::logs::Stream;
use secrets::{Mask, Masking, Secret};
use serde_json::{Map, Value};

use crate::outputs;

/// Hides the secrets of an attempt in what it prints.
pub(super) struct Veil {
    pub(super) mask: Mask,
    out: Masking,
    err: Masking,
}

impl Veil {
    pub(super) fn new(secrets: &[Secret]) -> Self {
        let mask = Mask::new(secrets);
        Self { out: mask.stream(), err: mask.stream(), mask }
    }

    pub(super) fn hide(&mut self, stream: Stream, bytes: &[u8]) -> Vec<u8> {
        let masking = if stream == Stream::Out { &mut self.out } else { &mut self.err };
        let mut hidden = Vec::with_capacity(bytes.len());
        masking.push(bytes, &mut hidden);
        hidden
    }

    /// What was held back because a secret might have begun in it.
    pub(super) fn finish(&mut self) -> Vec<(Stream, Vec<u8>)> {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        self.out.finish(&mut out);
        self.err.finish(&mut err);
        let rests = [(Stream::Out, out), (Stream::Err, err)];
        rests.into_iter().filter(|(_, rest)| !rest.is_empty()).collect()
    }

    /// A line about the attempt, without its secrets.
    pub(super) fn line(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.mask.apply(text.as_bytes())).into_owned()
    }

    /// Whether a text has a secret in it.
    pub(super) fn is_in(&self, text: &str) -> bool {
        matches!(self.mask.apply(text.as_bytes()), Cow::Owned(_))
    }

    /// Outputs without secrets. They are looked for in each text and number by itself, as whoever
    /// reads the outputs will see them, so that what comes out is JSON as before.
    ///
    /// # Errors
    /// They cannot be taken out.
    pub(super) fn outputs(&self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let value: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let hidden = outputs::canonical(&self.value(value)).map_err(|error| error.to_string())?;
        match self.mask.apply(&hidden) {
            Cow::Borrowed(_) => Ok(hidden),
            // Brackets and quotes are a part of it.
            Cow::Owned(_) => Err("the outputs are made of a secret: leave none in them".to_owned()),
        }
    }

    fn value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Number(number) => {
                let text = number.to_string();
                if self.is_in(&text) {
                    return Value::String(self.text(text));
                }
                Value::Number(number)
            }
            Value::Array(values) => values.into_iter().map(|value| self.value(value)).collect(),
            Value::Object(members) => {
                let member = |(key, value)| (self.text(key), self.value(value));
                Value::Object(members.into_iter().map(member).collect::<Map<_, _>>())
            }
            Value::Null | Value::Bool(_) => value,
        }
    }

    fn text(&self, text: String) -> String {
        if self.is_in(&text) { self.line(&text) } else { text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn veil(secret: &str) -> Veil {
        Veil::new(&[Secret::new(secret.into())])
    }

    #[test]
    fn outputs_stay_json() {
        let hidden = |secret: &str, outputs: &str| {
            let hidden = veil(secret).outputs(outputs.as_bytes());
            hidden.map(|bytes| String::from_utf8(bytes).unwrap())
        };
        let of_digits = hidden("123456", r#"{"a":[9123456,1.5],"b":{"x123456":null},"c":123}"#);
        assert_eq!(of_digits.unwrap(), r#"{"a":["9***",1.5],"b":{"x***":null},"c":123}"#);
        assert_eq!(hidden("a\"b\\c", r#"{"a":"<a\"b\\c>"}"#).unwrap(), r#"{"a":"<***>"}"#);
        // As `base64` breaks its lines.
        let broken = r#"{"a":"aGVsbG8gd29ybGQg\nYW5kIGFsbA=="}"#;
        assert_eq!(hidden("hello world and all", broken).unwrap(), r#"{"a":"***\n***"}"#);
        assert!(hidden("\",\"b\":\"", r#"{"a":"x","b":"y"}"#).is_err());
    }
}
