//! Events as rows of a table that has no end: each is shown when it comes, so columns can only
//! grow.

use protocol::api::Event;
use unicode_width::UnicodeWidthStr;

use crate::style::{Paint, Tone};
use crate::table::{printable, shorten};

/// Columns of a sequence number.
const SEQ_WIDTH: usize = 7;
/// Columns of the longest kind.
const KIND_WIDTH: usize = 19;
/// Columns of a task's name at first, and at most.
const TASK_WIDTH: (usize, usize) = (8, 32);

/// Turns events into rows.
#[derive(Debug)]
pub(crate) struct Rows {
    tone: Tone,
    has_head: bool,
    task_width: usize,
}

impl Rows {
    pub(crate) const fn new(tone: Tone) -> Self {
        Self { tone, has_head: false, task_width: TASK_WIDTH.0 }
    }

    /// The row of an event; before the first one stand the heads.
    pub(crate) fn row(&mut self, event: &Event) -> String {
        let task = shorten(&printable(event.task.as_deref().unwrap_or("-")), TASK_WIDTH.1);
        self.task_width = self.task_width.max(task.width());
        let mut shown = String::new();
        if !std::mem::replace(&mut self.has_head, true) {
            let head = self.columns(["TIME", "SEQ", "KIND", "TASK"]) + "TEXT";
            shown.push_str(&format!("{}\n", self.tone.paint(Paint::Head, &head)));
        }
        let (time, seq) = (event.time.to_string(), event.seq.to_string());
        shown.push_str(&self.columns([&time, &seq, &printable(&event.kind), &task]));
        shown.push_str(&printable(&event.text));
        shown.push('\n');
        shown
    }

    /// All columns but the last, which needs no width.
    fn columns(&self, [time, seq, kind, task]: [&str; 4]) -> String {
        let fill = " ".repeat(self.task_width.saturating_sub(task.width()));
        format!("{time:<27}  {seq:>SEQ_WIDTH$}  {kind:<KIND_WIDTH$}  {task}{fill}  ")
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::START;
    use super::*;

    #[test]
    fn rows_come_one_by_one_under_one_head() {
        let event = |seq, kind: &str, task: Option<&str>, text: &str| Event {
            seq,
            time: START,
            kind: kind.to_owned(),
            task: task.map(str::to_owned),
            count: None,
            status: None,
            rule: None,
            text: text.to_owned(),
        };
        let mut rows = Rows::new(Tone::PLAIN);
        let mut shown = rows.row(&event(3, "run_admitted", None, "run 1 was accepted"));
        shown += &rows.row(&event(4, "attempts_leased", Some("a-longer-name"), "given"));
        shown += &rows.row(&event(5, "attempts_started", Some("训练"), "训练 started\u{1b}[2J"));
        insta::assert_snapshot!(shown, @r"
        TIME                             SEQ  KIND                 TASK      TEXT
        2026-11-20T10:00:00.000000Z        3  run_admitted         -         run 1 was accepted
        2026-11-20T10:00:00.000000Z        4  attempts_leased      a-longer-name  given
        2026-11-20T10:00:00.000000Z        5  attempts_started     训练           训练 started�[2J
        ");
    }
}
