//! S33: nothing is leased to a worker that lacks a label which it selects, or has a taint that it
//! does not tolerate.
//! S34: items that are to be together are: as long as any of a task is leased, the next goes to a
//! worker of the same group.

use model::site::Domain;
use model::{Constraints, Fact, Site, TaskKey, WorkerId};

use super::View;

/// The fact that leases, with what was asked for.
fn leased<'a>(view: &'a View<'_>) -> Option<(TaskKey, WorkerId, &'a Constraints)> {
    let Fact::AttemptsLeased { task, worker, .. } = &view.entry.fact else { return None };
    let policy = view.ledger.run(task.run)?.graph.policy(task.task);
    Some((*task, *worker, &policy.constraints))
}

fn site<'a>(view: &'a View<'_>, worker: WorkerId) -> Option<&'a Site> {
    view.ledger.workers.get(&worker).map(|joined| &joined.offers.site)
}

pub(super) fn admitted(view: &View<'_>) -> Result<(), String> {
    let Some((task, worker, asked)) = leased(view) else { return Ok(()) };
    let site = site(view, worker).ok_or("the worker is not known")?;
    match asked.obstacle(site) {
        None => Ok(()),
        Some(obstacle) => Err(format!("{task:?} is leased to {worker:?}, which {obstacle}")),
    }
}

pub(super) fn together(view: &View<'_>) -> Result<(), String> {
    let Some((task, worker, asked)) = leased(view) else { return Ok(()) };
    let (Some(domain), Some(run)) = (&asked.together, view.ledger.run(task.run)) else {
        return Ok(());
    };
    let live = run.items_of(task.task).iter().filter(|item| item.status.is_live());
    let mut others = live.map(|item| item.worker);
    match others.find(|&other| !is_same(view, domain, (worker, other))) {
        None => Ok(()),
        Some(other) => Err(format!("{task:?} goes to {worker:?}, and is on {other:?}")),
    }
}

fn is_same(view: &View<'_>, domain: &Domain, (one, other): (WorkerId, WorkerId)) -> bool {
    match domain {
        Domain::Node => one == other,
        Domain::Label(key) => {
            let value = |worker| site(view, worker).map(|site| site.label(key));
            value(one) == value(other)
        }
    }
}
