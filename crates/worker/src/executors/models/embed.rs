//! A model says where texts lie in its space: all of them in one request.

use model::outcome::Failure;
use model::work::models::Embed;
use serde_json::{Map, Value, json};

use super::read::{Tokens, whole};
use super::{Asking, parameters, usage};
use crate::executors::network::Trouble;

pub(super) async fn run(asking: &Asking<'_>, embed: &Embed) -> Result<Map<String, Value>, Trouble> {
    let (embeddings, tokens) = match embed.inputs.as_slice() {
        [] => (Vec::new(), Tokens::default()),
        inputs => ask(asking, embed, inputs).await?,
    };
    let mut outputs = Map::new();
    let dimensions = embeddings.first().and_then(Value::as_array).map_or(0, Vec::len);
    outputs.insert("count".to_owned(), embeddings.len().into());
    outputs.insert("dimensions".to_owned(), dimensions.into());
    outputs.insert("model".to_owned(), asking.model.name.clone().into());
    outputs.insert("usage".to_owned(), usage(tokens, asking.model));
    match (&embed.save, embed.is_list) {
        (Some(path), _) => {
            save(asking, path, &embeddings).await?;
            outputs.insert("path".to_owned(), path.clone().into());
        }
        (None, true) => {
            outputs.insert("embeddings".to_owned(), embeddings.into());
        }
        (None, false) => {
            outputs.insert("embedding".to_owned(), embeddings.into_iter().next().into());
        }
    }
    Ok(outputs)
}

async fn ask(
    asking: &Asking<'_>,
    embed: &Embed,
    inputs: &[String],
) -> Result<(Vec<Value>, Tokens), Trouble> {
    let mut body = parameters(&embed.parameters);
    body.insert("model".to_owned(), asking.model.model.clone().into());
    body.insert("input".to_owned(), json!(inputs));
    body.entry("encoding_format").or_insert("float".into());
    let response = asking.post("/embeddings", &Value::Object(body)).await?;
    let mut answer = whole(asking, response).await?;
    let sent = inputs.iter().map(String::len).sum();
    let tokens = Tokens::of(&answer["usage"], sent, 0);
    asking.spend(tokens);
    let embeddings = in_order(answer["data"].take(), inputs.len());
    let embeddings = embeddings.map_err(|why| Trouble::new(Failure::Answer, why))?;
    let count = embeddings.len();
    asking.teller.say(&format!("{count} texts embedded, {} tokens sent", tokens.sent));
    Ok((embeddings, tokens))
}

/// The embeddings in the order of their texts, whatever the order of the answer.
fn in_order(data: Value, count: usize) -> Result<Vec<Value>, String> {
    let Value::Array(data) = data else {
        return Err("the answer has no list `data`".to_owned());
    };
    let mut found = vec![Value::Null; count];
    for (at, mut one) in data.into_iter().enumerate() {
        let index = one["index"].as_u64().and_then(|index| usize::try_from(index).ok());
        let place = found.get_mut(index.unwrap_or(at));
        let place = place.ok_or("the answer has an embedding of no text")?;
        let embedding = one["embedding"].take();
        let is_one = embedding.as_array().is_some_and(|all| all.iter().all(Value::is_number));
        if !is_one {
            return Err("an embedding in the answer is no list of numbers".to_owned());
        }
        *place = embedding;
    }
    match found.iter().position(Value::is_null) {
        Some(missing) => Err(format!("the answer has no embedding of text {missing}")),
        None => Ok(found),
    }
}

async fn save(asking: &Asking<'_>, path: &str, embeddings: &[Value]) -> Result<(), Trouble> {
    let lines: String = embeddings.iter().map(|one| format!("{one}\n")).collect();
    let target = asking.asker.folder.join(path);
    let failed = |error| {
        let reason = format!("{} cannot be written: {error}", target.display());
        Trouble::new(Failure::Outputs, reason)
    };
    if let Some(folder) = target.parent() {
        tokio::fs::create_dir_all(folder).await.map_err(failed)?;
    }
    tokio::fs::write(&target, lines).await.map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embeddings_stand_by_their_texts() {
        let data = json!([{"index": 1, "embedding": [2]}, {"index": 0, "embedding": [1]}]);
        assert_eq!(in_order(data.clone(), 2), Ok(vec![json!([1]), json!([2])]));
        assert!(in_order(data.clone(), 1).is_err() && in_order(data, 3).is_err());
        assert!(in_order(json!([{"embedding": "base64"}]), 1).is_err());
    }
}
