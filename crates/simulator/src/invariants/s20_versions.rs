//! S20: a run's graph only grows, from the graph that it has; what has begun is as it was. Nobody
//! changes it but who was asked to, and what may be changed is.

use engine::{Amendment, Rejection};
use model::fact::AmendCause;
use model::{Fact, Graph};

use super::View;
use crate::ledger::{Fit, Ledger};

/// Holds an amendment against where the tasks of its run stand.
///
/// # Errors
/// What it changes that it may not.
pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    let Fact::RunAmended(amended) = &view.entry.fact else { return Ok(()) };
    let run = view.ledger.run(amended.run).ok_or("the run is not known")?;
    let present = run.graph.digest();
    let base = view.truth.bases.get(&amended.graph).copied();
    if amended.graph != present && base != Some(present) {
        return Err(format!("run {} is amended from a graph that it does not have", amended.run));
    }
    let settings = (amended.run, amended.graph, amended.priority, amended.concurrency);
    if amended.cause == AmendCause::Edited && !view.truth.edits.contains(&settings) {
        return Err(format!("nobody asked for run {} to be amended so", amended.run));
    }
    let graph = view.drawn.get(&amended.graph).ok_or("nobody has made the graph")?;
    match run.fit(graph) {
        Fit::Fits | Fit::Unclear => Ok(()),
        Fit::Unfit(what) => Err(format!("run {} is amended: {what}", amended.run)),
    }
}

/// Holds the refusal of an edit against where the run stands now. What may not be edited now may
/// have been so before, but never the other way round in the same round.
///
/// # Errors
/// It could have been made.
pub fn refused(
    ledger: &Ledger,
    edit: &Amendment,
    graph: &Graph,
    rejection: &Rejection,
) -> Result<(), String> {
    let Some(run) = ledger.run(edit.run).filter(|run| !run.reopened) else { return Ok(()) };
    let same = run.graph.digest() == edit.base;
    if *rejection == Rejection::Outdated && same {
        return Err(format!("an edit of run {} is called outdated and is not", edit.run));
    }
    if same && run.fit(graph) == Fit::Fits {
        return Err(format!("an edit of run {} fits and is refused: {rejection:?}", edit.run));
    }
    Ok(())
}

/// Holds the answer to somebody who was told that an edit was made.
///
/// # Errors
/// It was not.
pub fn told(ledger: &Ledger, edit: &Amendment) -> Result<(), String> {
    let Some(run) = ledger.run(edit.run) else { return Ok(()) };
    let version = (edit.graph.digest(), edit.priority, edit.concurrency);
    if run.versions.contains(&version) {
        return Ok(());
    }
    Err(format!("a client was told that run {} was edited, and it was not", edit.run))
}
