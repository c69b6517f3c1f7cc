//! Why something could not be worked out, or not be prepared, in the words of whoever found out.
//!
//! It is told beside the rest: what cannot be read is left out, and never refuses an answer. It is
//! read beside the driver, and only of what is shown.

use std::collections::HashMap;

use artifacts::logs::{self, Chunk, Content, Owner, Stream};
use model::outcome::LogRef;
use model::{ItemKey, RunId, Seq};
use serde_json::Value;

use super::Service;
use super::source::Source;
use crate::home::Home;
use crate::views::ReasonAt;

/// Pieces of a log in whose last line the worker speaks: it may be cut in two.
const LAST_FRAMES: u32 = 2;
/// What the worker's own lines in a log begin with.
const WORKER_SAYS: &str = "autoglm: ";

/// The facts of a run: where they are, and from where on.
pub(super) struct Facts {
    pub run: RunId,
    pub source: Source,
    pub admitted: Seq,
}

impl Service {
    /// The reasons that stand there, in the same order.
    pub(super) async fn reasons(
        &self,
        wanted: Vec<Option<ReasonAt>>,
        facts: Facts,
    ) -> Vec<Option<String>> {
        let (mut in_outputs, mut in_logs) = (Vec::new(), Vec::new());
        for at in wanted.iter().flatten() {
            match *at {
                ReasonAt::Outputs(item) => in_outputs.push(item),
                ReasonAt::Log(item) => in_logs.push(item),
            }
        }
        let mut found = self.in_outputs(in_outputs).await;
        found.extend(self.in_logs(in_logs, facts).await);
        let reason = |at: Option<ReasonAt>| match at? {
            ReasonAt::Outputs(item) | ReasonAt::Log(item) => found.get(&item).cloned(),
        };
        wanted.into_iter().map(reason).collect()
    }

    async fn in_outputs(&self, items: Vec<ItemKey>) -> HashMap<ItemKey, String> {
        if items.is_empty() {
            return HashMap::new();
        }
        let asked = items.clone();
        let outputs = self.consult(move |history| history.outputs(&asked)).await;
        let outputs = items.into_iter().zip(outputs.unwrap_or_default());
        outputs.filter_map(|(item, bytes)| Some((item, error_in(&bytes?)?))).collect()
    }

    async fn in_logs(&self, items: Vec<ItemKey>, facts: Facts) -> HashMap<ItemKey, String> {
        if items.is_empty() {
            return HashMap::new();
        }
        let Facts { run, admitted, source } = facts;
        let logs = self.aside((run, admitted), source, move |aside| {
            let logs = items.into_iter().map(|item| (item, aside.log(item)));
            logs.collect::<Vec<_>>()
        });
        let logs = logs.await.unwrap_or_default();
        let home = self.context.home.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let read =
                logs.into_iter().filter_map(|(item, log)| Some((item, said(&home, item, log?)?)));
            read.collect()
        });
        reading.await.unwrap_or_default()
    }
}

/// The reason in outputs.
fn error_in(outputs: &[u8]) -> Option<String> {
    let outputs: Value = serde_json::from_slice(outputs).ok()?;
    outputs["error"].as_str().map(str::to_owned)
}

/// What the worker said last in a log.
fn said(home: &Home, item: ItemKey, log: LogRef) -> Option<String> {
    let owner = Owner { item, token: None };
    let from = log.frames.saturating_sub(LAST_FRAMES);
    let log = logs::read(&home.logs(), log, owner, from).ok()?;
    let bytes: Vec<u8> = log.chunks.into_iter().flat_map(errors).collect();
    let text = String::from_utf8_lossy(&bytes);
    Some(text.trim_end().lines().next_back()?.strip_prefix(WORKER_SAYS)?.to_owned())
}

fn errors(chunk: Chunk) -> Vec<u8> {
    match chunk.content {
        Content::Output(Stream::Err, bytes) => bytes,
        _ => Vec::new(),
    }
}
