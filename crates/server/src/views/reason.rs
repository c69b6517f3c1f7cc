//! Where more is told about a failure than its outcome says. What is told there takes the disk to
//! read, so it is read elsewhere.

use model::outcome::{Failure, Outcome};
use model::{ItemId, ItemKey, TaskId, TaskStatus};

use super::subject::Subject;

/// Where the reason of a failure stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReasonAt {
    /// In the outputs of the item: `{"error": "..."}`.
    Outputs(ItemKey),
    /// At the end of the log of its last attempt, in the words of its worker.
    Log(ItemKey),
}

/// Where it stands why a task failed; of a fan-out its first item that did, unless another is asked
/// for. `None` if its outcome says it all.
pub(crate) fn reason_at(
    subject: &Subject<'_>,
    task: TaskId,
    item: Option<ItemId>,
) -> Option<ReasonAt> {
    let run = subject.run;
    let at = match run.task(task).trouble()? {
        Outcome::Failed(Failure::Control | Failure::Tasks) => ReasonAt::Outputs,
        Outcome::Failed(
            Failure::Render
            | Failure::Outputs
            | Failure::Raised(_)
            | Failure::Crashed
            | Failure::Status(_)
            | Failure::Unreachable(_)
            | Failure::Answer
            | Failure::TooLarge
            | Failure::Forbidden,
        ) => ReasonAt::Log,
        _ => return None,
    };
    let item = match (item, run.fan(task)) {
        (Some(item), _) => item,
        (None, None) => ItemId(0),
        (None, Some(fan)) => {
            let mut numbered = (0..).zip(fan.items());
            ItemId(numbered.find(|(_, item)| item.status() == TaskStatus::Failed)?.0)
        }
    };
    let has_failed = run.item(task, item)?.status() == TaskStatus::Failed;
    has_failed.then(|| at(subject.key(task).item(item)))
}
