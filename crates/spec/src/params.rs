//! A checked workflow and the parameters that it is given.
//!
//! Values come typed, as JSON, or as the words of a command line: a text given for a parameter
//! that is no text is read as its type writes it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use model::graph::GraphParts;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::code;
use crate::compile::{ComputedItems, RunOptions};
use crate::definition::TaskDefinition;
use crate::diagnostic::{Diagnostic, Diagnostics, Place, Related, Severity};
use crate::suggest::did_you_mean;

/// A workflow file that is in order.
#[derive(Debug)]
pub struct Workflow {
    pub(crate) file: String,
    pub(crate) folder: PathBuf,
    pub(crate) description: Option<String>,
    pub(crate) options: RunOptions,
    pub(crate) parameters: Vec<Parameter>,
    /// Texts in which parameters may still stand.
    pub(crate) env: Vec<(String, Located)>,
    pub(crate) working_dir: Option<Located>,
    pub(crate) shell: Vec<String>,
    pub(crate) parts: GraphParts,
    pub(crate) tasks: Vec<TaskDefinition>,
    /// Fan-outs whose items follow from parameters.
    pub(crate) computed: Vec<ComputedItems>,
}

/// A text and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Located {
    pub text: String,
    pub place: Place,
}

/// A parameter that a workflow takes.
#[derive(Clone, Debug, Serialize)]
pub struct Parameter {
    /// Its name in templates and after `-p`.
    pub name: String,
    /// What it takes.
    #[serde(rename = "type")]
    pub kind: ParameterType,
    /// What it is when it is not given; without a default it must be given.
    pub default: Option<Json>,
    /// What it is for.
    pub description: Option<String>,
    #[serde(skip)]
    pub(crate) place: Place,
}

/// What a parameter takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ParameterType {
    /// A text.
    #[default]
    String,
    /// A whole number of 64 bits.
    Int,
    /// A number.
    Float,
    /// `true` or `false`.
    Bool,
    /// A list of anything.
    List,
    /// A mapping of anything.
    Object,
}

/// A workflow with all its parameters.
#[derive(Debug)]
pub struct Bound {
    pub(crate) workflow: Workflow,
    pub(crate) params: Map<String, Json>,
}

impl Workflow {
    /// The name from the file, or the file's own.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.options.name
    }

    /// What the file says it is for.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The parameters in the order of the file.
    #[must_use]
    pub fn params(&self) -> &[Parameter] {
        &self.parameters
    }

    /// How many tasks it has.
    #[must_use]
    pub fn task_count(&self) -> usize {
        self.tasks.len()
    }

    /// Gives the workflow its parameters.
    ///
    /// # Errors
    /// Parameters that are missing, unknown, or of another type; all of them.
    pub fn bind(self, given: &BTreeMap<String, Json>) -> Result<Bound, Diagnostics> {
        let mut params = Map::new();
        let mut diagnostics = Vec::new();
        for parameter in &self.parameters {
            match parameter.value(given.get(&parameter.name)) {
                Ok(value) => {
                    params.insert(parameter.name.clone(), value);
                }
                Err(diagnostic) => diagnostics.push(*diagnostic),
            }
        }
        let is_unknown = |name: &&String| self.parameters.iter().all(|x| x.name != **name);
        diagnostics.extend(given.keys().filter(is_unknown).map(|name| self.unknown(name)));
        if diagnostics.is_empty() {
            Ok(Bound { workflow: self, params })
        } else {
            Err(Diagnostics { file: self.file, diagnostics, omitted: 0 })
        }
    }

    fn unknown(&self, name: &str) -> Diagnostic {
        let names = self.parameters.iter().map(|parameter| parameter.name.as_str());
        let hint = did_you_mean(name, names.clone()).unwrap_or_else(|| match names.count() {
            0 => "the workflow takes no parameters".to_owned(),
            _ => {
                let names: Vec<&str> = self.parameters.iter().map(|x| x.name.as_str()).collect();
                format!("the workflow takes: {}", names.join(", "))
            }
        });
        Diagnostic {
            hint: Some(hint),
            ..fault(code::UNKNOWN_PARAMETER, format!("there is no parameter `{name}`"))
        }
    }
}

impl Parameter {
    fn value(&self, given: Option<&Json>) -> Result<Json, Box<Diagnostic>> {
        let Some(given) = given.or(self.default.as_ref()) else {
            return Err(Box::new(self.missing()));
        };
        convert(given, self.kind).map_err(|found| Box::new(self.wrong(&found)))
    }

    fn wrong(&self, found: &str) -> Diagnostic {
        Diagnostic {
            related: self.declared_here(),
            hint: self.kind.example().map(|example| format!("write {example}")),
            ..fault(
                code::WRONG_PARAMETER,
                format!("parameter `{}` takes {}, not {found}", self.name, self.kind),
            )
        }
    }

    fn missing(&self) -> Diagnostic {
        Diagnostic {
            hint: Some(format!("give it with `-p {}=...`", self.name)),
            related: self.declared_here(),
            ..fault(
                code::MISSING_PARAMETER,
                format!("parameter `{}` has no default and was not given", self.name),
            )
        }
    }

    fn declared_here(&self) -> Vec<Related> {
        vec![Related { place: self.place.clone(), label: "declared here".to_owned() }]
    }
}

/// A diagnostic that does not lie in the file.
pub(crate) fn fault(code: model::code::Code, message: String) -> Diagnostic {
    Diagnostic {
        code,
        severity: Severity::Error,
        message,
        place: None,
        label: String::new(),
        hint: None,
        related: Vec::new(),
    }
}

impl ParameterType {
    fn example(self) -> Option<&'static str> {
        match self {
            Self::String | Self::Int | Self::Float => None,
            Self::Bool => Some("`true` or `false`"),
            Self::List => Some("JSON, as in `[\"a\", \"b\"]`"),
            Self::Object => Some("JSON, as in `{\"key\": \"value\"}`"),
        }
    }
}

impl fmt::Display for ParameterType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::String => "a text",
            Self::Int => "a whole number",
            Self::Float => "a number",
            Self::Bool => "true or false",
            Self::List => "a list",
            Self::Object => "an object",
        })
    }
}

/// The value as the type wants it, or what it is instead.
pub(crate) fn convert(value: &Json, kind: ParameterType) -> Result<Json, String> {
    let converted = match (value, kind) {
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
    converted.ok_or_else(|| match value {
        Json::Null => "nothing".to_owned(),
        Json::Bool(value) => format!("`{value}`"),
        Json::Number(number) => format!("the number {number}"),
        Json::String(text) => format!("`{}`", text.chars().take(60).collect::<String>()),
        Json::Array(_) => "a list".to_owned(),
        Json::Object(_) => "an object".to_owned(),
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
    }
}

/// A number without a fraction that 64 bits hold exactly.
fn whole(number: f64) -> Option<Json> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
    (number.fract() == 0.0 && number.abs() <= EXACT_MAX).then(|| Json::from(number as i64))
}
