//! Secrets: looked up at the last moment on the machine that uses them, and masked in everything
//! that a task prints.
//!
//! A workflow, a journal and a message know a secret as a [`SecretRef`](model::secret::SecretRef)
//! alone. [`Providers`] turn that into a [`Secret`], and a [`Mask`] takes the secret out of a
//! stream of bytes again, in every form that tools commonly write it in.
//!
//! Nothing here prints, stores or sends a secret, and no error names one's value.

mod encode;
mod fold;
pub mod limits;
mod mask;
mod needles;
mod provider;
mod secret;

pub use mask::{MASKED, Mask, Masking};
pub use provider::{
    CredentialsProvider, EnvironmentProvider, FileProvider, Providers, SecretError, SecretProvider,
    Variables,
};
pub use secret::Secret;
