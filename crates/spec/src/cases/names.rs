//! The names of tasks in test files, held against the workflow that they are about.

use super::{Case, Named};
use crate::check::fits;
use crate::code;
use crate::definition::{Action, TaskDefinition};
use crate::diagnostic::{Fault, Faults};
use crate::params::Workflow;
use crate::suggest::did_you_mean;

/// Whether a name or pattern is about a task.
pub(super) fn is_about(name: &str, task: &str) -> bool {
    name == task || name.contains('*') && fits(name, task)
}

/// Notes every name of a test that no task has.
pub(super) fn check(case: &Case, workflow: &Workflow, faults: &mut Faults) {
    // What is not run because it is not valid has no tasks to speak of.
    check_all(&case.mocks, workflow, faults);
    check_all(&case.expect.tasks, workflow, faults);
    for names in [&case.expect.ran, &case.expect.not_ran, &case.expect.order] {
        check_all(names, workflow, faults);
    }
    for answer in &case.answers {
        if check_one(answer, workflow, faults) && !waits(answer, workflow) {
            let message = format!("`{}` waits for nobody", answer.name);
            let fault = Fault::new(code::BAD_VALUE, answer.extent, message);
            faults.push(fault.hint("only tasks with `approval` or `signal` are answered"));
        }
    }
}

fn check_all<T>(names: &[Named<T>], workflow: &Workflow, faults: &mut Faults) {
    for name in names {
        check_one(name, workflow, faults);
    }
}

fn check_one<T>(name: &Named<T>, workflow: &Workflow, faults: &mut Faults) -> bool {
    let tasks = workflow.all_names();
    let plain = without_numbers(&name.name);
    let is_copy = |task: &String| plain != name.name && is_about(&plain, task);
    if tasks.iter().any(|task| name.is_about(task) || is_copy(task)) {
        return true;
    }
    let message = match name.name.contains('*') {
        true => format!("no task has a name like `{}`", name.name),
        false => format!("the workflow has no task `{}`", name.name),
    };
    let inner = format!("{}.", name.name);
    let members = || tasks.iter().filter(|task| task.starts_with(&inner));
    let members: Vec<String> = members().take(3).map(|task| format!("`{task}`")).collect();
    let hint = match members.is_empty() {
        false => Some(format!("it is a group: its tasks are {}", members.join(", "))),
        true => did_you_mean(&name.name, tasks.iter().map(String::as_str)),
    };
    faults.push(Fault::new(code::UNKNOWN_TASK, name.extent, message).hint_if(hint));
    false
}

fn waits<T>(name: &Named<T>, workflow: &Workflow) -> bool {
    let plain = without_numbers(&name.name);
    let is_one = |task: &&TaskDefinition| name.is_about(&task.name) || is_about(&plain, &task.name);
    let about = workflow.tasks.iter().filter(is_one).map(|task| &task.action);
    let mut within = workflow.structure.calls.iter().filter_map(|call| {
        let around = &workflow.tasks[call.task as usize].name;
        let rest = plain.strip_prefix(&**around)?.strip_prefix('.')?;
        let name = Named { name: rest.to_owned(), extent: name.extent, value: () };
        Some(waits(&name, &call.workflow))
    });
    about.into_iter().any(|it| matches!(it, Action::Approval(_) | Action::Signal(_)))
        || within.any(|waits| waits)
}

/// The name of a task as it is in the file: `g.m` for `g.0.m`, a task of a copy.
fn without_numbers(name: &str) -> String {
    let is_word = |step: &&str| step.is_empty() || !step.bytes().all(|byte| byte.is_ascii_digit());
    name.split('.').filter(is_word).collect::<Vec<_>>().join(".")
}

impl Workflow {
    /// The names of all tasks, those of the files that it names among them. Of a copy the number is
    /// left out.
    fn all_names(&self) -> Vec<String> {
        let own = self.tasks.iter().map(|task| task.name.to_string());
        let calls = self.structure.calls.iter().flat_map(|call| {
            let around = &self.tasks[call.task as usize].name;
            let names = call.workflow.all_names().into_iter();
            names.map(move |name| format!("{around}.{name}"))
        });
        own.chain(calls).collect()
    }
}
