//! What a retry by hand runs once more, and why.

use std::collections::HashMap;

use model::fact::RoundScope;
use model::{IdSet, TaskId, TaskStatus};
use protocol::api::{PAGE_SIZE_MAX, RetryPlan, RetryTask};

use super::subject::Subject;

/// What a retry would run once more; no tasks if nothing would.
pub(crate) fn retry(subject: &Subject<'_>, from: Option<TaskId>) -> RetryPlan {
    let (tasks, scope) = subject.run.retry_scope(from);
    let items = |task: TaskId| items_again(subject, task, scope);
    let shown: Vec<_> = tasks.iter().take(PAGE_SIZE_MAX).map(TaskId).collect();
    let why = because(subject, &tasks, &shown);
    let shown = shown.into_iter().map(|task| RetryTask {
        name: subject.names.task(task),
        items: items(task),
        reason: reason(subject, task, from, &why),
    });
    RetryPlan {
        run: subject.id,
        tasks: shown.collect(),
        tasks_total: tasks.len() as u64,
        items_total: tasks.iter().map(|task| items(TaskId(task))).sum(),
    }
}

/// How many items of a task run again.
fn items_again(subject: &Subject<'_>, task: TaskId, scope: RoundScope) -> u64 {
    let run = subject.run;
    let kept = |succeeded: u32| if scope == RoundScope::All { 0 } else { succeeded };
    match run.fan(task) {
        Some(fan) => {
            let tally = fan.tally();
            u64::from(tally.total() - kept(tally.of(TaskStatus::Succeeded)))
        }
        None => 1 - u64::from(kept(u32::from(run.task(task).status() == TaskStatus::Succeeded))),
    }
}

/// For each of the tasks that are shown, the first of the set that it depends on. One pass over the
/// edges of the set.
fn because(subject: &Subject<'_>, tasks: &IdSet, shown: &[TaskId]) -> HashMap<TaskId, TaskId> {
    let last = shown.last().copied();
    let mut why = HashMap::new();
    for task in tasks.iter().map(TaskId) {
        let after = subject.run.graph().successors(task);
        for next in after.filter(|&next| Some(next) <= last) {
            why.entry(next).or_insert(task);
        }
    }
    why
}

fn reason(
    subject: &Subject<'_>,
    task: TaskId,
    from: Option<TaskId>,
    why: &HashMap<TaskId, TaskId>,
) -> String {
    let status = subject.run.task(task).status();
    if subject.run.is_handler(task) {
        return "runs when the run ends".to_owned();
    }
    match why.get(&task) {
        _ if from == Some(task) => "asked for".to_owned(),
        Some(&before) if from.is_some() || status == TaskStatus::Skipped => {
            format!("depends on {}", subject.names.task(before))
        }
        _ => status.as_str().replace('_', " "),
    }
}

#[cfg(test)]
mod tests {
    use model::outcome::Outcome;

    use super::super::tests::{DIAMOND, FAILED, Stage, flow};
    use super::*;

    fn reasons(plan: &RetryPlan) -> Vec<(&str, u64, &str)> {
        let tasks = plan.tasks.iter();
        tasks.map(|task| (task.name.as_str(), task.items, task.reason.as_str())).collect()
    }

    #[test]
    fn a_retry_runs_what_did_not_succeed_and_says_why() {
        let mut stage = Stage::new(4);
        let run = stage.submit(&flow(
            "on_failure: continue",
            &["fine", "wide, foreach: [x, y, z]", "end, depends_on: [wide]"],
        ));
        stage.work(9, |item| if item == 1 { FAILED } else { Outcome::Succeeded });
        let plan = retry(&stage.subject(run), None);
        assert_eq!(reasons(&plan), [("wide", 1, "failed"), ("end", 1, "depends on wide")]);
        assert_eq!((plan.tasks_total, plan.items_total), (2, 2));
    }

    #[test]
    fn from_a_task_on_all_that_follows_runs_whole() {
        let mut stage = Stage::new(4);
        let run = stage.submit(DIAMOND);
        stage.work(9, |_| Outcome::Succeeded);
        assert_eq!(retry(&stage.subject(run), None).tasks_total, 0);
        let subject = stage.subject(run);
        let plan = retry(&subject, subject.names.find("left"));
        assert_eq!(reasons(&plan), [("left", 1, "asked for"), ("join", 1, "depends on left")]);
    }
}
