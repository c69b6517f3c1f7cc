//! What is wrong with what was asked: a code, what is wrong, what to do.

use std::fmt;

use model::code::Code;

/// Why something cannot be simulated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Stable; explained in the reference.
    pub code: Code,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Trouble {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    /// Gives a hint if none was given.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: self.hint.or_else(|| Some(hint.into())), ..self }
    }

    /// Names the known word that was probably meant, if one is near.
    pub(crate) fn meant(self, word: &str, known: &[&str]) -> Self {
        let word = word.to_lowercase();
        let distance = |known: &str| strsim::osa_distance(&word, &known.to_lowercase());
        let nearest = known.iter().min_by_key(|known| distance(known));
        match nearest.filter(|nearest| distance(nearest) <= nearest.chars().count().div_ceil(3)) {
            Some(nearest) => self.hint(format!("did you mean `{nearest}`?")),
            None => self,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[{}]: {}", self.code, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhelp: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Trouble {}
