//! What a parameter's value must be beyond its type: one of a few, of a form, within bounds.
//!
//! A message says which rule is broken and by what. Secrets have no rules, so that none tells
//! anything of them.

use std::fmt;

use regex_lite::{Regex, RegexBuilder};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Number, Value as Json};

use super::ParameterType;
use super::value::{convert, shown};
use crate::limits::{PATTERN_BYTES_MAX, PATTERN_COMPILED_BYTES_MAX};

/// The rules of a parameter; none if all are empty.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    /// The values that it takes; any if empty.
    #[serde(rename = "enum", skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Json>,
    /// The form of its text, from the first character to the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<Pattern>,
    /// The least number, or the least characters of a text, items of a list, keys of an object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<Number>,
    /// The greatest number or length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<Number>,
}

/// A regular expression for a whole text. Matching takes time in proportion to the text.
#[derive(Clone)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Why it is none.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        if text.len() > PATTERN_BYTES_MAX {
            return Err(format!("the pattern has more than {PATTERN_BYTES_MAX} bytes"));
        }
        let anchored = format!(r"\A(?:{text})\z");
        let built = RegexBuilder::new(&anchored).size_limit(PATTERN_COMPILED_BYTES_MAX).build();
        // Alone first: `a)(b` would be put right by what is set around it.
        let built =
            RegexBuilder::new(text).size_limit(PATTERN_COMPILED_BYTES_MAX).build().and(built);
        let regex = built.map_err(|error| format!("the pattern cannot be read: {error}"))?;
        Ok(Self { text: text.to_owned(), regex })
    }

    fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({})", self.text)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

/// What bounds mean to a type; nothing if it has none.
pub(crate) const fn measured(kind: ParameterType) -> Option<&'static str> {
    match kind {
        ParameterType::Int | ParameterType::Float => Some("numbers"),
        ParameterType::String => Some("characters"),
        ParameterType::List => Some("items"),
        ParameterType::Object => Some("keys"),
        ParameterType::Bool | ParameterType::File | ParameterType::Secret => None,
    }
}

impl Rules {
    /// The rule that a value of the right type breaks, as in "it is 3, and must be at least 4".
    ///
    /// # Errors
    /// The first rule that is broken.
    pub(crate) fn check(&self, value: &Json) -> Result<(), String> {
        if !self.choices.is_empty() && !self.choices.contains(value) {
            let choices: Vec<String> = self.choices.iter().map(shown).collect();
            return Err(format!("is {}, and takes {}", shown(value), listed(&choices)));
        }
        if let (Some(pattern), Json::String(text)) = (&self.pattern, value)
            && !pattern.matches(text)
        {
            return Err(format!("is {}, and must match `{pattern}` as a whole", shown(value)));
        }
        let bounds = [(&self.min, "at least"), (&self.max, "at most")];
        for (bound, word) in bounds.into_iter().filter_map(|(it, word)| Some((it.as_ref()?, word)))
        {
            if is_within(value, bound, word == "at least") {
                continue;
            }
            return Err(match length(value) {
                Some((1, unit)) => format!("has 1 {unit}, and takes {word} {bound}"),
                Some((count, unit)) => format!("has {count} {unit}s, and takes {word} {bound}"),
                None => format!("is {}, and must be {word} {bound}", shown(value)),
            });
        }
        Ok(())
    }

    /// The choices as the type wants them.
    ///
    /// # Errors
    /// What the first that does not fit is instead.
    pub(crate) fn converted(choices: &[Json], kind: ParameterType) -> Result<Vec<Json>, String> {
        choices.iter().map(|choice| convert(choice, kind)).collect()
    }
}

fn is_within(value: &Json, bound: &Number, is_least: bool) -> bool {
    let (order, exact) = match (value, length(value)) {
        (_, Some((count, _))) => (compare(&Number::from(count), bound), true),
        (Json::Number(number), None) => (compare(number, bound), true),
        _ => (std::cmp::Ordering::Equal, false),
    };
    !exact || if is_least { order.is_ge() } else { order.is_le() }
}

/// Whole numbers are compared exactly, others as far as their 64 bits reach.
pub(crate) fn compare(one: &Number, other: &Number) -> std::cmp::Ordering {
    match (one.as_i128(), other.as_i128()) {
        (Some(one), Some(other)) => one.cmp(&other),
        _ => {
            let float = |number: &Number| number.as_f64().unwrap_or(f64::NAN);
            float(one).total_cmp(&float(other))
        }
    }
}

fn length(value: &Json) -> Option<(usize, &'static str)> {
    match value {
        Json::String(text) => Some((text.chars().count(), "character")),
        Json::Array(items) => Some((items.len(), "item")),
        Json::Object(entries) => Some((entries.len(), "key")),
        Json::Null | Json::Bool(_) | Json::Number(_) => None,
    }
}

/// `a`, `b` or `c`; of very many the first.
fn listed(choices: &[String]) -> String {
    const SHOWN_MAX: usize = 12;
    match choices {
        [] => String::new(),
        [only] => only.clone(),
        _ if choices.len() > SHOWN_MAX => {
            let more = choices.len() - SHOWN_MAX;
            format!("{} or one of {more} more", choices[..SHOWN_MAX].join(", "))
        }
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use serde_json::json;

    use super::*;

    fn told(rules: &Rules, value: Json) -> String {
        rules.check(&value).err().unwrap_or_default()
    }

    #[test]
    fn a_choice_is_one_of_a_few() {
        let rules = Rules { choices: vec![json!("a"), json!(2)], ..Rules::default() };
        assert_eq!(told(&rules, json!("a")) + &told(&rules, json!(2)), "");
        assert_eq!(told(&rules, json!("c")), "is `c`, and takes `a` or `2`");
    }

    #[test]
    fn bounds_hold_numbers_and_lengths() {
        let number = |number: f64| Number::from_f64(number);
        let rules = Rules { min: Some(2.into()), max: number(3.5), ..Rules::default() };
        for value in [json!(2), json!(3.5), json!("日本"), json!([1, 2, 3])] {
            assert_eq!(told(&rules, value), "");
        }
        assert_eq!(told(&rules, json!(1)), "is `1`, and must be at least 2");
        assert_eq!(told(&rules, json!(3.6)), "is `3.6`, and must be at most 3.5");
        assert_eq!(told(&rules, json!("a")), "has 1 character, and takes at least 2");
        assert_eq!(told(&rules, json!([1, 2, 3, 4])), "has 4 items, and takes at most 3.5");
        let large = Rules { max: Some(i64::MAX.into()), ..Rules::default() };
        assert_eq!(told(&large, json!(i64::MAX)), "");
        assert!(!told(&large, json!(u64::MAX)).is_empty());
    }

    #[test]
    fn a_pattern_is_for_the_whole_text() {
        let rules = Rules { pattern: Pattern::new("a|bc+").ok(), ..Rules::default() };
        assert_eq!(told(&rules, json!("bcc")), "");
        for text in ["ab", "xa", "a\n", ""] {
            assert!(!told(&rules, json!(text)).is_empty(), "{text:?}");
        }
    }

    #[test]
    fn a_pattern_is_bounded() {
        for text in ["(", "a)(b", r"(?=a)", r"\1", "((a{99}){99}){99}", &"a".repeat(1_001)] {
            assert!(Pattern::new(text).is_err(), "{text}");
        }
        // Where matching goes back and forth this takes longer than the universe is old.
        let pattern = Pattern::new("(a*)*b").expect("a pattern");
        let start = Instant::now();
        assert!(!pattern.matches(&"a".repeat(20_000)));
        assert!(start.elapsed().as_secs() < 20);
    }
}
