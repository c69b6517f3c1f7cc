//! Calls of language models: from settings with all filled in to what a worker asks.
//!
//! The check has put the models that a call may use into its settings, under `models`: each is a
//! way to do it, and an attempt knows one of them.

use model::work::Does;
use model::work::models::{Ask, Embed, Generate, Model, ModelCall, Price};
use model::{Span, VariantId};
use serde_json::{Map, Value as Json, json};

use super::http::{plain, span, text};

/// How long is waited for an answer.
const TIMEOUT: Span = Span::secs(600);
/// How often a model may mend its answer.
const REPAIRS: u8 = 2;
/// Settings that are sent under their own names.
const SENT: [&str; 5] = ["temperature", "top_p", "max_tokens", "stop", "seed"];

/// Whether a value is a JSON Schema that needs nothing from elsewhere.
///
/// # Errors
/// It is none; in words.
pub(crate) fn check_schema(schema: &Json) -> Result<(), String> {
    const PLACE: &str = "schema:answer";
    let mut compiler = boon::Compiler::new();
    compiler.use_loader(Box::new(Nowhere));
    let in_words = |error: &boon::CompileError| {
        let words = format!("{error:#}").replace(PLACE, "");
        words.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    compiler.add_resource(PLACE, schema.clone()).map_err(|error| in_words(&error))?;
    let compiled = compiler.compile(PLACE, &mut boon::Schemas::new());
    compiled.map(drop).map_err(|error| in_words(&error))
}

/// Schemas name nothing elsewhere: neither files nor the web are read for them.
struct Nowhere;

impl boon::UrlLoader for Nowhere {
    fn load(&self, url: &str) -> Result<Json, Box<dyn std::error::Error>> {
        Err(format!("`{url}` is elsewhere: write what it says into the schema").into())
    }
}

pub(super) fn generate(settings: &Json) -> Result<Does, String> {
    let mut parameters = parameters(settings);
    for key in SENT {
        if let Some(value) = settings.get(key) {
            parameters.insert(key.to_owned(), value.clone());
        }
    }
    let schema = match &settings["response_format"] {
        Json::Null => None,
        Json::Object(_) => Some(settings["response_format"].clone()),
        _ => Some(json!({"type": "object"})),
    };
    let repairs = settings["repairs"].as_u64().and_then(|repairs| u8::try_from(repairs).ok());
    let ask = Ask::Generate(Generate {
        messages: bytes(&messages(settings)?),
        parameters: bytes(&Json::Object(parameters)),
        schema: schema.as_ref().map(bytes),
        repairs_max: repairs.unwrap_or(REPAIRS),
        is_streamed: settings["stream"] != Json::Bool(false),
    });
    Ok(Does::Model(Box::new(ModelCall { model: chosen(settings)?, ask })))
}

pub(super) fn embed(settings: &Json) -> Result<Does, String> {
    let mut parameters = parameters(settings);
    if let Some(dimensions) = settings.get("dimensions") {
        parameters.insert("dimensions".to_owned(), dimensions.clone());
    }
    let (inputs, is_list) = match &settings["input"] {
        Json::Array(inputs) => (inputs.iter().map(plain).collect::<Result<_, _>>()?, true),
        one => (vec![plain(one)?], false),
    };
    let ask = Ask::Embed(Embed {
        inputs,
        is_list,
        parameters: bytes(&Json::Object(parameters)),
        save: settings.get("save").map(plain).transpose()?,
    });
    Ok(Does::Model(Box::new(ModelCall { model: chosen(settings)?, ask })))
}

fn bytes(value: &Json) -> Vec<u8> {
    value.to_string().into_bytes()
}

fn parameters(settings: &Json) -> Map<String, Json> {
    settings["parameters"].as_object().cloned().unwrap_or_default()
}

fn messages(settings: &Json) -> Result<Json, String> {
    let system = settings.get("system").map(plain).transpose()?;
    let mut messages: Vec<Json> =
        system.into_iter().map(|system| json!({"role": "system", "content": system})).collect();
    match settings.get("messages") {
        Some(Json::Array(given)) => messages.extend(given.iter().cloned()),
        Some(other) => return Err(format!("`messages` is a list, and this is {other}")),
        None => {
            let prompt = settings.get("prompt").or_else(|| settings.get("prompt_template"));
            let prompt = plain(prompt.unwrap_or(&Json::Null))?;
            messages.push(json!({"role": "user", "content": prompt}));
        }
    }
    Ok(Json::Array(messages))
}

/// Leaves the model of one of the ways. An edit may have taken it away: then it is the first.
pub(super) fn keep_only(settings: &mut Json, variant: VariantId) {
    if let Some(models) = settings["models"].as_array_mut().filter(|models| !models.is_empty()) {
        let at = usize::from(variant.0);
        let at = if at < models.len() { at } else { 0 };
        models.swap(0, at);
        models.truncate(1);
    }
}

fn chosen(settings: &Json) -> Result<Model, String> {
    let first = settings["models"].get(0);
    first.map_or_else(|| Err("the model of this task is not known any more".to_owned()), model)
}

fn model(file: &Json) -> Result<Model, String> {
    let name = plain(&file["name"])?;
    let price = |key: &str| match file["price"][key].as_f64() {
        Some(price) => micro(price),
        None => 0,
    };
    Ok(Model {
        endpoint: plain(&file["endpoint"])?.trim().trim_end_matches('/').to_owned(),
        model: file.get("model").map(plain).transpose()?.unwrap_or_else(|| name.clone()),
        name,
        key: file.get("api_key").map(text).transpose()?,
        price: Price { input_micro: price("input"), output_micro: price("output") },
        timeout: span(&file["timeout"])?.unwrap_or(TIMEOUT),
    })
}

/// An amount of money in millionths. The check has seen that it is not negative.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is cut at the ends"
)]
fn micro(amount: f64) -> u64 {
    (amount * 1e6).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_model(mut settings: Json) -> Json {
        let key = json!({"secret": "V"});
        let price = json!({"input": 0.15});
        settings["models"] =
            json!([{"name": "m", "endpoint": "http://x/v1/", "api_key": key, "price": price}]);
        settings
    }

    fn call(does: Result<Does, String>) -> ModelCall {
        match does {
            Ok(Does::Model(call)) => *call,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_prompt_is_a_message() {
        let settings = with_model(json!({"prompt": "p", "system": "s", "temperature": 0.5}));
        let ModelCall { model, ask } = call(generate(&settings));
        assert_eq!((model.endpoint.as_str(), model.model.as_str()), ("http://x/v1", "m"));
        assert_eq!(model.price, Price { input_micro: 150_000, output_micro: 0 });
        let Ask::Generate(generate) = ask else { panic!("{ask:?}") };
        let messages: Json = serde_json::from_slice(&generate.messages).unwrap();
        assert_eq!(messages[0], json!({"role": "system", "content": "s"}));
        assert_eq!(messages[1], json!({"role": "user", "content": "p"}));
        assert_eq!(generate.parameters, br#"{"temperature":0.5}"#);
    }

    #[test]
    fn one_text_or_many_are_embedded() {
        let embedded = |input: Json| match call(embed(&with_model(json!({"input": input})))).ask {
            Ask::Embed(Embed { inputs, is_list, .. }) => (inputs, is_list),
            other => panic!("{other:?}"),
        };
        assert_eq!(embedded(json!("a")), (vec!["a".to_owned()], false));
        assert_eq!(embedded(json!(["a", 2])), (vec!["a".to_owned(), "2".to_owned()], true));
    }

    #[test]
    fn a_schema_is_one_and_needs_nothing_from_elsewhere() {
        assert_eq!(check_schema(&json!({"type": "object", "required": ["a"]})), Ok(()));
        assert!(check_schema(&json!({"type": "objekt"})).is_err());
        for elsewhere in ["file:///etc/passwd", "http://127.0.0.1/s.json", "other.json"] {
            assert!(check_schema(&json!({"$ref": elsewhere})).is_err(), "{elsewhere}");
        }
    }
}
