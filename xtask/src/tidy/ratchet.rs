//! The ratchet: today's exceptions to the size limits. They may shrink; they never grow.
//!
//! `xtask/ratchet.txt` holds one exception a line, `LINES file PATH` or `LINES function PATH NAME`.
//! A new exception is written there by hand, where a reviewer sees it; `--bless` only lowers the
//! numbers and drops what is no longer needed. A pure crate gets no exception at all.

use std::path::Path;

use super::finding::Finding;
use super::sizes::{self, Oversize};
use super::sources::{RustFile, SourceFile};

/// Where the exceptions stand, from the root of the repository.
const PATH: &str = "xtask/ratchet.txt";

const HEADER: &str = "\
# Functions above 70 lines and files above 600 that wait to be cut. They may shrink, never grow.
# One a line: LINES file PATH, or LINES function PATH NAME. `cargo xtask tidy --bless` lowers them.
";

/// One exception.
#[derive(Debug, PartialEq)]
pub(crate) struct Exception {
    key: String,
    lines: usize,
    /// Its line in the ratchet.
    line: usize,
}

/// The exceptions in the ratchet. A line that is none counts as zero lines, and so never passes.
pub(crate) fn read(files: &[SourceFile]) -> Vec<Exception> {
    let text = files.iter().find(|file| file.path == PATH).map_or("", |file| &file.text);
    parse(text)
}

fn parse(text: &str) -> Vec<Exception> {
    let lines = text.lines().enumerate().filter(|(_, line)| !is_comment(line));
    let exceptions = lines.map(|(at, line)| {
        let (lines, key) = line.split_once(' ').unwrap_or(("0", line));
        Exception { key: key.to_owned(), lines: lines.parse().unwrap_or(0), line: at + 1 }
    });
    exceptions.collect()
}

fn is_comment(line: &str) -> bool {
    line.trim().is_empty() || line.starts_with('#')
}

/// Compares what is too long today with what was granted.
pub(crate) fn check(oversize: &[Oversize], granted: &[Exception]) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        oversize.iter().filter_map(|size| judge(size, granted)).collect();
    for exception in granted {
        let today = oversize.iter().find(|size| size.key == exception.key && !size.pure);
        if today.is_none_or(|size| size.lines < exception.lines) {
            findings.push(Finding {
                path: PATH.to_owned(),
                line: exception.line,
                rule: "ratchet",
                message: format!("`{}` grants more than is needed", exception.key),
                advice: "lower it with `cargo xtask tidy --bless`",
            });
        }
    }
    findings
}

fn judge(size: &Oversize, granted: &[Exception]) -> Option<Finding> {
    let granted = granted.iter().find(|exception| exception.key == size.key && !size.pure);
    let lines_max = granted.map_or(size.lines_max, |exception| exception.lines);
    if size.lines <= lines_max {
        return None;
    }
    let advice = if size.pure {
        "cut it; a pure crate gets no exception"
    } else {
        "cut it into parts that have names"
    };
    Some(Finding {
        path: size.path.clone(),
        line: size.line,
        rule: "size",
        message: format!("`{}` has {} lines, at most {lines_max}", size.key, size.lines),
        advice,
    })
}

/// Lowers each exception to today's size, and drops those that nobody needs.
///
/// # Errors
/// When the ratchet cannot be written.
pub(crate) fn bless(root: &Path, files: &[SourceFile]) -> Result<(), String> {
    let rust = files.iter().filter(|file| file.path.ends_with(".rs"));
    let parsed: Vec<RustFile<'_>> = rust.filter_map(|file| RustFile::parse(file).ok()).collect();
    let text = lowered(&sizes::above_the_limits(&parsed), &read(files));
    std::fs::write(root.join(PATH), text).map_err(|error| format!("{PATH}: {error}"))
}

fn lowered(oversize: &[Oversize], granted: &[Exception]) -> String {
    let mut text = HEADER.to_owned();
    for exception in granted {
        let today = oversize.iter().find(|size| size.key == exception.key && !size.pure);
        if let Some(size) = today {
            let lines = size.lines.min(exception.lines);
            text.push_str(&format!("{lines} {}\n", exception.key));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "function crates/server/src/a.rs drive";

    fn oversize(lines: usize, pure: bool) -> Vec<Oversize> {
        let path = "crates/server/src/a.rs".to_owned();
        vec![Oversize { key: KEY.to_owned(), path, line: 3, lines, lines_max: 70, pure }]
    }

    fn rules(oversize: &[Oversize], ratchet: &str) -> Vec<&'static str> {
        check(oversize, &parse(ratchet)).into_iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn an_exception_may_stay_but_not_grow() {
        assert_eq!(rules(&oversize(90, false), ""), ["size"]);
        assert!(rules(&oversize(90, false), &format!("# why\n90 {KEY}\n")).is_empty());
        assert_eq!(rules(&oversize(91, false), &format!("90 {KEY}\n")), ["size"]);
    }

    #[test]
    fn an_exception_that_is_too_wide_must_be_lowered() {
        assert_eq!(rules(&oversize(80, false), &format!("90 {KEY}\n")), ["ratchet"]);
        assert_eq!(rules(&[], &format!("90 {KEY}\n")), ["ratchet"]);
        assert_eq!(rules(&[], "no exception\n"), ["ratchet"]);
    }

    #[test]
    fn a_pure_crate_gets_no_exception() {
        assert_eq!(rules(&oversize(90, true), &format!("90 {KEY}\n")), ["size", "ratchet"]);
    }

    #[test]
    fn blessing_lowers_and_never_raises() {
        let ratchet = format!("{HEADER}90 {KEY}\n");
        let bless = |today: &[Oversize]| lowered(today, &parse(&ratchet));
        assert_eq!(bless(&oversize(80, false)), format!("{HEADER}80 {KEY}\n"));
        assert_eq!(bless(&oversize(95, false)), ratchet);
        assert_eq!(bless(&[]), HEADER);
        assert_eq!(lowered(&oversize(95, false), &[]), HEADER);
    }
}
