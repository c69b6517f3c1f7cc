//! What one version of a run has otherwise than another, setting by setting.

use model::policy::{Policy, RetryPolicy};
use model::resources::ResourceId;
use model::shared::Deadline;
use model::{Graph, Request, Span, TaskId, TaskStatus};
use protocol::api::{Change, EditPlan, PAGE_SIZE_MAX, Refused, Time};
use spec::Definition;

use super::subject::Subject;
use super::words;
use crate::amend::Settings;

/// A version of a run.
#[derive(Clone, Copy)]
pub(crate) struct Side<'a> {
    pub graph: &'a Graph,
    pub definition: &'a Definition,
    pub settings: Settings,
}

/// What differs between two versions of a run.
pub(crate) struct Difference {
    /// Settings of the run, and then those of tasks.
    pub changes: Vec<(Option<TaskId>, Change)>,
    /// The first names of tasks that only the later one has.
    pub added: Vec<String>,
    /// How many there are.
    pub added_total: u64,
}

/// What the later version has otherwise.
pub(crate) fn difference(before: &Side<'_>, after: &Side<'_>) -> Difference {
    let mut run = Changes::default();
    let (was, is) = (before.settings, after.settings);
    run.add("priority", number(was.priority.0), number(is.priority.0));
    run.add("max_parallel", or_any(was.concurrency), or_any(is.concurrency));
    run.add("cost_limit", cost(was.cost_limit_micro), cost(is.cost_limit_micro));
    let mut changes = run.of(None, "");
    for task in before.graph.tasks().take(after.graph.len()) {
        let (old, new) = (before.graph.policy(task), after.graph.policy(task));
        if old != new {
            changes.extend(between(old, new).of(Some(task), before.definition.task_name(task)));
        }
    }
    let added = after.graph.tasks().skip(before.graph.len());
    let added_total = added.len() as u64;
    let names = added.take(PAGE_SIZE_MAX).map(|task| after.definition.task_name(task).to_owned());
    Difference { changes, added: names.collect(), added_total }
}

/// What an edit changes, and what of it cannot be changed any more.
pub(crate) fn edit(subject: &Subject<'_>, before: &Side<'_>, after: &Side<'_>) -> EditPlan {
    let Difference { changes, added, added_total } = difference(before, after);
    let mut refused: Vec<Refused> = Vec::new();
    for (task, change) in &changes {
        // How many items may be leased at a time concerns those that are not.
        let Some(task) = task.filter(|_| change.key != "max_parallel") else { continue };
        let name = subject.names.task(task);
        if let Some(reason) = begun(subject, task)
            && refused.iter().all(|refused| refused.task != name)
        {
            refused.push(Refused { task: name, reason });
        }
    }
    let warnings = too_large(subject, after, &changes);
    let changes = changes.into_iter().map(|(_, change)| change).collect();
    EditPlan { run: subject.id, changes, added, added_total, refused, warnings }
}

/// The tasks that are to need more than any worker has. While there is none, nobody knows.
fn too_large(
    subject: &Subject<'_>,
    after: &Side<'_>,
    changes: &[(Option<TaskId>, Change)],
) -> Vec<String> {
    let state = subject.engine.state();
    let workers = state.workers().filter(|(_, worker)| !worker.gone);
    let offers: Vec<_> = workers.map(|(_, worker)| (&worker.capacity, &worker.devices)).collect();
    if offers.is_empty() {
        return Vec::new();
    }
    let has_room = |request: &Request| {
        offers.iter().any(|(offer, devices)| {
            let offered = |name: &str| {
                let amounts = (0..).map(ResourceId).zip(offer.iter());
                let mut named =
                    amounts.filter(|&(id, _)| state.classes().resource_name(id) == name);
                named.next().map_or(0, |(_, &amount)| amount)
            };
            request.cpu_milli <= offered("cpu")
                && request.memory_bytes <= offered("memory")
                && request.custom.iter().all(|(name, amount)| *amount <= offered(name))
                && usize::from(request.devices.count)
                    <= devices.iter().filter(|device| request.devices.means(device)).count()
        })
    };
    let changed = changes.iter().filter(|(_, change)| change.key == "resources");
    let changed = changed.filter_map(|(task, _)| *task);
    let large = changed.filter(|&task| !has_room(&after.graph.policy(task).request));
    let words = large.map(|task| {
        let need = words::request(&after.graph.policy(task).request);
        format!("no worker has room for {}, which is to need {need}", subject.names.task(task))
    });
    words.take(PAGE_SIZE_MAX).collect()
}

/// Why the settings of a task cannot change any more.
fn begun(subject: &Subject<'_>, task: TaskId) -> Option<String> {
    let seen = subject.run.task(task);
    let is_new = matches!(seen.status(), TaskStatus::Pending | TaskStatus::Ready);
    let has_begun = !is_new || seen.started_ms().is_some();
    has_begun.then(|| format!("is {}", seen.status()))
}

/// Settings that differ: which, what it was, what it is to be.
#[derive(Default)]
struct Changes(Vec<(&'static str, String, String)>);

impl Changes {
    fn add(&mut self, key: &'static str, from: String, to: String) {
        if from != to {
            self.0.push((key, from, to));
        }
    }

    fn of(self, task: Option<TaskId>, name: &str) -> Vec<(Option<TaskId>, Change)> {
        let changes = self.0.into_iter().map(|(key, from, to)| {
            (task, Change { task: task.map(|_| name.to_owned()), key: key.to_owned(), from, to })
        });
        changes.collect()
    }
}

fn between(old: &Policy, new: &Policy) -> Changes {
    let mut changes = Changes::default();
    changes.add("priority", number(old.priority.0), number(new.priority.0));
    changes.add("max_parallel", or_any(old.concurrency), or_any(new.concurrency));
    changes.add("timeout", span_or_none(old.timeout), span_or_none(new.timeout));
    changes.add("expected", span_or_none(old.expected), span_or_none(new.expected));
    changes.add("grace", span(old.grace), span(new.grace));
    changes.add("preemptible", old.preemptible.to_string(), new.preemptible.to_string());
    changes.add("restart_cost", span(old.restart_cost), span(new.restart_cost));
    changes.add("deadline", deadline(old.deadline), deadline(new.deadline));
    changes.add("resources", words::request(&old.request), words::request(&new.request));
    retry(&mut changes, &old.retry, &new.retry);
    changes.add("locks", locks(old), locks(new));
    changes.add("rate", rates(old), rates(new));
    changes
}

fn retry(changes: &mut Changes, old: &RetryPolicy, new: &RetryPolicy) {
    changes.add("retry.limit", number(old.limit), number(new.limit));
    changes.add("retry.backoff", span(old.backoff), span(new.backoff));
    changes.add("retry.backoff_max", span(old.backoff_max), span(new.backoff_max));
    let codes = |policy: &RetryPolicy| {
        format!("only {:?}, never {:?}", policy.only_exit_codes, policy.never_exit_codes)
    };
    changes.add("retry", codes(old), codes(new));
}

fn cost(limit: Option<u64>) -> String {
    limit.map_or_else(|| "none".to_owned(), words::money)
}

fn number(number: u8) -> String {
    number.to_string()
}

fn or_any(limit: Option<u32>) -> String {
    limit.map_or_else(|| "any".to_owned(), |limit| limit.to_string())
}

/// In seconds, with the decimals that it has.
fn span(span: Span) -> String {
    let text = format!("{}.{:06}", span.0 / 1_000_000, span.0 % 1_000_000);
    format!("{}s", text.trim_end_matches('0').trim_end_matches('.'))
}

fn span_or_none(limit: Option<Span>) -> String {
    limit.map_or_else(|| "none".to_owned(), span)
}

fn deadline(deadline: Option<Deadline>) -> String {
    match deadline {
        None => "none".to_owned(),
        Some(Deadline::After(after)) => span(after),
        Some(Deadline::At(at)) => Time(at).to_string(),
    }
}

fn locks(policy: &Policy) -> String {
    let locks = policy.shared.locks.iter().map(|lock| lock.name.to_string());
    locks.collect::<Vec<_>>().join(", ")
}

fn rates(policy: &Policy) -> String {
    let budgets = policy.shared.budgets.iter();
    let rates = budgets.map(|spent| format!("{} {}", spent.name, spent.amount));
    rates.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use model::policy::Priority;

    use super::*;

    #[test]
    fn settings_are_told_as_people_write_them() {
        let old = Policy::default();
        let mut new = Policy { priority: Priority(80), ..old.clone() };
        new.timeout = Some(Span::millis(1_500));
        new.request.memory_bytes = 8 << 30;
        let told = between(&old, &new).of(Some(TaskId(0)), "train");
        let told: Vec<String> = told
            .into_iter()
            .map(|(_, Change { key, from, to, .. })| format!("{key}: {from} -> {to}"))
            .collect();
        assert_eq!(
            told,
            [
                "priority: 50 -> 80",
                "timeout: none -> 1.5s",
                "resources: 1 CPU -> 1 CPU, 8 GiB memory"
            ]
        );
    }
}
