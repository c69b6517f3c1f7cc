//! What waits for somebody or for time, and how it is answered, as a line of a display. So does a
//! run that is paused.

use model::{RunId, RunStatus, Span};
use protocol::api::{Progress, Seconds, Time, WaitKind, WaitingTask};

use crate::outline::span;
use crate::render::shell_word;
use crate::style::{Paint, Tone};
use crate::table::printable;

/// The waits that have been told.
#[derive(Default)]
pub(super) struct Told {
    tasks: Vec<(String, WaitKind)>,
    is_paused: bool,
}

impl Told {
    /// The lines about the waits that have begun since the last time.
    pub(super) fn lines(&mut self, progress: &Progress, now: Time, tone: Tone) -> Vec<String> {
        let wait = |wait: &WaitingTask| (wait.task.clone(), wait.kind);
        let begun = progress.waiting.iter().filter(|it| !self.tasks.contains(&wait(it)));
        let begun = begun.map(|wait| line(progress.run, wait, now, tone));
        let is_paused = progress.status == RunStatus::Paused;
        let paused = (is_paused && !self.is_paused).then(|| paused(progress.run, tone));
        let lines = begun.chain(paused).collect();
        self.tasks = progress.waiting.iter().map(wait).collect();
        self.is_paused = is_paused;
        lines
    }
}

/// That a run waits as a whole.
pub(super) fn paused(run: RunId, tone: Tone) -> String {
    let (sign, command) = (tone.paint(Paint::Warn, "?"), format!("autoglm resume {run}"));
    let command = tone.paint(Paint::Accent, &command);
    format!("{sign} Run {run} is paused: nothing more of it starts ({command})")
}

/// A wait on one line.
pub(super) fn line(run: RunId, wait: &WaitingTask, now: Time, tone: Tone) -> String {
    let name = printable(&wait.task);
    let left = wait.until.map(|until| span(Seconds(whole_seconds(until.0.since(now.0)))));
    let (what, command) = match wait.kind {
        WaitKind::Time => {
            let left = left.unwrap_or_else(|| "a while".to_owned());
            return format!("{} {name} waits for {left}", tone.paint(Paint::Faint, "…"));
        }
        WaitKind::Approval => ("an approval", "approve"),
        WaitKind::Signal => ("a signal", "signal"),
    };
    let left = left.map_or_else(String::new, |left| format!(" for {left}"));
    let message = match wait.message.trim() {
        "" => String::new(),
        message => format!(": {}", printable(&message.replace('\n', " "))),
    };
    let command = format!("autoglm {command} {run} {}", shell_word(&name));
    let (sign, command) = (tone.paint(Paint::Warn, "?"), tone.paint(Paint::Accent, &command));
    format!("{sign} {name} waits{left} for {what}{message} ({command})")
}

/// Rounded up, so that a wait that has just begun shows its whole length; a short one to tenths.
const fn whole_seconds(span: Span) -> Span {
    match span.0 {
        0..=500_000 => Span::millis(span.0.div_ceil(100_000) * 100),
        _ => Span::secs(span.0.div_ceil(1_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::super::tests::progress;
    use super::*;

    const NOW: Time = Time(Timestamp(1_000_000));

    fn wait(task: &str, kind: WaitKind, seconds: Option<u64>, message: &str) -> WaitingTask {
        let until = seconds.map(|seconds| Time(NOW.0 + Span::micros(seconds * 1_000_000 - 5)));
        WaitingTask { task: task.to_owned(), kind, until, message: message.to_owned() }
    }

    #[test]
    fn a_short_wait_is_not_told_as_a_second() {
        let told = |us| span(Seconds(whole_seconds(Span::micros(us))));
        assert_eq!([told(299_900), told(999_000), told(1_200_000)], ["300ms", "1s", "2s"]);
    }

    #[test]
    fn a_line_says_what_is_waited_for_and_how_to_answer() {
        let said = |wait| line(RunId(3), &wait, NOW, Tone::PLAIN);
        assert_eq!(
            said(wait("gate", WaitKind::Approval, None, "Release\nit?\n")),
            "? gate waits for an approval: Release it? (autoglm approve 3 gate)"
        );
        assert_eq!(
            said(wait("a b", WaitKind::Signal, Some(3_600), "")),
            "? a b waits for 1h for a signal (autoglm signal 3 'a b')"
        );
        assert_eq!(said(wait("pause", WaitKind::Time, Some(90), "")), "… pause waits for 1m 30s");
    }

    #[test]
    fn a_wait_is_told_once_and_again_when_it_begins_again() {
        let mut told = Told::default();
        let mut lines = |waiting: Vec<WaitingTask>| {
            let progress = Progress { waiting, ..progress(3, 0, 0) };
            told.lines(&progress, NOW, Tone::PLAIN).len()
        };
        let gate = || wait("gate", WaitKind::Approval, None, "");
        assert_eq!(lines(vec![gate()]), 1);
        assert_eq!(lines(vec![gate(), wait("bell", WaitKind::Signal, None, "")]), 1);
        assert_eq!(lines(vec![]), 0);
        assert_eq!(lines(vec![gate()]), 1);
    }

    #[test]
    fn a_pause_is_told_once_and_again_when_the_run_pauses_again() {
        let mut told = Told::default();
        let mut lines = |status| {
            let progress = Progress { status, ..progress(3, 0, 0) };
            told.lines(&progress, NOW, Tone::PLAIN)
        };
        let line = "? Run 7 is paused: nothing more of it starts (autoglm resume 7)";
        assert_eq!(lines(RunStatus::Paused), [line]);
        assert!(lines(RunStatus::Paused).is_empty());
        assert!(lines(RunStatus::Running).is_empty());
        assert_eq!(lines(RunStatus::Paused), [line]);
    }
}
