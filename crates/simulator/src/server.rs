//! What the server does beside the engine: it makes other versions of a run's graph, for attempts
//! that wrote tasks and for people, and keeps them.
//!
//! It looks at the engine's present state, as the server does, and decides nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use engine::{Amendment, Engine, Generated};
use model::collections::HashMap;
use model::hash::mix;
use model::message::{AttemptEvent, FromWorker, LeaseId, News};
use model::policy::Priority;
use model::{Digest, Epoch, Graph, ItemId, Outcome, RunId, TaskId};

use crate::mark::Mark;
use crate::mutant::Mutant;
use crate::records::Store;
use crate::stage::Stage;
use crate::workload::{self, version};

/// Who wrote the tasks of a version that did not come from a file.
pub type Writers = Arc<BTreeSet<(TaskId, ItemId)>>;

/// Looks at what the attempts wrote that a message says have ended, in order, each for the run as
/// the one before would leave it.
pub fn generated(
    stage: &mut Stage,
    store: &mut Store,
    (engine, term): (&Engine, Epoch),
    message: &FromWorker,
) -> Vec<Generated> {
    let News::Reports { reports, .. } = &message.news else { return Vec::new() };
    let wrote = |event: &AttemptEvent| {
        matches!(event, AttemptEvent::Ended { outcome: Outcome::Succeeded, tasks: Some(_), .. })
    };
    let mut newest: HashMap<RunId, Digest> = HashMap::default();
    let mut found = Vec::new();
    for report in reports.iter().filter(|report| wrote(&report.event)) {
        let lease = report.lease;
        let is_live = engine.state().lease(lease.item).is_some_and(|x| x.token == lease.token);
        let Some(run) = engine.state().run(lease.item.run).filter(|_| is_live) else { continue };
        let base = *newest.entry(lease.item.run).or_insert(run.graph().digest());
        let made = extend(stage, store, lease, base);
        if let Some(graph) = &made {
            newest.insert(lease.item.run, graph.digest());
        }
        let written = made.as_ref().map(|graph| (base, graph.digest()));
        stage.truth.written.insert((lease, term), written);
        let admitted = run.admitted();
        let amendment = made.map(|graph| Amendment {
            run: lease.item.run,
            base,
            graph,
            definition: admitted.definition,
            priority: admitted.priority,
            concurrency: admitted.concurrency,
            cost_limit_micro: admitted.cost_limit_micro,
        });
        found.push(Generated { lease, amendment, reason: None });
    }
    found
}

/// The graph with what an attempt wrote, as the engine gets it. What an earlier round of the same
/// item wrote is there already.
fn extend(
    stage: &mut Stage,
    store: &mut Store,
    lease: LeaseId,
    base: Digest,
) -> Option<Arc<Graph>> {
    let (task, item) = (lease.item.task, lease.item.item);
    let drawn = Arc::clone(store.drawn.get(&base)?);
    let plan = *store.plans.get(&base)?;
    // What stands before it in the message may be flawed, and have left it out.
    if task.0 as usize >= drawn.len() {
        return None;
    }
    let fragment = version::fragment(&plan, &drawn, task, item)?;
    let writers = store.writers.get(&base).cloned().unwrap_or_default();
    if writers.contains(&(task, item)) {
        stage.hit(Mark::WrittenAgain);
        return Some(store.planted(&base));
    }
    let digest = named(base, u64::from(task.0) << 32 | u64::from(item.0));
    let graph = version::extended(&drawn, task, fragment, digest)?;
    let mut writers = (*writers).clone();
    writers.insert((task, item));
    Some(store.keep(stage, Arc::new(graph), base, Arc::new(writers)))
}

/// What a person asks for: the run with an edit, made for the graph `base`. Nothing if the edit
/// makes no graph at all.
pub fn edit(
    stage: &mut Stage,
    store: &mut Store,
    (run, base, seed): (&crate::ledger::Run, Digest, u64),
) -> Option<(Amendment, Digest)> {
    let drawn = Arc::clone(store.drawn.get(&base)?);
    let plan = *store.plans.get(&base)?;
    let tasks = || drawn.tasks().filter(|task| (task.0 as usize) < run.tasks.len());
    let open: Vec<TaskId> =
        tasks().filter(|&task| run.is_open(task) && !run.in_body(task)).collect();
    let idle: Vec<TaskId> = tasks().filter(|&task| !run.has_begun(task)).collect();
    let settings: (Priority, Option<u32>) = (run.admitted.priority, run.admitted.concurrency);
    let digest = named(base, seed);
    let edit = version::edited(&plan, (&drawn, digest), settings, (&open, &idle), seed);
    let graph = Arc::new(edit.graph?);
    let graph = if graph.digest() == base {
        store.planted(&base)
    } else {
        let writers = store.writers.get(&base).cloned().unwrap_or_default();
        store.keep(stage, graph, base, writers)
    };
    let limit = run.admitted.cost_limit_micro;
    let (run, definition) = (run.admitted.run, run.admitted.definition);
    let (priority, concurrency) = (edit.priority, edit.concurrency);
    let amended = graph.digest();
    let cost_limit_micro = limit;
    let amendment =
        Amendment { run, base, graph, definition, priority, concurrency, cost_limit_micro };
    Some((amendment, amended))
}

impl Store {
    /// Keeps a version, and says how the engine gets it.
    fn keep(
        &mut self,
        stage: &mut Stage,
        drawn: Arc<Graph>,
        base: Digest,
        writers: Writers,
    ) -> Arc<Graph> {
        let digest = drawn.digest();
        let planted = workload::planted(&drawn, stage.mutant);
        self.graphs.insert(Arc::clone(&planted));
        if let Some(&plan) = self.plans.get(&base) {
            self.plans.insert(digest, plan);
        }
        self.drawn.insert(digest, drawn);
        self.writers.insert(digest, writers);
        stage.truth.bases.insert(digest, base);
        planted
    }

    fn planted(&self, digest: &Digest) -> Arc<Graph> {
        engine::Graphs::graph(&self.graphs, digest)
    }
}

/// Whether this fault lets what attempts wrote get lost.
pub fn loses_tasks(stage: &Stage) -> bool {
    stage.has(Mutant::TasksLost)
}

/// The name of what becomes of a graph by a change of this number.
fn named(base: Digest, change: u64) -> Digest {
    let word = base.0.first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
    workload::digest(mix(word) ^ mix(change), 9)
}
