//! A lease: who runs an item, and what fences it.

use model::fact::Standing;
use model::{DeviceSet, Round, Timestamp, Token, VariantId, WorkerId};

use super::ClassId;

/// The live lease of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The sequence number of the fact that made it.
    pub token: Token,
    /// Who runs it.
    pub worker: WorkerId,
    /// The round of its task.
    pub round: Round,
    /// In which way the work is done.
    pub variant: VariantId,
    /// The devices of the worker that it takes.
    pub devices: DeviceSet,
    /// What it takes of the worker, and of what is shared.
    pub class: ClassId,
    /// When it was given.
    pub leased_at: Timestamp,
    /// When it started, if it has.
    pub started_at: Option<Timestamp>,
    /// When its work was last saved, if it said so.
    pub saved_at: Option<Timestamp>,
    /// Whether it has run for longer than it may.
    pub overran: bool,
    /// Since when others are to have its place, if they are: its worker was told to end it.
    pub leaving_since: Option<Timestamp>,
    /// Where it stands beside the rest of its gang, if it is of one.
    pub standing: Standing,
}

impl Lease {
    /// Since when what it does is lost if it ends: since it last saved its work, or since it
    /// started, or was given.
    #[must_use]
    pub fn unsaved_since(&self) -> Timestamp {
        self.saved_at.or(self.started_at).unwrap_or(self.leased_at)
    }

    /// Whether its worker was told to end it, by itself and not with its run, or has ended it.
    #[must_use]
    pub const fn is_ending(&self) -> bool {
        self.overran || self.leaving_since.is_some() || !matches!(self.standing, Standing::Working)
    }

    /// Since when its worker has been told that its place is wanted, or that its gang has ended.
    #[must_use]
    pub const fn leaves_since(&self) -> Option<Timestamp> {
        match self.standing {
            Standing::Dismissed(at) => Some(at),
            Standing::Working | Standing::Done => self.leaving_since,
        }
    }
}
