//! stub
use crate::diagnostic::{Diagnostics, Faults};
use crate::params::Workflow;
use crate::source::Source;
/// Checks.
///
/// # Errors
/// Everything.
pub fn check(source: &Source) -> Result<Workflow, Diagnostics> {
    Err(Faults::default().into_diagnostics(&source.name, ""))
}
