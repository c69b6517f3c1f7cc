//! Artifacts and caches: paths that stay where they belong, and tasks that are there and before.

use super::order::Order;
use super::steps::{Step, Steps, Target};
use crate::code;
use crate::definition::{CacheRule, Collected, Placed as Place, split};
use crate::diagnostic::{Fault, Faults};
use crate::expression::bare;
use crate::file::{ArtifactsFile, OutFile, TaskFile};
use crate::limits::{ARTIFACTS_MAX, NAME_BYTES_MAX};
use crate::read::Placed;
use crate::suggest::did_you_mean;
use crate::template::is_template;

fn of(task: &TaskFile) -> Option<&ArtifactsFile> {
    task.artifacts.as_ref().map(|artifacts| &artifacts.value)
}

/// The texts of a task's artifacts and cache that are templates.
pub(super) fn texts(task: &TaskFile) -> impl Iterator<Item = &Placed<String>> {
    let out = of(task).and_then(|it| it.out.as_ref()).into_iter().flat_map(|out| &out.0);
    let given = of(task).and_then(|it| it.r#in.as_ref()).into_iter().flat_map(|given| &given.0);
    let cached = task.cache.iter().filter_map(|cache| cache.value.file.files.as_ref());
    let texts = out.map(|it| &it.pattern).chain(given.filter_map(|it| it.to.as_ref()));
    texts.chain(cached.flat_map(|files| &files.0))
}

/// The expressions of a task's cache.
pub(super) fn keys(task: &TaskFile) -> impl Iterator<Item = &Placed<String>> {
    let keys = task.cache.iter().filter_map(|cache| cache.value.file.key.as_ref());
    keys.flat_map(|keys| &keys.0)
}

/// What a task leaves.
pub(super) fn collected(task: &TaskFile, faults: &mut Faults) -> Box<[Collected]> {
    let out = of(task).and_then(|it| it.out.as_ref()).map_or(&[][..], |out| &out.0);
    if out.len() > ARTIFACTS_MAX {
        let message = format!("a task may leave {ARTIFACTS_MAX} artifacts, and these are more");
        let extent = out[0].pattern.extent;
        let fault = Fault::new(code::TOO_LARGE, extent, message);
        faults.push(fault.hint("pack them into one file"));
    }
    let mut names: Vec<&Placed<String>> = Vec::new();
    for file in out {
        check_path(&file.pattern, "an artifact", faults);
        let Some(name) = &file.name else { continue };
        check_artifact_name(name, faults);
        if let Some(first) = names.iter().find(|known| known.value == name.value) {
            let message = format!("there are two artifacts named `{}`", name.value);
            let fault = Fault::new(code::CONFLICT, name.extent, message);
            faults.push(fault.related(first.extent, "the first one"));
        }
        names.push(name);
    }
    let collected = out.iter().map(|file| Collected {
        name: file.name.as_ref().map(|name| name.value.as_str().into()),
        pattern: file.pattern.value.as_str().into(),
    });
    collected.collect()
}

fn check_artifact_name(name: &Placed<String>, faults: &mut Faults) {
    let text = &name.value;
    let is_bad = text.is_empty()
        || text.len() > NAME_BYTES_MAX
        || text.chars().any(|c| c.is_control() || c.is_whitespace())
        || text.split('/').any(|part| matches!(part, "" | "." | ".."));
    if is_bad {
        let message = "this cannot be the name of an artifact";
        let fault = Fault::new(code::BAD_NAME, name.extent, message);
        faults.push(fault.hint("use up to 200 letters, digits, `-`, `_`, `.` and `/`"));
    }
}

/// What a task is given.
pub(super) fn placed(task: &TaskFile, faults: &mut Faults) -> Box<[Place]> {
    let given = of(task).and_then(|it| it.r#in.as_ref()).map_or(&[][..], |given| &given.0);
    let placed = given.iter().filter_map(|file| {
        if let Some(to) = &file.to {
            check_path(to, "where an artifact is put", faults);
        }
        Some(Place {
            from: file.from.as_ref()?.value.as_str().into(),
            to: file.to.as_ref().map(|to| to.value.as_str().into()),
        })
    });
    placed.collect()
}

/// Notes a path that leads out of where the task starts. Of a template only the worker sees that.
fn check_path(path: &Placed<String>, what: &str, faults: &mut Faults) {
    let text = path.value.trim();
    if is_template(text) {
        return;
    }
    let wrong = if text.is_empty() {
        "is empty"
    } else if text.starts_with('/') {
        "is absolute"
    } else if text.split('/').any(|part| part == "..") {
        "leads out of the folder"
    } else {
        return;
    };
    let message = format!("the path of {what} {wrong}");
    let fault = Fault::new(code::BAD_VALUE, path.extent, message);
    faults.push(fault.hint("write a path relative to where the task starts, without `..`"));
}

/// The rule of a cache, if there is one.
pub(super) fn cache(task: &TaskFile, faults: &mut Faults) -> Option<CacheRule> {
    let cache = task.cache.as_ref().filter(|cache| !cache.value.is_off)?;
    let file = &cache.value.file;
    if let Some(expires) = file.expires.as_ref().filter(|it| it.value.0 == model::Span::ZERO) {
        let fault = Fault::new(code::BAD_VALUE, expires.extent, "an entry that expires at once");
        faults.push(fault.hint("write `cache: false` for no cache"));
    }
    let files = file.files.iter().flat_map(|files| &files.0);
    for path in files.clone() {
        check_path(path, "a file of the cache", faults);
    }
    Some(CacheRule {
        key: keys(task).map(|key| bare(&key.value)).collect(),
        files: files.map(|path| path.value.clone()).collect(),
        expires: file.expires.as_ref().map(|expires| expires.value.0.0),
    })
}

/// Notes where a task is given artifacts of one that is not there, or leaves none; and that it
/// comes after those that are.
pub(super) fn check_sources(
    (number, step): (u32, &Step<'_>),
    steps: &Steps<'_>,
    (orders, faults): (&mut Vec<Order>, &mut Faults),
) {
    let given = of(step.task).and_then(|it| it.r#in.as_ref());
    let given = given.into_iter().flat_map(|given| &given.0);
    for from in given.filter_map(|file| file.from.as_ref()) {
        let (task, name) = split(&from.value);
        let fault = |message: String| Fault::new(code::UNKNOWN_TASK, from.extent, message);
        match steps.resolve(step.scope, task) {
            Some(Target::Step(earlier)) => {
                check_source(&steps.list[earlier as usize], (from, name), faults);
                orders.push(Order {
                    earlier,
                    task: number,
                    extent: from.extent,
                    is_undoing: false,
                });
            }
            Some(Target::Group(_)) => {
                let message = format!("`{task}` is a group, and its tasks have the artifacts");
                faults.push(fault(message).hint("name one: `GROUP.TASK/NAME`"));
            }
            None => {
                let hint = if faults.is_full() { None } else { steps.meant(step.scope, task) };
                faults.push(fault(format!("there is no task `{task}`")).hint_if(hint));
            }
        }
    }
}

fn check_source(
    earlier: &Step<'_>,
    (from, name): (&Placed<String>, Option<&str>),
    faults: &mut Faults,
) {
    let out = of(earlier.task).and_then(|it| it.out.as_ref()).map_or(&[][..], |out| &out.0);
    if out.is_empty() {
        let message = format!("task `{}` leaves no artifacts", earlier.name);
        let fault = Fault::new(code::BAD_VALUE, from.extent, message);
        faults.push(fault.hint("give it `artifacts: {out: [PATH]}`"));
        return;
    }
    let Some(name) = name else { return };
    // What a pattern or a template finds has names that are not known yet.
    let is_open = |pattern: &str| pattern.contains(['*', '?', '[', '{']);
    let is_in = |known: &str| {
        name.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            || known.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'))
    };
    let known = |file: &OutFile| match &file.name {
        Some(known) => is_in(&known.value),
        None => is_open(&file.pattern.value) || is_in(file.pattern.value.trim_end_matches('/')),
    };
    if !out.iter().any(known) {
        let message = format!("task `{}` leaves no artifact `{name}`", earlier.name);
        let fault = Fault::new(code::BAD_VALUE, from.extent, message);
        let names = out.iter().map(|file| file.name.as_ref().unwrap_or(&file.pattern));
        let names: Vec<&str> = names.map(|name| name.value.as_str()).collect();
        let meant = did_you_mean(name, names.iter().copied());
        faults.push(fault.hint_if(meant).hint_if(Some(format!("it leaves: {}", names.join(", ")))));
    }
}
