//! A page of the items of a task. A task without a fan-out has one.

use engine::state::{Item, Run};
use model::{ItemId, ItemKey, Outcome, TaskId, TaskStatus};
use protocol::api::{ItemList, ItemSummary, Seconds, Time};

use super::page::Page;
use super::subject::Subject;
use super::words;

/// A page of the items of a task, in order.
pub(crate) fn items(
    subject: &Subject<'_>,
    task: TaskId,
    status: Option<TaskStatus>,
    page: Page,
) -> ItemList {
    let first = page.from.and_then(|from| u32::try_from(from).ok());
    let first = first.unwrap_or(if page.from.is_some() { u32::MAX } else { 0 });
    let found = all(subject.run, task)
        .skip(first as usize)
        .filter(|(_, item)| status.is_none_or(|status| item.status() == status));
    let (shown, next) = page.cut(found, |(number, _)| u64::from(*number));
    let items = shown.into_iter().map(|(number, item)| summary(subject, task, (number, item)));
    ItemList { items: items.collect(), next, ..ItemList::default() }
}

/// All items of a task with their numbers.
fn all(run: &Run, task: TaskId) -> Box<dyn Iterator<Item = (u32, Item)> + '_> {
    match run.fan(task) {
        Some(fan) => Box::new((0..).zip(fan.items().iter().copied())),
        None => Box::new(std::iter::once((0, run.task(task).item()))),
    }
}

fn summary(subject: &Subject<'_>, task: TaskId, (number, item): (u32, Item)) -> ItemSummary {
    let key = subject.key(task).item(ItemId(number));
    let lease = subject.engine.state().lease(key);
    let running = lease.and_then(|lease| lease.started_at);
    let preempted = subject.run.preempted(task, ItemId(number));
    ItemSummary {
        item: number,
        value: subject.names.item(task, ItemId(number)),
        status: item.status(),
        attempts: u64::from(item.attempts().0),
        losses: u64::from(item.losses()),
        checkpointed: lease.and_then(|lease| lease.saved_at).map(Time),
        preempted: u64::from(preempted.count),
        lost_seconds: (preempted.count > 0).then_some(Seconds(preempted.lost)),
        duration_seconds: running.map(|started| Seconds(subject.now.since(started))),
        trouble: trouble(subject.run, task, item),
        reason: None,
        outputs: None,
    }
}

/// The items of a list that have ended with outputs: those that succeeded, and what somebody said.
pub(crate) fn with_outputs(subject: &Subject<'_>, task: TaskId, list: &ItemList) -> Vec<ItemKey> {
    let is_awaited = subject.names.awaited(task).is_some();
    let has = |item: &&ItemSummary| match item.status {
        TaskStatus::Succeeded => true,
        status => is_awaited && status.is_final(),
    };
    let key = |item: &ItemSummary| subject.key(task).item(ItemId(item.item));
    list.items.iter().filter(has).map(key).collect()
}

/// What is known of the last bad end. Of an item of a fan-out only its status is, unless all that
/// went wrong with the task went wrong with this item.
fn trouble(run: &Run, task: TaskId, item: Item) -> Option<String> {
    let is_only = run.fan(task).is_none_or(|fan| fan.items().len() == 1);
    match item.status() {
        _ if is_only => run.task(task).trouble().and_then(words::trouble),
        TaskStatus::TimedOut => words::trouble(Outcome::TimedOut),
        TaskStatus::Failed if item.failures() == 0 && item.losses() > 0 => {
            words::trouble(Outcome::Lost)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{FAILED, Stage, flow};
    use super::*;

    #[test]
    fn items_show_their_values_in_pages() {
        let mut stage = Stage::new(1);
        let run = stage.submit(&flow("", &["wide, foreach: [x, y, z]"]));
        stage.work(1, |_| FAILED);
        let subject = stage.subject(run);
        let first = items(&subject, TaskId(0), None, Page::new(Some(2), None).expect("a page"));
        let values: Vec<_> = first.items.iter().map(|item| item.value.clone()).collect();
        assert_eq!(values, [Some(json!("x")), Some(json!("y"))]);
        assert_eq!(first.next.as_deref(), Some("2"));
        let past = Page::new(None, Some("99999999999")).expect("a page");
        assert_eq!(items(&subject, TaskId(0), None, past), ItemList::default());
        let failed = Some(TaskStatus::Failed);
        let found = items(&subject, TaskId(0), failed, Page::new(None, None).expect("a page"));
        assert_eq!((found.items.len(), found.items[0].item), (1, 0));
    }

    #[test]
    fn a_plain_task_is_one_item() {
        let mut stage = Stage::new(1);
        let run = stage.submit(&flow("", &["a"]));
        stage.work(1, |_| FAILED);
        let subject = stage.subject(run);
        let list = items(&subject, TaskId(0), None, Page::new(None, None).expect("a page"));
        assert_eq!(list.items.len(), 1);
        assert_eq!(list.items[0].value, None);
        assert_eq!(list.items[0].trouble.as_deref(), Some("exit 1"));
    }
}
