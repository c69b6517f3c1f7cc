//! Clients of HTTP, one for each way of trusting, and what their errors mean.
//!
//! They follow no redirects and try nothing again. HTTP/1.1; TLS by rustls with ring, trusting what
//! the machine trusts; proxies as the worker's variables name them (`HTTPS_PROXY`, `NO_PROXY`).

use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use model::outcome::{Failure, Unreached};
use reqwest::{Certificate, Client, redirect};

use super::Trouble;
use super::guard::{Guard, Refusal};

/// How a client is to be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Manner {
    pub guard: Guard,
    /// Certificates that are trusted as well.
    pub authorities: Option<PathBuf>,
    pub is_insecure: bool,
    /// Whether answers are taken as they come, not unpacked.
    pub is_raw: bool,
}

impl Manner {
    /// As most are.
    pub(crate) fn plain() -> Self {
        let guard = Guard { may_use_link_local: false };
        Self { guard, authorities: None, is_insecure: false, is_raw: false }
    }
}

/// The clients that there are, with their open connections. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clients(Arc<Mutex<HashMap<Manner, Client>>>);

impl Clients {
    /// The client for a manner.
    ///
    /// # Errors
    /// The certificates cannot be read.
    pub(crate) fn get(&self, manner: &Manner) -> Result<Client, Trouble> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A file of certificates may have changed: it is read each time.
        if let Some(client) = known.get(manner).filter(|_| manner.authorities.is_none()) {
            return Ok(client.clone());
        }
        let client = build(manner)?;
        known.insert(manner.clone(), client.clone());
        Ok(client)
    }
}

fn build(manner: &Manner) -> Result<Client, Trouble> {
    // Another part of the process may have chosen it already: it is the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .user_agent(concat!("open-autoglm/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .gzip(!manner.is_raw)
        .dns_resolver(Arc::new(manner.guard))
        .tls_danger_accept_invalid_certs(manner.is_insecure);
    if let Some(path) = &manner.authorities {
        builder = builder.tls_certs_merge(certificates(path)?);
    }
    builder.build().map_err(|error| Trouble::new(Failure::Render, in_words(&error)))
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, Trouble> {
    let wrong = |reason: String| {
        let reason = format!("the certificates in {} cannot be used: {reason}", path.display());
        Trouble::new(Failure::Render, reason)
    };
    let bytes = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let found = Certificate::from_pem_bundle(&bytes).map_err(|error| wrong(in_words(&error)))?;
    if found.is_empty() {
        return Err(wrong("there is no certificate in PEM".to_owned()));
    }
    Ok(found)
}

/// What an error of a client means.
pub(crate) fn trouble(error: reqwest::Error) -> Trouble {
    let error = error.without_url();
    let failure = failure(&error);
    Trouble::new(failure, in_words(&error))
}

fn failure(error: &reqwest::Error) -> Failure {
    if error.is_builder() {
        return Failure::Render;
    }
    let mut how = if error.is_timeout() { Unreached::Slow } else { Unreached::Broken };
    for cause in causes(error) {
        match cause.downcast_ref::<Refusal>() {
            Some(Refusal::Forbidden(_)) => return Failure::Forbidden,
            Some(Refusal::Unresolved(_)) => how = Unreached::Unresolved,
            None => {}
        }
        if cause.is::<rustls::Error>() {
            how = Unreached::Insecure;
        }
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            how = by_kind(error).unwrap_or(how);
        }
    }
    Failure::Unreachable(how)
}

fn by_kind(error: &io::Error) -> Option<Unreached> {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::ConnectionRefused
        | Kind::HostUnreachable
        | Kind::NetworkUnreachable
        | Kind::AddrNotAvailable => Some(Unreached::Refused),
        Kind::TimedOut => Some(Unreached::Slow),
        _ => None,
    }
}

/// An error and all behind it. An IO error hides the one that it was made of.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        inner.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source())
    })
}

/// An error with what is behind it, each once.
pub(crate) fn in_words(error: &(dyn Error + 'static)) -> String {
    let mut words: Vec<String> = Vec::new();
    for cause in causes(error).map(ToString::to_string) {
        if !words.iter().any(|known| known.contains(&cause)) {
            words.push(cause);
        }
    }
    words.join(": ")
}
