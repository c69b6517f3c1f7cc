//! Error codes: every code that the product can say has a page, and every page has a code.
//!
//! A code is `E` and four digits in a string literal. The toolbox's own samples do not count.

use std::collections::BTreeMap;

use proc_macro2::{TokenStream, TokenTree};

use super::finding::Finding;
use super::sources::{RustFile, SourceFile};

/// Where the codes are explained, from the root of the repository.
pub(crate) const PATH: &str = "docs/reference/errors.md";

/// The page of the codes, when there is one.
pub(crate) fn reference(files: &[SourceFile]) -> Option<&SourceFile> {
    files.iter().find(|file| file.path == PATH)
}

/// Compares the codes in the sources with the headings of the page.
pub(crate) fn check(files: &[RustFile<'_>], reference: &SourceFile) -> Vec<Finding> {
    let used = used(files);
    let explained = explained(reference);
    let unexplained = used.iter().filter(|(code, _)| !explained.contains_key(*code));
    let unused = explained.iter().filter(|(code, _)| !used.contains_key(*code));

    let mut findings = Vec::new();
    for (code, (path, line)) in unexplained {
        findings.push(Finding {
            path: path.clone(),
            line: *line,
            rule: "code",
            message: format!("`{code}` has no heading in {PATH}"),
            advice: "explain there what happened and what to do",
        });
    }
    for (code, line) in unused {
        findings.push(Finding {
            path: PATH.to_owned(),
            line: *line,
            rule: "code",
            message: format!("nothing says `{code}`"),
            advice: "remove the heading; a code is never used for something else later",
        });
    }
    findings
}

/// Each code in a string literal, with the first place that says it.
fn used(files: &[RustFile<'_>]) -> BTreeMap<String, (String, usize)> {
    let mut used = BTreeMap::new();
    for file in files.iter().filter(|file| !file.source.path.starts_with("xtask/")) {
        let mut found = Vec::new();
        literals(file.tokens.clone(), &mut found);
        for (code, line) in found {
            used.entry(code).or_insert_with(|| (file.source.path.clone(), line));
        }
    }
    used
}

fn literals(stream: TokenStream, found: &mut Vec<(String, usize)>) {
    let mut is_doc = false;
    for token in stream {
        match &token {
            TokenTree::Group(group) => literals(group.stream(), found),
            // A doc comment arrives as `doc = "text"`; prose does not make a code used.
            TokenTree::Literal(literal) if !is_doc => {
                let line = literal.span().start().line;
                found.extend(codes(&literal.to_string()).map(|code| (code.to_owned(), line)));
            }
            _ => {}
        }
        let is_assignment = matches!(&token, TokenTree::Punct(sign) if sign.as_char() == '=');
        let is_doc_name = matches!(&token, TokenTree::Ident(name) if name == "doc");
        is_doc = is_doc_name || (is_doc && is_assignment);
    }
}

/// Each code in a heading, with its line.
fn explained(reference: &SourceFile) -> BTreeMap<String, usize> {
    let headings = reference.text.lines().enumerate().filter(|(_, line)| line.starts_with('#'));
    headings.flat_map(|(at, line)| codes(line).map(move |code| (code.to_owned(), at + 1))).collect()
}

/// The codes in `text`: words of `E` and four digits.
fn codes(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_');
    words.filter(|word| {
        let digits = word.strip_prefix('E').unwrap_or("");
        digits.len() == 4 && digits.bytes().all(|sign| sign.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::super::sources::sample;
    use super::*;

    fn messages(code: &str, page: &str) -> Vec<String> {
        let source = sample("crates/spec/src/a.rs", code);
        let file = RustFile::parse(&source).expect("the sample is Rust");
        let findings = check(&[file], &sample(PATH, page));
        findings.into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn codes_and_headings_match_both_ways() {
        assert!(messages("const A: &str = \"E0101\";", "## E0101: a cycle\n").is_empty());
        let missing = messages("const A: &str = \"E0101\";", "# Errors\nE0101 in prose\n");
        assert_eq!(missing, [format!("`E0101` has no heading in {PATH}")]);
        assert_eq!(messages("const A: u8 = 1;", "## E0102\n"), ["nothing says `E0102`"]);
    }

    #[test]
    fn prose_is_no_use_of_a_code() {
        let commented = "/// Says E0102.\nfn a() {} // \"E0102\"";
        assert_eq!(messages(commented, "## E0102\n"), ["nothing says `E0102`"]);
        assert!(messages("fn a() { b(\"E01020\", \"1E0102\", E0102) }", "").is_empty());
    }

    #[test]
    fn a_code_inside_a_longer_text_or_a_macro_counts() {
        assert!(messages("fn a() { b!(\"[E0102] no\") }", "### `E0102` no\n").is_empty());
    }
}
