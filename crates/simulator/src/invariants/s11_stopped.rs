//! S11: after an acknowledged stop nothing new of the run is given to a worker, except handlers;
//! after a termination not even those.

use model::Fact;
use model::fact::StopCause;

use super::View;

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    let Fact::AttemptsLeased { task, .. } = &view.entry.fact else { return Ok(()) };
    let Some(&(cause, since)) = view.truth.stopped.get(&task.run) else { return Ok(()) };
    let run = view.ledger.run(task.run).ok_or("the run is not known")?;
    let spared = run.is_handler(task.task) && cause != StopCause::Terminated;
    if spared || view.entry.seq <= since {
        return Ok(());
    }
    Err(format!("{task:?} is leased after {cause:?} was acknowledged"))
}
