//! Expressions: one value worked out of names, as conditions, rules and items are.
//!
//! They are what stands between `{{` and `}}` in a template, with or without these marks, and share
//! its engine and bounds. Nothing here knows which names there are.

use minijinja::value::Value;
use minijinja::{Environment, Error};
use serde_json::Value as Json;

use crate::limits::VALUE_BYTES_MAX;
use crate::template::{Bounded, normalised};

/// The expression of a text that is one expression: the text itself, or what is between its marks.
pub(crate) fn bare(text: &str) -> String {
    let text = normalised(text.trim());
    let inner = text.strip_prefix("{{").and_then(|inner| inner.strip_suffix("}}"));
    inner.map_or(&*text, |inner| inner.trim_matches(['-', '+'])).trim().to_owned()
}

/// The value of an expression.
///
/// # Errors
/// It cannot be parsed, names something that is not defined, or takes too many steps.
pub(crate) fn evaluate(
    environment: &Environment<'_>,
    expression: &str,
    context: &Value,
) -> Result<Value, Error> {
    environment.compile_expression_owned(expression.to_owned())?.eval(context.clone())
}

/// A value as JSON, within a bound.
///
/// # Errors
/// It is not defined, no data, or too large; in words.
pub(crate) fn to_json(value: &Value) -> Result<Json, String> {
    if value.is_undefined() {
        return Err("the value is not defined".to_owned());
    }
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

    fn value(expression: &str) -> Result<Value, Error> {
        let context = to_value(&json!({"params": {"n": 3, "list": [1, 2]}}));
        evaluate(&environment(), &bare(expression), &context)
    }

    #[test]
    fn the_forms_of_an_expression_are_one() {
        for text in ["params.n > 2", "{{ params.n > 2 }}", "${{params.n > 2}}", " {{- params.n > 2 -}}"]
        {
            assert_eq!(bare(text), "params.n > 2");
            assert!(is_true(&value(text).unwrap()));
        }
        assert_eq!(to_json(&value("{{ {'a': {'b': -1}} }}").unwrap()), Ok(json!({"a": {"b": -1}})));
    }

    #[test]
    fn what_is_not_defined_is_told() {
        assert!(value("params.m > 2").is_err());
        assert!(to_json(&value("params.m").unwrap_or_default()).is_err());
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
