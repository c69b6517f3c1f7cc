//! One value of a parameter: as its type wants it, and as a message shows it.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::ParameterType;
use crate::secret::SourceText;

/// The value as the type wants it, or what it is instead.
pub(crate) fn convert(value: &Json, kind: ParameterType) -> Result<Json, String> {
    let converted = match (value, kind) {
        (Json::String(text), ParameterType::Secret) => {
            SourceText::parse(text).map(|source| Json::String(source.0))
        }
        (Json::String(text), ParameterType::File) => {
            (!text.is_empty() && !text.contains('\0')).then(|| value.clone())
        }
        (Json::String(_), ParameterType::String)
        | (Json::Bool(_), ParameterType::Bool)
        | (Json::Array(_), ParameterType::List)
        | (Json::Object(_), ParameterType::Object) => Some(value.clone()),
        (Json::Number(number), ParameterType::Int) => {
            number.as_i64().map(Json::from).or_else(|| number.as_f64().and_then(whole))
        }
        (Json::Number(_), ParameterType::Float) => Some(value.clone()),
        (Json::String(text), _) => from_text(text.trim(), kind),
        _ => None,
    };
    converted.ok_or_else(|| match (kind, value) {
        // It may be the secret itself.
        (ParameterType::Secret, _) => "a value".to_owned(),
        (_, Json::Null) => "nothing".to_owned(),
        (_, Json::Number(number)) => format!("the number {number}"),
        (_, Json::Array(_)) => "a list".to_owned(),
        (_, Json::Object(_)) => "an object".to_owned(),
        (_, Json::Bool(_) | Json::String(_)) => shown(value),
    })
}

fn from_text(text: &str, kind: ParameterType) -> Option<Json> {
    match kind {
        ParameterType::String => Some(Json::from(text)),
        ParameterType::Int => text.parse::<i64>().ok().map(Json::from),
        ParameterType::Float => text.parse().ok().filter(|x: &f64| x.is_finite()).map(Json::from),
        ParameterType::Bool => text.parse::<bool>().ok().map(Json::from),
        ParameterType::List => serde_json::from_str(text).ok().filter(Json::is_array),
        ParameterType::Object => serde_json::from_str(text).ok().filter(Json::is_object),
        ParameterType::File | ParameterType::Secret => None,
    }
}

/// A number without a fraction that 64 bits hold exactly.
fn whole(number: f64) -> Option<Json> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
    (number.fract() == 0.0 && number.abs() <= EXACT_MAX).then(|| Json::from(number as i64))
}

/// A value between marks, short enough to show.
pub(crate) fn shown(value: &Json) -> String {
    const CHARS_MAX: usize = 60;
    let text = match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    let short: String = text.chars().take(CHARS_MAX).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    format!("`{short}{more}`")
}

/// A path that begins at a folder, without steps that lead nowhere.
pub(crate) fn within(folder: &Path, path: &str) -> PathBuf {
    folder.join(path).components().collect()
}
