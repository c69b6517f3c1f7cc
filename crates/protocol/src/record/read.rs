//! From the stored form back to facts. Whatever the bytes were, this ends in a fact or an error.

use model::fact::{
    AttemptsEnded, BreakerImage, GangPart, ItemImage, LeaseImage, PreemptedImage, Restored,
    RunAdmitted, Standing, TaskImage, WorkerJoined,
};
use model::limits::ITEMS_PER_FACT_MAX;
use model::outcome::{AttemptEnd, LogRef, OutputRef, Spent, Then, Totals, Usage};
use model::policy::Stage;
use model::{
    Attempt, DeviceSet, Epoch, Fact, IdSet, ItemId, ItemKey, Round, RunId, Seq, Span, TaskId,
    TaskKey, TaskStatus, Timestamp, Token, VariantId, WorkerId,
};

use super::v1::{self, Kind, Piece, Record};
use super::{amend, control};
use crate::FORMAT;
use crate::columns::{Numbers, unpack_set};
use crate::error::DecodeError;
use crate::noun::{Numbered, narrow, read_digest, read_outcome, read_priority, required};

/// The fact of a stored form.
pub(super) fn fact(record: Record) -> Result<Fact, DecodeError> {
    Ok(match required("a known kind of fact", record.kind)? {
        Kind::AttemptsLeased(form) => leased(&form)?,
        Kind::GangLeased(form) => gang_leased(&form)?,
        Kind::AttemptsStarted(form) => {
            Fact::AttemptsStarted { task: form.task(), items: unpack_set(&form.items)? }
        }
        Kind::AttemptsCheckpointed(form) => checkpointed(&form)?,
        Kind::AttemptsPreempted(form) => {
            Fact::AttemptsPreempted { task: form.task(), items: unpack_set(&form.items)? }
        }
        Kind::AttemptsEnded(form) => Fact::AttemptsEnded(Box::new(attempts_ended(&form)?)),
        Kind::LeasesReturned(form) => {
            Fact::LeasesReturned { task: form.task(), items: unpack_set(&form.items)? }
        }
        Kind::AttemptOverran(form) => {
            Fact::AttemptOverran { item: item_key(form.run, form.task, form.item) }
        }
        Kind::LeaderStarted(form) => leader_started(&form)?,
        Kind::WorkerJoined(form) => Fact::WorkerJoined(Box::new(worker_joined(*form)?)),
        Kind::WorkerLost(form) => worker_lost(&form)?,
        Kind::RunAdmitted(form) => Fact::RunAdmitted(Box::new(run_admitted(*form)?)),
        Kind::TaskAnswered(form) => Fact::TaskAnswered(Box::new(control::read_answered(form)?)),
        Kind::TaskSettled(form) => Fact::TaskSettled {
            task: task_key(form.run, form.task),
            verdict: Numbered::from_number(form.verdict)?,
            output: form.output.map(OutputRef::try_from).transpose()?,
        },
        Kind::HandlersReleased(form) => {
            Fact::HandlersReleased { run: RunId(form.run), tasks: unpack_set(&form.tasks)? }
        }
        Kind::TasksSkipped(form) => {
            Fact::TasksSkipped { run: RunId(form.run), tasks: unpack_set(&form.tasks)? }
        }
        Kind::TasksCancelled(form) => {
            Fact::TasksCancelled { run: RunId(form.run), tasks: unpack_set(&form.tasks)? }
        }
        Kind::TasksUnsatisfiable(form) => {
            Fact::TasksUnsatisfiable { run: RunId(form.run), tasks: unpack_set(&form.tasks)? }
        }
        Kind::RunStopping(form) => {
            Fact::RunStopping { run: RunId(form.run), cause: Numbered::from_number(form.cause)? }
        }
        Kind::RunPaused(form) => {
            Fact::RunPaused { run: RunId(form.run), cause: Numbered::from_number(form.cause)? }
        }
        Kind::RunResumed(form) => Fact::RunResumed { run: RunId(form.run) },
        Kind::RunEnded(form) => {
            Fact::RunEnded { run: RunId(form.run), status: Numbered::from_number(form.status)? }
        }
        Kind::RoundOpened(form) => Fact::RoundOpened {
            run: RunId(form.run),
            tasks: unpack_set(&form.tasks)?,
            scope: Numbered::from_number(form.scope)?,
        },
        Kind::ItemsReopened(form) => {
            Fact::ItemsReopened { task: form.task(), items: unpack_set(&form.items)? }
        }
        Kind::RunAmended(form) => Fact::RunAmended(Box::new(amend::read_amended(&form)?)),
        Kind::Marked(form) => Fact::Marked(Box::new(amend::read_marked(*form)?)),
        Kind::DeadlinePassed(form) => {
            Fact::DeadlinePassed { run: RunId(form.run), tasks: unpack_set(&form.tasks)? }
        }
        Kind::RunForgotten(form) => Fact::RunForgotten { run: RunId(form.run) },
        Kind::Restored(form) => {
            let piece = required("a known piece of a snapshot", form.piece)?;
            Fact::Restored(Box::new(restored(piece)?))
        }
    })
}

pub(super) const fn task_key(run: u64, task: u32) -> TaskKey {
    TaskKey { run: RunId(run), task: TaskId(task) }
}

const fn item_key(run: u64, task: u32, item: u32) -> ItemKey {
    task_key(run, task).item(ItemId(item))
}

impl v1::TaskItems {
    const fn task(&self) -> TaskKey {
        task_key(self.run, self.task)
    }
}

fn leased(form: &v1::AttemptsLeased) -> Result<Fact, DecodeError> {
    let end = form.first.checked_add(form.more).and_then(|last| last.checked_add(1));
    let end = end.ok_or(DecodeError::Number { what: "last item", number: form.more.into() })?;
    Ok(Fact::AttemptsLeased {
        task: task_key(form.run, form.task),
        items: form.first..end,
        worker: WorkerId(form.worker),
        variant: read_variant(form.variant)?,
        devices: DeviceSet(form.devices),
    })
}

fn gang_leased(form: &v1::GangLeased) -> Result<Fact, DecodeError> {
    let mut next = 0_u32;
    let mut parts = Vec::with_capacity(form.parts.len().min(ITEMS_PER_FACT_MAX));
    for part in &form.parts {
        let end = next.checked_add(part.more).and_then(|last| last.checked_add(1));
        let end = end.filter(|&end| end as usize <= ITEMS_PER_FACT_MAX);
        let end = end.ok_or(DecodeError::Length("members"))?;
        let (worker, devices) = (WorkerId(part.worker), DeviceSet(part.devices));
        parts.push(GangPart { items: next..end, worker, devices });
        next = end;
    }
    Ok(Fact::GangLeased { task: task_key(form.run, form.task), parts })
}

fn checkpointed(form: &v1::AttemptsCheckpointed) -> Result<Fact, DecodeError> {
    let items = unpack_set(&form.items)?;
    let count = items.len();
    if count > ITEMS_PER_FACT_MAX {
        return Err(DecodeError::Length("saved items"));
    }
    let saved_at = Numbers::of("times of saving", form.saved_at.as_ref(), count)?;
    let saved = items
        .iter()
        .enumerate()
        .map(|(place, item)| Ok((ItemId(item), Timestamp(saved_at.get(place)?))));
    let saved = saved.collect::<Result<_, DecodeError>>()?;
    Ok(Fact::AttemptsCheckpointed { task: task_key(form.run, form.task), saved })
}

fn read_variant(number: u32) -> Result<VariantId, DecodeError> {
    narrow("variant", number).map(VariantId)
}

/// The version barrier: nothing after this fact is read when a newer leader wrote it.
fn leader_started(form: &v1::LeaderStarted) -> Result<Fact, DecodeError> {
    let v1::LeaderStarted { epoch, format } = *form;
    if format > FORMAT {
        return Err(DecodeError::Newer { what: "facts", version: format, known: FORMAT });
    }
    Ok(Fact::LeaderStarted { epoch: Epoch(epoch), format })
}

fn worker_joined(form: v1::WorkerJoined) -> Result<WorkerJoined, DecodeError> {
    Ok(WorkerJoined {
        worker: WorkerId(form.worker),
        name: form.name.into_boxed_str(),
        instance: form.instance,
        offers: required("a worker's offer", form.offers)?.try_into()?,
        lease: form.lease_us.map(Span),
    })
}

fn worker_lost(form: &v1::WorkerLost) -> Result<Fact, DecodeError> {
    Ok(Fact::WorkerLost {
        worker: WorkerId(form.worker),
        cause: Numbered::from_number(form.cause)?,
    })
}

fn run_admitted(form: v1::RunAdmitted) -> Result<RunAdmitted, DecodeError> {
    Ok(RunAdmitted {
        run: RunId(form.run),
        key: form.key.as_deref().map(read_digest).transpose()?,
        tenant: form.tenant.into_boxed_str(),
        queue: form.queue.into_boxed_str(),
        name: form.name.into_boxed_str(),
        identity: read_digest(&form.identity)?,
        content: read_digest(&form.content)?,
        graph: read_digest(&form.graph)?,
        definition: read_digest(&form.definition)?,
        priority: read_priority(form.priority)?,
        failure: Numbered::from_number(form.failure)?,
        timeout: form.timeout_us.map(Span),
        concurrency: form.concurrency,
        cost_limit_micro: form.cost_limit_micro,
        trace: u128::from(form.trace_high) << 64 | u128::from(form.trace_low),
    })
}

fn attempts_ended(form: &v1::AttemptsEnded) -> Result<AttemptsEnded, DecodeError> {
    let items = unpack_set(&form.items)?;
    let count = items.len();
    if count > ITEMS_PER_FACT_MAX {
        return Err(DecodeError::Length("items of a fact"));
    }
    let wall_us = Numbers::of("wall times", form.wall_us.as_ref(), count)?;
    let cpu_us = Numbers::of("processor times", form.cpu_us.as_ref(), count)?;
    let peak_rss_kib = Numbers::of("memory sizes", form.peak_rss_kib.as_ref(), count)?;
    let mut ends = Vec::with_capacity(count);
    for (index, item) in items.iter().enumerate() {
        let usage = Usage {
            wall_us: wall_us.get(index)?,
            cpu_us: cpu_us.get(index)?,
            peak_rss_kib: peak_rss_kib.get(index)?,
        };
        ends.push((ItemId(item), AttemptEnd { usage, ..AttemptEnd::default() }));
    }
    if let Some(spent) = &form.spent {
        read_spent(spent, &mut ends)?;
    }
    if let Some(logs) = &form.logs {
        read_logs(logs, &mut ends)?;
    }
    if let Some(outputs) = &form.outputs {
        read_outputs(outputs, &mut ends)?;
    }
    Ok(AttemptsEnded {
        task: task_key(form.run, form.task),
        outcome: read_outcome(form.outcome, form.detail)?,
        then: match (form.instead, form.retry_at) {
            (Some(variant), _) => Then::Instead(read_variant(variant)?),
            (None, Some(at)) => Then::Retry { at: Timestamp(at) },
            (None, None) if form.with_gang => Then::WithGang,
            (None, None) => Then::Final,
        },
        ends,
    })
}

/// The places of a list of `count` ends that `which` names.
fn places(which: &[u32], count: usize) -> Result<IdSet, DecodeError> {
    let count = u32::try_from(count).expect("checked against ITEMS_PER_FACT_MAX");
    if which.is_empty() {
        return Ok(IdSet::range(0, count));
    }
    let places = unpack_set(which)?;
    match places.ranges().last() {
        Some(last) if last.end > count => Err(DecodeError::Length("ends")),
        _ => Ok(places),
    }
}

fn read_spent(form: &v1::Spent, ends: &mut [(ItemId, AttemptEnd)]) -> Result<(), DecodeError> {
    let count = ends.len();
    let requests = Numbers::of("requests", form.requests.as_ref(), count)?;
    let tokens_in = Numbers::of("tokens sent", form.tokens_in.as_ref(), count)?;
    let tokens_out = Numbers::of("tokens received", form.tokens_out.as_ref(), count)?;
    let cost_micro = Numbers::of("costs", form.cost_micro.as_ref(), count)?;
    for (index, (_, end)) in ends.iter_mut().enumerate() {
        end.spent = Spent {
            requests: requests.get_u32(index)?,
            tokens_in: tokens_in.get(index)?,
            tokens_out: tokens_out.get(index)?,
            cost_micro: cost_micro.get(index)?,
        };
    }
    Ok(())
}

fn read_logs(form: &v1::Logs, ends: &mut [(ItemId, AttemptEnd)]) -> Result<(), DecodeError> {
    let places = places(&form.which, ends.len())?;
    let count = places.len();
    let segment = Numbers::of("log segments", form.segment.as_ref(), count)?;
    let offset = Numbers::of("log offsets", form.offset.as_ref(), count)?;
    let bytes = Numbers::of("log sizes", form.bytes.as_ref(), count)?;
    let frames = Numbers::of("log frames", form.frames.as_ref(), count)?;
    for (index, place) in places.iter().enumerate() {
        ends[place as usize].1.log = Some(LogRef {
            segment: segment.get_u32(index)?,
            offset: offset.get(index)?,
            bytes: bytes.get(index)?,
            frames: frames.get_u32(index)?,
        });
    }
    Ok(())
}

fn read_outputs(form: &v1::Outputs, ends: &mut [(ItemId, AttemptEnd)]) -> Result<(), DecodeError> {
    let places = places(&form.which, ends.len())?;
    let (digests, rest) = form.digests.as_chunks::<32>();
    if digests.len() != places.len() || !rest.is_empty() {
        return Err(DecodeError::Length("output digests"));
    }
    let bytes = Numbers::of("output sizes", form.bytes.as_ref(), digests.len())?;
    for (index, place) in places.iter().enumerate() {
        let digest = model::Digest(digests[index]);
        let output = OutputRef { digest, bytes: bytes.get_u32(index)? };
        ends[place as usize].1.output = Some(output);
    }
    Ok(())
}

fn lease(form: &v1::LeaseImage) -> Result<LeaseImage, DecodeError> {
    Ok(LeaseImage {
        item: item_key(form.run, form.task, form.item),
        token: Token(form.token),
        worker: WorkerId(form.worker),
        variant: read_variant(form.variant)?,
        devices: DeviceSet(form.devices),
        started_at: form.started_at.map(Timestamp),
        saved_at: form.saved_at.map(Timestamp),
        overran: form.overran,
        leaving_since: form.leaving_since.map(Timestamp),
        standing: match (form.is_done, form.dismissed_at) {
            (true, _) => Standing::Done,
            (false, Some(at)) => Standing::Dismissed(Timestamp(at)),
            (false, None) => Standing::Working,
        },
    })
}

fn restored(piece: Piece) -> Result<Restored, DecodeError> {
    Ok(match piece {
        Piece::Counters(form) => counters(form)?,
        Piece::Run(form) => Restored::Run {
            run: RunId(form.run),
            status: Numbered::from_number(form.status)?,
            cause: form.cause.map(Numbered::from_number).transpose()?,
            ended_at: form.ended_at.map(Timestamp),
            released: Stage::from_number(form.released)?,
            paused: match form.paused {
                0 => None,
                number => Some(Numbered::from_number(number)?),
            },
        },
        Piece::Tasks(form) => tasks_image(form)?,
        Piece::Items(form) => Restored::Items {
            task: task_key(form.run, form.task),
            items: unpack_set(&form.items)?,
            image: item_image(form.image)?,
        },
        Piece::Control(form) => Restored::Control {
            task: task_key(form.run, form.task),
            image: control::read_image(form)?,
        },
        Piece::Lease(form) => Restored::Lease(lease(&form)?),
        Piece::Preempted(form) => Restored::Preempted {
            item: item_key(form.run, form.task, form.item),
            image: PreemptedImage {
                count: form.count,
                lost: Span(form.lost_us),
                waited: Span(form.waited_us),
                left_at: form.left_at.map(Timestamp),
            },
        },
        Piece::Retry(form) => Restored::Retry {
            item: item_key(form.run, form.task, form.item),
            at: Timestamp(form.at),
            variant: read_variant(form.variant)?,
        },
        Piece::Budget(form) => {
            Restored::Budget { name: form.name.into_boxed_str(), full_at: Timestamp(form.full_at) }
        }
        Piece::Breaker(form) => Restored::Breaker(Box::new(BreakerImage {
            name: form.name.into_boxed_str(),
            failures: form.failures,
            openings: narrow("openings", form.openings)?,
            open_until: form.open_until.map(Timestamp),
            last: read_outcome(form.last, form.last_detail)?,
        })),
        Piece::RunSpent(form) => {
            Restored::RunSpent { run: RunId(form.run), totals: totals(form.totals)? }
        }
        Piece::TenantSpent(form) => Restored::TenantSpent {
            tenant: form.tenant.into_boxed_str(),
            totals: totals(form.totals)?,
        },
        Piece::Durations(form) => Restored::Durations {
            workflow: form.workflow.into_boxed_str(),
            policy: form.policy,
            variant: read_variant(form.variant)?,
            recent_ms: form.recent_ms.into(),
        },
        Piece::End(form) => {
            Restored::End { seq: Seq(form.seq), at: Timestamp(form.at), epoch: Epoch(form.epoch) }
        }
    })
}

fn counters(form: v1::Counters) -> Result<Restored, DecodeError> {
    let mean = form.mean_wall_us.into_iter().map(|mean| {
        let request = required("a request", mean.request)?;
        Ok((request.try_into()?, mean.mean_us))
    });
    Ok(Restored::Counters {
        next_run: RunId(form.next_run),
        next_worker: WorkerId(form.next_worker),
        mean_wall_us: mean.collect::<Result<_, DecodeError>>()?,
    })
}

fn tasks_image(form: v1::TasksImage) -> Result<Restored, DecodeError> {
    let trouble = match form.trouble {
        0 => None,
        kind => Some(read_outcome(kind, form.trouble_detail)?),
    };
    Ok(Restored::Tasks {
        run: RunId(form.run),
        tasks: unpack_set(&form.tasks)?,
        image: TaskImage {
            item: item_image(form.item)?,
            waiting_for: form.waiting_for,
            undecided: form.waiting_for.wrapping_add_signed(form.undecided_more),
            round: Round(narrow("round", form.round)?),
            started_ms: form.started_ms.wrapping_sub(1),
            ended_ms: form.ended_ms.wrapping_sub(1),
            trouble,
        },
    })
}

fn totals(form: Option<v1::Totals>) -> Result<Totals, DecodeError> {
    let form = required("what was spent", form)?;
    let v1::Totals { requests, tokens_in, tokens_out, cost_micro } = form;
    Ok(Totals { requests, tokens_in, tokens_out, cost_micro })
}

fn item_image(form: Option<v1::ItemImage>) -> Result<ItemImage, DecodeError> {
    let form = required("the state of an item", form)?;
    Ok(ItemImage {
        status: TaskStatus::from_number(form.status)?,
        attempts: Attempt(narrow("attempt", form.attempts)?),
        failures: narrow("number of failures", form.failures)?,
        losses: narrow("number of losses", form.losses)?,
        growths: narrow("number of growths", form.growths)?,
    })
}
