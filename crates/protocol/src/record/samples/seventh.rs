//! Facts with what the seventh format brought: sites of workers, and attempts that make room.

use model::fact::{AttemptsEnded, LeaseImage, Restored, Standing, WorkerJoined};
use model::outcome::{AttemptEnd, Then};
use model::{DeviceSet, Fact, ItemId, Offers, Outcome, Site, Span, Token, VariantId, WorkerId};

use super::{AT, TASK};

/// A fact of a kind that was there before, with what came to it with sites.
pub(crate) fn site_facts() -> Vec<Fact> {
    vec![Fact::WorkerJoined(Box::new(WorkerJoined {
        worker: WorkerId(3),
        name: "node-1".into(),
        instance: 9,
        offers: site_offers(),
        lease: None,
    }))]
}

/// What a worker offers that has labels and taints.
pub(crate) fn site_offers() -> Offers {
    let labels = [("zone", "a"), ("disk", "ssd")].map(|(key, value)| (key.into(), value.into()));
    Offers { site: Site::new(labels, ["reserved".into()]), ..Offers::default() }
}

/// Facts of kinds that were there before, with what came to them with attempts that save their work
/// and make room.
pub(crate) fn preemption_facts() -> Vec<Fact> {
    let lease = Restored::Lease(LeaseImage {
        item: TASK.item(ItemId(7)),
        token: Token(78),
        worker: WorkerId(3),
        variant: VariantId(0),
        devices: DeviceSet::EMPTY,
        started_at: Some(AT),
        saved_at: Some(AT + Span::secs(40)),
        overran: false,
        leaving_since: Some(AT + Span::secs(60)),
        standing: Standing::Working,
    });
    let ended = AttemptsEnded {
        task: TASK,
        outcome: Outcome::Preempted,
        then: Then::Retry { at: AT },
        ends: vec![(ItemId(7), AttemptEnd::default())],
    };
    vec![Fact::AttemptsEnded(Box::new(ended)), Fact::Restored(Box::new(lease))]
}
