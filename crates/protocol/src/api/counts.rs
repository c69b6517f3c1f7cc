//! How many tasks or items are in each status.

use std::collections::BTreeMap;
use std::ops::{Index, IndexMut};

use model::TaskStatus;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const STATUSES: usize = TaskStatus::ALL.len();

/// A number for each status; sent as an object without the zeros: `{"running":2,"succeeded":40}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([u64; STATUSES]);

impl Counts {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Those that have ended for this round.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.sum_where(TaskStatus::is_final)
    }

    /// Those that ended badly by themselves: failed, or out of time.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self[TaskStatus::Failed] + self[TaskStatus::TimedOut]
    }

    /// The statuses that have any, in the order of a life.
    pub fn iter(&self) -> impl Iterator<Item = (TaskStatus, u64)> + '_ {
        let all = TaskStatus::ALL.iter().map(|&status| (status, self[status]));
        all.filter(|&(_, count)| count > 0)
    }

    fn sum_where(&self, counted: impl Fn(TaskStatus) -> bool) -> u64 {
        self.iter().filter(|&(status, _)| counted(status)).map(|(_, count)| count).sum()
    }
}

impl Index<TaskStatus> for Counts {
    type Output = u64;

    fn index(&self, status: TaskStatus) -> &u64 {
        &self.0[status as usize]
    }
}

impl IndexMut<TaskStatus> for Counts {
    fn index_mut(&mut self, status: TaskStatus) -> &mut u64 {
        &mut self.0[status as usize]
    }
}

impl FromIterator<(TaskStatus, u64)> for Counts {
    fn from_iter<I: IntoIterator<Item = (TaskStatus, u64)>>(pairs: I) -> Self {
        let mut counts = Self::default();
        pairs.into_iter().for_each(|(status, count)| counts[status] += count);
        counts
    }
}

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(status, count)| (status.as_str(), count)))
    }
}

impl<'de> Deserialize<'de> for Counts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = BTreeMap::<String, u64>::deserialize(deserializer)?;
        let pairs = words.into_iter().map(|(word, count)| match TaskStatus::from_word(&word) {
            Some(status) => Ok((status, count)),
            None => Err(de::Error::custom(format!("no such status: `{word}`"))),
        });
        pairs.collect()
    }
}
