//! The declarations of parameters: a type, a default that fits it, rules that make sense for it.
//!
//! A workflow's parameters and a template's are declared alike.

use serde_json::Value as Json;

use super::check_name;
use crate::code;
use crate::diagnostic::{Fault, Faults, Lines, Place};
use crate::file::{Declaration, DeclaredRules};
use crate::params::{Parameter, ParameterType, Pattern, Rules, compare, convert, measured};
use crate::source::Extent;

/// A parameter whose place is not yet known as line and column.
#[derive(Clone, Debug)]
pub(crate) struct Declared {
    pub parameter: Parameter,
    pub extent: Extent,
}

impl Declared {
    pub(super) fn located(self, lines: &Lines<'_>) -> Parameter {
        Parameter { place: lines.place(self.extent), ..self.parameter }
    }
}

pub(crate) fn parameters<'d>(
    declarations: impl IntoIterator<Item = &'d Declaration>,
    faults: &mut Faults,
) -> Vec<Declared> {
    declarations.into_iter().map(|declaration| parameter(declaration, faults)).collect()
}

fn parameter(declaration: &Declaration, faults: &mut Faults) -> Declared {
    let Declaration { name, default, description, rules, .. } = declaration;
    check_name("a parameter", name, faults);
    if name.value.contains('=') {
        let message = "the name of a parameter has a `=` in it";
        faults.push(Fault::new(code::BAD_NAME, name.extent, message));
    }
    let kind = declared_kind(declaration);
    let rules = self::rules(rules, kind, faults);
    let default = default.as_ref().and_then(|default| {
        let converted = convert(&default.value, kind);
        let note = |found: String| {
            let message =
                format!("parameter `{}` takes {kind}, and its default is {found}", name.value);
            let fault = match kind {
                ParameterType::Secret => {
                    Fault::new(code::WRONG_TYPE, name.extent, message).private()
                }
                _ => Fault::new(code::WRONG_TYPE, default.extent, message),
            };
            faults.push(fault.hint_if(kind.example().map(|example| format!("write {example}"))));
        };
        let converted = converted.map_err(note).ok()?;
        if let Err(broken) = rules.check(&converted) {
            let message = format!("the default of parameter `{}` {broken}", name.value);
            faults.push(Fault::new(code::WRONG_PARAMETER, default.extent, message));
        }
        Some(converted)
    });
    let parameter = Parameter {
        name: name.value.clone(),
        kind,
        default,
        rules,
        description: description.clone(),
        place: Place {
            line: 0,
            column: 0,
            offset: 0,
            length: 0,
            excerpt: String::new(),
            excerpt_start: 0,
        },
    };
    Declared { parameter, extent: name.extent }
}

/// The type that a declaration gives, or that of its default.
pub(super) fn declared_kind(declaration: &Declaration) -> ParameterType {
    let inferred = || declaration.default.as_ref().map(|default| kind_of(&default.value));
    declaration.kind.or_else(inferred).unwrap_or_default()
}

fn kind_of(default: &Json) -> ParameterType {
    match default {
        Json::Bool(_) => ParameterType::Bool,
        Json::Number(number) if number.is_f64() => ParameterType::Float,
        Json::Number(_) => ParameterType::Int,
        Json::Array(_) => ParameterType::List,
        Json::Object(_) => ParameterType::Object,
        Json::String(_) | Json::Null => ParameterType::String,
    }
}

/// The rules that make sense for the type.
fn rules(declared: &DeclaredRules, kind: ParameterType, faults: &mut Faults) -> Rules {
    let mut rules = Rules::default();
    let useless = |key: &str, extent: Extent| {
        let message = format!("`{key}` says nothing about {kind}");
        Fault::new(code::CONFLICT, extent, message).hint(format!("leave `{key}` out"))
    };
    if let Some(choices) = &declared.choices {
        let converted = Rules::converted(&choices.value, kind);
        match converted {
            _ if matches!(kind, ParameterType::File | ParameterType::Secret) => {
                faults.push(useless("enum", choices.extent));
            }
            Ok(converted) if converted.is_empty() => {
                let message = "an `enum` has at least one value";
                faults.push(Fault::new(code::BAD_VALUE, choices.extent, message));
            }
            Ok(converted) => rules.choices = converted,
            Err(found) => {
                let message = format!("the `enum` of {kind} has {found} in it");
                faults.push(Fault::new(code::WRONG_TYPE, choices.extent, message));
            }
        }
    }
    if let Some(pattern) = &declared.pattern {
        match Pattern::new(&pattern.value) {
            _ if kind != ParameterType::String => faults.push(useless("pattern", pattern.extent)),
            Ok(read) => rules.pattern = Some(read),
            Err(message) => {
                let fault = Fault::new(code::BAD_VALUE, pattern.extent, message);
                faults.push(fault.hint("look-around and back references are not available"));
            }
        }
    }
    for (key, bound) in [("min", &declared.min), ("max", &declared.max)] {
        let Some(bound) = bound else { continue };
        let is_length = !matches!(kind, ParameterType::Int | ParameterType::Float);
        if measured(kind).is_none() {
            faults.push(useless(key, bound.extent));
        } else if is_length && bound.value.0.as_u64().is_none() {
            let unit = measured(kind).unwrap_or_default();
            let message = format!("`{key}` of {kind} is a number of {unit}: 0 or more, and whole");
            faults.push(Fault::new(code::BAD_VALUE, bound.extent, message));
        } else if key == "min" {
            rules.min = Some(bound.value.0.clone());
        } else {
            rules.max = Some(bound.value.0.clone());
        }
    }
    if let (Some(min), Some(max), Some(place)) = (&rules.min, &rules.max, &declared.max)
        && compare(min, max).is_gt()
    {
        let message = format!("no value is at least {min} and at most {max}");
        faults.push(Fault::new(code::CONFLICT, place.extent, message));
    }
    rules
}
