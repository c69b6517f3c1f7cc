//! S4: what is started on a node never exceeds it, and an item has at most one process there.

use model::collections::HashMap;
use model::{ItemKey, Request};

use crate::plan::NodePlan;

/// What runs on a node, counted by the world.
#[derive(Debug, Default)]
pub struct Room {
    running: HashMap<ItemKey, Request>,
    cpu_milli: u64,
    slots: u64,
}

impl Room {
    /// A process starts.
    ///
    /// # Errors
    /// It does not fit, or another of the same item is there.
    pub fn start(
        &mut self,
        node: &NodePlan,
        item: ItemKey,
        request: &Request,
    ) -> Result<(), String> {
        self.cpu_milli += request.cpu_milli;
        self.slots += slots(request);
        if self.running.insert(item, request.clone()).is_some() {
            return Err(format!("two processes of {item:?} live on one node"));
        }
        if self.cpu_milli > node.cpu_milli || self.slots > node.slots {
            return Err(format!(
                "{} milli-cores and {} slots are started on a node of {} and {}",
                self.cpu_milli, self.slots, node.cpu_milli, node.slots
            ));
        }
        Ok(())
    }

    /// A process is gone.
    pub fn end(&mut self, item: ItemKey) {
        if let Some(request) = self.running.remove(&item) {
            self.cpu_milli -= request.cpu_milli;
            self.slots -= slots(&request);
        }
    }

    /// How many processes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.running.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }
}

fn slots(request: &Request) -> u64 {
    request.custom.iter().map(|(_, amount)| amount).sum()
}
