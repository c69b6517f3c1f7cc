//! The durable facts of a run in words.

use std::collections::BTreeSet;
use std::ops::Range;

use journal::Entry;
use model::control::{ControlAnswer, Verdict};
use model::fact::{
    AmendCause, AttemptsEnded, Fact, MarkCause, Marked, PauseCause, RoundScope, TaskAnswered,
};
use model::outcome::{Outcome, Then};
use model::{IdSet, ItemId, RunId, RunStatus, TaskId, TaskStatus};
use protocol::api::{Event, Time};

use super::names::Names;
use super::words::{cause, decided, plural, trouble};
use crate::submission::digest;

/// What a fact means for a run; `None` if it is about something else.
pub(crate) fn event(entry: &Entry, run: RunId, names: &Names) -> Option<Event> {
    let said = say(&entry.fact, run, names)?;
    Some(Event {
        seq: entry.seq.0,
        time: Time(entry.at),
        kind: said.kind.to_owned(),
        task: said.task.map(|task| names.task(task)),
        count: said.count,
        status: said.status.map(str::to_owned),
        rule: said.rule,
        text: said.text,
    })
}

/// That a task was skipped, which follows from a fact that does not say so.
pub(crate) fn skipped(entry: &Entry, (task, why): (TaskId, String), names: &Names) -> Event {
    let name = names.task(task);
    Event {
        seq: entry.seq.0,
        time: Time(entry.at),
        kind: "tasks_skipped".to_owned(),
        text: format!("{name} skipped: {why}"),
        task: Some(name),
        count: Some(1),
        status: Some(TaskStatus::Skipped.as_str().to_owned()),
        rule: None,
    }
}

/// A fact in words.
#[derive(Default)]
struct Said {
    kind: &'static str,
    task: Option<TaskId>,
    count: Option<u64>,
    status: Option<&'static str>,
    rule: Option<u32>,
    text: String,
}

impl Said {
    fn of_task(kind: &'static str, task: TaskId, count: usize, status: TaskStatus) -> Self {
        let status = Some(status.as_str());
        Self { kind, task: Some(task), count: Some(count as u64), status, ..Self::default() }
    }

    fn of_tasks(kind: &'static str, tasks: &IdSet, status: TaskStatus) -> Self {
        let only = tasks.iter().next().filter(|_| tasks.len() == 1).map(TaskId);
        let count = Some(tasks.len() as u64);
        Self { kind, task: only, count, status: Some(status.as_str()), ..Self::default() }
    }

    fn of_run(kind: &'static str, status: RunStatus, text: String) -> Self {
        Self { kind, status: Some(status.as_str()), text, ..Self::default() }
    }

    fn text(self, text: String) -> Self {
        Self { text, ..self }
    }
}

fn say(fact: &Fact, run: RunId, names: &Names) -> Option<Said> {
    match fact {
        Fact::RunAdmitted(admitted) if admitted.run == run => {
            let text = format!("run {run} of {} was accepted", admitted.name);
            Some(Said::of_run("run_admitted", RunStatus::Running, text))
        }
        Fact::RunStopping { run: id, cause: why } if *id == run => {
            let text = format!("the run is being stopped: {}", cause(*why));
            Some(Said::of_run("run_stopping", RunStatus::Stopping, text))
        }
        Fact::RunPaused { run: id, cause } if *id == run => {
            let why = match cause {
                PauseCause::Asked => "somebody asked for it",
                PauseCause::CostLimit => "its attempts have cost as much as they may",
            };
            Some(Said::of_run("run_paused", RunStatus::Paused, format!("the run is paused: {why}")))
        }
        Fact::RunResumed { run: id } if *id == run => {
            Some(Said::of_run("run_resumed", RunStatus::Running, "the run goes on".to_owned()))
        }
        Fact::RunEnded { run: id, status } if *id == run => {
            Some(Said::of_run("run_ended", *status, format!("the run has ended: {status}")))
        }
        Fact::RunForgotten { run: id } if *id == run => {
            let text = "the run was moved to the archive".to_owned();
            Some(Said { kind: "run_forgotten", text, ..Said::default() })
        }
        Fact::RunAmended(amended) if amended.run == run => Some(amendment(amended.cause, names)),
        _ => of_attempts(fact, run, names).or_else(|| of_tasks(fact, run, names)),
    }
}

/// What has changed stands in the versions, which are not looked at here.
fn amendment(cause: AmendCause, names: &Names) -> Said {
    let kind = "run_amended";
    match cause {
        AmendCause::Edited => {
            Said { kind, text: "the run was edited".to_owned(), ..Said::default() }
        }
        AmendCause::Generated { task, item } => {
            let name = names.task(task);
            let item = names.has_item(task, item).then_some(item);
            let written = names.written_by(task, item);
            let who = item.map_or_else(|| name.clone(), |item| format!("{name}[{item}]"));
            let tasks = plural(written.len() as u64, "task");
            let some = names.some(written.iter().copied(), written.len());
            let text = format!("{who} wrote {tasks}: {some}");
            let count = Some(written.len() as u64);
            Said { kind, task: Some(task), count, text, ..Said::default() }
        }
    }
}

fn marked(mark: &Marked, names: &Names) -> Said {
    let what = match (&mark.items, mark.tasks.iter().next()) {
        (Some(items), Some(task)) => some_items(names, TaskId(task), items),
        _ => names.some(mark.tasks.iter().map(TaskId), mark.tasks.len()),
    };
    let status = mark.status.as_str().replace('_', " ");
    let text = match mark.cause {
        MarkCause::Person => format!("{what} marked as {status}"),
        MarkCause::Cache => format!("{what} {status}: from the cache"),
        MarkCause::Fork { from } => format!("{what} {status}: from run {from}"),
    };
    let said = Said::of_tasks("marked", &mark.tasks, mark.status);
    let count = mark.items.as_ref().map_or(mark.tasks.len(), IdSet::len);
    Said { count: Some(count as u64), ..said }.text(text)
}

fn of_attempts(fact: &Fact, run: RunId, names: &Names) -> Option<Said> {
    let status = TaskStatus::Leased;
    match fact {
        Fact::AttemptsLeased { task, items, worker, variant, devices } if task.run == run => {
            let what = some_items(names, task.task, &IdSet::range(items.start, items.end));
            let said = Said::of_task("attempts_leased", task.task, items.len(), status);
            let way = names.way(task.task, *variant).map(|way| format!(", to ask `{way}`"));
            let way = way.unwrap_or_else(|| match variant.0 {
                0 => String::new(),
                other => format!(", as alternative {}", u16::from(other) + 1),
            });
            let places: Vec<String> = devices.iter().map(|place| place.to_string()).collect();
            let on = match places.len() {
                0 => String::new(),
                _ => format!(", on GPU {}", places.join(", ")),
            };
            Some(said.text(format!("{what} given to worker number {worker}{on}{way}")))
        }
        Fact::GangLeased { task, parts } if task.run == run => {
            let members = parts.last().map_or(0, |part| part.items.end);
            let what = some_items(names, task.task, &IdSet::range(0, members));
            let said = Said::of_task("gang_leased", task.task, members as usize, status);
            let workers: BTreeSet<String> =
                parts.iter().map(|part| part.worker.to_string()).collect();
            let workers: Vec<String> = workers.into_iter().collect();
            let number = if workers.len() == 1 { "worker number" } else { "workers number" };
            let workers = workers.join(", ");
            Some(said.text(format!("{what} given together to {number} {workers}")))
        }
        Fact::AttemptsStarted { task, items } if task.run == run => {
            let what = some_items(names, task.task, items);
            let running = TaskStatus::Running;
            let said = Said::of_task("attempts_started", task.task, items.len(), running);
            Some(said.text(format!("{what} started")))
        }
        Fact::AttemptsCheckpointed { task, saved } if task.run == run => {
            let items: IdSet = saved.iter().map(|(item, _)| item.0).collect();
            let what = some_items(names, task.task, &items);
            let running = TaskStatus::Running;
            let said = Said::of_task("attempts_checkpointed", task.task, items.len(), running);
            Some(said.text(format!("{what} saved its work")))
        }
        Fact::AttemptsPreempted { task, items } if task.run == run => {
            let what = some_items(names, task.task, items);
            let running = TaskStatus::Running;
            let said = Said::of_task("attempts_preempted", task.task, items.len(), running);
            Some(said.text(format!("{what} is to make room for others and is being ended")))
        }
        Fact::AttemptOverran { item } if item.run == run => {
            let what = some_items(names, item.task, &IdSet::one(item.item.0));
            let running = TaskStatus::Running;
            let said = Said::of_task("attempt_overran", item.task, 1, running);
            Some(said.text(format!("{what} has run for longer than it may and is being ended")))
        }
        Fact::AttemptsEnded(ended) if ended.task.run == run => Some(attempts_ended(ended, names)),
        Fact::LeasesReturned { task, items } if task.run == run => {
            let what = some_items(names, task.task, items);
            let ready = TaskStatus::Ready;
            let said = Said::of_task("leases_returned", task.task, items.len(), ready);
            Some(said.text(format!("{what} given back unstarted by the worker")))
        }
        _ => None,
    }
}

fn attempts_ended(ended: &AttemptsEnded, names: &Names) -> Said {
    let items: IdSet = ended.ends.iter().map(|(item, _)| item.0).collect();
    let what = some_items(names, ended.task.task, &items);
    let status = status_after(ended);
    let trouble = trouble(ended.outcome).map_or_else(String::new, |word| format!(": {word}"));
    let text = match ended.then {
        Then::Retry { .. } => format!("{what} will be tried again{trouble}"),
        Then::Instead(variant) => {
            let way = names.way(ended.task.task, variant);
            let way = way.map_or_else(|| "another".to_owned(), |way| format!("`{way}`"));
            format!("{what} will ask {way} instead{trouble}")
        }
        Then::WithGang => format!("{what} done, and counts when the whole gang is"),
        // The word for the status says it all where the trouble would only say it again.
        Then::Final => match ended.outcome {
            Outcome::Failed(_) | Outcome::Lost => format!("{what} failed{trouble}"),
            _ => format!("{what} {}", status.as_str().replace('_', " ")),
        },
    };
    Said::of_task("attempts_ended", ended.task.task, ended.ends.len(), status).text(text)
}

const fn status_after(ended: &AttemptsEnded) -> TaskStatus {
    match (ended.then, ended.outcome) {
        (Then::Retry { .. } | Then::Instead(_), _) => TaskStatus::Retrying,
        (Then::WithGang, _) => TaskStatus::Running,
        (Then::Final, Outcome::Succeeded) => TaskStatus::Succeeded,
        (Then::Final, Outcome::Failed(_) | Outcome::Lost) => TaskStatus::Failed,
        (Then::Final, Outcome::TimedOut) => TaskStatus::TimedOut,
        (Then::Final, Outcome::Cancelled | Outcome::Preempted) => TaskStatus::Cancelled,
        (Then::Final, Outcome::Terminated) => TaskStatus::Terminated,
    }
}

fn task_answered(answered: &TaskAnswered, names: &Names) -> Said {
    use TaskStatus::{Failed, Pending, Ready, Running, Skipped, Succeeded};
    let task = answered.task.task;
    let name = names.task(task);
    let fired = answered
        .output
        .and_then(|output| names.decided(task, |outputs| digest(outputs) == output.digest));
    let rule = fired.as_ref().map(|fired| fired.rule);
    let (count, status, text) = match answered.answer {
        ControlAnswer::Begin if names.has_cache(task) => {
            (1, Ready, format!("{name} goes on: the cache does not have all of it"))
        }
        ControlAnswer::Begin => (1, Ready, format!("{name} goes on: its condition holds")),
        ControlAnswer::Skip => (1, Skipped, format!("{name} skipped: its condition does not hold")),
        ControlAnswer::FanOut { items, .. } => {
            let count = plural(u64::from(items), "item");
            (items as usize, Ready, format!("{name} has {count}"))
        }
        ControlAnswer::Until(until) => (1, Running, format!("{name} waits until {}", Time(until))),
        ControlAnswer::Route(route) => {
            let route = names.route(task, route);
            let what = fired.map_or_else(|| route.clone(), |fired| decided(&fired, route.clone()));
            (1, Succeeded, format!("{name} has decided: {what}"))
        }
        ControlAnswer::Done => (1, Succeeded, format!("{name}: done, its condition holds")),
        ControlAnswer::Again => (1, Pending, format!("{name}: once more")),
        ControlAnswer::Cached => (1, Succeeded, format!("{name} has succeeded: from the cache")),
        ControlAnswer::Invalid => (1, Failed, format!("{name} failed: it cannot be worked out")),
    };
    Said { rule, ..Said::of_task("task_answered", task, count, status).text(text) }
}

fn task_settled(task: TaskId, verdict: Verdict, names: &Names) -> Said {
    let name = names.task(task);
    let (status, text) = match verdict {
        Verdict::Elapsed => (TaskStatus::Succeeded, format!("{name}: the time has come")),
        Verdict::Approved => (TaskStatus::Succeeded, format!("{name} was answered: yes")),
        Verdict::Rejected => (TaskStatus::Failed, format!("{name} was answered: no")),
        Verdict::Expired => (TaskStatus::TimedOut, format!("nobody answered {name} in time")),
    };
    Said::of_task("task_settled", task, 1, status).text(text)
}

fn of_tasks(fact: &Fact, run: RunId, names: &Names) -> Option<Said> {
    let some = |tasks: &IdSet| names.some(tasks.iter().map(TaskId), tasks.len());
    match fact {
        Fact::TaskAnswered(answered) if answered.task.run == run => {
            Some(task_answered(answered, names))
        }
        Fact::TaskSettled { task, verdict, .. } if task.run == run => {
            Some(task_settled(task.task, *verdict, names))
        }
        Fact::HandlersReleased { run: id, tasks } if *id == run => {
            let said = Said::of_tasks("handlers_released", tasks, TaskStatus::Ready);
            Some(said.text(format!("what runs at the end may start: {}", some(tasks))))
        }
        Fact::TasksSkipped { run: id, tasks } if *id == run => {
            let said = Said::of_tasks("tasks_skipped", tasks, TaskStatus::Skipped);
            let they = if tasks.len() == 1 { "it is" } else { "they are" };
            let why = format!("the run does not end in the way that {they} for");
            Some(said.text(format!("{} skipped: {why}", some(tasks))))
        }
        Fact::TasksCancelled { run: id, tasks } if *id == run => {
            let said = Said::of_tasks("tasks_cancelled", tasks, TaskStatus::Cancelled);
            Some(said.text(format!("cancelled {}", some(tasks))))
        }
        Fact::TasksUnsatisfiable { run: id, tasks } if *id == run => {
            let said = Said::of_tasks("tasks_unsatisfiable", tasks, TaskStatus::Failed);
            Some(said.text(format!("no worker can ever hold {}", some(tasks))))
        }
        Fact::RoundOpened { run: id, tasks, scope } if *id == run => {
            let whole = if *scope == RoundScope::All { ", with all items" } else { "" };
            let said = Said::of_tasks("round_opened", tasks, TaskStatus::Pending);
            Some(said.text(format!("{} run again: {}{whole}", plural_tasks(tasks), some(tasks))))
        }
        Fact::ItemsReopened { task, items } if task.run == run => {
            let what = some_items(names, task.task, items);
            let said = Said::of_task("items_reopened", task.task, items.len(), TaskStatus::Ready);
            Some(said.text(format!("{what} to run again")))
        }
        Fact::Marked(mark) if mark.run == run => Some(marked(mark, names)),
        Fact::DeadlinePassed { run: id, tasks } if *id == run => {
            let said = Said::of_tasks("deadline_passed", tasks, TaskStatus::TimedOut);
            Some(said.text(format!("the deadline of {} has passed", some(tasks))))
        }
        _ => None,
    }
}

fn plural_tasks(tasks: &IdSet) -> String {
    plural(tasks.len() as u64, "task")
}

/// Items of a task: `train`, `train[3]`, `train[0..36]`, `train: 7 items`.
fn some_items(names: &Names, task: TaskId, items: &IdSet) -> String {
    let name = names.task(task);
    match items.ranges() {
        [Range { start, .. }] if !names.has_item(task, ItemId(*start)) => name,
        [Range { start, end }] if *end == start + 1 => format!("{name}[{start}]"),
        [Range { start, end }] => format!("{name}[{start}..{end}]"),
        _ => format!("{name}: {}", plural(items.len() as u64, "item")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{DIAMOND, FAILED, Stage, flow};
    use super::*;

    fn texts(stage: &Stage, run: RunId) -> Vec<String> {
        let names = stage.subject(run).names;
        let events = stage.journal.iter().filter_map(|entry| event(entry, run, &names));
        events.map(|event| event.text).collect()
    }

    #[test]
    fn a_life_reads_as_a_story() {
        let mut stage = Stage::new(2);
        let run = stage.submit(&flow(
            "name: story",
            &["a", "wide, foreach: [x, y], depends_on: [a]", "end, depends_on: [wide]"],
        ));
        stage.work(2, |item| if item == 1 { FAILED } else { Outcome::Succeeded });
        stage.work(1, |_| FAILED);
        let texts = texts(&stage, run);
        for text in [
            "run 1 of story was accepted",
            "a given to worker number 1",
            "a started",
            "a succeeded",
            "wide[0..2] given to worker number 1",
            "wide[0] succeeded",
            "wide[1] failed: exit 1",
            "the run is being stopped: task failed",
            "the run has ended: failed",
        ] {
            assert!(texts.iter().any(|said| said == text), "{text}: {texts:#?}");
        }
    }

    #[test]
    fn other_runs_are_other_stories() {
        let mut stage = Stage::new(1);
        let (first, second) = (stage.submit(DIAMOND), stage.submit(DIAMOND));
        stage.work(9, |_| Outcome::Succeeded);
        let names = stage.subject(first).names;
        let of = |run| stage.journal.iter().filter_map(|entry| event(entry, run, &names)).collect();
        let (one, two): (Vec<_>, Vec<_>) = (of(first), of(second));
        assert_eq!(one.len(), two.len());
        assert!(one.iter().all(|event| two.iter().all(|other| other.seq != event.seq)));
        let ended = one.last().expect("it ended");
        assert_eq!(
            (ended.kind.as_str(), ended.status.as_deref()),
            ("run_ended", Some("succeeded"))
        );
    }
}
