//! A secret in memory: it is overwritten when it is given up, and never shown.
//!
//! There is one way to its bytes, whose name says what happens, so that a search finds every use.

use std::fmt;

use zeroize::Zeroizing;

/// The value of a secret.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over; they are overwritten when the secret is dropped.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for the one who needs them: a variable of a process, a header of a request.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// In constant time for secrets of one length, so that a comparison tells nothing but the length.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        let difference = self.0.iter().zip(other.0.iter()).fold(0, |all, (a, b)| all | (a ^ b));
        self.len() == other.len() && difference == 0
    }
}

impl Eq for Secret {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        let secret = Secret::new(b"hunter22".to_vec());
        let shown = format!("{secret} {secret:?} {:#?}", Some(&secret));
        assert!(!shown.contains("hunter") && shown.contains("***"), "{shown}");
        assert_eq!(secret.expose(), b"hunter22");
    }

    #[test]
    fn secrets_are_equal_by_their_bytes() {
        let secret = |text: &str| Secret::new(text.into());
        assert_eq!(secret("same"), secret("same"));
        assert_ne!(secret("same"), secret("sama"));
        assert_ne!(secret("same"), secret("same2"));
    }
}
