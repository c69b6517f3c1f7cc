//! Rules on text: marks that mean "later", paths that exist on one machine only, and lines that are
//! wider than a page.
//!
//! The first two run on every text file, prose included. Width is for Rust alone, where rustfmt
//! leaves comments and strings as they are.

use super::finding::Finding;
use super::sources::SourceFile;

/// Marks that must not reach a commit. They are spelt in two halves to not find themselves.
const MARKS: &[&str] = &[concat!("FIX", "ME"), concat!("XX", "X")];

/// The widest line of Rust, in characters.
const COLUMNS_MAX: usize = 100;

/// Where a path that belongs to one machine begins.
const MACHINE_ROOTS: &[&str] =
    &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];

/// Examples that nobody takes for a path of this machine.
const GENERIC: &[&str] =
    &[concat!("/ho", "me/you/"), concat!("/ho", "me/ada/"), concat!("/ho", "me/user/")];

/// Checks each line of one file.
pub(crate) fn check(file: &SourceFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, text) in file.text.lines().enumerate() {
        let mut found = |rule, message, advice| {
            findings.push(Finding { path: file.path.clone(), line: at + 1, rule, message, advice });
        };
        if let Some(mark) = MARKS.iter().find(|mark| has_word(text, mark)) {
            found("mark", format!("`{mark}` is left here"), "do it now, or open an issue");
        }
        if let Some(root) = MACHINE_ROOTS.iter().find(|root| has_machine_path(text, root)) {
            let message = format!("a path below `{root}` exists on one machine only");
            found("machine", message, "use a relative path or a variable");
        }
        let columns = text.chars().count();
        if file.path.ends_with(".rs") && columns > COLUMNS_MAX {
            let message = format!("{columns} columns, at most {COLUMNS_MAX}");
            found("columns", message, "break the line");
        }
    }
    findings
}

fn has_word(text: &str, word: &str) -> bool {
    let is_part = |sign: char| sign.is_alphanumeric() || sign == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part)
    })
}

/// Whether an absolute path begins with `root` here. What follows a name, a variable or a closing
/// brace is the inside of another path, as in `target/..` or `$HOME/..`.
fn has_machine_path(text: &str, root: &str) -> bool {
    text.match_indices(root).any(|(at, _)| {
        let is_inside = |sign: char| sign.is_alphanumeric() || "_-.~}])*".contains(sign);
        let generic = GENERIC.iter().any(|example| text[at..].starts_with(example));
        !text[..at].ends_with(is_inside) && !generic
    })
}

#[cfg(test)]
mod tests {
    use super::super::sources::sample;
    use super::*;

    fn rules(text: &str) -> Vec<&'static str> {
        check(&sample("docs/guide/a.md", text)).into_iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn marks_are_found_as_words() {
        assert_eq!(rules(concat!("// FIX", "ME: later")), ["mark"]);
        assert_eq!(rules(concat!("XX", "X")), ["mark"]);
        assert!(rules("mktemp -d autoglm.XXXXXX").is_empty());
    }

    #[test]
    fn paths_of_one_machine_are_found() {
        assert_eq!(rules(concat!("run `/ro", "ot/bin/autoglm`")), ["machine"]);
        assert_eq!(rules(concat!("HOME=/ho", "me/bob/x")), ["machine"]);
        assert_eq!(rules(concat!("\"/wo", "rk/main\"")), ["machine"]);
    }

    #[test]
    fn wide_lines_of_rust_are_found_and_counted_in_characters() {
        let rules = |text: String| check(&sample("crates/server/src/a.rs", &text)).len();
        assert_eq!(rules("x".repeat(101)), 1);
        assert_eq!(rules("é".repeat(100)), 0);
        assert!(check(&sample("docs/guide/a.md", &"x".repeat(101))).is_empty());
    }

    #[test]
    fn relative_and_generic_paths_pass() {
        assert!(rules(concat!("/ho", "me/you/.local/share/autoglm")).is_empty());
        assert!(
            rules(concat!("state/wo", "rk/1 $AUTOGLM_HOME/wo", "rk/1 {}/wo", "rk/1")).is_empty()
        );
    }
}
