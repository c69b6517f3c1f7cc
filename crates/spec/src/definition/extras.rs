//! What a task has beside what it does: labels, limits, artifacts, the rule of its cache, and how
//! long it may be silent.
//!
//! Stored with the task and read by whoever needs it; nothing here is worked out but the places
//! of artifacts, from the outputs of the tasks that left them.

use std::collections::BTreeMap;

use model::bounds::Bounds;
use model::work::{Collect, Placement};
use model::{Digest, ItemId, Span, TaskId};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::render::{Failure, Renderer};
use super::resolve::Found;
use super::{Definition, RenderError, Scene, TaskOutputs, Upstream};
use crate::code;

/// The key of the outputs under which the artifacts of a task stand.
pub const ARTIFACTS_KEY: &str = "artifacts";

/// What few tasks have beside what they do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Extras {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub collect: Box<[Collected]>,
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub place: Box<[Placed]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheRule>,
    /// How long an attempt may be silent, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_us: Option<u64>,
}

/// The most that an attempt may use, and how it uses it; what is left out is without limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Thousandths of a CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_milli: Option<u64>,
    /// Bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Processes and threads at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pids: Option<u64>,
    /// Whether it runs on cores that no other such attempt runs on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pin: bool,
    /// Amounts of something else, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub custom: BTreeMap<String, u64>,
}

impl Limits {
    /// What a worker has to keep. Amounts of something else are counted, and nobody can hold a
    /// process to them.
    #[must_use]
    pub const fn bounds(&self) -> Bounds {
        let Self { cpu_milli, memory_bytes, pids, pin, custom: _ } = self;
        Bounds { cpu_milli: *cpu_milli, memory_bytes: *memory_bytes, pids: *pids, pin: *pin }
    }
}

/// What makes an attempt the same as an earlier one, whose outputs are then taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheRule {
    /// Expressions whose values count, without their marks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key: Vec<String>,
    /// Paths and patterns of files whose content counts: templates, relative to where the task
    /// starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// How long an entry is taken, in microseconds; for ever if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "expires_us")]
    pub expires: Option<u64>,
}

impl CacheRule {
    /// How long an entry is taken; for ever if nothing is said.
    #[must_use]
    pub fn expires(&self) -> Option<Span> {
        self.expires.map(Span)
    }
}

/// What a task leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Collected {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
    pub pattern: Box<str>,
}

/// What a task is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Placed {
    /// `TASK` or `TASK/NAME`, as the file names it.
    pub from: Box<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Box<str>>,
}

/// An artifact, as the outputs of its task name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Where it was, relative to where its task started.
    pub path: String,
    /// The BLAKE3 hash of its content, as 64 hexadecimal digits.
    pub digest: String,
    /// How long it is.
    pub bytes: u64,
    /// Whether it may be run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
}

impl Artifact {
    /// The artifacts that outputs name, by name. What is no artifact is left out.
    #[must_use]
    pub fn all_of(outputs: &Json) -> BTreeMap<String, Self> {
        let named = outputs.get(ARTIFACTS_KEY).and_then(Json::as_object);
        let read = |(name, value): (&String, &Json)| {
            let artifact = Self::deserialize(value).ok()?;
            artifact.content().map(|_| (name.clone(), artifact))
        };
        named.into_iter().flatten().filter_map(read).collect()
    }

    /// The name of its content.
    #[must_use]
    pub fn content(&self) -> Option<Digest> {
        let mut bytes = [0; 32];
        if self.digest.len() != 2 * bytes.len() || !self.digest.is_ascii() {
            return None;
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&self.digest[2 * index..2 * index + 2], 16).ok()?;
        }
        Some(Digest(bytes))
    }
}

/// The artifacts of an attempt: what is put there before, and what is kept after.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttemptArtifacts {
    /// Before it starts.
    pub place: Vec<Placement>,
    /// When it has succeeded.
    pub collect: Vec<Collect>,
}

impl Definition {
    fn extras(&self, task: TaskId) -> Option<&Extras> {
        self.get(task)?.extras.as_deref()
    }

    /// The labels of the run: those of the file, and those that it was given.
    #[must_use]
    pub const fn labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }

    /// The same definition with labels over those of the file.
    #[must_use]
    pub fn with_labels(mut self, labels: &BTreeMap<String, String>) -> Self {
        self.labels.extend(labels.clone());
        self
    }

    /// The labels of a task, those of its groups among them.
    pub fn task_labels(&self, task: TaskId) -> impl Iterator<Item = (&str, &str)> {
        let labels = self.extras(task).into_iter().flat_map(|extras| &extras.labels);
        labels.map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The most that an attempt of a task may use, if the file says so.
    #[must_use]
    pub fn limits(&self, task: TaskId) -> Option<&Limits> {
        self.extras(task)?.limits.as_ref()
    }

    /// How long an attempt of a task may be silent, if the file says so.
    #[must_use]
    pub fn heartbeat(&self, task: TaskId) -> Option<Span> {
        self.extras(task)?.heartbeat_us.map(Span)
    }

    /// What makes an attempt of a task the same as an earlier one; nothing if it is always run.
    #[must_use]
    pub fn cache(&self, task: TaskId) -> Option<&CacheRule> {
        self.extras(task)?.cache.as_ref()
    }

    /// The names and patterns of the artifacts that a task leaves, as they are written.
    pub fn artifacts_out(&self, task: TaskId) -> impl Iterator<Item = (Option<&str>, &str)> {
        let collected = self.extras(task).into_iter().flat_map(|extras| &extras.collect);
        collected.map(|it| (it.name.as_deref(), &*it.pattern))
    }

    /// Where the artifacts that a task is given come from, and where they go, as it is written.
    pub fn artifacts_in(&self, task: TaskId) -> impl Iterator<Item = (&str, Option<&str>)> {
        let placed = self.extras(task).into_iter().flat_map(|extras| &extras.place);
        placed.map(|it| (&*it.from, it.to.as_deref()))
    }

    /// What an attempt is given, and what is kept of it.
    ///
    /// # Errors
    /// A text names something that is not defined, or an earlier task has left no such artifact.
    pub fn artifacts(
        &self,
        task: TaskId,
        item: ItemId,
        upstream: &dyn Upstream,
    ) -> Result<AttemptArtifacts, RenderError> {
        if self.extras(task).is_none_or(|it| it.collect.is_empty() && it.place.is_empty()) {
            return Ok(AttemptArtifacts::default());
        }
        self.rendering(task, Some(item), upstream, |renderer| renderer.artifacts())
    }
}

fn failure(message: String) -> Failure {
    Failure { code: code::RENDER, message }
}

impl Renderer<'_> {
    /// What an attempt is given, and what is kept of it.
    pub(super) fn artifacts(&self) -> Result<AttemptArtifacts, Failure> {
        let Scene { defined, .. } = self.scene;
        let mut artifacts = AttemptArtifacts::default();
        let Some(extras) = &defined.extras else { return Ok(artifacts) };
        for Collected { name, pattern } in &extras.collect {
            let (name, pattern) = (name.as_deref().map(str::to_owned), self.one(pattern)?);
            artifacts.collect.push(Collect { name, pattern });
        }
        for placed in &extras.place {
            self.place(placed, &mut artifacts.place)?;
        }
        Ok(artifacts)
    }

    fn place(&self, placed: &Placed, places: &mut Vec<Placement>) -> Result<(), Failure> {
        let Scene { definition, defined, upstream, .. } = self.scene;
        let (from, name) = split(&placed.from);
        let path: Vec<String> = from.split('.').map(str::to_owned).collect();
        let found = definition.resolve(&defined.scope, &path);
        let tasks = match found.filter(|(_, steps)| *steps == path.len()) {
            Some((Found::One(task), _)) => vec![task],
            Some((Found::Each(tasks), _)) => tasks,
            None => return Err(failure(format!("there is no task `{from}`"))),
        };
        let outputs = tasks.into_iter().flat_map(|task| match upstream.outputs(task) {
            TaskOutputs::Single(outputs) => vec![(from.to_owned(), outputs)],
            TaskOutputs::Items(items) => {
                let of_item = |(item, outputs)| (format!("{from}[{item}]"), outputs);
                items.into_iter().enumerate().map(of_item).collect()
            }
        });
        let outputs: Vec<(String, Json)> = outputs.collect();
        let all = outputs.iter().flat_map(|(whose, outputs)| {
            let left = Artifact::all_of(outputs).into_iter();
            left.map(move |(known, artifact)| (whose, known, artifact))
        });
        let wanted: Vec<(&String, String, Artifact)> =
            all.filter(|(_, known, _)| name.is_none_or(|name| is_in(known, name))).collect();
        if wanted.is_empty() {
            return Err(failure(match name {
                Some(name) => format!("task `{from}` has left no artifact `{name}`"),
                None => format!("task `{from}` has left no artifacts"),
            }));
        }
        let to = placed.to.as_deref().map(|to| self.one(to)).transpose()?;
        let is_one = matches!(&*wanted, [(_, known, _)] if Some(known.as_str()) == name);
        for (whose, known, artifact) in wanted {
            let content = artifact.content();
            let digest =
                content.ok_or_else(|| failure(format!("`{known}` of `{from}` has no content")))?;
            let path = match &to {
                None => artifact.path,
                Some(to) if is_one && !to.ends_with('/') => to.clone(),
                Some(to) => format!("{}/{}", to.trim_end_matches('/'), artifact.path),
            };
            let name = format!("{whose}/{known}");
            let (bytes, is_executable) = (artifact.bytes, artifact.executable);
            places.push(Placement { name, digest, bytes, path, is_executable });
        }
        Ok(())
    }
}

/// Whether an artifact is the one that is named, or one of those that a named pattern has found.
fn is_in(known: &str, name: &str) -> bool {
    known.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// `TASK/NAME` or `TASK`.
pub(crate) fn split(from: &str) -> (&str, Option<&str>) {
    from.split_once('/').map_or((from, None), |(task, name)| (task, Some(name)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::source::Source;

    #[test]
    fn of_a_fan_out_it_is_told_which_item_has_left_what() {
        struct Items;
        impl Upstream for Items {
            fn outputs(&self, _: TaskId) -> TaskOutputs {
                let left =
                    |digest: &str| json!({"path": "r", "digest": digest.repeat(64), "bytes": 1});
                let items = ["0", "1"].map(|digest| json!({"artifacts": {"r": left(digest)}}));
                TaskOutputs::Items(items.to_vec())
            }
        }
        let text = "tasks:\n  \
             - {name: a, foreach: [x, y], artifacts: {out: {r: r}}, script: 'true'}\n  \
             - {name: b, depends_on: a, script: 'true', artifacts: {in: {from: a/r, to: p/}}}\n";
        let source = Source { text: text.as_bytes().to_vec(), ..Source::default() };
        let workflow = crate::check(&source).unwrap_or_else(|errors| panic!("{errors}"));
        let compiled = workflow.bind(&BTreeMap::new()).unwrap().compile().unwrap();
        let given = compiled.definition.artifacts(TaskId(1), ItemId(0), &Items).unwrap();
        let names: Vec<_> = given.place.iter().map(|one| &*one.name).collect();
        assert_eq!(names, ["a[0]/r", "a[1]/r"]);
    }
}
