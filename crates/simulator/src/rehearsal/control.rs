//! What tasks ask is answered as in a real run, and people say what the test says.

use engine::Answered;
use model::control::{ControlAnswer, Verdict};
use model::outcome::OutputRef;
use model::{Digest, IdSet, ItemId, Round, TaskId, TaskKey};
use serde_json::{Value, json};
use spec::Question;
use spec::cases::{self, Say};

use super::{Due, Input, Rehearsal, RequestId};

impl Rehearsal<'_> {
    /// Works out what a task asks.
    pub(super) fn answer(&mut self, task: TaskId, round: Round, turn: u16) {
        let Some(run) = self.engine.state().run(self.run) else { return };
        let reply = self.definition.answer(&Question {
            task,
            turn,
            upstream: &self.memory.view(self.run, run),
            now: self.now,
            run: self.run,
        });
        let parsed = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok();
        if let (ControlAnswer::FanOut { list, .. }, Some(bytes)) = (reply.answer, &reply.list)
            && let Some(Value::Array(items)) = parsed(bytes)
        {
            self.memory.keep_list(list, items);
        }
        let output = reply.output.as_deref().and_then(parsed);
        if reply.answer == ControlAnswer::Invalid {
            let reason = output.as_ref().and_then(|output| output["error"].as_str());
            self.notes.of(task).trouble = reason.map(str::to_owned);
        }
        let named = output.as_ref().map(name);
        if let Some(output) = output {
            self.memory.keep(task, ItemId(0), output);
        }
        let task = TaskKey { run: self.run, task };
        let answered =
            Answered { task, round, answer: reply.answer, output: named, cached: IdSet::new() };
        self.step(Input::Answered(Box::new(answered)));
    }

    /// Lets somebody answer a task that has begun to wait for an answer.
    pub(super) fn see_who_waits(&mut self, task: TaskId) {
        let Some(run) = self.engine.state().run(self.run) else { return };
        if run.wait(task).is_none() || self.definition.awaited(task).is_none() {
            return;
        }
        let round = run.task(task).round();
        let note = self.notes.of(task);
        if note.waited.last() == Some(&round) {
            return;
        }
        note.waited.push(round);
        let time = note.waited.len() - 1;
        let answer = self.case.answer(self.definition.task_name(task), time);
        if let Some(answer) = answer.filter(|answer| answer.say != Say::Never) {
            let at = self.now + answer.after;
            self.schedule(at, Due::IsSaid(task, round, answer.clone()));
        }
    }

    /// Somebody says something to a task, if it still waits for it.
    pub(super) fn is_said(&mut self, task: TaskId, round: Round, answer: &cases::Answer) {
        let Some(run) = self.engine.state().run(self.run) else { return };
        if run.wait(task).is_none() || run.task(task).round() != round {
            return;
        }
        let decided = |approved: bool| {
            let (by, comment) = (&answer.by, &answer.comment);
            json!({"approved": approved, "by": by, "comment": comment})
        };
        let (verdict, output) = match answer.say {
            Say::Approve => (Verdict::Approved, decided(true)),
            Say::Reject => (Verdict::Rejected, decided(false)),
            Say::Signal => (Verdict::Approved, Value::Object(answer.value.clone())),
            Say::Never => return,
        };
        let named = Some(name(&output));
        self.memory.keep(task, ItemId(0), output);
        let (request, task) = (RequestId(2), TaskKey { run: self.run, task });
        self.step(Input::Settle { request, task, verdict, output: named });
    }
}

/// The name of outputs in a fact. Nobody looks them up by it here.
pub(super) fn name(outputs: &Value) -> OutputRef {
    let bytes = u32::try_from(outputs.to_string().len()).unwrap_or(u32::MAX);
    OutputRef { digest: Digest::default(), bytes }
}
