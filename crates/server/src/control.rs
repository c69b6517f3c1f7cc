//! Control: what tasks ask is worked out, and what people say is handed on.
//!
//! An answer is worked out once, from what has ended, and becomes a fact. The engine is asked
//! nothing here and decides nothing here: it is told.

use engine::{Answer, Answered, Input};
use model::control::ControlAnswer;
use model::outcome::OutputRef;
use model::{IdSet, ItemId, Round, TaskKey, Token};
use spec::{Question, Reply};
use tokio::sync::oneshot;

use crate::driver::{Companions, Driver, Settlement};
use crate::inputs::Inputs;
use crate::shelf::is_inline;
use crate::submission::digest;

/// Answers that are worked out in one turn of the driver.
const ANSWERS_PER_TURN: usize = 256;

/// What a task has asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub task: TaskKey,
    pub round: Round,
    pub turn: u16,
}

impl Driver {
    /// Answers what has been asked, with what that leads to, up to a bound. Says whether anything
    /// was.
    pub(crate) fn answer_asks(&mut self) -> bool {
        let mut answered = false;
        for _ in 0..ANSWERS_PER_TURN {
            let Some(ask) = self.asks.pop_front() else { break };
            if !self.answer_one(ask) {
                // Without room for its list it is asked again.
                self.asks.push_front(ask);
                break;
            }
            answered = true;
        }
        answered
    }

    fn answer_one(&mut self, ask: Ask) -> bool {
        let reply = self.work_out(ask);
        let Ask { task, round, .. } = ask;
        let list = match (reply.answer, reply.list) {
            (ControlAnswer::FanOut { list, .. }, Some(bytes)) => Some((list, bytes)),
            _ => None,
        };
        let is_stored = list.as_ref().is_none_or(|(_, bytes)| {
            is_inline(bytes.len()) || self.parts.objects.put(bytes).is_ok()
        });
        if !is_stored {
            return false;
        }
        if let Some((digest, bytes)) = &list {
            let kept = self.parts.shelf.put_list(*digest, bytes);
            kept.expect("a list of items is a JSON array");
        }
        let output = reply.output.map(|bytes| self.bring(task, bytes));
        let answer = reply.answer;
        let small = list.filter(|(_, bytes)| is_inline(bytes.len()));
        self.companions.objects.extend(small);
        self.step(Input::Answered(Box::new(Answered {
            task,
            round,
            answer,
            output,
            cached: IdSet::new(),
        })));
        self.outputs.clear();
        self.companions = Companions::default();
        true
    }

    fn work_out(&mut self, ask: Ask) -> Reply {
        let now = self.parts.clock.now();
        let state = self.parts.engine.state();
        let admitted = state.run(ask.task.run).map(engine::state::Run::admitted);
        let definition = admitted.and_then(|run| self.parts.shelf.definition(&run.definition));
        let from = (&self.parts.shelf, &self.fresh);
        let inputs = Inputs::new(state, ask.task.run, from, &mut *self.parts.reader);
        let (Some(definition), Some(upstream)) = (definition, inputs) else {
            // Without its text, nothing of the run could be started either.
            return Reply { answer: ControlAnswer::Invalid, output: None, list: None };
        };
        definition.answer(&Question {
            task: ask.task.task,
            turn: ask.turn,
            upstream: &upstream,
            now,
            run: ask.task.run,
        })
    }

    /// Hands on what somebody says to a task.
    pub(crate) fn settle_task(&mut self, settlement: Settlement, reply: oneshot::Sender<Answer>) {
        let Settlement { task, verdict, output } = settlement;
        let request = self.request(move |answer| drop(reply.send(answer)));
        let output = Some(self.bring(task, output));
        self.step(Input::Settle { request, task, verdict, output });
        self.outputs.clear();
    }

    /// Lays outputs of a task that no worker runs beside the next step, whose fact they belong to.
    pub(crate) fn bring(&mut self, task: TaskKey, bytes: Vec<u8>) -> OutputRef {
        let token = Token(self.parts.engine.state().last().next().0);
        let named = name(&bytes);
        self.outputs.insert(task.item(ItemId(0)), (token, bytes));
        named
    }
}

pub(crate) fn name(bytes: &[u8]) -> OutputRef {
    OutputRef { digest: digest(bytes), bytes: u32::try_from(bytes.len()).unwrap_or(u32::MAX) }
}
