//! What a page shows of a terminal: blocks such as `` ```console first-run `` are typed in the
//! folder of that topic, and print what the page says. All of a page are one session.
//!
//! Lengths of time are never the same, nor is the order of lines of items that run side by side.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use crate::home::{self, Home};
use crate::{folder, pages, shown};

/// The topic of a block that is held to the binary.
fn topic(info: &str) -> Option<&str> {
    info.strip_prefix("console ")
}

/// The lines of a text in which nothing is left that differs from run to run.
fn still(text: &str) -> Vec<String> {
    let is_still = |word: &&str| {
        let bare = word.trim_end_matches([':', '.']);
        let number = bare.trim_end_matches("ms").trim_end_matches('s');
        number == bare || number.parse::<f64>().is_err()
    };
    let line = |line: &str| line.split_whitespace().filter(is_still).collect::<Vec<_>>().join(" ");
    let mut lines: Vec<String> = text.lines().map(line).collect();
    lines.retain(|line| !line.is_empty());
    lines.sort();
    lines
}

/// What a command prints to both streams, with `...` for the folder that it is typed in.
fn typed(home: &Home, at: &std::path::Path, line: &str) -> Result<String, String> {
    let words: Vec<&str> = line.split_whitespace().skip(1).collect();
    let command: Command = home.command(at, &words);
    let finished = home::start(command, at)?.finish()?;
    let told = finished.stderr + &finished.stdout;
    Ok(told.replace(&at.display().to_string(), "..."))
}

#[test]
fn what_a_page_shows_of_a_terminal_is_what_is_printed() {
    let (mut seen, mut faults) = (0, String::new());
    for path in pages::all() {
        let page = fs::read_to_string(&path).expect("readable");
        let (mut home, mut at) = (Home::new(), None);
        for block in pages::blocks(&page) {
            let Some(topic) = topic(&block.info) else { continue };
            let any = folder().join(topic).join("any");
            let at = at.get_or_insert_with(|| home.folder_for(&any)).clone();
            let text = format!("\n{}", block.text);
            for part in text.split("\n$ ").skip(1) {
                let (line, expected) = part.split_once('\n').unwrap_or((part, ""));
                seen += 1;
                let told = typed(&home, &at, line).unwrap_or_else(|why| why);
                if still(&told) != still(expected) {
                    let place = format!("{}:{}", shown(&path), block.line);
                    writeln!(faults, "{place}: `{line}` prints\n{told}").expect("a string");
                }
            }
        }
    }
    assert!(seen >= 4, "only {seen} commands");
    assert!(faults.is_empty(), "{faults}");
}
