//! What a task asks when its join is met: whether it runs, over which items, by which route, and
//! whether a loop goes on.
//!
//! Pure: the same question with the same outputs has the same reply. It is given once, recorded,
//! and never worked out again. It never fails; what cannot be worked out is a reply, too.

use minijinja::value::Value;
use model::control::ControlAnswer;
use model::limits::OUTPUT_BYTES_MAX;
use model::{Digest, ItemId, RunId, TaskId, TaskStatus, Timestamp};
use serde_json::{Value as Json, json};

use crate::decision::Decision;
use crate::definition::{Action, Definition, LateItems, Scene, Upstream};
use crate::expression::{is_true, to_json};
use crate::instant;
use crate::items::Workshop;
use crate::limits::LIST_BYTES_MAX;
use crate::template::{Bounded, expression_references};

/// A question.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// Who asks.
    pub task: TaskId,
    /// The turn of the loop that it is in or ends, from 1.
    pub turn: u16,
    /// What the tasks before it have come to.
    pub upstream: &'a dyn Upstream,
    /// The time.
    pub now: Timestamp,
    /// The run.
    pub run: RunId,
}

/// The reply to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The answer. [`ControlAnswer::FanOut`] names the list by the BLAKE3 hash of its bytes.
    pub answer: ControlAnswer,
    /// The outputs of the task: canonical JSON of at most [`OUTPUT_BYTES_MAX`] bytes. Of a
    /// decision `{"route", "rule", "value"}`; of what is [`ControlAnswer::Invalid`] `{"error"}`.
    pub output: Option<Vec<u8>>,
    /// The items of a fan-out: a JSON array. Their values are given back by
    /// [`Upstream::item_value`].
    pub list: Option<Vec<u8>>,
}

impl Reply {
    fn plain(answer: ControlAnswer) -> Self {
        Self { answer, output: None, list: None }
    }

    fn with(answer: ControlAnswer, output: &Json) -> Self {
        let bytes = output.to_string().into_bytes();
        if bytes.len() > OUTPUT_BYTES_MAX {
            let bytes_max = OUTPUT_BYTES_MAX;
            return Self::invalid(&format!("its outputs have more than {bytes_max} bytes"));
        }
        Self { answer, output: Some(bytes), list: None }
    }

    fn invalid(reason: &str) -> Self {
        const CHARS_MAX: usize = 2_000;
        let reason: String = reason.chars().take(CHARS_MAX).collect();
        let output = json!({"error": reason}).to_string().into_bytes();
        Self { answer: ControlAnswer::Invalid, output: Some(output), list: None }
    }
}

impl Definition {
    /// Replies to what a task asks.
    #[must_use]
    pub fn answer(&self, question: &Question<'_>) -> Reply {
        let Question { task, turn, upstream, now, run } = *question;
        let Some(defined) = self.get(task) else {
            return Reply::invalid(&format!("there is no task number {task}"));
        };
        let scene = Scene {
            definition: self,
            task,
            defined,
            item: None,
            upstream,
            round: turn,
            run: Some(run),
            is_expression: true,
        };
        scene.reply(now).unwrap_or_else(|reason| Reply::invalid(&reason))
    }
}

impl Scene<'_> {
    fn reply(&self, now: Timestamp) -> Result<Reply, String> {
        let control = self.defined.control.as_deref();
        if let Some(when) = control.and_then(|control| control.when.as_deref())
            && !is_true(&self.evaluate(when).map_err(|reason| format!("`when`: {reason}"))?)
        {
            return Ok(Reply::plain(ControlAnswer::Skip));
        }
        if let Some(late) = control.and_then(|control| control.late.as_ref()) {
            return self.fan_out(late);
        }
        match &self.defined.action {
            Action::Decision(decision) => self.decide(decision),
            Action::Result(expression) => {
                let value = to_json(&self.evaluate(expression)?)?;
                Ok(Reply::with(ControlAnswer::Route(0), &json!({"result": value})))
            }
            Action::Until { expression, ends, knows_status } => {
                self.turn(expression, ends, *knows_status).map(Reply::plain)
            }
            Action::Timer(Some(expression)) => {
                let at = time(&self.evaluate(expression)?)?;
                Ok(Reply::plain(ControlAnswer::Until(at.max(now))))
            }
            _ => Ok(Reply::plain(ControlAnswer::Begin)),
        }
    }

    fn decide(&self, decision: &Decision) -> Result<Reply, String> {
        for (rule, number) in decision.rules.iter().zip(1..) {
            let holds = match &rule.when {
                None => true,
                Some(when) => {
                    let value = self.evaluate(when);
                    is_true(&value.map_err(|reason| format!("rule {number}: {reason}"))?)
                }
            };
            if holds {
                let output = json!({"rule": number, "route": rule.name, "value": rule.value});
                return Ok(Reply::with(ControlAnswer::Route(rule.route), &output));
            }
        }
        let output = json!({"rule": null, "route": null, "value": null});
        Ok(Reply::with(ControlAnswer::Route(0), &output))
    }

    /// Whether the body runs again. A failure ends the loop, unless its expression looks at how
    /// the body has ended.
    fn turn(
        &self,
        expression: &str,
        ends: &[u32],
        knows_status: bool,
    ) -> Result<ControlAnswer, String> {
        let failed = ends.iter().map(|&end| TaskId(end)).find(|&end| {
            matches!(self.upstream.status(end), TaskStatus::Failed | TaskStatus::TimedOut)
        });
        if let Some(failed) = failed.filter(|_| !knows_status) {
            let name = self.definition.task_name(failed);
            return Err(format!("`{name}` failed in round {}", self.round));
        }
        let value = self.evaluate(expression);
        let is_done = is_true(&value.map_err(|reason| format!("`until`: {reason}"))?);
        Ok(if is_done { ControlAnswer::Done } else { ControlAnswer::Again })
    }

    fn fan_out(&self, late: &LateItems) -> Result<Reply, String> {
        let references: Vec<_> = late.source.texts().flat_map(expression_references).collect();
        let context = self.context(&references)?;
        let (templates, environment) = self.definition.engine();
        let read = |_: &str| Err("a file is read before the run alone".to_owned());
        let max_items = late.max_items;
        let workshop =
            Workshop { templates, environment, context: &context, max_items, read: &read };
        let items =
            workshop.items(&late.source).map_err(|reason| format!("`foreach`: {reason}"))?;
        let batch = self.defined.batch();
        let count = items.batches(batch).unwrap_or(0);
        let list = Stored((0..count).filter_map(|item| items.batch_value(ItemId(item), batch)));
        let mut bytes = Bounded::new(LIST_BYTES_MAX);
        serde_json::to_writer(&mut bytes, &list)
            .map_err(|_| format!("`foreach`: the list has more than {LIST_BYTES_MAX} bytes"))?;
        let bytes = bytes.into_bytes();
        let list = Digest(*blake3::hash(&bytes).as_bytes());
        let answer = ControlAnswer::FanOut { items: count, list };
        Ok(Reply { answer, output: None, list: Some(bytes) })
    }
}

/// A list that is written value by value.
struct Stored<I>(I);

impl<I: Iterator<Item = Json> + Clone> serde::Serialize for Stored<I> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.clone())
    }
}

/// A time as a text, or as seconds since 1970.
fn time(value: &Value) -> Result<Timestamp, String> {
    if let Some(text) = value.as_str() {
        return instant::parse(text);
    }
    let seconds = f64::try_from(value.clone()).ok().and_then(instant::from_seconds);
    seconds
        .ok_or_else(|| format!("`until` takes a time, and the expression gives a {}", value.kind()))
}
