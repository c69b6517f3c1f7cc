//! From bytes to a tree: YAML, and JSON as the part of YAML that it is.
//!
//! One document a file. Aliases and merge keys are followed within a budget; keys stand once.
//! A fault of syntax ends the reading, every other one is noted and the reading goes on.

use std::borrow::Cow;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};
use model::collections::{HashMap, HashSet};
use model::limits::WORKFLOW_FILE_BYTES_MAX;

use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::limits::{ALIAS_VALUES_MAX, DEPTH_MAX};
use crate::node::{Content, Entry, Node, Scalar};
use crate::source::Extent;

/// The text of a file, if it is of an allowed size and UTF-8. A byte order mark is left out.
pub(crate) fn decode<'s>(bytes: &'s [u8], faults: &mut Faults) -> Option<&'s str> {
    if bytes.len() > WORKFLOW_FILE_BYTES_MAX {
        let message =
            format!("the file has {} bytes, and may have {WORKFLOW_FILE_BYTES_MAX}", bytes.len());
        faults.push(Fault::nowhere(code::TOO_LARGE, message));
        return None;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(error) => {
            let at = error.valid_up_to();
            let message = format!("byte {at} of the file (0x{:02x}) is not UTF-8", bytes[at]);
            let extent = Extent::new(at, at + 1);
            faults.push(Fault::new(code::ENCODING, extent, message).hint("save the file as UTF-8"));
            None
        }
    }
}

/// The tree of a text; nothing after a fault of syntax, or if there is nothing in it.
pub(crate) fn parse<'s>(text: &'s str, faults: &mut Faults) -> Option<Node<'s>> {
    let options = granit_parser::options! { emit_comments: false };
    let mut builder = Builder {
        text,
        faults,
        open: Vec::new(),
        root: None,
        anchors: HashMap::default(),
        unfolded: 0,
    };
    for event in Parser::new_from_str_with_options(text, options) {
        let step = match event {
            Ok((event, span)) => builder.take(event, extent_of(&span)),
            Err(error) => {
                Err(Box::new(json_fault(text).unwrap_or_else(|| syntax_fault(&error, text))))
            }
        };
        if let Err(fault) = step {
            builder.faults.push(*fault);
            return None;
        }
    }
    let root = builder.root.filter(|root| !root.is_null());
    if root.is_none() {
        let fault = Fault::nowhere(code::EMPTY, "there is nothing in the file");
        faults.push(fault.hint("a workflow needs at least `tasks`"));
    }
    root
}

fn extent_of(span: &Span) -> Extent {
    let offset = |marker: granit_parser::Marker| marker.byte_offset().unwrap_or_default();
    Extent::new(offset(span.start), offset(span.end))
}

/// What is wrong with a text that is meant to be JSON: a reader of JSON says it better.
fn json_fault(text: &str) -> Option<Fault> {
    if !text.trim_start().starts_with("{\"") && !text.trim_start().starts_with("{\n") {
        return None;
    }
    let error = serde_json::from_str::<serde::de::IgnoredAny>(text).err()?;
    let line_start = text.split_inclusive('\n').take(error.line().checked_sub(1)?);
    let line_start: usize = line_start.map(str::len).sum();
    let at = text.floor_char_boundary(line_start + error.column().saturating_sub(1));
    let told = error.to_string();
    let told = told.split(" at line ").next().unwrap_or_default().to_owned();
    let extent = Extent::new(at, at + 1);
    Some(Fault::new(code::SYNTAX, extent, "this is not valid JSON").label(told))
}

fn syntax_fault(error: &ScanError, text: &str) -> Fault {
    let at = error.marker().byte_offset().unwrap_or_default().min(text.len());
    let at = if at == text.len() { text.trim_end().len() } else { at };
    let is_tab = text[..text.floor_char_boundary(at)].ends_with('\t')
        || text[text.floor_char_boundary(at)..].starts_with('\t');
    let fault = Fault::new(code::SYNTAX, Extent::new(at, at + 1), "this is not valid YAML");
    let fault = fault.label(error.info());
    fault.hint(if is_tab {
        "indent with spaces, not with tabs"
    } else {
        "look just before this for a bracket or quote that is not closed, or for wrong indentation"
    })
}

/// What an event leads to; a fault that is returned ends the reading.
type Read = Result<(), Box<Fault>>;

/// A list or mapping that is still being read.
struct Open<'s> {
    start: Extent,
    anchor: usize,
    content: Content<'s>,
    /// The key whose value comes next.
    key: Option<(Cow<'s, str>, Extent)>,
}

struct Anchored<'s> {
    node: Node<'s>,
    weight: usize,
    depth: usize,
}

struct Builder<'s, 'f> {
    text: &'s str,
    faults: &'f mut Faults,
    open: Vec<Open<'s>>,
    root: Option<Node<'s>>,
    anchors: HashMap<usize, Anchored<'s>>,
    /// Values copied for anchors, aliases and merges so far.
    unfolded: usize,
}

impl<'s> Builder<'s, '_> {
    /// Takes the next event.
    fn take(&mut self, event: Event<'s>, extent: Extent) -> Read {
        match event {
            Event::DocumentStart(..) if self.root.is_some() => {
                let message = "a second document begins here";
                let fault = Fault::new(code::SYNTAX, extent, message);
                Err(fault.hint("put each workflow into a file of its own").into())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let is_text_by_tag = self.is_text(tag.as_deref(), extent);
                let is_plain = style == ScalarStyle::Plain && !is_text_by_tag;
                let content = Content::Scalar(Scalar { text, is_plain });
                self.complete(Node { extent, content }, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.is_text(tag.as_deref(), extent);
                self.open(Content::List(Vec::new()), extent, anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.is_text(tag.as_deref(), extent);
                self.open(Content::Map(Vec::new()), extent, anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(extent),
            Event::Alias(anchor) => self.alias(anchor, extent),
            _ => Ok(()),
        }
    }

    /// Whether a tag makes a text of a scalar. Tags that the language does not know are faults.
    fn is_text(&mut self, tag: Option<&Tag>, extent: Extent) -> bool {
        let Some(tag) = tag else { return false };
        if !tag.is_yaml_core_schema() && tag.suffix() != "" {
            let message = format!("the tag `{}` means nothing here", tag.original());
            self.faults.push(Fault::new(code::WRONG_TYPE, extent, message).hint("leave it out"));
        }
        tag.is_yaml_core_schema_tag("str") || tag.suffix().is_empty()
    }

    fn open(&mut self, content: Content<'s>, start: Extent, anchor: usize) -> Read {
        if self.open.len() >= DEPTH_MAX {
            return Err(too_deep(start).into());
        }
        self.open.push(Open { start, anchor, content, key: None });
        Ok(())
    }

    fn close(&mut self, end: Extent) -> Read {
        let Some(open) = self.open.pop() else { return Ok(()) };
        // The end of a block lies behind its last line break: the break is not part of it.
        let end = self.text[..(end.end as usize).min(self.text.len())].trim_end().len();
        let extent = Extent::new(open.start.start as usize, end);
        let content = match open.content {
            Content::Map(entries) => Content::Map(self.check_keys(entries)),
            other => other,
        };
        self.complete(Node { extent, content }, open.anchor)
    }

    fn complete(&mut self, node: Node<'s>, anchor: usize) -> Read {
        if anchor != 0 {
            let (weight, depth) = (node.weight(), node.depth());
            self.unfold(weight, node.extent)?;
            self.anchors.insert(anchor, Anchored { node: node.clone(), weight, depth });
        }
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match (&mut parent.content, parent.key.take()) {
            (Content::List(items), _) => items.push(node),
            (Content::Map(entries), Some((key, key_extent))) => {
                entries.push(Entry { key, key_extent, value: node });
            }
            (Content::Map(_), None) => parent.key = Some(key(node, self.faults)),
            (Content::Scalar(_), _) => {}
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, extent: Extent) -> Read {
        let Some(anchored) = self.anchors.get(&anchor) else {
            let message = "this value contains itself";
            return Err(Fault::new(code::ALIASES, extent, message).into());
        };
        let (weight, depth) = (anchored.weight, anchored.depth);
        if self.open.len() + depth > DEPTH_MAX {
            return Err(too_deep(extent).into());
        }
        self.unfold(weight, extent)?;
        let node = self.anchors[&anchor].node.clone();
        self.complete(node, 0)
    }

    /// Counts copied values against the budget, before they are copied.
    fn unfold(&mut self, weight: usize, extent: Extent) -> Read {
        self.unfolded = self.unfolded.saturating_add(weight);
        if self.unfolded <= ALIAS_VALUES_MAX {
            return Ok(());
        }
        let message = format!("the aliases unfold to more than {ALIAS_VALUES_MAX} values");
        let fault = Fault::new(code::ALIASES, extent, message);
        Err(fault.hint("write a fan-out with `foreach`").into())
    }

    /// Tells keys that stand twice, keeps the first, and unfolds `<<`.
    fn check_keys(&mut self, entries: Vec<Entry<'s>>) -> Vec<Entry<'s>> {
        const SEARCHED_MAX: usize = 16;
        let has_merge = entries.iter().any(|entry| entry.key == "<<");
        let is_small = entries.len() <= SEARCHED_MAX;
        let twice = |index: usize| entries[..index].iter().any(|x| x.key == entries[index].key);
        if !has_merge && is_small && !(0..entries.len()).any(twice) {
            return entries;
        }
        let mut first: HashMap<Cow<'s, str>, Extent> = HashMap::default();
        let mut kept = Vec::with_capacity(entries.len());
        let mut merged = Vec::new();
        for entry in entries {
            if let Some(&earlier) = first.get(&entry.key) {
                self.faults.push(
                    Fault::new(
                        code::DUPLICATE_KEY,
                        entry.key_extent,
                        format!("the key `{}` stands twice in one mapping", entry.key),
                    )
                    .related(earlier, "first here"),
                );
                continue;
            }
            first.insert(entry.key.clone(), entry.key_extent);
            if entry.key == "<<" { merged.push(entry.value) } else { kept.push(entry) }
        }
        let mut present: HashSet<Cow<'s, str>> = first.into_keys().collect();
        for value in merged {
            self.merge(value, &mut kept, &mut present);
        }
        kept
    }

    /// Adds the keys of a merged mapping, or of a list of them, that are not there yet.
    fn merge(
        &mut self,
        value: Node<'s>,
        kept: &mut Vec<Entry<'s>>,
        present: &mut HashSet<Cow<'s, str>>,
    ) {
        match value.content {
            Content::Map(entries) => {
                kept.extend(entries.into_iter().filter(|entry| present.insert(entry.key.clone())));
            }
            Content::List(items)
                if items.iter().all(|item| matches!(item.content, Content::Map(_))) =>
            {
                items.into_iter().for_each(|item| self.merge(item, kept, present));
            }
            _ => {
                let message = format!("`<<` takes a mapping, not {}", value.describe());
                self.faults.push(Fault::new(code::WRONG_TYPE, value.extent, message));
            }
        }
    }
}

/// The text of a key; a list or a mapping cannot be one.
fn key<'s>(node: Node<'s>, faults: &mut Faults) -> (Cow<'s, str>, Extent) {
    let extent = node.extent;
    if node.scalar().is_none() {
        let message = format!("a key is a text, and this is {}", node.describe());
        faults.push(Fault::new(code::WRONG_TYPE, extent, message));
    }
    match node.content {
        Content::Scalar(scalar) => (scalar.text, extent),
        Content::List(_) | Content::Map(_) => (Cow::Borrowed(""), extent),
    }
}

fn too_deep(extent: Extent) -> Fault {
    let message = format!("more than {DEPTH_MAX} lists and mappings lie in each other");
    Fault::new(code::ALIASES, extent, message)
}
