//! The display on a terminal: a bar, the counts, and what runs, redrawn in place.
//!
//! What it shows is made by a pure function of the last progress and the time since; `indicatif`
//! only draws it.

use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use model::{RunStatus, Span, TaskStatus};
use protocol::api::{Progress, RunningTask, Seconds, WaitingTask};
use unicode_width::UnicodeWidthStr;

use super::waiting;
use crate::render::{duration, now, plural};
use crate::style::{self, Paint, Tone};
use crate::table::{printable, shorten};

/// Lines that are never used for running tasks, so that what stood before stays in sight.
const LINES_KEPT: usize = 8;
/// Running tasks shown at most.
const RUNNING_MAX: usize = 16;
const BAR_WIDTH: usize = 30;

/// The live display.
pub(crate) struct Live {
    bar: ProgressBar,
    tone: Tone,
    last: Option<(Progress, Instant)>,
}

/// Columns and lines of the terminal.
#[derive(Clone, Copy, Debug)]
struct Size {
    columns: usize,
    lines: usize,
}

impl Live {
    pub(crate) fn new(tone: Tone) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
        let style = ProgressStyle::with_template("{msg}").expect("the template is well formed");
        bar.set_style(style);
        Self { bar, tone, last: None }
    }

    pub(crate) fn progress(&mut self, progress: &Progress) {
        self.last = Some((progress.clone(), Instant::now()));
        self.tick();
    }

    pub(crate) fn tick(&mut self) {
        let Some((progress, at)) = &self.last else { return };
        let since = u64::try_from(at.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.bar.set_message(frame(progress, Span::micros(since), Size::of_stderr(), self.tone));
        self.bar.tick();
    }

    pub(crate) fn line(&self, line: &str) {
        self.bar.println(line);
    }

    pub(crate) fn finish(self) {
        self.bar.finish_and_clear();
    }
}

impl Size {
    fn of_stderr() -> Self {
        let size = rustix::termios::tcgetwinsize(std::io::stderr());
        let (columns, lines) = size.map_or((80, 24), |size| (size.ws_col, size.ws_row));
        // A terminal that does not know its size says zero.
        let or = |value: u16, default| if value == 0 { default } else { usize::from(value) };
        Self { columns: or(columns, 80), lines: or(lines, 24) }
    }
}

/// All lines of the display.
fn frame(progress: &Progress, since: Span, size: Size, tone: Tone) -> String {
    let mut lines = vec![bar(progress, since, size, tone), counts(progress, tone)];
    let room = size.lines.saturating_sub(LINES_KEPT).clamp(1, RUNNING_MAX);
    // Who waits for somebody comes first: nothing else goes on by itself.
    let waits = progress.waiting.len().min(room);
    if progress.status == RunStatus::Paused {
        lines.push(format!("  {}", waiting::paused(progress.run, tone)));
    }
    lines.extend(progress.waiting[..waits].iter().map(|wait| waiting(progress, wait, size, tone)));
    if progress.waiting.len() > waits {
        let hidden = progress.waiting.len() - waits;
        lines.push(tone.paint(Paint::Faint, &format!("  … and {hidden} more waiting")));
    }
    let shown = progress.running.len().min(room.saturating_sub(waits).max(1));
    lines.extend(progress.running[..shown].iter().map(|task| running(task, since, size, tone)));
    let hidden = on_workers(progress).saturating_sub(shown as u64);
    if hidden > 0 {
        lines.push(tone.paint(Paint::Faint, &format!("  … and {hidden} more running")));
    }
    lines.join("\n")
}

fn bar(progress: &Progress, since: Span, size: Size, tone: Tone) -> String {
    let (ended, total) = (progress.items.ended(), progress.items.total());
    let width = BAR_WIDTH.min(size.columns / 3);
    let filled = (width as u64 * ended).checked_div(total).unwrap_or(0);
    let filled = usize::try_from(filled).unwrap_or(width);
    let elapsed = Seconds(Span(progress.elapsed_seconds.0.0 + since.0));
    let mut text = format!(" {ended}/{total}  {}", duration(elapsed));
    if progress.per_second >= 0.05 {
        text.push_str(&format!("  {:.1}/s", progress.per_second));
    }
    if let Some(left) = progress.eta_seconds.filter(|_| !progress.status.is_final()) {
        let left = Span(left.0.0.saturating_sub(since.0));
        text.push_str(&format!("  about {} left", duration(Seconds(left))));
    }
    let paint = style::of_run(progress.status);
    let done = tone.paint(paint, &"━".repeat(filled));
    let open = tone.paint(Paint::Faint, &"─".repeat(width - filled));
    format!("{done}{open}{}", shorten(&text, size.columns.saturating_sub(width + 1)))
}

fn counts(progress: &Progress, tone: Tone) -> String {
    let items = &progress.items;
    let part = |paint, count: u64, word: &str| {
        let text = format!("{count} {word}");
        if count > 0 { tone.paint(paint, &text) } else { tone.paint(Paint::Faint, &text) }
    };
    let running = on_workers(progress);
    let waiting = items.total().saturating_sub(items.ended() + running);
    let mut parts = vec![
        part(Paint::Good, items[TaskStatus::Succeeded], "done"),
        part(Paint::Bad, items.failed(), "failed"),
        part(Paint::Active, running, "running"),
        part(Paint::Faint, waiting, "waiting"),
    ];
    if items[TaskStatus::Retrying] > 0 {
        let retrying = plural(items[TaskStatus::Retrying], "item");
        parts.push(tone.paint(Paint::Warn, &format!("{retrying} to be tried again")));
    }
    if progress.status == RunStatus::Stopping {
        parts.push(tone.paint(Paint::Warn, "stopping"));
    }
    parts.join("  ")
}

/// How many items run on workers: what waits for somebody or for time is running, too.
fn on_workers(progress: &Progress) -> u64 {
    progress.items[TaskStatus::Running].saturating_sub(progress.waiting.len() as u64)
}

fn waiting(progress: &Progress, wait: &WaitingTask, size: Size, tone: Tone) -> String {
    // Colours have no width, so what fits is found out without them.
    let plain = |wait: &WaitingTask| waiting::line(progress.run, wait, now(), Tone::PLAIN);
    let width = size.columns.saturating_sub(3);
    let excess = plain(wait).width().saturating_sub(width);
    let mut wait = wait.clone();
    if excess > 0 {
        // The message gives way to the command that answers it.
        let room = wait.message.width().saturating_sub(excess);
        wait.message = if room < 2 { String::new() } else { shorten(&wait.message, room) };
    }
    match plain(&wait) {
        text if text.width() > width => format!("  {}", shorten(&text, width)),
        _ => format!("  {}", waiting::line(progress.run, &wait, now(), tone)),
    }
}

fn running(task: &RunningTask, since: Span, size: Size, tone: Tone) -> String {
    let item = task.item.map_or_else(String::new, |item| format!("[{item}]"));
    let attempt = match task.attempt {
        0 | 1 => String::new(),
        attempt => format!(" (attempt {attempt})"),
    };
    let name = format!("{}{item}{attempt}", printable(&task.task));
    let name = shorten(&name, size.columns.saturating_sub(14));
    let elapsed = duration(Seconds(Span(task.elapsed_seconds.0.0 + since.0)));
    format!("  {} {name} {}", tone.paint(Paint::Active, "▸"), tone.paint(Paint::Faint, &elapsed))
}

#[cfg(test)]
mod tests {
    use super::super::tests::progress;
    use super::*;
    use crate::render::samples::counts;

    const SIZE: Size = Size { columns: 70, lines: 11 };

    fn sample() -> Progress {
        let task = |item| RunningTask {
            task: "train".to_owned(),
            item: Some(item),
            attempt: 1 + u16::try_from(item).expect("small"),
            elapsed_seconds: Seconds(Span::secs(u64::from(item))),
        };
        Progress {
            items: counts([
                (TaskStatus::Succeeded, 20),
                (TaskStatus::Failed, 1),
                (TaskStatus::Running, 5),
                (TaskStatus::Retrying, 1),
                (TaskStatus::Pending, 13),
            ]),
            running: (0..5).map(task).collect(),
            per_second: 12.34,
            eta_seconds: Some(Seconds(Span::secs(62))),
            ..progress(40, 21, 1)
        }
    }

    #[test]
    fn a_frame_fits_the_terminal() {
        let text = frame(&sample(), Span::millis(500), SIZE, Tone::PLAIN);
        insta::assert_snapshot!(text, @r"
        ━━━━━━━━━━━━─────────── 21/40  1.5s  12.3/s  about 1m 1s left
        20 done  1 failed  5 running  14 waiting  1 item to be tried again
          ▸ train[0] 500ms
          ▸ train[1] (attempt 2) 1.5s
          ▸ train[2] (attempt 3) 2.5s
          … and 2 more running
        ");
    }

    #[test]
    fn what_waits_for_somebody_comes_first_with_the_way_to_answer() {
        let wait = WaitingTask {
            task: "gate".to_owned(),
            kind: protocol::api::WaitKind::Approval,
            until: None,
            message: "Release what was made last night?".to_owned(),
        };
        let text =
            frame(&Progress { waiting: vec![wait], ..sample() }, Span::ZERO, SIZE, Tone::PLAIN);
        let lines: Vec<_> = text.lines().skip(1).take(3).collect();
        assert_eq!(
            lines,
            [
                "20 done  1 failed  4 running  15 waiting  1 item to be tried again",
                "  ? gate waits for an approval: Release wha… (autoglm approve 7 gate)",
                "  ▸ train[0] 0ms",
            ]
        );
    }

    #[test]
    fn nothing_to_do_is_no_division_by_zero() {
        let empty = progress(0, 0, 0);
        let narrow = Size { columns: 1, lines: 1 };
        assert!(frame(&empty, Span::ZERO, narrow, Tone::PLAIN).contains("0 done"));
    }
}
