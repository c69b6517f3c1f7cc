//! Messages of every kind with any content, and what must hold for all of them.

use model::message::{
    AttemptEvent, FromWorker, Grant, LeaseId, News, Order, Report, StopKind, ToWorker,
};
use model::{Attempt, AttemptId, DeviceSet, Epoch, Round, Span, Token, VariantId, WorkerId};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::sample::select;

use super::{decode_from_worker, decode_to_worker, encode_from_worker, encode_to_worker};
use crate::record::arbitrary::{attempt_end, item, offers, outcome, output, request};

/// All ways to stop.
pub(super) const STOPS: [StopKind; 5] =
    [StopKind::Retract, StopKind::Cancel, StopKind::TimeOut, StopKind::Terminate, StopKind::Revoke];

fn lease() -> impl Strategy<Value = LeaseId> {
    (item(), any::<u64>()).prop_map(|(item, token)| LeaseId { item, token: Token(token) })
}

fn span() -> impl Strategy<Value = Span> {
    any::<u64>().prop_map(Span)
}

fn grant() -> impl Strategy<Value = Grant> {
    (lease(), any::<[u16; 2]>(), request(), span(), any::<u8>()).prop_map(
        |(lease, [round, attempt], request, grace, variant)| Grant {
            attempt: AttemptId { key: lease.item, round: Round(round), attempt: Attempt(attempt) },
            token: lease.token,
            devices: DeviceSet(u64::from(lease.item.item.0) << 31),
            request,
            grace,
            variant: VariantId(variant),
        },
    )
}

fn to_worker() -> impl Strategy<Value = ToWorker> {
    let order = prop_oneof![
        (any::<u32>(), of(span()))
            .prop_map(|(worker, lease)| Order::Welcome { worker: WorkerId(worker), lease }),
        vec(grant(), 0..4).prop_map(Order::Assign),
        (vec(lease(), 0..4), select(STOPS.to_vec()))
            .prop_map(|(leases, how)| Order::Stop { leases, how }),
        any::<u64>().prop_map(|report| Order::Acknowledge { report }),
        any::<u64>().prop_map(|beat| Order::Renew { beat }),
    ];
    (any::<[u64; 3]>(), order).prop_map(|([epoch, session, number], order)| ToWorker {
        epoch: Epoch(epoch),
        session,
        number,
        order,
    })
}

fn from_worker() -> impl Strategy<Value = FromWorker> {
    let event = prop_oneof![
        Just(AttemptEvent::Started),
        Just(AttemptEvent::Returned),
        span().prop_map(|age| AttemptEvent::Checkpointed { age }),
        (outcome(), attempt_end(), of(output()), of(span())).prop_map(
            |(outcome, end, tasks, retry_after)| AttemptEvent::Ended {
                outcome,
                end,
                tasks,
                retry_after,
            }
        ),
    ];
    let report = (lease(), event).prop_map(|(lease, event)| Report { lease, event });
    let news = prop_oneof![
        (offers(), of(span()), any::<u64>()).prop_map(|(offers, lease, reports_from)| {
            News::Hello { offers, lease, reports_from }
        }),
        (any::<u64>(), vec(lease(), 0..4)).prop_map(|(beat, held)| News::Beat { beat, held }),
        (any::<u64>(), vec(report, 0..4))
            .prop_map(|(first, reports)| News::Reports { first, reports }),
    ];
    (".{0,9}", any::<[u64; 3]>(), news).prop_map(|(name, [instance, session, number], news)| {
        FromWorker { name: name.into_boxed_str(), instance, session, number, news }
    })
}

proptest! {
    #[test]
    fn any_message_to_a_worker_goes_both_ways(message in to_worker()) {
        assert_eq!(decode_to_worker(&encode_to_worker(&message)), Ok(message));
    }

    #[test]
    fn any_message_from_a_worker_goes_both_ways(message in from_worker()) {
        assert_eq!(decode_from_worker(&encode_from_worker(&message)), Ok(message));
    }

    #[test]
    fn any_bytes_end_in_a_message_or_an_error(bytes in vec(any::<u8>(), 0..200)) {
        let _ = decode_to_worker(&bytes);
        let _ = decode_from_worker(&bytes);
    }
}
