//! Decisions: the routes that their rules lead to, and the tasks that stand at their ends.

use model::collections::HashMap;
use model::control::EdgeCondition;

use super::links::Link;
use super::steps::{Role, Step, Steps, Target};
use crate::code;
use crate::decision::{Decision, Rule};
use crate::diagnostic::{Fault, Faults};
use crate::expression::bare;
use crate::file::{ActionFile, DecisionFile, TaskFile};
use crate::read::Placed;

/// The decisions of a file, by task.
#[derive(Default)]
pub(super) struct Decisions {
    pub by_step: HashMap<u32, Decision>,
}

impl Decisions {
    /// The number of a route of a decision.
    pub(super) fn route(&self, step: u32, name: &str) -> Option<u16> {
        let rules = &self.by_step.get(&step)?.rules;
        rules.iter().find(|rule| rule.name.as_deref() == Some(name)).map(|rule| rule.route)
    }

    /// The names of its routes.
    pub(super) fn routes(&self, step: u32) -> impl Iterator<Item = &str> {
        let rules = self.by_step.get(&step).into_iter().flat_map(|decision| &decision.rules);
        rules.filter_map(|rule| rule.name.as_deref())
    }
}

/// The rules of a task, under either word.
pub(super) fn rules_of(task: &TaskFile) -> Option<&Placed<DecisionFile>> {
    task.decision.as_deref().or(task.conditions.as_deref())
}

/// Numbers the routes of all decisions. What their actions name becomes a link.
pub(super) fn collect(steps: &Steps<'_>, faults: &mut Faults) -> (Decisions, Vec<Link>) {
    let mut decisions = Decisions::default();
    let mut links = Vec::new();
    for (number, step) in (0..).zip(&steps.list).filter(|(_, step)| step.role == Role::Task) {
        if let Some(rules) = rules_of(step.task) {
            let decision = decide((number, step), &rules.value, (steps, &mut links), faults);
            decisions.by_step.insert(number, decision);
        }
    }
    (decisions, links)
}

fn decide(
    (number, step): (u32, &Step<'_>),
    file: &DecisionFile,
    (steps, links): (&Steps<'_>, &mut Vec<Link>),
    faults: &mut Faults,
) -> Decision {
    let mut known: HashMap<String, u16> = HashMap::default();
    let mut decision = Decision::default();
    for (rule, next) in file.rules().zip(1_u16..) {
        let action = &rule.action.value;
        let is_new = !known.contains_key(&key(action));
        let route = *known.entry(key(action)).or_insert(next);
        let mut lead_to = |name: &Placed<String>, target: Option<Target>, faults: &mut Faults| {
            let Some(target) = target else {
                let message = format!("there is no task `{}`", name.value);
                let fault = Fault::new(code::UNKNOWN_TASK, name.extent, message);
                return faults.push(fault.hint_if(steps.meant(step.scope, &name.value)));
            };
            links.push(Link {
                dependent: target,
                on: Target::Step(number),
                condition: EdgeCondition::Route(route),
                extent: name.extent,
            });
        };
        let (name, value) = match action {
            ActionFile::Name(name) => {
                let target = steps.resolve(step.scope, &name.value);
                // A name that is near to a task's is mistyped; any other is a route.
                let is_near = || steps.meant(step.scope, &name.value).is_some();
                if is_new && (target.is_some() || is_near()) {
                    lead_to(name, target, faults);
                }
                (Some(name.value.as_str().into()), serde_json::Value::Null)
            }
            ActionFile::Tasks(names) => {
                for name in names.iter().filter(|_| is_new) {
                    lead_to(name, steps.resolve(step.scope, &name.value), faults);
                }
                (None, serde_json::Value::Null)
            }
            ActionFile::Route(name) => (Some(name.value.as_str().into()), serde_json::Value::Null),
            ActionFile::Value(value) => (None, value.clone()),
        };
        let when = rule.rule.as_ref().map(|rule| bare(&rule.value.0).into());
        decision.rules.push(Rule { when, route, name, value });
    }
    decision
}

/// What makes two actions one.
fn key(action: &ActionFile) -> String {
    match action {
        ActionFile::Name(name) | ActionFile::Route(name) => format!("n{}", name.value),
        ActionFile::Tasks(names) => {
            let mut names: Vec<&str> = names.iter().map(|name| name.value.as_str()).collect();
            names.sort_unstable();
            names.dedup();
            match names.as_slice() {
                [one] => format!("n{one}"),
                _ => format!("t{}", names.join("\0")),
            }
        }
        ActionFile::Value(value) => format!("v{value}"),
    }
}
