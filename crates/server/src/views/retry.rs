//! What a retry by hand runs once more, and why.

use std::collections::{HashMap, HashSet};

use model::fact::RoundScope;
use model::policy::Trigger;
use model::{IdSet, TaskId, TaskStatus};
use protocol::api::{PAGE_SIZE_MAX, RetryPlan, RetryTask};

use super::subject::Subject;

/// What a retry would run once more; no tasks if nothing would.
pub(crate) fn retry(subject: &Subject<'_>, from: Option<TaskId>) -> RetryPlan {
    let rounds = subject.run.retry_rounds(from);
    let mut tasks = IdSet::new();
    let ranges = rounds.iter().flat_map(|(tasks, _)| tasks.ranges());
    ranges.for_each(|range| tasks.insert_range(range.clone()));
    let scope = |task: TaskId| {
        let round = rounds.iter().find(|(tasks, _)| tasks.contains(task.0));
        round.map_or(RoundScope::All, |&(_, scope)| scope)
    };
    let items = |task: TaskId| items_again(subject, task, scope(task));
    let shown: Vec<_> = tasks.iter().take(PAGE_SIZE_MAX).map(TaskId).collect();
    let follows = shown.iter().copied().filter(|&task| scope(task) == RoundScope::All).collect();
    let (why, undone) = (because(subject, &tasks, &shown), undone(subject));
    let reasons = Reasons { subject, from, follows, why, undone };
    let shown = shown.into_iter().map(|task| RetryTask {
        name: subject.names.task(task),
        items: items(task),
        reason: reasons.of(task),
    });
    RetryPlan {
        run: subject.id,
        tasks: shown.collect(),
        tasks_total: tasks.len() as u64,
        items_total: tasks.iter().map(|task| items(TaskId(task))).sum(),
    }
}

/// How many items of a task run again. One that succeeded is only among the tasks to run again
/// whole: it was undone, or goes another way now.
fn items_again(subject: &Subject<'_>, task: TaskId, scope: RoundScope) -> u64 {
    let run = subject.run;
    let Some(fan) = run.fan(task) else { return 1 };
    let tally = fan.tally();
    let is_whole = scope == RoundScope::All || run.task(task).status() == TaskStatus::Succeeded;
    let kept = if is_whole { 0 } else { tally.of(TaskStatus::Succeeded) };
    u64::from(tally.total() - kept)
}

/// The tasks whose work was undone, or begun to be.
fn undone(subject: &Subject<'_>) -> HashSet<TaskId> {
    let run = subject.run;
    let undoing = run.graph().tasks().filter_map(|task| match run.policy(task).trigger {
        Trigger::Compensation { of } => Some((task, of)),
        _ => None,
    });
    let begun = undoing.filter(|&(task, _)| run.task(task).status() != TaskStatus::Skipped);
    begun.map(|(_, of)| of).collect()
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

/// Why tasks run again.
struct Reasons<'s, 'a> {
    subject: &'s Subject<'a>,
    /// The task that was asked for.
    from: Option<TaskId>,
    /// Those that run again whole.
    follows: HashSet<TaskId>,
    /// What each follows from.
    why: HashMap<TaskId, TaskId>,
    undone: HashSet<TaskId>,
}

impl Reasons<'_, '_> {
    fn of(&self, task: TaskId) -> String {
        let (run, names) = (self.subject.run, &self.subject.names);
        let status = run.task(task).status();
        let depends = || match self.why.get(&task) {
            Some(&before) => format!("depends on {}", names.task(before)),
            None => "follows from a task that runs again".to_owned(),
        };
        match run.policy(task).trigger {
            Trigger::Compensation { of } => {
                return format!("undoes {} if the run fails again", names.task(of));
            }
            _ if run.is_handler(task) => return "runs when the run ends".to_owned(),
            _ => {}
        }
        match status {
            _ if self.from == Some(task) => "asked for".to_owned(),
            _ if self.from.is_some() && self.follows.contains(&task) => depends(),
            TaskStatus::Succeeded if self.undone.contains(&task) => "was undone".to_owned(),
            TaskStatus::Succeeded => depends(),
            TaskStatus::Skipped if self.why.contains_key(&task) => depends(),
            status => status.as_str().replace('_', " "),
        }
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

    #[test]
    fn what_was_undone_and_what_goes_another_way_runs_whole() {
        let mut stage = Stage::new(4);
        let run = stage.submit(
            "on_failure: continue\n\
             tasks:\n\
             \x20 - {name: ship, foreach: [x, y], script: 'true', compensate: {script: 'true'}}\n\
             \x20 - {name: charge, depends_on: ship, script: 'true'}\n\
             \x20 - {name: thank, depends_on: charge, script: 'true'}\n\
             \x20 - {name: note, depends_on: {thank: skipped}, script: 'true'}\n\
             \x20 - {name: tell, on: failure, script: 'true'}\n",
        );
        stage.work(2, |_| Outcome::Succeeded);
        stage.work(1, |_| FAILED);
        stage.work(9, |_| Outcome::Succeeded);
        let plan = retry(&stage.subject(run), None);
        let mut expected = [
            ("ship", 2, "was undone"),
            ("charge", 1, "failed"),
            ("thank", 1, "depends on charge"),
            ("note", 1, "depends on thank"),
            ("tell", 1, "runs when the run ends"),
            ("ship.compensate", 1, "undoes ship if the run fails again"),
        ];
        let mut seen = reasons(&plan);
        seen.sort_unstable();
        expected.sort_unstable();
        assert_eq!(seen, expected);
        assert_eq!(plan.items_total, 7);
    }
}
