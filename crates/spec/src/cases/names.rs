//! The names of tasks in test files, held against the workflow that they are about.

use super::{Case, Named};
use crate::check::fits;
use crate::code;
use crate::definition::Action;
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
    if workflow.tasks.iter().any(|task| name.is_about(&task.name)) {
        return true;
    }
    let message = match name.name.contains('*') {
        true => format!("no task has a name like `{}`", name.name),
        false => format!("the workflow has no task `{}`", name.name),
    };
    let inner = format!("{}.", name.name);
    let members = || workflow.tasks.iter().filter(|task| task.name.starts_with(&inner));
    let members: Vec<String> = members().take(3).map(|task| format!("`{}`", task.name)).collect();
    let hint = match members.is_empty() {
        false => Some(format!("it is a group: its tasks are {}", members.join(", "))),
        true => did_you_mean(&name.name, workflow.tasks.iter().map(|task| &*task.name)),
    };
    faults.push(Fault::new(code::UNKNOWN_TASK, name.extent, message).hint_if(hint));
    false
}

fn waits<T>(name: &Named<T>, workflow: &Workflow) -> bool {
    let about = workflow.tasks.iter().filter(|task| name.is_about(&task.name));
    about.map(|task| &task.action).any(|it| matches!(it, Action::Approval(_) | Action::Signal(_)))
}
