//! Control: what tasks ask is worked out, and what people say is handed on.
//!
//! An answer is worked out once, from what has ended, and becomes a fact. The engine is asked
//! nothing here and decides nothing here: it is told.

use engine::{Answer, Answered, Input};
use model::control::ControlAnswer;
use model::outcome::OutputRef;
use model::{ItemId, Round, Seq, TaskKey, Token};
use spec::{CacheRule, Question, Reply, Sameness};
use tokio::sync::oneshot;

use crate::cache::{Keys, Look, Looked};
use crate::driver::{Companions, Driver, Settlement};
use crate::inputs::Inputs;
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
        if let Some(look) = self.sameness(ask, &reply) {
            self.looking.insert(ask.task, reply);
            if let Some(cache) = &self.parts.cache {
                cache.look(look);
            }
            return true;
        }
        self.give_answer(ask, reply, Vec::new())
    }

    /// Hands an answer on, with the outputs of items that were done before. `false` if there is no
    /// room for it.
    fn give_answer(&mut self, ask: Ask, reply: Reply, hits: Vec<(ItemId, Vec<u8>)>) -> bool {
        let Ask { task, round, .. } = ask;
        let list = match (reply.answer, reply.list) {
            (ControlAnswer::FanOut { list, .. }, Some(bytes)) => Some((list, bytes)),
            _ => None,
        };
        let Ok(small) = self.put_large(list.clone()) else { return false };
        if let Some((digest, bytes)) = &list {
            let kept = self.parts.shelf.put_list(*digest, bytes);
            kept.expect("a list of items is a JSON array");
        }
        let output = reply.output.map(|bytes| self.bring(task, bytes));
        let token = Token(self.parts.engine.state().last().next().0);
        let cached = hits.iter().map(|(item, _)| item.0).collect();
        for (item, bytes) in hits.into_iter().filter(|(_, bytes)| !bytes.is_empty()) {
            self.outputs.insert(task.item(item), (token, bytes));
        }
        self.companions.objects.extend(small);
        let (answer, cached) = (reply.answer, cached);
        self.step(Input::Answered(Box::new(Answered { task, round, answer, output, cached })));
        self.outputs.clear();
        self.companions = Companions::default();
        true
    }

    /// What makes the attempts of a task what they are that is about to begin, if what was done
    /// before may be taken. Whoever runs a task again by hand wants it run.
    fn sameness(&mut self, ask: Ask, reply: &Reply) -> Option<Look> {
        let Ask { task, round, .. } = ask;
        self.parts.cache.as_ref().filter(|_| round == Round(0))?;
        let state = self.parts.engine.state();
        let run = state.run(task.run)?;
        let definition = self.parts.shelf.definition(&run.admitted().definition)?;
        definition.cache(task.task)?;
        let items = match reply.answer {
            ControlAnswer::Begin => run.item_count(task.task),
            ControlAnswer::FanOut { items, .. } => items,
            _ => return None,
        };
        let late = reply.list.as_deref().and_then(|list| serde_json::from_slice(list).ok());
        let from = (&self.parts.shelf, &self.fresh);
        let inputs = Inputs::new(state, task.run, from, &mut *self.parts.reader)?;
        let inputs = inputs.with_items(task.task, late);
        let same = |item| definition.sameness(task.task, ItemId(item), &inputs).ok().flatten();
        // What cannot be rendered is told by the attempt.
        let items: Option<Vec<Sameness>> = (0..items).map(same).collect();
        Some(Look { ask, items: items?, now: self.parts.clock.now() })
    }

    /// It is known what of a task was done before: now it begins.
    pub(crate) fn looked(&mut self, looked: Looked) {
        let Looked { ask, keys, hits } = looked;
        let Some(mut reply) = self.looking.remove(&ask.task) else { return };
        let keys = match keys {
            Ok(keys) => keys,
            Err(reason) => {
                let held = self.give_answer(ask, Reply::invalid(&reason), Vec::new());
                debug_assert!(held, "it has no list that needs room");
                return;
            }
        };
        let state = self.parts.engine.state();
        let Some(run) = state.run(ask.task.run) else { return };
        let definition = self.parts.shelf.definition(&run.admitted().definition);
        let rule = definition.as_ref().and_then(|text| text.cache(ask.task.task));
        let expires = rule.and_then(CacheRule::expires).map(|expires| expires.0);
        let is_single =
            matches!(reply.answer, ControlAnswer::Begin) && run.fan(ask.task.task).is_none();
        self.cache_keys.insert(ask.task, Keys { by_item: keys, expires });
        let mut hits = hits;
        if let (true, Some((_, bytes))) = (is_single, hits.pop_if(|_| is_single)) {
            reply.answer = ControlAnswer::Cached;
            reply.output = (!bytes.is_empty()).then_some(bytes);
        }
        if !self.give_answer(ask, reply, hits) {
            // Without room for its list it is asked again.
            self.asks.push_front(ask);
        }
    }

    /// Hands over to the cache what has become durable.
    pub(crate) fn keep_cached(&mut self, durable: Seq) {
        let mut entries = Vec::new();
        while let Some((_, entry)) = self.to_cache.pop_front_if(|(seq, _)| *seq <= durable) {
            entries.push(entry);
        }
        if let Some(cache) = self.parts.cache.as_ref().filter(|_| !entries.is_empty()) {
            cache.keep(entries);
        }
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
