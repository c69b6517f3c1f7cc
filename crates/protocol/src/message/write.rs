//! From messages to their sent form.

use model::Outcome;
use model::message::{AttemptEvent, FromWorker, Grant, LeaseId, News, Order, Report, ToWorker};
use model::outcome::AttemptEnd;

use super::v1;
use crate::noun::{Nothing, Numbered, write_outcome};

/// The sent form of a message to a worker.
pub(super) fn to_worker(message: &ToWorker) -> v1::ToWorker {
    let order = match &message.order {
        Order::Welcome { worker, lease } => v1::Order::Welcome(v1::Welcome {
            worker: worker.0,
            lease_us: lease.map(|lease| lease.0),
        }),
        Order::Assign(grants) => {
            v1::Order::Assign(v1::Assign { grants: grants.iter().map(grant).collect() })
        }
        Order::Stop { leases, how } => v1::Order::Stop(v1::Stop {
            leases: leases.iter().map(lease).collect(),
            how: how.number(),
        }),
        Order::Acknowledge { report } => v1::Order::Acknowledge(*report),
        Order::Renew { beat } => v1::Order::Renew(*beat),
    };
    v1::ToWorker {
        epoch: message.epoch.0,
        session: message.session,
        number: message.number,
        order: Some(order),
    }
}

fn grant(grant: &Grant) -> v1::Grant {
    v1::Grant {
        lease: Some(lease(&grant.lease())),
        round: grant.attempt.round.0.into(),
        attempt: grant.attempt.attempt.0.into(),
        request: Some((&grant.request).into()),
        grace_us: grant.grace.0,
        variant: grant.variant.0.into(),
        devices: grant.devices.0,
    }
}

const fn lease(lease: &LeaseId) -> v1::Lease {
    let LeaseId { item, token } = lease;
    v1::Lease { run: item.run.0, task: item.task.0, item: item.item.0, token: token.0 }
}

/// The sent form of a message from a worker.
pub(super) fn from_worker(message: &FromWorker) -> v1::FromWorker {
    let news = match &message.news {
        News::Hello { offers, lease, reports_from } => v1::News::Hello(v1::Hello {
            offers: Some(offers.into()),
            lease_us: lease.map(|lease| lease.0),
            reports_from: *reports_from,
        }),
        News::Beat { beat, held } => {
            v1::News::Beat(v1::Beat { beat: *beat, held: held.iter().map(lease).collect() })
        }
        News::Reports { first, reports } => v1::News::Reports(v1::Reports {
            first: *first,
            reports: reports.iter().map(report).collect(),
        }),
    };
    v1::FromWorker {
        name: message.name.to_string(),
        instance: message.instance,
        session: message.session,
        number: message.number,
        news: Some(news),
    }
}

fn report(report: &Report) -> v1::Report {
    let event = match &report.event {
        AttemptEvent::Started => v1::Event::Started(Nothing {}),
        AttemptEvent::Ended { outcome, end, tasks, retry_after } => {
            v1::Event::Ended(Box::new(v1::Ended {
                tasks: tasks.map(Into::into),
                retry_after_us: retry_after.map(|span| span.0),
                ..ended(*outcome, end)
            }))
        }
        AttemptEvent::Returned => v1::Event::Returned(Nothing {}),
        AttemptEvent::Checkpointed { age } => v1::Event::Checkpointed(age.0),
    };
    v1::Report { lease: Some(lease(&report.lease)), event: Some(event) }
}

fn ended(outcome: Outcome, end: &AttemptEnd) -> v1::Ended {
    let (outcome, detail) = write_outcome(outcome);
    v1::Ended {
        outcome,
        detail,
        wall_us: end.usage.wall_us,
        cpu_us: end.usage.cpu_us,
        peak_rss_kib: end.usage.peak_rss_kib,
        log: end.log.map(|log| v1::Log {
            segment: log.segment,
            offset: log.offset,
            bytes: log.bytes,
            frames: log.frames,
        }),
        output: end.output.map(Into::into),
        requests: end.spent.requests,
        tokens_in: end.spent.tokens_in,
        tokens_out: end.spent.tokens_out,
        cost_micro: end.spent.cost_micro,
        tasks: None,
        retry_after_us: None,
    }
}
