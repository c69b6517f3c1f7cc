//! What depends on what, as the file says it: between tasks and groups, before groups are taken
//! apart.

use model::control::EdgeCondition;

use super::decisions::Decisions;
use super::names::is_pattern;
use super::steps::{Role, Steps, Target};
use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::file::{Dependency, JoinFile, TaskFile};
use crate::limits::PATTERN_STEPS_MAX;
use crate::read::Placed;
use crate::source::Extent;
use crate::suggest::did_you_mean;
use model::limits::EDGES_MAX;
use model::policy::Stage;

/// One dependency.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub dependent: Target,
    pub on: Target,
    pub condition: EdgeCondition,
    pub extent: Extent,
}

/// The conditions that every task knows.
const CONDITIONS: [(&str, EdgeCondition); 4] = [
    ("succeeded", EdgeCondition::Succeeded),
    ("failed", EdgeCondition::Failed),
    ("finished", EdgeCondition::Finished),
    ("skipped", EdgeCondition::Skipped),
];

/// All dependencies of a file, those that decisions make included.
pub(super) fn collect(
    steps: &Steps<'_>,
    (decisions, made): (&Decisions, Vec<Link>),
    faults: &mut Faults,
) -> Vec<Link> {
    let mut collector = Collector { steps, decisions, links: made, pattern_steps: 0, faults };
    let tasks = (0..).zip(&steps.list).filter(|(_, step)| step.role == Role::Task);
    for (number, step) in tasks.filter(|(_, step)| !step.is_copied_call()) {
        collector.add(Target::Step(number), step.scope, step.task);
    }
    for (number, group) in (0..).zip(&steps.groups) {
        if let Some(task) = group.task {
            collector.add(Target::Group(number), group.parent, task);
        }
    }
    let Collector { links, faults, .. } = collector;
    if links.len() > EDGES_MAX {
        let message = format!("the workflow has more than {EDGES_MAX} edges");
        faults.push(Fault::nowhere(code::TOO_LARGE, message));
    }
    links.into_iter().filter(|link| check(steps, link, faults)).collect()
}

struct Collector<'s, 'f, 'm> {
    steps: &'s Steps<'f>,
    decisions: &'s Decisions,
    links: Vec<Link>,
    pattern_steps: usize,
    faults: &'m mut Faults,
}

impl Collector<'_, '_, '_> {
    fn add(&mut self, dependent: Target, scope: u32, task: &TaskFile) {
        for dependency in task.depends_on.iter().flat_map(|depends_on| &depends_on.0) {
            if let (Some(is), Some(join)) = (&dependency.is, &task.join)
                && join.value == JoinFile::AllDone
            {
                let message = "`join: all_done` waits for every end: it takes no conditions";
                let fault = Fault::new(code::CONFLICT, is.extent, message);
                self.faults.push(fault.related(join.extent, "the join"));
            }
            for on in self.targets(dependent, scope, &dependency.task) {
                let condition = self.condition(dependency, on);
                if let (Some(condition), true) = (condition, self.links.len() <= EDGES_MAX) {
                    let extent = dependency.task.extent;
                    self.links.push(Link { dependent, on, condition, extent });
                }
            }
        }
    }

    /// What a name or a pattern means; a pattern never means who writes it.
    fn targets(&mut self, dependent: Target, scope: u32, name: &Placed<String>) -> Vec<Target> {
        let (text, extent) = (name.value.as_str(), name.extent);
        if let Some(found) = self.steps.resolve(scope, text) {
            return vec![found];
        }
        if !is_pattern(text) {
            let hint = if self.faults.is_full() { None } else { self.steps.meant(scope, text) };
            let message = format!("there is no task `{text}`");
            let fault = Fault::new(code::UNKNOWN_TASK, extent, message);
            self.faults.push(fault.hint_if(hint));
            return Vec::new();
        }
        let mut found = self.steps.matching(scope, text, &mut self.pattern_steps);
        if self.pattern_steps > PATTERN_STEPS_MAX {
            let message = "the patterns of this file fit too many names to be tried";
            let fault = Fault::new(code::TOO_LARGE, extent, message);
            self.faults.push(fault.hint("name a group instead of its tasks"));
            return Vec::new();
        }
        let own_stage = self.stage(dependent);
        found.retain(|&target| {
            !self.steps.contains(target, dependent) && self.stage(target) == own_stage
        });
        if found.is_empty() {
            let message = format!("no other task fits `{text}`");
            self.faults.push(Fault::new(code::UNKNOWN_TASK, extent, message));
        }
        found
    }

    fn stage(&self, target: Target) -> Stage {
        self.steps.stage(target)
    }

    fn condition(&mut self, dependency: &Dependency, on: Target) -> Option<EdgeCondition> {
        let Some(is) = &dependency.is else { return Some(EdgeCondition::Succeeded) };
        let word = is.value.as_str();
        if let Some((_, condition)) = CONDITIONS.iter().find(|(known, _)| *known == word) {
            return Some(*condition);
        }
        let routes: Vec<&str> = match on {
            Target::Step(step) => {
                if let Some(route) = self.decisions.route(step, word) {
                    return Some(EdgeCondition::Route(route));
                }
                self.decisions.routes(step).collect()
            }
            Target::Group(_) => Vec::new(),
        };
        let name = &self.steps.place(on).value;
        let message = match routes.as_slice() {
            [] => format!("`{word}` is nothing that `{name}` can come to"),
            _ => format!("`{word}` is no route of `{name}`"),
        };
        let known = routes.iter().copied().chain(CONDITIONS.iter().map(|known| known.0));
        let all: Vec<&str> = known.clone().collect();
        let fault = Fault::new(code::BAD_VALUE, is.extent, message);
        let fault = fault.hint_if(did_you_mean(word, known));
        self.faults.push(fault.hint_if(Some(format!("write one of: {}", all.join(", ")))));
        None
    }
}

/// Whether a link can be: nothing waits for itself, and handlers and other tasks wait for each
/// other anyway.
fn check(steps: &Steps<'_>, link: &Link, faults: &mut Faults) -> bool {
    let Link { dependent, on, extent, .. } = *link;
    let [name, earlier] = [dependent, on].map(|target| &steps.place(target).value);
    if steps.contains(on, dependent) || steps.contains(dependent, on) {
        let message = match dependent == on {
            true => format!("task `{name}` depends on itself"),
            false => format!("`{name}` depends on `{earlier}`, and one is a part of the other"),
        };
        faults.push(Fault::new(code::SELF_DEPENDENCY, extent, message));
        return false;
    }
    let (message, hint) = match (steps.stage(dependent), steps.stage(on)) {
        (one, other) if one == other => return true,
        (Stage::Ordinary, _) => (
            format!("task `{name}` depends on the handler `{earlier}`"),
            "handlers run when all other tasks have ended: leave the dependency out",
        ),
        (_, Stage::Ordinary) => (
            format!("the handler `{name}` depends on the task `{earlier}`"),
            "a handler runs after all other tasks anyway: leave the dependency out",
        ),
        _ => (
            format!("`{name}` and `{earlier}` are handlers of different times"),
            "what runs `finally` runs after all other handlers: leave the dependency out",
        ),
    };
    faults.push(Fault::new(code::HANDLER_DEPENDENCY, extent, message).hint(hint));
    true
}

impl Steps<'_> {
    /// When in a run a task or group has its time.
    pub(super) fn stage(&self, target: Target) -> Stage {
        match target {
            Target::Step(step) => self.list[step as usize].trigger.stage(),
            Target::Group(group) => self.groups[group as usize].trigger.stage(),
        }
    }

    /// Whether `inner` is `outer` or a part of it.
    pub(super) fn contains(&self, outer: Target, inner: Target) -> bool {
        let Target::Group(outer_group) = outer else { return outer == inner };
        self.scopes(self.scope_of(inner)).any(|group| group == outer_group) || outer == inner
    }

    /// The group that a task or group stands in.
    pub(super) fn scope_of(&self, target: Target) -> u32 {
        match target {
            Target::Step(step) => self.list[step as usize].scope,
            Target::Group(group) => self.groups[group as usize].parent,
        }
    }
}
