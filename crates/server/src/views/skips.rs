//! Why tasks were skipped, and which of a run's facts skip tasks without saying so.
//!
//! When a task ends, those that cannot go on any more are skipped, and what waits for them in turn.
//! That follows from the fact of the end by itself, so no fact says it; whoever reads facts one by
//! one is told here, in their order.

use std::collections::{HashMap, VecDeque};

use engine::state::Run;
use model::control::{ControlAnswer, EdgeCondition, Kind};
use model::fact::{Fact, TaskAnswered};
use model::{Graph, IdSet, Round, TaskId, TaskStatus};

use super::names::Names;
use super::words::listed;

/// Dependencies that are named in one sentence.
const NAMED_MAX: usize = 3;

/// The end of the names of tasks that work out whether a group goes on.
const CONDITION_OF_GROUP: &str = ".when";

/// An edge into a task, from its other end.
type Edge = (TaskId, EdgeCondition);

/// Why a task was skipped, to follow "it was skipped: ".
pub(crate) fn why_skipped(run: &Run, task: TaskId, names: &Names) -> String {
    let graph = run.graph();
    let from = |before: TaskId| {
        let edges = graph.edges_from(before).filter(move |(to, _)| *to == task);
        edges.map(move |(_, condition)| (before, condition))
    };
    let edges: Vec<Edge> = graph.predecessors(task).flat_map(from).collect();
    why(run, task, &edges, names)
}

fn why(run: &Run, task: TaskId, edges: &[Edge], names: &Names) -> String {
    let unmet = |&&(before, condition): &&Edge| {
        let status = run.task(before).status();
        status.is_final() && !condition.is_met_by(status, run.route(before))
    };
    let unmet: Vec<_> = edges.iter().filter(unmet).collect();
    if unmet.is_empty() && run.is_handler(task) {
        return "the run did not end in the way that it is for".to_owned();
    }
    if unmet.is_empty() {
        return "its condition does not hold".to_owned();
    }
    let named = unmet.iter().take(NAMED_MAX);
    let named = named.map(|&&(before, condition)| dependency(run, before, condition, names));
    format!("it depends on {}", listed(named.collect(), unmet.len()))
}

/// What was needed of a task, and what came of it.
fn dependency(run: &Run, before: TaskId, condition: EdgeCondition, names: &Names) -> String {
    let (name, status) = (names.task(before), run.task(before).status());
    let is_of_group = name.ends_with(CONDITION_OF_GROUP);
    match condition {
        EdgeCondition::Route(_) if is_of_group && status == TaskStatus::Succeeded => {
            format!("{name}, which does not hold")
        }
        EdgeCondition::Route(_) if is_of_group => format!("{name} ({status})"),
        EdgeCondition::Succeeded | EdgeCondition::Finished => format!("{name} ({status})"),
        EdgeCondition::Failed => format!("a failure of {name} ({status})"),
        EdgeCondition::Skipped => format!("{name} being skipped ({status})"),
        EdgeCondition::Route(route) => {
            let wanted = names.route(before, route);
            let came = match run.route(before).filter(|_| status == TaskStatus::Succeeded) {
                Some(route) => names.route(before, route),
                None => status.to_string(),
            };
            format!("{name} choosing {wanted} ({came})")
        }
    }
}

/// The skips of a run that its facts do not tell, one fact after the other.
#[derive(Debug, Default)]
pub(crate) struct Skips {
    /// Who has been told of, and in which round.
    told: HashMap<TaskId, Round>,
    /// The edges into each task, once somebody asks why.
    edges: Option<Vec<Vec<Edge>>>,
}

impl Skips {
    /// Which tasks are skipped since `fact`, of which `run` is what came; and why. Those come first
    /// that others follow from.
    pub(crate) fn after(&mut self, fact: &Fact, run: &Run, names: &Names) -> Vec<(TaskId, String)> {
        let mut open: VecDeque<_> = touched(fact, run).iter().map(TaskId).collect();
        if says_so(fact) {
            let told = open.iter().filter(|&&task| is_skipped(run, task));
            self.told.extend(told.map(|&task| (task, run.task(task).round())));
        }
        let mut skipped = Vec::new();
        // Whom the fact names may be skipped by it: a turn that begins decides anew.
        for &task in &open {
            if self.is_news(run, task) {
                skipped.push(task);
            }
        }
        while let Some(task) = open.pop_front() {
            if !run.task(task).status().is_final() {
                continue;
            }
            for next in run.graph().successors(task) {
                if self.is_news(run, next) {
                    skipped.push(next);
                    open.push_back(next);
                }
            }
        }
        if skipped.is_empty() {
            return Vec::new();
        }
        let edges = self.edges.get_or_insert_with(|| edges_into(run.graph()));
        let with_reason = |task: TaskId| (task, why(run, task, &edges[task.0 as usize], names));
        skipped.into_iter().map(with_reason).collect()
    }

    fn is_news(&mut self, run: &Run, task: TaskId) -> bool {
        let round = run.task(task).round();
        is_skipped(run, task) && self.told.insert(task, round) != Some(round)
    }
}

fn is_skipped(run: &Run, task: TaskId) -> bool {
    run.task(task).status() == TaskStatus::Skipped
}

/// Whether a fact says by itself that what it names is skipped.
fn says_so(fact: &Fact) -> bool {
    match fact {
        Fact::TasksSkipped { .. } => true,
        Fact::Marked(marked) => marked.status == TaskStatus::Skipped,
        Fact::TaskAnswered(answered) => answered.answer == ControlAnswer::Skip,
        _ => false,
    }
}

/// The tasks that end, or begin anew, by a fact.
fn touched(fact: &Fact, run: &Run) -> IdSet {
    match fact {
        Fact::AttemptsEnded(ended) => IdSet::one(ended.task.task.0),
        Fact::TaskAnswered(answered) => answered_tasks(answered, run),
        Fact::TaskSettled { task, .. } => IdSet::one(task.task.0),
        Fact::Marked(marked) => marked.tasks.clone(),
        Fact::HandlersReleased { tasks, .. }
        | Fact::TasksSkipped { tasks, .. }
        | Fact::TasksCancelled { tasks, .. }
        | Fact::TasksUnsatisfiable { tasks, .. }
        | Fact::DeadlinePassed { tasks, .. }
        | Fact::RoundOpened { tasks, .. } => tasks.clone(),
        _ => IdSet::new(),
    }
}

/// A loop that goes on begins a turn of all that is in it.
fn answered_tasks(answered: &TaskAnswered, run: &Run) -> IdSet {
    let task = answered.task.task;
    match (answered.answer, run.policy(task).kind) {
        (ControlAnswer::Again, Kind::Loop { first, .. }) => IdSet::range(first.0, task.0 + 1),
        _ => IdSet::one(task.0),
    }
}

fn edges_into(graph: &Graph) -> Vec<Vec<Edge>> {
    let mut into = vec![Vec::new(); graph.len()];
    for before in graph.tasks() {
        for (task, condition) in graph.edges_from(before) {
            into[task.0 as usize].push((before, condition));
        }
    }
    into
}

#[cfg(test)]
mod tests {
    use model::RunId;
    use model::outcome::Outcome;

    use super::super::tests::{FAILED, Stage, flow};
    use super::*;
    use crate::replay::Replayed;

    /// What is told after each fact of a run, as sentences.
    fn told(stage: &Stage, run: RunId) -> Vec<String> {
        let (mut skips, mut replayed) = (Skips::default(), Replayed::new());
        let names = stage.subject(run).names;
        let mut told = Vec::new();
        for entry in &stage.journal {
            replayed.engine.replay(entry.seq, entry.at, &entry.fact, &stage.shelf);
            let Some(state) = replayed.engine.state().run(run) else { continue };
            let skipped = skips.after(&entry.fact, state, &names);
            told.extend(
                skipped
                    .into_iter()
                    .map(|(task, why)| format!("{} {}: {why}", entry.seq, names.task(task))),
            );
        }
        told
    }

    #[test]
    fn what_cannot_go_on_is_told_after_the_end_that_it_follows_from() {
        let mut stage = Stage::new(1);
        let run = stage.submit(&flow(
            "on_failure: continue",
            &["a", "b, depends_on: a", "c, depends_on: b", "mend, depends_on: {c: failed}", "d"],
        ));
        stage.work(9, |_| FAILED);
        let ended = |task| {
            let fact = stage.journal.iter().find(|entry| match &entry.fact {
                Fact::AttemptsEnded(ended) => ended.task.task == TaskId(task),
                _ => false,
            });
            fact.expect("it ended").seq
        };
        let first = ended(0);
        let expected = [
            format!("{first} b: it depends on a (failed)"),
            format!("{first} c: it depends on b (skipped)"),
            format!("{first} mend: it depends on a failure of c (skipped)"),
        ];
        assert_eq!(told(&stage, run), expected);
        let subject = stage.subject(run);
        assert_eq!(
            why_skipped(subject.run, TaskId(2), &subject.names),
            "it depends on b (skipped)"
        );
    }

    #[test]
    fn a_retry_that_skips_again_is_told_again() {
        let mut stage = Stage::new(1);
        let run = stage.submit(&flow("on_failure: continue", &["a", "b, depends_on: a"]));
        stage.work(9, |_| FAILED);
        stage.retry(run, None);
        stage.work(9, |_| FAILED);
        assert_eq!(told(&stage, run).len(), 2);
        stage.retry(run, None);
        stage.work(9, |_| Outcome::Succeeded);
        assert_eq!(told(&stage, run).len(), 2);
    }

    #[test]
    fn what_a_fact_says_itself_is_not_told_twice() {
        let mut stage = Stage::new(1);
        let run = stage.submit(&flow("on_failure: continue", &["a", "note, on: failure"]));
        stage.work(9, |_| Outcome::Succeeded);
        assert_eq!(told(&stage, run), [""; 0]);
    }
}
