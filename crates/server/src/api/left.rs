//! What tasks have left for later ones, as it is shown: outputs, and which rule of a decision
//! fired.
//!
//! It is read beside the driver, and only of what is shown. What cannot be read is left out.

use std::collections::HashMap;

use model::{ItemId, ItemKey, TaskKey};
use protocol::api::{Decided, ItemList};
use serde_json::Value;

use super::Service;
use crate::views::Names;

/// Bytes of outputs in one answer; the outputs of one item are shown whatever they have.
const OUTPUT_BYTES_MAX: usize = 1 << 20;
/// Items whose outputs are read at once.
const ITEMS_AT_ONCE: usize = 64;

impl Service {
    /// Puts the outputs of these items into the list, in order, until they are too many bytes.
    pub(super) async fn lay_outputs(&self, items: Vec<ItemKey>, list: &mut ItemList) {
        let reading = self.consult(move |history| {
            let (mut found, mut bytes) = (HashMap::new(), 0);
            for some in items.chunks(ITEMS_AT_ONCE) {
                for (item, outputs) in some.iter().zip(history.outputs(some)?) {
                    let Some(outputs) = outputs else { continue };
                    bytes += outputs.len();
                    if bytes > OUTPUT_BYTES_MAX && !found.is_empty() {
                        return Ok((found, true));
                    }
                    let outputs = serde_json::from_slice::<Value>(&outputs);
                    found.extend(outputs.ok().map(|outputs| (item.item.0, outputs)));
                }
            }
            Ok((found, false))
        });
        let Ok((mut found, is_cut)) = reading.await else { return };
        list.outputs_cut = is_cut;
        for item in &mut list.items {
            item.outputs = found.remove(&item.item);
        }
    }

    /// The rule of a decision that fired; `None` for what is no decision, or has not been made.
    pub(super) async fn decided(&self, names: Names, task: TaskKey) -> Option<Decided> {
        if !names.is_decision(task.task) {
            return None;
        }
        let item = task.item(ItemId(0));
        let read = self.consult(move |history| history.outputs(&[item])).await;
        let outputs = read.ok()?.pop()??;
        names.decided(task.task, |of_rule| of_rule == outputs)
    }
}
