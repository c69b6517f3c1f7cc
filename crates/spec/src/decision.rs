//! Decisions as they are stored: rules in order, each with the number of its route.

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

/// The rules of a decision. The first that holds is its answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Decision {
    pub rules: Vec<Rule>,
}

/// A rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rule {
    /// The expression that has to hold; nothing if it always holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Box<str>>,
    /// The number of its route, from 1. Rules that bring about the same share one.
    pub route: u16,
    /// The name of its route, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
    /// The value that it gives.
    #[serde(default, skip_serializing_if = "Json::is_null")]
    pub value: Json,
}

impl Rule {
    /// The outputs of the decision when this rule, of this number from 1, has fired.
    pub(crate) fn output(&self, number: u32) -> Json {
        json!({"rule": number, "route": self.name, "value": self.value})
    }
}

impl Decision {
    /// A decision between going on, by route 1, and not.
    pub(crate) fn gate(when: Option<Box<str>>) -> Self {
        Self { rules: vec![Rule { when, route: 1, ..Rule::default() }] }
    }
}
