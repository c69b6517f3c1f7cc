//! Requests over HTTP: from settings with all filled in to what a worker sends.

use std::str::FromStr;

use model::Span;
use model::work::Does;
use model::work::http::{Auth, Body, HttpRequest, Text, Tls};
use serde_json::Value as Json;

use crate::units;

/// How long is waited for an answer.
const TIMEOUT: Span = Span::secs(60);
/// How long an answer may be that is kept in memory.
const BYTES_MAX: u64 = 10 << 20;
/// How long one may be that is written to a file.
const SAVED_BYTES_MAX: u64 = 100 << 30;
/// How many redirects are followed.
const REDIRECTS_MAX: u32 = 10;

/// A status, or all that begin alike: `2xx`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StatusRange(u16, u16);

impl FromStr for StatusRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{}` is no status of HTTP", text.escape_debug());
        if let Some(first) = text.strip_suffix("xx").or_else(|| text.strip_suffix("XX")) {
            let first = first.parse::<u16>().ok().filter(|first| (1..=5).contains(first));
            return first.map(|it| Self(it * 100, it * 100 + 99)).ok_or_else(wrong);
        }
        let status = text.parse().ok().filter(|status| (100..=599).contains(status));
        status.map(|status| Self(status, status)).ok_or_else(wrong)
    }
}

/// A JSON path as the standard has it. The `$` at its beginning may be left out.
///
/// # Errors
/// It is none; in words.
pub(crate) fn json_path(text: &str) -> Result<String, String> {
    let text = text.trim();
    let full = match text.chars().next() {
        Some('$') => text.to_owned(),
        Some('[') => format!("${text}"),
        _ => format!("$.{text}"),
    };
    let wrong = |error| format!("`{}` is no JSON path: {error}", text.escape_debug());
    serde_json_path::JsonPath::parse(&full).map_err(wrong)?;
    Ok(full)
}

pub(super) fn work(settings: &Json) -> Result<Does, String> {
    let body = body(settings)?;
    let method = match (settings["method"].as_str(), &body) {
        (Some(method), _) => method.to_ascii_uppercase(),
        (None, Body::Nothing) => "GET".to_owned(),
        (None, _) => "POST".to_owned(),
    };
    let save = settings.get("save").map(plain).transpose()?;
    let default_bytes = if save.is_some() { SAVED_BYTES_MAX } else { BYTES_MAX };
    let redirects = settings["redirects"].as_u64().and_then(|count| u32::try_from(count).ok());
    Ok(Does::Http(Box::new(HttpRequest {
        method,
        url: text(&settings["url"])?,
        query: fields(&settings["query"])?,
        headers: fields(&settings["headers"])?,
        auth: auth(&settings["auth"])?,
        body,
        tls: Tls {
            authorities: settings["tls"].get("ca").map(plain).transpose()?,
            is_insecure: settings["tls"]["insecure"] == Json::Bool(true),
        },
        expect: expect(&settings["expect"])?,
        outputs: outputs(&settings["outputs"])?,
        save,
        timeout: span(&settings["timeout"])?.unwrap_or(TIMEOUT),
        bytes_max: match &settings["max_bytes"] {
            Json::Null => default_bytes,
            bytes => units::bytes(&plain(bytes)?)?,
        },
        redirects_max: redirects.unwrap_or(REDIRECTS_MAX),
        may_use_link_local: settings["allow_link_local"] == Json::Bool(true),
        every: span(&settings["every"])?,
    })))
}

/// A length of time, if there is one.
pub(super) fn span(value: &Json) -> Result<Option<Span>, String> {
    match value {
        Json::Null => Ok(None),
        value => units::duration(plain(value)?.trim()).map(Some),
    }
}

/// A text that may be a secret.
pub(super) fn text(value: &Json) -> Result<Text, String> {
    match value.get("secret") {
        Some(Json::String(variable)) => Ok(Text::Secret(variable.clone())),
        _ => plain(value).map(Text::Plain),
    }
}

/// A text, as it is sent: a number is what it says.
pub(super) fn plain(value: &Json) -> Result<String, String> {
    match value {
        Json::String(text) => Ok(text.clone()),
        Json::Number(_) | Json::Bool(_) => Ok(value.to_string()),
        other => Err(format!("a text is needed here, and this is {other}")),
    }
}

fn fields(value: &Json) -> Result<Vec<(String, Text)>, String> {
    let fields = value.as_object().into_iter().flatten();
    fields.map(|(name, value)| Ok((name.clone(), text(value)?))).collect()
}

fn auth(value: &Json) -> Result<Option<Auth>, String> {
    if let Some(token) = value.get("bearer") {
        return text(token).map(|token| Some(Auth::Bearer(token)));
    }
    let Some(basic) = value.get("basic") else { return Ok(None) };
    let part = |key: &str| match &basic[key] {
        Json::Null => Ok(Text::Plain(String::new())),
        given => text(given),
    };
    Ok(Some(Auth::Basic(part("user")?, part("password")?)))
}

fn body(settings: &Json) -> Result<Body, String> {
    if let Some(body) = settings.get("body") {
        return text(body).map(Body::Text);
    }
    if let Some(value) = settings.get("json") {
        return Ok(Body::Json(value.to_string().into_bytes()));
    }
    if let Some(form) = settings.get("form") {
        return fields(form).map(Body::Form);
    }
    match settings.get("file") {
        Some(path) => plain(path).map(Body::File),
        None => Ok(Body::Nothing),
    }
}

fn expect(value: &Json) -> Result<Vec<(u16, u16)>, String> {
    let ranges: Vec<&Json> = match value {
        Json::Null => return Ok(vec![(200, 299)]),
        Json::Array(ranges) => ranges.iter().collect(),
        one => vec![one],
    };
    let range = |value: &Json| plain(value)?.parse().map(|StatusRange(from, to)| (from, to));
    ranges.into_iter().map(range).collect()
}

fn outputs(value: &Json) -> Result<Vec<(String, String)>, String> {
    let paths = value.as_object().into_iter().flatten();
    paths.map(|(name, path)| Ok((name.clone(), json_path(&plain(path)?)?))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(settings: &Json) -> HttpRequest {
        match work(settings) {
            Ok(Does::Http(request)) => *request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_not_said_goes_without_saying() {
        let plain = request(&json!({"url": "http://x"}));
        assert_eq!((plain.method.as_str(), plain.expect), ("GET", vec![(200, 299)]));
        assert_eq!((plain.bytes_max, plain.timeout), (BYTES_MAX, TIMEOUT));
        let sent = request(&json!({"url": "http://x", "json": {"a": 1}, "save": "f"}));
        assert_eq!((sent.method.as_str(), sent.bytes_max), ("POST", SAVED_BYTES_MAX));
        assert_eq!(sent.body, Body::Json(b"{\"a\":1}".to_vec()));
    }

    #[test]
    fn a_secret_is_a_variable() {
        let settings = json!({"url": "http://x", "auth": {"bearer": {"secret": "V"}}});
        let secret = Text::Secret("V".to_owned());
        assert_eq!(request(&settings).auth, Some(Auth::Bearer(secret)));
    }

    #[test]
    fn statuses_and_paths_are_read_as_people_write_them() {
        let settings = json!({"url": "u", "expect": [200, "4xx"], "outputs": {"a": "x[0].y"}});
        let request = request(&settings);
        assert_eq!(request.expect, [(200, 200), (400, 499)]);
        assert_eq!(request.outputs, [("a".to_owned(), "$.x[0].y".to_owned())]);
        assert!("2x".parse::<StatusRange>().is_err() && "600".parse::<StatusRange>().is_err());
        assert!(json_path("a b[").is_err());
    }
}
