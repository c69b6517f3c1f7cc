//! A request of JSON to a server that is known: how models are asked. No redirect is followed.

use model::outcome::{Failure, Spent};
use reqwest::header::{self, HeaderValue};
use reqwest::{Client, Response, Url};

use super::{Asker, answer};
use crate::executors::network::client::trouble;
use crate::executors::network::guard::Guard;
use crate::executors::network::patience::Patience;
use crate::executors::network::{Teller, Trouble};

/// Sends JSON with a key. Gives back an answer of success, whose body is still to be read.
pub(crate) async fn post(
    (url, body): (&str, String),
    key: Option<&str>,
    (client, asker): (&Client, &Asker),
    (teller, patience): (&Teller, Patience),
) -> Result<Response, Trouble> {
    let wrong = |reason: String| Trouble::new(Failure::Render, reason);
    let url = Url::parse(url).map_err(|error| wrong(format!("the endpoint: {error}")))?;
    let guard = Guard { may_use_link_local: false };
    guard.look(&url).map_err(|refusal| Trouble::new(Failure::Forbidden, refusal.to_string()))?;
    let mut shown = url.clone();
    // A URL of the web always can have them.
    let _ = (shown.set_username(""), shown.set_password(None));
    teller.say(&format!("POST {shown} ({} bytes)", body.len()));
    let json = HeaderValue::from_static("application/json");
    let request =
        client.post(url).header(header::ACCEPT, &json).header(header::CONTENT_TYPE, &json);
    let mut request = request.body(body);
    if let Some(key) = key {
        let value = HeaderValue::from_str(&format!("Bearer {}", key.trim()));
        let mut value = value.map_err(|_| wrong("the key cannot stand in a header".to_owned()))?;
        value.set_sensitive(true);
        request = request.header(header::AUTHORIZATION, value);
    }
    if let Some(trace) = &asker.trace {
        request = request.header("traceparent", trace);
    }
    teller.spend(Spent { requests: 1, ..Spent::NOTHING });
    let response = patience.wait("an answer", request.send()).await?.map_err(trouble)?;
    if response.status().is_success() {
        return Ok(response);
    }
    Err(answer::unexpected(response, patience, &asker.mask()).await)
}
