//! Making a run from one that has been, in memory or in the archive.
//!
//! Without other parameters the new run has the graph and the text of the old one as they are now.
//! With others, or when a task that has written tasks runs again, it is made anew from the file as
//! it was submitted. What is kept of the old run is copied with the admission, all at once.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use engine::Answer;
use model::fact::RunAdmitted;
use model::outcome::OutputRef;
use model::{Graph, RunId, TaskId, TaskKey};
use protocol::api::{Fork, Forked, Submit};
use spec::{Definition, Source};

use super::Shared;
use super::extract::{Body, Target, task};
use super::problem::{self, Refusal, bad_request};
use super::stored::{Stored, blocking};
use crate::control;
use crate::fork::{Kept, New, Old, closure, kept, marks};
use crate::handle::{Admission, Done, Gone, Unadmitted};
use crate::sources::{Given, Sources, named};
use crate::submission::{self, digest};

/// Bytes of outputs that one fork may copy.
const OUTPUTS_BYTES_MAX: usize = 1 << 30;

/// The run that is forked, as it is now.
#[derive(Clone)]
struct Origin {
    id: RunId,
    admitted: RunAdmitted,
    graph: Arc<Graph>,
    definition: Arc<Definition>,
    from: TaskId,
}

pub(super) async fn fork(
    State(service): State<Shared>,
    target: Target,
    Body(fork): Body<Fork>,
) -> Result<(StatusCode, Json<Forked>), Refusal> {
    let name = fork.from.clone();
    let look = service.about(target.run, move |subject, view| {
        let admitted = subject.run.admitted().clone();
        let definition = view.shelf.definition(&admitted.definition);
        Ok(Origin {
            id: subject.id,
            admitted,
            graph: Arc::clone(subject.run.graph()),
            definition: definition
                .ok_or_else(|| problem::internal("the text of the run is not there"))?,
            from: task(subject, &name)?,
        })
    });
    let origin = look.await?;
    let storage = service.context.handle.peek(|view| view.storage).await?;
    problem::check_storage(storage)?;

    let (context, seen, asked) = (service.context.clone(), origin.clone(), fork.clone());
    let mut admission = blocking(move || Stored::open(&context)?.admission(&seen, &asked)).await?;
    let (graph, text) = (Arc::clone(&admission.graph), Arc::clone(&admission.definition));
    let from = text.task(&fork.from);
    let from = from.ok_or_else(|| problem::no_such_task(origin.id, &fork.from))?;
    let before = Arc::clone(&origin.definition);
    let look = service.about(origin.id.into(), move |subject, _| {
        let old = Old { run: subject.run, definition: &before };
        Ok(kept(&old, &New { graph: &graph, definition: &text, from }))
    });
    let kept = look.await?;
    let (tasks, name) = (admission.graph.len() as u64, admission.run.name.to_string());
    let (context, id, count) = (service.context.clone(), origin.id, kept.len() as u64);
    admission.done = blocking(move || Stored::open(&context)?.done(id, &kept)).await?;
    let answer = service.context.handle.admit(admission).await.map_err(|error| match error {
        Unadmitted::Gone => Refusal::from(Gone),
        Unadmitted::Storage(reason) => problem::not_stored(&reason),
    });
    match answer? {
        Answer::Admitted { run, .. } => {
            let forked = Forked { run, from: origin.id, name, kept: count, tasks };
            Ok((StatusCode::CREATED, Json(forked)))
        }
        other => Err(super::change::refused(&service, origin.id, &other).await),
    }
}

impl Stored {
    /// The new run, without what it keeps.
    fn admission(&mut self, origin: &Origin, fork: &Fork) -> Result<Admission, Refusal> {
        let again = closure(&origin.graph, origin.from);
        let is_same = fork.params.is_empty() && fork.environment.is_none();
        // What is written again may be other tasks.
        let writes = origin.definition.written().any(|it| again.contains(it.by.0));
        if is_same && !writes {
            return Ok(self.admission_of(origin));
        }
        let admitted = &origin.admitted;
        let sources = self.object(&admitted.content)?.and_then(Sources::from_bytes);
        let given = self.object(&admitted.identity)?;
        let given = given.and_then(|bytes| Given::from_bytes(&bytes));
        let (Some(sources), Some(given)) = (sources, given) else {
            return Err(problem::no_sources(origin.id));
        };
        let labels = origin.definition.labels().clone();
        let submit = submit(&sources, given, fork, admitted.priority.0)?;
        let submit = Submit { labels, ..submit };
        let prepared = submission::prepare_again(&submit, &sources)?;
        Ok(of_its_own(prepared.admission, origin.id))
    }

    /// The new run with the graph and the text of the old one.
    fn admission_of(&mut self, origin: &Origin) -> Admission {
        let run = RunAdmitted { run: RunId(0), key: None, trace: 0, ..origin.admitted.clone() };
        let (graph, definition) = (Arc::clone(&origin.graph), Arc::clone(&origin.definition));
        let mut stored = vec![
            (run.graph, protocol::graph::encode(&graph.to_parts())),
            (run.definition, definition.to_bytes()),
        ];
        // They may be missing: then a fork of the fork with other parameters is refused.
        let content = self.object(&run.content).ok().flatten();
        stored.extend(content.map(|bytes| (run.content, bytes)));
        let given = self.object(&run.identity).ok().flatten();
        stored.extend(given.map(|bytes| (run.identity, bytes)));
        // What is stored under a name is what has it, or is left out: it is there already.
        stored.retain(|(name, bytes)| *name == digest(bytes));
        let done = Done::default();
        of_its_own(Admission { run, graph, definition, stored, done }, origin.id)
    }

    /// What the new run keeps, with its outputs and lists.
    fn done(&mut self, from: RunId, kept: &[Kept]) -> Result<Done, Refusal> {
        let mut done = Done::default();
        let mut bytes_total = 0;
        let mut single: HashMap<TaskId, OutputRef> = HashMap::new();
        for one in kept {
            let key = TaskKey { run: from, task: one.old };
            for item in one.with_outputs() {
                let Some(bytes) = self.output(key.item(item))? else { continue };
                bytes_total += bytes.len();
                if bytes_total > OUTPUTS_BYTES_MAX {
                    let detail = "what the new run would keep has more than 1 GiB of outputs";
                    return Err(bad_request(detail).hint("Begin at an earlier task."));
                }
                if !one.is_fan_out {
                    single.insert(one.new, control::name(&bytes));
                }
                done.outputs.push((one.new, item, bytes.into()));
            }
            if let Some(list) = one.list() {
                let bytes = self.object(&list)?;
                let bytes = bytes.ok_or_else(|| problem::internal("a list of items is gone"))?;
                done.lists.push((list, bytes));
            }
        }
        done.marks = marks(from, kept, |one| single.get(&one.new).copied());
        Ok(done)
    }
}

/// What would be submitted: as then, but for what differs.
fn submit(sources: &Sources, given: Given, fork: &Fork, priority: u8) -> Result<Submit, Refusal> {
    let mut params = given.params.clone();
    let mut differing = fork.params.clone();
    if let Some(folder) = &fork.folder {
        let text = sources.text.clone().into_bytes();
        let source = Source { name: given.path.clone(), folder: given.folder(), text };
        let workflow = spec::check_with(&source, &|path| sources.read(path))
            .map_err(|errors| submission::invalid(&errors))?;
        workflow.resolve_paths(&mut differing, folder.as_ref());
    }
    params.extend(differing);
    Ok(Submit {
        path: given.path,
        content: sources.text.clone(),
        params,
        env: given.env,
        environment: fork.environment.clone().or(given.environment),
        priority: Some(priority),
        ..Submit::default()
    })
}

/// A fork is no run of the same thing as any other, so that nobody who submits the file is told to
/// watch it.
fn of_its_own(mut admission: Admission, from: RunId) -> Admission {
    let identity = admission.run.identity;
    let own = admission.stored.iter_mut().find(|(name, _)| *name == identity);
    if let Some((name, bytes)) = own
        && let Some(given) = Given::from_bytes(bytes)
    {
        (*name, *bytes) = named(Given { fork_of: Some(from.0), ..given }.to_bytes());
        admission.run.identity = *name;
    }
    admission
}
