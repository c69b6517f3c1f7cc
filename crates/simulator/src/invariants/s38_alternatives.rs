//! S38: work that can be done with other amounts is given what one of them says, and the worker is
//! told of that and of no other.
//! S39: what is not critical never begins in the room that is kept for what is.

use model::message::Grant;
use model::{Fact, Graph};

use super::View;
use crate::ledger::lane::amounts;

/// What a worker is told of a lease, against the way in which the work is done.
///
/// # Errors
/// It is told of something else than that way asks for.
pub fn granted(graph: &Graph, grant: &Grant) -> Result<(), String> {
    let policy = graph.policy(grant.attempt.key.task);
    let Some((asked, _)) = policy.variants().nth(usize::from(grant.variant.0)) else {
        return Err(format!("{:?} is done in a way that it does not have", grant.attempt));
    };
    let given = &grant.request;
    let is_same = (given.cpu_milli, &given.custom, &given.devices)
        == (asked.cpu_milli, &asked.custom, &asked.devices);
    if policy.alternatives.is_empty() || is_same {
        return Ok(());
    }
    Err(format!("{:?} is given {given:?}, and asks for {asked:?}", grant.attempt))
}

pub(super) fn kept(view: &View<'_>) -> Result<(), String> {
    let Fact::AttemptsLeased { task, items, worker, variant, .. } = &view.entry.fact else {
        return Ok(());
    };
    let ledger = view.ledger;
    let policy = ledger.run(task.run).ok_or("the run is not known")?.graph.policy(task.task);
    let left = ledger.lane.left_on(*worker, &ledger.workers).filter(|_| !policy.critical);
    let way = policy.variants().nth(usize::from(variant.0));
    let (Some(left), Some((request, _))) = (left, way) else { return Ok(()) };
    let offers = &ledger.workers.get(worker).ok_or("the worker is not known")?.offers;
    let (has, taken) = (amounts(offers.cpu_milli, &offers.custom), ledger.lane.taken(*worker));
    let asked = amounts(request.cpu_milli, &request.custom);
    let more = |at: usize| asked[at] * items.len() as u64;
    let eats = |at: &usize| asked[*at] > 0 && taken[*at] + more(*at) + left[*at] > has[*at];
    match [0, 1].iter().find(|at| eats(at)) {
        None => Ok(()),
        Some(_) => Err(format!(
            "{task:?} takes {asked:?} of {worker:?}, of whose {has:?} {taken:?} are taken and \
             {left:?} kept"
        )),
    }
}
