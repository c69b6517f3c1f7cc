//! Words of the model as JSON text and numbers: `#[serde(with = ...)]` modules, because the model
//! knows no serialisation.

use model::{RunStatus, TaskStatus};

/// A type of the model that has a word for each of its values.
pub(super) trait Word: Copy + Sized {
    /// The word for the value.
    fn to_word(self) -> &'static str;
    /// The value for the word.
    fn from_word(word: &str) -> Option<Self>;
}

impl Word for RunStatus {
    fn to_word(self) -> &'static str {
        self.as_str()
    }

    fn from_word(word: &str) -> Option<Self> {
        Self::from_word(word)
    }
}

impl Word for TaskStatus {
    fn to_word(self) -> &'static str {
        self.as_str()
    }

    fn from_word(word: &str) -> Option<Self> {
        Self::from_word(word)
    }
}

/// A status as its word.
pub(super) mod word {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Word;

    pub(crate) fn serialize<T: Word, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(value.to_word())
    }

    pub(crate) fn deserialize<'de, T: Word, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        let word = String::deserialize(deserializer)?;
        T::from_word(&word).ok_or_else(|| D::Error::custom(format!("no such status: `{word}`")))
    }
}

/// A status as its word, or nothing.
pub(super) mod word_or_none {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Word;

    pub(crate) fn serialize<T: Word, S: Serializer>(
        value: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.serialize_some(value.to_word()),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, T: Word, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        let Some(word) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        let value = T::from_word(&word);
        value.map(Some).ok_or_else(|| D::Error::custom(format!("no such status: `{word}`")))
    }
}

/// The number of a run as a plain number.
pub(super) mod run_id {
    use model::RunId;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(run: &RunId, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(run.0)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<RunId, D::Error> {
        u64::deserialize(deserializer).map(RunId)
    }
}

/// The number of a run as a plain number, or nothing.
pub(super) mod run_id_or_none {
    use model::RunId;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde hands on a reference to the field")]
    pub(crate) fn serialize<S: Serializer>(
        run: &Option<RunId>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        run.map(|run| run.0).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<RunId>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(RunId))
    }
}
