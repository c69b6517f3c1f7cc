//! A submitted file becomes something that the engine can admit: checked, bound, compiled.

use std::path::Path;
use std::sync::Arc;

use model::fact::RunAdmitted;
use model::limits::WORKFLOW_FILE_BYTES_MAX;
use model::policy::Priority;
use model::{Digest, Graph, RunId};
use protocol::api::{self, Problem, Submit, code};
use spec::{Diagnostic, Diagnostics, Source};

use crate::handle::Admission;

/// A submission that is fit to be admitted.
pub struct Prepared {
    /// For the engine.
    pub(crate) admission: Admission,
    /// What makes two runs runs of the same thing: path, parameters, environment.
    pub identity: Digest,
    /// The file's content.
    pub content: Digest,
    /// The workflow's name.
    pub name: String,
}

/// Checks a submission.
///
/// # Errors
/// Everything that is wrong with the file or its parameters, as one problem.
pub fn prepare(submit: &Submit) -> Result<Prepared, Box<Problem>> {
    if submit.content.len() > WORKFLOW_FILE_BYTES_MAX {
        return Err(bad_request(format!(
            "the file is larger than {WORKFLOW_FILE_BYTES_MAX} bytes"
        )));
    }
    let folder = Path::new(&submit.path).parent().unwrap_or(Path::new("/")).to_owned();
    let text = submit.content.clone().into_bytes();
    let source = Source { name: submit.path.clone(), folder, text };
    let read = |path: &Path| {
        std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
    };
    let workflow = spec::check_with(&source, &read).map_err(|errors| invalid(&errors))?;
    let chosen = workflow.choose(submit.environment.as_deref());
    let bound = chosen.and_then(|chosen| chosen.bind(&submit.params));
    let compiled = bound.and_then(|bound| bound.compile_with(&read));
    let compiled = compiled.map_err(|errors| invalid(&errors))?;
    let graph_bytes = protocol::graph::encode(&compiled.parts);
    let definition = compiled.definition.with_env(&submit.env);
    let definition_bytes = definition.to_bytes();
    let graph = Graph::new(digest(&graph_bytes), compiled.parts).map_err(|error| {
        // The check of the file has found cycles and sizes before.
        bad_request(format!("the compiled graph is no graph: {error:?}"))
    })?;
    let identity = identity(submit);
    let content = digest(submit.content.as_bytes());
    let priority = submit.priority.map_or(compiled.options.priority, Priority);
    if priority > Priority::MAX {
        return Err(bad_request(format!("priority {} is above 100", priority.0)));
    }
    let run = RunAdmitted {
        run: RunId(0),
        key: None,
        tenant: "default".into(),
        queue: definition.queue().unwrap_or("default").into(),
        name: compiled.options.name.as_str().into(),
        identity,
        content,
        graph: graph.digest(),
        definition: digest(&definition_bytes),
        priority,
        failure: compiled.options.failure,
        timeout: compiled.options.timeout,
        concurrency: compiled.options.concurrency,
        trace: 0,
    };
    let name = compiled.options.name;
    let (graph, definition) = (Arc::new(graph), Arc::new(definition));
    let admission = Admission { run, graph, definition, graph_bytes, definition_bytes };
    Ok(Prepared { admission, identity, content, name })
}

/// Path, parameters and variables, each with its length, so that no two lists look alike.
fn identity(submit: &Submit) -> Digest {
    let mut hasher = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    part(submit.path.as_bytes());
    for (name, value) in &submit.params {
        part(name.as_bytes());
        part(value.to_string().as_bytes());
    }
    part(b"env");
    for (name, value) in &submit.env {
        part(name.as_bytes());
        part(value.as_bytes());
    }
    if let Some(environment) = &submit.environment {
        part(b"environment");
        part(environment.as_bytes());
    }
    Digest(*hasher.finalize().as_bytes())
}

pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Digest(*blake3::hash(bytes).as_bytes())
}

fn bad_request(detail: String) -> Box<Problem> {
    Box::new(Problem {
        status: 400,
        code: code::BAD_REQUEST.to_string(),
        title: "the request is malformed".to_owned(),
        detail,
        ..Problem::default()
    })
}

fn invalid(errors: &Diagnostics) -> Box<Problem> {
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
