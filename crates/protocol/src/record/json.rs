//! Facts as JSON, for people and programs that read an exported journal.
//!
//! A fact is an object: every field is always there, `null` where there is nothing to say.
//! Enumerations are words, sets of ids are ranges with both ends in them (`"0-99,105"`), digests
//! are hexadecimal, times and lengths of time are as in the API. Fields are only ever added.
//! Nothing reads this form back: the journal itself is the record.

use core::ops::Range;

use model::control::{ControlAnswer, Verdict};
use model::fact::{
    AmendCause, AttemptsEnded, ControlImage, ItemImage, LeaseImage, LossCause, MarkCause, Marked,
    PauseCause, Restored, RoundScope, RunAdmitted, RunAmended, Standing, StopCause, TaskImage,
    WorkerJoined,
};
use model::outcome::{AttemptEnd, Failure, LogRef, OutputRef, Then, Totals, Unreached};
use model::policy::{FailurePolicy, Stage};
use model::{Device, Fact, IdSet, ItemId, ItemKey, Offers, Outcome, Request, RunId, Span, TaskKey};
use serde_json::{Map, Value, json};

use crate::api::{Seconds, Time};

/// The fields of a fact; its kind is told by [`kind`](super::kind).
#[must_use]
pub fn fields(fact: &Fact) -> Value {
    match fact {
        Fact::LeaderStarted { epoch, format } => json!({ "epoch": epoch.0, "format": format }),
        Fact::WorkerJoined(joined) => worker_joined(joined),
        Fact::WorkerLost { worker, cause } => {
            json!({ "worker": worker.0, "cause": loss_cause(*cause) })
        }
        Fact::RunAdmitted(admitted) => run_admitted(admitted),
        Fact::AttemptsLeased { task, items, worker, variant, devices } => {
            let rest = json!({
                "items": ranges(core::slice::from_ref(items)),
                "worker": worker.0,
                "variant": variant.0,
                "devices": devices.iter().collect::<Vec<_>>(),
            });
            with(of_task(*task), rest)
        }
        Fact::GangLeased { task, parts } => {
            let parts = parts.iter().map(|part| {
                json!({
                    "items": ranges(core::slice::from_ref(&part.items)),
                    "worker": part.worker.0,
                    "devices": part.devices.iter().collect::<Vec<_>>(),
                })
            });
            with(of_task(*task), json!({ "parts": parts.collect::<Vec<_>>() }))
        }
        Fact::AttemptsStarted { task, items }
        | Fact::LeasesReturned { task, items }
        | Fact::AttemptsPreempted { task, items }
        | Fact::ItemsReopened { task, items } => {
            with(of_task(*task), json!({ "items": set(items) }))
        }
        Fact::AttemptOverran { item } => of_item(*item),
        Fact::AttemptsCheckpointed { task, saved } => {
            let saved = saved.iter().map(|&(item, at)| json!({ "item": item.0, "at": Time(at) }));
            with(of_task(*task), json!({ "saved": saved.collect::<Vec<_>>() }))
        }
        Fact::AttemptsEnded(ended) => attempts_ended(ended),
        Fact::TaskAnswered(answered) => {
            let output = json!({ "output": answered.output.map(output) });
            with(with(of_task(answered.task), answer(answered.answer)), output)
        }
        Fact::TaskSettled { task, verdict, output: said } => with(
            of_task(*task),
            json!({ "verdict": verdict_word(*verdict), "output": said.map(output) }),
        ),
        Fact::HandlersReleased { run, tasks }
        | Fact::TasksSkipped { run, tasks }
        | Fact::TasksCancelled { run, tasks }
        | Fact::TasksUnsatisfiable { run, tasks }
        | Fact::DeadlinePassed { run, tasks } => of_tasks(*run, tasks),
        Fact::RunStopping { run, cause } => json!({ "run": run.0, "cause": stop_cause(*cause) }),
        Fact::RunPaused { run, cause } => json!({ "run": run.0, "cause": pause_cause(*cause) }),
        Fact::RunEnded { run, status } => json!({ "run": run.0, "status": status.as_str() }),
        Fact::RoundOpened { run, tasks, scope } => {
            with(of_tasks(*run, tasks), json!({ "scope": round_scope(*scope) }))
        }
        Fact::RunAmended(amended) => run_amended(amended),
        Fact::Marked(marked) => self::marked(marked),
        Fact::RunForgotten { run } | Fact::RunResumed { run } => json!({ "run": run.0 }),
        Fact::Restored(piece) => restored(piece),
    }
}

fn worker_joined(joined: &WorkerJoined) -> Value {
    json!({
        "worker": joined.worker.0,
        "name": joined.name,
        // More digits than every reader of JSON keeps in a number.
        "instance": format!("{:016x}", joined.instance),
        "offers": offers(&joined.offers),
        "lease_seconds": joined.lease.map(Seconds),
    })
}

fn run_admitted(admitted: &RunAdmitted) -> Value {
    json!({
        "run": admitted.run.0,
        "key": admitted.key.map(|key| key.to_string()),
        "tenant": admitted.tenant,
        "queue": admitted.queue,
        "name": admitted.name,
        "identity": admitted.identity.to_string(),
        "content": admitted.content.to_string(),
        "graph": admitted.graph.to_string(),
        "definition": admitted.definition.to_string(),
        "priority": admitted.priority.0,
        "on_failure": failure_policy(admitted.failure),
        "timeout_seconds": admitted.timeout.map(Seconds),
        "concurrency": admitted.concurrency,
        "cost_limit_micro": admitted.cost_limit_micro,
        "trace": format!("{:032x}", admitted.trace),
    })
}

fn run_amended(amended: &RunAmended) -> Value {
    let (cause, task, item) = match amended.cause {
        AmendCause::Edited => ("edited", None, None),
        AmendCause::Generated { task, item } => ("generated", Some(task.0), Some(item.0)),
    };
    json!({
        "run": amended.run.0,
        "cause": cause,
        "task": task,
        "item": item,
        "graph": amended.graph.to_string(),
        "definition": amended.definition.to_string(),
        "priority": amended.priority.0,
        "concurrency": amended.concurrency,
        "cost_limit_micro": amended.cost_limit_micro,
    })
}

fn marked(marked: &Marked) -> Value {
    let (cause, from) = match marked.cause {
        MarkCause::Person => ("person", None),
        MarkCause::Cache => ("cache", None),
        MarkCause::Fork { from } => ("fork", Some(from.0)),
    };
    let rest = json!({
        "item_set": marked.items.as_ref().map(set),
        "status": marked.status.as_str(),
        "cause": cause,
        "from": from,
        "output": marked.output.map(output),
    });
    let control = match marked.control {
        Some(image) => control_image(image),
        None => NO_CONTROL.iter().map(|&name| (name.to_owned(), Value::Null)).collect(),
    };
    with(with(of_tasks(marked.run, &marked.tasks), rest), control)
}

/// The fields of what an answer has made of a task.
const NO_CONTROL: [&str; 6] = ["control", "items", "list", "route", "until", "turn"];

fn attempts_ended(ended: &AttemptsEnded) -> Value {
    let (then, retry_at, instead) = match ended.then {
        Then::Final => ("final", None, None),
        Then::Retry { at } => ("retry", Some(Time(at)), None),
        Then::Instead(variant) => ("instead", None, Some(variant.0)),
        Then::WithGang => ("with_gang", None, None),
    };
    let ends: Vec<Value> = ended.ends.iter().map(|(item, end)| attempt_end(*item, end)).collect();
    let rest = json!({ "then": then, "retry_at": retry_at, "variant": instead, "ends": ends });
    with(with(of_task(ended.task), outcome(ended.outcome)), rest)
}

fn attempt_end(item: ItemId, end: &AttemptEnd) -> Value {
    json!({
        "item": item.0,
        "wall_seconds": Seconds(Span(end.usage.wall_us)),
        "cpu_seconds": Seconds(Span(end.usage.cpu_us)),
        "peak_rss_kib": end.usage.peak_rss_kib,
        "log": end.log.map(log),
        "output": end.output.map(output),
        "requests": end.spent.requests,
        "tokens_in": end.spent.tokens_in,
        "tokens_out": end.spent.tokens_out,
        "cost_micro": end.spent.cost_micro,
    })
}

fn log(log: LogRef) -> Value {
    let LogRef { segment, offset, bytes, frames } = log;
    json!({ "segment": segment, "offset": offset, "bytes": bytes, "frames": frames })
}

fn output(output: OutputRef) -> Value {
    json!({ "digest": output.digest.to_string(), "bytes": output.bytes })
}

fn restored(piece: &Restored) -> Value {
    match piece {
        Restored::Counters { next_run, next_worker, mean_wall_us } => {
            let means: Vec<Value> = mean_wall_us.iter().map(mean).collect();
            json!({ "next_run": next_run.0, "next_worker": next_worker.0, "mean_wall": means })
        }
        Restored::Run { run, status, cause, ended_at, released, paused } => json!({
            "run": run.0,
            "status": status.as_str(),
            "cause": cause.map(stop_cause),
            "ended_at": ended_at.map(Time),
            "released": stage(*released),
            "paused": paused.map(pause_cause),
        }),
        Restored::Control { task, image } => with(of_task(*task), control_image(*image)),
        Restored::Tasks { run, tasks, image } => with(of_tasks(*run, tasks), task_image(image)),
        Restored::Items { task, items, image } => {
            with(with(of_task(*task), json!({ "items": set(items) })), item_image(image))
        }
        Restored::Lease(image) => with(of_item(image.item), lease_image(image)),
        Restored::Preempted { item, image } => with(
            of_item(*item),
            json!({
                "count": image.count,
                "lost_seconds": Seconds(image.lost),
                "waited_seconds": Seconds(image.waited),
                "left_at": image.left_at.map(Time),
            }),
        ),
        Restored::Retry { item, at, variant } => {
            with(of_item(*item), json!({ "at": Time(*at), "variant": variant.0 }))
        }
        Restored::Budget { name, full_at } => json!({ "name": name, "full_at": Time(*full_at) }),
        Restored::Breaker(image) => json!({
            "name": image.name,
            "failures": image.failures,
            "openings": image.openings,
            "open_until": image.open_until.map(Time),
            "last": outcome(image.last),
        }),
        Restored::RunSpent { run, totals: spent } => with(json!({ "run": run.0 }), totals(*spent)),
        Restored::TenantSpent { tenant, totals: spent } => {
            with(json!({ "tenant": tenant }), totals(*spent))
        }
        Restored::Durations { workflow, policy, variant, recent_ms } => json!({
            "workflow": workflow,
            "policy": policy,
            "variant": variant.0,
            "recent_ms": recent_ms,
        }),
        Restored::End { seq, at, epoch } => {
            json!({ "seq": seq.0, "at": Time(*at), "epoch": epoch.0 })
        }
    }
}

fn lease_image(image: &LeaseImage) -> Value {
    json!({
        "token": image.token.0,
        "worker": image.worker.0,
        "variant": image.variant.0,
        "devices": image.devices.iter().collect::<Vec<_>>(),
        "started_at": image.started_at.map(Time),
        "saved_at": image.saved_at.map(Time),
        "overran": image.overran,
        "leaving_since": image.leaving_since.map(Time),
        "is_done": image.standing == Standing::Done,
        "dismissed_at": match image.standing {
            Standing::Working | Standing::Done => None,
            Standing::Dismissed(at) => Some(Time(at)),
        },
    })
}

fn answer(answer: ControlAnswer) -> Value {
    let (word, items, list, until, route) = match answer {
        ControlAnswer::Begin => ("begin", None, None, None, None),
        ControlAnswer::Skip => ("skip", None, None, None, None),
        ControlAnswer::FanOut { items, list } => ("fan_out", Some(items), Some(list), None, None),
        ControlAnswer::Until(until) => ("until", None, None, Some(until), None),
        ControlAnswer::Route(route) => ("route", None, None, None, Some(route)),
        ControlAnswer::Done => ("done", None, None, None, None),
        ControlAnswer::Again => ("again", None, None, None, None),
        ControlAnswer::Cached => ("cached", None, None, None, None),
        ControlAnswer::Invalid => ("invalid", None, None, None, None),
    };
    let list = list.map(|list| list.to_string());
    json!({
        "answer": word,
        "items": items,
        "list": list,
        "until": until.map(Time),
        "route": route,
    })
}

fn control_image(image: ControlImage) -> Value {
    let (word, items, list, route) = match image {
        ControlImage::FanOut { items, list } => ("fan_out", Some(items), Some(list), None),
        ControlImage::Route(route) => ("route", None, None, Some(route)),
        ControlImage::Wait(_) => ("wait", None, None, None),
        ControlImage::Turn(_) => ("turn", None, None, None),
    };
    let until = if let ControlImage::Wait(until) = image { until } else { None };
    let turn = if let ControlImage::Turn(turn) = image { Some(turn) } else { None };
    json!({
        "control": word,
        "items": items,
        "list": list.map(|list| list.to_string()),
        "route": route,
        "until": until.map(Time),
        "turn": turn,
    })
}

const fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Elapsed => "elapsed",
        Verdict::Approved => "approved",
        Verdict::Rejected => "rejected",
        Verdict::Expired => "expired",
    }
}

const fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Ordinary => "ordinary",
        Stage::Compensation => "compensation",
        Stage::Handlers => "handlers",
        Stage::Finally => "finally",
    }
}

fn mean((asked, wall_us): &(Request, u64)) -> Value {
    json!({ "request": request(asked), "seconds": Seconds(Span(*wall_us)) })
}

fn task_image(image: &TaskImage) -> Value {
    let after = |ms: u32| (ms != u32::MAX).then(|| Seconds(Span::millis(ms.into())));
    let task = json!({
        "waiting_for": image.waiting_for,
        "undecided": image.undecided,
        "round": image.round.0,
        "started_after_seconds": after(image.started_ms),
        "ended_after_seconds": after(image.ended_ms),
        "trouble": image.trouble.map(outcome),
    });
    with(item_image(&image.item), task)
}

fn totals(totals: Totals) -> Value {
    json!({
        "requests": totals.requests,
        "tokens_in": totals.tokens_in,
        "tokens_out": totals.tokens_out,
        "cost_micro": totals.cost_micro,
    })
}

fn item_image(image: &ItemImage) -> Value {
    json!({
        "status": image.status.as_str(),
        "attempts": image.attempts.0,
        "failures": image.failures,
        "losses": image.losses,
        "growths": image.growths,
    })
}

/// How an attempt ended, and, if it failed, in which way.
fn outcome(outcome: Outcome) -> Value {
    let (word, failure) = match outcome {
        Outcome::Succeeded => ("succeeded", None),
        Outcome::Failed(failure) => ("failed", Some(failed(failure))),
        Outcome::TimedOut => ("timed_out", None),
        Outcome::Cancelled => ("cancelled", None),
        Outcome::Terminated => ("terminated", None),
        Outcome::Preempted => ("preempted", None),
        Outcome::Lost => ("lost", None),
    };
    json!({ "outcome": word, "failure": failure })
}

/// A failure as its kind and the number that goes with it.
fn failed(failure: Failure) -> Value {
    let (kind, number) = match failure {
        Failure::Exit(code) => ("exit", Some(code.into())),
        Failure::Signal(signal) => ("signal", Some(signal.into())),
        Failure::OutOfMemory => ("out_of_memory", None),
        Failure::Spawn(errno) => ("spawn", Some(errno.into())),
        Failure::Outputs => ("outputs", None),
        Failure::Render => ("render", None),
        Failure::Unsatisfiable => ("unsatisfiable", None),
        Failure::Control => ("control", None),
        Failure::Rejected => ("rejected", None),
        Failure::TurnsUsedUp => ("turns_used_up", None),
        Failure::Tasks => ("tasks", None),
        Failure::Raised(name) => ("raised", Some(i64::from(name.0))),
        Failure::Crashed => ("crashed", None),
        Failure::Status(status) => ("status", Some(status.into())),
        Failure::Unreachable(how) => (unreached(how), None),
        Failure::Answer => ("answer", None),
        Failure::TooLarge => ("too_large", None),
        Failure::Forbidden => ("forbidden", None),
    };
    json!({ "kind": kind, "number": number })
}

const fn unreached(how: Unreached) -> &'static str {
    match how {
        Unreached::Unresolved => "unresolved",
        Unreached::Refused => "refused",
        Unreached::Broken => "broken",
        Unreached::Insecure => "insecure",
        Unreached::Slow => "slow",
    }
}

const fn loss_cause(cause: LossCause) -> &'static str {
    match cause {
        LossCause::Expired => "expired",
        LossCause::Replaced => "replaced",
        LossCause::DiedWithLeader => "died_with_leader",
    }
}

const fn stop_cause(cause: StopCause) -> &'static str {
    match cause {
        StopCause::TaskFailed => "task_failed",
        StopCause::TimedOut => "timed_out",
        StopCause::Stopped => "stopped",
        StopCause::Terminated => "terminated",
    }
}

const fn pause_cause(cause: PauseCause) -> &'static str {
    match cause {
        PauseCause::Asked => "asked",
        PauseCause::CostLimit => "cost_limit",
    }
}

const fn round_scope(scope: RoundScope) -> &'static str {
    match scope {
        RoundScope::Unsuccessful => "unsuccessful",
        RoundScope::All => "all",
    }
}

const fn failure_policy(policy: FailurePolicy) -> &'static str {
    match policy {
        FailurePolicy::FailFast => "fail_fast",
        FailurePolicy::Continue => "continue",
    }
}

fn request(request: &Request) -> Value {
    let custom = request.custom.iter().map(|(name, amount)| (name.to_string(), (*amount).into()));
    json!({
        "cpu_milli": request.cpu_milli,
        "memory_bytes": request.memory_bytes,
        "custom": custom.collect::<Map<String, Value>>(),
        "devices": {
            "count": request.devices.count,
            "share_milli": request.devices.share,
            "memory_bytes": request.devices.memory_bytes,
            "kinds": request.devices.kinds,
        },
    })
}

fn offers(offers: &Offers) -> Value {
    let custom = offers.custom.iter().map(|(name, amount)| (name.to_string(), (*amount).into()));
    let labels = offers.site.labels.iter();
    let labels = labels.map(|(key, value)| (key.to_string(), value.to_string().into()));
    let device = |device: &Device| {
        json!({
            "uuid": device.uuid,
            "vendor": device.vendor.as_str(),
            "kind": device.kind,
            "memory_bytes": device.memory_bytes,
            "address": device.address.map(|address| address.to_string()),
            "numa_node": device.numa_node,
            "part_of": device.part.as_ref().map(|part| &part.parent),
        })
    };
    json!({
        "cpu_milli": offers.cpu_milli,
        "memory_bytes": offers.memory_bytes,
        "custom": custom.collect::<Map<String, Value>>(),
        "devices": offers.devices.iter().map(device).collect::<Vec<_>>(),
        "speed_milli": offers.speed,
        "labels": labels.collect::<Map<String, Value>>(),
        "taints": offers.site.taints,
    })
}

fn of_task(task: TaskKey) -> Value {
    json!({ "run": task.run.0, "task": task.task.0 })
}

fn of_item(item: ItemKey) -> Value {
    json!({ "run": item.run.0, "task": item.task.0, "item": item.item.0 })
}

fn of_tasks(run: RunId, tasks: &IdSet) -> Value {
    json!({ "run": run.0, "tasks": set(tasks) })
}

fn set(ids: &IdSet) -> String {
    ranges(ids.ranges())
}

fn ranges(ranges: &[Range<u32>]) -> String {
    let shown = ranges.iter().map(|range| match range.end - range.start {
        1 => range.start.to_string(),
        _ => format!("{}-{}", range.start, range.end - 1),
    });
    shown.collect::<Vec<_>>().join(",")
}

/// An object with the fields of both.
fn with(mut object: Value, more: Value) -> Value {
    if let (Value::Object(fields), Value::Object(more)) = (&mut object, more) {
        fields.extend(more);
    }
    object
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::super::{KINDS, RESTORED_KINDS, kind, samples};
    use super::*;
    use crate::golden;

    fn samples_of(name: &str) -> Vec<Value> {
        let facts = samples::facts().into_iter().filter(|fact| kind(fact) == name);
        facts.map(|fact| fields(&fact)).collect()
    }

    #[test]
    fn every_kind_is_shown_as_its_golden_file() {
        for name in KINDS.iter().chain(RESTORED_KINDS) {
            let lines = samples_of(name).into_iter().map(|fields| format!("{fields}\n"));
            golden::check_export(name, &lines.collect::<String>());
        }
    }

    #[test]
    fn all_facts_of_a_kind_have_the_same_fields() {
        let names = |fields: &Value| -> BTreeSet<String> {
            fields.as_object().expect("a fact is an object").keys().cloned().collect()
        };
        for name in KINDS.iter().chain(RESTORED_KINDS) {
            let samples = samples_of(name);
            assert!(samples.iter().all(|one| names(one) == names(&samples[0])), "`{name}`");
        }
    }

    /// The page has a row for each kind, and the row names each of its fields.
    #[test]
    fn the_reference_names_every_kind_and_field() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/journal.md");
        let page = fs::read_to_string(path).expect("the page is there");
        for name in KINDS.iter().chain(RESTORED_KINDS) {
            let row = page.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
            let row = row.unwrap_or_else(|| panic!("`{name}` has no row"));
            for field in samples_of(name)[0].as_object().expect("an object").keys() {
                assert!(row.contains(&format!("`{field}`")), "`{name}` has `{field}`");
            }
        }
    }
}
