//! Amendments: a run goes on by another version of its graph, because somebody edited it or because
//! one of its tasks wrote further tasks.
//!
//! A version is the whole graph and the whole text, stored like those of a submission. What makes a
//! version is in `spec`, whether it fits the run is decided in `engine`; here the two meet, and the
//! bytes become durable with the fact that names them. A person's version is made beside the loop
//! and made anew when the run was amended meanwhile; that of a task is made on the loop, since the
//! report of its end waits for it.

use std::collections::HashMap;
use std::sync::Arc;

use engine::state::State;
use engine::{Amendment, Answer, Generated, Input};
use model::fact::Marked;
use model::graph::GraphParts;
use model::limits::OUTPUT_BYTES_MAX;
use model::message::{AttemptEvent, FromWorker, LeaseId, News};
use model::outcome::Outcome;
use model::policy::{Policy, Priority};
use model::{Graph, ItemId, RunId, TaskId, TaskKey};
use protocol::api::Edit;
use serde_json::json;
use spec::{Definition, settings};
use tokio::sync::oneshot;

use crate::api::problem::{self, Refusal};
use crate::control;
use crate::driver::{Companions, Driver};
use crate::handle::{Unadmitted, Version};
use crate::shelf::Shelf;
use crate::sources::named;

/// What a version is made from: what the run goes by now.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    pub run: RunId,
    pub graph: Arc<Graph>,
    pub definition: Arc<Definition>,
    pub priority: Priority,
    pub concurrency: Option<u32>,
}

/// What a run is to go by.
pub(crate) struct Edited {
    pub parts: GraphParts,
    pub definition: Arc<Definition>,
    pub priority: Priority,
    pub concurrency: Option<u32>,
}

impl Base {
    /// What a run goes by now; `None` if it is not in memory, or its text is lost.
    pub(crate) fn of(state: &State, shelf: &Shelf, run: RunId) -> Option<Self> {
        let seen = state.run(run)?;
        let admitted = seen.admitted();
        Some(Self {
            run,
            graph: Arc::clone(seen.graph()),
            definition: shelf.definition(&admitted.definition)?,
            priority: admitted.priority,
            concurrency: admitted.concurrency,
        })
    }

    /// The version that this is edited to.
    ///
    /// # Errors
    /// The graph is none, for people.
    pub(crate) fn version(&self, edited: Edited) -> Result<Version, String> {
        let Edited { parts, definition, priority, concurrency } = edited;
        let (digest, graph_bytes) = named(protocol::graph::encode(&parts));
        let graph = Graph::new(digest, parts).map_err(|error| format!("{error:?}"))?;
        let (text, definition_bytes) = named(definition.to_bytes());
        let amendment = Amendment {
            run: self.run,
            base: self.graph.digest(),
            graph: Arc::new(graph),
            definition: text,
            priority,
            concurrency,
        };
        let stored = vec![(digest, graph_bytes), (text, definition_bytes)];
        Ok(Version { amendment, definition, stored })
    }

    /// What the next version is made from, once this one counts.
    fn after(&self, version: &Version) -> Self {
        let graph = Arc::clone(&version.amendment.graph);
        Self { graph, definition: Arc::clone(&version.definition), ..self.clone() }
    }
}

impl Driver {
    /// Gives a run another version, if it still goes by the one that this was made from.
    pub(crate) fn amend(
        &mut self,
        version: Version,
        reply: oneshot::Sender<Result<Answer, Unadmitted>>,
    ) {
        let amendment = match self.shelve(version) {
            Ok(amendment) => Box::new(amendment),
            Err(reason) => return drop(reply.send(Err(Unadmitted::Storage(reason)))),
        };
        let request = self.request(move |answer| drop(reply.send(Ok(answer))));
        self.step(Input::Amend { request, amendment });
        self.companions = Companions::default();
    }

    /// Holds tasks to have ended.
    pub(crate) fn mark(
        &mut self,
        mut mark: Marked,
        output: Option<Vec<u8>>,
        reply: oneshot::Sender<Answer>,
    ) {
        let request = self.request(move |answer| drop(reply.send(answer)));
        if let (Some(task), Some(bytes)) = (mark.tasks.iter().next(), output) {
            let task = TaskKey { run: mark.run, task: TaskId(task) };
            mark.output = Some(self.bring(task, bytes));
        }
        self.step(Input::Mark { request, mark: Box::new(mark) });
        self.outputs.clear();
    }

    /// Looks at the tasks that attempts wrote which a message says have succeeded, before it is
    /// stepped: one after the other, each from what the one before made.
    pub(crate) fn note_tasks(&mut self, message: &FromWorker, tasks: Vec<(LeaseId, Vec<u8>)>) {
        if tasks.is_empty() {
            return;
        }
        let written: HashMap<_, _> = tasks.into_iter().collect();
        let mut newest: HashMap<RunId, Base> = HashMap::new();
        for lease in writers(message) {
            let Some(bytes) = written.get(&lease).filter(|_| self.is_live(lease)) else { continue };
            let run = lease.item.run;
            let Some(base) = newest
                .get(&run)
                .cloned()
                .or_else(|| Base::of(self.parts.engine.state(), &self.parts.shelf, run))
            else {
                continue;
            };
            let generated = match self.generate(&base, lease, bytes) {
                Ok((amendment, next)) => {
                    newest.insert(run, next);
                    Generated { lease, amendment: Some(amendment), reason: None }
                }
                Err(reason) => {
                    let output = refusal(&reason);
                    let reason = Some(control::name(&output));
                    self.outputs.insert(lease.item, (lease.token, output));
                    Generated { lease, amendment: None, reason }
                }
            };
            self.step(Input::Generated(Box::new(generated)));
        }
    }

    fn generate(
        &mut self,
        base: &Base,
        lease: LeaseId,
        bytes: &[u8],
    ) -> Result<(Amendment, Base), String> {
        let (task, item) = (lease.item.task, lease.item.item);
        let state = self.parts.engine.state().run(base.run);
        let is_fan_out = state.is_some_and(|run| run.fan(task).is_some());
        let edited = extended(base, task, is_fan_out.then_some(item), bytes)?;
        let version = base.version(edited)?;
        let next = base.after(&version);
        Ok((self.shelve(version)?, next))
    }

    /// Makes a version known here, and what is too large for the journal durable; the rest travels
    /// with the facts of the next step.
    fn shelve(&mut self, version: Version) -> Result<Amendment, String> {
        let Version { amendment, definition, stored } = version;
        let small = self.put_large(stored)?;
        self.companions.objects.extend(small);
        let text = amendment.definition;
        self.parts.shelf.put(Arc::clone(&amendment.graph), text, definition);
        let versions = self.versions.entry(amendment.run).or_default();
        versions.extend([amendment.graph.digest(), text]);
        Ok(amendment)
    }

    fn is_live(&self, lease: LeaseId) -> bool {
        let held = self.parts.engine.state().lease(lease.item);
        held.is_some_and(|held| held.token == lease.token)
    }
}

/// The attempts that a message says have succeeded and written tasks, in its order.
fn writers(message: &FromWorker) -> Vec<LeaseId> {
    let News::Reports { reports, .. } = &message.news else { return Vec::new() };
    let writers = reports.iter().filter(|report| {
        matches!(
            report.event,
            AttemptEvent::Ended { outcome: Outcome::Succeeded, tasks: Some(_), .. }
        )
    });
    writers.map(|report| report.lease).collect()
}

/// Why tasks that an attempt wrote cannot be admitted, as its outputs.
fn refusal(reason: &str) -> Vec<u8> {
    let reason: String = reason.chars().take(OUTPUT_BYTES_MAX / 8).collect();
    json!({ "error": reason }).to_string().into_bytes()
}

/// The run with the tasks that one of its tasks wrote.
fn extended(
    _base: &Base,
    _task: TaskId,
    _item: Option<ItemId>,
    _bytes: &[u8],
) -> Result<Edited, String> {
    Err("tasks cannot be written by tasks yet".to_owned())
}

/// The run with other settings, or with more tasks.
pub(crate) fn edited(base: &Base, edit: &Edit) -> Result<Edited, Refusal> {
    let unfit = |reason: String| problem::unfit(base.run, &reason);
    let mut parts = base.graph.to_parts();
    let (mut priority, mut concurrency) = (base.priority, base.concurrency);
    match &edit.task {
        None => {
            for (key, value) in &edit.set {
                let of_run = (&mut priority, &mut concurrency);
                settings::set_of_run(of_run, key, value).map_err(unfit)?;
            }
        }
        Some(name) => {
            let task = base.definition.task(name);
            let task = task.ok_or_else(|| problem::no_such_task(base.run, name))?;
            let mut policy = base.graph.policy(task).clone();
            for (key, value) in &edit.set {
                settings::set_of_task(&mut policy, key, value).map_err(unfit)?;
            }
            give_policy(&mut parts, task, policy);
        }
    }
    let definition = Arc::clone(&base.definition);
    let edited = Edited { parts, definition, priority, concurrency };
    match &edit.add {
        None => Ok(edited),
        Some(_) => Err(problem::unfit(base.run, "tasks cannot be added yet")),
    }
}

/// Tasks with equal policies share one; the others keep theirs.
fn give_policy(parts: &mut GraphParts, task: TaskId, policy: Policy) {
    let known = parts.policies.iter().position(|known| *known == policy);
    let place = known.unwrap_or_else(|| {
        parts.policies.push(policy);
        parts.policies.len() - 1
    });
    parts.policy_of[task.0 as usize] = u32::try_from(place).expect("no more than tasks");
}
