//! Whose facts are whose: what the archive and the catalog index by.

use model::control::ControlAnswer;
use model::fact::{ControlImage, LeaseImage, Restored};
use model::{Digest, Fact, RunId};

/// The run that a fact belongs to; `None` for facts about leaders, workers and everything.
#[must_use]
pub fn run_of(fact: &Fact) -> Option<RunId> {
    match fact {
        Fact::LeaderStarted { .. } | Fact::WorkerJoined(_) | Fact::WorkerLost { .. } => None,
        Fact::RunAdmitted(admitted) => Some(admitted.run),
        Fact::AttemptsLeased { task, .. }
        | Fact::GangLeased { task, .. }
        | Fact::AttemptsStarted { task, .. }
        | Fact::AttemptsCheckpointed { task, .. }
        | Fact::AttemptsPreempted { task, .. }
        | Fact::LeasesReturned { task, .. }
        | Fact::ItemsReopened { task, .. }
        | Fact::TaskSettled { task, .. } => Some(task.run),
        Fact::AttemptOverran { item } => Some(item.run),
        Fact::AttemptsEnded(ended) => Some(ended.task.run),
        Fact::TaskAnswered(answered) => Some(answered.task.run),
        Fact::HandlersReleased { run, .. }
        | Fact::TasksSkipped { run, .. }
        | Fact::TasksCancelled { run, .. }
        | Fact::TasksUnsatisfiable { run, .. }
        | Fact::RunStopping { run, .. }
        | Fact::RunPaused { run, .. }
        | Fact::RunResumed { run }
        | Fact::RunEnded { run, .. }
        | Fact::RoundOpened { run, .. }
        | Fact::DeadlinePassed { run, .. }
        | Fact::RunForgotten { run } => Some(*run),
        Fact::RunAmended(amended) => Some(amended.run),
        Fact::Marked(marked) => Some(marked.run),
        Fact::Restored(piece) => match **piece {
            Restored::Breaker(_) | Restored::TenantSpent { .. } => None,
            Restored::Durations { .. } => None,
            Restored::Counters { .. } | Restored::Budget { .. } | Restored::End { .. } => None,
            Restored::Run { run, .. }
            | Restored::Tasks { run, .. }
            | Restored::RunSpent { run, .. } => Some(run),
            Restored::Items { task, .. } | Restored::Control { task, .. } => Some(task.run),
            Restored::Lease(LeaseImage { item, .. })
            | Restored::Preempted { item, .. }
            | Restored::Retry { item, .. } => Some(item.run),
        },
    }
}

/// The list of items that a fact names.
#[must_use]
pub fn list_of(fact: &Fact) -> Option<Digest> {
    match fact {
        Fact::TaskAnswered(answered) => match answered.answer {
            ControlAnswer::FanOut { list, .. } => Some(list),
            _ => None,
        },
        Fact::Marked(marked) => match marked.control {
            Some(ControlImage::FanOut { list, .. }) => Some(list),
            _ => None,
        },
        Fact::Restored(piece) => match **piece {
            Restored::Control { image: ControlImage::FanOut { list, .. }, .. } => Some(list),
            _ => None,
        },
        _ => None,
    }
}

/// The graph and the text that a fact gives a run in place of those that it had. Those before stay
/// needed: the history of the run goes through them.
#[must_use]
pub fn version_of(fact: &Fact) -> Option<[Digest; 2]> {
    match fact {
        Fact::RunAmended(amended) => Some([amended.graph, amended.definition]),
        _ => None,
    }
}
