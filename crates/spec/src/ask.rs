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
use crate::definition::{Action, Definition, End, LateItems, Scene, Upstream};
use crate::expression::{is_true, to_json};
use crate::instant;
use crate::items::{ItemsSource, Workshop};
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

    /// That it cannot be worked out, and why.
    #[must_use]
    pub fn invalid(reason: &str) -> Self {
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
            frame: defined.frame,
            scope: &defined.scope,
            item: None,
            upstream,
            round: turn,
            run: Some(run),
            output: None,
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
            Action::End(end) => self.gather(end),
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
                let answer = ControlAnswer::Route(rule.route);
                return Ok(Reply::with(answer, &rule.output(number)));
            }
        }
        let output = json!({"rule": null, "route": null, "value": null});
        Ok(Reply::with(ControlAnswer::Route(0), &output))
    }

    /// The outputs of a file that is a part of another.
    fn gather(&self, end: &End) -> Result<Reply, String> {
        let mut outputs = serde_json::Map::new();
        for (key, expression) in &end.outputs {
            let value = self.evaluate(expression);
            let value = value.map_err(|reason| format!("the output `{key}`: {reason}"))?;
            outputs.insert(key.to_string(), to_json(&value)?);
        }
        Ok(Reply::with(ControlAnswer::Route(1), &Json::Object(outputs)))
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
        let context = self.context(&references.iter().collect::<Vec<_>>())?;
        let (templates, environment) = self.definition.engine();
        let folder = self.definition.around(self.frame).folder;
        let read = |path: &str| self.upstream.file(&folder.join(path));
        let max_items = late.max_items;
        let key = match late.source {
            ItemsSource::Members(_) => "gang",
            _ => "foreach",
        };
        let workshop =
            Workshop { templates, environment, context: &context, max_items, read: &read };
        let items = workshop.items(&late.source).map_err(|reason| format!("`{key}`: {reason}"))?;
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::definition::TaskOutputs;
    use crate::{Bound, Compiled, Source, check};

    /// Outputs and statuses of tasks by number; what is not named has succeeded without outputs.
    #[derive(Default)]
    struct Known {
        outputs: BTreeMap<u32, Json>,
        statuses: BTreeMap<u32, TaskStatus>,
    }

    impl Upstream for Known {
        fn outputs(&self, task: TaskId) -> TaskOutputs {
            TaskOutputs::Single(self.outputs.get(&task.0).cloned().unwrap_or(json!({})))
        }

        fn status(&self, task: TaskId) -> TaskStatus {
            self.statuses.get(&task.0).copied().unwrap_or(TaskStatus::Succeeded)
        }
    }

    fn compiled(tasks: &str) -> Compiled {
        let text = format!("params: {{n: 3}}\ntasks:\n{tasks}");
        let source = Source { name: "f.yaml".to_owned(), text: text.into(), ..Source::default() };
        let workflow = check(&source).and_then(|it| it.bind(&BTreeMap::new()));
        workflow.and_then(Bound::compile).unwrap_or_else(|told| panic!("{told}"))
    }

    fn reply(compiled: &Compiled, task: &str, turn: u16, known: &Known) -> Reply {
        let task = compiled.definition.task(task).expect("a task of the file");
        let (now, run) = (Timestamp(1_000_000), RunId(7));
        compiled.definition.answer(&Question { task, turn, upstream: known, now, run })
    }

    fn reason(reply: &Reply) -> String {
        assert_eq!(reply.answer, ControlAnswer::Invalid);
        let output: Json = serde_json::from_slice(reply.output.as_ref().unwrap()).unwrap();
        output["error"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_condition_looks_at_outputs_as_they_are_meant() {
        let compiled = compiled(
            "  a: {script: echo}
  b: {script: echo, depends_on: a, when: tasks.a.outputs.rows > 9}\n",
        );
        let answer = |outputs: Json| {
            let known = Known { outputs: [(0, outputs)].into(), ..Known::default() };
            reply(&compiled, "b", 1, &known)
        };
        assert_eq!(answer(json!({"rows": 10})).answer, ControlAnswer::Begin);
        assert_eq!(answer(json!({"rows": "10"})).answer, ControlAnswer::Begin);
        assert_eq!(answer(json!({"rows": "9"})).answer, ControlAnswer::Skip);
        let told = reason(&answer(json!({"row": 10})));
        let expected = "there is no `tasks.a.outputs.rows`: `tasks.a.outputs` has `row`";
        assert_eq!(told, format!("`when`: {expected}"));
    }

    #[test]
    fn a_loop_ends_by_its_expression_or_by_a_failure_that_it_does_not_look_at() {
        let compiled = compiled(
            "  a: {script: echo, until: tasks.a.outputs.done or round > 2}
  b: {script: echo, until: tasks.b.status == 'succeeded'}\n",
        );
        let turn = |turn, done| {
            let known = Known { outputs: [(0, json!({"done": done}))].into(), ..Known::default() };
            reply(&compiled, "a.until", turn, &known).answer
        };
        assert_eq!(
            [turn(1, "false"), turn(2, "true")],
            [ControlAnswer::Again, ControlAnswer::Done]
        );
        assert_eq!(turn(3, "false"), ControlAnswer::Done);
        let failed = Known {
            statuses: [(0, TaskStatus::Failed), (2, TaskStatus::TimedOut)].into(),
            ..Known::default()
        };
        assert_eq!(reason(&reply(&compiled, "a.until", 2, &failed)), "`a` failed in round 2");
        assert_eq!(reply(&compiled, "b.until", 1, &failed).answer, ControlAnswer::Again);
        let well = Known::default();
        assert_eq!(reply(&compiled, "b.until", 2, &well).answer, ControlAnswer::Done);
    }

    #[test]
    fn a_list_is_named_by_its_hash() {
        let compiled = compiled(
            "  a: {script: echo}
  b: {script: echo, depends_on: a, foreach: {values: tasks.a.outputs.list, batch: 2}}\n",
        );
        let known =
            Known { outputs: [(0, json!({"list": [1, "x", null]}))].into(), ..Known::default() };
        let reply = reply(&compiled, "b", 1, &known);
        let list = br#"[[1,"x"],[null]]"#;
        assert_eq!(reply.list.as_deref(), Some(&list[..]));
        let list = Digest(*blake3::hash(list).as_bytes());
        assert_eq!(reply.answer, ControlAnswer::FanOut { items: 2, list });
    }

    #[test]
    fn a_result_is_worked_out_of_the_outputs_of_one_task() {
        let compiled = compiled(
            "  a: {script: echo, result: output.valid}
  b: {script: echo, depends_on: a, when: '{{ result == true }}'}
  c: {depends_on: a, result: '{{ tasks.a.outputs.valid }}'}
  d: {script: echo, depends_on: c, when: '{{ result == false }}'}\n",
        );
        let known = |task: u32, outputs: Json| Known {
            outputs: [(task, outputs)].into(),
            ..Known::default()
        };
        let answer = |task, known: &Known| reply(&compiled, task, 1, known).answer;
        assert_eq!(answer("b", &known(0, json!({"valid": "true"}))), ControlAnswer::Begin);
        assert_eq!(answer("b", &known(0, json!({"valid": false}))), ControlAnswer::Skip);
        assert_eq!(answer("b", &known(0, json!({}))), ControlAnswer::Invalid);
        assert_eq!(answer("c", &known(0, json!({"valid": 1}))), ControlAnswer::Route(0));
        assert_eq!(answer("d", &known(2, json!({"result": false}))), ControlAnswer::Begin);
    }

    #[test]
    fn a_wait_never_ends_in_the_past() {
        let compiled = compiled(
            "  a: {wait: {until: '1970-01-01T00:00:00Z'}}\n  b: {wait: {until: params.n}}\n",
        );
        let answer = |task| reply(&compiled, task, 1, &Known::default()).answer;
        assert_eq!(answer("a"), ControlAnswer::Until(Timestamp(1_000_000)));
        assert_eq!(answer("b"), ControlAnswer::Until(Timestamp(3_000_000)));
    }

    #[test]
    fn what_does_not_ask_begins_and_what_does_not_exist_is_invalid() {
        let compiled = compiled("  a: {approval: true}\n");
        let known = Known::default();
        assert_eq!(reply(&compiled, "a", 1, &known).answer, ControlAnswer::Begin);
        let (task, now, run) = (TaskId(9), Timestamp(0), RunId(7));
        let question = Question { task, turn: 1, upstream: &known, now, run };
        assert!(reason(&compiled.definition.answer(&question)).contains("no task"));
    }

    #[test]
    fn outputs_that_are_too_large_are_invalid() {
        let compiled = compiled("  a: {result: \"'x' * 2000000\"}\n");
        let told = reason(&reply(&compiled, "a", 1, &Known::default()));
        assert!(told.contains("1048576 bytes"), "{told}");
    }
}
