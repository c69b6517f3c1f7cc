//! Every `autoglm` command and option that the guide, the README or an example names is there.
//!
//! They are held against `docs/reference/cli.md`, which another test holds to the command line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use crate::{pages, root, shown};

/// Options of each command, as its help spells them.
type Options = BTreeMap<String, BTreeSet<String>>;

fn reference() -> Options {
    let page = fs::read_to_string(root().join("docs/reference/cli.md")).expect("the reference");
    let sections = page.split("\n## autoglm ").skip(1);
    let section = |text: &str| {
        let (name, help) = text.split_once('\n').expect("a heading and more");
        let lines = help.lines().map(str::trim_start);
        let lines = lines.filter(|line| line.starts_with('-') || line.contains("[alias: -"));
        let words = lines.flat_map(|line| line.split([' ', ',', '=', '[', ']', '.']));
        let options = words.filter(|word| word.starts_with('-')).map(str::to_owned);
        (name.to_owned(), options.collect())
    };
    sections.map(section).collect()
}

/// The lines of commands in a text: in blocks, and in the running text between backticks.
fn lines(page: &str) -> Vec<String> {
    let blocks = pages::blocks(page);
    let of_shell = blocks.iter().filter(|block| ["sh", "console"].contains(&kind(&block.info)));
    // Of a terminal only what is typed: what is printed may begin with `autoglm`, too.
    let typed =
        |block: &pages::Block, line: &str| kind(&block.info) != "console" || line.starts_with("$ ");
    let mut found: Vec<String> = of_shell
        .flat_map(|block| block.text.lines().filter(|line| typed(block, line)))
        .map(|line| line.trim_start_matches("$ ").to_owned())
        .collect();
    let mut is_block = false;
    for line in page.lines() {
        is_block ^= line.starts_with("```");
        if !is_block {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}

fn kind(info: &str) -> &str {
    info.split(' ').next().unwrap_or_default()
}

/// What is wrong with a line: `None` if nothing is, or if it is no line of ours.
fn fault(line: &str, reference: &Options) -> Option<String> {
    let at = match line.split_once("autoglm ") {
        Some((before, rest)) if before.is_empty() || before.ends_with([' ', '/']) => rest,
        _ => return None,
    };
    let line = at.split(" #").next().unwrap_or_default();
    let mut words =
        line.split_whitespace().take_while(|word| !["|", "&&", ">", ";"].contains(word));
    let command = words.find(|word| !word.starts_with('-'))?;
    if !command.chars().all(|letter| letter.is_ascii_lowercase()) {
        // A place for any command, as in `autoglm COMMAND`.
        return None;
    }
    let Some(options) = reference.get(command) else {
        return Some(format!("there is no command `{command}`"));
    };
    let unknown = words.filter(|word| word.starts_with('-')).find_map(|word| {
        let option = word.split('=').next().unwrap_or(word).trim_end_matches(['.', ',', ')']);
        (!options.contains(option) && option != "-").then(|| option.to_owned())
    });
    unknown.map(|option| format!("`{command}` has no option `{option}`"))
}

#[test]
fn every_command_that_is_named_is_there() {
    let reference = reference();
    assert!(reference.len() > 10 && reference["run"].contains("--detach"), "{reference:?}");
    let others = ["examples/README.md", "examples/digits/README.md"];
    let pages = others.map(|name| root().join(name)).into_iter().chain(pages::all());
    let (mut seen, mut faults) = (0, String::new());
    for path in pages.collect::<Vec<PathBuf>>() {
        let page = fs::read_to_string(&path).expect("readable");
        for line in lines(&page).iter().filter(|line| line.contains("autoglm ")) {
            seen += 1;
            if let Some(fault) = fault(line, &reference) {
                writeln!(faults, "{}: {fault}: {line}", shown(&path)).expect("a string");
            }
        }
    }
    assert!(seen > 40, "only {seen} lines");
    assert!(faults.is_empty(), "{faults}");
}

#[test]
fn what_is_not_there_is_found() {
    let reference = reference();
    for line in ["autoglm launch x", "autoglm run x.yaml --later", "autoglm list -z"] {
        assert!(fault(line, &reference).is_some(), "{line}");
    }
    for line in ["autoglm run x.yaml --detach # later", "make autoglm", "autoglm COMMAND -o json"] {
        assert!(fault(line, &reference).is_none(), "{line}");
    }
}
