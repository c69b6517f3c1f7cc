//! What surrounds the tasks of a definition: the environment of the run and its secrets.

use std::collections::BTreeMap;

use model::secret::SecretRef;

use super::Definition;
use crate::environment::EnvironmentSnapshot;
use crate::secret::{SourceText, whole};

impl Definition {
    pub(crate) fn surrounded(
        self,
        environment: Option<EnvironmentSnapshot>,
        secrets: BTreeMap<String, SourceText>,
    ) -> Self {
        let secrets = secrets.into_iter().map(|(name, source)| (name, source.0)).collect();
        Self { environment, secrets, ..self }
    }

    /// The name of the environment that the run was given.
    #[must_use]
    pub fn environment(&self) -> Option<&str> {
        self.environment.as_ref().map(|environment| environment.name.as_str())
    }

    /// The environment as it was when the run began.
    #[must_use]
    pub const fn environment_snapshot(&self) -> Option<&EnvironmentSnapshot> {
        self.environment.as_ref()
    }

    /// The secrets that the run may use, by name; those among its parameters as `params.NAME`.
    pub fn secrets(&self) -> impl Iterator<Item = SecretRef> {
        let of_files = self.frames.iter().filter_map(|frame| frame.file.as_ref());
        let all = of_files.flat_map(|file| &file.secrets).chain(&self.secrets);
        all.map(|(name, source)| SourceText(source.clone()).reference(name))
    }

    /// The secret that the value of a variable is.
    pub(super) fn secret(&self, known: &BTreeMap<String, String>, text: &str) -> Option<SecretRef> {
        if known.is_empty() {
            return None;
        }
        let name = whole(text)?;
        let source = known.get(&name)?;
        Some(SourceText(source.clone()).reference(&name))
    }
}
