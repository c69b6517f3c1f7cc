//! Decisions: the routes that their rules lead to, and the tasks that stand at their ends.

use model::collections::{HashMap, HashSet};
use model::control::EdgeCondition;

use super::links::Link;
use super::steps::{Role, Step, Steps, Target};
use crate::code;
use crate::decision::{Decision, Rule};
use crate::diagnostic::{Fault, Faults};
use crate::expression::bare;
use crate::file::{ActionFile, DecisionFile, TaskFile};
use crate::params::ParameterType;
use crate::read::Placed;
use crate::suggest::did_you_mean;
use crate::template::{ROOTS, environment, is_global};

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
    let routes = Routes::of(steps);
    for (number, step) in (0..).zip(&steps.list).filter(|(_, step)| step.role == Role::Task) {
        if let Some(rules) = rules_of(step.task) {
            let decision =
                decide((number, step), &rules.value, (steps, &routes, &mut links), faults);
            decisions.by_step.insert(number, decision);
        }
    }
    (decisions, links)
}

fn decide(
    (number, step): (u32, &Step<'_>),
    file: &DecisionFile,
    (steps, routes, links): (&Steps<'_>, &Routes<'_>, &mut Vec<Link>),
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
                if is_new && target.is_some() {
                    lead_to(name, target, faults);
                } else if is_new && !routes.may_be(&name.value) {
                    faults.push(routes.leads_nowhere(name, steps.meant(step.scope, &name.value)));
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

/// The routes that tasks wait for by name.
struct Routes<'f> {
    named: HashSet<&'f str>,
    /// Whether the file has nothing but decisions: whoever reads it knows what to do.
    leads_nowhere: bool,
}

impl<'f> Routes<'f> {
    fn of(steps: &Steps<'f>) -> Self {
        let tasks = steps.list.iter().filter(|step| step.role == Role::Task).map(|step| step.task);
        let tasks = tasks.chain(steps.groups.iter().filter_map(|group| group.task));
        let depends_on = tasks.filter_map(|task| task.depends_on.as_ref());
        let conditions = depends_on.flat_map(|it| &it.0).filter_map(|it| it.is.as_ref());
        Self {
            named: conditions.map(|is| is.value.as_str()).collect(),
            leads_nowhere: steps.list.iter().all(|step| rules_of(step.task).is_some()),
        }
    }

    /// Whether a name that is no task's is a route.
    fn may_be(&self, name: &str) -> bool {
        self.leads_nowhere || self.named.contains(name)
    }

    fn leads_nowhere(&self, name: &Placed<String>, meant: Option<String>) -> Fault {
        let Placed { value: name, extent } = name;
        let message = format!("there is no task `{name}`, and no task waits for a route `{name}`");
        let fault = Fault::new(code::UNKNOWN_TASK, *extent, message);
        let meant = meant.or_else(|| did_you_mean(name, self.named.iter().copied()));
        fault.hint_if(meant).hint_if(Some(format!("a route by name is `{{route: {name}}}`")))
    }
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

/// The parameters that a file of one decision leaves undeclared: the names of its rules, each with
/// the type that it is used as.
pub(super) fn implied_parameters(
    rules: &DecisionFile,
    declared: &[&str],
) -> Vec<(Placed<String>, ParameterType)> {
    let environment = environment();
    let mut found: Vec<(Placed<String>, ParameterType)> = Vec::new();
    for rule in rules.rules().filter_map(|rule| rule.rule.as_ref()) {
        let text = bare(&rule.value.0);
        let Ok(expression) = environment.compile_expression(&text) else { continue };
        let mut names: Vec<String> = expression.undeclared_variables(false).into_iter().collect();
        names.sort_unstable();
        for name in names {
            let is_taken = declared.contains(&name.as_str())
                || ROOTS.contains(&name.as_str())
                || is_global(&environment, &name)
                || found.iter().any(|(known, _)| known.value == name);
            if !is_taken {
                let kind = used_as(&text, &name);
                found.push((Placed { value: name, extent: rule.extent }, kind));
            }
        }
    }
    found
}

/// What a rule takes a name for: a number or a text beside an operator, else yes or no.
fn used_as(rule: &str, name: &str) -> ParameterType {
    const OPERATORS: [char; 8] = ['<', '>', '=', '!', '+', '-', '*', '/'];
    let Some((before, behind)) = rule.split_once(name) else { return ParameterType::Bool };
    let (before, behind) = (before.trim_end(), behind.trim_start());
    let other = behind.trim_start_matches(OPERATORS).trim_start();
    let is_text = |text: &str| text.starts_with(['"', '\'']) || text.ends_with(['"', '\'']);
    if behind.starts_with("in ") || (behind.starts_with(OPERATORS) && is_text(other)) {
        ParameterType::String
    } else if behind.starts_with(OPERATORS) || before.ends_with(OPERATORS) {
        let is_text = is_text(before.trim_end_matches(OPERATORS).trim_end());
        if is_text { ParameterType::String } else { ParameterType::Float }
    } else {
        ParameterType::Bool
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_for_what_they_are_compared_with() {
        use ParameterType::{Bool, Float, String};
        for (rule, kind) in [
            ("x > 8", Float),
            ("8 < x", Float),
            ("x", Bool),
            ("not x and y", Bool),
            ("x == 'a'", String),
            ("\"a\" != x", String),
            ("x in ['a']", String),
            ("x + y > 2", Float),
        ] {
            assert_eq!(used_as(rule, "x"), kind, "{rule}");
        }
    }
}
