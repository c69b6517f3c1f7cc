//! What changes a run by hand or from within, there and back: amendments and marks.

use model::fact::{AmendCause, MarkCause, Marked, RunAmended};
use model::outcome::OutputRef;
use model::{ItemId, RunId, TaskId};

use super::control;
use super::v1::{self, MarkedWhy};
use crate::columns::{pack_set, unpack_set};
use crate::error::DecodeError;
use crate::noun::{Nothing, Numbered, read_digest, read_priority, required};

/// The stored form of an amendment.
pub(super) fn write_amended(amended: &RunAmended) -> v1::RunAmended {
    v1::RunAmended {
        run: amended.run.0,
        graph: amended.graph.0.to_vec(),
        definition: amended.definition.0.to_vec(),
        priority: amended.priority.0.into(),
        concurrency: amended.concurrency,
        cost_limit_micro: amended.cost_limit_micro,
        generated_by: match amended.cause {
            AmendCause::Edited => None,
            AmendCause::Generated { task, item } => {
                Some(v1::TaskItem { task: task.0, item: item.0 })
            }
        },
    }
}

/// The amendment of a stored form.
pub(super) fn read_amended(form: &v1::RunAmended) -> Result<RunAmended, DecodeError> {
    Ok(RunAmended {
        run: RunId(form.run),
        graph: read_digest(&form.graph)?,
        definition: read_digest(&form.definition)?,
        priority: read_priority(form.priority)?,
        concurrency: form.concurrency,
        cost_limit_micro: form.cost_limit_micro,
        cause: match &form.generated_by {
            None => AmendCause::Edited,
            Some(by) => AmendCause::Generated { task: TaskId(by.task), item: ItemId(by.item) },
        },
    })
}

/// The stored form of a mark.
pub(super) fn write_marked(marked: &Marked) -> v1::Marked {
    v1::Marked {
        run: marked.run.0,
        tasks: pack_set(&marked.tasks),
        items: marked.items.as_ref().map(|items| v1::Ids { ids: pack_set(items) }),
        status: marked.status.number(),
        control: marked.control.as_ref().map(control::write_control),
        output: marked.output.map(Into::into),
        why: Some(match marked.cause {
            MarkCause::Person => MarkedWhy::Person(Nothing {}),
            MarkCause::Cache => MarkedWhy::Cache(Nothing {}),
            MarkCause::Fork { from } => MarkedWhy::Fork(from.0),
        }),
    }
}

/// The mark of a stored form.
pub(super) fn read_marked(form: v1::Marked) -> Result<Marked, DecodeError> {
    Ok(Marked {
        run: RunId(form.run),
        tasks: unpack_set(&form.tasks)?,
        items: form.items.map(|items| unpack_set(&items.ids)).transpose()?,
        status: Numbered::from_number(form.status)?,
        control: form.control.map(control::read_control).transpose()?,
        output: form.output.map(OutputRef::try_from).transpose()?,
        cause: match required("why something is marked", form.why)? {
            MarkedWhy::Person(_) => MarkCause::Person,
            MarkedWhy::Cache(_) => MarkCause::Cache,
            MarkedWhy::Fork(from) => MarkCause::Fork { from: RunId(from) },
        },
    })
}
