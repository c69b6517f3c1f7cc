//! A file as a tree of values with places, before anything is known about their meaning.
//!
//! Scalars keep their text, so that whoever reads them decides what they are: `8080` is a number
//! to one key and a text to another.

use std::borrow::Cow;

use serde_json::{Map, Number, Value as Json};

use crate::source::Extent;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node<'s> {
    pub extent: Extent,
    pub content: Content<'s>,
}

#[derive(Clone, Debug)]
pub(crate) enum Content<'s> {
    Scalar(Scalar<'s>),
    List(Vec<Node<'s>>),
    /// Each key once, in the order of the file.
    Map(Vec<Entry<'s>>),
}

#[derive(Clone, Debug)]
pub(crate) struct Scalar<'s> {
    pub text: Cow<'s, str>,
    /// Without quotes, so that it may be a number, a boolean or nothing.
    pub is_plain: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry<'s> {
    pub key: Cow<'s, str>,
    pub key_extent: Extent,
    pub value: Node<'s>,
}

/// What a scalar is by YAML 1.2's core schema.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind<'t> {
    Null,
    Bool(bool),
    Number(Number),
    Text(&'t str),
}

impl<'s> Scalar<'s> {
    pub(crate) fn kind(&self) -> Kind<'_> {
        let text: &str = &self.text;
        if !self.is_plain {
            return Kind::Text(text);
        }
        match text {
            "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
            "true" | "True" | "TRUE" => Kind::Bool(true),
            "false" | "False" | "FALSE" => Kind::Bool(false),
            _ => number(text).map_or(Kind::Text(text), Kind::Number),
        }
    }
}

fn number(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    if let Some(digits) = unsigned.strip_prefix("0x") {
        return i64::from_str_radix(digits, 16).ok().map(Number::from);
    }
    if let Some(digits) = unsigned.strip_prefix("0o") {
        return i64::from_str_radix(digits, 8).ok().map(Number::from);
    }
    if unsigned.starts_with('0') && unsigned[1..].starts_with(|next: char| next.is_ascii_digit()) {
        return None; // `007`: versions of YAML disagree on it, and people mean the text.
    }
    let plain = text.strip_prefix('+').unwrap_or(text);
    if let Ok(whole) = plain.parse::<i64>() {
        return Some(Number::from(whole));
    }
    if let Ok(whole) = plain.parse::<u64>() {
        return Some(Number::from(whole));
    }
    plain.parse::<f64>().ok().and_then(Number::from_f64)
}

impl<'s> Node<'s> {
    pub(crate) fn scalar(&self) -> Option<&Scalar<'s>> {
        match &self.content {
            Content::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        self.scalar().is_some_and(|scalar| scalar.kind() == Kind::Null)
    }

    /// What it is, for a message: "found ...".
    pub(crate) fn describe(&self) -> String {
        match &self.content {
            Content::List(_) => "a list".to_owned(),
            Content::Map(_) => "a mapping".to_owned(),
            Content::Scalar(scalar) => match scalar.kind() {
                Kind::Null => "nothing".to_owned(),
                Kind::Bool(value) => format!("`{value}`"),
                Kind::Number(number) => format!("the number {number}"),
                Kind::Text(text) if text.chars().count() <= 40 && !text.contains('\n') => {
                    format!("the text `{text}`")
                }
                Kind::Text(_) => "a text".to_owned(),
            },
        }
    }

    /// The value as JSON.
    pub(crate) fn to_json(&self) -> Json {
        match &self.content {
            Content::Scalar(scalar) => match scalar.kind() {
                Kind::Null => Json::Null,
                Kind::Bool(value) => Json::Bool(value),
                Kind::Number(number) => Json::Number(number),
                Kind::Text(text) => Json::from(text),
            },
            Content::List(items) => items.iter().map(Node::to_json).collect(),
            Content::Map(entries) => Json::Object(
                entries
                    .iter()
                    .map(|entry| (entry.key.to_string(), entry.value.to_json()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    /// How many values it is made of.
    pub(crate) fn weight(&self) -> usize {
        1 + match &self.content {
            Content::Scalar(_) => 0,
            Content::List(items) => items.iter().map(Node::weight).sum(),
            Content::Map(entries) => entries.iter().map(|entry| entry.value.weight()).sum(),
        }
    }

    /// How many values lie in each other.
    pub(crate) fn depth(&self) -> usize {
        1 + match &self.content {
            Content::Scalar(_) => None,
            Content::List(items) => items.iter().map(Node::depth).max(),
            Content::Map(entries) => entries.iter().map(|entry| entry.value.depth()).max(),
        }
        .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> String {
        let scalar = Scalar { text: text.into(), is_plain: true };
        format!("{:?}", scalar.kind())
    }

    #[test]
    fn plain_scalars_are_what_yaml_1_2_says() {
        for text in
            ["yes", "on", "1.2.3", "1h", "-", ".", "0x", "inf", "nan", ".inf", "1e999", "007"]
        {
            assert_eq!(kind(text), format!("Text({text:?})"));
        }
        for (text, value) in
            [("0x1F", "31"), ("-7", "-7"), ("1e3", "1000.0"), ("+2", "2"), ("0.5", "0.5")]
        {
            assert_eq!(kind(text), format!("Number(Number({value}))"));
        }
        assert_eq!(kind("~"), "Null");
    }
}
