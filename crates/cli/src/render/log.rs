//! Output of tasks, line by line, each with the task that it came from when there are several.
//!
//! Colours that tasks write are kept on a terminal, as they would be without this program between;
//! but a line always begins at its beginning.

use std::collections::BTreeMap;

use protocol::api::{LogChunk, LogStream};

use crate::style::{Paint, Tone};
use crate::table::printable;

/// Turns chunks, which end anywhere, into whole lines.
#[derive(Debug)]
pub(crate) struct LineWriter {
    tone: Tone,
    /// Whether each line names its task.
    named: bool,
    /// Whether each line tells its time.
    timed: bool,
    /// Whether the first attempt of each item is named, too.
    all: bool,
    /// The round and the attempt of each item that were shown last.
    shown: BTreeMap<(String, Option<u32>), (u16, u16)>,
    /// The line that each writer has begun.
    begun: BTreeMap<Writer, String>,
}

/// A line comes from one stream of one attempt.
type Writer = (String, Option<u32>, (u16, u16), u8);

impl LineWriter {
    pub(crate) fn new(tone: Tone, named: bool, timed: bool) -> Self {
        let (shown, begun) = (BTreeMap::new(), BTreeMap::new());
        Self { tone, named, timed, all: false, shown, begun }
    }

    /// The same; if so, it names the first attempt of each item, too.
    pub(crate) fn naming_all(self, all: bool) -> Self {
        Self { all, ..self }
    }

    /// The lines that are whole after this chunk.
    pub(crate) fn push(&mut self, chunk: &LogChunk) -> String {
        let mut shown = self.head(chunk);
        if let Some(bytes) = chunk.dropped_bytes {
            let note = format!("… {bytes} bytes were dropped here: the output is too long");
            shown.push_str(&self.line(chunk, &self.tone.paint(Paint::Warn, &note)));
        }
        let key =
            (chunk.task.clone(), chunk.item, (chunk.round, chunk.attempt), chunk.stream as u8);
        let mut text = self.begun.remove(&key).unwrap_or_default();
        text.push_str(&chunk.text);
        let mut rest = text.as_str();
        while let Some((line, after)) = rest.split_once('\n') {
            shown.push_str(&self.line(chunk, line));
            rest = after;
        }
        if !rest.is_empty() {
            self.begun.insert(key, rest.to_owned());
        }
        shown
    }

    /// The lines that were never ended.
    pub(crate) fn finish(&mut self) -> String {
        let begun = std::mem::take(&mut self.begun);
        let lines = begun.into_iter().map(|((task, item, ..), text)| {
            format!("{}{text}\n", if self.named { self.name(&task, item) } else { String::new() })
        });
        lines.collect()
    }

    /// The line that names a round and an attempt, where another was shown before; what that one
    /// had begun is ended first.
    fn head(&mut self, chunk: &LogChunk) -> String {
        let (place, now) = ((chunk.task.clone(), chunk.item), (chunk.round, chunk.attempt));
        let before = self.shown.insert(place, now);
        if before == Some(now) || before.is_none() && !self.all {
            return String::new();
        }
        let is_older = |key: &Writer| key.0 == chunk.task && key.1 == chunk.item && key.2 != now;
        let older: Vec<Writer> = self.begun.keys().filter(|key| is_older(key)).cloned().collect();
        let rests: Vec<String> = older.iter().filter_map(|key| self.begun.remove(key)).collect();
        let mut head: String = rests.iter().map(|rest| self.line(chunk, rest)).collect();
        let item = chunk.item.filter(|_| !self.named);
        let item = item.map_or_else(String::new, |item| format!("item {item}, "));
        let name = format!("── {item}round {}, attempt {} ──", chunk.round + 1, chunk.attempt);
        head.push_str(&self.line(chunk, &self.tone.paint(Paint::Faint, &name)));
        head
    }

    fn line(&self, chunk: &LogChunk, line: &str) -> String {
        let time = match self.timed {
            true => self.tone.paint(Paint::Faint, &format!("{} ", chunk.time)),
            false => String::new(),
        };
        let name = if self.named { self.name(&chunk.task, chunk.item) } else { String::new() };
        let line = match chunk.stream {
            LogStream::Worker => self.tone.paint(Paint::Warn, line),
            LogStream::Stdout | LogStream::Stderr => line.to_owned(),
        };
        format!("{time}{name}{line}\n")
    }

    fn name(&self, task: &str, item: Option<u32>) -> String {
        let item = item.map_or_else(String::new, |item| format!("[{item}]"));
        self.tone.paint(Paint::Active, &format!("{}{item} | ", printable(task)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::START;
    use super::*;

    fn chunk(task: &str, text: &str) -> LogChunk {
        LogChunk {
            time: START,
            task: task.to_owned(),
            item: None,
            attempt: 1,
            round: 0,
            stream: LogStream::Stdout,
            seq: 1,
            text: text.to_owned(),
            dropped_bytes: None,
        }
    }

    #[test]
    fn lines_of_two_tasks_do_not_mix() {
        let mut writer = LineWriter::new(Tone::PLAIN, true, false);
        let mut shown = writer.push(&chunk("a", "one\ntw"));
        shown += &writer.push(&chunk("b", "x\n"));
        shown += &writer.push(&chunk("a", "o\nthree"));
        assert_eq!(shown, "a | one\nb | x\na | two\n");
        assert_eq!(writer.finish(), "a | three\n");
        assert_eq!(writer.finish(), "");
    }

    #[test]
    fn rounds_and_attempts_do_not_mix() {
        let of = |round, attempt, text: &str| LogChunk { round, attempt, ..chunk("a", text) };
        let show = |all| {
            let mut writer = LineWriter::new(Tone::PLAIN, false, false).naming_all(all);
            let chunks = [of(0, 1, "one\nrest"), of(0, 2, "two\n"), of(1, 1, "three\n")];
            chunks.iter().map(|chunk| writer.push(chunk)).collect::<String>()
        };
        let shown = "one\nrest\n── round 1, attempt 2 ──\ntwo\n── round 2, attempt 1 ──\nthree\n";
        assert_eq!(show(false), shown);
        assert_eq!(show(true), format!("── round 1, attempt 1 ──\n{shown}"));
    }

    #[test]
    fn one_task_is_shown_as_it_wrote() {
        let mut writer = LineWriter::new(Tone::PLAIN, false, true);
        assert_eq!(
            writer.push(&chunk("a", "one\n\n")),
            "2026-11-20T10:00:00.000000Z one\n2026-11-20T10:00:00.000000Z \n"
        );
        let dropped = LogChunk { dropped_bytes: Some(9), ..chunk("a", "") };
        let shown = writer.push(&dropped);
        assert!(shown.ends_with("… 9 bytes were dropped here: the output is too long\n"));
    }
}
