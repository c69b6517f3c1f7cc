//! The templates of a file: what they name must exist, and come before.
//!
//! The template engine says whether a text can be read and which names it leaves open; the
//! references say where they stand. Nothing is rendered.

use std::ops::Range;

use minijinja::{Environment, ErrorKind};
use model::collections::HashMap;

use super::graph::{Order, TaskGraph, meant_task};
use super::secrets::SecretNames;
use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::file::{Foreach, NamedTask, TaskFile, WorkflowFile};
use crate::read::Placed;
use crate::secret::misplaced;
use crate::source::Extent;
use crate::suggest::did_you_mean;
use crate::template::{Reference, environment, is_global, is_template, normalised, words};

/// The filters that a hint may name.
const FILTERS: [&str; 20] = [
    "abs", "default", "first", "float", "int", "items", "join", "last", "length", "list", "lower",
    "quote", "replace", "round", "sort", "sum", "tojson", "trim", "unique", "upper",
];

/// What the texts of a file are checked against.
pub(super) struct Scene<'f> {
    pub text: &'f str,
    pub file: &'f WorkflowFile,
    pub tasks: &'f [NamedTask],
    pub graph: &'f TaskGraph<'f>,
}

/// Who uses a text, and so what it may name.
#[derive(Clone, Copy)]
enum User<'f> {
    /// The file itself, before any task: parameters alone.
    File,
    Task {
        number: u32,
        task: &'f TaskFile,
    },
}

pub(super) fn check(scene: Scene<'_>, faults: &mut Faults) {
    let params = scene.file.params.iter().flat_map(|params| &params.0);
    let env = scene.file.env.iter().flat_map(|env| &env.0);
    let others = scene.file.environments.as_ref().map_or(&[][..], |it| &it.0);
    let other_env = others.iter().flat_map(|(_, it)| &it.env).flat_map(|env| &env.0);
    let mut checker = Checker {
        secrets: SecretNames::of(scene.file),
        environment: environment(),
        source: scene.text,
        params: params.map(|declaration| declaration.name.value.as_str()).collect(),
        // Whether the chosen environment has it is known when one is chosen.
        env: env.clone().chain(other_env).map(|(name, _)| name.value.as_str()).collect(),
        tasks: scene.tasks,
        numbers: &scene.graph.numbers,
        orders: Vec::new(),
        faults,
    };
    for text in env.map(|(_, text)| text).chain(&scene.file.working_dir) {
        checker.check(text, User::File);
    }
    for (_, text) in others.iter().flat_map(|(_, it)| &it.env).flat_map(|env| &env.0) {
        checker.check(text, User::File);
    }
    for (number, NamedTask { task, .. }) in (0..).zip(scene.tasks) {
        let user = User::Task { number, task };
        let command = task.command.iter().flat_map(|command| &command.value.0);
        let env = task.env.iter().flat_map(|env| env.0.iter().map(|(_, text)| text));
        for text in task.script.iter().chain(command).chain(&task.working_dir) {
            checker.check(text, user);
        }
        for text in env {
            if !checker.secrets.is_secret(text, checker.faults) {
                checker.check(text, user);
            }
        }
        if let Some(foreach) = &task.foreach {
            checker.check_foreach(foreach);
        }
    }
    let Checker { orders, .. } = checker;
    scene.graph.check_orders(scene.tasks, orders, faults);
}

struct Checker<'f, 'm> {
    secrets: SecretNames<'f>,
    environment: Environment<'static>,
    source: &'f str,
    params: Vec<&'f str>,
    env: Vec<&'f str>,
    tasks: &'f [NamedTask],
    numbers: &'m HashMap<&'f str, u32>,
    orders: Vec<Order>,
    faults: &'m mut Faults,
}

impl<'f> Checker<'f, '_> {
    fn check_foreach(&mut self, foreach: &Placed<Foreach>) {
        let texts = match &foreach.value {
            Foreach::Values(_) => return,
            Foreach::Expression(text) => [Some(text), None],
            Foreach::Range(bounds) => [Some(&bounds.first), Some(&bounds.end)],
        };
        for text in texts.into_iter().flatten() {
            self.check(&Placed { value: text.clone(), extent: foreach.extent }, User::File);
        }
    }

    fn check(&mut self, text: &Placed<String>, user: User<'f>) {
        if !is_template(&text.value) {
            return;
        }
        let content = normalised(&text.value);
        let open = match self.environment.template_from_str(&content) {
            Ok(template) => template.undeclared_variables(false),
            Err(error) => {
                let range = error.line().and_then(|line| marked_line(&content, line));
                let place = range.map(|range| self.locate(text.extent, &content, range));
                let what = error.detail().unwrap_or("it cannot be read").to_owned();
                let fault = Fault::new(
                    code::TEMPLATE_SYNTAX,
                    place.unwrap_or(text.extent),
                    format!("this template cannot be read: {what}"),
                );
                return self.faults.push(fault.hint("a literal `{{` is written `{{ '{{' }}`"));
            }
        };
        let words = words(&content);
        if let Some(fault) = self.hyphenated(text, &content) {
            return self.faults.push(fault);
        }
        let mut unknown: Vec<&String> = open.iter().filter(|name| !self.is_known(name)).collect();
        unknown.sort_unstable();
        for name in unknown {
            self.unknown_name(name, text, &content);
        }
        for filter in words.filters {
            self.check_filter(&content[filter.clone()], self.locate(text.extent, &content, filter));
        }
        // A name that the template gives itself, as in `{% for item in ... %}`, is its own affair.
        for reference in words.references.into_iter().filter(|it| open.contains(&it.root)) {
            let extent = self.locate(text.extent, &content, reference.range.clone());
            self.check_reference(&reference, extent, user);
        }
    }

    fn is_known(&self, name: &str) -> bool {
        ["params", "env", "tasks", "item", "index", "secrets"].contains(&name)
            || is_global(&self.environment, name)
    }

    fn unknown_name(&mut self, name: &str, text: &Placed<String>, content: &str) {
        let range = find_word(content, name);
        let extent = range.map_or(text.extent, |range| self.locate(text.extent, content, range));
        let message = format!("`{name}` is not defined");
        let fault = Fault::new(code::TEMPLATE_NAME, extent, message);
        let hint = if self.params.contains(&name) {
            Some(format!("write `params.{name}`"))
        } else {
            did_you_mean(name, ["params", "env", "tasks", "item", "index"])
        };
        let names = "templates know `params`, `env`, `tasks`, `item` and `index`";
        self.faults.push(fault.hint_if(hint).hint_if(Some(names.to_owned())));
    }

    /// A task with a `-` in its name that is named behind a dot, where `-` is minus.
    fn hyphenated(&self, text: &Placed<String>, content: &str) -> Option<Fault> {
        let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        content.match_indices("tasks.").find_map(|(at, root)| {
            let behind = &content[at + root.len()..];
            let name = &behind[..behind.find(|c| !is_name(c)).unwrap_or(behind.len())];
            if !name.contains('-') || !self.numbers.contains_key(name) {
                return None;
            }
            let extent = self.locate(text.extent, content, at..at + root.len() + name.len());
            let message = format!("the name `{name}` cannot stand behind a dot: `-` is minus here");
            let fault = Fault::new(code::TEMPLATE_TASK, extent, message);
            Some(fault.hint(format!("write `tasks[\"{name}\"]`")))
        })
    }

    /// The engine looks for a filter only when it renders, which may be hours later.
    fn check_filter(&mut self, name: &str, extent: Extent) {
        let applied = self.environment.empty_state().apply_filter(name, &[]);
        if applied.is_err_and(|error| error.kind() == ErrorKind::UnknownFilter) {
            let message = format!("there is no filter `{name}`");
            let hint = did_you_mean(name, FILTERS);
            self.faults.push(Fault::new(code::TEMPLATE_NAME, extent, message).hint_if(hint));
        }
    }

    fn check_reference(&mut self, reference: &Reference, extent: Extent, user: User<'f>) {
        let first = reference.path.first().map(String::as_str);
        match (reference.root.as_str(), user, first) {
            // Outside of templates, whose arguments are in place by now, it is an unknown name.
            ("with", ..) => {}
            ("secrets", ..) => {
                let name = first.map(|name| format!("secrets.{name}"));
                self.faults.push(misplaced(name.as_deref().unwrap_or("secrets"), extent));
            }
            ("params", _, Some(name)) if self.secrets.is_param(name) => {
                self.faults.push(misplaced(&format!("params.{name}"), extent));
            }
            ("params", _, Some(name)) if !self.params.contains(&name) => {
                let hint = did_you_mean(name, self.params.iter().copied());
                self.unknown("parameter", name, extent, hint);
            }
            ("env", User::Task { .. }, Some(name)) if !self.env.contains(&name) => {
                let hint = did_you_mean(name, self.env.iter().copied());
                self.unknown("variable of the file", name, extent, hint);
            }
            ("params", ..) | ("env", User::Task { .. }, _) => {}
            (root, User::File, _) => {
                let message = format!("`{root}` is not known here");
                let fault = Fault::new(code::TEMPLATE_NAME, extent, message);
                self.faults.push(fault.hint("only `params` is known before the run starts"));
            }
            ("tasks", User::Task { number, .. }, name) => {
                self.check_task_reference(reference, name, extent, number);
            }
            (root, User::Task { task, .. }, _) if task.foreach.is_none() => {
                let message = format!("`{root}` is not defined in a task without `foreach`");
                self.faults.push(Fault::new(code::TEMPLATE_NAME, extent, message));
            }
            _ => {}
        }
    }

    fn unknown(&mut self, what: &str, name: &str, extent: Extent, hint: Option<String>) {
        let message = format!("there is no {what} `{name}`");
        self.faults.push(Fault::new(code::TEMPLATE_NAME, extent, message).hint_if(hint));
    }

    fn check_task_reference(
        &mut self,
        reference: &Reference,
        name: Option<&str>,
        extent: Extent,
        number: u32,
    ) {
        let Some(name) = name else {
            let message = "a template names tasks literally";
            let fault = Fault::new(code::TEMPLATE_TASK, extent, message);
            return self.faults.push(fault.hint("write `tasks[\"name\"].outputs.key`"));
        };
        let Some(&earlier) = self.numbers.get(name) else {
            let message = format!("there is no task `{name}`");
            let fault = Fault::new(code::TEMPLATE_TASK, extent, message);
            let hint = if self.faults.is_full() { None } else { meant_task(name, self.tasks) };
            return self.faults.push(fault.hint_if(hint));
        };
        match reference.path.get(1).map(String::as_str) {
            Some("outputs") => self.orders.push(Order { earlier, task: number, extent }),
            _ => {
                let message = "of another task a template knows `outputs` alone";
                let fault = Fault::new(code::TEMPLATE_NAME, extent, message);
                self.faults.push(fault.hint(format!("write `tasks[\"{name}\"].outputs.key`")));
            }
        }
    }

    /// Where a piece of a text stands in the file. Quotes and indentation may move it: it is found
    /// as the same occurrence of the same words, else the whole text is shown.
    fn locate(&self, whole: Extent, content: &str, range: Range<usize>) -> Extent {
        let Some(words) = content.get(range.clone()).filter(|words| !words.is_empty()) else {
            return whole;
        };
        let earlier = content[..range.start].matches(words).count();
        let source = whole.of(self.source);
        match source.match_indices(words).nth(earlier) {
            Some((at, _)) => {
                let start = whole.start as usize + at;
                Extent::new(start, start + words.len())
            }
            None => whole,
        }
    }
}

/// A line of a text, counted from 1, without the white space around it.
fn marked_line(content: &str, number: usize) -> Option<Range<usize>> {
    let line = content.lines().nth(number.checked_sub(1)?)?.trim();
    let start = line.as_ptr() as usize - content.as_ptr() as usize;
    (!line.is_empty()).then(|| start..start + line.len())
}

/// Where a name stands as a whole word between marks.
fn find_word(content: &str, name: &str) -> Option<Range<usize>> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let from = content.find("{{").into_iter().chain(content.find("{%")).min()?;
    content[from..].match_indices(name).map(|(at, _)| from + at).find_map(|at| {
        let before = content[..at].chars().next_back();
        let behind = content[at + name.len()..].chars().next();
        let whole = !before.is_some_and(is_word) && !behind.is_some_and(is_word);
        whole.then(|| at..at + name.len())
    })
}
