//! A run with a page of its tasks.

use std::cmp::Reverse;
use std::collections::HashSet;

use model::{Graph, Span, TaskId, TaskStatus};
use protocol::api::{Counts, RunDetail, RunEnvironment, Seconds, TaskSummary, Time};
use spec::EnvironmentSnapshot;

use super::page::Page;
use super::runs::{counts, summary};
use super::subject::Subject;
use super::words;

/// A run with a page of its tasks, in the order of the file.
pub(crate) fn detail(subject: &Subject<'_>, status: Option<TaskStatus>, page: Page) -> RunDetail {
    let run = subject.run;
    let from = page.from.unwrap_or(0);
    let wanted = |task: &TaskId| {
        u64::from(task.0) >= from && status.is_none_or(|status| run.task(*task).status() == status)
    };
    let (shown, next) = page.cut(run.graph().tasks().filter(wanted), |task| u64::from(task.0));
    let critical = critical(run.graph(), &shown);
    let tasks = shown.into_iter().map(|task| self::task(subject, task, critical.contains(&task)));
    RunDetail {
        run: summary(subject),
        params: subject.names.params(),
        environment: subject.names.environment().map(environment),
        forked_from: None,
        tasks: tasks.collect(),
        next,
    }
}

/// An environment as it is sent.
pub fn environment(snapshot: &EnvironmentSnapshot) -> RunEnvironment {
    RunEnvironment {
        name: snapshot.name.clone(),
        description: snapshot.description.clone(),
        queue: snapshot.queue.clone(),
        env: snapshot.env.clone(),
        params: snapshot.params.iter().map(|(name, it)| (name.clone(), it.clone())).collect(),
        secrets: snapshot.secrets.clone(),
        max_parallel: snapshot.max_parallel,
        timeout_seconds: snapshot.timeout_us.map(|timeout| Seconds(Span(timeout))),
    }
}

fn task(subject: &Subject<'_>, id: TaskId, critical: bool) -> TaskSummary {
    let (run, task) = (subject.run, subject.run.task(id));
    let fan = run.fan(id);
    let (attempts, losses) = match fan {
        None => (u64::from(task.item().attempts().0), u64::from(task.item().losses())),
        Some(fan) => fan.items().iter().fold((0, 0), |(attempts, losses), item| {
            (attempts + u64::from(item.attempts().0), losses + u64::from(item.losses()))
        }),
    };
    let at = |ms: u32| run.admitted_at() + Span::millis(u64::from(ms));
    let started = task.started_ms().map(at);
    let ended = task.ended_ms().map(at);
    let until = ended.unwrap_or(subject.now);
    TaskSummary {
        id: id.0,
        name: subject.names.task(id),
        status: task.status(),
        labels: subject.names.task_labels(id),
        round: task.round().0,
        fan_out: fan.is_some(),
        items: fan
            .map_or_else(|| Counts::from_iter([(task.status(), 1)]), |fan| counts(fan.tally())),
        attempts,
        losses,
        preempted: run.preempted_of(id),
        started: started.map(Time),
        ended: ended.map(Time),
        duration_seconds: started.map(|started| Seconds(until.since(started))),
        trouble: task.trouble().and_then(words::trouble),
        reason: None,
        note: None,
        written_by: subject.names.writer(id).map(|writer| subject.names.task(writer)),
        critical,
    }
}

/// Which of the tasks that are shown, ascending, lie on a longest path with every duration one; on
/// the first by number where several are as long. None where no task depends on another.
fn critical(graph: &Graph, shown: &[TaskId]) -> HashSet<TaskId> {
    let mut critical = HashSet::new();
    let (Some(first), Some(last)) = (shown.first(), shown.last()) else { return critical };
    let start = graph.tasks().min_by_key(|&task| Reverse(graph.rank(task)));
    let mut next = start.filter(|&task| graph.rank(task) > 1);
    while let Some(task) = next {
        if (first..=last).contains(&&task) && shown.binary_search(&task).is_ok() {
            critical.insert(task);
        }
        next = graph.successors(task).find(|&after| graph.rank(after) + 1 == graph.rank(task));
    }
    critical
}

#[cfg(test)]
mod tests {
    use model::outcome::Outcome;

    use super::super::tests::{DIAMOND, FAILED, Stage, flow};
    use super::*;

    fn all(stage: &Stage, run: model::RunId) -> RunDetail {
        detail(&stage.subject(run), None, Page::new(None, None).expect("a page"))
    }

    #[test]
    fn the_longest_path_is_marked() {
        let mut stage = Stage::new(1);
        let run = stage.submit(&flow(
            "",
            &["x", "a", "b, depends_on: [a]", "c, depends_on: [b]", "d, depends_on: [a]"],
        ));
        let tasks = all(&stage, run).tasks;
        let critical: Vec<_> =
            tasks.iter().filter(|task| task.critical).map(|task| task.name.as_str()).collect();
        assert_eq!(critical, ["a", "b", "c"]);
        let flat = stage.submit(&flow("", &["x"]));
        assert!(all(&stage, flat).tasks.iter().all(|task| !task.critical));
    }

    #[test]
    fn tasks_come_in_pages_and_by_status() {
        let mut stage = Stage::new(1);
        let run = stage.submit(DIAMOND);
        stage.work(1, |_| Outcome::Succeeded);
        let subject = stage.subject(run);
        let first = detail(&subject, None, Page::new(Some(3), None).expect("a page"));
        assert_eq!((first.tasks.len(), first.next.as_deref()), (3, Some("3")));
        let rest = detail(&subject, None, Page::new(Some(3), Some("3")).expect("a page"));
        assert_eq!((rest.tasks.len(), rest.next), (1, None));
        let pending = Some(TaskStatus::Pending);
        let waiting = detail(&subject, pending, Page::new(None, None).expect("a page"));
        assert_eq!(waiting.tasks.len(), 1);
        assert_eq!(waiting.tasks[0].name, "join");
    }

    #[test]
    fn a_task_tells_its_times_tries_and_trouble() {
        let mut stage = Stage::new(4);
        let run = stage.submit(&flow("", &["wide, foreach: [x, y, z]"]));
        stage.work(3, |item| if item == 1 { FAILED } else { Outcome::Succeeded });
        let task = &all(&stage, run).tasks[0];
        assert_eq!((task.attempts, task.fan_out, task.status), (3, true, TaskStatus::Failed));
        assert_eq!(task.trouble.as_deref(), Some("exit 1"));
        assert_eq!(task.items[TaskStatus::Failed], 1);
        assert!(task.started < task.ended);
        assert!(task.duration_seconds > Some(Seconds(Span::ZERO)));
    }
}
