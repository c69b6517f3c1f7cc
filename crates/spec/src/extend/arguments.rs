//! The arguments of one use of a template: those that are given, and the defaults of the others.

use model::collections::HashMap;
use serde_json::Value as Json;

use super::{Template, Use};
use crate::check::parameters::Declared;
use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::node::{Content, Kind, Node};
use crate::params::{ParameterType, convert};
use crate::suggest::did_you_mean;
use crate::template::single_expression;
use crate::template::{is_template, normalised};

/// One argument.
pub(super) struct Argument<'s> {
    /// As it stands in the file.
    pub node: Node<'s>,
    /// As a part of an expression.
    pub expression: String,
    /// As a part of a text, if it is one word in which no template can see anything.
    pub word: Option<String>,
}

impl<'s> Argument<'s> {
    fn new(node: &Node<'s>, kind: ParameterType) -> Option<Self> {
        let expression = expression(node, kind)?;
        Some(Self { node: node.clone(), expression, word: word(node, kind) })
    }
}

/// All arguments by name.
pub(super) struct Arguments<'s> {
    pub by_name: HashMap<String, Argument<'s>>,
    /// Whether a fault was noted, so that a use of what is missing needs no other.
    pub has_faults: bool,
}

impl<'s> Arguments<'s> {
    /// Checks what is given against what the template takes.
    pub(super) fn bind(template: &Template<'s>, used: &Use<'s>, faults: &mut Faults) -> Self {
        let before = faults.count();
        let mut by_name = HashMap::default();
        for entry in &used.arguments {
            let declared = template.parameters.iter().find(|it| it.parameter.name == entry.key);
            let Some(declared) = declared else {
                let names = template.parameters.iter().map(|it| it.parameter.name.as_str());
                let message = format!("the template `{}` takes no `{}`", used.name, entry.key);
                let fault = Fault::new(code::TEMPLATE_ARGUMENT, entry.key_extent, message);
                let list: Vec<&str> = names.clone().collect();
                let list = match list.len() {
                    0 => "it declares no `params`".to_owned(),
                    _ => format!("it takes: {}", list.join(", ")),
                };
                faults.push(
                    fault
                        .related(template.name_extent, "the template")
                        .hint_if(did_you_mean(&entry.key, names))
                        .hint_if(Some(list)),
                );
                continue;
            };
            if let Some(argument) = checked(declared, &entry.value, faults) {
                by_name.insert(entry.key.to_string(), argument);
            }
        }
        for Declared { parameter, extent } in &template.parameters {
            let name = &parameter.name;
            if used.arguments.iter().any(|entry| entry.key == *name) {
                continue;
            }
            match template.defaults.iter().find(|(other, _)| other == name) {
                Some((_, node)) => {
                    by_name
                        .extend(Argument::new(node, parameter.kind).map(|it| (name.clone(), it)));
                }
                None => {
                    let message = format!("the template `{}` needs `{name}`", used.name);
                    let fault = Fault::new(code::TEMPLATE_ARGUMENT, used.extent, message);
                    faults.push(
                        fault
                            .related(*extent, "declared here without a default")
                            .hint(format!("write `with: {{{name}: ...}}`")),
                    );
                }
            }
        }
        Self { by_name, has_faults: faults.count() > before }
    }
}

/// The argument, if it is what the template takes.
fn checked<'s>(declared: &Declared, node: &Node<'s>, faults: &mut Faults) -> Option<Argument<'s>> {
    let Declared { parameter, extent } = declared;
    if !has_marks(node) {
        let broken = match convert(&node.to_json(), parameter.kind) {
            Ok(value) => parameter.rules.check(&value).err(),
            Err(found) => Some(format!("takes {}, not {found}", parameter.kind)),
        };
        if let Some(broken) = broken {
            let message = format!("the argument `{}` {broken}", parameter.name);
            let fault = Fault::new(code::TEMPLATE_ARGUMENT, node.extent, message);
            let is_here = *extent != crate::source::Extent::default();
            faults.push(if is_here { fault.related(*extent, "declared here") } else { fault });
            return None;
        }
    }
    let argument = Argument::new(node, parameter.kind);
    if argument.is_none() {
        let message = "an argument has expressions in it, and no statements";
        let fault = Fault::new(code::TEMPLATE_ARGUMENT, node.extent, message);
        faults.push(fault.hint("write `{{ a if b else c }}`, or put `{% if %}` into the template"));
    }
    argument
}

/// A value that is written as one word. Spaces, braces and their like could be read together with
/// what stands beside them.
fn word(node: &Node<'_>, kind: ParameterType) -> Option<String> {
    node.scalar()?;
    let text = match convert(&node.to_json(), kind).ok()? {
        Json::String(text) => text,
        Json::Null | Json::Array(_) | Json::Object(_) => return None,
        other => other.to_string(),
    };
    let is_seen = |c: char| c.is_whitespace() || c.is_control() || "{}%#$".contains(c);
    (!text.is_empty() && !text.contains(is_seen)).then_some(text)
}

/// Whether a template stands anywhere in a value.
pub(super) fn has_marks(node: &Node<'_>) -> bool {
    match &node.content {
        Content::Scalar(scalar) => is_template(&scalar.text),
        Content::List(items) => items.iter().any(has_marks),
        Content::Map(entries) => entries.iter().any(|entry| has_marks(&entry.value)),
    }
}

/// A value as a part of an expression; nothing if there are statements in it.
fn expression(node: &Node<'_>, kind: ParameterType) -> Option<String> {
    if !has_marks(node) {
        let value = convert(&node.to_json(), kind).unwrap_or_else(|_| node.to_json());
        return Some(literal(&value));
    }
    match &node.content {
        Content::Scalar(scalar) => text_expression(&scalar.text),
        Content::List(items) => {
            let items: Option<Vec<String>> = items.iter().map(part).collect();
            Some(format!("[{}]", items?.join(", ")))
        }
        Content::Map(entries) => {
            let entries: Option<Vec<String>> = entries
                .iter()
                .map(|it| Some(format!("{}: {}", Json::from(&*it.key), part(&it.value)?)))
                .collect();
            Some(format!("{{{} }}", entries?.join(", ")))
        }
    }
}

/// A value within a list or a mapping: what it is without being declared.
fn part(node: &Node<'_>) -> Option<String> {
    let kind = match (&node.content, node.scalar().map(super::super::node::Scalar::kind)) {
        (Content::List(_), _) => ParameterType::List,
        (Content::Map(_), _) => ParameterType::Object,
        (_, Some(Kind::Text(_))) => ParameterType::String,
        _ => return Some(literal(&node.to_json())),
    };
    expression(node, kind)
}

/// A JSON value in the notation of expressions.
fn literal(value: &Json) -> String {
    match value {
        Json::Null => "none".to_owned(),
        Json::Array(items) => {
            format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", "))
        }
        Json::Object(entries) => {
            let entries = entries.iter();
            let entries =
                entries.map(|(key, it)| format!("{}: {}", Json::from(&**key), literal(it)));
            // The space keeps two closing braces from ending the expression.
            format!("{{{} }}", entries.collect::<Vec<_>>().join(", "))
        }
        Json::Number(number) if number.to_string().starts_with('-') => format!("({number})"),
        other => other.to_string(),
    }
}

/// A text with marks in it: `{{ a }}` is `(a)`, and `x-{{ a }}` is `("x-" ~ (a))`.
fn text_expression(text: &str) -> Option<String> {
    if text.contains("{%") {
        return None;
    }
    if text.trim() == text
        && let Some(single) = single_expression(text)
    {
        return Some(format!("({single})"));
    }
    let text = normalised(text);
    let (mut parts, mut rest) = (Vec::new(), &*text);
    while let Some((before, behind)) = rest.split_once("{{") {
        if !before.is_empty() {
            parts.push(Json::from(before).to_string());
        }
        let end = end_of_expression(behind)?;
        let inner = behind[..end].trim_matches(['-', '+']).trim();
        parts.push(format!("({inner})"));
        rest = &behind[end + 2..];
    }
    if !rest.is_empty() {
        parts.push(Json::from(rest).to_string());
    }
    Some(format!("({})", parts.join(" ~ ")))
}

/// Where the `}}` stands that ends an expression, texts within it left aside.
fn end_of_expression(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            _ if escaped => escaped = false,
            (Some(_), b'\\') => escaped = true,
            (Some(open), _) if open == byte => quote = None,
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'}') if text[at..].starts_with("}}") => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_written_as_expressions() {
        let value = json!({"a": {"b": [1, -2, null, true]}, "c": "it's \"x\"\n"});
        assert_eq!(
            literal(&value),
            r#"{"a": {"b": [1, (-2), none, true] }, "c": "it's \"x\"\n" }"#
        );
    }

    #[test]
    fn texts_with_marks_are_joined() {
        let of = |text: &str| text_expression(text);
        assert_eq!(of("{{ item }}").as_deref(), Some("(item)"));
        assert_eq!(
            of("u-{{ item.a }}/${{ x['}}'] }}").as_deref(),
            Some(r#"("u-" ~ (item.a) ~ "/" ~ (x['}}']))"#)
        );
        assert_eq!(of("{% if a %}b{% endif %}"), None);
        assert_eq!(of("a {{ b"), None);
    }
}
