//! The templates of a file: what they name must exist, and come before.
//!
//! The template engine says whether a text can be read and which names it leaves open; the
//! references say where they stand. Nothing is rendered.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use minijinja::{Environment, ErrorKind};

use super::Outer;
use super::artifacts;
use super::control::result_source;
use super::decisions::rules_of;
use super::find::{find_word, marked_line};
use super::graph::TaskGraph;
use super::look::look_of;
use super::order::Order;
use super::secrets::SecretNames;
use super::steps::{Group, Role, Step, Steps, Target};
use super::types::Shapes;
use super::without_item;
use crate::code;
use crate::definition::is_bare;
use crate::diagnostic::{Fault, Faults};
use crate::expression::{bare, texts_of};
use crate::file::{
    AxisFile, Called, ExpressionText, Foreach, SourceFile, TaskFile, Wait, WorkflowFile,
};
use crate::link::Call;
use crate::read::Placed;
use crate::secret::misplaced;
use crate::source::Extent;
use crate::suggest::did_you_mean;
use crate::template::{
    ROOTS, Reference, check_expression, check_text, environment, is_global, is_template,
    normalised, words,
};

/// The filters that a hint may name.
const FILTERS: [&str; 20] = [
    "abs", "default", "first", "float", "int", "items", "join", "last", "length", "list", "lower",
    "quote", "replace", "round", "sort", "sum", "tojson", "trim", "unique", "upper",
];

/// What the texts of a file are checked against.
pub(super) struct Scene<'f> {
    pub text: &'f str,
    pub file: &'f WorkflowFile,
    pub names: &'f Names<'f>,
    pub steps: &'f Steps<'f>,
    pub graph: &'f TaskGraph,
    /// The files that tasks name.
    pub calls: &'f BTreeMap<u32, Call>,
    pub outer: &'f Outer,
}

/// What surrounds the tasks, by name.
pub(crate) struct Names<'f> {
    pub params: Vec<&'f str>,
    pub env: Vec<&'f str>,
    pub secrets: SecretNames<'f>,
    /// What the parameters are, as far as it is known.
    pub shapes: Shapes,
}

impl<'f> Names<'f> {
    pub(super) fn of(file: &'f WorkflowFile) -> Self {
        let params = file.params.iter().flat_map(|params| &params.0);
        let others = file.environments.as_ref().map_or(&[][..], |it| &it.0);
        let env = others.iter().flat_map(|(_, it)| &it.env).chain(&file.env);
        Self {
            params: params.map(|declaration| declaration.name.value.as_str()).collect(),
            env: env.flat_map(|env| &env.0).map(|(name, _)| name.value.as_str()).collect(),
            secrets: SecretNames::of(file),
            shapes: Shapes::of(file),
        }
    }
}

/// Who uses a text, and so what it may name.
#[derive(Clone, Copy, Default)]
pub(super) struct User {
    /// The task; nothing before any task, when parameters alone are known.
    pub(super) step: Option<u32>,
    has_item: bool,
    has_batch: bool,
    /// Whether parameters are known without `params`, as in rules.
    pub(super) has_bare_parameters: bool,
    has_result: bool,
    has_output: bool,
    /// Whether all tasks have ended, as for the outputs of a file.
    is_end: bool,
}

/// A text is a template, or an expression with or without its marks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Template,
    Expression,
}

pub(super) fn check(scene: Scene<'_>, faults: &mut Faults) {
    let env = scene.file.env.iter().flat_map(|env| &env.0);
    let others = scene.file.environments.as_ref().map_or(&[][..], |it| &it.0);
    let mut checker = Checker {
        secrets: &scene.names.secrets,
        shapes: &scene.names.shapes,
        environment: environment(),
        source: scene.text,
        params: &scene.names.params,
        env: &scene.names.env,
        steps: scene.steps,
        calls: scene.calls,
        outer: scene.outer,
        orders: Vec::new(),
        faults,
    };
    let texts = env.map(|(_, text)| text);
    for text in texts.chain(&scene.file.working_dir) {
        checker.check(text, Form::Template, User::default());
    }
    for (_, model) in scene.file.models.iter().flat_map(|models| &models.0) {
        for text in model.endpoint.iter().chain(&model.model) {
            checker.check(text, Form::Template, User::default());
        }
    }
    for (number, group) in (0..).zip(&scene.steps.groups) {
        checker.check_group(number, group);
    }
    let outputs = scene.file.outputs.iter().flat_map(|outputs| &outputs.0);
    for (_, expression) in outputs {
        checker.check_expression(Some(expression), User { is_end: true, ..User::default() });
    }
    for (_, text) in others.iter().flat_map(|(_, it)| &it.env).flat_map(|env| &env.0) {
        checker.check(text, Form::Template, User::default());
    }
    for (number, step) in (0..).zip(&scene.steps.list) {
        checker.check_step(number, step);
    }
    let Checker { orders, .. } = checker;
    scene.graph.check_orders(scene.steps, orders, faults);
}

pub(super) struct Checker<'f, 'm> {
    secrets: &'f SecretNames<'f>,
    pub(super) shapes: &'f Shapes,
    pub(super) environment: Environment<'static>,
    source: &'f str,
    params: &'f [&'f str],
    env: &'f [&'f str],
    pub(super) steps: &'f Steps<'f>,
    calls: &'f BTreeMap<u32, Call>,
    outer: &'f Outer,
    orders: Vec<Order>,
    pub(super) faults: &'m mut Faults,
}

impl<'f> Checker<'f, '_> {
    fn check_step(&mut self, number: u32, step: &Step<'f>) {
        let task = step.task;
        let has_item = self.has_item(step.scope);
        let user = User {
            step: Some(number),
            has_item,
            has_batch: has_item,
            has_result: result_source(step, self.steps).is_some(),
            ..User::default()
        };
        match step.role {
            Role::Gate => self.check_expression(task.when.as_deref(), user),
            Role::End { .. } => self.check_expression(task.until.as_deref(), user),
            Role::Compensation { .. } => self.check_work(task, User { has_result: false, ..user }),
            Role::Joint | Role::Outer => {}
            Role::Task => {
                let has_batch = task.foreach.as_ref().is_some_and(|it| it.value.batch.is_some());
                let has_batch = has_batch || user.has_batch;
                let has_item = task.items().is_some() || user.has_item;
                if step.is_call() {
                    return self.check_call(task, User { has_item, has_batch, ..user });
                }
                self.check_work(task, User { has_item, has_batch, ..user });
                self.check_expression(task.when.as_deref(), user);
                let has_output = true;
                self.check_expression(task.result.as_deref(), User { has_output, ..user });
                self.check_control(task, User { has_item, has_batch, ..user });
                if let Some(foreach) = task.items() {
                    self.check_foreach(&foreach.value, user);
                }
                self.check_artifacts((number, step), User { has_item, has_batch, ..user });
            }
        }
    }

    /// Whether the tasks of a group have an item because it, or one around it, has copies.
    fn has_item(&self, scope: u32) -> bool {
        self.outer.has_item || self.steps.is_copied(scope)
    }

    /// The texts of a group, which its tasks take over.
    fn check_group(&mut self, number: u32, group: &Group<'f>) {
        let Some(task) = group.task.filter(|task| task.tasks.is_some()) else { return };
        let has_item = self.has_item(number);
        let user = User { has_item, has_batch: has_item, ..User::default() };
        let env = task.env.iter().flat_map(|env| &env.0).map(|(_, text)| text);
        for text in env.chain(&task.working_dir) {
            self.check(text, Form::Template, user);
        }
        if let (Some(foreach), Some(joint)) = (&task.foreach, group.joint) {
            let has_item = self.has_item(group.parent);
            let user = User { step: Some(joint), has_item, has_batch: has_item, ..user };
            self.check_foreach(&foreach.value, user);
        }
    }

    /// What a file is given.
    fn check_call(&mut self, task: &'f TaskFile, user: User) {
        for (_, value) in task.with.iter().flat_map(|with| &with.value.0) {
            for text in texts_of(&value.value) {
                let text = Placed { value: text.to_owned(), extent: value.extent };
                if !self.secrets.is_secret(&text, self.faults) {
                    self.check(&text, Form::Template, user);
                }
            }
        }
        if let Some(foreach) = &task.foreach {
            let scope = user.step.map_or(0, |step| self.steps.list[step as usize].scope);
            let has_item = self.has_item(scope);
            self.check_foreach(&foreach.value, User { has_item, has_batch: has_item, ..user });
        }
    }

    /// The texts of what a worker starts.
    fn check_work(&mut self, task: &'f TaskFile, user: User) {
        let command = task.command.iter().flat_map(|command| &command.value.0);
        let env = task.env.iter().flat_map(|env| env.0.iter().map(|(_, text)| text));
        for text in task.script.iter().chain(command).chain(&task.working_dir) {
            self.check(text, Form::Template, user);
        }
        for text in env {
            if !self.secrets.is_secret(text, self.faults) {
                self.check(text, Form::Template, user);
            }
        }
        if let Some(call) = task.call() {
            self.check_settings(call, user);
        }
    }

    /// The texts in the settings of a kind of work.
    fn check_settings(&mut self, call: Called<'f>, user: User) {
        let Called { kind, settings, extent, .. } = call;
        let may_hide = |key: &str| kind.secret_keys().contains(&key);
        let fields = settings.as_object().into_iter().flatten();
        for (key, value) in fields {
            for text in texts_of(value) {
                let text = Placed { value: text.to_owned(), extent };
                if !may_hide(key) || !self.secrets.is_secret(&text, self.faults) {
                    self.check(&text, Form::Template, user);
                }
            }
        }
    }

    fn check_control(&mut self, task: &'f TaskFile, user: User) {
        let rules = rules_of(task).into_iter().flat_map(|rules| rules.value.rules());
        for rule in rules {
            let has_bare_parameters = true;
            self.check_expression(rule.rule.as_ref(), User { has_bare_parameters, ..user });
        }
        if let Some(look) = look_of(task) {
            self.check(&look.at, Form::Template, user);
        }
        let approval = task.approval.iter().flat_map(|approval| &approval.value.0.message);
        let signal = task.signal.iter().flat_map(|signal| &signal.value.0.message);
        for message in approval.chain(signal) {
            self.check(message, Form::Template, user);
        }
        if let Some(Wait::Until(until)) = task.wait.as_ref().map(|wait| &wait.value)
            && !until.value.0.starts_with(|first: char| first.is_ascii_digit())
        {
            self.check_expression(Some(until), user);
        }
    }

    fn check_artifacts(&mut self, (number, step): (u32, &Step<'f>), user: User) {
        for text in artifacts::texts(step.task) {
            self.check(text, Form::Template, user);
        }
        for key in artifacts::keys(step.task) {
            let text = Placed { value: bare(&key.value), extent: key.extent };
            self.check(&text, Form::Expression, user);
        }
        let told = (&mut self.orders, &mut *self.faults);
        artifacts::check_sources((number, step), self.steps, told);
    }

    fn check_foreach(&mut self, foreach: &'f Foreach, user: User) {
        self.check_items(foreach, user);
        match &foreach.source {
            SourceFile::Values(_) => {}
            SourceFile::Expression(text) => self.check_expression(Some(text), user),
            SourceFile::Range(bounds) => {
                bounds.iter().for_each(|bound| self.check(bound, Form::Template, user));
            }
            SourceFile::Matrix(matrix) => {
                for (_, axis) in &matrix.axes {
                    if let AxisFile::Expression(text) = axis {
                        self.check_expression(Some(text), user);
                    }
                }
            }
            SourceFile::Lines(path) | SourceFile::Members(path) => {
                self.check(path, Form::Template, user);
            }
        }
    }

    fn check_expression(&mut self, text: Option<&Placed<ExpressionText>>, user: User) {
        if let Some(Placed { value, extent }) = text {
            let text = Placed { value: bare(&value.0), extent: *extent };
            self.check(&text, Form::Expression, user);
        }
    }

    fn check(&mut self, text: &Placed<String>, form: Form, user: User) {
        let content = match form {
            Form::Template if !is_template(&text.value) => return,
            Form::Template => normalised(&text.value),
            Form::Expression => Cow::Owned(format!("{{{{ {} }}}}", text.value)),
        };
        let open = match form {
            Form::Template => self
                .environment
                .template_from_str(&content)
                .map(|template| template.undeclared_variables(false)),
            Form::Expression => self
                .environment
                .compile_expression(&text.value)
                .map(|expression| expression.undeclared_variables(false)),
        };
        let growth = || match form {
            Form::Template => check_text(&content),
            Form::Expression => check_expression(&text.value),
        };
        let open = match open.and_then(|open| growth().map(|()| open)) {
            Ok(open) => open,
            Err(error) => return self.unreadable(&error, text, &content, form),
        };
        let words = words(&content);
        if let Some(fault) = self.hyphenated(text, &content, user) {
            return self.faults.push(fault);
        }
        let mut unknown: Vec<&String> =
            open.iter().filter(|name| !self.is_known(name, user)).collect();
        unknown.sort_unstable();
        for name in unknown {
            self.unknown_name(name, text, &content, user);
        }
        for filter in words.filters {
            self.check_filter(&content[filter.clone()], self.locate(text.extent, &content, filter));
        }
        // A name that the template gives itself, as in `{% for item in ... %}`, is its own affair.
        for reference in words.references.into_iter().filter(|it| open.contains(&it.root)) {
            let root = reference.root.as_str();
            if user.has_bare_parameters && is_bare(root) && self.params.contains(&root) {
                continue;
            }
            let extent = self.locate(text.extent, &content, reference.range.clone());
            self.check_reference(&reference, extent, user);
        }
        self.check_types(text, &content, user);
    }

    fn unreadable(
        &mut self,
        error: &minijinja::Error,
        text: &Placed<String>,
        content: &str,
        form: Form,
    ) {
        let what = error.detail().unwrap_or("it cannot be read").to_owned();
        let (noun, hint) = match form {
            Form::Template => ("template", "a literal `{{` is written `{{ '{{' }}`"),
            Form::Expression => ("expression", "write one expression such as `params.size > 8`"),
        };
        let range = error.line().and_then(|line| marked_line(content, line));
        let place = range.map(|range| self.locate(text.extent, content, range));
        let message = format!("this {noun} cannot be read: {what}");
        let fault = Fault::new(code::TEMPLATE_SYNTAX, place.unwrap_or(text.extent), message);
        self.faults.push(fault.hint(hint));
    }

    fn is_known(&self, name: &str, user: User) -> bool {
        (ROOTS.contains(&name) && name != "with")
            || is_global(&self.environment, name)
            || (user.has_bare_parameters && self.params.contains(&name))
    }

    fn unknown_name(&mut self, name: &str, text: &Placed<String>, content: &str, user: User) {
        let range = find_word(content, name);
        let extent = range.map_or(text.extent, |range| self.locate(text.extent, content, range));
        let message = format!("`{name}` is not defined");
        let fault = Fault::new(code::TEMPLATE_NAME, extent, message);
        let hint = if self.params.contains(&name) {
            Some(format!("write `params.{name}`"))
        } else {
            let bare = self.params.iter().copied().filter(|_| user.has_bare_parameters);
            did_you_mean(name, bare.chain(ROOTS))
        };
        let names = "known are `params`, `env`, `tasks`, `item`, `index`, `items`, `round`, `run`";
        self.faults.push(fault.hint_if(hint).hint_if(Some(names.to_owned())));
    }

    /// A task with a `-` in its name that is named behind a dot, where `-` is minus.
    fn hyphenated(&self, text: &Placed<String>, content: &str, user: User) -> Option<Fault> {
        let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        content.match_indices("tasks.").find_map(|(at, root)| {
            let behind = &content[at + root.len()..];
            let name = &behind[..behind.find(|c| !is_name(c)).unwrap_or(behind.len())];
            let step = user.step.map_or(0, |step| self.steps.list[step as usize].scope);
            if !name.contains('-') || self.steps.resolve(step, name).is_none() {
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

    fn check_reference(&mut self, reference: &Reference, extent: Extent, user: User) {
        let first = reference.path.first().map(String::as_str);
        match (reference.root.as_str(), user.step, first) {
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
            ("env", Some(_), Some(name)) if !self.env.contains(&name) => {
                let hint = did_you_mean(name, self.env.iter().copied());
                self.unknown("variable of the file", name, extent, hint);
            }
            ("run", Some(_), Some(name)) if !["id", "name"].contains(&name) => {
                let hint = did_you_mean(name, ["id", "name"]);
                self.unknown("key of the run", name, extent, hint);
            }
            ("params", ..) | ("env" | "run" | "round", Some(_), _) => {}
            ("item" | "index" | "items", None, _) if user.has_item => {}
            ("tasks", None, _) if user.is_end => self.check_task_reference(reference, extent, None),
            (root, None, _) => {
                let message = format!("`{root}` is not known here");
                let fault = Fault::new(code::TEMPLATE_NAME, extent, message);
                self.faults.push(fault.hint("only `params` is known before the run starts"));
            }
            ("tasks", Some(step), _) => {
                self.check_task_reference(reference, extent, Some(step));
            }
            (root, Some(step), _) => {
                let message = match root {
                    "items" if !user.has_batch => "without `batch` in its `foreach`",
                    "item" | "index" if !user.has_item => "without `foreach`",
                    "result" if !user.has_result => {
                        "that does not depend on one task with a `result`"
                    }
                    "output" if !user.has_output => "but in its `result`",
                    _ => return,
                };
                let message = format!("`{root}` is not defined in a task {message}");
                let is_item = matches!(root, "item" | "index" | "items") && !user.has_item;
                let reason = without_item::reason(&self.steps.list[step as usize], self.steps);
                let (message, hint) = match reason.filter(|_| is_item) {
                    Some((reason, hint)) => (reason, Some(hint)),
                    None => (message, None),
                };
                let fault = Fault::new(code::TEMPLATE_NAME, extent, message);
                self.faults.push(fault.hint_if(hint));
            }
        }
    }

    fn unknown(&mut self, what: &str, name: &str, extent: Extent, hint: Option<String>) {
        let message = format!("there is no {what} `{name}`");
        self.faults.push(Fault::new(code::TEMPLATE_NAME, extent, message).hint_if(hint));
    }

    fn check_task_reference(&mut self, reference: &Reference, extent: Extent, user: Option<u32>) {
        let Some(name) = reference.path.first() else {
            let message = "a template names tasks literally";
            let fault = Fault::new(code::TEMPLATE_TASK, extent, message);
            return self.faults.push(fault.hint("write `tasks[\"name\"].outputs.key`"));
        };
        let scope = user.map_or(0, |number| self.steps.list[number as usize].scope);
        let (earlier, steps) = match self.steps.resolve_path(scope, &reference.path) {
            Some((Target::Step(earlier), steps)) => (earlier, steps),
            Some((Target::Group(group), steps)) if self.is_copied_call(group) => {
                (self.steps.groups[group as usize].members.start, steps)
            }
            Some((Target::Group(group), _)) => {
                let group = &self.steps.groups[group as usize];
                let message =
                    format!("`{}` is a group, and its tasks have the outputs", group.name);
                let fault = Fault::new(code::TEMPLATE_TASK, extent, message);
                let member = self.steps.list.get(group.members.start as usize);
                let member = member.map_or("task", |member| member.short.value.as_str());
                return self.faults.push(fault.hint(format!("name one: `tasks.{name}.{member}`")));
            }
            None => {
                let message = format!("there is no task `{name}`");
                let fault = Fault::new(code::TEMPLATE_TASK, extent, message);
                let hint = if self.faults.is_full() { None } else { self.steps.meant(scope, name) };
                return self.faults.push(fault.hint_if(hint));
            }
        };
        match reference.path.get(steps).map(String::as_str) {
            Some(word @ ("outputs" | "status")) => {
                if let (Some(call), "outputs") = (self.calls.get(&earlier), word) {
                    let key = reference.path.get(steps + 1);
                    self.check_output(call, (name, key.map(String::as_str)), extent);
                }
                let has_ended = self.outer.ended.get(earlier as usize).copied().unwrap_or(false);
                if let Some(task) = user.filter(|_| !has_ended) {
                    self.orders.push(Order { earlier, task, extent, is_undoing: false });
                }
            }
            _ => {
                let message = "of another task `outputs` and `status` are known, and nothing else";
                let fault = Fault::new(code::TEMPLATE_NAME, extent, message);
                self.faults.push(fault.hint(format!("write `tasks[\"{name}\"].outputs.key`")));
            }
        }
    }

    fn is_copied_call(&self, group: u32) -> bool {
        let first = self.steps.groups[group as usize].members.start;
        self.steps.list.get(first as usize).is_some_and(Step::is_copied_call)
    }

    /// Of a file only what it gives is known outside of it.
    fn check_output(&mut self, call: &Call, (task, key): (&str, Option<&str>), extent: Extent) {
        let outputs = &call.workflow.outputs;
        let Some(key) = key.filter(|key| !outputs.iter().any(|(name, _)| name == key)) else {
            return;
        };
        let message = format!("`{}` gives no output `{key}`", call.workflow.file);
        let names = outputs.iter().map(|(name, _)| name.as_str());
        let list = match names.clone().count() {
            0 => format!("it has no `outputs`: add `outputs: {{{key}: ...}}` to that file"),
            _ => format!("`{task}` has: {}", names.clone().collect::<Vec<_>>().join(", ")),
        };
        let fault = Fault::new(code::TEMPLATE_NAME, extent, message);
        self.faults.push(fault.hint_if(did_you_mean(key, names)).hint_if(Some(list)));
    }

    /// Where a piece of a text stands in the file. Quotes and indentation may move it: it is found
    /// as the same occurrence of the same words, else the whole text is shown.
    pub(super) fn locate(&self, whole: Extent, content: &str, range: Range<usize>) -> Extent {
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
