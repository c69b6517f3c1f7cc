//! Whether an answer fits a JSON Schema, and if not, why: in words that a model can mend it by.

use model::outcome::Failure;
use serde_json::Value;

use crate::executors::network::Trouble;

/// Where the schema is held to stand.
const PLACE: &str = "schema:answer";
/// How much is said of what is wrong.
const SAID_CHARS: usize = 1_000;

/// A schema that answers are held against.
pub(super) struct Schema {
    schemas: boon::Schemas,
    index: boon::SchemaIndex,
}

impl Schema {
    /// # Errors
    /// It is none. The file's check has seen to it, but for what was filled in.
    pub(super) fn new(schema: Value) -> Result<Self, Trouble> {
        let mut schemas = boon::Schemas::new();
        let mut compiler = boon::Compiler::new();
        compiler.use_loader(Box::new(Nowhere));
        let index = compiler
            .add_resource(PLACE, schema)
            .and_then(|()| compiler.compile(PLACE, &mut schemas))
            .map_err(|error| {
                let reason = format!("`response_format` is no JSON Schema: {error:#}");
                Trouble::new(Failure::Render, reason)
            })?;
        Ok(Self { schemas, index })
    }

    /// The value that a text is.
    ///
    /// # Errors
    /// It is none, or does not fit; in words.
    pub(super) fn read(&self, text: &str) -> Result<Value, String> {
        let value: Value = serde_json::from_str(bare(text))
            .map_err(|error| format!("it is not JSON alone: {error}"))?;
        match self.schemas.validate(&value, self.index) {
            Ok(()) => Ok(value),
            Err(error) => {
                let words = error.to_string();
                // The first line only names the place of the schema.
                let lines = words.lines().skip(1).map(str::trim).collect::<Vec<_>>();
                Err(lines.join("; ").chars().take(SAID_CHARS).collect())
            }
        }
    }
}

/// Schemas name nothing elsewhere: neither files nor the web are read for them.
struct Nowhere;

impl boon::UrlLoader for Nowhere {
    fn load(&self, url: &str) -> Result<Value, Box<dyn std::error::Error>> {
        Err(format!("`{url}` is elsewhere").into())
    }
}

/// A text without the fence that models like to put around code.
fn bare(text: &str) -> &str {
    let text = text.trim();
    let inner = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    let inner = inner.and_then(|inner| inner.split_once('\n'));
    inner.map_or(text, |(_, inner)| inner.trim())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_fits_or_it_is_said_why_not() {
        let schema = Schema::new(json!({
            "type": "object",
            "properties": {"name": {"type": "string"}, "size": {"type": "integer", "minimum": 1}},
            "required": ["name", "size"],
        }));
        let schema = schema.unwrap();
        let good = json!({"name": "a", "size": 2});
        assert_eq!(schema.read("{\"name\": \"a\", \"size\": 2}"), Ok(good.clone()));
        assert_eq!(schema.read("```json\n{\"name\": \"a\", \"size\": 2}\n```"), Ok(good));
        let why = schema.read("{\"name\": 1}").unwrap_err();
        assert!(why.contains("size") && why.contains("/name"), "{why}");
        assert!(schema.read("Sure! {}").unwrap_err().starts_with("it is not JSON alone"));
    }
}
