//! Who holds the state folder, and how it fares.

use serde::{Deserialize, Serialize};

use super::Time;

/// The holder of the state folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Its process.
    pub pid: u32,
    /// Its version.
    pub version: String,
    /// Its term.
    pub epoch: u64,
    /// The state folder.
    pub home: String,
    /// When it began to hold it.
    pub since: Time,
    /// Whether it can write.
    pub storage: Storage,
    /// How many runs have not ended.
    pub runs_active: u64,
}

/// Whether facts can be stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Storage {
    /// They can.
    #[default]
    Ok,
    /// There is no room on the disk: nothing new is accepted until there is.
    Full,
    /// The disk cannot be written: nothing new is accepted until it can.
    ReadOnly,
}
