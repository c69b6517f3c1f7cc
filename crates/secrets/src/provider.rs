//! Who knows secrets: the worker's variables, its files, the credentials that systemd hands it,
//! and whoever else is registered.
//!
//! A lookup happens once an attempt, just before it starts. An error says which secret is missing
//! and where it was looked for, never what was found.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::secret::{SecretRef, SecretSource};
use thiserror::Error;

use crate::limits::SECRET_BYTES_MAX;
use crate::secret::Secret;

/// Why a secret cannot be had.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SecretError {
    /// Nobody has it.
    #[error("the secret `{name}` is not there: {place}")]
    Missing {
        /// Its name in the workflow.
        name: String,
        /// Where it was looked for.
        place: String,
    },
    /// It is there and cannot be read.
    #[error("the secret `{name}` cannot be read from {place}: {reason}")]
    Unreadable {
        /// Its name in the workflow.
        name: String,
        /// Where it lies.
        place: String,
        /// What the system says.
        reason: String,
    },
    /// The worker knows no such provider.
    #[error("the secret `{name}` comes from `{provider}`, which this worker does not know")]
    UnknownProvider {
        /// Its name in the workflow.
        name: String,
        /// The provider that was named.
        provider: String,
    },
    /// A provider was asked and failed. Worth another try if it says so.
    #[error("the provider `{provider}` of the secret `{name}` failed: {reason}")]
    Provider {
        /// Its name in the workflow.
        name: String,
        /// The provider that was asked.
        provider: String,
        /// What it says; never the secret.
        reason: String,
        /// Whether it may go well later.
        is_transient: bool,
    },
}

/// Someone who can be asked for secrets.
pub trait SecretProvider: Send + Sync {
    /// The value of a secret.
    ///
    /// # Errors
    /// It is not there, or cannot be read. The error never holds the value.
    fn resolve(&self, reference: &SecretRef) -> Result<Secret, SecretError>;
}

/// Reads a variable by its name. Given from outside, so that a test changes no process.
pub type Variables = Arc<dyn Fn(&str) -> Option<OsString> + Send + Sync>;

fn own_variables() -> Variables {
    Arc::new(|name| std::env::var_os(name))
}

/// The variables of the worker: `NAME`, else the file that `NAME_FILE` names.
#[derive(Clone)]
pub struct EnvironmentProvider(Variables);

impl Default for EnvironmentProvider {
    /// Reads the variables of this process.
    fn default() -> Self {
        Self(own_variables())
    }
}

impl EnvironmentProvider {
    /// Reads these variables.
    #[must_use]
    pub fn new(variables: Variables) -> Self {
        Self(variables)
    }
}

impl SecretProvider for EnvironmentProvider {
    fn resolve(&self, reference: &SecretRef) -> Result<Secret, SecretError> {
        let SecretSource::Environment { variable } = &reference.source else {
            return Err(misdirected(reference, "env"));
        };
        if let Some(value) = (self.0)(variable) {
            return bounded(value.into_vec(), reference, &format!("the variable `{variable}`"));
        }
        let file = format!("{variable}_FILE");
        match (self.0)(&file) {
            Some(path) => read(Path::new(&path), reference),
            None => Err(SecretError::Missing {
                name: reference.name.clone(),
                place: format!("the worker has neither a variable `{variable}` nor `{file}`"),
            }),
        }
    }
}

/// Files that the worker may read.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileProvider;

impl SecretProvider for FileProvider {
    fn resolve(&self, reference: &SecretRef) -> Result<Secret, SecretError> {
        match &reference.source {
            SecretSource::File { path } => read(Path::new(path), reference),
            _ => Err(misdirected(reference, "file")),
        }
    }
}

/// The folder of credentials that systemd gives to a service.
#[derive(Clone)]
pub struct CredentialsProvider(Variables);

impl Default for CredentialsProvider {
    /// Reads the variables of this process.
    fn default() -> Self {
        Self(own_variables())
    }
}

impl CredentialsProvider {
    /// Reads these variables.
    #[must_use]
    pub fn new(variables: Variables) -> Self {
        Self(variables)
    }
}

impl SecretProvider for CredentialsProvider {
    fn resolve(&self, reference: &SecretRef) -> Result<Secret, SecretError> {
        let SecretSource::Credentials { name } = &reference.source else {
            return Err(misdirected(reference, "credentials"));
        };
        let missing = |place: &str| SecretError::Missing {
            name: reference.name.clone(),
            place: place.to_owned(),
        };
        if name.is_empty() || name == "." || name == ".." || name.contains('/') {
            return Err(missing("the name of a credential is the name of one file"));
        }
        let folder = (self.0)("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        let folder = folder.ok_or_else(|| missing("the worker has no `CREDENTIALS_DIRECTORY`"))?;
        read(&folder.join(name), reference)
    }
}

/// All providers of a worker: the built-in ones, and others by name.
#[derive(Clone, Default)]
pub struct Providers {
    environment: EnvironmentProvider,
    credentials: CredentialsProvider,
    others: BTreeMap<String, Arc<dyn SecretProvider>>,
}

impl Providers {
    /// The built-in ones over these variables.
    #[must_use]
    pub fn new(variables: Variables) -> Self {
        Self {
            environment: EnvironmentProvider::new(variables.clone()),
            credentials: CredentialsProvider::new(variables),
            others: BTreeMap::new(),
        }
    }

    /// Adds one under the name that workflows write behind `from`.
    #[must_use]
    pub fn with(mut self, name: &str, provider: Arc<dyn SecretProvider>) -> Self {
        self.others.insert(name.to_owned(), provider);
        self
    }
}

impl SecretProvider for Providers {
    fn resolve(&self, reference: &SecretRef) -> Result<Secret, SecretError> {
        match &reference.source {
            SecretSource::Environment { .. } => self.environment.resolve(reference),
            SecretSource::File { .. } => FileProvider.resolve(reference),
            SecretSource::Credentials { .. } => self.credentials.resolve(reference),
            SecretSource::Provider { provider, .. } => match self.others.get(provider) {
                Some(other) => other.resolve(reference),
                None => Err(SecretError::UnknownProvider {
                    name: reference.name.clone(),
                    provider: provider.clone(),
                }),
            },
        }
    }
}

/// A provider was asked for what another one has: a mistake of the caller, told like any other.
fn misdirected(reference: &SecretRef, provider: &str) -> SecretError {
    SecretError::Provider {
        name: reference.name.clone(),
        provider: provider.to_owned(),
        reason: "it comes from another source".to_owned(),
        is_transient: false,
    }
}

/// The content of a file. One line break at its end is not part of the secret: editors add it.
fn read(path: &Path, reference: &SecretRef) -> Result<Secret, SecretError> {
    let place = format!("the file `{}`", path.display());
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => SecretError::Missing {
            name: reference.name.clone(),
            place: format!("there is no file `{}`", path.display()),
        },
        _ => SecretError::Unreadable {
            name: reference.name.clone(),
            place: place.clone(),
            reason: error.to_string(),
        },
    };
    // The buffer never grows, so that no copy of the secret is left behind in freed memory.
    let mut bytes = Vec::with_capacity(SECRET_BYTES_MAX + 2);
    let file = File::open(path).map_err(unreadable)?;
    file.take(SECRET_BYTES_MAX as u64 + 2).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.ends_with(b"\n") {
        bytes.pop();
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
    }
    bounded(bytes, reference, &place)
}

fn bounded(bytes: Vec<u8>, reference: &SecretRef, place: &str) -> Result<Secret, SecretError> {
    let secret = Secret::new(bytes);
    let wrong = if secret.len() > SECRET_BYTES_MAX {
        format!("it has more than {SECRET_BYTES_MAX} bytes")
    } else if secret.expose().contains(&0) {
        "it has a NUL byte in it, which no variable can hold".to_owned()
    } else {
        return Ok(secret);
    };
    Err(SecretError::Unreadable {
        name: reference.name.clone(),
        place: place.to_owned(),
        reason: wrong,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn reference(source: SecretSource) -> SecretRef {
        SecretRef { name: "token".to_owned(), source }
    }

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        let pairs: BTreeMap<String, OsString> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), value.into())).collect();
        Arc::new(move |name| pairs.get(name).cloned())
    }

    fn environment(variable: &str) -> SecretRef {
        reference(SecretSource::Environment { variable: variable.to_owned() })
    }

    #[test]
    fn a_variable_is_asked_before_the_file_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        fs::write(&path, "from-file\n").expect("written");
        let path = path.to_str().expect("text");
        let both = Providers::new(variables(&[("T", "from-variable"), ("T_FILE", path)]));
        assert_eq!(both.resolve(&environment("T")), Ok(Secret::new(b"from-variable".to_vec())));
        let file = Providers::new(variables(&[("T_FILE", path)]));
        assert_eq!(file.resolve(&environment("T")), Ok(Secret::new(b"from-file".to_vec())));
        let error = file.resolve(&environment("U")).expect_err("not there").to_string();
        assert!(error.contains("`U`") && error.contains("`U_FILE`"), "{error}");
    }

    #[test]
    fn a_file_loses_one_line_break() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        for (content, secret) in [("a\r\n", "a"), ("a\n\n", "a\n"), ("a", "a"), ("", "")] {
            fs::write(&path, content).expect("written");
            let path = path.to_str().expect("text").to_owned();
            let found = FileProvider.resolve(&reference(SecretSource::File { path }));
            assert_eq!(found, Ok(Secret::new(secret.into())), "{content:?}");
        }
    }

    #[test]
    fn credentials_stay_in_their_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("db"), "x1y2z3").expect("written");
        let path = folder.path().to_str().expect("text");
        let providers = Providers::new(variables(&[("CREDENTIALS_DIRECTORY", path)]));
        let named = |name: &str| {
            providers.resolve(&reference(SecretSource::Credentials { name: name.to_owned() }))
        };
        assert_eq!(named("db"), Ok(Secret::new(b"x1y2z3".to_vec())));
        for name in ["../db", "..", "", "a/b", "other"] {
            assert!(named(name).is_err(), "{name}");
        }
    }

    #[test]
    fn what_is_too_large_or_no_text_for_a_variable_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        let text = path.to_str().expect("text").to_owned();
        let source = SecretSource::File { path: text };
        fs::write(&path, vec![b'x'; SECRET_BYTES_MAX + 1]).expect("written");
        let error = FileProvider.resolve(&reference(source.clone())).expect_err("too large");
        assert!(!error.to_string().contains("xxx"), "{error}");
        fs::write(&path, b"a\0b").expect("written");
        assert!(FileProvider.resolve(&reference(source)).is_err());
    }

    #[test]
    fn others_are_asked_by_name() {
        struct Vault;
        impl SecretProvider for Vault {
            fn resolve(&self, _: &SecretRef) -> Result<Secret, SecretError> {
                Ok(Secret::new(b"from-vault".to_vec()))
            }
        }
        let providers = Providers::new(variables(&[])).with("vault", Arc::new(Vault));
        let from = |provider: &str| {
            let (provider, key) = (provider.to_owned(), "db/password".to_owned());
            providers.resolve(&reference(SecretSource::Provider { provider, key }))
        };
        assert_eq!(from("vault"), Ok(Secret::new(b"from-vault".to_vec())));
        let unknown = from("volt").expect_err("not known");
        assert!(matches!(unknown, SecretError::UnknownProvider { .. }));
    }
}
