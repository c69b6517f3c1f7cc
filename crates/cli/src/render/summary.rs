//! How a run ended: the failed tasks first, with the end of what they wrote and what to type next.

use model::RunStatus;
use protocol::api::{RunDetail, TaskSummary};

use super::{counts, plural, took};
use crate::style::{self, Paint, Tone};
use crate::table::printable;

/// A task that failed, with the end of its output.
#[derive(Clone, Debug)]
pub(crate) struct FailedTask {
    /// The task.
    pub task: TaskSummary,
    /// The item whose output is shown, if the task is a fan-out.
    pub item: Option<u32>,
    /// Its last lines.
    pub lines: Vec<String>,
}

/// The last words about a run.
pub(crate) fn render(detail: &RunDetail, failed: &[FailedTask], tone: Tone) -> String {
    let run = &detail.run;
    let mut text = String::new();
    for task in failed {
        text.push('\n');
        text.push_str(&failure(run.run.0, task, tone));
    }
    if !failed.is_empty() {
        text.push('\n');
    }
    let hidden = run.tasks.failed().saturating_sub(failed.len() as u64);
    if hidden > 0 && !failed.is_empty() {
        let command = tone.paint(Paint::Accent, &format!("autoglm get {}", run.run));
        text.push_str(&format!("{} failed too: {command}\n\n", plural(hidden, "more task")));
    }
    let status = tone.paint(style::of_run(run.status), run.status.as_str());
    let cause = run.cause.as_ref().map_or_else(String::new, |cause| format!(" ({cause})"));
    text.push_str(&format!(
        "Run {} ({}) {status}{cause} in {}: {}\n",
        run.run,
        printable(&run.name),
        took(run),
        counts(&run.items, tone),
    ));
    if matches!(run.status, RunStatus::Failed | RunStatus::Cancelled) {
        let command = tone.paint(Paint::Accent, &format!("autoglm retry {}", run.run));
        text.push_str(&format!("What did not succeed can run again: {command}\n"));
    }
    text
}

fn failure(run: u64, failed: &FailedTask, tone: Tone) -> String {
    let FailedTask { task, item, lines } = failed;
    let name = printable(&task.name);
    let trouble = task.trouble.as_deref().unwrap_or("it failed");
    let title = tone.paint(Paint::Bad, &format!("{} {name}", style::sign(task.status)));
    if task.attempts == 0 {
        // No worker ever ran it: it waited for somebody, or could not even begin.
        let reason = task
            .reason
            .as_deref()
            .map_or_else(String::new, |reason| format!("\n    {}", printable(reason)));
        return format!("{title}: {}{reason}\n", printable(trouble));
    }
    let attempts = plural(task.attempts, "attempt");
    let (trouble, items) = (printable(trouble), task.items.total());
    let how = match (task.fan_out, task.items.failed()) {
        (false, _) => format!("{trouble} after {attempts}"),
        // An attempt each is what everybody expects.
        (true, failed) => {
            let of = format!("{failed} of {}", plural(items, "item"));
            let more = match task.attempts > items {
                true => format!(", {attempts} in all"),
                false => String::new(),
            };
            // Only the last is known: others may have failed in another way.
            match failed {
                0 | 1 => format!("{trouble} in {of}{more}"),
                _ => format!("{of} failed{more}; the last of them: {trouble}"),
            }
        }
    };
    let mut text = format!("{title}: {how}\n");
    for line in lines {
        text.push_str(&format!("    {}\n", printable(line)));
    }
    let item = item.map_or_else(String::new, |item| format!(" --item {item}"));
    let command = tone.paint(Paint::Accent, &format!("autoglm logs {run} {name}{item}"));
    text.push_str(&format!("  All that it wrote: {command}\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::super::samples::detail;
    use super::*;

    #[test]
    fn failures_come_first_with_their_last_lines() {
        let detail = detail();
        let failed = FailedTask {
            task: detail.tasks[1].clone(),
            item: Some(4),
            lines: vec!["Traceback:".to_owned(), "ValueError: 3".to_owned()],
        };
        insta::assert_snapshot!(render(&detail, &[failed], Tone::PLAIN), @r"
        ✗ train: exit 3 in 1 of 36 items, 38 attempts in all
            Traceback:
            ValueError: 3
          All that it wrote: autoglm logs 7 train --item 4

        Run 7 (digits) failed (task failed) in 1m 12s: 36 succeeded, 1 failed, 1 skipped
        What did not succeed can run again: autoglm retry 7
        ");
    }

    #[test]
    fn what_no_worker_ran_says_why() {
        let mut task = detail().tasks[1].clone();
        task.attempts = 0;
        task.trouble = Some("its condition could not be worked out".to_owned());
        task.reason = Some("in `when`: undefined value".to_owned());
        let failed = FailedTask { task, item: None, lines: Vec::new() };
        assert_eq!(
            failure(7, &failed, Tone::PLAIN),
            "✗ train: its condition could not be worked out\n    in `when`: undefined value\n"
        );
    }

    #[test]
    fn a_run_that_went_well_takes_one_line() {
        let mut detail = detail();
        detail.run.status = RunStatus::Succeeded;
        detail.run.cause = None;
        assert_eq!(
            render(&detail, &[], Tone::PLAIN),
            "Run 7 (digits) succeeded in 1m 12s: 36 succeeded, 1 failed, 1 skipped\n"
        );
    }
}
