//! S16: a question is asked once a term, answered once a round, and what is recorded is what the
//! evaluator of that very term has said.

use model::control::{ControlAnswer, Kind};
use model::{Epoch, Fact, Round, TaskKey};

use super::View;
use crate::truth::Truth;

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    let Fact::TaskAnswered(answered) = &view.entry.fact else { return Ok(()) };
    let key = answered.task;
    let run = view.ledger.run(key.run).ok_or("the run is not known")?;
    let task = run.task(key.task);
    if !task.asks {
        return Err(format!("{key:?} is answered and does not ask; last: {:?}", task.answer));
    }
    if !fits(run.graph.policy(key.task).kind, answered.answer) {
        return Err(format!("{key:?} cannot be answered with {:?}", answered.answer));
    }
    let said = view.truth.given.get(&(key, task.round, view.entry.epoch));
    if said == Some(&answered.answer) {
        return Ok(());
    }
    Err(format!("{key:?} is answered with {:?}, in this term was said {said:?}", answered.answer))
}

fn fits(kind: Kind, answer: ControlAnswer) -> bool {
    use ControlAnswer::{Again, Begin, Cached, Done, FanOut, Invalid, Route, Skip, Until};
    match kind {
        Kind::Decision => matches!(answer, Route(_) | Invalid),
        Kind::Loop { .. } => matches!(answer, Done | Again | Invalid),
        Kind::Timer { .. } => matches!(answer, Begin | Skip | Until(_) | Cached | Invalid),
        Kind::Signal { .. } => matches!(answer, Begin | Skip | Cached | Invalid),
        Kind::Work => matches!(answer, Begin | Skip | FanOut { .. } | Cached | Invalid),
    }
}

/// Notes what an evaluator says to a question.
///
/// # Errors
/// It has been asked before in this term.
pub fn asked(
    truth: &mut Truth,
    (task, round): (TaskKey, Round),
    term: Epoch,
    answer: ControlAnswer,
) -> Result<(), String> {
    match truth.given.insert((task, round, term), answer) {
        Some(_) => Err(format!("{task:?} asks twice in {round:?} of {term:?}")),
        None => Ok(()),
    }
}
