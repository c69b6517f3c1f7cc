//! Expressions: one value worked out of names, as conditions, rules and items are.
//!
//! They are what stands between `{{` and `}}` in a template, with or without these marks, and share
//! its engine and bounds. Nothing here knows which names there are.

use minijinja::value::Value;
use minijinja::{Environment, ErrorKind};
use serde_json::Value as Json;

use crate::limits::VALUE_BYTES_MAX;
use crate::template::{Bounded, check_expression, expression_references, normalised};

/// The expression of a text that is one expression: the text itself, or what is between its marks.
pub(crate) fn bare(text: &str) -> String {
    let text = normalised(text.trim());
    let inner = text.strip_prefix("{{").and_then(|inner| inner.strip_suffix("}}"));
    inner.map_or(&*text, |inner| inner.trim_matches(['-', '+'])).trim().to_owned()
}

/// The value of an expression.
///
/// # Errors
/// It cannot be parsed, is or names something that is not defined, or takes too many steps; in
/// words.
pub(crate) fn evaluate(
    environment: &Environment<'_>,
    expression: &str,
    context: &Value,
) -> Result<Value, String> {
    let compiled = check_expression(expression)
        .and_then(|()| environment.compile_expression_owned(expression.to_owned()));
    let value = compiled.and_then(|expression| expression.eval(context.clone()));
    let is_undefined = match &value {
        Ok(value) => value.is_undefined(),
        Err(error) => error.kind() == ErrorKind::UndefinedError,
    };
    if is_undefined {
        let message = || "it names something that is not defined".to_owned();
        return Err(undefined(expression, context).unwrap_or_else(message));
    }
    value.map_err(|error| match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    })
}

/// Says which reference of a text leads to nothing, and what stands there instead.
pub(crate) fn undefined(text: &str, context: &Value) -> Option<String> {
    expression_references(text).into_iter().find_map(|reference| {
        let mut value = context.get_attr(&reference.root).ok()?;
        let mut path = reference.root.clone();
        for step in &reference.path {
            let next = value.get_attr(step).unwrap_or_default();
            if next.is_undefined() {
                let keys = value.try_iter().into_iter().flatten().take(20);
                let mut keys: Vec<String> = keys.map(|key| format!("`{key}`")).collect();
                keys.sort_unstable();
                let keys = if keys.is_empty() { "nothing".to_owned() } else { keys.join(", ") };
                return Some(format!("there is no `{path}.{step}`: `{path}` has {keys}"));
            }
            path = format!("{path}.{step}");
            value = next;
        }
        None
    })
}

/// Whether a text names something behind a root: `params.x` for the root `params`. The root alone
/// names all.
pub(crate) fn names_any(text: &str, root: &str, is_meant: impl Fn(&str) -> bool) -> bool {
    let references = expression_references(text);
    let mut of_root = references.iter().filter(|reference| reference.root == root);
    of_root.any(|reference| reference.path.first().is_none_or(|first| is_meant(first)))
}

/// All texts in a value.
pub(crate) fn texts_of(value: &Json) -> Vec<&str> {
    match value {
        Json::String(text) => vec![text],
        Json::Array(values) => values.iter().flat_map(texts_of).collect(),
        Json::Object(fields) => fields.values().flat_map(texts_of).collect(),
        _ => Vec::new(),
    }
}

/// A value as JSON, within a bound.
///
/// # Errors
/// It is no data, or too large; in words.
pub(crate) fn to_json(value: &Value) -> Result<Json, String> {
    let mut bytes = Bounded::new(VALUE_BYTES_MAX);
    serde_json::to_writer(&mut bytes, value)
        .map_err(|_| format!("the expression gives a {} that cannot be kept", value.kind()))?;
    serde_json::from_slice(&bytes.into_bytes())
        .map_err(|_| format!("the expression gives a {} that cannot be kept", value.kind()))
}

/// Whether a value counts as yes. Texts that say `false` or `0` count as no: outputs that are
/// written as `key=value` are texts.
pub(crate) fn is_true(value: &Value) -> bool {
    match value.as_str() {
        Some(text) => !matches!(text.trim(), "" | "false" | "False" | "FALSE" | "0"),
        None => value.is_true(),
    }
}

/// Outputs as expressions compare them: a text that is a number or a boolean becomes one, if it
/// would be written again as it stands. `007` stays a text.
pub(crate) fn typed(outputs: &mut Json) {
    match outputs {
        Json::Array(items) => items.iter_mut().for_each(typed),
        Json::Object(fields) => fields.values_mut().for_each(|value| match value {
            Json::Array(items) => items.iter_mut().for_each(typed_text),
            other => typed_text(other),
        }),
        _ => {}
    }
}

fn typed_text(value: &mut Json) {
    let Json::String(text) = value else { return };
    let read = match text.as_str() {
        "true" => Some(Json::Bool(true)),
        "false" => Some(Json::Bool(false)),
        _ if text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) => {
            let number = serde_json::from_str::<serde_json::Number>(text).ok();
            number.filter(|number| number.to_string() == *text).map(Json::Number)
        }
        _ => None,
    };
    if let Some(read) = read {
        *value = read;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::{environment, to_value};
    use serde_json::json;

    fn value(expression: &str) -> Result<Value, String> {
        let context = to_value(&json!({"params": {"n": 3, "list": [1, 2]}}));
        evaluate(&environment(), &bare(expression), &context)
    }

    #[test]
    fn the_forms_of_an_expression_are_one() {
        for text in
            ["params.n > 2", "{{ params.n > 2 }}", "${{params.n > 2}}", " {{- params.n > 2 -}}"]
        {
            assert_eq!(bare(text), "params.n > 2");
            assert!(is_true(&value(text).unwrap()));
        }
        assert_eq!(to_json(&value("{{ {'a': {'b': -1}} }}").unwrap()), Ok(json!({"a": {"b": -1}})));
    }

    #[test]
    fn what_is_not_defined_is_told() {
        let message = "there is no `params.m`: `params` has `list`, `n`";
        assert_eq!(value("params.m > 2").unwrap_err(), message);
        assert_eq!(value("params.m").unwrap_err(), message);
        assert!(value("params.m is undefined").is_ok());
        assert!(value("a }} {{ b").is_err());
        assert!(value("").is_err());
    }

    #[test]
    fn expressions_are_bounded() {
        assert!(value("[0] * 1000000000").is_err());
        assert!(value("range(1000000000)").is_err());
        assert!(value("'x' * 1000000000").is_err());
    }

    #[test]
    fn texts_that_say_no_count_as_no() {
        let truth = |value: Json| is_true(&to_value(&value));
        assert!(truth(json!("yes")) && truth(json!(2)) && truth(json!([0])));
        for no in [json!("false"), json!("0"), json!(""), json!(0), json!([]), json!(null)] {
            assert!(!truth(no.clone()), "{no}");
        }
    }

    #[test]
    fn outputs_that_read_as_numbers_are_numbers() {
        let mut outputs = json!({
            "rows": "12", "rate": "-0.5", "code": "007", "ok": "true", "long": "1e3",
            "items": ["1", null, "x"], "deep": {"k": "1"},
        });
        typed(&mut outputs);
        let expected = json!({
            "rows": 12, "rate": -0.5, "code": "007", "ok": true, "long": "1e3",
            "items": [1, null, "x"], "deep": {"k": "1"},
        });
        assert_eq!(outputs, expected);
    }
}
