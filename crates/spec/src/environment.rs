//! Environments: what a run sees of the place that it runs in, and of no other.
//!
//! A run keeps what it began with: the one that was chosen is written into its definition.

use std::collections::BTreeMap;

use model::Span;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::code;
use crate::definition::TaskDefinition;
use crate::diagnostic::{Diagnostic, Diagnostics, Place};
use crate::limits::DIAGNOSTICS_MAX;
use crate::params::{Located, Workflow, declared_here, fault, first_of};
use crate::secret::{SourceText, whole};
use crate::suggest::did_you_mean;
use crate::template::words;

/// All environments of a file, and the secrets that every run of it knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    pub environments: Vec<Environment>,
    /// The default at first, then the one that was asked for.
    pub chosen: Option<usize>,
    pub secrets: BTreeMap<String, SourceText>,
    /// Variables of the file itself.
    pub env: Vec<String>,
}

/// One environment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    pub name: String,
    /// Where it is declared.
    pub place: Place,
    pub description: Option<String>,
    pub env: Vec<(String, Located)>,
    pub params: BTreeMap<String, Json>,
    pub secrets: BTreeMap<String, SourceText>,
    pub queue: Option<String>,
    pub max_parallel: Option<u32>,
    pub timeout: Option<Span>,
}

/// The environment of a run, as it was when the run began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentSnapshot {
    /// Its name.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The queue of its runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// The variables that it sets, rendered.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// The parameters that it sets. The run's own may differ: what is given goes first.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub params: Map<String, Json>,
    /// Where its own secrets are to be found.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, String>,
    /// How many attempts of a run may be running at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parallel: Option<u32>,
    /// How long a run may take, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_us: Option<u64>,
}

impl Surroundings {
    pub(crate) fn chosen(&self) -> Option<&Environment> {
        self.environments.get(self.chosen?)
    }

    /// What the chosen environment is, its variables taken from the rendered ones.
    pub(crate) fn snapshot(&self, env: &BTreeMap<String, String>) -> Option<EnvironmentSnapshot> {
        let chosen = self.chosen()?;
        let rendered = |(name, _): &(String, Located)| Some((name.clone(), env.get(name)?.clone()));
        let secrets = chosen.secrets.iter();
        Some(EnvironmentSnapshot {
            name: chosen.name.clone(),
            description: chosen.description.clone(),
            queue: chosen.queue.clone(),
            env: chosen.env.iter().filter_map(rendered).collect(),
            params: chosen.params.iter().map(|(name, it)| (name.clone(), it.clone())).collect(),
            secrets: secrets.map(|(name, source)| (name.clone(), source.0.clone())).collect(),
            max_parallel: chosen.max_parallel,
            timeout_us: chosen.timeout.map(|timeout| timeout.0),
        })
    }

    /// The secrets that a run knows.
    pub(crate) fn visible_secrets(&self) -> BTreeMap<String, SourceText> {
        let mut secrets = self.secrets.clone();
        secrets.extend(self.chosen().into_iter().flat_map(|chosen| chosen.secrets.clone()));
        secrets
    }

    /// What the tasks name that another environment has, and the chosen one has not.
    pub(crate) fn missing(&self, tasks: &[TaskDefinition]) -> Vec<Diagnostic> {
        let secrets = self.visible_secrets();
        let env = |name: &str| {
            let chosen = self.chosen().into_iter().flat_map(|chosen| &chosen.env);
            self.env.iter().chain(chosen.map(|(name, _)| name)).any(|known| known == name)
        };
        let has_others = self.environments.iter().any(|it| {
            it.env.iter().any(|(name, _)| !env(name))
                || it.secrets.keys().any(|name| !secrets.contains_key(name))
        });
        if !has_others {
            return Vec::new();
        }
        let mut missing = Vec::new();
        for task in tasks {
            for text in task.texts().filter(|text| text.contains("env")) {
                for reference in words(text).references {
                    let Some(name) = reference.path.first() else { continue };
                    if reference.root == "env" && !env(name) {
                        missing.push(self.invisible("variable", name, &task.name));
                    }
                }
            }
            let used = task.env.iter().filter_map(|(_, text)| whole(text));
            let used = used.filter(|name| !name.contains('.') && !secrets.contains_key(name));
            missing.extend(used.map(|name| self.invisible("secret", &name, &task.name)));
        }
        missing.dedup();
        missing
    }

    fn invisible(&self, what: &str, name: &str, task: &str) -> Diagnostic {
        let has = |it: &&Environment| match what {
            "secret" => it.secrets.contains_key(name),
            _ => it.env.iter().any(|(known, _)| known == name),
        };
        let others: Vec<&str> =
            self.environments.iter().filter(has).map(|it| it.name.as_str()).collect();
        let place = match self.chosen() {
            Some(chosen) => format!("in the environment `{}`", chosen.name),
            None => "without an environment".to_owned(),
        };
        let code = if what == "secret" { code::UNKNOWN_SECRET } else { code::TEMPLATE_NAME };
        Diagnostic {
            hint: Some(format!(
                "`{}` {} it: choose it with `--environment`, or set it {place} too",
                others.join("`, `"),
                if others.len() == 1 { "has" } else { "have" }
            )),
            related: self.chosen().map(|it| declared_here(&it.place)).into_iter().collect(),
            ..fault(code, format!("task `{task}` uses the {what} `{name}`, unknown {place}"))
        }
    }
}

impl Workflow {
    /// The names of its environments, in the order of the file.
    pub fn environments(&self) -> impl Iterator<Item = &str> + Clone {
        self.surroundings.environments.iter().map(|it| it.name.as_str())
    }

    /// The name of the environment that a run gets: the default until another is chosen.
    #[must_use]
    pub fn environment(&self) -> Option<&str> {
        self.surroundings.chosen().map(|chosen| chosen.name.as_str())
    }

    /// Checks each environment: what the tasks name and only another environment has.
    ///
    /// # Errors
    /// All that environments lack.
    pub fn check_environments(&self) -> Result<(), Diagnostics> {
        let mut surroundings = self.surroundings.clone();
        let mut missing = Vec::new();
        for environment in 0..surroundings.environments.len() {
            surroundings.chosen = Some(environment);
            missing.extend(surroundings.missing(&self.tasks));
        }
        self.lacking(missing)
    }

    /// Checks the chosen environment alone.
    ///
    /// # Errors
    /// All that it lacks.
    pub fn check_environment(&self) -> Result<(), Diagnostics> {
        self.lacking(self.surroundings.missing(&self.tasks))
    }

    fn lacking(&self, mut diagnostics: Vec<Diagnostic>) -> Result<(), Diagnostics> {
        if diagnostics.is_empty() {
            return Ok(());
        }
        let omitted = diagnostics.len().saturating_sub(DIAGNOSTICS_MAX);
        diagnostics.truncate(DIAGNOSTICS_MAX);
        Err(Diagnostics { file: self.file.clone(), diagnostics, omitted })
    }

    /// Chooses an environment; `None` leaves the default.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn choose(mut self, name: Option<&str>) -> Result<Self, Diagnostics> {
        let Some(name) = name else { return Ok(self) };
        match self.surroundings.environments.iter().position(|it| it.name == name) {
            Some(found) => {
                self.surroundings.chosen = Some(found);
                Ok(self)
            }
            None => {
                let hint = unknown_hint(name, self.environments());
                let message = format!("there is no environment `{name}`");
                let first = self.surroundings.environments.first();
                let diagnostic = Diagnostic {
                    hint: Some(hint),
                    related: first.map(|first| first_of(&first.place)).into_iter().collect(),
                    ..fault(code::UNKNOWN_ENVIRONMENT, message)
                };
                Err(Diagnostics { file: self.file, diagnostics: vec![diagnostic], omitted: 0 })
            }
        }
    }
}

/// What to write instead of the name of an environment that does not exist.
pub(crate) fn unknown_hint<'n>(name: &str, names: impl Iterator<Item = &'n str> + Clone) -> String {
    did_you_mean(name, names.clone()).unwrap_or_else(|| {
        let names: Vec<&str> = names.collect();
        match names.len() {
            0 => "the workflow has no `environments`".to_owned(),
            _ => format!("the workflow has: {}", names.join(", ")),
        }
    })
}
