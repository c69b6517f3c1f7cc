//! What test runners say in their last line: nextest, `cargo test`, Python's unittest.
//!
//! CI repeats these lines in its final table, and counts skipped tests in them. A line that none
//! of the three prints is no summary.

/// The summary in one line of output, trimmed.
pub(crate) fn read(line: &str) -> Option<String> {
    let line = line.trim();
    let is_summary = (line.starts_with("Summary [") && line.contains("tests run:"))
        || (line.starts_with("test result: ") && !line.contains(" 0 passed; 0 failed; 0 ignored"))
        || (line.starts_with("Ran ") && line.contains(" test"))
        || line.starts_with("OK (skipped=");
    is_summary.then(|| line.to_owned())
}

/// How many tests were skipped, ignored or not there at all, by these summaries.
pub(crate) fn skipped(summaries: &[String]) -> usize {
    summaries.iter().map(|line| skipped_in(line)).sum()
}

fn skipped_in(line: &str) -> usize {
    if line.starts_with("Ran 0 tests") {
        return 1;
    }
    let before = |word: &str| {
        let (before, _) = line.split_once(word)?;
        before.rsplit([' ', '=']).next()?.parse().ok()
    };
    let after = |word: &str| line.split_once(word)?.1.trim_end_matches(')').parse().ok();
    before(" skipped").or_else(|| before(" ignored")).or_else(|| after("(skipped=")).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(line: &str) -> usize {
        skipped(&[read(line).expect("this is a summary")])
    }

    #[test]
    fn each_runner_s_skips_are_counted() {
        assert_eq!(count("     Summary [   0.1s] 12 tests run: 12 passed, 3 skipped\n"), 3);
        assert_eq!(
            count("     Summary [   0.1s] 12 tests run: 12 passed (1 slow), 0 skipped\n"),
            0
        );
        assert_eq!(
            count("test result: ok. 5 passed; 0 failed; 2 ignored; 0 measured; 1 filtered out"),
            2
        );
        assert_eq!(count("OK (skipped=4)"), 4);
    }

    #[test]
    fn a_suite_that_found_no_test_counts_as_skipped() {
        assert_eq!(count("Ran 0 tests in 0.000s"), 1);
        assert_eq!(count("Ran 10 tests in 0.000s"), 0);
    }

    #[test]
    fn other_lines_are_no_summary() {
        assert!(read("running 3 tests").is_none());
        assert!(read("test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured").is_none());
    }
}
