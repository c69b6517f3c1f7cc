//! What makes an attempt the same as an earlier one: all that it is started with, and what its
//! task's rule adds.

use std::path::PathBuf;

use model::{ItemId, TaskId};
use serde_json::{Value as Json, json};

use super::render::Failure;
use super::{Definition, RenderError, Upstream};
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
            let rendered = renderer.render()?;
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
            let artifacts = renderer.artifacts()?;
            let given: Vec<Json> =
                artifacts.place.iter().map(|it| json!([it.path, it.digest.0])).collect();
            let kept: Vec<Json> =
                artifacts.collect.iter().map(|it| json!([it.name, it.pattern])).collect();
            Ok(Some(Sameness {
                value: json!({
                    "argv": rendered.argv,
                    "env": rendered.env,
                    "secrets": secrets,
                    "folder": rendered.working_dir,
                    "item": value_of_item,
                    "key": key?,
                    "given": given,
                    "kept": kept,
                }),
                files: files?,
                folder: rendered.working_dir,
            }))
        })
    }
}
