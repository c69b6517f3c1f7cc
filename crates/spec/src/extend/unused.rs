//! Templates that no task extends: what is wrong with them whoever uses them.
//!
//! Nothing is put in the place of arguments, so that only values without any are read, and of texts
//! only the names are looked at.

use super::arguments::has_marks;
use super::{Template, is_reserved};
use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::file::{TASK_FOREIGN, TaskFile};
use crate::node::{Content, Entry, Node};
use crate::read::{Read, unknown_key};
use crate::source::Extent;
use crate::suggest::did_you_mean;
use crate::template::{Reference, normalised, words};

/// What a template may name.
pub(super) struct Known<'k> {
    /// The text of the file.
    pub text: &'k str,
    /// The templates of the file.
    pub templates: &'k [&'k str],
    /// Its parameters, if it declares all that it has.
    pub params: Option<&'k [&'k str]>,
}

pub(super) fn check(name: &str, template: &Template<'_>, known: &Known<'_>, faults: &mut Faults) {
    let mut certain = Vec::new();
    for entry in &template.body {
        let key = &*entry.key;
        if TaskFile::KEYS.contains(&key) {
            certain.extend((!has_marks(&entry.value)).then(|| entry.clone()));
        } else if !is_reserved(key) && !known.templates.contains(&key) {
            let noun = format!("the template `{name}`");
            unknown_key(entry, &noun, (TaskFile::KEYS, TASK_FOREIGN), faults);
        }
        names(&entry.value, template, known, faults);
    }
    if !certain.is_empty() && !certain.iter().any(holds_tasks) {
        let node = Node { extent: template.extent, content: Content::Map(certain) };
        TaskFile::read(&node, "", faults);
    }
}

/// Tasks in a template may use others: they are not read here.
fn holds_tasks(entry: &Entry<'_>) -> bool {
    matches!(&*entry.key, "tasks" | "compensate")
}

/// Tells arguments and parameters that there are not.
fn names(node: &Node<'_>, template: &Template<'_>, known: &Known<'_>, faults: &mut Faults) {
    match &node.content {
        Content::List(items) => items.iter().for_each(|it| names(it, template, known, faults)),
        Content::Map(entries) => {
            entries.iter().for_each(|it| names(&it.value, template, known, faults));
        }
        Content::Scalar(scalar) => {
            let text = normalised(&scalar.text);
            for reference in words(&text).references {
                let extent = place(&text, &reference, (node.extent, known.text));
                faults_of(&reference, extent, (template, known), faults);
            }
        }
    }
}

fn faults_of(
    reference: &Reference,
    extent: Extent,
    (template, known): (&Template<'_>, &Known<'_>),
    faults: &mut Faults,
) {
    let Some(name) = reference.path.first() else { return };
    let arguments = || template.parameters.iter().map(|it| it.parameter.name.as_str());
    match (reference.root.as_str(), known.params) {
        ("with", _) if arguments().all(|known| known != name) => {
            let message = format!("the template has no parameter `{name}`");
            let fault = Fault::new(code::TEMPLATE_ARGUMENT, extent, message);
            let hint = format!("declare it: `params: {{{name}: ...}}` in the template");
            faults.push(fault.hint_if(did_you_mean(name, arguments())).hint_if(Some(hint)));
        }
        ("params", Some(params)) if !params.contains(&name.as_str()) => {
            let fault =
                Fault::new(code::TEMPLATE_NAME, extent, format!("there is no parameter `{name}`"));
            faults.push(fault.hint_if(did_you_mean(name, params.iter().copied())));
        }
        _ => {}
    }
}

/// Where the words stand in the file: the same occurrence of them, or else the whole text.
fn place(text: &str, reference: &Reference, (extent, file): (Extent, &str)) -> Extent {
    let words = &text[reference.range.clone()];
    let earlier = text[..reference.range.start].matches(words).count();
    let found = extent.of(file).match_indices(words).nth(earlier);
    found.map_or(extent, |(at, _)| {
        let start = extent.start as usize + at;
        Extent::new(start, start + words.len())
    })
}
