//! The pages of the guide, and the examples in them.
//!
//! A block of a page that is of our own language names its file behind the language:
//! `` ```yaml parameters/types.yaml ``. Its text is what stands in the file below the head, which
//! is the comment up to the first empty line. A block in the language of another program says
//! whose it is: `` ```yaml of argo ``.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

use crate::{case, folder, root, shown};

/// A block of a page.
pub(crate) struct Block {
    /// Number of its first line, from 1.
    pub(crate) line: usize,
    /// What stands behind the fence: `yaml parameters/types.yaml`.
    pub(crate) info: String,
    pub(crate) text: String,
}

/// The pages of the guide, and the README, in the order of their names.
pub(crate) fn all() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("docs/guide")).expect("the guide");
    let mut pages: Vec<PathBuf> = entries.map(|entry| entry.expect("it is there").path()).collect();
    pages.retain(|path| path.extension().is_some_and(|kind| kind == "md"));
    pages.push(root().join("README.md"));
    pages.sort();
    pages
}

/// The blocks of a page.
pub(crate) fn blocks(page: &str) -> Vec<Block> {
    let (mut found, mut open) = (Vec::new(), None::<Block>);
    for (number, line) in page.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => {
                open = Some(Block { line: number + 2, info: info.into(), text: String::new() });
            }
            (Some(_), Some("")) => found.extend(open.take()),
            (Some(block), _) => writeln!(block.text, "{line}").expect("a string"),
            (None, None) => {}
        }
    }
    found
}

/// The text of an example without its head.
fn below_head(text: &str) -> &str {
    text.split_once("\n\n").map_or("", |(_, below)| below)
}

#[test]
fn every_example_of_a_page_is_its_file_and_every_file_is_on_a_page() {
    let bless = env::var_os("AUTOGLM_BLESS").is_some();
    let (mut faults, mut seen) = (String::new(), BTreeSet::new());
    for path in all() {
        let page = fs::read_to_string(&path).expect("readable");
        let mut fresh = page.clone();
        for block in blocks(&page) {
            let place = format!("{}:{}", shown(&path), block.line);
            let Some((kind @ ("yaml" | "json"), name)) = named(&block.info) else { continue };
            let example = folder().join(name);
            let Ok(text) = fs::read_to_string(&example) else {
                let want = format!("write ```{kind} TOPIC/NAME.{kind}, and its file");
                writeln!(faults, "{place}: no file `{name}` in examples/guide: {want}")
                    .expect("a string");
                continue;
            };
            seen.insert(name.to_owned());
            if bless {
                let fence = format!("```{}\n", block.info);
                let old = format!("{fence}{}```\n", block.text);
                fresh = fresh.replace(&old, &format!("{fence}{}```\n", below_head(&text)));
            } else if below_head(&text) != block.text {
                let how = "AUTOGLM_BLESS=1 cargo test -p cli --test guide";
                writeln!(faults, "{place}: not what is in examples/guide/{name}; to update: {how}")
                    .expect("a string");
            }
        }
        if bless && fresh != page {
            fs::write(&path, fresh).expect("written");
        }
    }
    for example in case::all() {
        let file = example.path.strip_prefix(folder()).expect("below it").display().to_string();
        // What cannot be waited for has its test beside it, which no page has to show.
        let is_rehearsal = file.ends_with(".test.yaml");
        if !seen.contains(&file) && !is_rehearsal {
            writeln!(faults, "examples/guide/{file}: no page shows it").expect("a string");
        }
    }
    let names: BTreeSet<String> = case::all().into_iter().map(|example| example.name).collect();
    for snapshot in case::snapshots().into_iter().filter(|name| !names.contains(name)) {
        writeln!(faults, "examples/guide/{snapshot}.snap: there is no such example")
            .expect("a string");
    }
    assert!(faults.is_empty(), "{faults}");
}

/// The language of a block and the file that it names, which is empty if it names none. `None` if
/// it is of another program.
fn named(info: &str) -> Option<(&str, &str)> {
    match info.split_once(' ') {
        Some((_, whose)) if whose.starts_with("of ") => None,
        Some(parts) => Some(parts),
        None => Some((info, "")),
    }
}
