//! `plan --compile`: what the compiler makes of the graph of a workflow, or of an instance of
//! WfCommons. It computes from the graph alone, and shows numbers that were held against it.

use std::cmp::Reverse;
use std::collections::HashMap;

use compiler::{Compressed, Counts, Folding, Graph, Method, Report, TaskKinds, compress};
use model::TaskId;
use protocol::api::code::INTERNAL;
use spec::{Compiled, Does};
use workload::wfcommons::Instance;

use super::graph;
use crate::commands::bad_argument;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::render::compiled::{Class, Compilation, Form};

/// The ways that are shown, by name. The last ones put into classes what folding has left.
const METHODS: [(&str, Method); 5] = [
    ("chains", Method::fold(Folding::Chains)),
    ("siblings", Method::fold(Folding::Siblings)),
    ("fixpoint", Method::fold(Folding::Fixpoint)),
    ("quotient", Method::QUOTIENT),
    ("fixpoint quotient", Method::FIXPOINT_QUOTIENT),
];

/// The way whose classes are shown: its members are single tasks or chains, which have names that
/// say something. Parts that were folded further are few, and large.
const SHOWN: &str = "quotient";

/// A graph with what its tasks are called and what they are.
struct Named {
    name: String,
    graph: Graph,
    tasks: Vec<String>,
    /// What a task with each label is, for people.
    labels: Vec<String>,
}

/// What the compiler makes of a workflow. Tasks are alike that have one policy and do the same, to
/// the letter.
pub(super) fn of_workflow(compiled: Compiled) -> Result<Compilation> {
    let (tasks, definition) = graph(compiled)?;
    let mut known = HashMap::<String, u32>::new();
    let mut looks = Vec::with_capacity(tasks.len());
    let mut words = Vec::new();
    for task in tasks.tasks() {
        let sketch = definition.sketch(task);
        let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
        let look = *known.entry(format!("{sketch:?}")).or_insert(next);
        if look == next && words.len() == next as usize {
            words.push(sketch.map_or("task", |sketch| word(&sketch.does)));
        }
        looks.push(look);
    }
    let look = |task: TaskId| looks[task.0 as usize];
    let (graph, kinds) = TaskKinds::of(&tasks, look).map_err(|error| unusable(&error))?;
    let labels = graph.labels().iter().max().map_or(0, |&last| last + 1);
    let labels = (0..labels).map(|label| words[kinds.kind(label).look as usize].to_owned());
    compilation(&Named {
        name: definition.name().to_owned(),
        tasks: tasks.tasks().map(|task| definition.task_name(task).to_owned()).collect(),
        labels: labels.collect(),
        graph,
    })
}

/// What the compiler makes of an instance. Tasks are alike that are of one kind.
pub(super) fn of_instance(instance: &Instance) -> Result<Compilation> {
    let mut labels: Vec<String> = Vec::new();
    let mut known = HashMap::<&str, u32>::new();
    let label_of = instance.tasks.iter().map(|task| {
        *known.entry(&task.kind).or_insert_with(|| {
            labels.push(task.kind.clone());
            u32::try_from(labels.len() - 1).unwrap_or(u32::MAX)
        })
    });
    let label_of = label_of.collect();
    let edges = (0_u32..).zip(&instance.tasks);
    let edges = edges.flat_map(|(task, it)| it.depends_on.iter().map(move |&on| (on, task)));
    let edges: Vec<(u32, u32)> = edges.collect();
    let graph = Graph::new(label_of, &edges).map_err(|error| unusable(&error))?;
    let tasks = instance.tasks.iter().map(|task| task.id.clone()).collect();
    compilation(&Named { name: instance.name.clone(), graph, tasks, labels })
}

fn compilation(named: &Named) -> Result<Compilation> {
    let graph = &named.graph;
    let (tasks, edges) = (graph.len() as u64, graph.edge_count() as u64);
    let mut after = Vec::new();
    let mut found = Vec::new();
    for (name, method) in METHODS {
        let compressed = compress(graph, method);
        // Nothing is shown that was not held against the graph.
        compressed.check(graph).map_err(|difference| {
            let message = format!("the compiler lost something: {difference}");
            Error::new(Exit::Internal, INTERNAL, message)
        })?;
        let report = Report::new(graph, &compressed);
        let Counts { nodes, edges } = report.after;
        after.push(Form::new(name, (nodes, edges), (report.bytes, tasks)));
        if name == SHOWN {
            found = classes(named, &compressed);
        }
    }
    Ok(Compilation {
        name: named.name.clone(),
        before: Form::before((tasks, edges), graph.bytes()),
        after,
        classes_of: SHOWN,
        classes: found,
    })
}

/// The classes with the most tasks first; of equal ones by their first tasks.
fn classes(named: &Named, compressed: &Compressed) -> Vec<Class> {
    let mut classes: Vec<Class> = compressed
        .classes()
        .map(|class| {
            let members: Vec<Vec<u32>> = (0..class.len()).map(|it| class.nodes(it)).collect();
            let label = |&node: &u32| named.graph.labels()[node as usize];
            let mut kinds: Vec<String> = Vec::new();
            for label in members.first().into_iter().flatten().map(label) {
                let kind = &named.labels[label as usize];
                if kinds.last() != Some(kind) {
                    kinds.push(kind.clone());
                }
            }
            let name = |node: u32| named.tasks[node as usize].clone();
            Class {
                members: u64::from(class.len()),
                tasks_each: members.first().map_or(0, |member| member.len() as u64),
                kinds,
                names: members
                    .into_iter()
                    .map(|member| member.into_iter().map(name).collect())
                    .collect(),
            }
        })
        .collect();
    classes.sort_by_key(|class| Reverse(class.members * class.tasks_each));
    classes
}

/// What a task does, in a word.
fn word(does: &Does) -> &'static str {
    match does {
        Does::Script { .. } => "script",
        Does::Command(_) => "command",
        Does::Calls(kind, _) => kind.key(),
        Does::Decides(_) => "decision",
        Does::WorksOut(_) => "result",
        Does::Repeats(_) => "loop",
        Does::Waits(_) | Does::LooksFor(..) => "wait",
        Does::Asks(_) => "approval",
        Does::Listens(_) => "signal",
        Does::Gathers(_) => "end",
    }
}

fn unusable(error: &compiler::GraphError) -> Error {
    bad_argument(format!("the compiler does not take this graph: {error}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use spec::Source;

    use super::*;
    use crate::render::compiled::render;
    use crate::style::Tone;

    fn of_text(text: &str) -> Compilation {
        let source = Source { name: "a.yaml".into(), folder: "/".into(), text: text.into() };
        let workflow = spec::check(&source).expect("it is valid");
        let bound = workflow.bind(&BTreeMap::new()).expect("no parameters");
        of_workflow(bound.compile().expect("it compiles")).expect("it is a graph")
    }

    #[test]
    fn like_tasks_of_a_workflow_are_a_class() {
        let mut text = String::from("tasks:\n  split: {script: ./split.sh}\n");
        for number in 0..20 {
            text += &format!("  part-{number}: {{script: ./part.sh, depends_on: split}}\n");
            text += &format!("  check-{number}: {{noop: true, depends_on: part-{number}}}\n");
        }
        text += "  odd: {script: ./odd.sh, depends_on: split}\n";
        text += "  join: {script: ./join.sh, depends_on: [check-*, odd]}\n";
        let compilation = of_text(&text);
        insta::assert_snapshot!(render(&compilation, false, Tone::PLAIN), @r"
        a: 43 tasks, 62 edges

        FORM                  TASKS  EDGES  BYTES  A TASK
        before: CSR with u32     43     62    596   13.86
        chains                   23     42    463   10.77
        siblings                 43     62    587   13.65
        fixpoint                  4      4    254    5.91
        quotient                  4      4    198    4.60
        fixpoint quotient         4      4    254    5.91
        Each was expanded again and is the same graph, edge by edge.

        Largest of the 4 classes left by quotient:
        MEMBERS  TASKS EACH  WHAT          NAMES
             20           2  script, noop  (part-0, check-0), (part-1, check-1), … 18 more
              1           1  script        split
              1           1  script        odd
              1           1  script        join
        ");
        let whole = compilation.classes.iter().flat_map(|class| class.names.iter().flatten());
        assert_eq!(whole.count(), 43, "each task is in one class");
    }

    #[test]
    fn tasks_of_an_instance_are_alike_by_kind() {
        let tasks: Vec<String> = (1..=6)
            .map(|number| {
                format!(
                    r#"{{"name": "run_ID{number}", "id": "run_ID{number}", "runtimeInSeconds": 1,
                        "parents": ["first"]}}"#
                )
            })
            .collect();
        let text = format!(
            r#"{{"name": "w", "workflow": {{"tasks": [
                {{"name": "first", "runtimeInSeconds": 1}}, {}]}}}}"#,
            tasks.join(",")
        );
        let source = workload::Source::new("w.json", text.into_bytes()).expect("text");
        let instance = workload::wfcommons::instance(&source).expect("it is in order");
        let compilation = of_instance(&instance).expect("a graph");
        let before = &compilation.before;
        assert_eq!((before.tasks, before.edges, before.bytes), (7, 6, 4 * (7 + 8 + 6)));
        assert_eq!((before.form, before.bytes_a_task), ("CSR with u32", 12.0));
        let quotient = compilation.after.iter().find(|form| form.form == "quotient");
        assert_eq!(quotient.map(|form| (form.tasks, form.edges)), Some((2, 1)));
        let [run, first] = compilation.classes.as_slice() else { panic!("two classes") };
        assert_eq!((run.members, run.tasks_each, first.members), (6, 1, 1));
        assert_eq!((run.kinds[0].as_str(), run.names[5][0].as_str()), ("run", "run_ID6"));
    }

    #[test]
    fn nothing_but_one_task_is_a_class_of_its_own() {
        let compilation = of_text("tasks: {a: {script: x}}");
        assert_eq!((compilation.before.tasks, compilation.classes.len()), (1, 1));
        assert_eq!(compilation.classes[0].kinds, ["script"]);
    }
}
