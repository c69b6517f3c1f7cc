//! The processes in which functions stay warm.

use serde::{Deserialize, Serialize};

use super::Seconds;

/// All of them, by what makes them alike.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolList {
    /// As their worker last said, a second ago at most.
    pub pools: Vec<Pool>,
}

/// Processes that are alike: of one interpreter, folder and set of variables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// The interpreter.
    pub python: String,
    /// Where they were started.
    pub folder: String,
    /// How many there are.
    pub processes: u32,
    /// How many are in a call.
    pub busy: u32,
    /// Calls that wait for one.
    pub waiting: u64,
    /// Calls that have ended.
    pub calls: u64,
    /// Processes that ended by themselves.
    pub crashes: u64,
    /// What all of them have of the memory.
    pub memory_bytes: u64,
    /// How long one stays that has nothing to do.
    pub keep_seconds: Seconds,
}

impl From<&model::work::Pool> for Pool {
    fn from(pool: &model::work::Pool) -> Self {
        Self {
            python: pool.python.clone(),
            folder: pool.folder.clone(),
            processes: pool.processes,
            busy: pool.busy,
            waiting: pool.waiting,
            calls: pool.calls,
            crashes: pool.crashes,
            memory_bytes: pool.memory_bytes,
            keep_seconds: Seconds(pool.keep),
        }
    }
}
