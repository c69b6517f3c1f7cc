//! One transaction as the bytes of a block, and the contents that the blocks add up to.

use std::collections::BTreeMap;

use model::{Digest, Epoch, ItemId, ItemKey, RunId, Seq, TaskId, Timestamp, Token};
use prost::Message;

use crate::Output;

/// What one transaction changes.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Block {
    #[prost(message, optional, tag = "1")]
    pub(super) leader: Option<Leader>,
    #[prost(message, repeated, tag = "2")]
    pub(super) frames: Vec<FrameRow>,
    #[prost(message, repeated, tag = "3")]
    pub(super) outputs: Vec<OutputForm>,
    #[prost(message, repeated, tag = "4")]
    pub(super) objects: Vec<ObjectForm>,
    #[prost(message, optional, tag = "5")]
    pub(super) snapshot: Option<SnapshotForm>,
}

/// Who leads.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Leader {
    #[prost(uint64, tag = "1")]
    pub(super) epoch: u64,
    #[prost(string, tag = "2")]
    pub(super) holder: String,
    #[prost(uint64, tag = "3")]
    pub(super) until: u64,
}

/// A frame and what is asked about it.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct FrameRow {
    #[prost(uint64, tag = "1")]
    pub(super) last: u64,
    #[prost(uint64, tag = "2")]
    pub(super) epoch: u64,
    #[prost(bytes = "vec", tag = "3")]
    pub(super) bytes: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct OutputForm {
    #[prost(uint64, tag = "1")]
    pub(super) run: u64,
    #[prost(uint32, tag = "2")]
    pub(super) task: u32,
    #[prost(uint32, tag = "3")]
    pub(super) item: u32,
    #[prost(uint64, tag = "4")]
    pub(super) token: u64,
    #[prost(bytes = "vec", tag = "5")]
    pub(super) bytes: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct ObjectForm {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) digest: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) bytes: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct SnapshotForm {
    #[prost(uint64, tag = "1")]
    pub(super) covers: u64,
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub(super) frames: Vec<Vec<u8>>,
}

/// What all transactions so far add up to.
#[derive(Clone, Debug, Default)]
pub(super) struct Contents {
    pub(super) leader: Leader,
    pub(super) frames: Vec<FrameRow>,
    pub(super) outputs: BTreeMap<ItemKey, Output>,
    pub(super) objects: BTreeMap<Digest, Vec<u8>>,
    pub(super) snapshot: Option<SnapshotForm>,
}

impl Contents {
    /// The last fact and its term.
    pub(super) fn last(&self) -> (Seq, Epoch) {
        self.frames.last().map_or_else(Default::default, |row| (Seq(row.last), Epoch(row.epoch)))
    }

    /// The last fact that the snapshot covers; 0 without a snapshot.
    pub(super) fn covers(&self) -> Seq {
        Seq(self.snapshot.as_ref().map_or(0, |snapshot| snapshot.covers))
    }

    /// Until when the leader's lease lasts.
    pub(super) const fn until(&self) -> Timestamp {
        Timestamp(self.leader.until)
    }

    /// Adds a transaction.
    pub(super) fn apply(&mut self, block: Block) {
        let Block { leader, frames, outputs, objects, snapshot } = block;
        if let Some(leader) = leader {
            self.leader = leader;
        }
        self.frames.extend(frames);
        outputs.into_iter().for_each(|row| self.apply_output(row));
        for object in objects {
            if let Ok(digest) = object.digest.as_slice().try_into() {
                self.objects.insert(Digest(digest), object.bytes);
            }
        }
        if let Some(snapshot) = snapshot {
            self.snapshot = Some(snapshot);
        }
    }

    fn apply_output(&mut self, row: OutputForm) {
        let (run, task, item) = (RunId(row.run), TaskId(row.task), ItemId(row.item));
        let output = Output { token: Token(row.token), bytes: row.bytes };
        let key = ItemKey { run, task, item };
        if self.outputs.get(&key).is_none_or(|old| old.token <= output.token) {
            self.outputs.insert(key, output);
        }
    }

    /// All of it as one transaction.
    pub(super) fn to_block(&self) -> Block {
        let outputs = self.outputs.iter().map(|(item, output)| OutputForm {
            run: item.run.0,
            task: item.task.0,
            item: item.item.0,
            token: output.token.0,
            bytes: output.bytes.clone(),
        });
        let objects = self
            .objects
            .iter()
            .map(|(digest, bytes)| ObjectForm { digest: digest.0.to_vec(), bytes: bytes.clone() });
        Block {
            leader: Some(self.leader.clone()),
            frames: self.frames.clone(),
            outputs: outputs.collect(),
            objects: objects.collect(),
            snapshot: self.snapshot.clone(),
        }
    }
}
