//! The queues file, as whoever goes by it reads it.

use std::path::Path;

use model::queue::QueueTree;
use server::Policy;

use crate::error::{Error, Result};
use crate::style::Tone;
use crate::workflow::WorkflowFile;

/// The queues that a file sets; none without one.
///
/// # Errors
/// It cannot be read, or something is wrong with it, with its place.
pub(crate) fn read(path: Option<&Path>, tone: Tone) -> Result<QueueTree> {
    let Some(path) = path else { return Ok(QueueTree::default()) };
    let file = WorkflowFile::read(path)?;
    let policies = Policy::ALL.map(|(_, name)| name);
    spec::queues(&file.source, &policies).map_err(|faults| Error::invalid(&faults, tone))
}
