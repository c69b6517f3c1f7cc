//! The variables that tell the member of a gang where it stands among the others.

use engine::state::State;
use model::{ItemId, ItemKey};

/// Where the first member is when all are on one node.
const HERE: &str = "127.0.0.1";

/// How many members the gang of an item has, which of them it is, and where the first one is: its
/// node, by the name that this has. Nothing if it is of no gang.
pub(super) fn variables(state: &State, key: ItemKey) -> Vec<(String, String)> {
    let Some(run) = state.run(key.run).filter(|run| run.is_gang(key.task)) else {
        return Vec::new();
    };
    let size = run.item_count(key.task);
    let worker = |item| state.lease(key.task_key().item(ItemId(item))).map(|lease| lease.worker);
    let first = worker(0);
    let others = (1..size).filter_map(worker);
    let elsewhere = first.filter(|&first| others.into_iter().any(|other| other != first));
    let known = elsewhere.and_then(|first| state.worker(first));
    let address = known.map_or(HERE, |worker| &worker.name);
    [
        ("AUTOGLM_GANG_SIZE", size.to_string()),
        ("AUTOGLM_GANG_RANK", key.item.to_string()),
        ("AUTOGLM_GANG_ADDRESS", address.to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}
