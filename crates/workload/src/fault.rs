//! What is wrong with a file: a code, the place, the reason, and what to do.
//!
//! While a file is read, places are ranges of bytes; what leaves the crate carries lines, columns
//! and a piece of the text, so that it can be shown where the file is not at hand.

use std::fmt;
use std::ops::Range;

use model::code::Code;

use crate::limits::FAULTS_MAX;
use crate::source::Source;

/// Bytes of a line that are shown before a place and behind it, if the line is very long.
const CONTEXT_BYTES: usize = 60;
/// Bytes of a line that is shown whole.
const LINE_BYTES_MAX: usize = 240;

/// A place in a file, with the line that it lies on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Counted from 1.
    pub line: u32,
    /// In characters, counted from 1.
    pub column: u32,
    /// From the start of the unpacked text, in bytes.
    pub offset: u32,
    /// In bytes; what does not fit on the line is left out.
    pub length: u32,
    /// The line, or the part of a very long one that is around the place.
    pub excerpt: String,
    /// Where the place begins in the excerpt, in bytes.
    pub excerpt_start: usize,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Stable; explained in the reference.
    pub code: Code,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// Where; nothing if it is of the file as a whole.
    pub place: Option<Place>,
    /// What to do.
    pub hint: Option<String>,
}

/// All that is wrong with one file, in the order in which it was found; at least one thing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// The name of the file, as the user wrote it.
    pub file: String,
    /// At most [`FAULTS_MAX`].
    pub faults: Vec<Fault>,
    /// How many more there were.
    pub omitted: usize,
}

impl Fault {
    /// A fault of the file as a whole.
    pub(crate) fn nowhere(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), place: None, hint: None }
    }

    /// A fault at a range of bytes of the text.
    pub(crate) fn at(
        source: &Source,
        at: Range<usize>,
        code: Code,
        message: impl Into<String>,
    ) -> Self {
        Self { place: Some(place(source.text(), at)), ..Self::nowhere(code, message) }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl Faults {
    /// No fault of a file so far.
    pub(crate) fn of(file: &str) -> Self {
        Self { file: file.to_owned(), ..Self::default() }
    }

    /// One fault that ends the reading.
    pub(crate) fn one(file: &str, fault: Fault) -> Self {
        Self { faults: vec![fault], ..Self::of(file) }
    }

    pub(crate) fn push(&mut self, fault: Fault) {
        if self.is_full() { self.omitted += 1 } else { self.faults.push(fault) }
    }

    /// Whether further faults are only counted.
    pub(crate) fn is_full(&self) -> bool {
        self.faults.len() >= FAULTS_MAX
    }

    /// How many there are, those that are only counted included.
    #[must_use]
    pub fn count(&self) -> usize {
        self.faults.len() + self.omitted
    }

    /// The value if nothing is wrong.
    pub(crate) fn unless<T>(self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.faults.is_empty() => Ok(value),
            _ => Err(self),
        }
    }

    /// The first one's code: what a caller that needs one code reports.
    #[must_use]
    pub fn code(&self) -> Code {
        self.faults.first().map_or(crate::code::SYNTAX, |first| first.code)
    }
}

impl fmt::Display for Faults {
    /// One line a fault, and one for its hint.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in &self.faults {
            f.write_str(&self.file)?;
            if let Some(place) = &fault.place {
                write!(f, ":{}:{}", place.line, place.column)?;
            }
            writeln!(f, ": error[{}]: {}", fault.code, fault.message)?;
            if let Some(hint) = &fault.hint {
                writeln!(f, "  help: {hint}")?;
            }
        }
        if self.omitted > 0 {
            writeln!(f, "{}: {} more errors", self.file, self.omitted)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// The place of a range of bytes; one that spans lines is cut at the end of its first.
fn place(text: &str, at: Range<usize>) -> Place {
    let start = text.floor_char_boundary(at.start.min(text.len()));
    let line_start = text[..start].rfind('\n').map_or(0, |end| end + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let line_end = line_start + line.len();
    let start = start.min(line_end);
    let end = text.floor_char_boundary(at.end.min(text.len())).clamp(start, line_end);
    let (from, to) = match line.len() <= LINE_BYTES_MAX {
        true => (line_start, line_end),
        false => (
            text.floor_char_boundary(start.saturating_sub(CONTEXT_BYTES)).max(line_start),
            text.floor_char_boundary(start.saturating_add(CONTEXT_BYTES)).min(line_end),
        ),
    };
    let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Place {
        line: narrow(text[..line_start].bytes().filter(|&byte| byte == b'\n').count() + 1),
        column: narrow(text[line_start..start].chars().count() + 1),
        offset: narrow(start),
        length: narrow(end.min(to.max(start)) - start),
        excerpt: text[from..to.max(from)].to_owned(),
        excerpt_start: start - from,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, at: Range<usize>) -> (u32, u32, String) {
        let place = place(text, at);
        let end = place.excerpt_start + place.length as usize;
        (place.line, place.column, place.excerpt[place.excerpt_start..end].to_owned())
    }

    #[test]
    fn places_are_lines_and_characters() {
        assert_eq!(shown("a\nbé cd\n", 6..8), (2, 4, "cd".to_owned()));
        assert_eq!(shown("a\nb", 0..3), (1, 1, "a".to_owned()), "cut at the end of its line");
        assert_eq!(shown("", 5..9), (1, 1, String::new()));
        assert_eq!(shown("a\n", 2..2), (2, 1, String::new()));
    }

    #[test]
    fn of_a_very_long_line_a_piece_is_shown() {
        let text = format!("{}é!{}", "é".repeat(500), "x".repeat(5_000));
        let place = place(&text, 1_002..1_003);
        assert_eq!((place.line, place.column), (1, 502));
        assert_eq!(&place.excerpt[place.excerpt_start..place.excerpt_start + 1], "!");
        assert!(place.excerpt.len() < 200);
    }

    #[test]
    fn only_so_many_are_kept() {
        let mut faults = Faults::of("a.csv");
        for _ in 0..FAULTS_MAX + 3 {
            faults.push(Fault::nowhere(crate::code::EMPTY, "nothing"));
        }
        assert_eq!((faults.faults.len(), faults.count()), (FAULTS_MAX, FAULTS_MAX + 3));
        assert!(faults.to_string().ends_with("a.csv: 3 more errors\n"));
    }
}
