//! Circuit breakers: declared by name for a file, named or written out by tasks.

use std::borrow::Cow;

use model::Span;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::foreign;
use super::sharing::Count;
use super::values::{Duration, inline_schema};
use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::node::{Content, Node};
use crate::read::{Placed, Read, mapping, record, wrong_type};

record! {
    /// When a circuit breaker opens, and for how long.
    struct BreakerFile("a breaker", "a mapping such as `{failures: 5, open: 30s}`") {
        /// Its name. Needed in a task; under `breakers` the key is the name.
        name: Placed<String>,
        /// After how many failures in a row it opens. 5 if left out.
        failures: Count,
        /// For how long it opens at first; each time that a trial fails twice as long. 30 s if left
        /// out.
        open: Placed<Duration>,
        /// It is not open for longer than this at a time. 10 min if left out.
        open_max: Placed<Duration>,
        /// How many attempts may try at a time whether it may close again. 1 if left out.
        trials: Count,
    }
    foreign: foreign::BREAKER
}

/// The settings of a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BreakerRules {
    pub failures: u32,
    pub open: Span,
    pub open_max: Span,
    pub trials: u32,
}

impl Default for BreakerRules {
    fn default() -> Self {
        Self { failures: 5, open: Span::secs(30), open_max: Span::secs(600), trials: 1 }
    }
}

impl BreakerFile {
    fn rules(&self, faults: &mut Faults) -> Option<BreakerRules> {
        let default = BreakerRules::default();
        let span = |span: &Option<Placed<Duration>>| span.as_ref().map(|span| span.value.0);
        let (open, open_max) = (span(&self.open), span(&self.open_max));
        let placed = self.open.as_ref().or(self.open_max.as_ref()).map(|span| span.extent);
        let mut refuse = |message: &str| {
            faults.push(Fault::new(code::BAD_VALUE, placed.unwrap_or_default(), message));
        };
        if open == Some(Span::ZERO) || open_max == Some(Span::ZERO) {
            refuse("a breaker is open for longer than nothing");
            return None;
        }
        if let (Some(open), Some(longest)) = (open, open_max)
            && open > longest
        {
            refuse("`open` is longer than `open_max`");
            return None;
        }
        let open = open.unwrap_or_else(|| default.open.min(open_max.unwrap_or(default.open)));
        let count = |count: Option<Count>| count.and_then(|count| u32::try_from(count.0).ok());
        Some(BreakerRules {
            failures: count(self.failures).unwrap_or(default.failures),
            open,
            open_max: open_max.unwrap_or(default.open_max).max(open),
            trials: count(self.trials).unwrap_or(default.trials),
        })
    }
}

/// The breakers of a file, by name.
#[derive(Debug, Default)]
pub(crate) struct Breakers(pub Vec<(Placed<String>, BreakerRules)>);

inline_schema!(Breakers, |generator| {
    let breaker = generator.subschema_for::<BreakerFile>();
    let either = json_schema!({"anyOf": [breaker, {"const": null}]});
    json_schema!({"type": "object", "additionalProperties": either})
});

impl Read for Breakers {
    const TAKES: &'static str = "a mapping from name to breaker, such as `{api: {failures: 5}}`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let breakers = mapping::<Self>(node, key, faults)?.iter().filter_map(|entry| {
            let name = Placed { value: entry.key.to_string(), extent: entry.key_extent };
            if entry.value.is_null() {
                return Some((name, BreakerRules::default()));
            }
            let file = BreakerFile::read(&entry.value, &entry.key, faults)?;
            if let Some(twice) = &file.name {
                let message = "the name of this breaker is its key";
                faults.push(Fault::new(code::CONFLICT, twice.extent, message));
                return None;
            }
            Some((name, file.rules(faults)?))
        });
        Some(Self(breakers.collect()))
    }
}

/// The breaker of a task: one that the file declares, or its own.
#[derive(Debug)]
pub(crate) struct TaskBreaker {
    pub name: Placed<String>,
    /// Its settings; `None` if the file has them.
    pub rules: Option<BreakerRules>,
}

inline_schema!(TaskBreaker, |generator| {
    let breaker = generator.subschema_for::<BreakerFile>();
    json_schema!({"anyOf": [{"type": "string"}, breaker]})
});

impl Read for TaskBreaker {
    const TAKES: &'static str =
        "the name of a breaker, or a mapping such as `{name: api, failures: 5}`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        match &node.content {
            Content::Map(_) => {
                let file = BreakerFile::read(node, key, faults)?;
                let rules = file.rules(faults)?;
                let Some(name) = file.name else {
                    let message = "this breaker has no `name`";
                    let fault = Fault::new(code::MISSING_KEY, node.extent, message);
                    faults.push(fault.hint("add what it stands for: `name: api`"));
                    return None;
                };
                Some(Self { name, rules: Some(rules) })
            }
            Content::Scalar(_) if !node.is_null() => {
                Some(Self { name: Read::read(node, key, faults)?, rules: None })
            }
            _ => wrong_type(node, key, faults),
        }
    }
}
