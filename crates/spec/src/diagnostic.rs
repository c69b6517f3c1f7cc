//! What is wrong with a file: a code, the place, the reason, and what to do.
//!
//! Within the crate faults are collected as byte extents; what leaves it are diagnostics that
//! carry their own source lines, so that they can be shown where the file is not at hand.

use std::fmt;

use model::code::Code;
use serde::{Serialize, Serializer};

use crate::code;
use crate::limits::DIAGNOSTICS_MAX;
use crate::source::Extent;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used, but probably means something else.
    Warning,
}

/// A place in a file, with the line that it lies on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Counted from 1.
    pub line: u32,
    /// In characters, counted from 1.
    pub column: u32,
    /// From the start of the file, in bytes.
    pub offset: u32,
    /// In bytes; what does not fit on the line is left out.
    pub length: u32,
    /// The line, or the part of a very long one that is around the place.
    pub excerpt: String,
    /// Where the place begins in the excerpt, in bytes.
    #[serde(skip)]
    pub excerpt_start: usize,
}

/// A second place that explains the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Related {
    /// Where.
    pub place: Place,
    /// What is there.
    pub label: String,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Stable; explained in the reference.
    #[serde(serialize_with = "code_as_text")]
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// The file that it lies in, if it is another than that of all: one that a task names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Where; nothing when it is not in the file, as with a parameter from the command line.
    pub place: Option<Place>,
    /// What is said beside the caret; may be empty.
    pub label: String,
    /// What to do.
    pub hint: Option<String>,
    /// Other places that explain it.
    pub related: Vec<Related>,
}

/// All that is wrong with one file, in the order of its text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Diagnostics {
    /// The name of the file, as the user wrote it.
    pub file: String,
    /// At most [`DIAGNOSTICS_MAX`].
    pub diagnostics: Vec<Diagnostic>,
    /// How many more there were.
    pub omitted: usize,
}

impl Diagnostics {
    /// The first one's code: what a caller that needs one code reports.
    #[must_use]
    pub fn code(&self) -> Code {
        self.diagnostics.first().map_or(code::SYNTAX, |first| first.code)
    }

    /// One JSON object.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("texts and numbers alone")
    }
}

impl fmt::Display for Diagnostics {
    /// As on a terminal without colour.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_terminal(false))
    }
}

impl std::error::Error for Diagnostics {}

fn code_as_text<S: Serializer>(code: &Code, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(code.0)
}

/// One thing that is wrong, before it is given lines and columns.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    code: Code,
    message: String,
    extent: Option<Extent>,
    label: String,
    hint: Option<String>,
    related: Vec<(Extent, String)>,
    /// Whether what stands behind the place on its line is not shown.
    is_private: bool,
}

impl Fault {
    pub(crate) fn new(code: Code, extent: Extent, message: impl Into<String>) -> Self {
        Self { extent: Some(extent), ..Self::nowhere(code, message) }
    }

    /// A fault that does not lie in the file.
    pub(crate) fn nowhere(code: Code, message: impl Into<String>) -> Self {
        let message = message.into();
        let (label, hint, related) = (String::new(), None, Vec::new());
        Self { code, message, extent: None, label, hint, related, is_private: false }
    }

    pub(crate) fn label(self, label: impl Into<String>) -> Self {
        Self { label: label.into(), ..self }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Gives a hint if there is one and none was given.
    pub(crate) fn hint_if(self, hint: Option<String>) -> Self {
        Self { hint: self.hint.or(hint), ..self }
    }

    pub(crate) fn related(mut self, extent: Extent, label: impl Into<String>) -> Self {
        self.related.push((extent, label.into()));
        self
    }

    /// Hides what stands behind the place: it may be a secret that should not stand in the file.
    pub(crate) fn private(self) -> Self {
        Self { is_private: true, ..self }
    }

    fn into_diagnostic(self, lines: &Lines<'_>) -> Diagnostic {
        let related = self.related.into_iter();
        let place = self.extent.map(|extent| lines.place(extent));
        let place = place.map(|mut place| {
            if self.is_private {
                place.excerpt.truncate(place.excerpt_start + place.length as usize);
            }
            place
        });
        Diagnostic {
            code: self.code,
            severity: Severity::Error,
            message: self.message,
            file: None,
            place,
            label: self.label,
            hint: self.hint,
            related: related
                .map(|(extent, label)| Related { place: lines.place(extent), label })
                .collect(),
        }
    }
}

/// The expression that stands in a template's text for an argument that was refused.
pub(crate) const STAND_IN: &str = "none";

/// The faults found so far.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    kept: Vec<Fault>,
    omitted: usize,
    /// Where [`STAND_IN`] stands in for what was refused elsewhere.
    hushed: Vec<Extent>,
}

impl Faults {
    pub(crate) fn push(&mut self, fault: Fault) {
        let is_about_it = |at: Extent| {
            let is_within = |it: &Extent| it.start <= at.start && at.end <= it.end;
            fault.message.contains(STAND_IN) && self.hushed.iter().any(is_within)
        };
        if fault.extent.is_some_and(is_about_it) {
            return;
        }
        if self.is_full() { self.omitted += 1 } else { self.kept.push(fault) }
    }

    /// Lets faults go by that tell of [`STAND_IN`] within `extent` from now on: it stands there for
    /// something whose fault is noted already.
    pub(crate) fn hush(&mut self, extent: Extent) {
        if !self.hushed.contains(&extent) {
            self.hushed.push(extent);
        }
    }

    /// Whether something is told of this very place.
    pub(crate) fn is_told(&self, extent: Extent) -> bool {
        self.is_full() || self.kept.iter().any(|fault| fault.extent == Some(extent))
    }

    /// Whether further faults are only counted: a hint for them need not be looked for.
    pub(crate) fn is_full(&self) -> bool {
        self.kept.len() >= DIAGNOSTICS_MAX
    }

    /// How many there are, those that are only counted included.
    pub(crate) fn count(&self) -> usize {
        self.kept.len() + self.omitted
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Adds to each fault the places that explain its own, and keeps of equal ones the first.
    pub(crate) fn explain(&mut self, places: impl Fn(Extent) -> Vec<(Extent, String)>) {
        let kept = std::mem::take(&mut self.kept);
        for mut fault in kept {
            let same = |it: &Fault| {
                (it.code, it.extent, &it.message) == (fault.code, fault.extent, &fault.message)
            };
            if self.kept.iter().any(same) {
                continue;
            }
            for (extent, label) in fault.extent.map(&places).unwrap_or_default() {
                fault.related.push((extent, label));
            }
            self.kept.push(fault);
        }
    }

    /// All of them with lines and columns, sorted by place.
    pub(crate) fn into_diagnostics(mut self, file: &str, text: &str) -> Diagnostics {
        self.kept.sort_by_key(|fault| fault.extent);
        let lines = Lines::new(text);
        Diagnostics {
            file: file.to_owned(),
            diagnostics: self.kept.into_iter().map(|fault| fault.into_diagnostic(&lines)).collect(),
            omitted: self.omitted,
        }
    }
}

/// Where the lines of a text begin.
pub(crate) struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        let after_breaks = text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n');
        let starts = std::iter::once(0).chain(after_breaks.map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    /// The place of an extent; one that spans lines is cut at the end of its first.
    pub(crate) fn place(&self, extent: Extent) -> Place {
        const CONTEXT_BYTES: usize = 2_048;
        let start = self.text.floor_char_boundary(extent.start as usize);
        let index = self.starts.partition_point(|&line| line <= start) - 1;
        let line_start = self.starts[index];
        let line = self.text[line_start..].lines().next().unwrap_or_default();
        let start = start.min(line_start + line.len());
        let end = self.text.floor_char_boundary(extent.end as usize);
        let end = end.clamp(start, line_start + line.len());
        let from = match start - line_start {
            0..CONTEXT_BYTES => line_start,
            _ => self.text.floor_char_boundary(start - CONTEXT_BYTES / 2),
        };
        let to = self.text.floor_char_boundary(start + CONTEXT_BYTES).min(line_start + line.len());
        let end = end.min(to);
        let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Place {
            line: narrow(index + 1),
            column: narrow(self.text[line_start..start].chars().count() + 1),
            offset: narrow(start),
            length: narrow(end - start),
            excerpt: self.text[from..to].to_owned(),
            excerpt_start: start - from,
        }
    }
}
