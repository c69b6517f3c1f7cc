//! The page at the head of each file, and `no_std` at the head of each pure crate.
//!
//! A file that cannot say in a sentence what it is should not be a file.

use super::finding::Finding;
use super::sources::SourceFile;

/// Checks the head of one Rust file.
pub(crate) fn check(file: &SourceFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    let first = file.text.lines().next().unwrap_or("");
    if first.strip_prefix("//!").is_none_or(|page| page.trim().is_empty()) {
        findings.push(Finding {
            path: file.path.clone(),
            line: 1,
            rule: "page",
            message: "the file does not open with a `//!` page".to_owned(),
            advice: "say what it is and what it must never do",
        });
    }
    if file.is_pure() && file.path.ends_with("/src/lib.rs") && !is_no_std(&file.text) {
        findings.push(Finding {
            path: file.path.clone(),
            line: 1,
            rule: "no_std",
            message: "a pure crate does not say `#![no_std]` below its page".to_owned(),
            advice: "add it; what needs std belongs to a crate above",
        });
    }
    findings
}

/// Whether the first line that is neither page nor blank takes std away.
fn is_no_std(text: &str) -> bool {
    let mut code = text.lines().filter(|line| !line.starts_with("//") && !line.is_empty());
    matches!(code.next(), Some("#![no_std]" | "#![cfg_attr(not(test), no_std)]"))
}

#[cfg(test)]
mod tests {
    use super::super::sources::sample;
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<&'static str> {
        check(&sample(path, text)).into_iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn a_file_opens_with_a_page() {
        assert_eq!(rules("crates/server/src/a.rs", "use std::fmt;\n"), ["page"]);
        assert_eq!(rules("crates/server/tests/a.rs", "//!\n"), ["page"]);
        assert!(rules("crates/server/src/a.rs", "//! What it is.\n").is_empty());
    }

    #[test]
    fn a_pure_crate_takes_std_away_first() {
        let page = "//! The engine.\n\n";
        let path = "crates/engine/src/lib.rs";
        assert_eq!(rules(path, page), ["no_std"]);
        assert_eq!(rules(path, &format!("{page}mod a;\n#![no_std]\n")), ["no_std"]);
        assert!(rules(path, &format!("{page}#![no_std]\nextern crate alloc;\n")).is_empty());
        assert!(rules(path, &format!("{page}#![cfg_attr(not(test), no_std)]\n")).is_empty());
        assert!(rules("crates/server/src/lib.rs", page).is_empty());
    }
}
