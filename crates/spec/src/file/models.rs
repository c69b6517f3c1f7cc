//! `models`: language models that tasks may call, declared once. Where a key is found is said, and
//! never the key.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::values::{Bound, Duration, OneOrMany, Whole, inline_schema};
use crate::node::Node;
use crate::read::{Foreign, Instead, Placed, Read, mapping, record};

/// The most of a budget that a minute may have.
const PER_MINUTE_MAX: u64 = 1_000_000_000;

record! {
    /// A language model.
    struct ModelFile("a model", "a mapping such as `{endpoint: \"http://localhost:8000/v1\"}`") {
        /// The URL of a server that is compatible with OpenAI's: `/chat/completions` and
        /// `/embeddings` are below it. A template.
        endpoint: Placed<String>,
        /// The name that the server knows the model by. Its name here if it is left out.
        model: Placed<String>,
        /// What shows the server who asks: a secret, as in `{{ secrets.glm }}`.
        api_key: Placed<String>,
        /// How many requests may be made a minute with this key, by all runs together.
        requests_per_minute: Placed<Whole<1, PER_MINUTE_MAX>>,
        /// How many tokens may be sent and received a minute with this key, by all runs together.
        tokens_per_minute: Placed<Whole<1, PER_MINUTE_MAX>>,
        /// What it costs.
        price: PriceFile,
        /// Models that are asked in its place when it cannot be had, in this order.
        fallbacks: OneOrMany<Placed<String>>,
        /// How long is waited for a whole answer. 10 min if it is left out.
        timeout: Placed<Duration>,
    }
    foreign: MODEL
}

const fn write(key: &'static str, ours: &'static str) -> Foreign {
    Foreign { key, what: Instead::Write(ours) }
}

const MODEL: &[Foreign] = &[
    write("base_url", "endpoint"),
    write("api_base", "endpoint"),
    write("url", "endpoint"),
    write("name", "model"),
    write("key", "api_key"),
    write("rpm", "requests_per_minute"),
    write("tpm", "tokens_per_minute"),
    write("fallback", "fallbacks"),
];

record! {
    /// What a million tokens cost, in any currency.
    struct PriceFile("`price`", "a mapping such as `{input: 0.15, output: 0.6}`") {
        /// Of those that are sent.
        input: Placed<Bound>,
        /// Of those that come back.
        output: Placed<Bound>,
    }
    foreign: PRICE
}

const PRICE: &[Foreign] = &[write("prompt", "input"), write("completion", "output")];

/// The models of a file, by name.
#[derive(Debug, Default)]
pub(crate) struct Models(pub Vec<(Placed<String>, ModelFile)>);

inline_schema!(Models, |generator| {
    let model = generator.subschema_for::<ModelFile>();
    json_schema!({"type": "object", "additionalProperties": model})
});

impl Read for Models {
    const TAKES: &'static str = "a mapping from name to model";

    fn read(node: &Node<'_>, key: &str, faults: &mut crate::diagnostic::Faults) -> Option<Self> {
        let models = mapping::<Self>(node, key, faults)?.iter().filter_map(|entry| {
            let name = Placed { value: entry.key.to_string(), extent: entry.key_extent };
            Some((name, ModelFile::read(&entry.value, &entry.key, faults)?))
        });
        Some(Self(models.collect()))
    }
}
