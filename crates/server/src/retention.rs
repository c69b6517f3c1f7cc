//! What a state folder keeps of ended runs, and where on the disk the rest of it is found.
//!
//! Here is only looked: what goes is decided and removed by the follower.

use std::fs;
use std::path::{Path, PathBuf};

use journal::Entry;
use model::limits::ENDED_RUNS_MAX;
use model::{Fact, RunId, Seq, Span, Timestamp};
use stores::catalog::Kept;

use crate::home::Home;

/// Ended runs that are kept if nobody says otherwise. A small run is some kilobytes of history, and
/// ten thousand of them are a few tens of megabytes: enough to look back for months, and a bound
/// for what is forgotten about. Days are no default, so that a rarely used folder loses nothing.
pub const KEEP_RUNS: u64 = 10_000;

/// Which ended runs stay. A run goes when either says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// So many, those that ended last; `None` for all.
    pub runs: Option<u64>,
    /// Those that ended within this time; `None` for all.
    pub age: Option<Span>,
    /// So many of them stay in memory, the others are looked up in the archive.
    pub in_memory: usize,
}

impl Default for Keep {
    fn default() -> Self {
        Self { runs: Some(KEEP_RUNS), age: None, in_memory: ENDED_RUNS_MAX }
    }
}

impl Keep {
    pub(crate) fn at(&self, now: Timestamp) -> Kept {
        let since = self.age.map(|age| Timestamp(now.0.saturating_sub(age.0)));
        Kept { runs: self.runs, since }
    }
}

/// A file, or a folder, that may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub path: PathBuf,
    pub bytes: u64,
}

/// The log segment before which nothing can be of a run that was admitted at `oldest`, as far as
/// the history of an earlier run tells.
///
/// One writer fills segment after segment. What ended before a run was admitted had its last frame
/// written before any of that run's, so no frame of the run stands in an earlier segment. Clocks
/// are not asked.
pub(crate) fn log_floor(history: &[Entry], oldest: Option<Seq>) -> u32 {
    let before = history.iter().filter(|entry| oldest.is_none_or(|oldest| entry.seq < oldest));
    let ends = before.filter_map(|entry| match &entry.fact {
        Fact::AttemptsEnded(ended) => Some(&ended.ends),
        _ => None,
    });
    let logs = ends.flatten().filter_map(|(_, end)| end.log);
    logs.map(|log| log.segment).max().unwrap_or(0)
}

/// The log segments before `floor`. The newest that there is always stays: its number tells a
/// worker where to go on.
pub(crate) fn log_segments(home: &Home, floor: u32) -> Vec<Found> {
    let mut segments = numbered(&home.logs(), |name| name.strip_suffix(".log")?.parse().ok());
    segments.sort_unstable();
    segments.pop();
    let old = segments.into_iter().filter(|&(number, _)| number < u64::from(floor));
    let found = old.map(|(_, path)| Found { bytes: length(&path), path });
    found.collect()
}

/// The work folders of runs up to `newest` that are not among `runs`, which are in order.
pub(crate) fn work_folders(home: &Home, runs: &[RunId], newest: RunId) -> Vec<PathBuf> {
    let folders = numbered(&home.work(), |name| name.parse().ok()).into_iter();
    let orphans =
        folders.filter(|&(run, _)| run <= newest.0 && runs.binary_search(&RunId(run)).is_err());
    orphans.map(|(_, path)| path).collect()
}

fn numbered(folder: &Path, number: impl Fn(&str) -> Option<u64>) -> Vec<(u64, PathBuf)> {
    // A folder that is not there has nothing in it.
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((number(entry.file_name().to_str()?)?, entry.path()))).collect()
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

#[cfg(test)]
mod tests {
    use model::fact::AttemptsEnded;
    use model::outcome::{AttemptEnd, LogRef, Outcome, Then};
    use model::{Epoch, ItemId, TaskId, TaskKey};

    use super::*;

    fn ended(seq: u64, segment: u32) -> Entry {
        let log = Some(LogRef { segment, ..LogRef::default() });
        let task = TaskKey { run: RunId(1), task: TaskId(0) };
        let ends = vec![(ItemId(0), AttemptEnd { log, ..AttemptEnd::default() })];
        let (outcome, then) = (Outcome::Succeeded, Then::Final);
        let fact = Fact::AttemptsEnded(Box::new(AttemptsEnded { task, outcome, then, ends }));
        Entry { seq: Seq(seq), at: Timestamp(seq), epoch: Epoch(1), fact }
    }

    #[test]
    fn what_ended_before_the_oldest_run_tells_where_its_output_begins() {
        let history = [ended(5, 2), ended(9, 4), ended(20, 7)];
        assert_eq!(log_floor(&history, Some(Seq(10))), 4);
        assert_eq!(log_floor(&history, Some(Seq(3))), 0, "nothing is known");
        assert_eq!(log_floor(&history, None), 7, "no run is left");
    }

    #[test]
    fn the_newest_segment_and_what_is_no_segment_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Home::open(folder.path()).expect("made");
        fs::create_dir(home.logs()).expect("made");
        for name in ["00000001.log", "00000002.log", "00000003.log", "notes.txt"] {
            fs::write(home.logs().join(name), name).expect("written");
        }
        let names = |floor| -> Vec<String> {
            let found = log_segments(&home, floor).into_iter();
            found
                .map(|one| one.path.file_name().expect("it has one").to_string_lossy().into())
                .collect()
        };
        assert_eq!(names(2), ["00000001.log"]);
        assert_eq!(names(9), ["00000001.log", "00000002.log"]);
    }

    #[test]
    fn work_folders_of_known_and_of_newer_runs_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Home::open(folder.path()).expect("made");
        for name in ["1", "2", "9", "mine"] {
            fs::create_dir_all(home.work().join(name)).expect("made");
        }
        let found = work_folders(&home, &[RunId(2)], RunId(5));
        assert_eq!(found, [home.work().join("1")]);
    }

    #[test]
    fn an_age_is_counted_from_now() {
        let keep = Keep { age: Some(Span::secs(10)), ..Keep::default() };
        let kept = keep.at(Timestamp(15_000_000));
        assert_eq!((kept.runs, kept.since), (Some(KEEP_RUNS), Some(Timestamp(5_000_000))));
    }
}
