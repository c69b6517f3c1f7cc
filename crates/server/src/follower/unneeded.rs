//! Artifacts that no kept run names any more.
//!
//! The outputs of runs are what names them, so these are read, and only when somebody asks for a
//! collection. What was stored a moment ago may belong to a report that is still on its way: it
//! stays.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use artifacts::objects::Objects;
use model::{Digest, RunId};
use spec::Artifact;

use super::Books;

/// How long an artifact stays that nothing names.
const PATIENCE: Duration = Duration::from_secs(3_600);
/// What stands in outputs that name artifacts, which are canonical JSON.
const MARK: &[u8] = b"\"artifacts\":{";

impl Books {
    /// The artifacts that only runs which are not `kept` name, or none, with their lengths.
    pub(super) fn unneeded_artifacts(
        &self,
        is_kept: &dyn Fn(RunId) -> bool,
    ) -> Result<Vec<(Digest, u64)>, String> {
        let Some(store) = self.artifacts()? else { return Ok(Vec::new()) };
        let mut all = store.list().map_err(|error| error.to_string())?;
        if all.is_empty() {
            return Ok(all);
        }
        let mut named: HashSet<Digest> = HashSet::new();
        let read = self.reader.outputs_with(MARK, &mut |run, bytes| {
            if is_kept(run)
                && let Ok(outputs) = serde_json::from_slice(bytes)
            {
                named.extend(Artifact::all_of(&outputs).values().filter_map(Artifact::content));
            }
        });
        read.map_err(|error| error.to_string())?;
        let now = SystemTime::now();
        all.retain(|(digest, _)| {
            let age = store.stored_at(digest).and_then(|at| now.duration_since(at).ok());
            !named.contains(digest) && age.is_some_and(|age| age > PATIENCE)
        });
        Ok(all)
    }

    /// Removes artifacts; says how many there were and how long they were together.
    pub(super) fn remove_artifacts(&self, gone: &[(Digest, u64)]) -> Result<(u64, u64), String> {
        let Some(store) = self.artifacts()? else { return Ok((0, 0)) };
        let (mut count, mut bytes) = (0, 0);
        for (digest, length) in gone {
            store.remove(digest).map_err(|error| error.to_string())?;
            (count, bytes) = (count + 1, bytes + length);
        }
        Ok((count, bytes))
    }

    /// The store of artifacts, if any task has ever left one.
    fn artifacts(&self) -> Result<Option<Objects>, String> {
        let folder = self.home.artifacts();
        if !folder.is_dir() {
            return Ok(None);
        }
        Objects::open(&folder).map(Some).map_err(|error| error.to_string())
    }
}
