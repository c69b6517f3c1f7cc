//! YAML as a tree of values with places, before anything is known about their meaning.
//!
//! One document a file, and each key of a mapping once. Scalars keep their text. A fault of syntax
//! ends the reading. Aliases are refused: no file that is read here is so large that it needs them.

use std::borrow::Cow;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span};

use crate::code;
use crate::fault::{Fault, Faults};
use crate::limits::DEPTH_MAX;
use crate::source::Source;
use crate::units::short;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node<'s> {
    pub at: Range<usize>,
    pub content: Content<'s>,
}

#[derive(Clone, Debug)]
pub(crate) enum Content<'s> {
    /// A text, and whether it has no quotes.
    Scalar(Cow<'s, str>, bool),
    List(Vec<Node<'s>>),
    /// Each key once, in the order of the file.
    Map(Vec<Entry<'s>>),
}

#[derive(Clone, Debug)]
pub(crate) struct Entry<'s> {
    pub key: Cow<'s, str>,
    pub key_at: Range<usize>,
    pub value: Node<'s>,
}

impl Node<'_> {
    /// Its text, if it is a scalar that is not nothing.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(text, true) if matches!(&**text, "" | "~" | "null") => None,
            Content::Scalar(text, _) => Some(text),
            _ => None,
        }
    }

    /// What it is, for a message: "takes ..., not ...".
    pub(crate) fn describe(&self) -> String {
        match (&self.content, self.text()) {
            (Content::List(_), _) => "a list".to_owned(),
            (Content::Map(_), _) => "a mapping".to_owned(),
            (Content::Scalar(..), None) => "nothing".to_owned(),
            (Content::Scalar(..), Some(text)) => format!("`{}`", short(text)),
        }
    }
}

/// The tree of a text; nothing after a fault, which is noted.
pub(crate) fn parse<'s>(source: &'s Source, faults: &mut Faults) -> Option<Node<'s>> {
    let options = granit_parser::options! { emit_comments: false };
    let mut builder = Builder { source, faults, open: Vec::new(), root: None };
    for event in Parser::new_from_str_with_options(source.text(), options) {
        let step = match event {
            Ok((event, span)) => builder.take(event, range(&span)),
            Err(error) => {
                let at = error.marker().byte_offset().unwrap_or_default();
                let at = at.min(source.text().len());
                let message = format!("this is not YAML: {}", error.info());
                let fault = Fault::at(source, at..at + 1, code::SYNTAX, message);
                Err(Box::new(fault.hint(
                    "look just before this for a bracket or a quote that is \
                    not closed, or for wrong indentation",
                )))
            }
        };
        if let Err(fault) = step {
            builder.faults.push(*fault);
            return None;
        }
    }
    let root = builder.root.filter(|root| root.describe() != "nothing");
    if root.is_none() {
        faults.push(Fault::nowhere(code::EMPTY, "there is nothing in the file"));
    }
    root
}

fn range(span: &Span) -> Range<usize> {
    let offset = |marker: granit_parser::Marker| marker.byte_offset().unwrap_or_default();
    let start = offset(span.start);
    start..offset(span.end).max(start)
}

/// A list or mapping that is still being read.
struct Open<'s> {
    at: Range<usize>,
    content: Content<'s>,
    /// The key whose value comes next.
    key: Option<(Cow<'s, str>, Range<usize>)>,
}

struct Builder<'s, 'f> {
    source: &'s Source,
    faults: &'f mut Faults,
    open: Vec<Open<'s>>,
    root: Option<Node<'s>>,
}

impl<'s> Builder<'s, '_> {
    /// Takes the next event; a fault that is returned ends the reading.
    fn take(&mut self, event: Event<'s>, at: Range<usize>) -> Result<(), Box<Fault>> {
        let ends =
            |at, message: &str| Err(Box::new(Fault::at(self.source, at, code::SYNTAX, message)));
        match event {
            Event::DocumentStart(..) if self.root.is_some() => {
                return ends(at, "a second document begins here");
            }
            Event::Alias(_) => return ends(at, "an alias is not read here: write it out"),
            Event::SequenceStart(..) | Event::MappingStart(..) if self.open.len() >= DEPTH_MAX => {
                return ends(at, "too many lists and mappings lie in each other");
            }
            Event::SequenceStart(..) => {
                self.open.push(Open { at, content: Content::List(Vec::new()), key: None });
            }
            Event::MappingStart(..) => {
                self.open.push(Open { at, content: Content::Map(Vec::new()), key: None });
            }
            Event::Scalar(text, style, ..) => {
                let content = Content::Scalar(text, style == ScalarStyle::Plain);
                self.complete(Node { at, content });
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(Open { at: start, content, .. }) = self.open.pop() {
                    // The end of a block lies behind its last line break.
                    let text = self.source.text();
                    let whole = text.get(start.start..at.end).unwrap_or_default();
                    let end = start.start + whole.trim_end().len();
                    self.complete(Node { at: start.start..end.max(start.end), content });
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Puts a value that is there in full where it belongs.
    fn complete(&mut self, node: Node<'s>) {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        match (&mut open.content, open.key.take()) {
            (Content::List(items), _) => items.push(node),
            (Content::Map(entries), Some((key, key_at))) => {
                if entries.iter().any(|entry| entry.key == key) {
                    let message = format!("the key `{}` stands twice", short(&key));
                    let fault = Fault::at(self.source, key_at, code::DUPLICATE, message);
                    self.faults.push(fault.hint("take one of the two out"));
                } else {
                    entries.push(Entry { key, key_at, value: node });
                }
            }
            (Content::Map(_), None) => {
                let at = node.at.clone();
                let key = match node.content {
                    Content::Scalar(text, _) => text,
                    _ => {
                        let message = "a key is a text";
                        let fault = Fault::at(self.source, at.clone(), code::BAD_VALUE, message);
                        self.faults.push(fault);
                        Cow::Borrowed("")
                    }
                };
                open.key = Some((key, at));
            }
            (Content::Scalar(..), _) => {}
        }
    }
}
