//! Templates beside a file: what its words mean, where it does not say so itself.
//!
//! A file may name actions in the words of its writers, as `action: send_email`, `type: report` or
//! `user: {...}`. What they mean is said by a template of that name, in the file or in the file
//! `templates.yaml` beside it, so that the same text can mean one thing here and another there.

use std::borrow::Cow;

use crate::diagnostic::{Diagnostics, Faults};
use crate::file::{TASK_FOREIGN, TaskFile};
use crate::node::{Content, Entry, Node, Scalar};
use crate::parse::{decode, parse};
use crate::read::meant_key;
use crate::source::Extent;
use crate::template::{ROOTS, environment, expression_references, is_global};

/// The name of the file beside.
pub(crate) const LIBRARY: &str = "templates.yaml";

/// Keys whose value names a template; the keys that no task has are then its arguments.
pub(super) const NAMING: [&str; 2] = ["action", "type"];

/// What gives the file beside, if there is one.
pub(crate) type Beside<'b> = dyn Fn() -> Option<Vec<u8>> + 'b;

/// The templates in a text: all of its keys, or those under `templates`.
pub(super) fn read(bytes: &[u8]) -> Result<Node<'static>, Diagnostics> {
    let mut faults = Faults::default();
    let text = decode(bytes, &mut faults).unwrap_or_default();
    let root = parse(text, &mut faults).map(owned);
    match root {
        Some(root) if faults.is_empty() => Ok(under_templates(root)),
        _ => Err(faults.into_diagnostics(LIBRARY, text)),
    }
}

fn under_templates(root: Node<'static>) -> Node<'static> {
    let Content::Map(entries) = &root.content else { return root };
    let found = entries.iter().find(|entry| entry.key == "templates");
    found.map(|entry| entry.value.clone()).unwrap_or(root)
}

pub(super) fn owned(node: Node<'_>) -> Node<'static> {
    let content = match node.content {
        Content::Scalar(Scalar { text, is_plain }) => {
            Content::Scalar(Scalar { text: Cow::Owned(text.into_owned()), is_plain })
        }
        Content::List(items) => Content::List(items.into_iter().map(owned).collect()),
        Content::Map(entries) => {
            let entries = entries.into_iter().map(|Entry { key, value, .. }| Entry {
                key: Cow::Owned(key.into_owned()),
                key_extent: Extent::default(),
                value: owned(value),
            });
            Content::Map(entries.collect())
        }
    };
    Node { extent: Extent::default(), content }
}

/// Lets everything in a value stand at one place of the file: where it is used.
pub(super) fn relocate(node: &mut Node<'_>, extent: Extent) {
    if node.extent == Extent::default() {
        node.extent = extent;
    }
    match &mut node.content {
        Content::Scalar(_) => {}
        Content::List(items) => items.iter_mut().for_each(|item| relocate(item, extent)),
        Content::Map(entries) => entries.iter_mut().for_each(|entry| {
            if entry.key_extent == Extent::default() {
                entry.key_extent = extent;
            }
            relocate(&mut entry.value, extent);
        }),
    }
}

/// Whether a task has words that the language does not know.
pub(super) fn has_own_words(task: &Node<'_>) -> bool {
    let Content::Map(entries) = &task.content else { return false };
    entries
        .iter()
        .any(|entry| is_own_word(&entry.key) || is_bare_result(entry) || holds_own_words(entry))
}

/// Whether a key holds tasks, and one of these has such words.
pub(super) fn holds_own_words(entry: &Entry<'_>) -> bool {
    if !["tasks", "task_graph", "finally"].contains(&&*entry.key) {
        return false;
    }
    match &entry.value.content {
        Content::List(tasks) => tasks.iter().any(has_own_words),
        Content::Map(tasks) => tasks.iter().any(|task| has_own_words(&task.value)),
        Content::Scalar(_) => false,
    }
}

/// Whether it is a `result` over outputs.
pub(super) fn is_bare_result(entry: &Entry<'_>) -> bool {
    let is_over = |text: &str| expression_references(text).iter().any(|it| it.root == "output");
    entry.key == "result" && entry.value.scalar().is_some_and(|scalar| is_over(&scalar.text))
}

/// Whether a key of a task is none of the language.
pub(super) fn is_own_word(key: &str) -> bool {
    let meant = meant_key(key, TaskFile::KEYS, TASK_FOREIGN);
    !TaskFile::KEYS.contains(&meant) && !key.starts_with("x-") && key != "extends"
}

/// Lets the bare names in an argument, as in `{{topic}}`, be parameters, and notes them.
pub(super) fn name_parameters(node: &mut Node<'_>, names: &mut Vec<(String, Extent)>) {
    let extent = node.extent;
    match &mut node.content {
        Content::Scalar(scalar) => {
            if let Some(text) = with_parameters(&scalar.text, extent, names) {
                scalar.text = Cow::Owned(text);
            }
        }
        Content::List(items) => items.iter_mut().for_each(|item| name_parameters(item, names)),
        Content::Map(entries) => {
            entries.iter_mut().for_each(|entry| name_parameters(&mut entry.value, names));
        }
    }
}

fn with_parameters(
    text: &str,
    extent: Extent,
    names: &mut Vec<(String, Extent)>,
) -> Option<String> {
    let environment = environment();
    let (mut written, mut rest) = (String::new(), text);
    while let Some((before, behind)) = rest.split_once("{{") {
        let (inner, after) = behind.split_once("}}")?;
        let name = inner.trim();
        let is_name = name.starts_with(|first: char| first.is_alphabetic() || first == '_')
            && name.chars().all(|next| next.is_alphanumeric() || next == '_')
            && !ROOTS.contains(&name)
            && !is_global(&environment, name);
        written.push_str(before);
        match is_name {
            true => {
                written.push_str(&format!("{{{{ params.{name} }}}}"));
                if names.iter().all(|(known, _)| known != name) {
                    names.push((name.to_owned(), extent));
                }
            }
            false => written.push_str(&format!("{{{{{inner}}}}}")),
        }
        rest = after;
    }
    written.push_str(rest);
    (written != text).then_some(written)
}
