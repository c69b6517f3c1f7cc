//! The few calls to an engine that are needed, as Docker has them from version 1.41 on, and Podman
//! as well.

use std::time::Duration;

use model::outcome::{Failure, Unreached};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value as Json, json};

use super::super::network::Trouble;
use super::super::network::client::in_words;
use super::engine::{self, Place};

/// How long an engine may take to answer what it does at once.
const PATIENCE: Duration = Duration::from_secs(120);
/// The number of errno for a thing that is not there, and for what went wrong otherwise.
const NO_ENTRY: i32 = 2;
const IO: i32 = 5;

/// A way to an engine.
#[derive(Clone, Debug)]
pub(super) struct Api {
    client: Client,
    base: String,
}

impl Api {
    /// The way to the engine that is here.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn find() -> Result<Self, Trouble> {
        let refused = Failure::Unreachable(Unreached::Refused);
        let place = engine::find().map_err(|reason| Trouble::new(refused, reason))?;
        // Another part of the process may have chosen it already: it is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = Client::builder().no_proxy().retry(reqwest::retry::never());
        let (builder, base) = match place {
            Place::Socket(path) => (builder.unix_socket(path), "http://engine".to_owned()),
            Place::Address(address) => (builder, address),
        };
        let client = builder.build();
        let client = client.map_err(|error| Trouble::new(Failure::Render, in_words(&error)))?;
        Ok(Self { client, base })
    }

    fn request(&self, method: Method, path: &str, query: &[(&str, &str)]) -> RequestBuilder {
        let query = query.iter().map(|(key, value)| format!("{key}={}", encoded(value)));
        let query = query.collect::<Vec<_>>().join("&");
        self.client.request(method, format!("{}/v1.41{path}?{query}", self.base))
    }

    /// Whether an image is here.
    pub(super) async fn has_image(&self, name: &str) -> Result<bool, Trouble> {
        let path = format!("/images/{}/json", encoded(name));
        let request = self.request(Method::GET, &path, &[]).timeout(PATIENCE);
        let answer = request.send().await.map_err(unreached)?;
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(false),
            _ => good(answer).await.map(|_| true),
        }
    }

    /// Fetches an image. The engine goes on with it as long as it is listened to.
    pub(super) async fn pull(&self, name: &str) -> Result<(), Trouble> {
        let (image, tag) = named(name);
        let query = [("fromImage", image), ("tag", tag)];
        let answer = self.request(Method::POST, "/images/create", &query).send().await;
        let told = text(good(answer.map_err(unreached)?).await?).await?;
        // It has said that all is well before it knew.
        let told = told.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok());
        match told.filter_map(|line| line["error"].as_str().map(str::to_owned)).next_back() {
            Some(error) => Err(Trouble::new(Failure::Spawn(IO), error)),
            None => Ok(()),
        }
    }

    /// Makes a container. Returns its id, and what the engine warns of.
    pub(super) async fn create(
        &self,
        name: &str,
        body: &Json,
    ) -> Result<(String, Vec<String>), Trouble> {
        let request = self.request(Method::POST, "/containers/create", &[("name", name)]);
        let made = json_of(self.with(request, body)).await?;
        let warnings = made["Warnings"].as_array().into_iter().flatten();
        let warnings = warnings.filter_map(|one| one.as_str().map(str::to_owned)).collect();
        match made["Id"].as_str() {
            Some(id) => Ok((id.to_owned(), warnings)),
            None => Err(Trouble::new(Failure::Spawn(IO), "the engine named no container")),
        }
    }

    /// Starts a container.
    pub(super) async fn start(&self, id: &str) -> Result<(), Trouble> {
        self.post(&format!("/containers/{id}/start"), &[]).await
    }

    /// What a container writes, until it ends.
    pub(super) async fn logs(&self, id: &str) -> Result<Response, Trouble> {
        let query = [("follow", "1"), ("stdout", "1"), ("stderr", "1")];
        let request = self.request(Method::GET, &format!("/containers/{id}/logs"), &query);
        good(request.send().await.map_err(unreached)?).await
    }

    /// Waits for the end of a container.
    pub(super) async fn wait(&self, id: &str) -> Result<(), Trouble> {
        let request = self.request(Method::POST, &format!("/containers/{id}/wait"), &[]);
        text(good(request.send().await.map_err(unreached)?).await?).await.map(drop)
    }

    /// How a container stands.
    pub(super) async fn inspect(&self, id: &str) -> Result<Json, Trouble> {
        let path = format!("/containers/{id}/json");
        json_of(self.request(Method::GET, &path, &[]).timeout(PATIENCE)).await
    }

    /// Sends a signal to a container. One that has ended is left alone.
    pub(super) async fn signal(&self, id: &str, signal: &str) -> Result<(), Trouble> {
        self.post(&format!("/containers/{id}/kill"), &[("signal", signal)]).await
    }

    /// Kills a container and removes it with what is its own.
    pub(super) async fn remove(&self, id: &str) -> Result<(), Trouble> {
        let query = [("force", "1"), ("v", "1")];
        let request = self.request(Method::DELETE, &format!("/containers/{id}"), &query);
        let answer = request.timeout(PATIENCE).send().await.map_err(unreached)?;
        match answer.status() {
            // It is gone, or about to be.
            StatusCode::NOT_FOUND | StatusCode::CONFLICT => Ok(()),
            _ => good(answer).await.map(drop),
        }
    }

    /// The containers that carry a label.
    pub(super) async fn labelled(&self, label: &str) -> Result<Vec<String>, Trouble> {
        let filters = json!({"label": [label]}).to_string();
        let query = [("all", "1"), ("filters", filters.as_str())];
        let request = self.request(Method::GET, "/containers/json", &query).timeout(PATIENCE);
        let listed = json_of(request).await?;
        let ids = listed.as_array().into_iter().flatten();
        Ok(ids.filter_map(|one| one["Id"].as_str().map(str::to_owned)).collect())
    }

    async fn post(&self, path: &str, query: &[(&str, &str)]) -> Result<(), Trouble> {
        let request = self.request(Method::POST, path, query).timeout(PATIENCE);
        good(request.send().await.map_err(unreached)?).await.map(drop)
    }

    fn with(&self, request: RequestBuilder, body: &Json) -> RequestBuilder {
        let request = request.timeout(PATIENCE).header("Content-Type", "application/json");
        request.body(body.to_string())
    }
}

/// The name of an image without its tag, and the tag: `latest` if none is named. A digest stays
/// with the name.
fn named(name: &str) -> (&str, &str) {
    if name.contains('@') {
        return (name, "");
    }
    match name.rsplit_once(':') {
        Some((image, tag)) if !tag.contains('/') => (image, tag),
        _ => (name, "latest"),
    }
}

/// An answer that says that all is well.
async fn good(answer: Response) -> Result<Response, Trouble> {
    let status = answer.status();
    if status.is_success() || status == StatusCode::NOT_MODIFIED {
        return Ok(answer);
    }
    let told = text(answer).await.unwrap_or_default();
    let message = serde_json::from_str::<Json>(&told).ok();
    let message = message.and_then(|told| told["message"].as_str().map(str::to_owned));
    let message = message.unwrap_or(told);
    let is_missing = status == StatusCode::NOT_FOUND || message.contains("file not found");
    let number = if is_missing { NO_ENTRY } else { IO };
    let reason = format!("the container engine says: {message}");
    Err(Trouble::new(Failure::Spawn(number), reason))
}

async fn text(answer: Response) -> Result<String, Trouble> {
    answer.text().await.map_err(unreached)
}

async fn json_of(request: RequestBuilder) -> Result<Json, Trouble> {
    let told = text(good(request.send().await.map_err(unreached)?).await?).await?;
    serde_json::from_str(&told).map_err(|error| {
        let reason = format!("the container engine says what is no JSON: {error}");
        Trouble::new(Failure::Spawn(IO), reason)
    })
}

fn unreached(error: reqwest::Error) -> Trouble {
    let mut trouble = super::super::network::client::trouble(error);
    trouble.reason = format!("the container engine cannot be asked: {}", trouble.reason);
    trouble
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_told_from_a_port_and_a_digest() {
        assert_eq!(named("python"), ("python", "latest"));
        assert_eq!(named("python:3.13"), ("python", "3.13"));
        assert_eq!(named("host:5000/train"), ("host:5000/train", "latest"));
        assert_eq!(named("host:5000/train:2"), ("host:5000/train", "2"));
        assert_eq!(named("train@sha256:ab"), ("train@sha256:ab", ""));
    }
}
