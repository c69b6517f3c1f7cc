//! Every setting with its value and where that comes from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};
use toml::de::{DeTable, DeValue};

use super::{KEYS, Layer, Settings};
use crate::quantity::Limit;
use crate::render::gc::size;

/// A setting that holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Setting {
    /// Its name, as the settings file has it; `resources.license` for one of the resources.
    pub name: String,
    /// Its value: cores as a number, memory in bytes.
    pub value: Value,
    /// Its value for people.
    #[serde(skip)]
    pub shown: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where the value of a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Origin {
    /// Nobody has said anything.
    Default,
    /// The settings file.
    File { path: PathBuf, line: usize },
    /// A variable.
    Variable { name: &'static str },
    /// An option of the command line.
    Option { name: &'static str },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable { name } => write!(f, "${name}"),
            Self::Option { name } => f.write_str(name),
        }
    }
}

/// What was said in each place.
pub(super) struct Layers {
    /// Where the settings file is or would be.
    pub path: Option<PathBuf>,
    pub file: Layer,
    /// The lines of the file on which its keys stand, those of resources by `resources.NAME`, and
    /// so those of labels.
    pub lines: BTreeMap<String, usize>,
    pub environment: Layer,
    pub flags: Layer,
}

impl Layers {
    /// Every setting, in the order of [`KEYS`].
    pub(super) fn settings(&self, resolved: &Settings) -> Vec<Setting> {
        let mut settings = Vec::new();
        for &key in KEYS {
            match key {
                "resources" => settings.extend(self.resources()),
                "node_labels" => settings.extend(self.labels()),
                key => {
                    let (value, shown) = value(key, resolved);
                    let origin = self.origin(key, key, &|layer| says(layer, key));
                    settings.push(Setting { name: key.to_owned(), value, shown, origin });
                }
            }
        }
        settings
    }

    /// One setting for each resource; resources are merged by name.
    fn resources(&self) -> Vec<Setting> {
        let mut amounts: BTreeMap<&str, u64> = BTreeMap::new();
        for layer in [&self.file, &self.environment, &self.flags] {
            amounts.extend(layer.resources.iter().map(|(name, amount)| (name.as_str(), *amount)));
        }
        let settings = amounts.into_iter().map(|(resource, amount)| {
            let name = format!("resources.{resource}");
            let says = |layer: &Layer| layer.resources.contains_key(resource);
            let origin = self.origin("resources", &name, &says);
            Setting { name, value: json!(amount), shown: amount.to_string(), origin }
        });
        settings.collect()
    }

    /// One setting for each label; labels are merged by key.
    fn labels(&self) -> Vec<Setting> {
        let mut labels: BTreeMap<&str, &str> = BTreeMap::new();
        for layer in [&self.file, &self.environment, &self.flags] {
            labels.extend(layer.labels.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        }
        let settings = labels.into_iter().map(|(key, value)| {
            let name = format!("node_labels.{key}");
            let says = |layer: &Layer| layer.labels.contains_key(key);
            let origin = self.origin("node_labels", &name, &says);
            Setting { name, value: json!(value), shown: value.to_owned(), origin }
        });
        settings.collect()
    }

    /// The last place that says something.
    fn origin(&self, key: &'static str, line: &str, says: &dyn Fn(&Layer) -> bool) -> Origin {
        let (variable, option) = names(key);
        if says(&self.flags) {
            return Origin::Option { name: option };
        }
        if says(&self.environment) {
            return Origin::Variable { name: variable };
        }
        match &self.path {
            Some(path) if says(&self.file) => {
                let line = self.lines.get(line).copied().unwrap_or(1);
                Origin::File { path: path.clone(), line }
            }
            _ => Origin::Default,
        }
    }
}

fn says(layer: &Layer, key: &str) -> bool {
    match key {
        "home" => layer.home.is_some(),
        "cpu" => layer.cpu_milli.is_some(),
        "memory" => layer.memory_bytes.is_some(),
        "node_taints" => layer.taints.is_some(),
        "policy" => layer.policy.is_some(),
        "queues" => layer.queues.is_some(),
        "keep_runs" => layer.keep_runs.is_some(),
        "keep_days" => layer.keep_days.is_some(),
        "output" => layer.output.is_some(),
        "color" => layer.color.is_some(),
        _ => false,
    }
}

/// The variable and the option that say a setting.
fn names(key: &str) -> (&'static str, &'static str) {
    match key {
        "home" => ("AUTOGLM_HOME", "--home"),
        "cpu" => ("AUTOGLM_CPU", "--cpu"),
        "memory" => ("AUTOGLM_MEMORY", "--memory"),
        "resources" => ("AUTOGLM_RESOURCES", "--resource"),
        "node_labels" => ("AUTOGLM_NODE_LABELS", "--node-label"),
        "node_taints" => ("AUTOGLM_NODE_TAINTS", "--node-taint"),
        "policy" => ("AUTOGLM_POLICY", "--policy"),
        "queues" => ("AUTOGLM_QUEUES", "--queues"),
        "keep_runs" => ("AUTOGLM_KEEP_RUNS", "--keep-runs"),
        "keep_days" => ("AUTOGLM_KEEP_DAYS", "--keep-days"),
        "output" => ("AUTOGLM_FORMAT", "--output"),
        "color" => ("AUTOGLM_COLOR", "--color"),
        _ => ("", ""),
    }
}

/// The value of a setting, for programs and for people.
fn value(key: &str, settings: &Settings) -> (Value, String) {
    let word = |word: String| (json!(word), word);
    let limit = |limit: Limit| match limit.number() {
        Some(number) => (json!(number), number.to_string()),
        None => word("all".to_owned()),
    };
    match key {
        "home" => word(settings.home.display().to_string()),
        "cpu" => {
            #[expect(clippy::cast_precision_loss, reason = "cores are few")]
            let cores = settings.offers.amounts.cpu_milli as f64 / 1_000.0;
            (json!(cores), cores.to_string())
        }
        "memory" => (
            json!(settings.offers.amounts.memory_bytes),
            size(settings.offers.amounts.memory_bytes),
        ),
        "node_taints" => {
            let taints = &settings.offers.site.taints;
            (json!(taints), if taints.is_empty() { "none".to_owned() } else { taints.join(", ") })
        }
        "policy" => word(whatif::name_of(settings.policy).to_owned()),
        "queues" => match &settings.queues {
            Some(path) => word(path.display().to_string()),
            None => (Value::Null, "none".to_owned()),
        },
        "keep_runs" => limit(settings.keep.runs),
        "keep_days" => limit(settings.keep.days),
        "output" => word(format!("{:?}", settings.output.unwrap_or_default()).to_lowercase()),
        _ => word(format!("{:?}", settings.color).to_lowercase()),
    }
}

/// The lines on which the keys of a settings file stand. Of a file that was read before.
pub(super) fn lines(path: &Path) -> BTreeMap<String, usize> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let mut lines = BTreeMap::new();
    let Ok(table) = DeTable::parse(&text) else { return lines };
    let line = |at: usize| text.bytes().take(at).filter(|&byte| byte == b'\n').count() + 1;
    for (key, value) in table.get_ref() {
        lines.insert(key.get_ref().to_string(), line(key.span().start));
        if let DeValue::Table(inner) = value.get_ref() {
            let inner = inner.iter().map(|(name, _)| {
                (format!("{}.{}", key.get_ref(), name.get_ref()), line(name.span().start))
            });
            lines.extend(inner);
        }
    }
    lines
}
