//! A submitted file becomes something that the engine can admit: checked, bound, compiled.

use std::sync::Arc;

use model::fact::RunAdmitted;
use model::limits::WORKFLOW_FILE_BYTES_MAX;
use model::policy::Priority;
use model::queue::{DEFAULT_QUEUE, tenant};
use model::{Digest, Graph, RunId};
use protocol::api::{self, Problem, Submit, code};
use spec::{Compiled, Diagnostic, Diagnostics, Source};

use crate::handle::{Admission, Done};
use crate::sources::{Given, Read, Recorder, Sources, named};

/// A submission that is fit to be admitted.
pub struct Prepared {
    /// For the engine.
    pub(crate) admission: Admission,
    /// What makes two runs runs of the same thing: path, parameters, environment.
    pub identity: Digest,
    /// The file's content, with that of the files that it reads.
    pub content: Digest,
    /// The workflow's name.
    pub name: String,
}

/// Checks a submission. The files that it reads are read now.
///
/// # Errors
/// Everything that is wrong with the file or its parameters, as one problem.
pub fn prepare(submit: &Submit) -> Result<Prepared, Box<Problem>> {
    let recorder = Recorder::default();
    let compiled = compile(submit, &|path| recorder.read(path))?;
    let sources = Sources { text: submit.content.clone(), reads: recorder.into_reads() };
    admission(submit, compiled, &sources)
}

/// The same with the files as they were read for an earlier run.
///
/// # Errors
/// As [`prepare`].
pub(crate) fn prepare_again(submit: &Submit, sources: &Sources) -> Result<Prepared, Box<Problem>> {
    let compiled = compile(submit, &|path| sources.read(path))?;
    admission(submit, compiled, sources)
}

fn compile(submit: &Submit, read: Read<'_>) -> Result<Compiled, Box<Problem>> {
    if submit.content.len() > WORKFLOW_FILE_BYTES_MAX {
        return Err(bad_request(format!(
            "the file is larger than {WORKFLOW_FILE_BYTES_MAX} bytes"
        )));
    }
    let folder = Given::of(submit).folder();
    let text = submit.content.clone().into_bytes();
    let source = Source { name: submit.path.clone(), folder, text };
    let workflow = spec::check_with(&source, read).map_err(|errors| invalid(&errors))?;
    let chosen = workflow.choose(submit.environment.as_deref());
    let bound = chosen.and_then(|chosen| chosen.bind(&submit.params));
    let compiled = bound.and_then(|bound| bound.compile_with(read));
    compiled.map_err(|errors| invalid(&errors))
}

fn admission(
    submit: &Submit,
    compiled: Compiled,
    sources: &Sources,
) -> Result<Prepared, Box<Problem>> {
    let graph_bytes = protocol::graph::encode(&compiled.parts);
    for (key, value) in &submit.labels {
        spec::check_label(key, value).map_err(bad_request)?;
    }
    let definition = compiled.definition.with_env(&submit.env).with_labels(&submit.labels);
    let definition = if submit.no_cache { definition.without_cache() } else { definition };
    let definition_bytes = definition.to_bytes();
    let graph = Graph::new(digest(&graph_bytes), compiled.parts).map_err(|error| {
        // The check of the file has found cycles and sizes before.
        bad_request(format!("the compiled graph is no graph: {error:?}"))
    })?;
    let priority = submit.priority.map_or(compiled.options.priority, Priority);
    if priority > Priority::MAX {
        return Err(bad_request(format!("priority {} is above 100", priority.0)));
    }
    let stored = [graph_bytes, definition_bytes, sources.to_bytes(), Given::of(submit).to_bytes()];
    let stored = stored.map(named);
    let [_, (text, _), (content, _), (identity, _)] = &stored;
    let (content, identity) = (*content, *identity);
    let queue = compiled.options.queue.as_deref().unwrap_or(DEFAULT_QUEUE);
    let run = RunAdmitted {
        run: RunId(0),
        key: None,
        tenant: tenant(queue).into(),
        queue: queue.into(),
        name: compiled.options.name.as_str().into(),
        identity,
        content,
        graph: graph.digest(),
        definition: *text,
        priority,
        failure: compiled.options.failure,
        timeout: compiled.options.timeout,
        concurrency: compiled.options.concurrency,
        cost_limit_micro: compiled.options.cost_limit_micro,
        trace: 0,
    };
    let name = compiled.options.name;
    let (graph, definition) = (Arc::new(graph), Arc::new(definition));
    let admission =
        Admission { run, graph, definition, stored: stored.into(), done: Done::default() };
    Ok(Prepared { admission, identity, content, name })
}

pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Digest(*blake3::hash(bytes).as_bytes())
}

pub(crate) fn bad_request(detail: String) -> Box<Problem> {
    Box::new(Problem {
        status: 400,
        code: code::BAD_REQUEST.to_string(),
        title: "the request is malformed".to_owned(),
        detail,
        ..Problem::default()
    })
}

pub(crate) fn invalid(errors: &Diagnostics) -> Box<Problem> {
    let diagnostics: Vec<_> = errors.diagnostics.iter().map(|one| sent(errors, one)).collect();
    let first = diagnostics.first();
    Box::new(Problem {
        status: 422,
        code: first.map_or_else(|| code::BAD_REQUEST.to_string(), |first| first.code.clone()),
        title: "the workflow is not valid".to_owned(),
        detail: first.map(|first| first.message.clone()).unwrap_or_default(),
        diagnostics,
        ..Problem::default()
    })
}

fn sent(all: &Diagnostics, one: &Diagnostic) -> api::Diagnostic {
    let alone = Diagnostics { file: all.file.clone(), diagnostics: vec![one.clone()], omitted: 0 };
    api::Diagnostic {
        code: one.code.to_string(),
        message: one.message.clone(),
        line: one.place.as_ref().map(|place| place.line),
        column: one.place.as_ref().map(|place| place.column),
        hint: one.hint.clone(),
        rendered: alone.to_terminal(false),
    }
}
