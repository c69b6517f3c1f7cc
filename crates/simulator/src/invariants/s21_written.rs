//! S21: what an attempt wrote is admitted just before its end, or not at all, and once; and it is
//! refused only if it does not fit.

use model::fact::AmendCause;
use model::message::LeaseId;
use model::outcome::Failure;
use model::{Digest, Fact, ItemKey, Outcome};

use super::View;
use crate::ledger::Fit;
use crate::truth::Process;

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    if let Some(key) = view.ledger.wrote {
        let follows = matches!(&view.entry.fact, Fact::AttemptsEnded(ended)
            if ended.outcome == Outcome::Succeeded
                && ended.ends.iter().any(|&(item, _)| ended.task.item(item) == key));
        if !follows {
            return Err(format!("the tasks of {key:?} are admitted, its end does not follow"));
        }
    }
    match &view.entry.fact {
        Fact::RunAmended(amended) => {
            let AmendCause::Generated { task, item } = amended.cause else { return Ok(()) };
            admitted(view, ItemKey { run: amended.run, task, item }, amended.graph)
        }
        Fact::AttemptsEnded(ended) => ended.ends.iter().try_for_each(|&(item, _)| {
            let key = ended.task.item(item);
            ended_so(view, key, ended.outcome).map_err(|what| format!("{key:?}: {what}"))
        }),
        _ => Ok(()),
    }
}

/// The process of the live attempt of an item, and what the server of this term has said of what
/// it wrote.
fn written(view: &View<'_>, key: ItemKey) -> (Option<Process>, Option<(Digest, Digest)>) {
    let token = view.ledger.item(key).map(|item| item.token).unwrap_or_default();
    let lease = LeaseId { item: key, token };
    let said = view.truth.written.get(&(lease, view.entry.epoch)).copied().flatten();
    (view.truth.processes.get(&lease).copied(), said)
}

fn admitted(view: &View<'_>, key: ItemKey, graph: Digest) -> Result<(), String> {
    let (process, said) = written(view, key);
    let well = |process: &Process| {
        process.writes && process.ended.is_some_and(|(_, end)| end == Outcome::Succeeded)
    };
    if !process.is_some_and(|process| well(&process)) {
        return Err(format!("tasks of {key:?} are admitted, which did not write any"));
    }
    if said.map(|(_, made)| made) != Some(graph) {
        return Err(format!("what is admitted for {key:?} is not what it wrote"));
    }
    Ok(())
}

fn ended_so(view: &View<'_>, key: ItemKey, recorded: Outcome) -> Result<(), String> {
    let run = view.ledger.run(key.run).ok_or("the run is not known")?;
    let (process, said) = written(view, key);
    let writes = process.is_some_and(|process| process.writes);
    match recorded {
        Outcome::Succeeded if writes && view.ledger.wrote != Some(key) => {
            // Nothing is amended when nothing would change.
            let there = said.is_some_and(|(base, made)| base == made && made == run.graph.digest());
            if there { Ok(()) } else { Err("it succeeded, what it wrote is nowhere".to_owned()) }
        }
        Outcome::Failed(Failure::Tasks) if !writes => Err("it wrote nothing to refuse".to_owned()),
        Outcome::Failed(Failure::Tasks) => {
            let Some((base, made)) = said else { return Ok(()) };
            let graph = view.drawn.get(&made).ok_or("nobody has made the graph")?;
            let fits = base == run.graph.digest() && run.fit(graph) == Fit::Fits;
            if fits { Err("what it wrote fits and is refused".to_owned()) } else { Ok(()) }
        }
        _ => Ok(()),
    }
}
