//! `cargo xtask tidy`: the rules of the house that neither the compiler nor clippy can hold.
//!
//! Each rule is one file with one function from sources to findings, and with samples that prove
//! that the rule can fail. Tidy reads what git tracks or would track, and changes nothing; with
//! `--bless` it may lower the ratchet, never raise it.

mod bans;
mod codes;
mod finding;
mod imports;
mod pages;
mod ratchet;
mod sizes;
mod sources;
mod tokens;
mod words;

use std::path::Path;

use finding::Finding;
use sources::{RustFile, SourceFile};

/// The crates that hold no clock, no chance and no IO. They are `no_std`, and the ratchet grants
/// them nothing.
const PURE: &[&str] = &["model", "scheduler", "compiler", "engine", "agent"];

/// What one run of tidy saw.
struct Report {
    /// How many files were read.
    files: usize,
    /// What is wrong, by path and line.
    findings: Vec<Finding>,
    /// What could not be checked, and why.
    notes: Vec<String>,
}

/// Checks the repository at `root` and prints one line a finding.
///
/// # Errors
/// When something was found, or when the sources cannot be read.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<(), String> {
    match arguments {
        [] => {}
        [flag] if flag == "--bless" => ratchet::bless(root, &sources::read(root)?)?,
        _ => return Err("usage: cargo xtask tidy [--bless]".to_owned()),
    }
    let report = check(root)?;
    for note in &report.notes {
        println!("note: {note}");
    }
    for finding in &report.findings {
        println!("{finding}");
    }
    println!("tidy: {} files, {} findings", report.files, report.findings.len());
    if report.findings.is_empty() { Ok(()) } else { Err("the findings above".to_owned()) }
}

fn check(root: &Path) -> Result<Report, String> {
    let files = sources::read(root)?;
    let mut findings = Vec::new();
    let mut notes = Vec::new();

    let rust = parse(&files, &mut findings);
    for file in &rust {
        findings.extend(pages::check(file.source));
        findings.extend(tokens::check(file));
    }
    for file in &files {
        findings.extend(words::check(file));
    }
    findings.extend(imports::check(&imports::packages(root)?));
    findings.extend(ratchet::check(&sizes::above_the_limits(&rust), &ratchet::read(&files)));
    findings.extend(bans::check(&files));
    match codes::reference(&files) {
        Some(reference) => findings.extend(codes::check(&rust, reference)),
        None => notes.push(format!("error codes are not checked: there is no {}", codes::PATH)),
    }

    findings.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    Ok(Report { files: files.len(), findings, notes })
}

/// The Rust files among `files`, parsed. A file that does not parse is a finding of its own.
fn parse<'a>(files: &'a [SourceFile], findings: &mut Vec<Finding>) -> Vec<RustFile<'a>> {
    let mut parsed = Vec::new();
    for source in files.iter().filter(|file| file.path.ends_with(".rs")) {
        match RustFile::parse(source) {
            Ok(file) => parsed.push(file),
            Err(finding) => findings.push(finding),
        }
    }
    parsed
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_repository_is_tidy() {
        let report = super::check(crate::root()).expect("the sources can be read");
        let lines: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
        assert!(lines.is_empty(), "\n{}\n", lines.join("\n"));
    }
}
