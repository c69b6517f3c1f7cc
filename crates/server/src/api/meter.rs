//! Rates and forecasts from samples of a run's progress.

use std::collections::VecDeque;

use model::{Span, Timestamp};
use protocol::api::{Progress, Seconds};

use crate::views::PathLeft;

/// What the rate that is shown looks back on.
const RATE_WINDOW: Span = Span::secs(5);
/// What forecasts look back on: longer, so that they do not jump.
const FORECAST_WINDOW: Span = Span::secs(60);
/// Samples are at least this far apart, so that few are kept.
const SAMPLE_EVERY: Span = Span::millis(500);

/// Remembers how many items had ended when.
#[derive(Debug, Default)]
pub(super) struct Meter {
    samples: VecDeque<(Timestamp, u64)>,
}

impl Meter {
    /// Adds what needs more than one moment to a progress.
    pub(super) fn complete(&mut self, now: Timestamp, progress: &mut Progress, path: PathLeft) {
        let ended = progress.items.ended();
        // A retry by hand takes ended items back.
        if self.samples.back().is_some_and(|&(_, before)| ended < before) {
            self.samples.clear();
        }
        let rate = self.rate(now, ended, FORECAST_WINDOW);
        let open = progress.items.total() - ended;
        let all_run = progress.running.len() as u64 == open;
        progress.per_second = self.rate(now, ended, RATE_WINDOW).unwrap_or(0.0);
        progress.eta_seconds = forecast(path, open, rate, all_run).map(Seconds);
        self.remember(now, ended);
    }

    fn remember(&mut self, now: Timestamp, ended: u64) {
        if self.samples.back().is_some_and(|&(at, _)| now.since(at) < SAMPLE_EVERY) {
            return;
        }
        self.samples.push_back((now, ended));
        while self.samples.front().is_some_and(|&(at, _)| now.since(at) > FORECAST_WINDOW) {
            self.samples.pop_front();
        }
    }

    /// Items a second since the oldest sample in the window; `None` if that is too short a time.
    fn rate(&self, now: Timestamp, ended: u64, window: Span) -> Option<f64> {
        let &(at, before) = self.samples.iter().find(|&&(at, _)| now.since(at) <= window)?;
        let span = now.since(at);
        (span >= SAMPLE_EVERY).then(|| (ended - before) as f64 * 1e6 / span.0 as f64)
    }
}

/// How long it will still take: the longest path, or the items that are left at the present rate,
/// whichever is longer. `None` where either is not known and cannot be left out.
fn forecast(path: PathLeft, open: u64, rate: Option<f64>, all_run: bool) -> Option<Span> {
    let by_rate =
        rate.filter(|&rate| rate > 0.0).map(|rate| Span((open as f64 / rate * 1e6) as u64));
    match path {
        PathLeft::Unknown => None,
        PathLeft::Unmeasured => by_rate,
        // What runs already waits for no room: rates say nothing about it.
        PathLeft::Known(path) if all_run => Some(path),
        PathLeft::Known(path) => by_rate.map(|span| span.max(path)),
    }
}

#[cfg(test)]
mod tests {
    use model::{RunId, RunStatus, TaskStatus};

    use super::*;

    fn progress(ended: u64, open: u64) -> Progress {
        Progress {
            run: RunId(1),
            status: RunStatus::Running,
            tasks: [].into_iter().collect(),
            items: [(TaskStatus::Succeeded, ended), (TaskStatus::Ready, open)]
                .into_iter()
                .collect(),
            running: Vec::new(),
            waiting: Vec::new(),
            per_second: 0.0,
            elapsed_seconds: Seconds(Span::ZERO),
            eta_seconds: None,
        }
    }

    #[test]
    fn a_steady_rate_is_measured_and_carried_on() {
        let mut meter = Meter::default();
        let mut seen = progress(0, 0);
        for tick in 0..40 {
            seen = progress(tick * 2, 100 - tick * 2);
            let now = Timestamp(1_000_000 + tick * 200_000);
            meter.complete(now, &mut seen, PathLeft::Unmeasured);
        }
        assert!((seen.per_second - 10.0).abs() < 0.01, "{}", seen.per_second);
        let eta = seen.eta_seconds.expect("a forecast").0;
        assert!((Span::millis(2_100)..Span::millis(2_300)).contains(&eta), "{eta}");
        assert!(meter.samples.len() < 30);
    }

    #[test]
    fn a_first_look_knows_no_rate() {
        let mut seen = progress(5, 5);
        Meter::default().complete(Timestamp(9), &mut seen, PathLeft::Known(Span::secs(3)));
        assert_eq!((seen.per_second, seen.eta_seconds), (0.0, None));
    }

    #[test]
    fn a_retry_begins_the_measurement_anew() {
        let mut meter = Meter::default();
        meter.complete(Timestamp(1), &mut progress(50, 0), PathLeft::Unknown);
        let mut seen = progress(10, 40);
        meter.complete(Timestamp(2_000_000), &mut seen, PathLeft::Unmeasured);
        assert_eq!((seen.per_second, seen.eta_seconds), (0.0, None));
    }

    #[test]
    fn the_longer_of_path_and_rate_counts() {
        let path = |secs| PathLeft::Known(Span::secs(secs));
        assert_eq!(forecast(path(9), 10, Some(2.0), false), Some(Span::secs(9)));
        assert_eq!(forecast(path(1), 10, Some(2.0), false), Some(Span::secs(5)));
        assert_eq!(forecast(path(1), 10, Some(0.0), false), None);
        assert_eq!(forecast(path(1), 10, None, true), Some(Span::secs(1)));
        assert_eq!(forecast(PathLeft::Unknown, 10, Some(2.0), false), None);
    }
}
