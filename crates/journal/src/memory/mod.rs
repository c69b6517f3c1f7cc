//! A journal in memory on a disk with faults: what the simulator runs on.
//!
//! It keeps encoded frames, so the codec is exercised by everything that reads. It never reads a
//! clock: how long a call took is data for whoever owns the time. Equal calls under an equal plan
//! of faults give equal answers.

mod block;
mod disk;
mod fault;

use model::limits::LEADER_LEASE;
use model::{Digest, Epoch, ItemKey, Seq, Span, Timestamp};
use prost::Message;
use protocol::frame;

use crate::replay::{self, Replay};
use crate::{
    AcquireError, AppendError, Batch, Journal, Output, Position, ReadError, Sink, Snapshot,
};
use block::{Block, Contents, FrameRow, Leader, ObjectForm, OutputForm, SnapshotForm};
use disk::Disk;
pub use fault::{Fault, FaultPlan, Leftover, NoFaults, Operation};

/// A journal whose disk does what its plan says. Several coordinators may share one, as they would
/// share a store.
#[derive(Clone, Debug, Default)]
pub struct MemoryJournal<P = NoFaults> {
    disk: Disk,
    /// What the running system sees of the disk.
    contents: Contents,
    plan: P,
    removed: Removed,
    /// A sync has failed and nobody has restarted since.
    has_failed: bool,
    latency: Span,
}

/// Safety that is taken out on purpose, so that a test can show what it is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Nobody checks who leads, nor where the journal stands.
    pub fence: bool,
    /// Nothing is ever synced.
    pub sync: bool,
    /// The tail is not written again after a failed sync.
    pub rewrite: bool,
}

/// How a journal's process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Crash {
    /// The process dies; what it wrote stays in the system's cache.
    Process,
    /// The machine dies; what was not synced may be lost.
    Power,
}

impl MemoryJournal<NoFaults> {
    /// An empty journal on a disk that works.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl<P: FaultPlan> MemoryJournal<P> {
    /// An empty journal under a plan of faults.
    pub fn with_faults(plan: P) -> Self {
        Self::with_removed(plan, Removed::default())
    }

    /// An empty journal without some of its safety. Only for tests of tests.
    pub fn with_removed(plan: P, removed: Removed) -> Self {
        Self {
            disk: Disk::default(),
            contents: Contents::default(),
            plan,
            removed,
            has_failed: false,
            latency: Span::ZERO,
        }
    }

    /// The plan.
    pub const fn plan_mut(&mut self) -> &mut P {
        &mut self.plan
    }

    /// How long the calls since the last question took, by the plan.
    pub const fn take_latency(&mut self) -> Span {
        core::mem::replace(&mut self.latency, Span::ZERO)
    }

    /// Ends the process and starts it again: the journal is as the next start finds it.
    pub fn crash(&mut self, crash: Crash) {
        if crash == Crash::Power {
            let leftover = self.plan.leftover(self.disk.unsynced());
            self.disk.cut_power(leftover);
        }
        self.contents = Contents::default();
        for bytes in self.disk.recover() {
            let block = Block::decode(bytes.as_slice()).expect("its checksum is right");
            self.contents.apply(block);
        }
        if !self.removed.rewrite {
            self.disk.rewrite();
        }
        if !self.removed.sync {
            self.disk.sync();
        }
        self.has_failed = false;
    }

    /// Runs one transaction through the plan.
    fn commit(&mut self, operation: Operation, block: Block) -> Result<(), AppendError> {
        self.check_alive()?;
        let latency = self.plan.latency(operation);
        self.latency = Span(self.latency.0.saturating_add(latency.0));
        match self.plan.fault(operation) {
            Fault::None => {
                self.write(block);
                Ok(())
            }
            Fault::NoSpace => Err(AppendError::NoSpace),
            Fault::ReadOnly => Err(AppendError::ReadOnly),
            Fault::Io => Err(AppendError::Store("injected".to_owned())),
            Fault::Unknown { committed } => {
                if committed {
                    self.write(block);
                }
                Err(AppendError::Unknown("injected".to_owned()))
            }
            Fault::SyncFailed => {
                self.disk.write(&block.encode_to_vec());
                self.contents.apply(block);
                self.disk.fail_sync();
                self.has_failed = true;
                Err(sync_failed())
            }
            Fault::PowerCut => {
                self.disk.write(&block.encode_to_vec());
                self.crash(Crash::Power);
                Err(AppendError::Unknown("the power went".to_owned()))
            }
        }
    }

    fn write(&mut self, block: Block) {
        self.disk.write(&block.encode_to_vec());
        if !self.removed.sync {
            self.disk.sync();
        }
        self.contents.apply(block);
    }

    fn check_alive(&self) -> Result<(), AppendError> {
        if self.has_failed { Err(sync_failed()) } else { Ok(()) }
    }

    fn check_read(&mut self) -> Result<(), ReadError> {
        if self.has_failed {
            return Err(ReadError::SyncFailed("injected".to_owned()));
        }
        match self.plan.fault(Operation::Read) {
            Fault::Io => Err(ReadError::Store("injected".to_owned())),
            _ => Ok(()),
        }
    }

    fn check_fence(&self, epoch: Epoch) -> Result<(), AppendError> {
        let by = Epoch(self.contents.leader.epoch);
        if epoch != by && !self.removed.fence {
            return Err(AppendError::Fenced { by });
        }
        Ok(())
    }

    fn set_lease(&mut self, epoch: Epoch, until: Timestamp) -> Result<(), AppendError> {
        self.check_alive()?;
        self.check_fence(epoch)?;
        let leader = Leader { until: until.0, ..self.contents.leader.clone() };
        self.commit(Operation::Renew, Block { leader: Some(leader), ..Block::default() })
    }
}

fn sync_failed() -> AppendError {
    AppendError::SyncFailed("injected".to_owned())
}

impl<P: FaultPlan> Journal for MemoryJournal<P> {
    fn acquire(&mut self, holder: &str, now: Timestamp) -> Result<Epoch, AcquireError> {
        self.check_alive()?;
        let leader = &self.contents.leader;
        let until = self.contents.until();
        if leader.holder != holder && now < until {
            return Err(AcquireError::Held { by: leader.holder.clone(), until });
        }
        let epoch = Epoch(leader.epoch + 1);
        let until = now + LEADER_LEASE;
        let leader = Leader { epoch: epoch.0, holder: holder.to_owned(), until: until.0 };
        self.commit(Operation::Acquire, Block { leader: Some(leader), ..Block::default() })?;
        Ok(epoch)
    }

    fn renew(&mut self, epoch: Epoch, now: Timestamp) -> Result<(), AppendError> {
        self.set_lease(epoch, now + LEADER_LEASE)
    }

    fn release(&mut self, epoch: Epoch) -> Result<(), AppendError> {
        self.set_lease(epoch, Timestamp(0))
    }

    fn append(&mut self, batch: &Batch<'_>) -> Result<(), AppendError> {
        self.check_alive()?;
        self.check_fence(batch.epoch)?;
        let (last, _) = self.contents.last();
        if batch.after != last && !self.removed.fence {
            return Err(AppendError::Moved { last });
        }
        let frames = frame::encode_batch(batch.epoch, last.next(), batch.at, batch.facts)?;
        let outputs = batch.outputs.iter().map(|row| OutputForm {
            run: row.item.run.0,
            task: row.item.task.0,
            item: row.item.item.0,
            token: row.token.0,
            bytes: row.bytes.to_vec(),
        });
        let objects = batch
            .objects
            .iter()
            .map(|(digest, bytes)| ObjectForm { digest: digest.0.to_vec(), bytes: bytes.to_vec() });
        let epoch = batch.epoch.0;
        let frames = frames.into_iter();
        let frames = frames.map(|frame| FrameRow { last: frame.last.0, epoch, bytes: frame.bytes });
        let block = Block {
            frames: frames.collect(),
            outputs: outputs.collect(),
            objects: objects.collect(),
            ..Block::default()
        };
        self.commit(Operation::Append, block)
    }

    fn last(&mut self) -> Result<Position, ReadError> {
        self.check_read()?;
        let (seq, epoch) = self.contents.last();
        Ok(Position { seq, epoch })
    }

    fn read(&mut self, after: Seq, sink: &mut Sink<'_>) -> Result<(), ReadError> {
        self.check_read()?;
        let mut replay = Replay::new(after);
        let first = self.contents.frames.partition_point(|row| row.last <= after.0);
        for row in &self.contents.frames[first..] {
            if replay.frame(&row.bytes, sink)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn output(&mut self, item: ItemKey) -> Result<Option<Output>, ReadError> {
        self.check_read()?;
        Ok(self.contents.outputs.get(&item).cloned())
    }

    fn object(&mut self, digest: &Digest) -> Result<Option<Vec<u8>>, ReadError> {
        self.check_read()?;
        Ok(self.contents.objects.get(digest).cloned())
    }

    fn put_snapshot(&mut self, epoch: Epoch, snapshot: &Snapshot) -> Result<(), AppendError> {
        self.check_alive()?;
        self.check_fence(epoch)?;
        if snapshot.covers <= self.contents.covers() {
            return Ok(());
        }
        let facts = snapshot.facts.iter().map(|(seq, at, fact)| (*seq, *at, fact));
        let frames = frame::encode_history(epoch, facts)?;
        let frames = frames.into_iter().map(|frame| frame.bytes).collect();
        let form = SnapshotForm { covers: snapshot.covers.0, frames };
        self.commit(Operation::Snapshot, Block { snapshot: Some(form), ..Block::default() })
    }

    fn snapshot(&mut self) -> Result<Option<Snapshot>, ReadError> {
        self.check_read()?;
        let Some(form) = &self.contents.snapshot else { return Ok(None) };
        replay::snapshot(Seq(form.covers), form.frames.iter().map(Vec::as_slice)).map(Some)
    }

    fn cut(&mut self, up_to: Seq) -> Result<(), AppendError> {
        self.check_alive()?;
        let covers = self.contents.covers();
        if up_to > covers {
            return Err(AppendError::Uncovered { covers });
        }
        self.commit(Operation::Cut, Block::default())?;
        let frames = &mut self.contents.frames;
        let gone = frames.partition_point(|row| row.last <= up_to.0);
        frames.drain(..gone.min(frames.len().saturating_sub(1)));
        self.disk.replace(&self.contents.to_block().encode_to_vec());
        Ok(())
    }
}

#[cfg(test)]
mod tests;
