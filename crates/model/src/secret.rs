//! Where a secret is to be found. Never the secret itself: this travels and is stored, and may be
//! shown.

use alloc::string::String;

/// A secret as everything but the attempt that uses it knows it: an opaque handle.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretRef {
    /// The name in the workflow.
    pub name: String,
    /// Who is asked for it.
    pub source: SecretSource,
}

/// Who is asked for a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretSource {
    /// A variable of the worker; without it the file that `VARIABLE_FILE` names.
    Environment {
        /// The name of the variable.
        variable: String,
    },
    /// A file that the worker may read.
    File {
        /// Its absolute path.
        path: String,
    },
    /// A file in the folder that `CREDENTIALS_DIRECTORY` names, as systemd gives it to a service.
    Credentials {
        /// The name of the credential.
        name: String,
    },
    /// Someone who was registered with the worker under a name, such as a vault.
    Provider {
        /// The name of the provider.
        provider: String,
        /// What it knows the secret by.
        key: String,
    },
}
