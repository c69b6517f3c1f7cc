//! Taking away what ended runs have left.

use serde::{Deserialize, Serialize};

/// What to keep, and whether to take the rest away or only to say what would go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gc {
    /// So many runs, those that ended last; `None` for all.
    #[serde(default)]
    pub keep_runs: Option<u64>,
    /// Those that ended within so many days; `None` for all. A run goes when either says so.
    #[serde(default)]
    pub keep_days: Option<u64>,
    /// Whether nothing is to be changed.
    #[serde(default)]
    pub preview: bool,
}

/// What went, or would go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GcReport {
    /// Ended runs.
    pub runs: u64,
    /// Their numbers, ascending; at most [`PAGE_SIZE_MAX`](super::PAGE_SIZE_MAX).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<u64>,
    /// Ended runs that stay.
    pub runs_kept: u64,
    /// Bytes of their histories.
    pub history_bytes: u64,
    /// Log segments in which no run that stays has output.
    pub log_segments: u64,
    /// Their bytes.
    pub log_bytes: u64,
    /// Work folders of runs that are gone.
    pub work_folders: u64,
    /// Graphs, texts, histories and artifacts that nothing names any more.
    pub objects: u64,
    /// Their bytes.
    pub object_bytes: u64,
}
