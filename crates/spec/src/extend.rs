//! Templates: bodies of tasks that tasks extend, worked into the tree before anything is read.
//!
//! What a task does not say itself comes from its template, with the arguments in place of
//! `{{ with.NAME }}`. The tree that comes out has no templates in it, so that nothing behind this
//! knows of them; its values keep the places at which they stand, in the template or in the
//! arguments. It says nothing about what a body means: that is checked in the tasks that use it.

use model::collections::HashMap;

use crate::call::CallKind;
use crate::check::parameters::{Declared, parameters};
use crate::code;
use crate::diagnostic::{Diagnostics, Fault, Faults};
use crate::file::{Declarations, TaskFile};
use crate::limits::{DEPTH_MAX, TEMPLATE_CHAIN_MAX};
use crate::node::{Content, Entry, Node, Scalar};
use crate::params::ParameterType;
use crate::read::Read;
use crate::source::Extent;
use crate::suggest::did_you_mean;

mod arguments;
mod flat;
mod library;
mod models;
mod substitute;
mod unused;
mod uses;

use arguments::Arguments;
pub(crate) use library::{Beside, LIBRARY};
use library::{NAMING, holds_own_words, is_own_word, name_parameters, relocate};
pub(crate) use models::{MODELS, add_models};
use substitute::Budget;
pub(crate) use uses::Uses;

/// Keys whose mappings a task and its template share key by key.
const MERGED: [&str; 4] = ["env", "resources", "retry", "labels"];

/// Keys that mean one thing: a task that has one of a row takes none of that row from a template.
const ROWS: [&[&str]; 2] =
    [&["script", "command"], &["foreach", "loop", "with_items", "withItems", "withParam"]];

/// Keys of a template that are not those of a task.
const OWN: [&str; 3] = ["params", "extends", "with"];

/// Keys that hold tasks, and so cannot name a template.
const HOLDERS: [&str; 4] = ["tasks", "task_graph", "finally", "compensate"];

/// Keys that say what a task does, beside those of kinds of work.
const KINDS: [&str; 9] =
    ["script", "command", "tasks", "decision", "approval", "signal", "wait", "workflow", "extends"];

/// Whether a key says what a task does.
fn says_kind(entry: &Entry<'_>) -> bool {
    KINDS.contains(&&*entry.key) || CallKind::of(&entry.key).is_some()
}

/// A template of the file.
struct Template<'s> {
    name_extent: Extent,
    /// What tasks get from it.
    body: Vec<Entry<'s>>,
    /// All of it, name included.
    extent: Extent,
    parameters: Vec<Declared>,
    defaults: Vec<(String, Node<'s>)>,
    /// Whether it stands in the file beside.
    is_beside: bool,
}

/// That a task, or a template, extends a template.
struct Use<'s> {
    name: String,
    /// Where the template is named.
    extent: Extent,
    arguments: Vec<Entry<'s>>,
}

/// Works the templates of a file into its tasks. What comes back explains faults within templates.
///
/// Words of tasks that the language does not know may be templates of the file `beside`.
///
/// # Errors
/// What is wrong with the file beside.
pub(crate) fn expand<'s>(
    root: &mut Node<'s>,
    text: &str,
    beside: &Beside<'_>,
    faults: &mut Faults,
) -> Result<Uses, Diagnostics> {
    let Content::Map(entries) = &mut root.content else { return Ok(Uses::default()) };
    let declared = entries.iter().find(|entry| entry.key == "templates");
    let has_own_words = entries.iter().any(holds_own_words);
    if declared.is_none() && !has_own_words && !text.contains("extends") {
        return Ok(Uses::default());
    }
    let mut templates = declared.map(|entry| templates(&entry.value, faults)).unwrap_or_default();
    if has_own_words && let Some(bytes) = beside() {
        let others = self::templates(&library::read(&bytes)?, faults);
        for (name, template) in others {
            let is_known = templates.contains_key(&name);
            if !is_known {
                templates.insert(name, Template { is_beside: true, ..template });
            }
        }
    }
    let mut expander = Expander {
        templates: &templates,
        uses: Uses::default(),
        budget: Budget::default(),
        faults,
    };
    expander.holders(entries, &[]);
    let Expander { uses, .. } = expander;
    let names: Vec<&str> = templates.keys().map(String::as_str).collect();
    let params = declared_params(entries);
    let params = params.as_deref().filter(|_| !has_own_words);
    let known = unused::Known { text, templates: &names, params };
    let templates = templates.iter().filter(|(_, template)| !template.is_beside);
    for (name, template) in templates.clone() {
        if !uses.contains(template.extent) {
            unused::check(name, template, &known, faults);
        }
    }
    Ok(uses)
}

/// The parameters that a file declares, if it does.
fn declared_params<'e>(entries: &'e [Entry<'_>]) -> Option<Vec<&'e str>> {
    let params = entries.iter().find(|entry| entry.key == "params");
    match params.map(|params| &params.value.content) {
        None => Some(Vec::new()),
        Some(Content::Map(params)) => Some(params.iter().map(|entry| &*entry.key).collect()),
        Some(_) => None,
    }
}

fn templates<'s>(node: &Node<'s>, faults: &mut Faults) -> HashMap<String, Template<'s>> {
    let Content::Map(entries) = &node.content else {
        let message = format!("`templates` takes a mapping from name to template, not {}", {
            node.describe()
        });
        faults.push(Fault::new(code::WRONG_TYPE, node.extent, message));
        return HashMap::default();
    };
    let templates = entries.iter().filter_map(|entry| {
        let (name, extent) = (entry.key.to_string(), entry.key_extent);
        // What a kind of work means may be said otherwise: the template goes before.
        let is_kind = CallKind::ALL.iter().any(|kind| kind.key() == name);
        if is_reserved(&name) && !is_kind {
            let message = format!("a template cannot be called `{name}`: that is a key of tasks");
            faults.push(Fault::new(code::BAD_NAME, extent, message));
            return None;
        }
        Some((name, template(entry, faults)?))
    });
    templates.collect()
}

fn is_reserved(name: &str) -> bool {
    TaskFile::KEYS.contains(&name) || OWN.contains(&name) || HOLDERS.contains(&name)
}

fn template<'s>(entry: &Entry<'s>, faults: &mut Faults) -> Option<Template<'s>> {
    let Content::Map(entries) = &entry.value.content else {
        let message = format!(
            "the template `{}` is the body of a task, a mapping, not {}",
            entry.key,
            entry.value.describe()
        );
        faults.push(Fault::new(code::WRONG_TYPE, entry.value.extent, message));
        return None;
    };
    let params = entries.iter().find(|entry| entry.key == "params");
    let declarations = params.and_then(|it| Declarations::read(&it.value, "params", faults));
    let declarations = declarations.unwrap_or_default();
    let parameters = parameters(&declarations.0, faults);
    for Declared { parameter, extent } in &parameters {
        if matches!(parameter.kind, ParameterType::File | ParameterType::Secret) {
            let message = format!(
                "a template takes no {}",
                match parameter.kind {
                    ParameterType::File => "file",
                    _ => "secret",
                }
            );
            let fault = Fault::new(code::BAD_VALUE, *extent, message);
            faults.push(fault.hint("declare it for the workflow, and hand on `{{ params.NAME }}`"));
        }
    }
    Some(Template {
        name_extent: entry.key_extent,
        body: entries.iter().filter(|entry| entry.key != "params").cloned().collect(),
        extent: Extent { start: entry.key_extent.start, end: entry.value.extent.end },
        parameters,
        defaults: params.map(|params| defaults(&params.value)).unwrap_or_default(),
        is_beside: false,
    })
}

/// The defaults of parameters as they stand in the file.
fn defaults<'s>(params: &Node<'s>) -> Vec<(String, Node<'s>)> {
    let Content::Map(entries) = &params.content else { return Vec::new() };
    let default = |entry: &Entry<'s>| match &entry.value.content {
        Content::Map(full) => full.iter().find(|it| it.key == "default").map(|it| it.value.clone()),
        _ if entry.value.is_null() => None,
        _ => Some(entry.value.clone()),
    };
    let found = entries.iter().filter_map(|it| Some((it.key.to_string(), default(it)?)));
    found.collect()
}

struct Expander<'t, 's, 'f> {
    templates: &'t HashMap<String, Template<'s>>,
    uses: Uses,
    budget: Budget,
    faults: &'f mut Faults,
}

/// The templates that are being worked in, the outermost first, each with where it is named.
type Chain<'c> = &'c [(String, Extent)];

impl<'s> Expander<'_, 's, '_> {
    /// Expands the tasks that stand under keys of a file or of a task.
    fn holders(&mut self, entries: &mut [Entry<'s>], chain: Chain<'_>) {
        for entry in entries {
            match (&*entry.key, &mut entry.value.content) {
                ("tasks" | "task_graph" | "finally", Content::List(tasks)) => {
                    for task in tasks {
                        self.name_body(task, None);
                        self.task(task, chain);
                    }
                }
                ("tasks" | "task_graph" | "finally", Content::Map(tasks)) => {
                    for task in tasks {
                        self.name_body(&mut task.value, Some(&task.key));
                        self.task(&mut task.value, chain);
                    }
                }
                ("compensate", _) => self.task(&mut entry.value, chain),
                _ => {}
            }
        }
    }

    /// A task that has nothing but a `result` over its outputs does what the template of its own
    /// name says, if there is one.
    fn name_body(&self, node: &mut Node<'s>, key: Option<&str>) {
        let Content::Map(entries) = &mut node.content else { return };
        let Some(result) = entries.iter().find(|entry| library::is_bare_result(entry)) else {
            return;
        };
        let extent = result.key_extent;
        let text = |entry: &Entry<'s>| Some(entry.value.scalar()?.text.to_string());
        let listed = || entries.iter().find(|entry| entry.key == "name").and_then(text);
        let Some(name) = key.map(str::to_owned).or_else(listed) else { return };
        let has_body = entries.iter().any(says_kind);
        if has_body || !self.templates.contains_key(&name) {
            return;
        }
        let content = Content::Scalar(Scalar { text: name.into(), is_plain: false });
        let value = Node { extent, content };
        entries.push(Entry { key: "extends".into(), key_extent: extent, value });
    }

    fn task(&mut self, node: &mut Node<'s>, chain: Chain<'_>) {
        let Content::Map(entries) = &mut node.content else { return };
        self.holders(entries, chain);
        let faults = self.faults.count();
        let Some(used) = self.take_use(entries) else {
            if self.faults.count() > faults {
                stand_in(entries);
            }
            flat::gather(entries, &mut self.uses.implied);
            return;
        };
        let base = self.resolve(&used, chain);
        if base.is_none() {
            stand_in(entries);
        }
        if let Some(base) = base {
            let own = std::mem::take(entries);
            *entries = merged(own, base);
            flat::gather(entries, &mut self.uses.implied);
            if node.depth() > DEPTH_MAX {
                let message = format!("more than {DEPTH_MAX} lists and mappings lie in each other");
                self.faults.push(Fault::new(code::ALIASES, used.extent, message));
                node.content = Content::Map(Vec::new());
            }
        }
    }

    /// Takes `extends` and `with`, or the key that is a template's name, out of a body.
    fn take_use(&mut self, entries: &mut Vec<Entry<'s>>) -> Option<Use<'s>> {
        let templates = self.templates;
        let is_use = |entry: &Entry<'s>| {
            entry.key == "extends"
                || templates.contains_key(&*entry.key)
                || named_by(templates, entry).is_some()
        };
        let first = entries.iter().position(is_use)?;
        let entry = entries.remove(first);
        while let Some(second) = entries.iter().position(is_use) {
            let second = entries.remove(second);
            let fault =
                Fault::new(code::CONFLICT, second.key_extent, "a task extends one template");
            self.faults.push(
                fault.related(entry.key_extent, "the first").hint("let a template extend another"),
            );
        }
        if let Some(name) = named_by(self.templates, &entry) {
            return Some(self.take_words(name, &entry, entries));
        }
        if entry.key != "extends" {
            let arguments = self.arguments(&entry.value, &entry.key);
            return Some(Use { name: entry.key.into(), extent: entry.key_extent, arguments });
        }
        let with = entries.iter().position(|entry| entry.key == "with");
        let with = with.map(|with| entries.remove(with));
        let arguments = with.map(|with| self.arguments(&with.value, "with")).unwrap_or_default();
        let name = String::read(&entry.value, "extends", self.faults)?;
        Some(Use { name, extent: entry.value.extent, arguments })
    }

    /// The words of a task that no other task has are arguments of the template that it names.
    fn take_words(
        &mut self,
        name: String,
        entry: &Entry<'s>,
        entries: &mut Vec<Entry<'s>>,
    ) -> Use<'s> {
        let with = entries.iter().position(|entry| entry.key == "with");
        let with = with.map(|with| entries.remove(with));
        let mut arguments =
            with.map(|with| self.arguments(&with.value, "with")).unwrap_or_default();
        let (words, keys) = entries.drain(..).partition(|entry| is_own_word(&entry.key));
        *entries = keys;
        arguments.extend::<Vec<_>>(words);
        for argument in &mut arguments {
            name_parameters(&mut argument.value, &mut self.uses.implied);
        }
        Use { name, extent: entry.value.extent, arguments }
    }

    fn arguments(&mut self, node: &Node<'s>, key: &str) -> Vec<Entry<'s>> {
        match &node.content {
            Content::Map(entries) => entries.clone(),
            _ if node.is_null() => Vec::new(),
            _ => {
                let message = format!(
                    "`{key}` takes the arguments of a template, a mapping, not {}",
                    node.describe()
                );
                self.faults.push(Fault::new(code::WRONG_TYPE, node.extent, message));
                Vec::new()
            }
        }
    }

    /// What a template gives for its arguments, the templates that it extends worked in.
    fn resolve(&mut self, used: &Use<'s>, chain: Chain<'_>) -> Option<Vec<Entry<'s>>> {
        let Some(template) = self.templates.get(&used.name) else {
            self.unknown(used);
            return None;
        };
        if !template.is_beside {
            self.uses.push(template.extent, used.extent);
        }
        if let Some(first) = chain.iter().position(|(name, _)| *name == used.name) {
            self.cycle(used, &chain[first..]);
            return None;
        }
        if chain.len() >= TEMPLATE_CHAIN_MAX {
            let message = format!("more than {TEMPLATE_CHAIN_MAX} templates extend each other");
            self.faults.push(Fault::new(code::TOO_LARGE, used.extent, message));
            return None;
        }
        let chain = [chain, &[(used.name.clone(), used.extent)]].concat();
        let arguments = Arguments::bind(template, used, self.faults);
        let mut body = Vec::with_capacity(template.body.len());
        for entry in &template.body {
            let value = arguments.substitute(entry, &mut self.budget, self.faults);
            let Some(value) = value else {
                self.exhausted(used);
                return None;
            };
            body.push(Entry { key: entry.key.clone(), key_extent: entry.key_extent, value });
        }
        if template.is_beside {
            for entry in &mut body {
                entry.key_extent = used.extent;
                relocate(&mut entry.value, used.extent);
            }
        }
        self.holders(&mut body, &chain);
        match self.take_use(&mut body) {
            Some(parent) => Some(merged(body, self.resolve(&parent, &chain)?)),
            None => Some(body),
        }
    }

    fn unknown(&mut self, used: &Use<'s>) {
        let mut names: Vec<&str> = self.templates.keys().map(String::as_str).collect();
        names.sort_unstable();
        let list = match names.len() {
            0 => "the file has no `templates`".to_owned(),
            _ => format!("the file has: {}", names.join(", ")),
        };
        let message = format!("there is no template `{}`", used.name);
        let fault = Fault::new(code::UNKNOWN_TEMPLATE, used.extent, message);
        self.faults.push(fault.hint_if(did_you_mean(&used.name, names)).hint_if(Some(list)));
    }

    fn cycle(&mut self, used: &Use<'s>, chain: Chain<'_>) {
        let names: Vec<&str> = chain.iter().map(|(name, _)| name.as_str()).collect();
        let message =
            format!("templates extend each other in a circle: {} → {}", names.join(" → "), {
                &used.name
            });
        let mut fault = Fault::new(code::TEMPLATE_CYCLE, used.extent, message);
        for (name, extent) in chain {
            fault = fault.related(*extent, format!("`{name}` is extended here"));
        }
        self.faults.push(fault.hint("take one `extends` out"));
    }

    fn exhausted(&mut self, used: &Use<'s>) {
        if self.budget.is_told() {
            return;
        }
        let message = "the templates of this file become too large with their arguments";
        let fault = Fault::new(code::TOO_LARGE, used.extent, message);
        self.faults.push(fault.hint("write tasks that differ by a value as one with `foreach`"));
    }
}

/// The template that `action: NAME` or `type: NAME` means.
fn named_by(templates: &HashMap<String, Template<'_>>, entry: &Entry<'_>) -> Option<String> {
    let name = entry.value.scalar().filter(|_| NAMING.contains(&&*entry.key))?;
    templates.contains_key(&*name.text).then(|| name.text.to_string())
}

/// Gives a task whose template is not there something to run, so that this is not told as well.
fn stand_in(entries: &mut Vec<Entry<'_>>) {
    if entries.iter().any(says_kind) {
        return;
    }
    let extent = entries.first().map(|entry| entry.key_extent).unwrap_or_default();
    let content = Content::Scalar(Scalar { text: "true".into(), is_plain: false });
    let value = Node { extent, content };
    entries.push(Entry { key: "script".into(), key_extent: extent, value });
}

/// The own keys, and those of the base that are not among them.
fn merged<'s>(mut own: Vec<Entry<'s>>, base: Vec<Entry<'s>>) -> Vec<Entry<'s>> {
    let taken: Vec<&[&str]> =
        ROWS.into_iter().filter(|row| own.iter().any(|entry| row.contains(&&*entry.key))).collect();
    for entry in base {
        if taken.iter().any(|row| row.contains(&&*entry.key)) {
            continue;
        }
        let Some(same) = own.iter_mut().find(|other| other.key == entry.key) else {
            own.push(entry);
            continue;
        };
        if let (true, Content::Map(own), Content::Map(base)) =
            (MERGED.contains(&&*entry.key), &mut same.value.content, entry.value.content)
        {
            let more = base.into_iter().filter(|it| own.iter().all(|other| other.key != it.key));
            let more: Vec<Entry<'s>> = more.collect();
            own.extend(more);
        }
    }
    own
}
