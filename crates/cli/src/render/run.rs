//! One run with its tasks.

use std::collections::{BTreeMap, BTreeSet};

use protocol::api::{RunDetail, RunSummary, TaskSummary};

use super::{counts, duration_or_none, items_done, reasons, took};
use crate::style::{self, Paint, Tone};
use crate::table::{Cell, Table, printable};

/// The queue of runs that name none.
pub(crate) const DEFAULT_QUEUE: &str = "default";

/// The run and a table of its tasks; `wide` adds what is rarely needed.
pub(crate) fn render(detail: &RunDetail, wide: bool, tone: Tone) -> String {
    let mut text = head(&detail.run, tone);
    if !detail.params.is_empty() {
        let params = detail.params.iter().map(|(name, value)| match value.as_str() {
            Some(text) => format!("{name}={text}"),
            None => format!("{name}={value}"),
        });
        let params = printable(&params.collect::<Vec<_>>().join(" "));
        text.push_str(&format!("{} {params}\n", tone.paint(Paint::Faint, "Params:")));
    }
    if !detail.run.labels.is_empty() {
        let labels = printable(&labels(&detail.run.labels));
        text.push_str(&format!("{} {labels}\n", tone.paint(Paint::Faint, "Labels:")));
    }
    if let Some(place) = place(detail.run.environment.as_deref(), &detail.run.queue) {
        text.push_str(&format!("{} {place}\n", tone.paint(Paint::Faint, "Env:   ")));
    }
    if let Some(spent) = detail.run.spent {
        let line = super::sharing::spent(spent, detail.run.cost_limit);
        text.push_str(&format!("{} {line}\n", tone.paint(Paint::Faint, "Spent: ")));
    }
    if let Some(from) = detail.forked_from {
        let line = tone.paint(Paint::Faint, "From:  ");
        text.push_str(&format!("{line} run {from}\n"));
    }
    text.push('\n');
    text.push_str(&tasks(&detail.tasks, wide, tone));
    text.push_str(&reasons(
        detail.tasks.iter().filter_map(|task| {
            let reason = task.reason.as_deref()?;
            Some((format!("{} {}", style::sign(task.status), printable(&task.name)), reason))
        }),
        tone,
    ));
    if detail.next.is_some() {
        let more = detail.run.tasks.total().saturating_sub(detail.tasks.len() as u64);
        let more = format!("… and {more} more: --limit shows more, --status narrows down\n");
        text.push_str(&tone.paint(Paint::Faint, &more));
    }
    text
}

/// The environment of a run and its queue; nothing for a run without either.
pub(crate) fn place(environment: Option<&str>, queue: &str) -> Option<String> {
    let queue = (!matches!(queue, "" | DEFAULT_QUEUE)).then(|| format!("queue {queue}"));
    let parts: Vec<String> = environment.map(printable).into_iter().chain(queue).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Labels as they are typed.
pub(super) fn labels(labels: &BTreeMap<String, String>) -> String {
    let labels = labels.iter().map(|(key, value)| format!("{key}={value}"));
    labels.collect::<Vec<_>>().join(" ")
}

fn head(run: &RunSummary, tone: Tone) -> String {
    let title = format!("Run {} of {}", run.run, printable(&run.name));
    let status = tone.paint(style::of_run(run.status), run.status.as_str());
    let cause = run.cause.as_ref().or(run.paused.as_ref());
    let cause = cause.map_or_else(String::new, |cause| format!(" ({cause})"));
    let verb = if run.status.is_final() { "after" } else { "for" };
    let items = counts(&run.items, tone);
    let path = printable(&run.path);
    format!(
        "{}: {status}{cause} {verb} {}\n{} {items}\n{} {path}\n",
        tone.paint(Paint::Head, &title),
        took(run),
        tone.paint(Paint::Faint, "Items: "),
        tone.paint(Paint::Faint, "File:  "),
    )
}

fn tasks(tasks: &[TaskSummary], wide: bool, tone: Tone) -> String {
    let mut heads = vec!["TASK", "STATUS", ">ITEMS", ">ATTEMPTS", "DURATION", "TROUBLE"];
    // Where nothing ran again there is one round, and nothing to say of it.
    let has_rounds = wide || tasks.iter().any(|task| task.round > 0);
    if has_rounds {
        heads.insert(2, ">ROUND");
    }
    if wide {
        heads.extend([">LOSSES", "CRITICAL", "STARTED", "ENDED", "LABELS"]);
    }
    let mut table = Table::new(&heads);
    for (depth, task) in nested(tasks) {
        let trouble = task.trouble.as_deref().unwrap_or("");
        let mut cells = vec![
            Cell::from(format!("{}{}", "  ".repeat(depth), task.name)),
            Cell::from(status(task)).paint(style::of_task(task.status)),
            Cell::from(items_done(task)),
            Cell::from(task.attempts.to_string()),
            Cell::from(duration_or_none(task.duration_seconds)),
            Cell::from(trouble),
        ];
        if has_rounds {
            cells.insert(2, Cell::from((task.round + 1).to_string()));
        }
        if wide {
            let time = |time: Option<protocol::api::Time>| {
                time.map_or_else(|| "-".to_owned(), |time| time.to_string())
            };
            cells.extend([
                Cell::from(task.losses.to_string()),
                Cell::from(if task.critical { "yes" } else { "" }),
                Cell::from(time(task.started)),
                Cell::from(time(task.ended)),
                Cell::from(labels(&task.labels)),
            ]);
        }
        table.row(cells);
    }
    table.render(tone)
}

/// Tasks that a task has written stand under it, each with how deep. One whose writer is not shown
/// stands where it is.
fn nested(tasks: &[TaskSummary]) -> Vec<(usize, &TaskSummary)> {
    let mut written: BTreeMap<&str, Vec<&TaskSummary>> = BTreeMap::new();
    let names: BTreeSet<&str> = tasks.iter().map(|task| task.name.as_str()).collect();
    let mut open: Vec<(usize, &TaskSummary)> = Vec::new();
    for task in tasks.iter().rev() {
        match task.written_by.as_deref().filter(|writer| names.contains(writer)) {
            Some(writer) => written.entry(writer).or_default().push(task),
            None => open.push((0, task)),
        }
    }
    let mut shown = Vec::with_capacity(tasks.len());
    while let Some((depth, task)) = open.pop() {
        shown.push((depth, task));
        let below = written.remove(task.name.as_str()).unwrap_or_default();
        open.extend(below.into_iter().map(|task| (depth + 1, task)));
    }
    shown
}

/// The status, with why a task has ended that was never run: `succeeded (from run 3)`.
fn status(task: &TaskSummary) -> String {
    match &task.note {
        Some(note) => format!("{} ({note})", task.status.as_str()),
        None => task.status.as_str().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::detail;
    use super::*;

    #[test]
    fn a_run_shows_its_tasks() {
        insta::assert_snapshot!(render(&detail(), false, Tone::PLAIN), @r"
        Run 7 of digits: failed (task failed) after 1m 12s
        Items:  36 succeeded, 1 failed, 1 skipped
        File:   /data/digits.yaml
        Params: folds=3

        TASK    STATUS     ITEMS  ATTEMPTS  DURATION  TROUBLE
        split   succeeded      -         1  1.2s
        train   failed     36/36        38  1.2s      exit 3
        report  skipped        -         0  -
        ");
    }

    #[test]
    fn what_could_not_be_worked_out_says_why_below_the_table() {
        let mut detail = detail();
        detail.tasks[1].reason = Some("in `when`: undefined value".to_owned());
        let text = render(&detail, false, Tone::PLAIN);
        assert!(text.ends_with("-\n\n✗ train: in `when`: undefined value\n"), "{text}");
    }

    #[test]
    fn the_round_shows_where_something_has_run_again() {
        let mut detail = detail();
        detail.tasks[1].round = 2;
        let text = render(&detail, false, Tone::PLAIN);
        insta::assert_snapshot!(text.split("\n\n").nth(1).expect("a table"), @r"
        TASK    STATUS     ROUND  ITEMS  ATTEMPTS  DURATION  TROUBLE
        split   succeeded      1      -         1  1.2s
        train   failed         3  36/36        38  1.2s      exit 3
        report  skipped        1      -         0  -
        ");
    }

    #[test]
    fn written_tasks_stand_under_their_writer_and_unrun_ones_say_why() {
        let mut detail = detail();
        let mut written = detail.tasks[0].clone();
        written.name = "split.more".to_owned();
        written.written_by = Some("split".to_owned());
        written.note = Some("cached".to_owned());
        detail.tasks.push(written);
        detail.forked_from = Some(model::RunId(3));
        let text = render(&detail, false, Tone::PLAIN);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.contains(&"From:   run 3"), "{text}");
        let split = lines.iter().position(|line| line.starts_with("split ")).expect("shown");
        assert!(lines[split + 1].starts_with("  split.more  succeeded (cached)"), "{text}");
    }

    #[test]
    fn the_environment_and_the_queue_have_a_line() {
        let mut detail = detail();
        detail.run.environment = Some("staging".to_owned());
        let line = |detail: &RunDetail| {
            let text = render(detail, false, Tone::PLAIN);
            text.lines().find(|line| line.starts_with("Env:")).map(str::to_owned)
        };
        assert_eq!(line(&detail).as_deref(), Some("Env:    staging"));
        detail.run.queue = "urgent".to_owned();
        assert_eq!(line(&detail).as_deref(), Some("Env:    staging, queue urgent"));
        detail.run.environment = None;
        assert_eq!(line(&detail).as_deref(), Some("Env:    queue urgent"));
    }

    #[test]
    fn a_page_says_that_there_is_more() {
        let mut detail = detail();
        detail.tasks.truncate(1);
        detail.next = Some("1".to_owned());
        let text = render(&detail, true, Tone::PLAIN);
        assert!(text.contains("ROUND") && text.contains("… and 2 more"), "{text}");
    }
}
