//! Arguments in place of `{{ with.NAME }}`.
//!
//! A value that is one such expression and nothing else becomes the argument itself, of whatever
//! type, so that `timeout: "{{ with.timeout }}"` works. In all other texts the name becomes the
//! argument's expression, and the text stays a template: `{{ item }}` in an argument is worked out
//! when the task starts, as if it had been written there.

use std::borrow::Cow;
use std::ops::Range;

use super::arguments::Arguments;
use crate::code;
use crate::diagnostic::{Fault, Faults, STAND_IN};
use crate::limits::TEMPLATE_COST_MAX;
use crate::node::{Content, Entry, Node, Scalar};
use crate::source::Extent;
use crate::suggest::did_you_mean;
use crate::template::single_expression;
use crate::template::{Reference, is_template, words};

/// Keys whose values are texts: a list that is handed to one is written into it.
const TEXTS: [&str; 3] = ["script", "working_dir", "description"];

/// Keys that hold texts.
const HOLD_TEXTS: [&str; 2] = ["command", "env"];

/// Keys that take an expression with or without marks.
const EXPRESSIONS: [&str; 9] =
    ["when", "until", "rule", "foreach", "loop", "with_items", "withItems", "withParam", "values"];

/// What the templates of a file may still cost: a value counts one, and a text its bytes.
pub(super) struct Budget {
    left: usize,
    is_told: bool,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: TEMPLATE_COST_MAX, is_told: false }
    }
}

impl Budget {
    fn take(&mut self, cost: usize) -> Option<()> {
        let left = self.left.checked_sub(cost);
        self.left = left.unwrap_or(0);
        left.map(|_| ())
    }

    /// Whether it was said before that nothing is left.
    pub(super) fn is_told(&mut self) -> bool {
        std::mem::replace(&mut self.is_told, true)
    }
}

/// Where a value stands within a body.
#[derive(Clone, Copy, Default)]
struct Position {
    is_text: bool,
    holds_texts: bool,
    is_expression: bool,
}

struct Substitution<'a, 's, 'f> {
    arguments: &'a Arguments<'s>,
    budget: &'f mut Budget,
    faults: &'f mut Faults,
}

impl<'s> Arguments<'s> {
    /// The value of a key of the body with the arguments in it; nothing if the budget is spent.
    pub(super) fn substitute(
        &self,
        entry: &Entry<'s>,
        budget: &mut Budget,
        faults: &mut Faults,
    ) -> Option<Node<'s>> {
        let mut substitution = Substitution { arguments: self, budget, faults };
        substitution.value(&entry.value, position(&entry.key, Position::default()))
    }
}

fn position(key: &str, outer: Position) -> Position {
    Position {
        is_text: TEXTS.contains(&key) || outer.is_text || outer.holds_texts,
        holds_texts: HOLD_TEXTS.contains(&key),
        is_expression: EXPRESSIONS.contains(&key),
    }
}

impl<'s> Substitution<'_, 's, '_> {
    fn value(&mut self, node: &Node<'s>, position: Position) -> Option<Node<'s>> {
        self.budget.take(1)?;
        let content = match &node.content {
            Content::Scalar(scalar) if !scalar.text.contains("with") => node.content.clone(),
            Content::Scalar(scalar) => return self.scalar(node.extent, scalar, position),
            Content::List(items) => {
                // The items of a list are values: `foreach: [with milk]` names no argument.
                let is_text = position.is_text || position.holds_texts;
                let inner = Position { is_text, ..Position::default() };
                let items: Option<Vec<_>> =
                    items.iter().map(|item| self.value(item, inner)).collect();
                Content::List(items?)
            }
            Content::Map(entries) => {
                let entries: Option<Vec<_>> =
                    entries.iter().map(|entry| self.entry(entry, position)).collect();
                Content::Map(entries?)
            }
        };
        if let Content::Scalar(Scalar { text: Cow::Owned(text), .. }) = &content {
            self.budget.take(text.len())?;
        }
        Some(Node { extent: node.extent, content })
    }

    fn entry(&mut self, entry: &Entry<'s>, outer: Position) -> Option<Entry<'s>> {
        let value = self.value(&entry.value, position(&entry.key, outer))?;
        Some(Entry { key: entry.key.clone(), key_extent: entry.key_extent, value })
    }

    fn scalar(
        &mut self,
        extent: Extent,
        scalar: &Scalar<'s>,
        position: Position,
    ) -> Option<Node<'s>> {
        let as_is = || Node { extent, content: Content::Scalar(scalar.clone()) };
        let is_bare = position.is_expression && !is_template(&scalar.text);
        if !is_bare && !is_template(&scalar.text) {
            return Some(as_is());
        }
        let marked = match is_bare {
            true => Cow::Owned(format!("{{{{{}}}}}", scalar.text)),
            false => Cow::Borrowed(&*scalar.text),
        };
        if let Some(argument) = self.whole(&marked)
            && (!position.is_text || (argument.scalar().is_some() && marked.trim() == marked))
        {
            let argument = argument.clone();
            self.budget.take(argument.weight() + owned_bytes(&argument))?;
            return Some(argument);
        }
        let text = self.text(&marked, extent, is_bare)?;
        let text = match is_bare {
            true => text.strip_prefix("{{").and_then(|text| text.strip_suffix("}}")),
            false => Some(&*text),
        };
        let text = text.unwrap_or(&scalar.text).to_owned();
        let content = Content::Scalar(Scalar { text: text.into(), is_plain: false });
        Some(Node { extent, content })
    }

    /// The argument that a text is, and nothing beside it.
    fn whole(&self, text: &str) -> Option<&Node<'s>> {
        let marked = format!("{{{{{}}}}}", single_expression(text)?);
        let references = words(&marked).references;
        let [Reference { root, path, range }] = references.as_slice() else { return None };
        let [name] = path.as_slice() else { return None };
        let is_all = root == "with" && *range == (2..marked.len() - 2);
        is_all.then(|| self.arguments.by_name.get(name).map(|argument| &argument.node)).flatten()
    }

    /// A template with the expressions of the arguments in place of their names.
    fn text(&mut self, text: &str, extent: Extent, is_bare: bool) -> Option<String> {
        let mut substituted = String::with_capacity(text.len());
        let mut at = 0;
        for reference in words(text).references {
            // `{% with x = 1 %}` is a statement of its own.
            let is_statement = text[..reference.range.start]
                .trim_end_matches(['-', '+', ' ', '\t', '\n'])
                .ends_with("{%");
            if reference.root != "with" || is_statement {
                continue;
            }
            if let Some((block, word)) = self.word(text, &reference)
                && block.start >= at
                && !is_bare
            {
                substituted.push_str(&text[at..block.start]);
                substituted.push_str(word);
                at = block.end;
                continue;
            }
            substituted.push_str(&text[at..reference.range.start]);
            at = reference.range.end;
            let before = substituted.len();
            self.expression(&reference, extent, &mut substituted);
            self.budget.take(substituted.len() - before)?;
        }
        substituted.push_str(&text[at..]);
        self.budget.take(substituted.len())?;
        Some(substituted)
    }

    /// An expression that is the name of an argument alone, marks included, and the argument's own
    /// text: put in at once, so that `timeout: "{{ with.minutes }}m"` is a duration.
    fn word(&self, text: &str, reference: &Reference) -> Option<(Range<usize>, &str)> {
        let [name] = reference.path.as_slice() else { return None };
        let word = self.arguments.by_name.get(name)?.word.as_deref()?;
        let before = text[..reference.range.start].trim_end().strip_suffix("{{")?;
        let behind = text[reference.range.end..].trim_start();
        let behind = behind.strip_prefix("}}")?;
        let before = before.strip_suffix('$').unwrap_or(before);
        Some((before.len()..text.len() - behind.len(), word))
    }

    fn expression(&mut self, reference: &Reference, extent: Extent, out: &mut String) {
        let Some((name, steps)) = reference.path.split_first() else {
            let message = "a template names its arguments literally";
            let fault = Fault::new(code::TEMPLATE_ARGUMENT, extent, message);
            self.faults.push(fault.hint("write `{{ with.NAME }}`"));
            return;
        };
        match self.arguments.by_name.get(name) {
            Some(argument) => {
                out.push_str(&argument.expression);
                let steps = steps.iter().map(|step| serde_json::Value::from(step.as_str()));
                steps.for_each(|step| out.push_str(&format!("[{step}]")));
            }
            None => {
                out.push_str(STAND_IN);
                // One that is needed and not given, or wrong, has a fault already, and needs none
                // for what stands in for it here.
                if self.arguments.has_faults {
                    self.faults.hush(extent);
                } else {
                    let names = self.arguments.by_name.keys().map(String::as_str);
                    let message = format!("the template has no parameter `{name}`");
                    let fault = Fault::new(code::TEMPLATE_ARGUMENT, extent, message);
                    let hint = format!("declare it: `params: {{{name}: ...}}` in the template");
                    self.faults.push(fault.hint_if(did_you_mean(name, names)).hint_if(Some(hint)));
                }
            }
        }
    }
}

fn owned_bytes(node: &Node<'_>) -> usize {
    match &node.content {
        Content::Scalar(scalar) => match &scalar.text {
            Cow::Owned(text) => text.len(),
            Cow::Borrowed(_) => 0,
        },
        Content::List(items) => items.iter().map(owned_bytes).sum(),
        Content::Map(entries) => entries.iter().map(|entry| owned_bytes(&entry.value)).sum(),
    }
}
