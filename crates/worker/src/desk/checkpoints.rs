//! Which attempts have saved their work.
//!
//! An attempt says so by a line at the end of the file that it is told of. The files are looked at
//! all together as often as the worker says that it lives, and once more when their attempt ends:
//! a line wakes nobody, however often one comes. Nothing here reads more of a file than its last
//! line, or knows what follows from it.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use model::Span;
use model::limits::{CHECKPOINT_BYTES_MAX, HEARTBEAT};
use rustix::fs::OFlags;

use crate::supervisor::Ticket;

/// How often the files are looked at: an attempt is told of no more often than that.
const LOOK_EVERY: Duration = Duration::from_micros(HEARTBEAT.0);

/// An attempt has saved its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Saved {
    /// How long ago.
    pub age: Span,
    /// What it says of it.
    pub note: Option<String>,
}

/// The attempts that may save their work.
#[derive(Debug, Default)]
pub(super) struct Checkpoints {
    attempts: BTreeMap<Ticket, Watched>,
    look_at: Option<Instant>,
}

#[derive(Debug)]
struct Watched {
    file: PathBuf,
    /// How long the file was and when it had been written, when it was last looked at.
    seen: Option<(u64, SystemTime)>,
}

impl Checkpoints {
    /// An attempt has started that is told of this file.
    pub(super) fn begin(&mut self, ticket: Ticket, file: PathBuf, now: Instant) {
        self.attempts.insert(ticket, Watched { file, seen: None });
        self.look_at.get_or_insert(now + LOOK_EVERY);
    }

    /// When the files are to be looked at.
    pub(super) const fn next_deadline(&self) -> Option<Instant> {
        self.look_at
    }

    /// The attempts that have saved their work since they were last looked at, if it is time.
    pub(super) fn due(&mut self, now: Instant) -> Vec<(Ticket, Saved)> {
        if self.look_at.is_none_or(|at| at > now) {
            return Vec::new();
        }
        self.look_at = (!self.attempts.is_empty()).then_some(now + LOOK_EVERY);
        let attempts = self.attempts.iter_mut();
        attempts.filter_map(|(&ticket, watched)| Some((ticket, watched.look()?))).collect()
    }

    /// An attempt has ended; what it has saved since it was last looked at.
    pub(super) fn end(&mut self, ticket: Ticket) -> Option<Saved> {
        let mut watched = self.attempts.remove(&ticket)?;
        let saved = watched.look();
        if watched.seen.is_some() {
            // One that cannot be removed now is removed by the next worker.
            let _ = fs::remove_file(&watched.file);
        }
        saved
    }
}

impl Watched {
    fn look(&mut self) -> Option<Saved> {
        let found = fs::symlink_metadata(&self.file).ok().filter(Metadata::is_file)?;
        let written = found.modified().ok()?;
        let before = self.seen.replace((found.len(), written));
        if before == self.seen {
            return None;
        }
        // A clock that was set back meanwhile makes it no younger than now.
        let age = written.elapsed().unwrap_or_default();
        let age = Span(u64::try_from(age.as_micros()).unwrap_or(u64::MAX));
        // What cannot be read is a sign all the same.
        let from = before.map_or(0, |(length, _)| length);
        Some(Saved { age, note: last_line(&self.file, from).ok().flatten() })
    }
}

/// The last line of what a file has got since it was `from` bytes long; all of it is new if it has
/// become shorter. Nothing if that says nothing.
fn last_line(path: &Path, from: u64) -> io::Result<Option<String>> {
    // Not blocking: it may be a named pipe by now.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let mut file: File = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let length = file.metadata()?.len();
    let most = CHECKPOINT_BYTES_MAX as u64;
    let from = if from < length { from } else { 0 };
    file.seek(SeekFrom::Start(from.max(length.saturating_sub(most))))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let line = text.trim_end().rsplit('\n').next().map(str::trim).unwrap_or_default();
    Ok((!line.is_empty()).then(|| line.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn append(file: &Path, text: &str) {
        let mut file = OpenOptions::new().append(true).create(true).open(file).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn notes(saved: Vec<(Ticket, Saved)>) -> Vec<(u64, Option<String>)> {
        let recent = saved.iter().all(|(_, saved)| saved.age < Span::secs(60));
        assert!(recent, "{saved:?}");
        saved.into_iter().map(|(ticket, saved)| (ticket.0, saved.note)).collect()
    }

    #[test]
    fn the_last_line_of_each_look_is_told_once() {
        let home = tempfile::tempdir().unwrap();
        let file = |name: &str| home.path().join(name);
        let (mut checkpoints, now) = (Checkpoints::default(), Instant::now());
        assert_eq!(checkpoints.next_deadline(), None);
        checkpoints.begin(Ticket(1), file("a"), now);
        checkpoints.begin(Ticket(2), file("b"), now);
        append(&file("a"), "epoch 1\nepoch 2\n");
        assert_eq!(notes(checkpoints.due(now)), [], "it is not time");
        let mut at = now;
        let mut look = |checkpoints: &mut Checkpoints| {
            at += LOOK_EVERY;
            assert_eq!(checkpoints.next_deadline(), Some(at));
            notes(checkpoints.due(at))
        };
        assert_eq!(look(&mut checkpoints), [(1, Some("epoch 2".to_owned()))]);
        assert_eq!(look(&mut checkpoints), []);
        append(&file("a"), "\n");
        append(&file("b"), "{\"step\": 7}");
        let both = [(1, None), (2, Some("{\"step\": 7}".to_owned()))];
        assert_eq!(look(&mut checkpoints), both, "an empty line says that it is saved");
        append(&file("b"), "\nlast\n");
        assert_eq!(checkpoints.end(Ticket(2)).unwrap().note.as_deref(), Some("last"));
        assert_eq!(checkpoints.end(Ticket(1)), None, "there is nothing new");
        assert!(!file("a").exists() && !file("b").exists());
        assert_eq!(look(&mut checkpoints), []);
        assert_eq!(checkpoints.next_deadline(), None, "nobody is left to look at");
    }

    #[test]
    fn of_a_long_line_no_more_than_its_end_is_read() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        fs::write(&file, format!("{}end", "x".repeat(2 * CHECKPOINT_BYTES_MAX))).unwrap();
        let mut watched = Watched { file, seen: None };
        let note = watched.look().unwrap().note.unwrap();
        assert!(note.len() == CHECKPOINT_BYTES_MAX && note.ends_with("xend"));
    }

    #[test]
    fn what_is_no_plain_file_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let mut watched = Watched { file: home.path().to_owned(), seen: None };
        assert_eq!(watched.look(), None);
        std::os::unix::fs::symlink("/etc/passwd", home.path().join("link")).unwrap();
        watched.file = home.path().join("link");
        assert_eq!(watched.look(), None);
    }
}
