//! A checked workflow and the parameters that it is given.
//!
//! Values come typed, as JSON, or as the words of a command line: a text given for a parameter
//! that is no text is read as its type writes it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use model::graph::GraphParts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::code;
use crate::compile::{ComputedItems, RunOptions};
use crate::definition::TaskDefinition;
use crate::diagnostic::{Diagnostic, Diagnostics, Place, Related, Severity};
use crate::environment::Surroundings;
use crate::link::Structure;
use crate::secret::SourceText;
use crate::suggest::did_you_mean;

mod rules;
mod value;
mod values;

pub use rules::{Pattern, Rules};
pub(crate) use rules::{compare, measured};
pub(crate) use value::convert;
pub use values::params_file;

/// A workflow file that is in order.
#[derive(Debug, Default)]
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
    /// What is put in the place of tasks.
    pub(crate) structure: Structure,
    /// What it gives to a file that names it: expressions over its tasks.
    pub(crate) outputs: Vec<(String, Box<str>)>,
    /// Environments and secrets.
    pub(crate) surroundings: Surroundings,
    /// Labels of the run.
    pub(crate) labels: BTreeMap<String, String>,
    /// By task, where it stands what it asks for.
    pub(crate) request_extents: Vec<crate::source::Extent>,
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
    /// What its value must be beyond its type.
    #[serde(flatten)]
    pub rules: Rules,
    /// What it is for.
    pub description: Option<String>,
    #[serde(skip)]
    pub(crate) place: Place,
}

/// What a parameter takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// The path of a file that must be there when the run is submitted. Its value is absolute.
    File,
    /// Where a secret is to be found, such as `env:TOKEN`. Never the secret itself.
    Secret,
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
        let calls = self.structure.calls.iter().map(|call| call.workflow.task_count());
        self.tasks.len() + calls.sum::<usize>()
    }

    /// Gives the workflow its parameters, over those of the chosen environment and the defaults.
    /// Paths in `given` that are relative begin at the workflow's folder: see
    /// [`Workflow::resolve_paths`].
    ///
    /// # Errors
    /// Parameters that are missing, unknown, of another type or against their rules, files that
    /// are not there, and what the chosen environment lacks; all of them.
    pub fn bind(mut self, given: &BTreeMap<String, Json>) -> Result<Bound, Diagnostics> {
        let mut params = Map::new();
        let mut diagnostics = Vec::new();
        let chosen = self.surroundings.chosen();
        for parameter in &self.parameters {
            let name = &parameter.name;
            let set = given.get(name).or_else(|| chosen?.params.get(name));
            match parameter.value(set, &self.folder) {
                Ok(value) => {
                    params.insert(name.clone(), value);
                }
                Err(diagnostic) => diagnostics.push(*diagnostic),
            }
        }
        let is_unknown = |name: &&String| self.parameters.iter().all(|x| x.name != **name);
        diagnostics.extend(given.keys().filter(is_unknown).map(|name| self.unknown(name)));
        diagnostics.extend(self.surroundings.missing(&self.tasks));
        if !diagnostics.is_empty() {
            return Err(Diagnostics { file: self.file, diagnostics, omitted: 0 });
        }
        if let Some(chosen) = self.surroundings.chosen().cloned() {
            self.env.retain(|(name, _)| chosen.env.iter().all(|(other, _)| other != name));
            self.env.extend(chosen.env);
            self.options.timeout = chosen.timeout.or(self.options.timeout);
            self.options.concurrency = chosen.max_parallel.or(self.options.concurrency);
            self.options.queue = chosen.queue.or(self.options.queue);
        }
        Ok(Bound { workflow: self, params })
    }

    /// Lets the paths among given values begin at a folder: that in which a command was given, or
    /// that of the file in which they stood.
    pub fn resolve_paths(&self, given: &mut BTreeMap<String, Json>, folder: &Path) {
        for parameter in &self.parameters {
            let Some(Json::String(text)) = given.get_mut(&parameter.name) else { continue };
            match parameter.kind {
                ParameterType::File if !text.is_empty() => {
                    *text = value::within(folder, text).to_string_lossy().into_owned();
                }
                ParameterType::Secret => {
                    if let Some(source) = SourceText::parse(text) {
                        *text = source.within(folder).0;
                    }
                }
                _ => {}
            }
        }
    }

    /// Where the secrets among the parameters are to be found, as `params.NAME`.
    pub(crate) fn secret_params(
        &self,
        params: &Map<String, Json>,
    ) -> impl Iterator<Item = (String, SourceText)> {
        let secrets = self.parameters.iter().filter(|it| it.kind == ParameterType::Secret);
        secrets.filter_map(|parameter| {
            let source = SourceText::parse(params.get(&parameter.name)?.as_str()?)?;
            Some((format!("params.{}", parameter.name), source))
        })
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
            related: self.parameters.iter().take(1).map(|it| first_of(&it.place)).collect(),
            ..fault(code::UNKNOWN_PARAMETER, format!("there is no parameter `{name}`"))
        }
    }
}

impl Parameter {
    pub(crate) fn value(
        &self,
        given: Option<&Json>,
        folder: &Path,
    ) -> Result<Json, Box<Diagnostic>> {
        let Some(given) = given.or(self.default.as_ref()) else {
            return Err(Box::new(self.missing()));
        };
        let value = convert(given, self.kind);
        let value = value.map_err(|found| {
            self.wrong(format!("takes {}, not {found}", self.kind), self.example())
        })?;
        self.rules.check(&value).map_err(|broken| self.wrong(broken, self.nearest(&value)))?;
        match (self.kind, value) {
            (ParameterType::File, Json::String(text)) => self.file(value::within(folder, &text)),
            (ParameterType::Secret, Json::String(text)) => {
                Ok(SourceText::parse(&text).map_or(text.into(), |it| it.within(folder).0.into()))
            }
            (_, value) => Ok(value),
        }
    }

    /// The path of a file that is there.
    fn file(&self, path: PathBuf) -> Result<Json, Box<Diagnostic>> {
        let wrong = match (path.metadata(), path.to_str()) {
            (Ok(found), Some(text)) if found.is_file() => return Ok(Json::from(text)),
            (Ok(_), Some(_)) => "which is no file".to_owned(),
            (Ok(_), None) => "which is no UTF-8".to_owned(),
            (Err(error), _) if error.kind() == std::io::ErrorKind::NotFound => {
                "which does not exist".to_owned()
            }
            (Err(error), _) => format!("which cannot be read: {error}"),
        };
        let hint = "a path on the command line begins where the command is given, and one in a \
                    file at the folder of that file";
        let broken = format!("is the file `{}`, {wrong}", path.display());
        Err(self.wrong(broken, Some(hint.to_owned())))
    }

    fn wrong(&self, broken: String, hint: Option<String>) -> Box<Diagnostic> {
        Box::new(Diagnostic {
            related: self.declared_here(),
            hint,
            ..fault(code::WRONG_PARAMETER, format!("parameter `{}` {broken}", self.name))
        })
    }

    fn example(&self) -> Option<String> {
        self.kind.example().map(|example| format!("write {example}"))
    }

    /// The choice that was meant, or else what the parameter is for.
    fn nearest(&self, value: &Json) -> Option<String> {
        let choices = self.rules.choices.iter().filter_map(Json::as_str);
        let meant = value.as_str().and_then(|text| did_you_mean(text, choices));
        meant.or_else(|| self.description.clone())
    }

    fn missing(&self) -> Diagnostic {
        Diagnostic {
            hint: Some(match self.kind {
                ParameterType::Secret => format!(
                    "say where it is to be found: `-p {0}=env:NAME`, `-p {0}=file:PATH` or \
                     `-p {0}=credentials:NAME`",
                    self.name
                ),
                _ => format!("give it with `-p {}=...`", self.name),
            }),
            related: self.declared_here(),
            ..fault(
                code::MISSING_PARAMETER,
                format!("parameter `{}` has no default and was not given", self.name),
            )
        }
    }

    fn declared_here(&self) -> Vec<Related> {
        vec![declared_here(&self.place)]
    }
}

/// Where something is declared that was chosen or given outside of the file.
pub(crate) fn declared_here(place: &Place) -> Related {
    Related { place: place.clone(), label: "declared here".to_owned() }
}

/// Where those are declared that there are, when another one is asked for.
pub(crate) fn first_of(place: &Place) -> Related {
    Related { place: place.clone(), label: "the first that is declared".to_owned() }
}

/// A diagnostic that does not lie in the file.
pub(crate) fn fault(code: model::code::Code, message: String) -> Diagnostic {
    Diagnostic {
        code,
        severity: Severity::Error,
        message,
        file: None,
        place: None,
        label: String::new(),
        hint: None,
        related: Vec::new(),
    }
}

impl ParameterType {
    pub(crate) const fn example(self) -> Option<&'static str> {
        match self {
            Self::String | Self::Int | Self::Float | Self::File => None,
            Self::Secret => Some("`env:NAME`, `file:PATH` or `credentials:NAME`"),
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
            Self::File => "the path of a file",
            Self::Secret => "the source of a secret",
        })
    }
}
