//! Runs in short, and the list of them.

use engine::state::{Run, Tally};
use model::RunId;
use model::outcome::Totals;
use protocol::api::{Counts, Money, RunSummary, RunsQuery, Seconds, Spent, TenantSpent, Time};

use super::page::Page;
use super::subject::Subject;
use super::words;
use crate::handle::View;

/// What memory has of a page of runs.
pub(crate) struct Listed {
    /// The first runs of the page and one more, newest first.
    pub runs: Vec<RunSummary>,
    /// The runs in memory that fit on the page or would if they fitted the query, in order: there
    /// is nothing to look up of them elsewhere.
    pub in_memory: Vec<RunId>,
}

/// The runs in memory for a page, newest first.
pub(crate) fn list(view: &View<'_>, query: &RunsQuery, page: Page) -> Listed {
    let from = RunId(page.from.unwrap_or(u64::MAX));
    let labels: Vec<_> = query.wanted_labels().collect();
    let wanted = |run: &Run| {
        query.status.is_none_or(|status| run.status() == status)
            && query.name.as_deref().is_none_or(|name| *run.admitted().name == *name)
            && has_labels(view, run, &labels)
    };
    let (mut runs, mut in_memory) = (Vec::new(), Vec::new());
    for (id, run) in view.engine.state().runs().rev().filter(|&(id, _)| id <= from) {
        in_memory.push(id);
        if wanted(run) {
            runs.extend(Subject::of(view, id).map(|subject| summary(&subject)));
        }
        if runs.len() > page.limit {
            break;
        }
    }
    in_memory.reverse();
    Listed { runs, in_memory }
}

/// Whether a run has all of these labels.
fn has_labels(view: &View<'_>, run: &Run, wanted: &[(&str, Option<&str>)]) -> bool {
    if wanted.is_empty() {
        return true;
    }
    let definition = view.shelf.definition(&run.admitted().definition);
    definition.is_some_and(|definition| {
        let known = definition.labels();
        let has = |&(key, value): &(&str, Option<&str>)| {
            known.get(key).is_some_and(|known| value.is_none_or(|value| known == value))
        };
        wanted.iter().all(has)
    })
}

/// A run in short.
pub(crate) fn summary(subject: &Subject<'_>) -> RunSummary {
    let run = subject.run;
    RunSummary {
        run: subject.id,
        name: run.admitted().name.as_ref().to_owned(),
        status: run.status(),
        cause: run.cause().map(|cause| words::cause(cause).to_owned()),
        paused: run.paused().map(|cause| words::pause(cause).to_owned()),
        path: subject.names.path(),
        created: Time(run.admitted_at()),
        ended: run.ended_at().map(Time),
        duration_seconds: Seconds(subject.until().since(run.admitted_at())),
        again_seconds: (run.opened_at() > run.admitted_at())
            .then(|| Seconds(subject.until().since(run.opened_at()))),
        tasks: tasks(run),
        items: counts(run.items()),
        round: rounds(run),
        spent: (run.spent() != Totals::default()).then(|| spent(run.spent())),
        cost_limit: run.admitted().cost_limit_micro.map(Money),
        labels: subject.names.labels(),
        environment: subject.names.environment().map(|environment| environment.name.clone()),
        queue: run.admitted().queue.as_ref().to_owned(),
    }
}

/// What was spent as it is sent.
pub(crate) const fn spent(totals: Totals) -> Spent {
    Spent {
        requests: totals.requests,
        tokens_in: totals.tokens_in,
        tokens_out: totals.tokens_out,
        cost: Money(totals.cost_micro),
    }
}

/// What the runs of each tenant spent.
pub(crate) fn tenants(view: &View<'_>) -> Vec<TenantSpent> {
    let tenants = view.engine.state().spent();
    tenants
        .map(|(tenant, totals)| TenantSpent { tenant: tenant.to_owned(), spent: spent(totals) })
        .collect()
}

/// A tally as it is sent.
pub(crate) fn counts(tally: &Tally) -> Counts {
    tally.iter().map(|(status, count)| (status, u64::from(count))).collect()
}

/// The tasks of a run by status. Kept are the counts of items, which differ from those of tasks by
/// the fan-outs alone, so only these are looked at.
pub(crate) fn tasks(run: &Run) -> Counts {
    let mut tasks = counts(run.items());
    for (task, fan) in run.fans() {
        for (status, count) in fan.tally().iter() {
            tasks[status] -= u64::from(count);
        }
        tasks[run.task(task).status()] += 1;
    }
    tasks
}

/// The greatest number of rounds that a task of the run has had after its first.
fn rounds(run: &Run) -> u16 {
    run.graph().tasks().map(|task| run.task(task).round().0).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use model::outcome::Outcome;
    use model::{RunStatus, TaskStatus};

    use super::super::tests::{DIAMOND, FAILED, Stage, flow};
    use super::*;

    #[test]
    fn tasks_are_counted_apart_from_items() {
        let mut stage = Stage::new(2);
        let run = stage.submit(&flow(
            "name: wide",
            &["a", "b, foreach: {range: 5}, depends_on: [a]", "none, foreach: []"],
        ));
        let seen = summary(&stage.subject(run));
        assert_eq!((seen.tasks.total(), seen.items.total()), (3, 6));
        assert_eq!(seen.tasks[TaskStatus::Succeeded], 1, "the fan-out without items");
        stage.work(1, |_| Outcome::Succeeded);
        let seen = summary(&stage.subject(run));
        assert_eq!(seen.items[TaskStatus::Succeeded], 1);
        assert_eq!(seen.tasks[TaskStatus::Succeeded], 2);
        assert_eq!(seen.tasks.total(), 3);
    }

    #[test]
    fn a_failed_run_says_why() {
        let mut stage = Stage::new(1);
        let run = stage.submit(DIAMOND);
        stage.work(9, |_| FAILED);
        let seen = summary(&stage.subject(run));
        assert_eq!((seen.status, seen.cause.as_deref()), (RunStatus::Failed, Some("task failed")));
        assert!(seen.ended.is_some());
        assert_eq!(seen.round, 0);
        stage.retry(run, None);
        let again = summary(&stage.subject(run));
        assert_eq!(again.round, 1);
        assert!(again.again_seconds < Some(again.duration_seconds), "it counts from the retry");
        assert_eq!(seen.again_seconds, None);
    }

    #[test]
    fn the_newest_comes_first_and_pages_fit() {
        let mut stage = Stage::new(1);
        let runs: Vec<_> = (0..5).map(|_| stage.submit(DIAMOND)).collect();
        stage.stop(runs[1]);
        let list = |query: &RunsQuery| {
            let page = Page::new(query.limit, query.cursor.as_deref()).expect("a page");
            stage.view(|view| list(view, query, page))
        };
        let first = list(&RunsQuery { limit: Some(2), ..RunsQuery::default() });
        let ids = |list: &Listed| list.runs.iter().map(|run| run.run.0).collect::<Vec<_>>();
        assert_eq!(ids(&first), [5, 4, 3], "one more than the page, which begins the next");
        assert_eq!(first.in_memory, [RunId(3), RunId(4), RunId(5)]);
        let second = Some("3".to_owned());
        let second = list(&RunsQuery { limit: Some(2), cursor: second, ..RunsQuery::default() });
        assert_eq!(ids(&second), [3, 2, 1]);
        let unknown = list(&RunsQuery { name: Some("other".to_owned()), ..RunsQuery::default() });
        assert_eq!((unknown.runs.len(), unknown.in_memory.len()), (0, 5));
        let running = RunsQuery { status: Some(RunStatus::Running), ..RunsQuery::default() };
        assert_eq!(list(&running).runs.len(), 4);
    }
}
