//! The settings: defaults, then the file, then the environment, then the command line. The later
//! one wins, setting by setting.
//!
//! The environment comes in as a function, so that tests need not touch the real one.

mod origin;
mod policy;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use model::Site;
use model::limits::{LABELS_PER_NODE_MAX, TAINTS_PER_NODE_MAX};
use serde::Deserialize;
use server::Policy;

use crate::error::{BAD_SETTINGS, Error, NO_HOME, Result};
use crate::exit::Exit;
use crate::output::Format;
use crate::quantity::{self, Declared, Limit};
use crate::style::Color;
use origin::Layers;
pub(crate) use origin::Setting;
pub(crate) use policy::words as policy_words;

/// Where the settings file is, below the folder for configuration.
const FILE: &str = "autoglm/config.toml";
/// The keys of the settings file.
const KEYS: &[&str] = &[
    "home",
    "cpu",
    "memory",
    "resources",
    "node_labels",
    "node_taints",
    "policy",
    "queues",
    "keep_runs",
    "keep_days",
    "output",
    "color",
];
/// Ended runs that are kept if nobody says otherwise. No days are, so that a folder that is seldom
/// used loses nothing.
const KEEP_RUNS: Limit = Limit::Of(10_000);

/// What was said in one place: any of it may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layer {
    /// The state folder.
    pub home: Option<PathBuf>,
    /// Cores offered to tasks, in thousandths.
    pub cpu_milli: Option<u64>,
    /// Memory offered to tasks, in bytes.
    pub memory_bytes: Option<u64>,
    /// Custom amounts offered to tasks.
    pub resources: BTreeMap<String, u64>,
    /// Labels of the machine.
    pub labels: BTreeMap<String, String>,
    /// Taints of the machine.
    pub taints: Option<Vec<String>>,
    /// How it is decided what goes first, and where.
    pub policy: Option<Policy>,
    /// The file that says who shares what is there.
    pub queues: Option<PathBuf>,
    /// How many ended runs are kept.
    pub keep_runs: Option<Limit>,
    /// For how many days.
    pub keep_days: Option<Limit>,
    /// How results are printed.
    pub output: Option<Format>,
    /// When to use colours.
    pub color: Option<Color>,
}

/// Which ended runs are kept: a run goes when either says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Keep {
    /// So many, those that ended last.
    pub runs: Limit,
    /// Those that ended within so many days.
    pub days: Limit,
}

/// The settings that hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The state folder.
    pub home: PathBuf,
    /// What this machine offers to tasks when this process holds the state.
    pub offers: Declared,
    /// How it is decided what goes first, when this process holds the state.
    pub policy: Policy,
    /// The file that says who shares what is there, when this process holds the state.
    pub queues: Option<PathBuf>,
    /// Which ended runs are kept when this process holds the state.
    pub keep: Keep,
    /// How results are printed; `None` leaves it to the command.
    pub output: Option<Format>,
    /// When to use colours.
    pub color: Color,
    /// Where the settings file is or would be.
    pub file: Option<PathBuf>,
    /// Each setting with where it comes from.
    pub each: Vec<Setting>,
}

impl Settings {
    /// Puts the layers together. `env` tells a variable.
    pub(crate) fn resolve(flags: Layer, env: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let env = |name: &str| env(name).filter(|text| !text.is_empty());
        let path = folder(&env, "XDG_CONFIG_HOME", ".config").map(|folder| folder.join(FILE));
        let file = path.as_deref().map(read_file).transpose()?.unwrap_or_default();
        let layers = Layers {
            lines: path.as_deref().map(origin::lines).unwrap_or_default(),
            path: path.clone(),
            file: file.clone(),
            environment: from_environment(&env)?,
            flags: flags.clone(),
        };
        let (cpu, memory) = quantity::of_this_machine();
        let settings = file.overlaid(layers.environment.clone()).overlaid(flags);
        let default_home = || Some(folder(&env, "XDG_STATE_HOME", ".local/state")?.join("autoglm"));
        let Some(home) = settings.home.or_else(default_home) else {
            let message = "there is no place for the state: neither HOME nor AUTOGLM_HOME is set";
            return Err(Error::new(Exit::Usage, NO_HOME, message).hint("name one with --home DIR"));
        };
        let mut resolved = Self {
            home: std::path::absolute(&home).unwrap_or(home),
            offers: Declared {
                site: site(settings.labels, settings.taints.unwrap_or_default())?,
                ..quantity::declared(
                    settings.cpu_milli.unwrap_or(cpu),
                    settings.memory_bytes.unwrap_or(memory),
                    settings.resources,
                )
            },
            policy: settings.policy.unwrap_or_default(),
            queues: settings.queues.map(|path| std::path::absolute(&path).unwrap_or(path)),
            keep: Keep {
                runs: settings.keep_runs.unwrap_or(KEEP_RUNS),
                days: settings.keep_days.unwrap_or(Limit::All),
            },
            output: settings.output,
            color: settings.color.unwrap_or_default(),
            file: path,
            each: Vec::new(),
        };
        resolved.each = layers.settings(&resolved);
        Ok(resolved)
    }
}

impl Layer {
    /// What `over` says, and what it leaves open from `self`. Resources and labels are merged by
    /// name.
    fn overlaid(mut self, over: Self) -> Self {
        self.resources.extend(over.resources);
        self.labels.extend(over.labels);
        Self {
            home: over.home.or(self.home),
            cpu_milli: over.cpu_milli.or(self.cpu_milli),
            memory_bytes: over.memory_bytes.or(self.memory_bytes),
            resources: self.resources,
            labels: self.labels,
            taints: over.taints.or(self.taints),
            policy: over.policy.or(self.policy),
            queues: over.queues.or(self.queues),
            keep_runs: over.keep_runs.or(self.keep_runs),
            keep_days: over.keep_days.or(self.keep_days),
            output: over.output.or(self.output),
            color: over.color.or(self.color),
        }
    }
}

/// What the machine is told apart by.
fn site(labels: BTreeMap<String, String>, taints: Vec<String>) -> Result<Site> {
    let most = [(labels.len(), LABELS_PER_NODE_MAX), (taints.len(), TAINTS_PER_NODE_MAX)];
    for ((count, most), what) in most.into_iter().zip(["labels", "taints"]) {
        if count > most {
            let message = format!("this machine is given {count} {what}, and may have {most}");
            return Err(Error::new(Exit::Usage, BAD_SETTINGS, message));
        }
    }
    let labels = labels.into_iter().map(|(key, value)| (key.into(), value.into()));
    Ok(Site::new(labels, taints.into_iter().map(String::into_boxed_str)))
}

/// Words that stand behind each other, with commas between them.
fn listed<T>(
    text: &str,
    read: fn(&str) -> std::result::Result<T, String>,
) -> std::result::Result<Vec<T>, String> {
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    words.map(read).collect()
}

/// The folder that the variable names, or the one below the user's own. Relative ones do not count.
fn folder(env: &dyn Fn(&str) -> Option<String>, variable: &str, below: &str) -> Option<PathBuf> {
    let named = env(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    named.or_else(|| Some(PathBuf::from(env("HOME")?).join(below)))
}

fn from_environment(env: &dyn Fn(&str) -> Option<String>) -> Result<Layer> {
    let bad = |name: &'static str| {
        move |reason: String| Error::new(Exit::Usage, BAD_SETTINGS, format!("${name}: {reason}"))
    };
    let cpu = env("AUTOGLM_CPU").map(|text| quantity::cpu_milli(&text)).transpose();
    let memory = env("AUTOGLM_MEMORY").map(|text| quantity::memory_bytes(&text)).transpose();
    let resources = listed(&env("AUTOGLM_RESOURCES").unwrap_or_default(), quantity::resource);
    let labels = listed(&env("AUTOGLM_NODE_LABELS").unwrap_or_default(), quantity::label);
    let taints = env("AUTOGLM_NODE_TAINTS").map(|text| listed(&text, quantity::taint)).transpose();
    let policy = env("AUTOGLM_POLICY").map(|name| policy::named("$AUTOGLM_POLICY", &name));
    let keep_runs = env("AUTOGLM_KEEP_RUNS").map(|text| quantity::limit(&text)).transpose();
    let keep_days = env("AUTOGLM_KEEP_DAYS").map(|text| quantity::days(&text)).transpose();
    let output = env("AUTOGLM_FORMAT").map(|word| word_of::<Format>(&word)).transpose();
    let color = env("AUTOGLM_COLOR").map(|word| word_of::<Color>(&word)).transpose();
    Ok(Layer {
        home: env("AUTOGLM_HOME").map(PathBuf::from),
        cpu_milli: cpu.map_err(bad("AUTOGLM_CPU"))?,
        memory_bytes: memory.map_err(bad("AUTOGLM_MEMORY"))?,
        resources: resources.map_err(bad("AUTOGLM_RESOURCES"))?.into_iter().collect(),
        labels: labels.map_err(bad("AUTOGLM_NODE_LABELS"))?.into_iter().collect(),
        taints: taints.map_err(bad("AUTOGLM_NODE_TAINTS"))?,
        policy: policy.transpose()?,
        queues: env("AUTOGLM_QUEUES").map(PathBuf::from),
        keep_runs: keep_runs.map_err(bad("AUTOGLM_KEEP_RUNS"))?,
        keep_days: keep_days.map_err(bad("AUTOGLM_KEEP_DAYS"))?,
        output: output.map_err(bad("AUTOGLM_FORMAT"))?,
        color: color.map_err(bad("AUTOGLM_COLOR"))?,
    })
}

fn word_of<T: ValueEnum>(word: &str) -> std::result::Result<T, String> {
    T::from_str(word, false).map_err(|_| {
        let words = T::value_variants().iter().filter_map(|each| each.to_possible_value());
        let words: Vec<_> = words.map(|value| value.get_name().to_owned()).collect();
        format!("`{word}` is none of {}", words.join(", "))
    })
}

/// The settings file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    home: Option<PathBuf>,
    cpu: Option<Amount>,
    memory: Option<Amount>,
    resources: BTreeMap<String, u64>,
    node_labels: BTreeMap<String, String>,
    node_taints: Option<Vec<String>>,
    policy: Option<String>,
    queues: Option<PathBuf>,
    keep_runs: Option<Amount>,
    keep_days: Option<Amount>,
    output: Option<Format>,
    color: Option<Color>,
}

/// A number, or text with a unit, as its text.
#[derive(Debug, Deserialize)]
#[serde(try_from = "toml::Value")]
struct Amount(String);

impl TryFrom<toml::Value> for Amount {
    type Error = &'static str;

    fn try_from(value: toml::Value) -> std::result::Result<Self, Self::Error> {
        match value {
            toml::Value::String(text) => Ok(Self(text)),
            toml::Value::Integer(number) => Ok(Self(number.to_string())),
            toml::Value::Float(number) => Ok(Self(number.to_string())),
            _ => Err("expected a number, or text with a unit"),
        }
    }
}

fn read_file(path: &Path) -> Result<Layer> {
    let bad = |reason: String| {
        let message = format!("{}: {}", path.display(), reason.trim_end());
        Error::new(Exit::Usage, BAD_SETTINGS, message)
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Layer::default()),
        Err(error) => return Err(bad(error.to_string())),
    };
    let table: toml::Table =
        text.parse().map_err(|error: toml::de::Error| bad(error.to_string()))?;
    if let Some(key) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
        let hint = match nearest(key) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("the keys are {}", KEYS.join(", ")),
        };
        return Err(bad(format!("there is no setting `{key}`")).hint(hint));
    }
    let file: File = toml::from_str(&text).map_err(|error| bad(error.to_string()))?;
    let cpu = file.cpu.map(|amount| quantity::cpu_milli(&amount.0)).transpose();
    let memory = file.memory.map(|amount| quantity::memory_bytes(&amount.0)).transpose();
    let place = format!("{}: policy", path.display());
    let policy = file.policy.map(|name| policy::named(&place, &name)).transpose()?;
    for (key, value) in &file.node_labels {
        let is_good = quantity::label(&format!("{key}={value}"));
        is_good.map_err(|reason| bad(format!("node_labels: {reason}")))?;
    }
    for taint in file.node_taints.iter().flatten() {
        quantity::taint(taint).map_err(|reason| bad(format!("node_taints: {reason}")))?;
    }
    let keep_runs = file.keep_runs.map(|amount| quantity::limit(&amount.0)).transpose();
    let keep_days = file.keep_days.map(|amount| quantity::days(&amount.0)).transpose();
    Ok(Layer {
        home: file.home,
        cpu_milli: cpu.map_err(|reason| bad(format!("cpu: {reason}")))?,
        memory_bytes: memory.map_err(|reason| bad(format!("memory: {reason}")))?,
        resources: file.resources,
        labels: file.node_labels,
        taints: file.node_taints,
        policy,
        // Beside the settings file, wherever a command is given.
        queues: file.queues.map(|named| path.with_file_name("").join(named)),
        keep_runs: keep_runs.map_err(|reason| bad(format!("keep_runs: {reason}")))?,
        keep_days: keep_days.map_err(|reason| bad(format!("keep_days: {reason}")))?,
        output: file.output,
        color: file.color,
    })
}

/// The setting that a mistyped key probably means.
fn nearest(key: &str) -> Option<&'static str> {
    let allowed = (key.chars().count() / 3).max(1);
    let near = KEYS.iter().map(|known| (strsim::osa_distance(&key.to_lowercase(), known), *known));
    near.filter(|&(distance, _)| distance <= allowed).min().map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Settings from the text of a file, some variables and some flags.
    fn resolve(file: &str, variables: &[(&str, &str)], flags: Layer) -> Result<Settings> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE);
        std::fs::create_dir_all(path.parent().expect("it has one")).expect("a folder");
        std::fs::write(&path, file).expect("a file");
        let config = folder.path().to_str().expect("text").to_owned();
        let env = |name: &str| match name {
            "XDG_CONFIG_HOME" => Some(config.clone()),
            _ => variables.iter().find(|(known, _)| *known == name).map(|(_, v)| (*v).to_owned()),
        };
        Settings::resolve(flags, &env)
    }

    const FILE_TEXT: &str = r#"
        home = "/from/file"
        cpu = 2
        memory = "1Gi"
        output = "json"
        [resources]
        license = 3
        scanner = 1
    "#;
    const SITE_TEXT: &str = r#"
        node_taints = ["spot"]
        [node_labels]
        zone = "a"
        disk = "ssd"
    "#;

    #[test]
    fn the_later_layer_wins_setting_by_setting() {
        let env = [("AUTOGLM_HOME", "/from/env"), ("AUTOGLM_CPU", "500m"), ("HOME", "/me")];
        let flags = Layer {
            home: Some("/from/flag".into()),
            resources: [("license".to_owned(), 1)].into(),
            ..Layer::default()
        };
        let settings = resolve(FILE_TEXT, &env, flags).expect("they are good");
        assert_eq!(settings.home, Path::new("/from/flag"));
        assert_eq!(settings.offers.amounts.cpu_milli, 500);
        assert_eq!(settings.offers.amounts.memory_bytes, 1 << 30);
        assert_eq!(*settings.offers.amounts.custom, [("license".into(), 1), ("scanner".into(), 1)]);
        assert_eq!(settings.output, Some(Format::Json));
    }

    #[test]
    fn without_anything_the_state_goes_where_it_belongs() {
        let settings = resolve("", &[("HOME", "/me")], Layer::default()).expect("good");
        assert_eq!(settings.home, Path::new("/me/.local/state/autoglm"));
        let env = [("HOME", "/me"), ("XDG_STATE_HOME", "/state"), ("AUTOGLM_HOME", "")];
        let settings = resolve("", &env, Layer::default()).expect("good");
        assert_eq!(settings.home, Path::new("/state/autoglm"));
        assert_eq!(resolve("", &[], Layer::default()).expect_err("nowhere").exit, Exit::Usage);
    }

    #[test]
    fn what_is_kept_can_be_said_in_each_place() {
        let keep = |file, env: &[_], flags| {
            let env = [env, &[("HOME", "/me")]].concat();
            let keep = resolve(file, &env, flags).expect("good").keep;
            (keep.runs.number(), keep.days.number())
        };
        assert_eq!(keep("", &[], Layer::default()), (Some(10_000), None));
        let file = "keep_runs = \"all\"\nkeep_days = 30";
        assert_eq!(keep(file, &[], Layer::default()), (None, Some(30)));
        let env = [("AUTOGLM_KEEP_RUNS", "5"), ("AUTOGLM_KEEP_DAYS", "all")];
        assert_eq!(keep(file, &env, Layer::default()), (Some(5), None));
        let flags = Layer { keep_days: Some(Limit::Of(1)), ..Layer::default() };
        assert_eq!(keep(file, &env, flags), (Some(5), Some(1)));
        let error = resolve("keep_runs = 0", &[("HOME", "/me")], Layer::default());
        let message = error.expect_err("nothing would be left").message;
        assert!(message.contains("config.toml: keep_runs: `0` is neither"), "{message}");
    }

    #[test]
    fn every_setting_says_where_it_comes_from() {
        let env = [("AUTOGLM_CPU", "500m"), ("AUTOGLM_RESOURCES", "scanner=2"), ("HOME", "/me")];
        let env = [env.as_slice(), &[("AUTOGLM_NODE_LABELS", "zone=b")]].concat();
        let taints = Some(vec!["x".to_owned(), "y".to_owned()]);
        let flags = Layer { output: Some(Format::Jsonl), taints, ..Layer::default() };
        let settings = resolve(FILE_TEXT, &env, flags).expect("they are good");
        let config = settings.file.expect("there is one").display().to_string();
        let each = settings.each.iter().map(|setting| {
            let origin = setting.origin.to_string().replace(&config, "config.toml");
            format!("{} = {} ({origin})", setting.name, setting.shown)
        });
        let expected = [
            "home = /from/file (config.toml:2)",
            "cpu = 0.5 ($AUTOGLM_CPU)",
            "memory = 1.0 GiB (config.toml:4)",
            "resources.license = 3 (config.toml:7)",
            "resources.scanner = 2 ($AUTOGLM_RESOURCES)",
            "node_labels.zone = b ($AUTOGLM_NODE_LABELS)",
            "node_taints = x, y (--node-taint)",
            "policy = autoglm (default)",
            "queues = none (default)",
            "keep_runs = 10000 (default)",
            "keep_days = all (default)",
            "output = jsonl (--output)",
            "color = auto (default)",
        ];
        assert_eq!(each.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn labels_are_merged_by_key_and_taints_are_those_of_the_last_place() {
        let site = |env: &[_], flags| {
            let env = [env, &[("HOME", "/me")]].concat();
            resolve(SITE_TEXT, &env, flags).expect("good").offers.site
        };
        let at = |labels: [(&str, &str); 2], taints: &[&str]| {
            let labels = labels.map(|(key, value)| (key.into(), value.into()));
            Site::new(labels, taints.iter().map(|&taint| taint.into()))
        };
        let as_written = at([("zone", "a"), ("disk", "ssd")], &["spot"]);
        assert_eq!(site(&[], Layer::default()), as_written);
        let env = [("AUTOGLM_NODE_LABELS", "zone=b"), ("AUTOGLM_NODE_TAINTS", "x, y")];
        let moved = at([("zone", "b"), ("disk", "ssd")], &["x", "y"]);
        assert_eq!(site(&env, Layer::default()), moved);
        let taints = Some(vec!["z".to_owned()]);
        let labels = [("disk".to_owned(), "hdd".to_owned())].into();
        let flags = Layer { labels, taints, ..Layer::default() };
        assert_eq!(site(&env, flags), at([("zone", "b"), ("disk", "hdd")], &["z"]));
        let wrong = |file| resolve(file, &[("HOME", "/me")], Layer::default()).expect_err("wrong");
        let message = wrong("node_labels = {\"a b\" = \"c\"}").message;
        assert!(message.contains("config.toml: node_labels: `a b` cannot be"), "{message}");
        let message = wrong("node_taints = [\"\"]").message;
        assert!(message.contains("config.toml: node_taints: `` cannot be a taint"), "{message}");
        let many = (0..=TAINTS_PER_NODE_MAX).map(|it| format!("\"t{it}\""));
        let many = format!("node_taints = [{}]", many.collect::<Vec<_>>().join(", "));
        assert!(wrong(&many).message.contains("17 taints, and may have 16"));
    }

    #[test]
    fn the_policy_can_be_said_in_each_place() {
        let policy = |file, env: &[_], flags| {
            let env = [env, &[("HOME", "/me")]].concat();
            resolve(file, &env, flags).expect("good").policy
        };
        assert_eq!(policy("", &[], Layer::default()), Policy::Autoglm);
        let file = "policy = \"fifo\"";
        assert_eq!(policy(file, &[], Layer::default()), Policy::Fifo);
        let env = [("AUTOGLM_POLICY", "round_robin")];
        assert_eq!(policy(file, &env, Layer::default()), Policy::RoundRobin);
        let flags = Layer { policy: Some(Policy::Sjf), ..Layer::default() };
        assert_eq!(policy(file, &env, flags), Policy::Sjf);
    }

    #[test]
    fn an_unknown_policy_is_an_error_with_advice() {
        let env = [("AUTOGLM_POLICY", "backfil"), ("HOME", "/me")];
        let error = resolve("", &env, Layer::default()).expect_err("there is none of that name");
        assert_eq!(error.message, "$AUTOGLM_POLICY: there is no policy `backfil`");
        let all = "policies are: fifo, fifo_backfill, round_robin, sjf, heft, autoglm";
        assert_eq!(error.hint.as_deref(), Some(all));
        let error = resolve("policy = \"heff\"", &[("HOME", "/me")], Layer::default());
        let error = error.expect_err("there is none of that name");
        assert_eq!(error.exit, Exit::Usage);
        assert!(error.message.ends_with("config.toml: policy: there is no policy `heff`"));
        assert_eq!(error.hint, Some(format!("did you mean `heft`? {all}")));
    }

    #[test]
    fn a_mistyped_key_is_an_error_with_advice() {
        let error = resolve("memroy = 1", &[("HOME", "/me")], Layer::default());
        let error = error.expect_err("there is no such key");
        assert_eq!(error.exit, Exit::Usage);
        assert!(error.message.ends_with("there is no setting `memroy`"), "{}", error.message);
        assert_eq!(error.hint.as_deref(), Some("did you mean `memory`?"));
    }

    #[test]
    fn bad_values_name_their_place() {
        let message =
            |file, env: &[_]| resolve(file, env, Layer::default()).expect_err("it is bad").message;
        let from_file = message("cpu = \"many\"", &[("HOME", "/me")]);
        assert!(from_file.contains("config.toml: cpu: `many` is no number of cores"));
        let from_env = message("", &[("HOME", "/me"), ("AUTOGLM_FORMAT", "xml")]);
        assert_eq!(from_env, "$AUTOGLM_FORMAT: `xml` is none of table, wide, json, jsonl, name");
        assert!(message("home = [", &[("HOME", "/me")]).contains("config.toml"));
    }
}
