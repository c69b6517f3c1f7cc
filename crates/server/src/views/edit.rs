//! What an edit changes of a run, setting by setting.

use engine::Amendment;
use model::policy::{Policy, RetryPolicy};
use model::shared::Deadline;
use model::{Span, TaskId, TaskStatus};
use protocol::api::{Change, EditPlan, PAGE_SIZE_MAX, Refused, Seconds, Time};
use spec::Definition;

use super::subject::Subject;
use super::words;
use crate::amend::Base;

/// What is not as it was, and what of it cannot be changed any more.
pub(crate) fn edit(
    subject: &Subject<'_>,
    base: &Base,
    (after, text): (&Amendment, &Definition),
) -> EditPlan {
    let mut plan = EditPlan { run: subject.id, ..EditPlan::default() };
    let mut changes = Changes::default();
    let priority = |priority: model::policy::Priority| priority.0.to_string();
    changes.add("priority", priority(base.priority), priority(after.priority));
    changes.add("concurrency", or_any(base.concurrency), or_any(after.concurrency));
    plan.changes.extend(changes.of(None));
    for task in base.graph.tasks() {
        let (old, new) = (base.graph.policy(task), after.graph.policy(task));
        if old == new {
            continue;
        }
        let name = subject.names.task(task);
        let changes = between(old, new);
        let is_open = changes.0.iter().all(|(key, ..)| *key == "concurrency");
        if let Some(reason) = begun(subject, task).filter(|_| !is_open) {
            plan.refused.push(Refused { task: name.clone(), reason });
        }
        plan.changes.extend(changes.of(Some(&name)));
    }
    let added = after.graph.tasks().skip(base.graph.len());
    plan.added_total = added.len() as u64;
    plan.added = added.take(PAGE_SIZE_MAX).map(|task| text.task_name(task).to_owned()).collect();
    plan
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

    fn of(self, task: Option<&str>) -> impl Iterator<Item = Change> {
        let changes = self.0.into_iter();
        changes.map(move |(key, from, to)| Change {
            task: task.map(str::to_owned),
            key: key.to_owned(),
            from,
            to,
        })
    }
}

fn between(old: &Policy, new: &Policy) -> Changes {
    let mut changes = Changes::default();
    changes.add("priority", old.priority.0.to_string(), new.priority.0.to_string());
    changes.add("concurrency", or_any(old.concurrency), or_any(new.concurrency));
    changes.add("timeout", span_or_none(old.timeout), span_or_none(new.timeout));
    changes.add("grace", span(old.grace), span(new.grace));
    changes.add("deadline", deadline(old.deadline), deadline(new.deadline));
    changes.add("resources", words::request(&old.request), words::request(&new.request));
    retry(&mut changes, &old.retry, &new.retry);
    changes.add("locks", locks(old), locks(new));
    changes.add("rate", rates(old), rates(new));
    changes
}

fn retry(changes: &mut Changes, old: &RetryPolicy, new: &RetryPolicy) {
    let number = |number: u8| number.to_string();
    changes.add("retry.limit", number(old.limit), number(new.limit));
    changes.add("retry.backoff", span(old.backoff), span(new.backoff));
    changes.add("retry.backoff_max", span(old.backoff_max), span(new.backoff_max));
    let codes = |policy: &RetryPolicy| {
        format!("only {:?}, never {:?}", policy.only_exit_codes, policy.never_exit_codes)
    };
    changes.add("retry", codes(old), codes(new));
}

fn or_any(limit: Option<u32>) -> String {
    limit.map_or_else(|| "any".to_owned(), |limit| limit.to_string())
}

fn span(span: Span) -> String {
    format!("{}s", Seconds(span).0.0 as f64 / 1e6)
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
