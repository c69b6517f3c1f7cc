//! A decision: rules in order, and what the first that holds brings about.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value as Json;

use super::expression::ExpressionText;
use super::values::inline_schema;
use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::node::{Content, Node};
use crate::read::{Placed, Read, record, wrong_type};
use crate::source::Extent;

record! {
    /// A rule of a decision.
    struct RuleFile("a rule", "a mapping such as `{rule: \"params.size > 8\", action: split}`") {
        /// The expression that has to hold. Without it the rule always holds.
        rule: Placed<ExpressionText>,
        /// What follows: a task, a list of tasks, `{route: NAME}` or `{value: ANY}`.
        action: Placed<ActionFile>,
    }
    foreign: super::foreign::RULE
}

/// What a rule brings about.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ActionFile {
    /// A task that runs, or the name of a route that tasks wait for.
    Name(Placed<String>),
    /// Tasks that run.
    Tasks(Vec<Placed<String>>),
    /// A route that tasks name in their `depends_on`.
    Route(Placed<String>),
    /// A value for the outputs.
    Value(Json),
}

inline_schema!(ActionFile, |_generator| json_schema!({
    "anyOf": [
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}, "minItems": 1},
        {
            "type": "object",
            "properties": {"route": {"type": "string"}, "value": true},
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": false
        }
    ]
}));

impl Read for ActionFile {
    const TAKES: &'static str = "a task, a list of tasks, `{route: NAME}` or `{value: ANY}`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        match &node.content {
            Content::Scalar(_) => Placed::read(node, key, faults).map(Self::Name),
            Content::List(items) if !items.is_empty() => {
                Read::read(node, key, faults).map(Self::Tasks)
            }
            Content::Map(entries) => match entries.as_slice() {
                [only] if only.key == "route" => {
                    Placed::read(&only.value, "route", faults).map(Self::Route)
                }
                [only] if only.key == "value" => Some(Self::Value(only.value.to_json())),
                _ => wrong_type(node, key, faults),
            },
            Content::List(_) => wrong_type(node, key, faults),
        }
    }
}

/// The rules of a decision.
#[derive(Debug, Default)]
pub(crate) struct DecisionFile(pub Vec<Rule>);

impl DecisionFile {
    pub(crate) fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.0.iter()
    }
}

/// A rule with its place.
#[derive(Debug)]
pub(crate) struct Rule {
    pub rule: Option<Placed<ExpressionText>>,
    pub action: Placed<ActionFile>,
}

inline_schema!(DecisionFile, |generator| {
    let rule = generator.subschema_for::<RuleFile>();
    json_schema!({"type": "array", "items": rule, "minItems": 1})
});

impl Read for DecisionFile {
    const TAKES: &'static str =
        "a list of rules such as `{rule: \"params.size > 8\", action: split}`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let Content::List(items) = &node.content else { return wrong_type(node, key, faults) };
        if items.is_empty() {
            let message = "the decision has no rules";
            faults.push(Fault::new(code::BAD_VALUE, node.extent, message));
        }
        if items.len() >= usize::from(u16::MAX) {
            let message =
                format!("a decision may have 65,534 rules, and this one has {}", items.len());
            faults.push(Fault::new(code::TOO_LARGE, node.extent, message));
            return None;
        }
        let mut rules: Vec<Rule> = Vec::with_capacity(items.len());
        let mut otherwise: Option<Extent> = None;
        for item in items {
            let before = faults.count();
            let Some(RuleFile { rule, action }) = RuleFile::read(item, key, faults) else {
                continue;
            };
            if let Some(first) = otherwise {
                let message = "this rule is never looked at: the one before always holds";
                let fault = Fault::new(code::CONFLICT, item.extent, message);
                faults.push(fault.related(first, "this has no `rule`"));
            }
            if rule.is_none() && faults.count() == before {
                otherwise = Some(item.extent);
            }
            match action {
                Some(action) => rules.push(Rule { rule, action }),
                None if faults.count() == before => {
                    let fault =
                        Fault::new(code::MISSING_KEY, item.extent, "this rule has no `action`");
                    faults.push(fault.hint("name the task that it leads to: `action: split`"));
                }
                None => {}
            }
        }
        Some(Self(rules))
    }
}
