//! The project's toolbox: every chore that a developer or the CI runs, by one name.
//!
//! A chore lives in a module of its own and takes its arguments as a slice. The toolbox never
//! becomes part of the product: no crate imports it, and it links none of the product's crates.

mod ci;
mod sim;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

/// One chore: its name on the command line, what it does, and the function that does it.
struct Chore {
    name: &'static str,
    does: &'static str,
    run: fn(&Path, &[String]) -> Result<(), String>,
}

const CHORES: &[Chore] = &[
    Chore {
        name: "tidy",
        does: "check the rules of the house; --bless lowers the ratchet",
        run: tidy::run,
    },
    Chore { name: "sim", does: "run the simulator; --seeds, --hours, --seed", run: sim::run },
    Chore { name: "ci", does: "run every CI step; --list, --only STEP", run: ci::run },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        eprint!("{}", usage());
        return ExitCode::from(2);
    };
    let Some(chore) = CHORES.iter().find(|chore| chore.name == name) else {
        eprint!("xtask: there is no chore `{name}`\n{}", usage());
        return ExitCode::from(2);
    };
    match (chore.run)(root(), rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("xtask {name}: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> String {
    let mut text = String::from("usage: cargo xtask CHORE [ARGUMENTS]\n\n");
    for chore in CHORES {
        text.push_str(&format!("  {:8} {}\n", chore.name, chore.does));
    }
    text
}

/// The root of the repository: the folder above this crate.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the toolbox lies below the root")
}
