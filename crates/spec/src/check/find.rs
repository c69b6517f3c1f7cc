//! Where in a text the template engine means, when it tells a line or a name and no more.

use std::ops::Range;

/// A line of a text, counted from 1, without the white space around it.
pub(super) fn marked_line(content: &str, number: usize) -> Option<Range<usize>> {
    let line = content.lines().nth(number.checked_sub(1)?)?.trim();
    let start = line.as_ptr() as usize - content.as_ptr() as usize;
    (!line.is_empty()).then(|| start..start + line.len())
}

/// Where a name stands as a whole word between marks.
pub(super) fn find_word(content: &str, name: &str) -> Option<Range<usize>> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let from = content.find("{{").into_iter().chain(content.find("{%")).min()?;
    content[from..].match_indices(name).map(|(at, _)| from + at).find_map(|at| {
        let before = content[..at].chars().next_back();
        let behind = content[at + name.len()..].chars().next();
        let whole = !before.is_some_and(is_word) && !behind.is_some_and(is_word);
        whole.then(|| at..at + name.len())
    })
}
