//! `run --dry-run`: everything that `run` checks, and what it would start, without starting it.
//!
//! It never touches the state folder, and asks nobody. GPUs are looked for if a task asks for any.

use std::collections::BTreeMap;

use model::TaskId;
use protocol::api::RunEnvironment;
use serde::Serialize;
use serde_json::Value;
use spec::Workflow;

use super::plan;
use crate::app::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::outline::{Outline, Step};
use crate::output::Format;
use crate::render::{outline, plural, run};
use crate::style::Paint;
use crate::table::printable;
use crate::workflow::compile;

/// Tasks that are shown one by one; `-o wide` shows all.
const TASKS_SHOWN: usize = 100;

/// What would run.
#[derive(Debug, Serialize)]
struct DryRun {
    name: String,
    /// Always true: nothing was started.
    dry_run: bool,
    /// The environment that it would run in, as it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<RunEnvironment>,
    /// The queue that it would stand in.
    queue: String,
    tasks: Vec<Step>,
    /// The tasks that ask for more than this machine offers, or may not go to it.
    too_large: Vec<String>,
}

/// Shows what would run.
pub(super) fn run(
    context: &Context,
    workflow: Workflow,
    given: (Option<&str>, &BTreeMap<String, Value>),
    env: &BTreeMap<String, String>,
) -> Result<Exit> {
    let compiled = compile(workflow, given, context.tone)?;
    let queue = compiled.options.queue.clone();
    let (graph, definition) = plan::graph(compiled)?;
    let definition = definition.with_env(env);
    let outline = Outline::new(&graph, &definition);
    let output = context.output;
    let shown = match output.format {
        Format::Table => TASKS_SHOWN,
        _ => usize::MAX,
    };
    let mut asked = graph.policies().iter().flat_map(|policy| policy.variants());
    let asks = asked.any(|(request, _)| request.devices.count > 0);
    let offering = context.home.offers(asks);
    offering.notes.iter().for_each(|note| context.say(&printable(note)));
    let is_too_large = |task: &TaskId| {
        let policy = graph.policy(*task);
        policy.kind.is_work() && !offering.can_hold(policy)
    };
    let name = |task: TaskId| definition.task_name(task).to_owned();
    let dry_run = DryRun {
        name: definition.name().to_owned(),
        dry_run: true,
        environment: definition.environment_snapshot().map(server::environment),
        queue: queue.unwrap_or_else(|| run::DEFAULT_QUEUE.to_owned()),
        tasks: graph.tasks().take(shown).map(|task| outline.step(task)).collect(),
        too_large: graph.tasks().filter(is_too_large).map(name).collect(),
    };
    match output.format {
        Format::Json | Format::Jsonl => output.json(&dry_run)?,
        Format::Name => {
            let names = dry_run.tasks.iter().map(|step| format!("{}\n", step.task));
            output.text(&names.collect::<String>())?;
        }
        Format::Table | Format::Wide => output.text(&render(context, &dry_run, graph.len()))?,
    }
    Ok(Exit::Ok)
}

fn render(context: &Context, dry_run: &DryRun, tasks: usize) -> String {
    let tone = context.output.tone;
    let name = tone.paint(Paint::Head, &printable(&dry_run.name));
    let count = plural(tasks as u64, "task");
    let mut text = format!("Dry run of {name}: {count}; nothing is started.\n");
    let environment = dry_run.environment.as_ref().map(|it| it.name.as_str());
    if let Some(place) = run::place(environment, &dry_run.queue) {
        text.push_str(&format!("{} {place}\n", tone.paint(Paint::Faint, "Env:")));
    }
    for step in &dry_run.tasks {
        text.push_str(&format!("\n{}", outline::block(step, tone)));
    }
    if tasks > dry_run.tasks.len() {
        let more = plural((tasks - dry_run.tasks.len()) as u64, "more task");
        text.push_str(&format!("\n… {more}: -o wide shows all\n"));
    }
    if let [first, rest @ ..] = dry_run.too_large.as_slice() {
        let others = match rest.len() {
            0 => "asks".to_owned(),
            count => format!("and {} ask", plural(count as u64, "more task")),
        };
        let warning = format!(
            "{} {others} for more than this machine offers, or for another",
            printable(first)
        );
        text.push_str(&format!("\n{}: {warning}\n", tone.paint(Paint::Warn, "warning")));
    }
    text
}
