//! The executor of calls of language models, on any server that is compatible with OpenAI's.
//!
//! It asks one model, and lets it mend an answer that does not fit. It waits for nothing, tries no
//! request again, and asks no other model: the engine does, by another attempt.

use model::outcome::Outcome;
use model::work::models::{Ask, Model, ModelCall};
use serde_json::{Map, Value, json};

use super::http::{Asker, post};
use super::network::client::{Clients, Manner};
use super::network::patience::Patience;
use super::network::{Teller, Trouble};
use super::{Attempt, Ending, Executor, Finished, Left, Tools};
use crate::outputs;
use crate::supervisor::Ticket;

mod embed;
mod generate;
mod read;
mod schema;

use read::Tokens;

/// Attempts that are calls of models.
#[derive(Debug, Default)]
pub(crate) struct Models {
    clients: Clients,
}

impl Executor for Models {
    type Work = ModelCall;

    fn start(&mut self, attempt: Attempt, call: ModelCall, tools: &mut Tools<'_>) {
        let clients = self.clients.clone();
        tools.network.begin(attempt.ticket, tools.slot, |teller| async move {
            let asker = Asker::new(attempt);
            run(&call, &asker, &clients, &teller).await.unwrap_or_else(Finished::from)
        });
    }

    fn stop(&mut self, ticket: Ticket, _: Ending, tools: &mut Tools<'_>) {
        tools.network.stop(ticket);
    }

    fn abandon(&mut self) {}
}

/// A model that is asked.
struct Asking<'a> {
    model: &'a Model,
    asker: &'a Asker,
    client: &'a reqwest::Client,
    teller: &'a Teller,
    patience: Patience,
}

async fn run(
    call: &ModelCall,
    asker: &Asker,
    clients: &Clients,
    teller: &Teller,
) -> Result<Finished, Trouble> {
    let client = clients.get(&Manner::plain())?;
    let model = &call.model;
    teller.say(&format!("the model `{}` is asked", model.name));
    let patience = Patience::in_all(model.timeout);
    let asking = Asking { model, asker, client: &client, teller, patience };
    let outputs = match &call.ask {
        Ask::Generate(generate) => generate::run(&asking, generate).await,
        Ask::Embed(embed) => embed::run(&asking, embed).await,
    };
    finished(outputs?)
}

fn finished(outputs: Map<String, Value>) -> Result<Finished, Trouble> {
    let outputs = outputs::canonical(&Value::Object(outputs)).map_err(|_| {
        let failure = model::outcome::Failure::TooLarge;
        Trouble::new(failure, "the answer is larger than outputs may be: write it to a file")
    })?;
    let left = Left::Outputs(outputs);
    Ok(Finished { left, ..Finished::new(Outcome::Succeeded) })
}

impl Asking<'_> {
    /// Sends a request below the endpoint of the model.
    async fn post(&self, path: &str, body: &Value) -> Result<reqwest::Response, Trouble> {
        let key = self.model.key.as_ref().map(|key| self.asker.text(key)).transpose()?;
        let url = format!("{}{path}", self.model.endpoint);
        let request = (url.as_str(), body.to_string());
        post(request, key, (self.client, self.asker), (self.teller, self.patience)).await
    }

    /// Counts what an answer has cost.
    fn spend(&self, tokens: Tokens) {
        self.teller.spend(model::outcome::Spent {
            requests: 0,
            tokens_in: tokens.sent,
            tokens_out: tokens.received,
            cost_micro: self.model.price.of(tokens.sent, tokens.received),
        });
    }
}

/// What was spent, as it stands in outputs.
fn usage(tokens: Tokens, model: &Model) -> Value {
    let cost = model.price.of(tokens.sent, tokens.received);
    let mut usage = json!({
        "tokens_in": tokens.sent,
        "tokens_out": tokens.received,
        "cost_micro": cost,
    });
    if tokens.is_guess {
        usage["is_estimate"] = true.into();
    }
    usage
}

/// The parameters of a request.
fn parameters(bytes: &[u8]) -> Map<String, Value> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(parameters)) => parameters,
        // They were written by the one that hands them over.
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests;
