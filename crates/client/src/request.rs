//! A request under construction: a route with its places filled in, a query, a body.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::{Method, http};
use protocol::api::{JSON, RunRef};
use serde::Serialize;

use crate::Error;

/// A request that is ready to be sent when its places are filled in.
pub(crate) struct Request {
    method: Method,
    path: String,
    query: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

impl Request {
    pub(crate) fn get(route: &str) -> Self {
        Self {
            method: Method::GET,
            path: route.to_owned(),
            query: String::new(),
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    pub(crate) fn post(route: &str, body: &impl Serialize) -> Result<Self, Error> {
        let body = serde_json::to_vec(body).map_err(unsendable)?;
        let headers = vec![(CONTENT_TYPE, HeaderValue::from_static(JSON))];
        Ok(Self { method: Method::POST, headers, body: body.into(), ..Self::get(route) })
    }

    pub(crate) fn run(mut self, run: RunRef) -> Self {
        self.path = self.path.replace("{run}", &run.to_string());
        self
    }

    pub(crate) fn task(mut self, name: &str) -> Self {
        self.path = self.path.replace("{task}", &encode(name));
        self
    }

    pub(crate) fn query(mut self, query: &impl Serialize) -> Result<Self, Error> {
        self.query = serde_urlencoded::to_string(query).map_err(unsendable)?;
        Ok(self)
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Result<Self, Error> {
        let value = HeaderValue::from_str(value).map_err(unsendable)?;
        self.headers.push((HeaderName::from_static(name), value));
        Ok(self)
    }

    pub(crate) fn into_http(self) -> Result<http::Request<Full<Bytes>>, Error> {
        let separator = if self.query.is_empty() { "" } else { "?" };
        let target = format!("{}{separator}{}", self.path, self.query);
        let mut request = http::Request::builder()
            .method(self.method)
            .uri(target)
            .header(HOST, "localhost")
            .body(Full::new(self.body))
            .map_err(unsendable)?;
        request.headers_mut().extend(self.headers);
        Ok(request)
    }
}

fn unsendable(error: impl std::fmt::Display) -> Error {
    Error::Unsendable(error.to_string())
}

/// Percent-encodes everything in a path segment that is not plain (RFC 3986, unreserved).
fn encode(segment: &str) -> String {
    let mut encoded = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_any_sign_stay_one_segment() {
        assert_eq!(encode("fetch-data_2.x~"), "fetch-data_2.x~");
        assert_eq!(encode("a/b?c d%"), "a%2Fb%3Fc%20d%25");
        assert_eq!(encode("训练"), "%E8%AE%AD%E7%BB%83");
    }
}
