//! What makes an attempt the same as an earlier one: all that it is started with, and what its
//! task's rule adds.

use std::path::PathBuf;

use model::{ItemId, TaskId};
use serde_json::{Value as Json, json};

use super::render::Failure;
use super::{AttemptArtifacts, Definition, RenderError, Upstream};
use crate::code;
use crate::expression::to_json;

/// All that makes an attempt what it is, but for the content of files.
#[derive(Clone, Debug, PartialEq)]
pub struct Sameness {
    /// Command, variables, folder, item, the content of artifacts that it is given, and the values
    /// of the rule. Secrets count by where they are found.
    pub value: Json,
    /// Paths and patterns of the files whose content counts, relative to `folder`.
    pub files: Vec<String>,
    /// Where the attempt starts.
    pub folder: PathBuf,
}

impl Definition {
    /// The same definition without a rule of a cache: everything is run.
    #[must_use]
    pub fn without_cache(mut self) -> Self {
        for extras in self.tasks.iter_mut().filter_map(|task| task.extras.as_mut()) {
            extras.cache = None;
        }
        self
    }

    /// What makes an attempt the same as an earlier one; nothing if it is always run.
    ///
    /// # Errors
    /// A text or an expression names something that is not defined, or becomes too large.
    pub fn sameness(
        &self,
        task: TaskId,
        item: ItemId,
        upstream: &dyn Upstream,
    ) -> Result<Option<Sameness>, RenderError> {
        let Some(rule) = self.cache(task) else { return Ok(None) };
        self.rendering(task, Some(item), upstream, |renderer| {
            let rendered = renderer.render(None)?;
            let files: Result<Vec<String>, Failure> =
                rule.files.iter().map(|pattern| renderer.one(pattern)).collect();
            let value = |expression: &String| {
                let value = renderer.scene.evaluate(expression).and_then(|value| to_json(&value));
                value.map_err(|message| Failure { code: code::RENDER, message })
            };
            let key: Result<Vec<Json>, Failure> = rule.key.iter().map(value).collect();
            let value_of_item =
                upstream.item_value(task, item).or_else(|| renderer.scene.defined.item_value(item));
            let secrets: Vec<_> = rendered
                .secret_env
                .iter()
                .map(|(name, from)| (name, format!("{from:?}")))
                .collect();
            let mut value = json!({
                "argv": rendered.argv(),
                "env": rendered.env,
                "secrets": secrets,
                "folder": rendered.working_dir,
                "item": value_of_item,
                "key": key?,
            });
            if !rendered.settings.is_null() {
                value["settings"] = rendered.settings;
            }
            let artifacts = renderer.artifacts()?;
            if artifacts != AttemptArtifacts::default() {
                value["artifacts"] = in_words(&artifacts);
            }
            Ok(Some(Sameness { value, files: files?, folder: rendered.working_dir }))
        })
    }
}

/// What an attempt is given of earlier tasks, by content, and what it is to leave.
fn in_words(artifacts: &AttemptArtifacts) -> Json {
    let given = artifacts.place.iter().map(|one| json!([one.path, one.digest.to_string()]));
    let left = artifacts.collect.iter().map(|one| json!([one.name, one.pattern]));
    json!({ "in": given.collect::<Vec<_>>(), "out": left.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::definition::TaskOutputs;
    use crate::source::Source;

    /// A first task that has left the artifact `r`, of this content.
    struct Left(&'static str);

    impl Upstream for Left {
        fn outputs(&self, _: TaskId) -> TaskOutputs {
            let left = json!({"path": "r", "digest": self.0.repeat(64), "bytes": 1});
            TaskOutputs::Single(json!({"artifacts": {"r": left}}))
        }
    }

    fn sameness(out: &str, left: &'static str) -> Sameness {
        let text = format!(
            "tasks:\n  - {{name: a, artifacts: {{out: {{r: r}}}}, script: 'true'}}\n  \
             - {{name: b, depends_on: a, cache: true, script: 'true', \
             artifacts: {{in: a/r, out: {out}}}}}\n"
        );
        let source = Source { text: text.into_bytes(), ..Source::default() };
        let workflow = crate::check(&source).unwrap_or_else(|errors| panic!("{errors}"));
        let compiled = workflow.bind(&BTreeMap::new()).unwrap().compile().unwrap();
        let same = compiled.definition.sameness(TaskId(1), ItemId(0), &Left(left));
        same.unwrap().expect("it has a rule")
    }

    #[test]
    fn what_an_attempt_is_given_and_what_it_leaves_count() {
        let one = sameness("x", "0");
        assert_eq!(one, sameness("x", "0"));
        assert_ne!(one, sameness("y", "0"), "it leaves something else");
        assert_ne!(one, sameness("x", "1"), "it is given other content");
    }
}
