//! What surrounds the tasks: environments, secrets, and the templates that tasks extend.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value as Json;

use super::values::{Duration, Whole, inline_schema};
use super::{Declarations, TaskFile, Variables};
use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::node::{Content, Node};
use crate::read::{Foreign, Instead, Placed, Read, mapping, record};
use crate::secret::{SourceText, source};

record! {
    /// A place to run in, such as `staging`: what it sets is seen by the runs that choose it alone.
    struct EnvironmentFile("an environment", "a mapping such as `{env: {REGION: eu}}`") {
        /// What it is for.
        description: String,
        /// Variables over those of the file.
        env: Variables,
        /// Parameters instead of their defaults.
        params: Overrides,
        /// Secrets over those of the file.
        secrets: Secrets,
        /// The queue of its runs.
        queue: Placed<String>,
        /// Limits of its runs, instead of the file's.
        limits: LimitsFile,
    }
    foreign: ENVIRONMENT
}

record! {
    /// Limits of a run.
    struct LimitsFile("`limits`", "a mapping such as `{max_parallel: 4, timeout: 2h}`") {
        /// How many attempts of the run may be running at once.
        max_parallel: Whole<1, 1_000_000>,
        /// How long the run may take.
        timeout: Placed<Duration>,
    }
    foreign: LIMITS
}

record! {
    /// Where a secret is to be found. Never the secret itself.
    struct SecretFile("a secret", "a mapping such as `{from: env, name: TOKEN}`") {
        /// `env`, `file`, `credentials`, or the name of a provider that the worker knows.
        from: Placed<String>,
        /// The variable or the credential. The secret's own name if it is left out.
        name: Placed<String>,
        /// The file, relative to the folder of this file.
        path: Placed<String>,
        /// What a provider knows the secret by. The secret's own name if it is left out.
        key: Placed<String>,
    }
    foreign: SECRET
}

const fn write(key: &'static str, ours: &'static str) -> Foreign {
    Foreign { key, what: Instead::Write(ours) }
}

const ENVIRONMENT: &[Foreign] = &[
    write("variables", "env"),
    write("parameters", "params"),
    write("max_parallel", "limits: {max_parallel: ...}"),
    write("timeout", "limits: {timeout: ...}"),
    Foreign { key: "x-", what: Instead::Ignored },
];

const LIMITS: &[Foreign] = &[write("concurrency", "max_parallel")];

const SECRET: &[Foreign] = &[
    write("source", "from"),
    write("provider", "from"),
    write("variable", "name"),
    write("env", "from: env, name"),
    write("file", "from: file, path"),
];

/// The environments in the order of the file.
#[derive(Debug, Default)]
pub(crate) struct Environments(pub Vec<(Placed<String>, EnvironmentFile)>);

inline_schema!(Environments, |generator| {
    let environment = generator.subschema_for::<EnvironmentFile>();
    let nothing = json_schema!({"const": null});
    json_schema!({"type": "object", "additionalProperties": {"anyOf": [environment, nothing]}})
});

impl Read for Environments {
    const TAKES: &'static str = "a mapping from name to environment";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let entries = mapping::<Self>(node, key, faults)?;
        let environments = entries.iter().filter_map(|entry| {
            let name = Placed { value: entry.key.to_string(), extent: entry.key_extent };
            // `dev:` with nothing behind it is an environment that changes nothing.
            if entry.value.is_null() {
                return Some((name, EnvironmentFile::default()));
            }
            Some((name, EnvironmentFile::read(&entry.value, &entry.key, faults)?))
        });
        Some(Self(environments.collect()))
    }
}

/// Values of parameters by name.
#[derive(Debug, Default)]
pub(crate) struct Overrides(pub Vec<(Placed<String>, Placed<Json>)>);

inline_schema!(Overrides, |_generator| json_schema!({"type": "object"}));

impl Read for Overrides {
    const TAKES: &'static str = "a mapping from parameter to value";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let entries = mapping::<Self>(node, key, faults)?.iter();
        let overrides = entries.map(|entry| {
            let name = Placed { value: entry.key.to_string(), extent: entry.key_extent };
            let value = Placed { value: entry.value.to_json(), extent: entry.value.extent };
            (name, value)
        });
        Some(Self(overrides.collect()))
    }
}

/// Secrets, each with where it is to be found.
#[derive(Debug, Default)]
pub(crate) struct Secrets(pub Vec<(Placed<String>, SourceText)>);

inline_schema!(Secrets, |generator| {
    let full = generator.subschema_for::<SecretFile>();
    let short = json_schema!({
        "description": "`env:NAME`, `file:PATH`, `credentials:NAME` or `PROVIDER:KEY`.",
        "type": "string",
        "pattern": ":"
    });
    json_schema!({"type": "object", "additionalProperties": {"anyOf": [full, short]}})
});

impl Read for Secrets {
    const TAKES: &'static str = "a mapping from name to source, such as `TOKEN: {from: env}`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let entries = mapping::<Self>(node, key, faults)?;
        let secrets = entries.iter().filter_map(|entry| {
            let name = Placed { value: entry.key.to_string(), extent: entry.key_extent };
            if !is_plain(&name.value) {
                let message = format!("`{}` cannot be the name of a secret", name.value);
                let fault = Fault::new(code::BAD_NAME, name.extent, message);
                faults.push(fault.hint("use letters, digits, `_` and `-`"));
                return None;
            }
            let source = match &entry.value.content {
                Content::Map(entries) if entries.iter().any(|it| it.key == "value") => None,
                Content::Map(_) => {
                    let file = SecretFile::read(&entry.value, &name.value, faults)?;
                    Some(source(&name, &file, faults)?)
                }
                Content::Scalar(scalar) => SourceText::parse(&scalar.text),
                Content::List(_) => None,
            };
            if source.is_none() {
                // What stands here may be the secret: it is neither named nor shown.
                let message = format!("the secret `{}` has no source", name.value);
                let fault = Fault::new(code::BAD_VALUE, name.extent, message).private();
                faults.push(fault.hint(
                    "say where it is, as in `{from: env, name: NAME}`, and never what it is",
                ));
            }
            let source = source?;
            Some((name, source))
        });
        Some(Self(secrets.collect()))
    }
}

fn is_plain(name: &str) -> bool {
    let is_allowed = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    !name.is_empty() && name.len() <= crate::limits::NAME_BYTES_MAX && name.chars().all(is_allowed)
}

/// The templates of a file. They are worked into the tasks before anything is read, so that there
/// is nothing left to read here.
#[derive(Debug, Default)]
pub(crate) struct Templates;

inline_schema!(Templates, |generator| {
    // Arguments may stand for a value of any key, so that only the keys are known here.
    let keys = TaskFile::KEYS.iter().map(|key| ((*key).to_owned(), Json::Bool(true)));
    let mut keys: serde_json::Map<String, Json> = keys.collect();
    keys.insert("params".to_owned(), Declarations::json_schema(generator).to_value());
    let body = json_schema!({
        "type": "object",
        "properties": keys,
        "patternProperties": {"^x-": true},
        "additionalProperties": {
            "description": "The arguments of the template that is the name of the key.",
            "anyOf": [{"type": "object"}, {"const": null}]
        }
    });
    json_schema!({"type": "object", "additionalProperties": body})
});

impl Read for Templates {
    const TAKES: &'static str = "a mapping from name to template";

    fn read(_: &Node<'_>, _: &str, _: &mut Faults) -> Option<Self> {
        Some(Self)
    }
}
