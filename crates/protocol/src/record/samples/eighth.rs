//! Facts with what the eighth format brought: work that can be done with other requests, and gangs.

use model::fact::{AttemptsEnded, GangPart, LeaseImage, Restored, Standing};
use model::outcome::Then;
use model::{DeviceSet, Fact, ItemId, Outcome, Span, Token, VariantId, WorkerId};

use super::{AT, TASK, attempt_end};

/// The members of a gang begin, on two workers.
pub(crate) fn gang_leased() -> Fact {
    let part = |items, worker, devices| GangPart {
        items,
        worker: WorkerId(worker),
        devices: DeviceSet(devices),
    };
    Fact::GangLeased {
        task: TASK,
        parts: vec![part(0..1, 3, 1 << 63), part(1..2, 3, 5), part(2..400, 4, 0)],
    }
}

/// Facts of kinds that were there before, with what came to them with gangs.
pub(crate) fn gang_facts() -> Vec<Fact> {
    let lease = |item, standing| {
        Restored::Lease(LeaseImage {
            item: TASK.item(ItemId(item)),
            token: Token(78),
            worker: WorkerId(3),
            variant: VariantId(0),
            devices: DeviceSet::EMPTY,
            started_at: Some(AT),
            saved_at: None,
            overran: false,
            leaving_since: None,
            standing,
        })
    };
    let ended = AttemptsEnded {
        task: TASK,
        outcome: Outcome::Succeeded,
        then: Then::WithGang,
        ends: vec![(ItemId(7), attempt_end(7))],
    };
    let leases = [lease(7, Standing::Done), lease(8, Standing::Dismissed(AT + Span::secs(1)))];
    let leases = leases.map(|lease| Fact::Restored(Box::new(lease)));
    [Fact::AttemptsEnded(Box::new(ended))].into_iter().chain(leases).collect()
}

/// A fact of a kind that was there before, with what came to it with alternatives.
pub(crate) fn alternative_facts() -> Vec<Fact> {
    vec![Fact::Restored(Box::new(Restored::Durations {
        workflow: "nightly".into(),
        policy: 2,
        variant: VariantId(1),
        recent_ms: [9_000, 8_500].into(),
    }))]
}
