//! `llm_generate` and `llm_embed`: calls of language models, as they stand in a file.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value as Json;

use super::super::values::{Whole, inline_schema};
use super::KindFile;
use super::http::Switch;
use crate::call::check_schema;
use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::node::{Content, Node};
use crate::read::{Foreign, Instead, Placed, Read, record, wrong_type};
use crate::source::Extent;

/// How often a model may mend its answer.
const REPAIRS_MAX: u64 = 10;

record! {
    /// A call of a language model that generates text.
    struct GenerateFile("`llm_generate`", "a mapping such as `{model: glm, prompt: Say hello}`") {
        /// The model: one of the file's `models`, or of `models.yaml` beside it.
        model: Placed<String>,
        /// What it is asked. A template.
        prompt: Placed<String>,
        /// The same as `prompt`.
        prompt_template: Placed<String>,
        /// A conversation that it goes on with, instead of `prompt`: a list such as
        /// `[{role: user, content: Hello}]`. The texts are templates.
        messages: Placed<Json>,
        /// What it is to be: the first message. A template.
        system: Placed<String>,
        /// How much it may vary. A number, or a template.
        temperature: Number,
        /// From how much of the likeliest it chooses. A number, or a template.
        top_p: Number,
        /// How many tokens it may generate. A number, or a template.
        max_tokens: Number,
        /// Texts at which it ends: one, or a list.
        stop: Json,
        /// The same seed gives the same answer, if the server knows of it. A number, or a template.
        seed: Number,
        /// What else is sent to the server, as it stands here. The texts are templates.
        parameters: Parameters,
        /// The JSON Schema that the answer has to fit; `json` for any object. The answer is then the
        /// output `json`, too.
        response_format: Placed<Format>,
        /// How often the model is told what is wrong with an answer that does not fit, and asked
        /// again. 2 if it is left out.
        repairs: Whole<0, REPAIRS_MAX>,
        /// Whether the answer is written to the log as it comes. `true` if it is left out.
        stream: Switch,
    }
    foreign: GENERATE
}

record! {
    /// A call of a model that embeds texts.
    struct EmbedFile("`llm_embed`", "a mapping such as `{model: minilm, input: Hello}`") {
        /// The model: one of the file's `models`, or of `models.yaml` beside it.
        model: Placed<String>,
        /// What is embedded: a text, or a list of them, such as the `items` of a batch. A template.
        input: Placed<Json>,
        /// How many numbers an embedding has, if the server can choose.
        dimensions: Whole<1, 1_000_000>,
        /// What else is sent to the server, as it stands here. The texts are templates.
        parameters: Parameters,
        /// The file that the embeddings are written to, one JSON list a line, relative to where the
        /// task starts. They are outputs if it is left out. A template.
        save: Placed<String>,
    }
    foreign: EMBED
}

const fn write(key: &'static str, ours: &'static str) -> Foreign {
    Foreign { key, what: Instead::Write(ours) }
}

const GENERATE: &[Foreign] = &[
    write("max_completion_tokens", "max_tokens"),
    write("schema", "response_format"),
    write("json_schema", "response_format"),
    write("extra_body", "parameters"),
    write("system_prompt", "system"),
];

const EMBED: &[Foreign] = &[
    write("inputs", "input"),
    write("text", "input"),
    write("texts", "input"),
    write("extra_body", "parameters"),
];

/// A number, or a template that gives one.
#[derive(Debug)]
pub(crate) struct Number;

inline_schema!(Number, |_generator| json_schema!({"type": ["number", "string"]}));

impl Read for Number {
    const TAKES: &'static str = "a number, or a template that gives one";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        match node.to_json() {
            Json::Number(_) => Some(Self),
            Json::String(text) if crate::template::is_template(&text) => Some(Self),
            _ => wrong_type(node, key, faults),
        }
    }
}

/// What is sent as it stands.
#[derive(Debug)]
pub(crate) struct Parameters;

inline_schema!(Parameters, |_generator| json_schema!({"type": "object"}));

impl Read for Parameters {
    const TAKES: &'static str = "a mapping from name to value";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        match &node.content {
            Content::Map(_) => Some(Self),
            _ => wrong_type(node, key, faults),
        }
    }
}

/// A JSON Schema, or `json`.
#[derive(Debug)]
pub(crate) struct Format;

inline_schema!(
    Format,
    |_generator| json_schema!({"anyOf": [{"const": "json"}, {"type": "object"}]})
);

impl Read for Format {
    const TAKES: &'static str = "a JSON Schema, or `json`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        match &node.content {
            Content::Map(_) => match check_schema(&node.to_json()) {
                Ok(()) => Some(Self),
                Err(reason) => {
                    let message = format!("`{key}` is no JSON Schema: {reason}");
                    faults.push(Fault::new(code::BAD_VALUE, node.extent, message));
                    None
                }
            },
            Content::Scalar(scalar) if scalar.text == "json" => Some(Self),
            _ => wrong_type(node, key, faults),
        }
    }
}

/// `llm_generate: {...}`.
#[derive(Debug)]
pub(crate) struct Generates(pub Option<Placed<String>>);

/// `llm_embed: {...}`.
#[derive(Debug)]
pub(crate) struct Embeds(pub Option<Placed<String>>);

inline_schema!(Generates, |generator| generator.subschema_for::<GenerateFile>());
inline_schema!(Embeds, |generator| generator.subschema_for::<EmbedFile>());

impl Read for Generates {
    const TAKES: &'static str = GenerateFile::TAKES;

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let file = GenerateFile::read(node, key, faults)?;
        let asked = [
            ("prompt", file.prompt.as_ref().map(|it| it.extent)),
            ("prompt_template", file.prompt_template.as_ref().map(|it| it.extent)),
            ("messages", file.messages.as_ref().map(|it| it.extent)),
        ];
        let given: Vec<(&str, Extent)> =
            asked.into_iter().filter_map(|(key, extent)| Some((key, extent?))).collect();
        match given.as_slice() {
            [] => missing(node, key, "`prompt: ...`", faults),
            [_] => {}
            [(first, at), (second, extent), ..] => {
                let message = format!("a model is asked by `{first}` or `{second}`, not both");
                let fault = Fault::new(code::CONFLICT, *extent, message);
                faults.push(fault.related(*at, "the first"));
            }
        }
        if let Some(messages) = file.messages.as_ref().filter(|it| !are_messages(&it.value)) {
            let message = "`messages` is a list such as `[{role: user, content: Hello}]`";
            faults.push(Fault::new(code::BAD_VALUE, messages.extent, message));
        }
        if file.model.is_none() {
            missing(node, key, "`model: NAME`", faults);
        }
        Some(Self(file.model))
    }
}

impl Read for Embeds {
    const TAKES: &'static str = EmbedFile::TAKES;

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let file = EmbedFile::read(node, key, faults)?;
        if file.input.is_none() {
            missing(node, key, "`input: ...`", faults);
        }
        if file.model.is_none() {
            missing(node, key, "`model: NAME`", faults);
        }
        Some(Self(file.model))
    }
}

impl KindFile for Generates {}
impl KindFile for Embeds {}

/// Messages, or a template that gives them.
fn are_messages(value: &Json) -> bool {
    match value {
        Json::String(text) => crate::template::is_template(text),
        Json::Array(messages) => {
            !messages.is_empty() && messages.iter().all(|message| message["role"].is_string())
        }
        _ => false,
    }
}

fn missing(node: &Node<'_>, key: &str, what: &str, faults: &mut Faults) {
    let message = format!("`{key}` is not complete");
    let fault = Fault::new(code::MISSING_KEY, node.extent, message);
    faults.push(fault.hint(format!("add {what}")));
}
