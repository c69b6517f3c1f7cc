//! API values as text for people. Pure: the same value is always the same text.

pub(crate) mod compiled;
pub(crate) mod devices;
pub(crate) mod edit;
pub(crate) mod events;
pub(crate) mod explanation;
pub(crate) mod gc;
pub(crate) mod history;
pub(crate) mod items;
pub(crate) mod log;
pub(crate) mod markdown;
pub(crate) mod outline;
pub(crate) mod plan;
pub(crate) mod pools;
pub(crate) mod queues;
pub(crate) mod retry;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod sharing;
pub(crate) mod simulate;
pub(crate) mod summary;

use model::TaskStatus;
use protocol::api::{Counts, RunSummary, Seconds, TaskSummary, Time};

use crate::style::{self, Tone};
use crate::table::printable;

/// A length of time, rounded for reading: `1.2s`, `2m 5s`.
pub(crate) fn duration(seconds: Seconds) -> String {
    let us = seconds.0.0;
    match us {
        0..1_000_000 => format!("{}ms", us / 1_000),
        1_000_000..60_000_000 => format!("{}.{}s", us / 1_000_000, us / 100_000 % 10),
        _ => seconds.0.to_string(),
    }
}

/// How long a run took, or takes: what was run again by hand for itself, and then all of it.
fn took(run: &RunSummary) -> String {
    let all = duration(run.duration_seconds);
    match run.again_seconds {
        Some(again) => format!("{}, {all} since it was accepted", duration(again)),
        None => all,
    }
}

/// A length of time that may be unknown.
pub(crate) fn duration_or_none(seconds: Option<Seconds>) -> String {
    seconds.map_or_else(|| "-".to_owned(), duration)
}

/// From one time to a later one.
fn span(now: Time, then: Time) -> String {
    duration(Seconds(then.0.since(now.0)))
}

/// How long ago something was.
pub(crate) fn age(then: Time, now: Time) -> String {
    let span = now.0.since(then.0);
    match span.0 / 1_000_000 {
        0..5 => "now".to_owned(),
        seconds @ 5..60 => format!("{seconds}s ago"),
        seconds @ 60..3_600 => format!("{}m ago", seconds / 60),
        seconds @ 3_600..86_400 => format!("{}h ago", seconds / 3_600),
        seconds => format!("{}d ago", seconds / 86_400),
    }
}

/// The time now, by the clock of this machine.
pub(crate) fn now() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let micros = since.map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX));
    Time(model::Timestamp(micros))
}

/// Counts in words: `36 succeeded, 1 failed`. What ended well comes first, then what did not.
pub(crate) fn counts(counts: &Counts, tone: Tone) -> String {
    let (mut ended, mut open) = (Vec::new(), Vec::new());
    for (status, count) in counts.iter() {
        let text = format!("{count} {}", word(status));
        let text = tone.paint(style::of_task(status), &text);
        if status.is_final() { ended.push(text) } else { open.push(text) }
    }
    ended.extend(open);
    ended.join(", ")
}

/// The word of a status in a sentence.
pub(crate) fn word(status: TaskStatus) -> &'static str {
    match status {
        TaskStatus::TimedOut => "timed out",
        status => status.as_str(),
    }
}

/// A text as one word of a shell.
pub(crate) fn shell_word(word: &str) -> String {
    let is_plain = |sign: char| sign.is_alphanumeric() || "/._-+=:@%,".contains(sign);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// How far a fan-out is: `12/36`, or nothing for a task of one item.
pub(crate) fn items_done(task: &TaskSummary) -> String {
    if task.fan_out {
        format!("{}/{}", task.items.ended(), task.items.total())
    } else {
        "-".to_owned()
    }
}

/// Lines below a table, each with what it is about: more than a cell has room for.
pub(crate) fn reasons<'a>(told: impl Iterator<Item = (String, &'a str)>, tone: Tone) -> String {
    let mut text = String::new();
    for (about, reason) in told {
        let begin = if text.is_empty() { "\n" } else { "" };
        let about = tone.paint(style::Paint::Bad, &about);
        text.push_str(&format!("{begin}{about}: {}\n", printable(reason)));
    }
    text
}

/// `1 task`, `2 tasks`.
pub(crate) fn plural(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
pub(crate) mod samples;

#[cfg(test)]
mod tests {
    use model::{Span, Timestamp};

    use super::*;

    #[test]
    fn paths_are_typed_as_one_word() {
        assert_eq!(shell_word("models/workflow.yaml"), "models/workflow.yaml");
        assert_eq!(shell_word("my models/it's"), r"'my models/it'\''s'");
    }

    #[test]
    fn lengths_are_short() {
        let shown = [12_300, 1_250_000, 59_940_000, 125_000_000];
        let shown = shown.map(|us| duration(Seconds(Span(us))));
        assert_eq!(shown, ["12ms", "1.2s", "59.9s", "2m 5s"]);
    }

    #[test]
    fn ages_are_shorter() {
        let now = Time(Timestamp(1_000_000_000_000));
        let ages = [1, 30, 200, 7_200, 200_000];
        let ages = ages.map(|s| age(Time(Timestamp(now.0.0 - s * 1_000_000)), now));
        assert_eq!(ages, ["now", "30s ago", "3m ago", "2h ago", "2d ago"]);
        assert_eq!(age(Time(Timestamp(u64::MAX)), now), "now", "clocks may differ");
    }

    #[test]
    fn counts_read_as_a_sentence() {
        let counts_of = [
            (TaskStatus::Pending, 2),
            (TaskStatus::Failed, 1),
            (TaskStatus::TimedOut, 1),
            (TaskStatus::Succeeded, 36),
        ];
        let counts_of: Counts = counts_of.into_iter().collect();
        assert_eq!(
            counts(&counts_of, Tone::PLAIN),
            "36 succeeded, 1 failed, 1 timed out, 2 pending"
        );
    }
}
