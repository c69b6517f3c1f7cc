//! The files of a simulation: workloads of any form, workflows, and a cluster.

use std::path::Path;

use model::TaskId;
use whatif::{Cluster, Workload};
use workload::{Format, Options, Source};

use super::Simulate;
use crate::cluster;
use crate::commands::{bad_argument, plan};
use crate::error::{Error, Result};
use crate::recorded;
use crate::style::Tone;
use crate::workflow::{WorkflowFile, compile};

/// Reads all that a simulation needs.
pub(super) fn read(asked: &Simulate, tone: Tone) -> Result<(Vec<Workload>, Cluster)> {
    let (mut workloads, mut cluster) = (Vec::new(), None);
    for path in &asked.files {
        let file = WorkflowFile::read(path)?;
        if is_workflow(&file) {
            workloads.push(workflow(asked, &file, tone)?);
            continue;
        }
        let source = recorded::source(file, tone)?;
        let options = Options { estimates: asked.estimates.of_reader(), outstanding: None };
        let read = workload::read(&source, &options);
        let read = read.map_err(|faults| recorded::invalid(&faults, tone))?;
        workloads.push(read.workload);
        cluster = cluster.or(read.cluster);
    }
    if let Some(path) = &asked.cluster {
        cluster = Some(nodes(path, tone)?);
    }
    let cluster = cluster.ok_or_else(|| no_nodes("the file"))?;
    Ok((workloads, cluster))
}

/// Nobody says on which nodes to simulate.
pub(super) fn no_nodes(who: &str) -> Error {
    bad_argument(format!("{who} says nothing of nodes"))
        .hint("describe them in a file: --cluster nodes.yaml, with `nodes:` and a list")
}

/// Whether a file is no recorded workload, and looks like a workflow of ours.
fn is_workflow(file: &WorkflowFile) -> bool {
    let bytes = &file.source.text;
    let is_packed = bytes.starts_with(&[0x1f, 0x8b]);
    let is_named = file
        .path
        .extension()
        .is_some_and(|it| ["yaml", "yml", "json"].iter().any(|known| it == *known));
    let source = Source::new(&file.source.name, bytes.clone()).ok();
    !is_packed && is_named && source.is_none_or(|source| Format::of(&source).is_none())
}

/// A workflow as one job.
fn workflow(asked: &Simulate, file: &WorkflowFile, tone: Tone) -> Result<Workload> {
    let workflow = file.check(tone)?;
    let values = asked.inputs.values(&workflow, tone)?;
    let compiled = compile(workflow, (asked.inputs.environment.as_deref(), &values), tone)?;
    let name = compiled.options.name.clone();
    let (graph, definition) = plan::graph(compiled)?;
    let took = |task: &str| {
        let said = asked.durations.iter().rev().find(|(name, _)| name == task);
        said.map(|&(_, us)| us)
    };
    let unknown = asked
        .durations
        .iter()
        .find(|(name, _)| !graph.tasks().any(|task: TaskId| definition.task_name(task) == name));
    if let Some((name, _)) = unknown {
        return Err(bad_argument(format!("{} has no task `{name}`", file.source.name)));
    }
    let made = whatif::workflow::workload(&name, &graph, |task| definition.task_name(task), took);
    made.ok_or_else(|| bad_argument(format!("{} has nothing to simulate", file.source.name)))
}

/// The nodes of a cluster file.
pub(super) fn nodes(path: &Path, tone: Tone) -> Result<Cluster> {
    cluster::read(path, tone).map(|(_, read)| cluster::simulated(&read))
}
