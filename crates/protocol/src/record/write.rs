//! From facts to their stored form.

use core::ops::Range;

use model::fact::{
    AttemptsEnded, BreakerImage, GangPart, ItemImage, LeaseImage, Restored, RunAdmitted, Standing,
    TaskImage, WorkerJoined,
};
use model::limits::ITEMS_PER_FACT_MAX;
use model::outcome::{AttemptEnd, LogRef, OutputRef, Spent, Then, Totals};
use model::{
    DeviceSet, Digest, Fact, IdSet, ItemId, ItemKey, Request, RunId, TaskKey, Timestamp, VariantId,
    WorkerId,
};

use super::v1::{self, Kind, Piece, Record};
use super::{amend, control};
use crate::columns::{Column, pack_set};
use crate::error::EncodeError;
use crate::noun::{Numbered, write_outcome};

/// The stored form of a fact.
pub(super) fn record(fact: &Fact) -> Result<Record, EncodeError> {
    let kind = match fact {
        Fact::LeaderStarted { epoch, format } => {
            Kind::LeaderStarted(v1::LeaderStarted { epoch: epoch.0, format: *format })
        }
        Fact::WorkerJoined(joined) => Kind::WorkerJoined(Box::new(worker_joined(joined))),
        Fact::WorkerLost { worker, cause } => {
            Kind::WorkerLost(v1::WorkerLost { worker: worker.0, cause: cause.number() })
        }
        Fact::RunAdmitted(admitted) => Kind::RunAdmitted(Box::new(run_admitted(admitted))),
        Fact::AttemptsLeased { task, items, worker, variant, devices } => {
            Kind::AttemptsLeased(leased(*task, items, (*worker, *variant, *devices))?)
        }
        Fact::GangLeased { task, parts } => Kind::GangLeased(gang_leased(*task, parts)?),
        Fact::AttemptsStarted { task, items } => Kind::AttemptsStarted(task_items(*task, items)),
        Fact::AttemptOverran { item } => Kind::AttemptOverran(one_item(*item)),
        Fact::AttemptsCheckpointed { task, saved } => {
            Kind::AttemptsCheckpointed(checkpointed(*task, saved)?)
        }
        Fact::AttemptsPreempted { task, items } => {
            Kind::AttemptsPreempted(task_items(*task, items))
        }
        Fact::AttemptsEnded(ended) => Kind::AttemptsEnded(Box::new(attempts_ended(ended)?)),
        Fact::LeasesReturned { task, items } => Kind::LeasesReturned(task_items(*task, items)),
        Fact::TaskAnswered(answered) => Kind::TaskAnswered(control::write_answered(answered)),
        Fact::TaskSettled { task, verdict, output } => Kind::TaskSettled(v1::TaskSettled {
            run: task.run.0,
            task: task.task.0,
            verdict: verdict.number(),
            output: output.map(Into::into),
        }),
        Fact::HandlersReleased { run, tasks } => Kind::HandlersReleased(run_tasks(*run, tasks)),
        Fact::TasksSkipped { run, tasks } => Kind::TasksSkipped(run_tasks(*run, tasks)),
        Fact::TasksCancelled { run, tasks } => Kind::TasksCancelled(run_tasks(*run, tasks)),
        Fact::TasksUnsatisfiable { run, tasks } => Kind::TasksUnsatisfiable(run_tasks(*run, tasks)),
        Fact::RunStopping { run, cause } => {
            Kind::RunStopping(v1::RunStopping { run: run.0, cause: cause.number() })
        }
        Fact::RunPaused { run, cause } => {
            Kind::RunPaused(v1::RunPaused { run: run.0, cause: cause.number() })
        }
        Fact::RunResumed { run } => Kind::RunResumed(v1::Run { run: run.0 }),
        Fact::RunEnded { run, status } => {
            Kind::RunEnded(v1::RunEnded { run: run.0, status: status.number() })
        }
        Fact::RoundOpened { run, tasks, scope } => Kind::RoundOpened(v1::RoundOpened {
            run: run.0,
            tasks: pack_set(tasks),
            scope: scope.number(),
        }),
        Fact::ItemsReopened { task, items } => Kind::ItemsReopened(task_items(*task, items)),
        Fact::RunAmended(amended) => Kind::RunAmended(Box::new(amend::write_amended(amended))),
        Fact::Marked(marked) => Kind::Marked(Box::new(amend::write_marked(marked))),
        Fact::DeadlinePassed { run, tasks } => Kind::DeadlinePassed(run_tasks(*run, tasks)),
        Fact::RunForgotten { run } => Kind::RunForgotten(v1::Run { run: run.0 }),
        Fact::Restored(piece) => {
            Kind::Restored(Box::new(v1::Restored { piece: Some(restored(piece)) }))
        }
    };
    Ok(Record { kind: Some(kind) })
}

fn leased(
    task: TaskKey,
    items: &Range<u32>,
    (worker, variant, devices): (WorkerId, VariantId, DeviceSet),
) -> Result<v1::AttemptsLeased, EncodeError> {
    if items.is_empty() {
        return Err(EncodeError::NotAscending);
    }
    Ok(v1::AttemptsLeased {
        run: task.run.0,
        task: task.task.0,
        first: items.start,
        more: items.end - items.start - 1,
        worker: worker.0,
        variant: variant.0.into(),
        devices: devices.0,
    })
}

fn gang_leased(task: TaskKey, parts: &[GangPart]) -> Result<v1::GangLeased, EncodeError> {
    let mut next = 0;
    let part = |part: &GangPart| {
        if part.items.start != next || part.items.is_empty() {
            return Err(EncodeError::NotAscending);
        }
        next = part.items.end;
        let more = part.items.end - part.items.start - 1;
        Ok(v1::GangPart { more, worker: part.worker.0, devices: part.devices.0 })
    };
    let parts = parts.iter().map(part).collect::<Result<_, _>>()?;
    Ok(v1::GangLeased { run: task.run.0, task: task.task.0, parts })
}

fn task_items(task: TaskKey, items: &IdSet) -> v1::TaskItems {
    v1::TaskItems { run: task.run.0, task: task.task.0, items: pack_set(items) }
}

fn run_tasks(run: RunId, tasks: &IdSet) -> v1::RunTasks {
    v1::RunTasks { run: run.0, tasks: pack_set(tasks) }
}

const fn one_item(item: ItemKey) -> v1::Item {
    v1::Item { run: item.run.0, task: item.task.0, item: item.item.0 }
}

fn worker_joined(joined: &WorkerJoined) -> v1::WorkerJoined {
    v1::WorkerJoined {
        worker: joined.worker.0,
        name: joined.name.to_string(),
        instance: joined.instance,
        offers: Some((&joined.offers).into()),
        lease_us: joined.lease.map(|lease| lease.0),
    }
}

fn run_admitted(admitted: &RunAdmitted) -> v1::RunAdmitted {
    let bytes = |digest: &Digest| digest.0.to_vec();
    v1::RunAdmitted {
        run: admitted.run.0,
        key: admitted.key.as_ref().map(bytes),
        tenant: admitted.tenant.to_string(),
        queue: admitted.queue.to_string(),
        name: admitted.name.to_string(),
        identity: bytes(&admitted.identity),
        content: bytes(&admitted.content),
        graph: bytes(&admitted.graph),
        definition: bytes(&admitted.definition),
        priority: admitted.priority.0.into(),
        failure: admitted.failure.number(),
        timeout_us: admitted.timeout.map(|timeout| timeout.0),
        concurrency: admitted.concurrency,
        cost_limit_micro: admitted.cost_limit_micro,
        trace_high: (admitted.trace >> 64) as u64,
        trace_low: admitted.trace as u64,
    }
}

fn attempts_ended(ended: &AttemptsEnded) -> Result<v1::AttemptsEnded, EncodeError> {
    let ends = &ended.ends;
    if ends.len() > ITEMS_PER_FACT_MAX {
        return Err(EncodeError::TooManyItems(ends.len()));
    }
    if ends.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
        return Err(EncodeError::NotAscending);
    }
    let items: IdSet = ends.iter().map(|(item, _)| item.0).collect();
    let column = |of: fn(&AttemptEnd) -> u64| Column::pack(ends.iter().map(move |end| of(&end.1)));
    let (outcome, detail) = write_outcome(ended.outcome);
    Ok(v1::AttemptsEnded {
        run: ended.task.run.0,
        task: ended.task.task.0,
        items: pack_set(&items),
        outcome,
        detail,
        retry_at: match ended.then {
            Then::Final | Then::Instead(_) | Then::WithGang => None,
            Then::Retry { at } => Some(at.0),
        },
        wall_us: column(|end| end.usage.wall_us),
        cpu_us: column(|end| end.usage.cpu_us),
        peak_rss_kib: column(|end| end.usage.peak_rss_kib),
        logs: logs(ends),
        outputs: outputs(ends),
        spent: spent(ends),
        instead: match ended.then {
            Then::Instead(variant) => Some(variant.0.into()),
            Then::Final | Then::Retry { .. } | Then::WithGang => None,
        },
        with_gang: ended.then == Then::WithGang,
    })
}

fn spent(ends: &[(ItemId, AttemptEnd)]) -> Option<Box<v1::Spent>> {
    if ends.iter().all(|(_, end)| end.spent == Spent::NOTHING) {
        return None;
    }
    let column = |of: fn(&Spent) -> u64| Column::pack(ends.iter().map(move |end| of(&end.1.spent)));
    Some(Box::new(v1::Spent {
        requests: column(|spent| spent.requests.into()),
        tokens_in: column(|spent| spent.tokens_in),
        tokens_out: column(|spent| spent.tokens_out),
        cost_micro: column(|spent| spent.cost_micro),
    }))
}

/// The ends that have `part`, and their places; no places when that is all of them.
fn having<T>(
    ends: &[(ItemId, AttemptEnd)],
    part: fn(&AttemptEnd) -> Option<T>,
) -> Option<(Vec<u32>, Vec<T>)> {
    let parts: Vec<T> = ends.iter().filter_map(|(_, end)| part(end)).collect();
    if parts.is_empty() {
        return None;
    }
    if parts.len() == ends.len() {
        return Some((Vec::new(), parts));
    }
    let places = (0..).zip(ends).filter(|(_, (_, end))| part(end).is_some()).map(|(at, _)| at);
    Some((pack_set(&places.collect()), parts))
}

fn logs(ends: &[(ItemId, AttemptEnd)]) -> Option<Box<v1::Logs>> {
    let (which, logs) = having(ends, |end| end.log)?;
    let column = |of: fn(&LogRef) -> u64| Column::pack(logs.iter().map(of));
    Some(Box::new(v1::Logs {
        which,
        segment: column(|log| log.segment.into()),
        offset: column(|log| log.offset),
        bytes: column(|log| log.bytes),
        frames: column(|log| log.frames.into()),
    }))
}

fn outputs(ends: &[(ItemId, AttemptEnd)]) -> Option<Box<v1::Outputs>> {
    let (which, outputs) = having(ends, |end| end.output)?;
    Some(Box::new(v1::Outputs {
        which,
        digests: outputs.iter().flat_map(|output| output.digest.0).collect(),
        bytes: Column::pack(outputs.iter().map(|output: &OutputRef| output.bytes.into())),
    }))
}

fn checkpointed(
    task: TaskKey,
    saved: &[(ItemId, Timestamp)],
) -> Result<v1::AttemptsCheckpointed, EncodeError> {
    if saved.len() > ITEMS_PER_FACT_MAX {
        return Err(EncodeError::TooManyItems(saved.len()));
    }
    if saved.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
        return Err(EncodeError::NotAscending);
    }
    Ok(v1::AttemptsCheckpointed {
        run: task.run.0,
        task: task.task.0,
        items: pack_set(&saved.iter().map(|(item, _)| item.0).collect()),
        saved_at: Column::pack(saved.iter().map(|(_, at)| at.0)),
    })
}

fn counters(next_run: RunId, next_worker: WorkerId, means: &[(Request, u64)]) -> v1::Counters {
    let mean = means.iter().map(|(request, mean_us)| v1::MeanWall {
        request: Some(request.into()),
        mean_us: *mean_us,
    });
    v1::Counters { next_run: next_run.0, next_worker: next_worker.0, mean_wall_us: mean.collect() }
}

fn lease(image: &LeaseImage) -> v1::LeaseImage {
    v1::LeaseImage {
        run: image.item.run.0,
        task: image.item.task.0,
        item: image.item.item.0,
        token: image.token.0,
        worker: image.worker.0,
        started_at: image.started_at.map(|at| at.0),
        overran: image.overran,
        variant: image.variant.0.into(),
        devices: image.devices.0,
        saved_at: image.saved_at.map(|at| at.0),
        leaving_since: image.leaving_since.map(|at| at.0),
        is_done: image.standing == Standing::Done,
        dismissed_at: match image.standing {
            Standing::Working | Standing::Done => None,
            Standing::Dismissed(at) => Some(at.0),
        },
    }
}

fn restored(piece: &Restored) -> Piece {
    match piece {
        Restored::Counters { next_run, next_worker, mean_wall_us } => {
            Piece::Counters(counters(*next_run, *next_worker, mean_wall_us))
        }
        Restored::Run { run, status, cause, ended_at, released, paused } => {
            Piece::Run(v1::RunImage {
                released: released.number(),
                paused: paused.map_or(0, Numbered::number),
                run: run.0,
                status: status.number(),
                cause: cause.map(Numbered::number),
                ended_at: ended_at.map(|at| at.0),
            })
        }
        Restored::Tasks { run, tasks, image } => Piece::Tasks(tasks_image(*run, tasks, image)),
        Restored::Items { task, items, image } => Piece::Items(v1::ItemsImage {
            run: task.run.0,
            task: task.task.0,
            items: pack_set(items),
            image: Some(item_image(image)),
        }),
        Restored::Control { task, image } => Piece::Control(control::write_image(*task, image)),
        Restored::Lease(image) => Piece::Lease(lease(image)),
        Restored::Preempted { item, image } => Piece::Preempted(v1::PreemptedImage {
            run: item.run.0,
            task: item.task.0,
            item: item.item.0,
            count: image.count,
            lost_us: image.lost.0,
            waited_us: image.waited.0,
            left_at: image.left_at.map(|at| at.0),
        }),
        Restored::Retry { item, at, variant } => Piece::Retry(v1::RetryImage {
            run: item.run.0,
            task: item.task.0,
            item: item.item.0,
            at: at.0,
            variant: variant.0.into(),
        }),
        Restored::Budget { name, full_at } => {
            Piece::Budget(v1::BudgetImage { name: name.to_string(), full_at: full_at.0 })
        }
        Restored::Breaker(image) => Piece::Breaker(breaker(image)),
        Restored::RunSpent { run, totals: spent } => {
            Piece::RunSpent(v1::RunSpent { run: run.0, totals: Some(totals(*spent)) })
        }
        Restored::TenantSpent { tenant, totals: spent } => Piece::TenantSpent(v1::TenantSpent {
            tenant: tenant.to_string(),
            totals: Some(totals(*spent)),
        }),
        Restored::Durations { workflow, policy, variant, recent_ms } => {
            Piece::Durations(v1::Durations {
                workflow: workflow.to_string(),
                policy: *policy,
                variant: variant.0.into(),
                recent_ms: recent_ms.to_vec(),
            })
        }
        Restored::End { seq, at, epoch } => {
            Piece::End(v1::EndMark { seq: seq.0, at: at.0, epoch: epoch.0 })
        }
    }
}

fn tasks_image(run: RunId, tasks: &IdSet, image: &TaskImage) -> v1::TasksImage {
    let (trouble, trouble_detail) = image.trouble.map_or((0, 0), write_outcome);
    v1::TasksImage {
        run: run.0,
        tasks: pack_set(tasks),
        item: Some(item_image(&image.item)),
        waiting_for: image.waiting_for,
        round: image.round.0.into(),
        started_ms: image.started_ms.wrapping_add(1),
        ended_ms: image.ended_ms.wrapping_add(1),
        trouble,
        trouble_detail,
        undecided_more: image.undecided.wrapping_sub(image.waiting_for).cast_signed(),
    }
}

fn breaker(image: &BreakerImage) -> v1::BreakerImage {
    let (last, last_detail) = write_outcome(image.last);
    v1::BreakerImage {
        name: image.name.to_string(),
        failures: image.failures,
        openings: image.openings.into(),
        open_until: image.open_until.map(|until| until.0),
        last,
        last_detail,
    }
}

const fn totals(totals: Totals) -> v1::Totals {
    let Totals { requests, tokens_in, tokens_out, cost_micro } = totals;
    v1::Totals { requests, tokens_in, tokens_out, cost_micro }
}

fn item_image(image: &ItemImage) -> v1::ItemImage {
    v1::ItemImage {
        status: image.status.number(),
        attempts: image.attempts.0.into(),
        failures: image.failures.into(),
        losses: image.losses.into(),
        growths: image.growths.into(),
    }
}
