//! What snapshots hold of live leases, and of what attempts had to give up.
//!
//! Plain data, as all facts.

use crate::{DeviceSet, ItemKey, Span, Timestamp, Token, VariantId, WorkerId};

/// A live lease in a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LeaseImage {
    /// The full identity of the attempt.
    pub item: ItemKey,
    /// What fences it.
    pub token: Token,
    /// Who has it.
    pub worker: WorkerId,
    /// In which way it is done.
    pub variant: VariantId,
    /// The worker's devices that it takes.
    pub devices: DeviceSet,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// When it last saved its work, if it said so.
    pub saved_at: Option<Timestamp>,
    /// Whether it has run for longer than it may.
    pub overran: bool,
    /// Since when others are to have its place, if they are.
    pub leaving_since: Option<Timestamp>,
    /// Where it stands beside the rest of its gang, if it is of one.
    pub standing: Standing,
}

/// Where the attempt of a member of a gang stands beside the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// It works, as one that is of no gang does.
    #[default]
    Working,
    /// It has done its work, and keeps its place until all have.
    Done,
    /// Another has ended badly, so its worker was told at this time to end it.
    Dismissed(Timestamp),
}

/// How often the attempts of an item had to make room for others in this round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PreemptedImage {
    /// How often.
    pub count: u32,
    /// How long they had worked since they last saved their work, all together.
    pub lost: Span,
    /// How long the item had to wait for its next attempt each time, all together.
    pub waited: Span,
    /// When it last made room, if no attempt has followed yet.
    pub left_at: Option<Timestamp>,
}

impl PreemptedImage {
    /// What making room has cost the item: work that was lost, and waiting.
    #[must_use]
    pub const fn cost(self) -> Span {
        Span(self.lost.0.saturating_add(self.waited.0))
    }
}
