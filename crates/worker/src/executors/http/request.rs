//! One exchange: a request is made and sent, redirects are followed, and the answer is taken.

use std::borrow::Cow;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use model::outcome::{Failure, Spent};
use model::work::http::{Auth, Body, HttpRequest, Text};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url, header};
use tokio::fs::File;

use super::save::Part;
use super::{Asker, answer, save};
use crate::executors::network::client::trouble;
use crate::executors::network::guard::{Guard, Refusal};
use crate::executors::network::patience::Patience;
use crate::executors::network::{Teller, Trouble};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const TOKEN: HeaderName = HeaderName::from_static("autoglm-token");
const TRACE: HeaderName = HeaderName::from_static("traceparent");

/// Headers that are taken for what they say about who asks, and given to one server alone.
const PRIVATE: [HeaderName; 3] =
    [header::AUTHORIZATION, header::COOKIE, header::PROXY_AUTHORIZATION];

/// A request that is being made.
pub(super) struct Exchange<'e> {
    pub request: &'e HttpRequest,
    pub asker: &'e Asker,
    pub client: &'e Client,
    pub teller: &'e Teller,
    pub patience: Patience,
}

/// One request of a chain of redirects.
struct Hop {
    method: Method,
    url: Url,
    /// Whether what is sent goes along.
    has_body: bool,
    /// Whether it goes where the file says: secrets go nowhere else.
    is_home: bool,
}

impl Exchange<'_> {
    /// The outputs, as canonical JSON.
    pub(super) async fn run(&self) -> Result<Vec<u8>, Trouble> {
        let part = match &self.request.save {
            Some(path) => Some(Part::find(&self.asker.folder.join(path), &self.request.url).await),
            None => None,
        };
        let since = Instant::now();
        let response = self.send(part.as_ref()).await?;
        let status = response.status();
        let is_rest = part.as_ref().is_some_and(Part::is_begun)
            && matches!(status, StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE);
        let code = if is_rest { 200 } else { status.as_u16() };
        if !self.expects(code) {
            let mask = self.asker.mask();
            return Err(answer::unexpected(response, self.patience, &mask).await);
        }
        let headers = response.headers().clone();
        let said = |bytes: u64| {
            let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
            let kind = kind.map(|kind| format!(", {kind}")).unwrap_or_default();
            self.teller.say(&format!("{status}{kind}, {bytes} bytes, {:.0?}", since.elapsed()));
        };
        let taken = answer::Taken { request: self.request, code, headers: &headers };
        match (part, &self.request.save) {
            (Some(part), Some(path)) => {
                let limits = (self.request.bytes_max, self.patience);
                let bytes = save::save(response, part, limits, self.teller).await?;
                said(bytes);
                taken.saved(path, bytes)
            }
            _ => {
                let body = answer::read(response, self.request.bytes_max, self.patience).await?;
                said(body.len() as u64);
                taken.outputs(&body, self.teller)
            }
        }
    }

    fn expects(&self, status: u16) -> bool {
        self.request.expect.iter().any(|(from, to)| (*from..=*to).contains(&status))
    }

    /// Sends the request, and those that its answers lead to.
    async fn send(&self, part: Option<&Part>) -> Result<Response, Trouble> {
        let mut hop = self.first()?;
        for _ in 0..=self.request.redirects_max {
            let response = self.hop(&hop, part).await?;
            let status = response.status();
            let next = response.headers().get(header::LOCATION);
            let follows = self.request.redirects_max > 0 && !self.expects(status.as_u16());
            let Some(next) = next.filter(|_| status.is_redirection() && follows) else {
                return Ok(response);
            };
            let next = next.to_str().ok().and_then(|next| hop.url.join(next).ok());
            let next = next.filter(|next| matches!(next.scheme(), "http" | "https"));
            let Some(next) = next else {
                let reason = format!("{status}, and where it leads is no URL of the web");
                return Err(Trouble::new(Failure::Status(status.as_u16()), reason));
            };
            self.teller.say(&format!("{status}: it is elsewhere"));
            hop = hop.follow(status, next);
        }
        let reason = format!("it was redirected more than {} times", self.request.redirects_max);
        Err(Trouble::new(Failure::Status(StatusCode::FOUND.as_u16()), reason))
    }

    fn first(&self) -> Result<Hop, Trouble> {
        let wrong = |reason: &str| Trouble::new(Failure::Render, reason);
        let url = self.asker.text(&self.request.url)?.trim();
        let mut url = Url::parse(url).map_err(|error| wrong(&format!("its URL: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("its URL begins neither with `https://` nor with `http://`"));
        }
        for (name, value) in &self.request.query {
            url.query_pairs_mut().append_pair(name, self.asker.text(value)?);
        }
        let method = Method::from_bytes(self.request.method.as_bytes());
        let method = method.map_err(|_| wrong("its method is none"))?;
        Ok(Hop { method, url, has_body: true, is_home: true })
    }

    async fn hop(&self, hop: &Hop, part: Option<&Part>) -> Result<Response, Trouble> {
        let guard = Guard { may_use_link_local: self.request.may_use_link_local };
        guard
            .look(&hop.url)
            .map_err(|refusal: Refusal| Trouble::new(Failure::Forbidden, refusal.to_string()))?;
        let mut headers = self.headers(hop)?;
        if let Some(part) = part {
            part.ask_for_rest(&mut headers);
        }
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names.dedup();
        let shown = self.shown(hop);
        self.teller.say(&format!("{} {shown} ({})", hop.method, names.join(", ")));
        self.teller.spend(Spent { requests: 1, ..Spent::NOTHING });
        let request = self.client.request(hop.method.clone(), hop.url.clone()).headers(headers);
        let request = if hop.has_body { self.with_body(request).await? } else { request };
        self.patience.wait("an answer", request.send()).await?.map_err(trouble)
    }

    /// The headers of a request, the file's over those that are sent anyway.
    fn headers(&self, hop: &Hop) -> Result<HeaderMap, Trouble> {
        let mut headers = HeaderMap::new();
        let plain = |text: &str| HeaderValue::from_str(text);
        let Asker { idempotency_key, token, trace, .. } = self.asker;
        if !matches!(hop.method, Method::GET | Method::HEAD) {
            headers.extend(plain(idempotency_key).map(|it| (IDEMPOTENCY_KEY, it)));
        }
        headers.extend(plain(token).map(|it| (TOKEN, it)));
        headers.extend(trace.as_deref().and_then(|it| plain(it).ok()).map(|it| (TRACE, it)));
        if let Some(kind) = self.kind_of_body().filter(|_| hop.has_body) {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        if let Some(auth) = self.request.auth.as_ref().filter(|_| hop.is_home) {
            headers.insert(header::AUTHORIZATION, self.authorization(auth)?);
        }
        for (name, value) in &self.request.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad_header(name))?;
            let is_private = matches!(value, Text::Secret(_)) || PRIVATE.contains(&name);
            if is_private && !hop.is_home {
                continue;
            }
            let mut text = plain(self.asker.text(value)?).map_err(|_| bad_header(name.as_str()))?;
            text.set_sensitive(is_private);
            headers.insert(name, text);
        }
        Ok(headers)
    }

    fn authorization(&self, auth: &Auth) -> Result<HeaderValue, Trouble> {
        let text = match auth {
            Auth::Bearer(token) => format!("Bearer {}", self.asker.text(token)?.trim()),
            Auth::Basic(user, password) => {
                let (user, password) = (self.asker.text(user)?, self.asker.text(password)?);
                format!("Basic {}", BASE64.encode(format!("{user}:{password}")))
            }
        };
        let value = HeaderValue::from_str(&text).map_err(|_| bad_header("authorization"));
        value.map(|mut value| {
            value.set_sensitive(true);
            value
        })
    }

    fn kind_of_body(&self) -> Option<&'static str> {
        match self.request.body {
            Body::Nothing => None,
            Body::Text(_) => Some("text/plain; charset=utf-8"),
            Body::Json(_) => Some("application/json"),
            Body::Form(_) => Some("application/x-www-form-urlencoded"),
            Body::File(_) => Some("application/octet-stream"),
        }
    }

    async fn with_body(&self, request: RequestBuilder) -> Result<RequestBuilder, Trouble> {
        Ok(match &self.request.body {
            Body::Nothing => request,
            Body::Text(text) => request.body(self.asker.text(text)?.to_owned()),
            Body::Json(bytes) => request.body(bytes.clone()),
            Body::Form(fields) => {
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                for (name, value) in fields {
                    form.append_pair(name, self.asker.text(value)?);
                }
                request.body(form.finish())
            }
            Body::File(path) => {
                let unreadable = |error| {
                    let reason = format!("the file {path} cannot be sent: {error}");
                    Trouble::new(Failure::Render, reason)
                };
                let file = File::open(self.asker.folder.join(path)).await.map_err(unreadable)?;
                let length = file.metadata().await.map_err(unreadable)?.len();
                request.header(header::CONTENT_LENGTH, length).body(file)
            }
        })
    }

    /// A URL as it stands in the log: what may be a secret is left out.
    fn shown(&self, hop: &Hop) -> String {
        let is_secret = matches!(self.request.url, Text::Secret(_));
        if is_secret {
            return "a URL that is a secret".to_owned();
        }
        let mut url = hop.url.clone();
        // A URL of the web always can have them.
        let _ = (url.set_username(""), url.set_password(None));
        url.set_fragment(None);
        let hidden: Vec<&str> = self.request.query.iter().filter_map(hidden).collect();
        if !hidden.is_empty() && hop.is_home {
            let pairs: Vec<(String, String)> = hop
                .url
                .query_pairs()
                .map(|(name, value)| {
                    let is_hidden = hidden.contains(&&*name);
                    let value = if is_hidden { Cow::Borrowed("***") } else { value };
                    (name.into_owned(), value.into_owned())
                })
                .collect();
            url.query_pairs_mut().clear().extend_pairs(pairs);
        }
        if !hop.is_home {
            // Where it was led to may repeat what was sent.
            url.set_query(None);
        }
        url.into()
    }
}

impl Hop {
    /// The request that follows, as browsers make it.
    fn follow(self, status: StatusCode, url: Url) -> Self {
        let becomes_get = match status {
            StatusCode::SEE_OTHER => self.method != Method::HEAD,
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => self.method == Method::POST,
            _ => false,
        };
        let is_home = self.is_home && self.url.origin() == url.origin();
        let method = if becomes_get { Method::GET } else { self.method };
        Self { method, url, has_body: self.has_body && !becomes_get, is_home }
    }
}

fn hidden((name, value): &(String, Text)) -> Option<&str> {
    matches!(value, Text::Secret(_)).then_some(name.as_str())
}

fn bad_header(name: &str) -> Trouble {
    Trouble::new(Failure::Render, format!("the header `{name}` cannot be sent as it is"))
}
