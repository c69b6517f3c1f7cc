//! `plan`: the shape of a workflow, computed from its graph alone.

mod compile;

use std::cmp::Reverse;
use std::path::PathBuf;

use clap::Args;
use model::{Digest, Graph, TaskId};
use spec::{Compiled, Definition};

use super::bad_argument;
use crate::app::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::inputs::Inputs;
use crate::outline::{Outline, Step, on};
use crate::output::Format;
use crate::recorded;
use crate::render::compiled::{self, Class, Compilation};
use crate::render::plan::{Handler, Level, Shape, render};
use crate::workflow::{WorkflowFile, compile};

const EXAMPLES: &str = "\
Examples:
  autoglm plan digits.yaml
  autoglm plan etl.yaml -p day=monday -o json | jq .critical_path
  autoglm plan etl.yaml --param-file monday.yaml --environment staging
  autoglm plan etl.yaml --compile          How small its graph becomes, and which tasks are alike
  autoglm plan montage.json.gz --compile   The same of an instance of WfCommons";

/// Show the shape of a workflow: levels, critical path, width.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Plan {
    /// The workflow file, YAML or JSON
    pub file: PathBuf,

    #[command(flatten)]
    pub inputs: Inputs,

    /// Show what the compiler makes of its graph instead; FILE may be an instance of WfCommons, too
    #[arg(long)]
    pub compile: bool,
}

impl Plan {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let file = WorkflowFile::read(&self.file)?;
        if self.compile && recorded::is_instance(&file) {
            return self.compile_instance(file, context);
        }
        let workflow = file.check(context.tone)?;
        let values = self.inputs.values(&workflow, context.tone)?;
        let given = (self.inputs.environment.as_deref(), &values);
        let compiled = compile(workflow, given, context.tone)?;
        if self.compile {
            return print(context, &compile::of_workflow(compiled)?);
        }
        let shape = shape(compiled)?;
        let output = context.output;
        match output.format {
            Format::Json | Format::Jsonl => output.json(&shape)?,
            Format::Name => {
                let names = shape.levels.iter().flat_map(|level| &level.tasks);
                output.text(&names.map(|name| format!("{name}\n")).collect::<String>())?;
            }
            format => output.text(&render(&shape, format == Format::Wide, output.tone))?,
        }
        Ok(Exit::Ok)
    }

    /// What the compiler makes of an instance, which has no parameters.
    fn compile_instance(&self, file: WorkflowFile, context: &Context) -> Result<Exit> {
        let Inputs { params, param_files, environment } = &self.inputs;
        if !params.is_empty() || !param_files.is_empty() || environment.is_some() {
            let message = "an instance of WfCommons has no parameters and no environments";
            return Err(bad_argument(message));
        }
        let source = recorded::source(file, context.tone)?;
        let instance = workload::wfcommons::instance(&source);
        let instance = instance.map_err(|faults| recorded::invalid(&faults, context.tone))?;
        print(context, &compile::of_instance(&instance)?)
    }
}

/// Prints what the compiler has made of a graph.
fn print(context: &Context, compilation: &Compilation) -> Result<Exit> {
    let output = context.output;
    match output.format {
        Format::Json | Format::Jsonl => output.json(compilation)?,
        Format::Name => {
            let first = |class: &Class| class.names.first()?.first().cloned();
            let names = compilation.classes.iter().filter_map(first);
            output.text(&names.map(|name| format!("{name}\n")).collect::<String>())?;
        }
        format => {
            let wide = format == Format::Wide;
            output.text(&compiled::render(compilation, wide, output.tone))?;
        }
    }
    Ok(Exit::Ok)
}

/// The graph of a compiled workflow, and what its tasks are.
pub(super) fn graph(compiled: Compiled) -> Result<(Graph, Definition)> {
    // Nothing looks the graph up by its address here, so it gets none.
    let graph = Graph::new(Digest::default(), compiled.parts)
        .map_err(|error| bad_argument(format!("the workflow has no usable graph: {error:?}")))?;
    Ok((graph, compiled.definition))
}

/// The shape of a compiled workflow. O(tasks × log tasks + dependencies).
fn shape(compiled: Compiled) -> Result<Shape> {
    let (graph, definition) = graph(compiled)?;
    let outline = Outline::new(&graph, &definition);
    let control = graph.tasks().filter(|&task| outline.is_control(task));
    let control: Vec<_> = control.map(|task| outline.step(task)).collect();
    let is_open = |step: &&Step| step.items.as_ref().is_some_and(|items| items.count.is_none());
    let levels = levels(&graph, &definition);
    let handlers = graph.tasks().filter_map(|task| {
        let on = on(graph.policy(task).trigger)?;
        Some(Handler { task: definition.task_name(task).to_owned(), on })
    });
    Ok(Shape {
        name: definition.name().to_owned(),
        labels: definition.labels().clone(),
        tasks: graph.len() as u64,
        items: graph.tasks().map(|task| u64::from(graph.items(task))).sum(),
        dependencies: graph.edge_count() as u64,
        width: levels.iter().map(|level| level.tasks.len() as u64).max().unwrap_or(0),
        width_items: levels.iter().map(|level| level.items).max().unwrap_or(0),
        critical_path: critical_path(&graph, &definition),
        handlers: handlers.collect(),
        fan_outs_open: control.iter().filter(is_open).count() as u64,
        control,
        levels,
    })
}

/// The ordinary tasks by the length of the longest way to them.
fn levels(graph: &Graph, definition: &Definition) -> Vec<Level> {
    // A task's rank is greater than that of every task that depends on it, so that descending
    // ranks are an order in which dependencies come first.
    let mut order: Vec<TaskId> = graph.tasks().collect();
    order.sort_by_key(|&task| Reverse(graph.rank(task)));
    let mut depth = vec![0_usize; graph.len()];
    for &task in &order {
        let below = depth[task.0 as usize] + 1;
        for next in graph.successors(task) {
            let depth = &mut depth[next.0 as usize];
            *depth = below.max(*depth);
        }
    }
    let mut levels: Vec<Level> = Vec::new();
    for task in graph.tasks().filter(|&task| is_ordinary(graph, task)) {
        let at = depth[task.0 as usize];
        if levels.len() <= at {
            levels.resize_with(at + 1, Level::default);
        }
        levels[at].tasks.push(definition.task_name(task).to_owned());
        levels[at].items += u64::from(graph.items(task));
    }
    levels
}

/// The names along a longest chain of ordinary tasks; of equal ones the first in the file.
fn critical_path(graph: &Graph, definition: &Definition) -> Vec<String> {
    let ordinary = graph.tasks().filter(|&task| is_ordinary(graph, task));
    let mut at = ordinary.min_by_key(|&task| (Reverse(graph.rank(task)), task));
    let mut path = Vec::new();
    while let Some(task) = at {
        path.push(definition.task_name(task).to_owned());
        at = graph.successors(task).min_by_key(|&next| (Reverse(graph.rank(next)), next));
    }
    path
}

fn is_ordinary(graph: &Graph, task: TaskId) -> bool {
    !graph.policy(task).trigger.is_handler()
}

#[cfg(test)]
mod tests {
    use spec::Source;

    use super::*;

    fn shape_of(text: &str) -> Shape {
        let source = Source {
            name: "a.yaml".to_owned(),
            folder: "/".into(),
            text: text.as_bytes().to_vec(),
        };
        let workflow = spec::check(&source).expect("it is valid");
        let bound = workflow.bind(&std::collections::BTreeMap::new()).expect("no parameters");
        shape(bound.compile().expect("it compiles")).expect("it is a graph")
    }

    #[test]
    fn levels_and_paths_follow_the_longest_way() {
        let shape = shape_of(
            "tasks:\n\
             \x20 - {name: a, script: 'true'}\n\
             \x20 - {name: b, script: 'true', depends_on: a, foreach: {range: 5}}\n\
             \x20 - {name: c, script: 'true', depends_on: [a, b]}\n\
             \x20 - {name: d, script: 'true'}\n",
        );
        let levels: Vec<_> = shape.levels.iter().map(|level| level.tasks.join(" ")).collect();
        assert_eq!(levels, ["a d", "b", "c"]);
        assert_eq!(shape.critical_path, ["a", "b", "c"]);
        assert_eq!((shape.tasks, shape.items, shape.dependencies), (4, 8, 3));
        assert_eq!((shape.width, shape.width_items), (2, 5));
    }

    #[test]
    fn what_is_more_than_a_task_has_a_line_of_its_own() {
        let shape = shape_of(
            r#"
params: {n: 3}
tasks:
  a: {script: "true"}
  turn: {script: "true", depends_on: a, until: round > params.n, max_rounds: 9}
  judge:
    depends_on: turn
    decision:
      - {rule: params.n > 2, action: ask}
      - {action: {route: no}}
  ask:
    depends_on: a
    approval: {message: "{{ params.n }} of {{ tasks.a.outputs.n }}?", timeout: 1h, default: reject}
  pause: {depends_on: ask, wait: 90s}
  late: {depends_on: pause, foreach: tasks.a.outputs.rows, script: "true"}
  never: {depends_on: {judge: no}, when: params.n > 5, script: "true"}
  repair: {depends_on: {late: failed}, script: "true", compensate: {script: "true"}}
"#,
        );
        insta::assert_snapshot!(render(&shape, false, crate::style::Tone::PLAIN), @r"
        a: 10 tasks (10 items, more at run time), 9 dependencies, at most 2 items at a time

        LEVEL  TASKS  ITEMS  NAMES
            1      1      1  a
            2      1      1  turn
            3      1      1  turn.until
            4      1      1  judge
            5      2      2  ask, never
            6      1      1  pause
            7      1      1  late
            8      1      1  repair
        on undo: repair.compensate

        TASK        KIND      WHAT
        turn.until  loop      turn until round > params.n, at most 9 rounds
        judge       decision  params.n > 2 → ask; otherwise → route no, never
        ask         approval  chosen by judge; 3 of {{ tasks.a.outputs.n }}?; rejected after 1h
        pause       wait      1m 30s
        late        fan-out   items worked out at run time from tasks.a.outputs.rows
        never       task      when params.n > 5; chosen by judge
        repair      task      late failed

        Critical path (8 tasks): a → turn → turn.until → judge → ask → pause → late → repair
        ");
    }
}
