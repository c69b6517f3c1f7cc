//! The executor of requests over HTTP.
//!
//! It sends what it was given, follows redirects, and says what came of it. It tries nothing again.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use model::outcome::{Failure, Outcome};
use model::work::http::{HttpRequest, Text};
use model::{AttemptId, Span};
use reqwest::Client;
use secrets::{Mask, Secret};

use super::network::Trouble;
use super::network::client::{Clients, Manner};
use super::network::guard::Guard;
use super::network::patience::Patience;
use super::{Attempt, Ending, Executor, Finished, Left, Tools};
use crate::executors::network::Teller;
use crate::supervisor::Ticket;

mod answer;
mod post;
mod request;
mod save;

pub(crate) use answer::read as read_all;
pub(crate) use post::post;
use request::Exchange;

/// Attempts that are requests.
#[derive(Debug, Default)]
pub(crate) struct Http {
    clients: Clients,
}

impl Executor for Http {
    type Work = HttpRequest;

    fn start(&mut self, attempt: Attempt, request: HttpRequest, tools: &mut Tools<'_>) {
        let clients = self.clients.clone();
        tools.network.begin(attempt.ticket, tools.slot, |teller| async move {
            let asker = Asker::new(attempt);
            run(&request, &asker, &clients, &teller).await.unwrap_or_else(Finished::from)
        });
    }

    fn stop(&mut self, ticket: Ticket, _: Ending, tools: &mut Tools<'_>) {
        tools.network.stop(ticket);
    }

    fn abandon(&mut self) {}
}

/// Who asks.
pub(crate) struct Asker {
    secrets: HashMap<String, String>,
    pub folder: PathBuf,
    /// The same for all attempts of an item in a round, and for nothing else anywhere.
    pub idempotency_key: String,
    /// What fences this attempt.
    pub token: String,
    /// Where it stands in a trace, as W3C has it.
    pub trace: Option<String>,
}

impl Asker {
    pub(crate) fn new(attempt: Attempt) -> Self {
        let trace = attempt.env.iter().rev().find(|(name, _)| name == "TRACEPARENT");
        let trace = trace.map(|(_, value)| value.clone());
        Self {
            idempotency_key: idempotency_key(attempt.id, trace.as_deref()),
            token: attempt.token.to_string(),
            secrets: attempt.secrets.into_iter().collect(),
            folder: attempt.folder,
            trace,
        }
    }

    /// One with these secrets, for tests.
    #[cfg(test)]
    pub(crate) fn of(secrets: HashMap<String, String>, folder: PathBuf) -> Self {
        let (idempotency_key, token) = ("key".to_owned(), "7".to_owned());
        let trace = Some("00-aa-bb-01".to_owned());
        Self { secrets, folder, idempotency_key, token, trace }
    }

    /// What hides its secrets where something is cut before the desk hides them.
    pub(crate) fn mask(&self) -> Mask {
        let secrets = self.secrets.values().map(|text| Secret::new(text.clone().into_bytes()));
        Mask::new(&secrets.collect::<Vec<_>>())
    }

    /// What a text says.
    ///
    /// # Errors
    /// It is a secret that the attempt was not given.
    pub(crate) fn text<'t>(&'t self, text: &'t Text) -> Result<&'t str, Trouble> {
        match text {
            Text::Plain(text) => Ok(text),
            Text::Secret(variable) => {
                self.secrets.get(variable).map(String::as_str).ok_or_else(|| {
                    Trouble::new(Failure::Render, "a secret of this request is not known")
                })
            }
        }
    }
}

/// The trace of a run is of this installation alone: two that run the same file differ.
fn idempotency_key(attempt: AttemptId, trace: Option<&str>) -> String {
    let trace = trace.and_then(|trace| trace.split('-').nth(1)).unwrap_or_default();
    let AttemptId { key, round, .. } = attempt;
    let whole = format!("{trace}/{}/{}/{round}/{}", key.run, key.task, key.item);
    blake3::hash(whole.as_bytes()).to_hex()[..32].to_owned()
}

async fn run(
    request: &HttpRequest,
    asker: &Asker,
    clients: &Clients,
    teller: &Teller,
) -> Result<Finished, Trouble> {
    let client = clients.get(&Manner {
        guard: Guard { may_use_link_local: request.may_use_link_local },
        authorities: request.tls.authorities.as_ref().map(|path| asker.folder.join(path)),
        is_insecure: request.tls.is_insecure,
        is_raw: request.save.is_some(),
    })?;
    let Some(Span(every)) = request.every else {
        let outputs = once(request, asker, (&client, teller)).await?;
        let left = Left::Outputs(outputs);
        return Ok(Finished { left, ..Finished::new(Outcome::Succeeded) });
    };
    let mut told = String::new();
    loop {
        match once(request, asker, (&client, &teller.quiet())).await {
            Ok(_) => return Ok(Finished::new(Outcome::Succeeded)),
            // It is not there yet.
            Err(Trouble {
                failure: Failure::Status(_) | Failure::Unreachable(_), reason, ..
            }) => {
                // An address that is looked at for days says the same each time.
                if reason != told {
                    teller.say(&reason);
                    told = reason;
                }
            }
            Err(trouble) => return Err(trouble),
        }
        tokio::time::sleep(Duration::from_micros(every)).await;
    }
}

/// One request. Gives back the outputs, as canonical JSON.
async fn once(
    request: &HttpRequest,
    asker: &Asker,
    (client, teller): (&Client, &Teller),
) -> Result<Vec<u8>, Trouble> {
    let patience = match request.save {
        Some(_) => Patience::for_each(request.timeout),
        None => Patience::in_all(request.timeout),
    };
    Exchange { request, asker, client, teller, patience }.run().await
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod keys {
    use model::{Attempt, ItemId, ItemKey, Round, RunId, TaskId};

    use super::*;

    #[test]
    fn a_key_is_that_of_an_item_in_a_round_of_one_installation() {
        let id = |attempt: u16, item: u32| AttemptId {
            key: ItemKey { run: RunId(1), task: TaskId(2), item: ItemId(item) },
            round: Round(1),
            attempt: Attempt(attempt),
        };
        let (here, there) = (Some("00-aa-1-01"), Some("00-bb-1-01"));
        assert_eq!(idempotency_key(id(1, 0), here), idempotency_key(id(2, 0), Some("00-aa-2-01")));
        assert_ne!(idempotency_key(id(1, 0), here), idempotency_key(id(1, 1), here));
        assert_ne!(idempotency_key(id(1, 0), here), idempotency_key(id(1, 0), there));
    }
}
