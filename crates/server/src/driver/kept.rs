//! What goes with facts: outputs into the batch of the fact that names them, and successes of
//! tasks with a cache into that.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use model::fact::MarkCause;
use model::{Fact, IdSet, ItemId, ItemKey, Outcome, Seq, TaskId, TaskKey, Timestamp, Token};
use stores::catalog::CacheEntry;

use crate::cache::Keys;

/// Outputs that are stored with a batch.
pub(super) type Kept = (ItemKey, Token, Arc<[u8]>);

/// Moves the outputs that a fact names into its batch.
pub(super) fn keep_outputs(
    fact: &Fact,
    arrived: &mut HashMap<ItemKey, (Token, Vec<u8>)>,
    kept: &mut Vec<Kept>,
) {
    let mut keep = |key: ItemKey| {
        if let Some((token, bytes)) = arrived.remove(&key) {
            kept.push((key, token, bytes.into()));
        }
    };
    match fact {
        Fact::AttemptsEnded(ended) => {
            let named = ended.ends.iter().filter(|(_, end)| end.output.is_some());
            named.for_each(|(item, _)| keep(ended.task.item(*item)));
        }
        Fact::TaskAnswered(answered) if answered.output.is_some() => {
            keep(answered.task.item(ItemId(0)));
        }
        Fact::TaskSettled { task, output: Some(_), .. } => keep(task.item(ItemId(0))),
        Fact::Marked(marked) => {
            // Items that were done before bring their outputs without a name in the fact.
            let one = marked.output.as_ref().map(|_| IdSet::one(0));
            let is_cached = marked.cause == MarkCause::Cache;
            let items = one.or_else(|| marked.items.clone().filter(|_| is_cached));
            let only = marked.tasks.iter().next().map(TaskId);
            if let Some((task, items)) = only.zip(items) {
                let task = TaskKey { run: marked.run, task };
                items.iter().for_each(|item| keep(task.item(ItemId(item))));
            }
        }
        _ => {}
    }
}

/// Notes what of a fact is to be kept in the cache: successes of tasks whose keys are known, with
/// the outputs that came with them.
pub(super) fn note_cached(
    (fact, seq, at): (&Fact, Seq, Timestamp),
    keys: &HashMap<TaskKey, Keys>,
    (outputs, to_cache): (&[Kept], &mut VecDeque<(Seq, CacheEntry)>),
) {
    let Fact::AttemptsEnded(ended) = fact else { return };
    let Some(keys) = keys.get(&ended.task).filter(|_| ended.outcome == Outcome::Succeeded) else {
        return;
    };
    let outputs: HashMap<ItemKey, &[u8]> =
        outputs.iter().map(|(key, _, bytes)| (*key, &**bytes)).collect();
    for (item, _) in &ended.ends {
        let bytes = outputs.get(&ended.task.item(*item)).copied().unwrap_or_default();
        let entry = keys.entry(ended.task, *item, (at, bytes));
        to_cache.extend(entry.map(|entry| (seq, entry)));
    }
}
