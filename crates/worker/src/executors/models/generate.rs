//! A model goes on with a conversation. An answer that does not fit its schema goes back to the model
//! with what is wrong about it, a few times.

use model::outcome::Failure;
use model::work::models::Generate;
use serde_json::{Map, Value, json};

use super::read::{Said, Tokens, said};
use super::schema::Schema;
use super::{Asking, parameters, usage};
use crate::executors::network::Trouble;

pub(super) async fn run(
    asking: &Asking<'_>,
    generate: &Generate,
) -> Result<Map<String, Value>, Trouble> {
    let wrong = |error: serde_json::Error| Trouble::new(Failure::Render, error.to_string());
    let mut messages: Vec<Value> = serde_json::from_slice(&generate.messages).map_err(wrong)?;
    let schema = generate.schema.as_deref().map(serde_json::from_slice::<Value>).transpose();
    let schema = schema.map_err(wrong)?;
    let checked = schema.clone().map(Schema::new).transpose()?;
    let mut tokens = Tokens::default();
    for repair in 0..=generate.repairs_max {
        let body = body(asking, generate, (&messages, schema.as_ref()));
        let sent: usize = messages.iter().map(|message| message.to_string().len()).sum();
        let response = asking.post("/chat/completions", &body).await?;
        let said = said(asking, response).await?;
        let spent = Tokens::of(&said.usage, sent, said.text.len());
        asking.spend(spent);
        tokens = tokens.and(spent);
        asking.teller.say(&format!(
            "{} tokens sent, {} received{}",
            spent.sent,
            spent.received,
            said.finish_reason.as_deref().map(|why| format!(", {why}")).unwrap_or_default()
        ));
        let Some(checked) = &checked else { return Ok(outputs(asking, said, None, tokens)) };
        match checked.read(&said.text) {
            Ok(value) => return Ok(outputs(asking, said, Some(value), tokens)),
            Err(why) if repair == generate.repairs_max => {
                let times = match repair {
                    0 => String::new(),
                    more => format!(" after {} answers", u16::from(more) + 1),
                };
                let reason = format!("the answer does not fit its schema{times}: {why}");
                return Err(Trouble::new(Failure::Answer, reason));
            }
            Err(why) => {
                asking.teller.say(&format!("the answer does not fit its schema: {why}"));
                messages.push(json!({"role": "assistant", "content": said.text}));
                messages.push(json!({"role": "user", "content": format!(
                    "This answer does not fit the JSON Schema: {why}. Answer again with JSON \
                     alone that fits this schema: {}",
                    schema.as_ref().unwrap_or(&Value::Null)
                )}));
            }
        }
    }
    // The last turn of the loop has returned.
    Err(Trouble::new(Failure::Answer, "the model was not asked"))
}

fn body(
    asking: &Asking<'_>,
    generate: &Generate,
    (messages, schema): (&[Value], Option<&Value>),
) -> Value {
    let mut body = parameters(&generate.parameters);
    body.insert("model".to_owned(), asking.model.model.clone().into());
    body.insert("messages".to_owned(), messages.into());
    if let Some(schema) = schema {
        let format = match schema == &json!({"type": "object"}) {
            true => json!({"type": "json_object"}),
            false => json!({
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": schema},
            }),
        };
        body.entry("response_format").or_insert(format);
    }
    if generate.is_streamed {
        body.insert("stream".to_owned(), true.into());
        body.entry("stream_options").or_insert(json!({"include_usage": true}));
    }
    Value::Object(body)
}

fn outputs(
    asking: &Asking<'_>,
    said: Said,
    value: Option<Value>,
    tokens: Tokens,
) -> Map<String, Value> {
    let mut outputs = Map::new();
    outputs.insert("text".to_owned(), said.text.into());
    if let Some(value) = value {
        outputs.insert("json".to_owned(), value);
    }
    outputs.insert("finish_reason".to_owned(), said.finish_reason.into());
    outputs.insert("model".to_owned(), asking.model.name.clone().into());
    outputs.insert("usage".to_owned(), usage(tokens, asking.model));
    outputs
}
