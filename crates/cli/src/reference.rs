//! Holds `docs/reference/cli.md` to the command line: below its marker stands what `--help` says.
//!
//! After a change: `UPDATE_REFERENCE=1 cargo test -p cli reference`.

use std::path::Path;

use clap::CommandFactory;

use crate::args::Arguments;

const PAGE: &str = "../../docs/reference/cli.md";
/// What stands above it is written by hand.
const MARKER: &str = "<!-- Below: written by a test from the command line itself. -->\n";

/// The help of every command that people may type, each under its own heading. What stands behind
/// a command, and has options of its own, comes below it.
fn commands() -> String {
    let mut root = Arguments::command().term_width(100);
    root.build();
    let mut text = String::new();
    let is_shown =
        |command: &&mut clap::Command| !command.is_hide_set() && command.get_name() != "help";
    for command in root.get_subcommands_mut().filter(is_shown) {
        let name = command.get_name().to_owned();
        text.push_str(&format!("\n## autoglm {name}\n\n{}", help(command)));
        for inner in command.get_subcommands_mut().filter(is_shown).filter(|it| has_options(it)) {
            let heading = format!("\n### autoglm {name} {}\n\n", inner.get_name());
            text.push_str(&heading);
            text.push_str(&help(inner));
        }
    }
    text
}

fn has_options(command: &clap::Command) -> bool {
    let is_own = |arg: &clap::Arg| !arg.is_global_set() && arg.get_id() != "help";
    command.get_arguments().any(is_own)
}

fn help(command: &mut clap::Command) -> String {
    let help = command.render_help().to_string();
    let lines: Vec<_> = help.lines().map(str::trim_end).collect();
    format!("```text\n{}\n```\n", lines.join("\n"))
}

#[test]
fn the_page_says_what_help_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = std::fs::read_to_string(&path).expect("the page is there");
    let (by_hand, written) = page.split_once(MARKER).expect("the marker is there");
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(&path, format!("{by_hand}{MARKER}{}", commands())).expect("written");
        return;
    }
    let hint = "UPDATE_REFERENCE=1 cargo test -p cli reference";
    assert!(written == commands(), "{PAGE} is behind the command line: {hint}");
}
