//! Facts with what the eighth format brought: work that can be done with other requests.

use model::fact::Restored;
use model::{Fact, VariantId};

/// A fact of a kind that was there before, with what came to it with alternatives.
pub(crate) fn alternative_facts() -> Vec<Fact> {
    vec![Fact::Restored(Box::new(Restored::Durations {
        workflow: "nightly".into(),
        policy: 2,
        variant: VariantId(1),
        recent_ms: [9_000, 8_500].into(),
    }))]
}
