//! The models that calls name: they must be declared, and what their keys may spend is a budget of
//! all runs.

use model::Span;
use model::shared::{Breaker, Shared, Spending, Unit};
use serde_json::{Value as Json, json};

use super::check_name;
use super::secrets::SecretNames;
use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::expression::texts_of;
use crate::extend::MODELS;
use crate::file::{Called, ModelFile, WorkflowFile};
use crate::read::Placed;
use crate::secret::whole;
use crate::suggest::did_you_mean;
use crate::template::is_template;

/// The budget's time: its limits are for a minute.
const MINUTE: Span = Span::secs(60);
/// What a call is held to need that does not say how much it may generate.
const TOKENS_OUT: u64 = 500;
/// How many models a call may use at most.
const MODELS_MAX: usize = 16;
/// About so many bytes are a token.
const TOKEN_BYTES: u64 = 4;

/// What a file declares.
#[derive(Clone, Copy)]
pub(super) struct Models<'f>(&'f [(Placed<String>, ModelFile)]);

impl<'f> Models<'f> {
    pub(super) fn of(file: &'f WorkflowFile) -> Self {
        Self(file.models.as_ref().map_or(&[][..], |models| &models.0))
    }

    /// What is wrong with the models themselves, whoever uses them.
    pub(super) fn check(self, secrets: &SecretNames<'_>, faults: &mut Faults) {
        for (name, model) in self.0 {
            check_name("a model", name, faults);
            match &model.endpoint {
                Some(endpoint) => check_endpoint(name, endpoint, faults),
                None => {
                    let message = format!("the model `{}` has no `endpoint`", name.value);
                    let fault = Fault::new(code::MISSING_KEY, name.extent, message);
                    faults.push(fault.hint("say where its server is: `endpoint: https://.../v1`"));
                }
            }
            if let Some(key) = &model.api_key
                && !secrets.is_secret(key, faults)
            {
                // What stands behind the name may be the key: it is not shown.
                let message = format!("the key of the model `{}` is no secret", name.value);
                let fault = Fault::new(code::SECRET_PLACE, name.extent, message).private();
                faults.push(fault.hint(
                    "say where it is under `secrets`, and write `api_key: \"{{ secrets.NAME }}\"`",
                ));
            }
            let prices = model.price.iter().flat_map(|price| [&price.input, &price.output]);
            for price in prices.flatten() {
                let most = 1e9;
                if !price.value.0.as_f64().is_some_and(|price| (0.0..=most).contains(&price)) {
                    let message = "a price is a number from 0 to 1000000000";
                    faults.push(Fault::new(code::BAD_VALUE, price.extent, message));
                }
            }
            self.check_fallbacks(name, model, faults);
        }
    }

    /// Each model is asked once, and in an order that a number of 8 bits can tell.
    fn check_fallbacks(self, name: &Placed<String>, model: &ModelFile, faults: &mut Faults) {
        let mut seen = vec![name.value.as_str()];
        for fallback in model.fallbacks.iter().flat_map(|fallbacks| &fallbacks.0) {
            self.find(fallback, faults);
            if seen.contains(&fallback.value.as_str()) {
                let message = match fallback.value == name.value {
                    true => format!("`{}` cannot be asked in its own place", fallback.value),
                    false => format!("`{}` is named twice", fallback.value),
                };
                let fault = Fault::new(code::BAD_VALUE, fallback.extent, message);
                faults.push(fault.hint("each model of a call is asked once: leave this one out"));
            }
            seen.push(&fallback.value);
        }
        if seen.len() > MODELS_MAX {
            let message = format!("a model has at most {} `fallbacks`", MODELS_MAX - 1);
            faults.push(Fault::new(code::BAD_VALUE, name.extent, message));
        }
    }

    /// The settings of a call with the models that it may use.
    pub(super) fn with_models(self, call: Called<'f>, faults: &mut Faults) -> Json {
        let mut settings = call.settings.clone();
        let Some(name) = call.model else { return settings };
        let Some(first) = self.find(name, faults) else { return settings };
        let fallbacks = first.fallbacks.iter().flat_map(|fallbacks| &fallbacks.0);
        // Those that are not there have been told of.
        let others = fallbacks.filter_map(|name| Some((name, self.get(&name.value)?)));
        let models = std::iter::once((name, first)).chain(others);
        settings["models"] = models.map(|(name, model)| in_full(&name.value, model)).collect();
        settings
    }

    /// What the calls of each model take that a call may use, the first one first. Empty for what
    /// calls no model.
    pub(super) fn shared(self, call: Called<'_>) -> Vec<Shared> {
        let used = |name: &Placed<String>| Some(taken(self.get(&name.value)?, call));
        let Some(first) = call.model else { return Vec::new() };
        let fallbacks = self.get(&first.value).and_then(|model| model.fallbacks.as_ref());
        let names = fallbacks.iter().flat_map(|fallbacks| &fallbacks.0);
        std::iter::once(first).chain(names).filter_map(used).collect()
    }

    fn get(self, name: &str) -> Option<&'f ModelFile> {
        self.0.iter().find(|(known, _)| known.value == name).map(|(_, model)| model)
    }

    fn find(self, name: &Placed<String>, faults: &mut Faults) -> Option<&'f ModelFile> {
        let found = self.get(&name.value);
        if found.is_none() {
            let message = format!("there is no model `{}`", name.value);
            let fault = Fault::new(code::UNKNOWN_MODEL, name.extent, message);
            let names = self.0.iter().map(|(known, _)| known.value.as_str());
            let add = format!(
                "say where it is: `models: {{{}: {{endpoint: \"https://.../v1\"}}}}`, here or in \
                 `{MODELS}` beside the file",
                name.value
            );
            faults.push(fault.hint_if(did_you_mean(&name.value, names)).hint_if(Some(add)));
        }
        found
    }
}

/// Where a server is: a URL that more is put behind, and that tells no secret.
fn check_endpoint(name: &Placed<String>, endpoint: &Placed<String>, faults: &mut Faults) {
    let text = endpoint.value.trim();
    if is_template(text) {
        return;
    }
    let Some((_, rest)) = text
        .split_once("://")
        .filter(|(scheme, _)| ["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()))
    else {
        let message = "an `endpoint` is a URL of `http` or `https`";
        let fault = Fault::new(code::BAD_VALUE, endpoint.extent, message);
        return faults.push(fault.hint("it begins with `https://` or `http://`"));
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.contains('@') {
        let message = format!("the `endpoint` of `{}` has a name or a password in it", name.value);
        let fault = Fault::new(code::SECRET_PLACE, name.extent, message).private();
        return faults.push(fault.hint("say who asks by `api_key: \"{{ secrets.NAME }}\"`"));
    }
    if rest.contains(['?', '#']) {
        let message = "an `endpoint` has no query: paths are put behind it";
        return faults.push(Fault::new(code::BAD_VALUE, endpoint.extent, message));
    }
    let added = ["/chat/completions", "/embeddings"];
    if let Some(added) = added.iter().find(|path| rest.trim_end_matches('/').ends_with(*path)) {
        let message = format!("`{added}` is put behind an `endpoint`, and stands there already");
        let fault = Fault::new(code::BAD_VALUE, endpoint.extent, message);
        faults.push(fault.hint("leave it out: most servers have `https://.../v1`"));
    }
}

/// What a call takes of the budgets of a model, and the breaker that all calls of its server keep
/// to: while it is down, nobody asks it but for trials.
fn taken(model: &ModelFile, call: Called<'_>) -> Shared {
    let whose = whose(model);
    let budget = |what: &str, limit: u64, amount: u64, unit: Unit| Spending {
        name: format!("{whose}/{what}").into(),
        amount: narrow(amount.clamp(1, limit)),
        limit: narrow(limit),
        per: MINUTE,
        unit,
    };
    let requests = model.requests_per_minute.as_ref().map(|it| it.value.0);
    let requests = requests.map(|limit| budget("requests", limit, 1, Unit::Requests));
    let tokens = model.tokens_per_minute.as_ref().map(|it| it.value.0);
    let tokens =
        tokens.map(|limit| budget("tokens", limit, tokens_of(call.settings), Unit::Tokens));
    let breaker = Breaker {
        name: whose.as_str().into(),
        failures: 5,
        open: Span::secs(30),
        open_max: Span::secs(600),
        trials: 1,
        counts_transient: false,
    };
    Shared {
        budgets: requests.into_iter().chain(tokens).collect(),
        breakers: [breaker].into(),
        ..Shared::default()
    }
}

fn in_full(name: &str, file: &ModelFile) -> Json {
    let mut model = json!({"name": name});
    let texts = [("endpoint", &file.endpoint), ("model", &file.model), ("api_key", &file.api_key)];
    for (key, text) in texts {
        if let Some(text) = text {
            model[key] = text.value.clone().into();
        }
    }
    if let Some(price) = &file.price {
        let value = |price: &Option<Placed<crate::file::Bound>>| {
            price.as_ref().map_or(Json::from(0), |price| Json::Number(price.value.0.clone()))
        };
        model["price"] = json!({"input": value(&price.input), "output": value(&price.output)});
    }
    if let Some(timeout) = &file.timeout {
        model["timeout"] = format!("{}us", timeout.value.0.0).into();
    }
    model
}

/// Who pays: the key at its server. A `/` stands in no name of a rate, so that none is the same.
fn whose(model: &ModelFile) -> String {
    let endpoint = model.endpoint.as_ref().map_or("", |endpoint| endpoint.value.as_str());
    let server = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let server = server.trim_end_matches('/');
    match model.api_key.as_ref().and_then(|key| whole(&key.value)) {
        Some(key) => format!("{key}@{server}"),
        None => server.to_owned(),
    }
}

/// About how many tokens a call needs. What it has spent is known when it has ended.
fn tokens_of(settings: &Json) -> u64 {
    let sent = ["prompt", "prompt_template", "messages", "system", "input"];
    let texts = sent.iter().filter_map(|key| settings.get(*key)).flat_map(texts_of);
    let bytes: u64 = texts.map(|text| text.len() as u64).sum();
    let generated = match settings.get("input") {
        Some(_) => 0,
        None => settings["max_tokens"].as_u64().unwrap_or(TOKENS_OUT),
    };
    (bytes / TOKEN_BYTES).saturating_add(generated)
}

fn narrow(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::Source;
    use crate::params::Workflow;

    fn check(text: &str) -> Workflow {
        let source = Source { text: text.as_bytes().to_vec(), ..Source::default() };
        crate::check(&source).unwrap_or_else(|errors| panic!("{errors}"))
    }

    #[test]
    fn a_call_spends_of_the_budgets_of_its_key() {
        let workflow = check(
            "secrets: {k: 'env:K'}\n\
             models:\n  m: {endpoint: 'https://a.example/v1/', api_key: '{{ secrets.k }}', \
             requests_per_minute: 60, tokens_per_minute: 1000}\n\
             rates: {mine: 5/s}\n\
             tasks:\n  ask:\n    rate: mine\n    \
             llm_generate: {model: m, prompt: twelve bytes, max_tokens: 20}\n  \
             long: {llm_generate: {model: m, prompt: x, max_tokens: 9999}}\n  \
             embed: {llm_embed: {model: m, input: [four, five]}}\n",
        );
        let taken = |task: usize| -> Vec<(&str, u32, u32)> {
            let policy = workflow.parts.policy_of[task] as usize;
            let shared = &workflow.parts.policies[policy].shared;
            shared.budgets.iter().map(|it| (&*it.name, it.amount, it.limit)).collect()
        };
        let (requests, tokens) = ("k@a.example/v1/requests", "k@a.example/v1/tokens");
        assert_eq!(taken(0), [(requests, 1, 60), (tokens, 23, 1000), ("mine", 1, 5)]);
        assert_eq!(taken(1), [(requests, 1, 60), (tokens, 1000, 1000)], "never more than there is");
        assert_eq!(taken(2), [(requests, 1, 60), (tokens, 2, 1000)]);
    }

    #[test]
    fn a_server_that_is_a_parameter_is_known_by_its_value() {
        let named = |server: &str, with: &str| -> Vec<String> {
            let workflow = check(&format!(
                "params: {{at: 'http://a.example/v1/'}}\n\
                 models: {{m: {{endpoint: {server}, requests_per_minute: 60}}}}\n\
                 tasks:\n  ask: {{llm_generate: {{model: m, prompt: x}}{with}}}\n"
            ));
            let compiled = workflow.bind(&BTreeMap::new()).unwrap().compile().unwrap();
            let shared = &compiled.parts.policies[compiled.parts.policy_of[0] as usize].shared;
            let names = shared.budgets.iter().map(|it| it.name.to_string());
            names.chain(shared.breakers.iter().map(|it| it.name.to_string())).collect()
        };
        let wanted = ["a.example/v1/requests", "a.example/v1"];
        assert_eq!(named("'{{ params.at }}'", ""), wanted);
        assert_eq!(named("'http://{{ params.at[7:-1] }}'", ""), wanted);
        let copied = "}\n  each: {foreach: [1], tasks: {b: {script: 'true'}}";
        assert_eq!(named("'{{ params.at }}'", copied), wanted);
    }

    #[test]
    fn an_endpoint_is_a_url_that_tells_nothing_and_that_paths_are_put_behind() {
        let code = |endpoint: &str| {
            let text = format!(
                "models: {{m: {{endpoint: '{endpoint}'}}}}\n\
                 tasks: {{ask: {{llm_generate: {{model: m, prompt: x}}}}}}\n"
            );
            let source = Source { text: text.into_bytes(), ..Source::default() };
            crate::check(&source).map(drop).map_err(|errors| (errors.code(), errors.to_string()))
        };
        for fine in ["https://a.example/v1", "HTTP://localhost:8000/v1/", "{{ params.at }}"] {
            let told = code(&fine.replace("{{ params.at }}", "http://{{ 1 }}.example/v1?"));
            assert_eq!(told, Ok(()), "{fine}");
        }
        for wrong in
            ["localhost:8000/v1", "ftp://a/v1", "http://a/v1?k=1", "http://a/v1/chat/completions"]
        {
            assert_eq!(code(wrong).map_err(|told| told.0), Err(crate::code::BAD_VALUE), "{wrong}");
        }
        let (told, words) = code("http://me:hunter22@a.example/v1").unwrap_err();
        assert_eq!(told, crate::code::SECRET_PLACE);
        assert!(!words.contains("hunter22"), "{words}");
    }

    #[test]
    fn what_waits_for_another_machine_asks_for_little_of_this_one() {
        let workflow = check(
            "models: {m: {endpoint: 'http://a.example/v1'}}\n\
             tasks:\n  a: {llm_generate: {model: m, prompt: x}}\n  \
             b: {http: 'http://a.example'}\n  \
             c: {http: 'http://a.example', resources: {cpu: 2}}\n  d: {script: 'true'}\n",
        );
        let cpu = |task: usize| {
            let policy = workflow.parts.policy_of[task] as usize;
            workflow.parts.policies[policy].request.cpu_milli
        };
        assert_eq!([0, 1, 2, 3].map(cpu), [10, 10, 2000, 1000]);
    }
}
