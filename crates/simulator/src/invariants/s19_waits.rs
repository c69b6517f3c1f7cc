//! S19: a wait ends not early and not twice, and by what was really said or passed; nothing is
//! settled that does not wait.

use model::control::{Kind, Verdict};
use model::{Fact, TaskKey, Timestamp};

use super::View;
use crate::ledger::Ledger;
use crate::truth::Truth;

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    let Fact::TaskSettled { task: key, verdict, .. } = &view.entry.fact else { return Ok(()) };
    let run = view.ledger.run(key.run).ok_or("the run is not known")?;
    let Some(until) = run.task(key.task).waits else {
        return Err(format!("{key:?} is settled and does not wait"));
    };
    let over = until.is_some_and(|until: Timestamp| until <= view.entry.at);
    let agrees = match run.graph.policy(key.task).kind {
        Kind::Timer { .. } => *verdict == Verdict::Elapsed && over,
        Kind::Signal { otherwise, .. } => {
            *verdict == otherwise && over || was_said(view, *key, *verdict)
        }
        Kind::Work | Kind::Decision | Kind::Loop { .. } => false,
    };
    if agrees {
        return Ok(());
    }
    Err(format!("{key:?} is settled as {verdict:?} and ends at {until:?}"))
}

/// Whether somebody has ever said that to this task.
fn was_said(view: &View<'_>, key: TaskKey, verdict: Verdict) -> bool {
    view.truth.said.contains_key(&(key, verdict))
}

/// Holds the answer to somebody who was told that what they said counts.
///
/// # Errors
/// More people were told so than waits were settled.
pub fn told(truth: &mut Truth, ledger: &Ledger, key: TaskKey) -> Result<(), String> {
    let told = truth.settled.entry(key).or_default();
    *told += 1;
    let Some(run) = ledger.run(key.run) else { return Ok(()) };
    let waited = run.task(key.task).waited;
    if *told <= waited {
        return Ok(());
    }
    Err(format!("{told} people were told that they settled {key:?}, which waited {waited} times"))
}
