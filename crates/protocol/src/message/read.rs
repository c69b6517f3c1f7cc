//! From the sent form back to messages. Whatever the bytes were, this ends in a message or an
//! error.

use model::message::{AttemptEvent, FromWorker, Grant, LeaseId, News, Order, Report, ToWorker};
use model::outcome::{AttemptEnd, LogRef, OutputRef, Spent, Usage};
use model::{
    Attempt, AttemptId, DeviceSet, Epoch, ItemId, Round, RunId, Span, TaskId, TaskKey, Token,
    VariantId, WorkerId,
};

use super::v1;
use crate::error::DecodeError;
use crate::noun::{Numbered, narrow, read_outcome, required};

/// The message of a sent form.
pub(super) fn to_worker(form: v1::ToWorker) -> Result<ToWorker, DecodeError> {
    let order = match required("a known order", form.order)? {
        v1::Order::Welcome(form) => {
            Order::Welcome { worker: WorkerId(form.worker), lease: form.lease_us.map(Span) }
        }
        v1::Order::Assign(form) => {
            Order::Assign(form.grants.into_iter().map(grant).collect::<Result<_, _>>()?)
        }
        v1::Order::Stop(form) => Order::Stop {
            leases: form.leases.iter().map(lease).collect(),
            how: Numbered::from_number(form.how)?,
        },
        v1::Order::Acknowledge(report) => Order::Acknowledge { report },
        v1::Order::Renew(beat) => Order::Renew { beat },
    };
    let (epoch, session, number) = (Epoch(form.epoch), form.session, form.number);
    Ok(ToWorker { epoch, session, number, order })
}

fn grant(form: v1::Grant) -> Result<Grant, DecodeError> {
    let lease = lease(&required("a lease", form.lease)?);
    Ok(Grant {
        attempt: AttemptId {
            key: lease.item,
            round: Round(narrow("round", form.round)?),
            attempt: Attempt(narrow("attempt", form.attempt)?),
        },
        token: lease.token,
        request: required("a request", form.request)?.try_into()?,
        devices: DeviceSet(form.devices),
        grace: Span(form.grace_us),
        variant: VariantId(narrow("variant", form.variant)?),
    })
}

const fn lease(form: &v1::Lease) -> LeaseId {
    let task = TaskKey { run: RunId(form.run), task: TaskId(form.task) };
    LeaseId { item: task.item(ItemId(form.item)), token: Token(form.token) }
}

/// The message of a sent form.
pub(super) fn from_worker(form: v1::FromWorker) -> Result<FromWorker, DecodeError> {
    let news = match required("known news", form.news)? {
        v1::News::Hello(form) => News::Hello {
            offers: required("a worker's offer", form.offers)?.try_into()?,
            lease: form.lease_us.map(Span),
            reports_from: form.reports_from,
        },
        v1::News::Beat(form) => {
            News::Beat { beat: form.beat, held: form.held.iter().map(lease).collect() }
        }
        v1::News::Reports(form) => News::Reports {
            first: form.first,
            reports: form.reports.into_iter().map(report).collect::<Result<_, _>>()?,
        },
    };
    let (instance, session, number) = (form.instance, form.session, form.number);
    Ok(FromWorker { name: form.name.into_boxed_str(), instance, session, number, news })
}

fn report(form: v1::Report) -> Result<Report, DecodeError> {
    let lease = lease(&required("a lease", form.lease)?);
    let event = match required("a known event", form.event)? {
        v1::Event::Started(_) => AttemptEvent::Started,
        v1::Event::Ended(form) => ended(*form)?,
        v1::Event::Returned(_) => AttemptEvent::Returned,
        v1::Event::Checkpointed(age_us) => AttemptEvent::Checkpointed { age: Span(age_us) },
    };
    Ok(Report { lease, event })
}

fn ended(form: v1::Ended) -> Result<AttemptEvent, DecodeError> {
    let v1::Ended { wall_us, cpu_us, peak_rss_kib, .. } = form;
    let v1::Ended { requests, tokens_in, tokens_out, cost_micro, .. } = form;
    let log = form.log.map(|log| LogRef {
        segment: log.segment,
        offset: log.offset,
        bytes: log.bytes,
        frames: log.frames,
    });
    let usage = Usage { wall_us, cpu_us, peak_rss_kib };
    let spent = Spent { requests, tokens_in, tokens_out, cost_micro };
    let output = form.output.map(OutputRef::try_from).transpose()?;
    let outcome = read_outcome(form.outcome, form.detail)?;
    let tasks = form.tasks.map(OutputRef::try_from).transpose()?;
    let end = AttemptEnd { usage, spent, log, output };
    let retry_after = form.retry_after_us.map(Span);
    Ok(AttemptEvent::Ended { outcome, end, tasks, retry_after })
}
