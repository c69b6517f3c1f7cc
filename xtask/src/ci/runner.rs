//! Runs one line of a step, shows its output as it comes, and keeps the summaries in it.
//!
//! Standard output and error share one pipe, so that their order on the screen is their order in
//! time. The runner never hides a line.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use super::{setup, summary};

/// What `cargo nextest run` becomes where nextest is missing.
const NEXTEST: (&str, &str) = ("cargo nextest run", "cargo test --lib --bins --tests");

/// Runs one line in `root`, and returns the summaries that it printed.
///
/// # Errors
/// When the program cannot be started, or exits with anything but zero.
pub(crate) fn run(root: &Path, line: &str) -> Result<Vec<String>, String> {
    let line = if setup::has_nextest() { line.to_owned() } else { without_nextest(line) };
    println!("$ {line}");
    let (mut ours, theirs) = std::io::pipe().map_err(|error| format!("no pipe: {error}"))?;
    let mut command = command(&line)?;
    let copy = theirs.try_clone().map_err(|error| format!("no pipe: {error}"))?;
    command.current_dir(root).stdin(Stdio::null()).stdout(copy).stderr(theirs);
    let mut child =
        command.spawn().map_err(|error| format!("`{line}` cannot be started: {error}"))?;
    // The command holds the writing ends; without this the pipe would never end.
    drop(command);

    let summaries = forward(&mut ours).map_err(|error| format!("`{line}`: {error}"))?;
    let status = child.wait().map_err(|error| format!("`{line}`: {error}"))?;
    if status.success() { Ok(summaries) } else { Err(format!("`{line}`: {status}")) }
}

/// Copies lines to our own output until the pipe ends.
fn forward(pipe: &mut impl std::io::Read) -> std::io::Result<Vec<String>> {
    let mut reader = BufReader::new(pipe);
    let mut output = std::io::stdout().lock();
    let mut summaries = Vec::new();
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        output.write_all(&line)?;
        output.flush()?;
        summaries.extend(summary::read(&String::from_utf8_lossy(&line)));
        line.clear();
    }
    Ok(summaries)
}

fn without_nextest(line: &str) -> String {
    line.replacen(NEXTEST.0, NEXTEST.1, 1)
}

/// Turns a line into a command: words apart by blanks, `NAME=value` in front.
fn command(line: &str) -> Result<Command, String> {
    let mut words = line.split_whitespace().peekable();
    let mut variables = vec![("CARGO_TERM_COLOR", "never")];
    while let Some(variable) = words.peek().and_then(|word| word.split_once('=')) {
        variables.push(variable);
        words.next();
    }
    let program = words.next().ok_or_else(|| format!("`{line}` names no program"))?;
    let mut command = Command::new(program);
    command.args(words).envs(variables);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_variables_a_program_and_words() {
        let command = command("FLAGS=-Dwarnings cargo doc --set=a").expect("a program");
        assert_eq!(command.get_program(), "cargo");
        assert_eq!(command.get_args().collect::<Vec<_>>(), ["doc", "--set=a"]);
        assert!(
            command
                .get_envs()
                .any(|variable| variable == ("FLAGS".as_ref(), Some("-Dwarnings".as_ref())))
        );
        assert!(super::command("A=b").is_err());
    }

    #[test]
    fn an_exit_code_is_a_failure_with_the_line_in_it() {
        let root = crate::root();
        assert!(run(root, "true").expect("true succeeds").is_empty());
        assert!(run(root, "false").expect_err("false fails").contains("`false`"));
        assert!(run(root, "no-such-program-here").is_err());
    }

    #[test]
    fn both_streams_are_searched_for_summaries() {
        let mut output = &b"line\nRan 3 tests in 0.1s\nlast \xff line"[..];
        assert_eq!(forward(&mut output).expect("a slice can be read"), ["Ran 3 tests in 0.1s"]);
    }

    #[test]
    fn without_nextest_the_tests_still_run() {
        let line = without_nextest("cargo nextest run --workspace");
        assert_eq!(line, "cargo test --lib --bins --tests --workspace");
    }
}
