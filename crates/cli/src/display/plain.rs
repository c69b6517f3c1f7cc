//! Lines for logs and pipes: one for each ended task of a small run, a summary now and then of a
//! large one.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use protocol::api::Progress;

use super::TASK_LINES_MAX;
use crate::render::{duration, plural};

/// How often a large run gets a summary line.
const SUMMARY_EVERY: Duration = Duration::from_secs(3);

/// The plain display.
pub(crate) struct Plain {
    summarised: Instant,
}

impl Plain {
    pub(crate) fn new() -> Self {
        Self { summarised: Instant::now() }
    }

    /// The line that is due, if one is.
    pub(crate) fn progress(&mut self, progress: &Progress) -> Option<String> {
        let is_due = progress.tasks.total() > TASK_LINES_MAX
            && !progress.status.is_final()
            && self.summarised.elapsed() >= SUMMARY_EVERY;
        is_due.then(|| {
            self.summarised = Instant::now();
            summary(progress)
        })
    }

    pub(crate) fn line(&self, line: &str) {
        // Nobody may be listening any more, and the run goes on without a listener.
        let _ = writeln!(io::stderr().lock(), "{line}");
    }
}

fn summary(progress: &Progress) -> String {
    let (ended, total) = (progress.items.ended(), progress.items.total());
    let left = match progress.eta_seconds {
        Some(left) => format!(", about {} left", duration(left)),
        None => String::new(),
    };
    format!(
        "[{}] {ended} of {} done, {} failed, {} running, {:.1}/s{left}",
        duration(progress.elapsed_seconds),
        plural(total, "item"),
        progress.items.failed(),
        progress.items[model::TaskStatus::Running],
        progress.per_second,
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::progress;
    use super::*;
    use model::Span;
    use protocol::api::Seconds;

    #[test]
    fn a_summary_is_one_line() {
        let mut progress = progress(2_000, 500, 2);
        progress.per_second = 812.34;
        progress.eta_seconds = Some(Seconds(Span::secs(2)));
        assert_eq!(
            summary(&progress),
            "[1.0s] 500 of 2000 items done, 2 failed, 0 running, 812.3/s, about 2.0s left"
        );
    }

    #[test]
    fn summaries_are_for_large_runs_and_not_too_often() {
        let mut plain = Plain::new();
        let Some(before) = Instant::now().checked_sub(SUMMARY_EVERY) else { return };
        plain.summarised = before;
        assert_eq!(plain.progress(&progress(10, 1, 0)), None);
        assert!(plain.progress(&progress(1_000, 1, 0)).is_some());
        assert_eq!(plain.progress(&progress(1_000, 2, 0)), None);
    }
}
