//! Taking away what is not to be kept of ended runs: a little each turn, or all of it when somebody
//! asks.
//!
//! A run goes in this order, each step of which may be the last before a crash:
//!
//! 1. It leaves memory: a durable fact, as for any run that is only in the archive.
//! 2. Its row in the archive, durably. That is the moment in which the run is gone. It goes before
//!    the data that it names, so that no row ever names what is not there: what a crash leaves is
//!    data without a name, which the next collection finds.
//! 3. Its history, its row in the catalog, its outputs, its work folder, and the log segments that
//!    it was the last to need. The row in the catalog is no reference: the catalog is brought in
//!    line with the archive at each start.
//! 4. Its graph and its text, if nothing else names them: only after a snapshot is stored that does
//!    not name them, since a replay of the facts before it would load them.

use std::collections::HashSet;
use std::fs;
use std::time::{Duration, Instant};

use model::{Digest, RunId, Seq};
use protocol::api::{GcReport, PAGE_SIZE_MAX};
use stores::StoreError;
use tokio::sync::oneshot;

use super::Books;
use crate::driver::Event;
use crate::handle::Patience;
use crate::retention::{Keep, log_floor, log_segments, work_folders};

/// Runs that go in one turn.
const TURN_RUNS: usize = 64;
/// Bytes of histories that are read in one turn, a single larger one apart.
const TURN_BYTES: u64 = 4 << 20;
/// Objects that the driver is asked at once to let go.
const OBJECTS_AT_ONCE: usize = 256;
/// How long to wait for runs to leave memory, which takes a disk that can be written.
const PATIENCE: Duration = Duration::from_secs(10);
/// Histories that a preview reads to see how far log segments may go.
const PREVIEW_HISTORIES: usize = 64;

/// A wish to take away what is not to be kept.
#[derive(Debug)]
pub(crate) struct Collect {
    pub keep: Keep,
    /// Whether only to say what would go.
    pub is_preview: bool,
    pub reply: oneshot::Sender<Result<GcReport, String>>,
}

/// What the driver may let go, unless a run in memory needs it.
#[derive(Debug, Default)]
pub(crate) struct Unneeded {
    /// Runs whose outputs nobody reads again.
    pub runs: Vec<RunId>,
    /// Objects in the journal's file.
    pub small: Vec<Digest>,
    /// Objects in files of their own.
    pub large: Vec<Digest>,
}

/// A wish that is being fulfilled.
#[derive(Debug)]
pub(super) struct Collection {
    collect: Collect,
    report: GcReport,
    until: Instant,
    /// Whether all that is left is to hear of the snapshot.
    is_storing: bool,
}

/// What a turn has left to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Left {
    /// More runs can go at once.
    is_more: bool,
    /// Some have to leave memory first.
    is_held: bool,
}

/// Objects that nothing names, with their lengths.
#[derive(Debug, Default)]
struct Orphans {
    small: Vec<(Digest, u64)>,
    large: Vec<(Digest, u64)>,
}

/// Adds runs to those that a report names: the lowest numbers, as many as it may.
fn name(runs: &[RunId], report: &mut GcReport) {
    report.numbers.extend(runs.iter().map(|run| run.0));
    report.numbers.sort_unstable();
    report.numbers.truncate(PAGE_SIZE_MAX);
}

impl Books {
    /// Does a bounded amount of what is due. Nothing goes while the catalog may not know of
    /// everything that names something.
    pub(super) fn turn(&mut self) {
        if self.is_behind {
            self.take(&[]);
        }
        if self.is_behind {
            if let Some(job) = self.collection.take() {
                job.fail("the catalog cannot be written; make room, and ask again".into());
            }
            return;
        }
        if self.is_due {
            let keep = self.keep;
            // What cannot be read or removed now is tried again after the next end of a run.
            let left = self.retain(&keep, &mut GcReport::default()).unwrap_or_default();
            self.is_due = left.is_more;
        }
        let Some(mut job) = self.collection.take_if(|job| !job.is_storing) else { return };
        match self.retain(&job.collect.keep, &mut job.report) {
            Err(error) => job.fail(error.to_string()),
            Ok(left) if left.is_more || left.is_held && Instant::now() < job.until => {
                self.collection = Some(job);
            }
            // Without a snapshot the objects stay, and all else is done.
            Ok(_) if !self.snapshot() => self.finish(job),
            Ok(_) => self.collection = Some(Collection { is_storing: true, ..job }),
        }
    }

    /// Answers a preview; begins with anything else.
    pub(super) fn begin(&mut self, collect: Collect) {
        if collect.is_preview {
            let answer = self.preview(&collect.keep).map_err(|error| error.to_string());
            // Whoever asked may have gone.
            let _ = collect.reply.send(answer);
            return;
        }
        let (report, until) = (GcReport::default(), Instant::now() + PATIENCE);
        let job = Collection { collect, report, until, is_storing: false };
        if self.collection.is_some() {
            return job.fail("another collection is under way; ask again when it is done".into());
        }
        self.collection = Some(job);
    }

    /// The journal has taken a snapshot, or could not: what it does not name may go.
    pub(super) fn snapshot_is(&mut self, is_stored: bool) {
        let named = self.named.take().filter(|_| is_stored);
        let swept = named.map_or(Ok(GcReport::default()), |named| self.sweep(&named));
        let Some(mut job) = self.collection.take_if(|job| job.is_storing) else { return };
        match swept {
            Err(error) => job.fail(error),
            Ok(swept) => {
                job.report.objects += swept.objects;
                job.report.object_bytes += swept.object_bytes;
                self.finish(job);
            }
        }
    }

    /// One turn of making the folder keep what is to be kept.
    fn retain(&mut self, keep: &Keep, report: &mut GcReport) -> Result<Left, StoreError> {
        let wanted = self.catalog.not_kept(keep.at(self.clock.now()), TURN_RUNS)?;
        let is_full = wanted.len() == TURN_RUNS;
        let (held, gone): (Vec<_>, Vec<_>) =
            wanted.into_iter().partition(|run| self.known.admitted.contains_key(run));
        let mut left = Left::default();
        for run in held {
            left.is_held |= self.forget(run);
        }
        let mut bytes = 0;
        let mut now = Vec::new();
        for run in gone {
            // The catalog may have heard of a run before this thread has: one that is neither in
            // memory as far as is known here, nor in the archive, is in memory.
            let Some(found) = self.archive.find(run)? else { continue };
            bytes += found.bytes;
            if now.is_empty() || bytes <= TURN_BYTES {
                now.push(run);
            } else {
                left.is_more = true;
            }
        }
        left.is_more |= is_full && !now.is_empty();
        if !now.is_empty() {
            self.remove(&now, report)?;
        }
        Ok(left)
    }

    /// Removes runs that have left memory. The order is that of this file's page.
    fn remove(&mut self, gone: &[RunId], report: &mut GcReport) -> Result<(), StoreError> {
        let oldest = self.oldest_without(&gone.iter().copied().collect())?;
        let mut floor = 0;
        for &run in gone {
            report.history_bytes += self.archive.find(run)?.map_or(0, |found| found.bytes);
            // A damaged history tells nothing, and goes like the others.
            let history = self.archive.read(run).ok().flatten().unwrap_or_default();
            floor = floor.max(log_floor(&history, oldest));
        }
        self.archive.remove(gone)?;
        self.catalog.remove(gone)?;
        report.runs += gone.len() as u64;
        name(gone, report);
        let runs = gone.to_vec();
        let _ = self.driver.send(Event::Discard(Unneeded { runs, ..Unneeded::default() }));
        for run in gone {
            let folder = self.home.work().join(run.to_string());
            report.work_folders += u64::from(fs::remove_dir_all(folder).is_ok());
        }
        for segment in log_segments(&self.home, floor) {
            if fs::remove_file(&segment.path).is_ok() {
                report.log_segments += 1;
                report.log_bytes += segment.bytes;
            }
        }
        Ok(())
    }

    /// The fact of the admission of the oldest run that is not among `gone`; `None` when there is
    /// none.
    fn oldest_without(&mut self, gone: &HashSet<RunId>) -> Result<Option<Seq>, StoreError> {
        let listed = self.catalog.all()?.into_iter().find(|run| !gone.contains(run));
        let held = self.known.admitted.keys().copied().find(|run| !gone.contains(run));
        let Some(run) = listed.into_iter().chain(held).min() else { return Ok(None) };
        if let Some(&seq) = self.known.admitted.get(&run) {
            return Ok(Some(seq));
        }
        if let Some((_, seq)) = self.oldest.filter(|&(known, _)| known == run) {
            return Ok(Some(seq));
        }
        let history = self.archive.read(run).ok().flatten().unwrap_or_default();
        // What cannot be read may have begun with the first fact.
        let seq = history.first().map_or(Seq(0), |entry| entry.seq);
        self.oldest = Some((run, seq));
        Ok(Some(seq))
    }

    /// Lets go of what neither a kept run names nor `named`: what the stored snapshot has, and what
    /// was admitted after it.
    fn sweep(&mut self, named: &HashSet<Digest>) -> Result<GcReport, String> {
        let words = |error: StoreError| error.to_string();
        let mut orphans = self.orphans(&HashSet::new())?;
        orphans.small.retain(|(digest, _)| !named.contains(digest));
        orphans.large.retain(|(digest, _)| !named.contains(digest));
        let mut runs = self.reader.runs_with_outputs().map_err(|error| error.to_string())?;
        let listed: HashSet<_> = self.catalog.all().map_err(words)?.into_iter().collect();
        runs.retain(|run| {
            let is_known = listed.contains(run) || self.known.admitted.contains_key(run);
            *run <= self.known.newest && !is_known
        });
        let ask = |unneeded| self.driver.send(Event::Discard(unneeded));
        for runs in runs.chunks(OBJECTS_AT_ONCE) {
            let _ = ask(Unneeded { runs: runs.to_vec(), ..Unneeded::default() });
        }
        let digests = |some: &[(Digest, u64)]| some.iter().map(|(digest, _)| *digest).collect();
        for some in orphans.small.chunks(OBJECTS_AT_ONCE) {
            let _ = ask(Unneeded { small: digests(some), ..Unneeded::default() });
        }
        for some in orphans.large.chunks(OBJECTS_AT_ONCE) {
            let _ = ask(Unneeded { large: digests(some), ..Unneeded::default() });
        }
        let (objects, object_bytes) = orphans.count();
        Ok(GcReport { objects, object_bytes, ..GcReport::default() })
    }

    /// Objects that nothing names, if the runs of `without` are not counted; but not the histories
    /// of those.
    fn orphans(&self, without: &HashSet<RunId>) -> Result<Orphans, String> {
        let words = |error: StoreError| error.to_string();
        let mut named = self.catalog.named(without).map_err(words)?;
        let small = self.reader.objects().map_err(|error| error.to_string())?;
        let small = small.into_iter().map(|object| (object.digest, object.bytes));
        let small = small.filter(|(digest, _)| !named.contains(digest)).collect();
        let archived = self.archive.list().map_err(words)?;
        named.extend(archived.into_iter().map(|archived| archived.digest));
        let mut large = self.objects.list().map_err(|error| error.to_string())?;
        large.retain(|(digest, _)| !named.contains(digest));
        Ok(Orphans { small, large })
    }

    /// What would go.
    fn preview(&mut self, keep: &Keep) -> Result<GcReport, String> {
        let words = |error: StoreError| error.to_string();
        let kept = keep.at(self.clock.now());
        let gone = self.catalog.not_kept(kept, usize::MAX >> 1).map_err(words)?;
        let without: HashSet<_> = gone.iter().copied().collect();
        let mut history_bytes = 0;
        for &run in &gone {
            let found = self.archive.find(run).map_err(words)?;
            history_bytes += found.map_or(0, |found| found.bytes);
        }
        let oldest = self.oldest_without(&without).map_err(words)?;
        let mut floor = 0;
        for &run in gone.iter().rev().take(PREVIEW_HISTORIES) {
            let history = self.archive.read(run).ok().flatten().unwrap_or_default();
            floor = floor.max(log_floor(&history, oldest));
        }
        let segments = log_segments(&self.home, floor);
        let mut stay = self.catalog.all().map_err(words)?;
        stay.retain(|run| !without.contains(run));
        let orphans = self.orphans(&without)?;
        let (mut objects, mut object_bytes) = orphans.count();
        for (_, length) in self.unneeded_artifacts(&|run| !without.contains(&run))? {
            (objects, object_bytes) = (objects + 1, object_bytes + length);
        }
        let ended = self.catalog.ended().map_err(words)?.len();
        let mut named = GcReport::default();
        name(&gone, &mut named);
        Ok(GcReport {
            runs: gone.len() as u64,
            numbers: named.numbers,
            runs_kept: (ended - gone.len()) as u64,
            history_bytes,
            log_segments: segments.len() as u64,
            log_bytes: segments.iter().map(|segment| segment.bytes).sum(),
            work_folders: work_folders(&self.home, &stay, self.known.newest).len() as u64,
            objects,
            object_bytes,
        })
    }

    /// The work folders that an earlier removal left, and the answer.
    fn finish(&mut self, mut job: Collection) {
        let (Ok(stay), Ok(ended)) = (self.catalog.all(), self.catalog.ended()) else {
            return job.fail("the catalog cannot be read".to_owned());
        };
        let is_kept = |run: RunId| {
            run > self.known.newest
                || stay.binary_search(&run).is_ok()
                || self.known.admitted.contains_key(&run)
        };
        let removed =
            self.unneeded_artifacts(&is_kept).and_then(|gone| self.remove_artifacts(&gone));
        match removed {
            Ok((count, bytes)) => {
                job.report.objects += count;
                job.report.object_bytes += bytes;
            }
            Err(reason) => return job.fail(reason),
        }
        for folder in work_folders(&self.home, &stay, self.known.newest) {
            job.report.work_folders += u64::from(fs::remove_dir_all(folder).is_ok());
        }
        job.report.runs_kept = ended.len() as u64;
        // The driver answers: by then it has let go of what it was asked to.
        let Collection { collect, report, .. } = job;
        // Whoever asked may have gone.
        let answer = move || drop(collect.reply.send(Ok(report)));
        let _ =
            self.driver.send(Event::Question(Box::new(move |_| Box::new(answer)), Patience::None));
    }
}

impl Collection {
    fn fail(self, reason: String) {
        self.collect.refuse(&reason);
    }
}

impl Collect {
    pub(super) fn refuse(self, reason: &str) {
        // Whoever asked may have gone.
        let _ = self.reply.send(Err(reason.to_owned()));
    }
}

impl Orphans {
    fn count(&self) -> (u64, u64) {
        let all = self.small.iter().chain(&self.large);
        all.fold((0, 0), |(count, bytes), (_, length)| (count + 1, bytes + length))
    }
}
