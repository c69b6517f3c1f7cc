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
use model::fact::{Marked, RunAdmitted, RunAmended};
use model::graph::GraphParts;
use model::limits::OUTPUT_BYTES_MAX;
use model::message::{AttemptEvent, FromWorker, LeaseId, News};
use model::outcome::Outcome;
use model::policy::Priority;
use model::{Graph, ItemId, RunId, TaskId, TaskKey};
use protocol::api::Edit;
use serde_json::{Value, json};
use spec::{Definition, Diagnostic, Diagnostics, Extended, Fragment};
use tokio::sync::oneshot;

use crate::api::problem::{self, Refusal};
use crate::control;
use crate::driver::{Companions, Driver};
use crate::handle::{Unadmitted, Version};
use crate::replay;
use crate::shelf::Shelf;
use crate::sources::named;
use crate::submission::invalid;

/// What a version is made from: what the run goes by now.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    pub run: RunId,
    pub graph: Arc<Graph>,
    pub definition: Arc<Definition>,
    pub settings: Settings,
}

/// The settings of a run itself, apart from those of its tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    pub priority: Priority,
    pub concurrency: Option<u32>,
    pub cost_limit_micro: Option<u64>,
}

impl From<&RunAdmitted> for Settings {
    fn from(run: &RunAdmitted) -> Self {
        let &RunAdmitted { priority, concurrency, cost_limit_micro, .. } = run;
        Self { priority, concurrency, cost_limit_micro }
    }
}

impl From<&RunAmended> for Settings {
    fn from(run: &RunAmended) -> Self {
        let &RunAmended { priority, concurrency, cost_limit_micro, .. } = run;
        Self { priority, concurrency, cost_limit_micro }
    }
}

/// What a run is to go by.
pub(crate) struct Edited {
    pub parts: GraphParts,
    pub definition: Arc<Definition>,
    pub settings: Settings,
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
            settings: Settings::from(admitted),
        })
    }

    /// The version that this is edited to.
    ///
    /// # Errors
    /// The graph is none, for people.
    pub(crate) fn version(&self, edited: Edited) -> Result<Version, String> {
        let Edited { parts, definition, settings } = edited;
        let (digest, graph_bytes) = named(protocol::graph::encode(&parts));
        let graph = Graph::new(digest, parts).map_err(|error| format!("{error:?}"))?;
        let (text, definition_bytes) = named(definition.to_bytes());
        let amendment = Amendment {
            run: self.run,
            base: self.graph.digest(),
            graph: Arc::new(graph),
            definition: text,
            priority: settings.priority,
            concurrency: settings.concurrency,
            cost_limit_micro: settings.cost_limit_micro,
        };
        let stored = vec![(digest, graph_bytes), (text, definition_bytes)];
        Ok(Version { amendment, definition, stored })
    }

    /// The same settings of the run with another graph.
    fn edited(&self, extended: Extended) -> Edited {
        let Extended { parts, definition, .. } = extended;
        Edited { parts, definition: Arc::new(definition), settings: self.settings }
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
        self.forget_versions();
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

    /// Drops from memory what no run goes by any more: a run that grows has many versions, and
    /// only its newest is looked at.
    pub(crate) fn forget_versions(&mut self) {
        let named = replay::named(self.parts.engine.state());
        self.parts.shelf.keep(&named);
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
    base: &Base,
    task: TaskId,
    item: Option<ItemId>,
    bytes: &[u8],
) -> Result<Edited, String> {
    let written = Fragment { by: Some(task), item, text: bytes };
    let extended = base.definition.extend(&base.graph.to_parts(), written);
    extended.map(|extended| base.edited(extended)).map_err(|errors| told(&errors))
}

/// What is wrong with tasks that were written, in a few sentences.
fn told(errors: &Diagnostics) -> String {
    const TOLD_MAX: usize = 5;
    let line = |one: &Diagnostic| {
        let place = one.place.as_ref();
        let place = place.map(|place| format!("$AUTOGLM_TASKS:{}:{}: ", place.line, place.column));
        let hint = one.hint.as_ref().map(|hint| format!("; {hint}"));
        let (place, hint) = (place.unwrap_or_default(), hint.unwrap_or_default());
        format!("{}: {place}{}{hint}", one.code, one.message)
    };
    let lines: Vec<String> = errors.diagnostics.iter().take(TOLD_MAX).map(line).collect();
    lines.join(" | ")
}

/// The run with other settings, or with more tasks.
pub(crate) fn edited(base: &Base, edit: &Edit) -> Result<Edited, Refusal> {
    let (parts, definition) = (base.graph.to_parts(), (*base.definition).clone());
    let mut run = Extended { parts, definition, added: 0 };
    if let Some(text) = &edit.add {
        let added = Fragment { by: None, item: None, text: text.as_bytes() };
        run = run.definition.extend(&run.parts, added).map_err(|mut errors| {
            errors.file = edit.add_name.clone().unwrap_or_default();
            invalid(&errors)
        })?;
    }
    let mut settings = base.settings;
    match &edit.task {
        Some(task) => {
            let set = edit.set.iter().map(|(key, value)| {
                let (task, key) = (task.clone(), key.clone());
                spec::Edit { task, key, value: as_written(value) }
            });
            let set: Vec<spec::Edit> = set.collect();
            run = run.definition.amend(&run.parts, &set).map_err(|errors| invalid(&errors))?;
        }
        None => {
            for (key, value) in &edit.set {
                set_of_run(&mut settings, key, &as_written(value))
                    .map_err(|reason| problem::unfit(base.run, &reason))?;
            }
        }
    }
    Ok(Edited { settings, ..base.edited(run) })
}

fn as_written(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Sets a setting of the run itself.
fn set_of_run(settings: &mut Settings, key: &str, value: &str) -> Result<(), String> {
    let is_none = matches!(value, "none" | "null");
    match key {
        "priority" => {
            let given = value.parse().ok().map(Priority).filter(|given| *given <= Priority::MAX);
            settings.priority =
                given.ok_or_else(|| format!("`{value}` is no number from 0 to 100"))?;
        }
        "max_parallel" | "concurrency" if is_none => settings.concurrency = None,
        "max_parallel" | "concurrency" => {
            let given = value.parse().ok().filter(|&given: &u32| given > 0);
            settings.concurrency =
                Some(given.ok_or_else(|| format!("`{value}` is no whole number from 1"))?);
        }
        "cost_limit" if is_none => settings.cost_limit_micro = None,
        "cost_limit" => settings.cost_limit_micro = Some(spec::money_micro(value)?),
        _ => {
            return Err(format!(
                "`{key}` is no setting of a run; there are priority, max_parallel and cost_limit, \
                 and those of a task if one is named"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_a_run_are_read_as_in_a_file() {
        let mut settings = Settings { concurrency: Some(3), ..Settings::default() };
        let mut set = |key, value| set_of_run(&mut settings, key, value);
        assert_eq!((set("priority", "80"), set("concurrency", "none")), (Ok(()), Ok(())));
        assert_eq!(set("cost_limit", "2.5"), Ok(()));
        assert_eq!((set("max_parallel", "2"), set("max_parallel", "none")), (Ok(()), Ok(())));
        let wrong =
            [("priority", "101"), ("concurrency", "0"), ("timeout", "1h"), ("cost_limit", "-1")];
        for (key, value) in wrong {
            assert!(set(key, value).is_err(), "{key}={value}");
        }
        let (priority, concurrency, cost_limit_micro) = (Priority(80), None, Some(2_500_000));
        assert_eq!(settings, Settings { priority, concurrency, cost_limit_micro });
    }
}
