//! What is known of a value before a run: that it is a number, a text, a mapping with these keys.
//!
//! What is not certain is unknown, and nothing is said of it.

use std::collections::BTreeMap;

use serde_json::Value as Json;

/// What a value is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Shape {
    /// It may be anything.
    #[default]
    Unknown,
    Bool,
    Number,
    Text,
    List,
    /// A mapping; with all keys that it can have, if they are known.
    Mapping(Option<BTreeMap<String, Shape>>),
}

impl Shape {
    /// What a value is that stands in a file.
    pub(crate) fn of(value: &Json) -> Self {
        match value {
            Json::Null => Self::Unknown,
            Json::Bool(_) => Self::Bool,
            Json::Number(_) => Self::Number,
            Json::String(_) => Self::Text,
            Json::Array(_) => Self::List,
            Json::Object(fields) => {
                let fields = fields.iter().map(|(key, value)| (key.clone(), Self::of(value)));
                Self::Mapping(Some(fields.collect()))
            }
        }
    }

    /// What each of some values is.
    pub(crate) fn of_each<'v>(values: impl IntoIterator<Item = &'v Json>) -> Self {
        let mut shapes = values.into_iter().map(Self::of);
        let first = shapes.next().unwrap_or_default();
        shapes.fold(first, Self::either)
    }

    /// What one of two values is. A key that only one of them has may be there or not.
    pub(crate) fn either(self, other: Self) -> Self {
        match (self, other) {
            (Self::Mapping(Some(mut one)), Self::Mapping(Some(other))) => {
                for (key, shape) in &mut one {
                    *shape = match other.get(key) {
                        Some(other) => std::mem::take(shape).either(other.clone()),
                        None => Self::Unknown,
                    };
                }
                for key in other.into_keys() {
                    one.entry(key).or_default();
                }
                Self::Mapping(Some(one))
            }
            (Self::Mapping(_), Self::Mapping(_)) => Self::Mapping(None),
            (one, other) if one == other => one,
            _ => Self::Unknown,
        }
    }

    /// In words; nothing if it may be anything.
    pub(crate) const fn noun(&self) -> Option<&'static str> {
        match self {
            Self::Unknown => None,
            Self::Bool => Some("true or false"),
            Self::Number => Some("a number"),
            Self::Text => Some("a text"),
            Self::List => Some("a list"),
            Self::Mapping(_) => Some("a mapping"),
        }
    }

    /// Whether both are known, and of different kinds.
    pub(crate) fn differs(&self, other: &Self) -> bool {
        matches!((self.noun(), other.noun()), (Some(one), Some(other)) if one != other)
    }
}
