//! What readers are shown: the durable state, and never memory ahead of it.

use journal::Entry;
use model::Seq;
use protocol::api;

use super::{Driver, Outgoing};
use crate::handle::{Patience, Question, View};
use crate::replay::replay;

impl Driver {
    pub(super) fn answer(&mut self, question: Question, patience: Patience) {
        let is_ahead = self.pipeline.durable() < self.parts.engine.state().last();
        if is_ahead && self.storage_is != api::Storage::Ok && patience == Patience::UntilDurable {
            self.copy_durable();
        }
        let (engine, shelf, patience) = match &self.durable_copy {
            Some(copy) => (&copy.engine, &copy.shelf, Patience::None),
            None => (&self.parts.engine, &self.parts.shelf, patience),
        };
        let view = View {
            engine,
            shelf,
            live_logs: &self.live_logs,
            enforced: Some(&self.enforced),
            pools: &self.pools,
            now: self.parts.clock.now(),
            storage: self.storage_is,
            durable: self.pipeline.durable(),
        };
        let reply = question(&view);
        if patience == Patience::None {
            return reply();
        }
        self.pipeline.push(self.parts.engine.state().last(), Outgoing::Reply(reply));
    }

    /// Makes the state that readers are shown while nothing can be stored, which may be for hours.
    fn copy_durable(&mut self) {
        if self.durable_copy.is_none() {
            let replayed = replay(&mut *self.parts.reader, &self.parts.objects);
            // What cannot be read now is told when it can be stored again.
            self.durable_copy = replayed.ok();
        }
    }

    pub(super) fn history(&mut self, after: Seq, limit: usize) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut sink = |entry: Entry| {
            entries.push(entry);
            if entries.len() < limit {
                std::ops::ControlFlow::Continue(())
            } else {
                std::ops::ControlFlow::Break(())
            }
        };
        // What cannot be read is not shown; `journal verify` tells what is wrong with it.
        let _ = self.parts.reader.read(after, &mut sink);
        entries
    }
}
