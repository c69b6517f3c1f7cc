//! The sources under judgement: what git tracks, or would track on the next `git add`.
//!
//! Reading happens here and nowhere else in tidy; rules get text and trees, never a path to open.

use std::path::Path;
use std::process::Command;

use proc_macro2::TokenStream;

use super::PURE;
use super::finding::Finding;

/// One text file.
#[derive(Debug)]
pub(crate) struct SourceFile {
    /// From the root of the repository, with forward slashes.
    pub(crate) path: String,
    /// The whole text.
    pub(crate) text: String,
}

impl SourceFile {
    /// Whether the file belongs to the library of a pure crate, its tests apart.
    pub(crate) fn is_pure(&self) -> bool {
        let pure = PURE.iter().any(|name| {
            self.path.strip_prefix("crates/").is_some_and(|rest| {
                rest.strip_prefix(name).is_some_and(|inside| inside.starts_with("/src/"))
            })
        });
        pure && !self.path.ends_with("/tests.rs") && !self.path.contains("/tests/")
    }
}

/// One Rust file as tokens and as syntax, with the line of each token.
pub(crate) struct RustFile<'a> {
    pub(crate) source: &'a SourceFile,
    pub(crate) tokens: TokenStream,
    pub(crate) syntax: syn::File,
}

impl<'a> RustFile<'a> {
    /// Parses one file.
    ///
    /// # Errors
    /// A finding when the text is not Rust.
    pub(crate) fn parse(source: &'a SourceFile) -> Result<Self, Finding> {
        let tokens: TokenStream = source.text.parse().map_err(|error: proc_macro2::LexError| {
            not_rust(source, error.span(), &error.to_string())
        })?;
        let syntax = syn::parse2(tokens.clone())
            .map_err(|error| not_rust(source, error.span(), &error.to_string()))?;
        Ok(Self { source, tokens, syntax })
    }
}

fn not_rust(source: &SourceFile, span: proc_macro2::Span, reason: &str) -> Finding {
    Finding {
        path: source.path.clone(),
        line: span.start().line,
        rule: "parse",
        message: format!("this is not Rust: {reason}"),
        advice: "make it compile first",
    }
}

/// Reads every text file of the repository. What is not UTF-8 is no text and is left out.
///
/// # Errors
/// When git cannot be asked.
pub(crate) fn read(root: &Path) -> Result<Vec<SourceFile>, String> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("git cannot be started: {error}; install git"))?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        return Err(format!("git ls-files failed: {}; run tidy in a git checkout", reason.trim()));
    }
    let listing = String::from_utf8_lossy(&output.stdout);
    let mut paths: Vec<&str> = listing.split_terminator('\0').collect();
    paths.sort_unstable();
    paths.dedup();
    // A tracked file may have been deleted since; git still lists it.
    let texts = paths.into_iter().filter_map(|path| {
        let text = std::fs::read_to_string(root.join(path)).ok()?;
        Some(SourceFile { path: path.to_owned(), text })
    });
    Ok(texts.collect())
}

#[cfg(test)]
pub(crate) fn sample(path: &str, text: &str) -> SourceFile {
    SourceFile { path: path.to_owned(), text: text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_library_of_a_pure_crate_is_pure() {
        assert!(sample("crates/engine/src/decide/submit.rs", "").is_pure());
        assert!(!sample("crates/engine/src/decide/tests.rs", "").is_pure());
        assert!(!sample("crates/engine/tests/walk.rs", "").is_pure());
        assert!(!sample("crates/server/src/driver.rs", "").is_pure());
        assert!(!sample("crates/engineering/src/lib.rs", "").is_pure());
    }

    #[test]
    fn what_is_not_rust_is_a_finding_with_a_line() {
        let source = sample("crates/engine/src/lib.rs", "//! A page.\nfn broken( {}\n");
        let finding = RustFile::parse(&source).err().expect("this cannot parse");
        assert_eq!((finding.rule, finding.line), ("parse", 2));
    }
}
