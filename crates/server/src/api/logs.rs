//! The output of a run's tasks: of attempts that have ended as the journal names it, of those under
//! way as their workers say how far it has come, of those that were lost as it is found.

use std::io;
use std::path::PathBuf;

use artifacts::logs::{self, Log, Owner};
use axum::extract::State;
use axum::response::Response;
use model::message::LeaseId;
use model::outcome::LogRef;
use model::{ItemId, ItemKey, RunId, Seq, TaskId, Timestamp};
use protocol::api::{LogsQuery, Time};

use super::Shared;
use super::attempts::{Attempts, Ended, Filter, Reopened};
use super::extract::{Query, Target, task};
use super::lost::{self, Lost};
use super::output::{Origin, Place, Sent, keep_tail, remark};
use super::problem::{self, Refusal};
use super::source::Source;
use super::stream::{Cut, Lines, POLL};
use super::turns::Turns;
use crate::views::{Names, Subject};

/// Bytes of logs that are read at once, a single larger one apart.
const BATCH_BYTES_MAX: u64 = 1 << 20;
/// Logs that are read at once.
const BATCH_LOGS_MAX: usize = 256;

pub(super) async fn logs(
    State(service): State<Shared>,
    target: Target,
    Query(query): Query<LogsQuery>,
) -> Result<Response, Refusal> {
    let (tail, follow) = (query.tail, query.follow);
    let look = service.find(target.run, move |subject, _| {
        let run = subject.run;
        Ok(Wanted {
            run: subject.id,
            names: subject.names.clone(),
            filter: filter(subject, &query)?,
            turns: Turns::new(subject.id, run.graph()),
            admitted: run.admitted_seq(),
            is_retried: run.graph().tasks().any(|task| run.task(task).round().0 > 0),
        })
    });
    let (mut wanted, source) = look.await?;
    let turns = std::mem::take(&mut wanted.turns);
    let (mut lines, response) = service.stream();
    let attempts = Attempts::new(wanted.run, wanted.filter, turns);
    let after = Seq(wanted.admitted.0.saturating_sub(1));
    let dir = service.context.home.logs();
    let reopened = Vec::new();
    let reader = Reader { service, source, wanted, tail, dir, attempts, after, reopened };
    tokio::spawn(async move {
        let ended = reader.read(&mut lines, follow).await;
        lines.finish(ended).await;
    });
    Ok(response)
}

fn filter(subject: &Subject<'_>, query: &LogsQuery) -> Result<Filter, Refusal> {
    let Some(name) = query.task.as_deref() else {
        if query.item.is_some() {
            return Err(problem::bad_request("an item is named without its task"));
        }
        let &LogsQuery { attempt, round, all, .. } = query;
        return Ok(Filter { attempt, round, all, ..Filter::default() });
    };
    let task = task(subject, name)?;
    let rounds = subject.run.task(task).round().0 + 1;
    if let Some(round) = query.round.filter(|&round| round >= rounds) {
        return Err(problem::no_such_round(subject.id, u32::from(round) + 1, rounds));
    }
    let item = query.item.map(ItemId);
    let only = item.or(subject.run.fan(task).is_none().then_some(ItemId(0)));
    if let Some(item) = only {
        let state = subject.run.item(task, item);
        let state = state.ok_or_else(|| problem::no_such_item(subject.id, name, item.0))?;
        let attempts = state.attempts().0;
        // Of earlier rounds it is not kept how many there were.
        let is_now = rounds == 1 || query.round.is_some_and(|round| round + 1 == rounds);
        if is_now
            && let Some(attempt) =
                query.attempt.filter(|&attempt| attempt == 0 || attempt > attempts)
        {
            return Err(problem::no_such_attempt(subject.id, attempt, attempts));
        }
    }
    let &LogsQuery { attempt, round, all, .. } = query;
    Ok(Filter { task: Some(task), item, attempt, round, all })
}

/// What is to be read.
struct Wanted {
    run: RunId,
    names: Names,
    filter: Filter,
    turns: Turns,
    admitted: Seq,
    is_retried: bool,
}

/// Where attempts stand at a moment.
struct Standing {
    /// The last fact.
    last: Seq,
    /// Whether nothing more will be written.
    has_ended: bool,
    /// How far the output of what is under way has come.
    live: Vec<(LeaseId, LogRef)>,
    /// What workers hold, and whether it is known to have started.
    held: Vec<(LeaseId, bool)>,
    /// The time.
    now: Timestamp,
}

/// The log of an attempt that is to be read.
struct Job {
    origin: Origin,
    owner: Owner,
    log: LogRef,
    sent: Sent,
    /// When the attempt was lost, if it was.
    lost_at: Option<Timestamp>,
}

struct Reader {
    service: Shared,
    source: Source,
    wanted: Wanted,
    tail: Option<u64>,
    dir: PathBuf,
    attempts: Attempts,
    /// The facts have been read up to here.
    after: Seq,
    /// Turns that were opened by hand before anything was read.
    reopened: Vec<Reopened>,
}

impl Reader {
    async fn read(mut self, lines: &mut Lines, follow: bool) -> Result<(), Cut> {
        if self.wanted.is_retried {
            self.find_reopened().await?;
        }
        let mut only_last = self.wanted.filter.only_last();
        loop {
            let standing = self.standing().await?;
            self.read_ended(standing.last, only_last, lines).await?;
            self.read_live(standing.live, lines).await?;
            if standing.has_ended || !follow {
                return self.read_left(standing.held, standing.now, lines).await;
            }
            // From now on whatever is written is news.
            only_last = false;
            lines.pause(POLL).await?;
        }
    }

    /// Finds out which attempts were followed by a retry by hand, and in which rounds the tasks
    /// were before the first fact.
    async fn find_reopened(&mut self) -> Result<(), Cut> {
        let mut after = self.after;
        let look = self.service.about(self.wanted.run.into(), |subject, view| {
            let run = subject.run;
            let rounds = run.graph().tasks().map(|task| (task, run.task(task).round().0));
            Ok((view.engine.state().last(), rounds.filter(|&(_, round)| round > 0).collect()))
        });
        let (last, actual): (Seq, Vec<_>) = look.await?;
        let mut counted = self.attempts.turns().clone();
        while after < last {
            let page = self.service.facts(&self.source, &mut after).await?;
            for entry in page.iter().take_while(|entry| entry.seq <= last) {
                counted.take(entry);
                self.reopened.extend(Reopened::of(entry, self.wanted.run));
            }
        }
        self.attempts.turns().begin_before(&counted, &actual);
        Ok(())
    }

    async fn standing(&self) -> Result<Standing, Cut> {
        let (id, filter) = (self.wanted.run, self.wanted.filter);
        let look = self.service.about(id.into(), move |subject, view| {
            let state = view.engine.state();
            let first = ItemKey { run: id, task: TaskId(0), item: ItemId(0) };
            let held = state.workers().flat_map(|(_, worker)| {
                worker.items.range(first..).take_while(|key| key.run == id).copied()
            });
            let held = held.filter(|key| filter.wants((key.task, key.item)));
            let mut live = Vec::new();
            let mut all = Vec::new();
            for item in held {
                let Some(lease) = state.lease(item) else { continue };
                let id = LeaseId { item, token: lease.token };
                live.extend(view.live_logs.get(id).map(|log| (id, log)));
                all.push((id, lease.started_at.is_some()));
            }
            let task_ended =
                filter.task.is_some_and(|task| subject.run.task(task).status().is_final());
            let has_ended = subject.run.status().is_final() || task_ended;
            Ok(Standing { last: state.last(), has_ended, live, held: all, now: view.now })
        });
        Ok(look.await?)
    }

    /// Reads what ended up to `last`; with `only_last`, only the last attempt of each item.
    async fn read_ended(
        &mut self,
        last: Seq,
        only_last: bool,
        lines: &mut Lines,
    ) -> Result<(), Cut> {
        while self.after < last {
            let page = self.service.facts(&self.source, &mut self.after).await?;
            let mut ended = Vec::new();
            for entry in &page {
                let attempts = self.attempts.take(entry).into_iter();
                ended.extend(attempts.filter(|attempt| self.is_wanted(entry.seq, attempt)));
            }
            if only_last {
                ended = self.without_repeated(ended).await?;
            }
            let mut jobs = Vec::new();
            let mut lost = Vec::new();
            for ended in ended {
                match (ended.log, ended.lost, ended.token) {
                    (Some(log), ..) => jobs.push(self.job(ended, log)),
                    (None, Some(times), Some(token)) => {
                        let lease = LeaseId { item: self.key(ended.place), token };
                        let which = (ended.attempt, ended.round);
                        lost.push(self.lost((lease, times), which, ended.sent));
                    }
                    _ => {}
                }
            }
            self.send(jobs, lines).await?;
            self.send_lost(lost, lines).await?;
        }
        Ok(())
    }

    fn is_wanted(&self, seq: Seq, ended: &Ended) -> bool {
        let filter = self.wanted.filter;
        let is_outdated = || self.reopened.iter().any(|round| round.outdates(seq, ended));
        filter.wants_attempt(ended.attempt, ended.round)
            && (filter.wants_outdated() || !is_outdated())
    }

    /// Leaves out the attempts that were followed by another.
    async fn without_repeated(&self, ended: Vec<Ended>) -> Result<Vec<Ended>, Cut> {
        if ended.iter().all(|attempt| attempt.is_final) {
            return Ok(ended);
        }
        let look = self.service.about(self.wanted.run.into(), move |subject, _| {
            let is_last = |ended: &Ended| {
                let (task, item) = ended.place;
                let item = subject.run.item(task, item);
                let is_now = subject.run.task(task).round().0 == ended.round;
                let is_last = is_now && item.is_none_or(|item| item.attempts().0 <= ended.attempt);
                ended.is_final || is_last
            };
            Ok(ended.into_iter().filter(is_last).collect())
        });
        Ok(look.await?)
    }

    fn key(&self, (task, item): Place) -> ItemKey {
        ItemKey { run: self.wanted.run, task, item }
    }

    fn job(&self, ended: Ended, log: LogRef) -> Job {
        let origin = self.origin(ended.place, (ended.attempt, ended.round));
        let owner = Owner { item: self.key(ended.place), token: ended.token };
        Job { origin, owner, log, sent: ended.sent, lost_at: None }
    }

    fn lost(
        &self,
        (lease, (since, until)): (LeaseId, (Timestamp, Timestamp)),
        which: (u16, u16),
        sent: Sent,
    ) -> Lost {
        let origin = self.origin((lease.item.task, lease.item.item), which);
        Lost { origin, lease, since, until, has_started: true, sent }
    }

    /// Reads what attempts have left that nobody goes on with.
    async fn read_left(
        &mut self,
        held: Vec<(LeaseId, bool)>,
        now: Timestamp,
        lines: &mut Lines,
    ) -> Result<(), Cut> {
        let home = self.service.context.home.clone();
        if held.is_empty() || !blocking(move || lost::nobody_holds(&home)).await? {
            return Ok(());
        }
        let mut left = Vec::new();
        for (lease, has_started) in held {
            let Some(open) = self.attempts.open((lease.item.task, lease.item.item)) else {
                continue;
            };
            let (attempt, since, sent) = (open.attempts, open.since, open.sent.clone());
            let is_it = open.token == lease.token;
            let round = self.attempts.round(lease.item.task);
            if is_it && self.wanted.filter.wants_attempt(attempt, round) {
                let lost = self.lost((lease, (since, now)), (attempt, round), sent);
                left.push(Lost { has_started, ..lost });
            }
        }
        self.send_lost(left, lines).await
    }

    /// Looks for the output of lost attempts, and sends it.
    async fn send_lost(&self, lost: Vec<Lost>, lines: &mut Lines) -> Result<(), Cut> {
        if lost.is_empty() {
            return Ok(());
        }
        let dir = self.dir.clone();
        let (lost, found) = blocking(move || {
            let found = lost::find(&dir, &lost);
            (lost, found)
        })
        .await?;
        // A folder that cannot be read is told of where a log that is known is read from it.
        let found = found.unwrap_or_else(|_| vec![LogRef::default(); lost.len()]);
        let told = lost.into_iter().zip(found);
        let told = told.filter(|(lost, log)| lost.has_started || log.frames > 0);
        let jobs = told.map(|(lost, log)| Job {
            origin: lost.origin,
            owner: Owner { item: lost.lease.item, token: Some(lost.lease.token) },
            log,
            sent: lost.sent,
            lost_at: Some(lost.until),
        });
        self.send(jobs.collect(), lines).await
    }

    fn origin(&self, (task, item): Place, (attempt, round): (u16, u16)) -> Origin {
        let names = &self.wanted.names;
        let item = names.has_item(task, item).then_some(item.0);
        Origin { task: names.task(task), item, attempt, round }
    }

    /// Reads the logs of attempts that have ended to their end.
    async fn send(&self, jobs: Vec<Job>, lines: &mut Lines) -> Result<(), Cut> {
        let mut jobs = jobs.into_iter().peekable();
        while jobs.peek().is_some() {
            let mut batch = Vec::new();
            let mut bytes = 0;
            while let Some(job) =
                jobs.next_if(|job| batch.is_empty() || bytes + job.log.bytes <= BATCH_BYTES_MAX)
            {
                bytes += job.log.bytes;
                batch.push(job);
                if batch.len() == BATCH_LOGS_MAX {
                    break;
                }
            }
            for (job, log) in self.load(batch).await? {
                self.send_whole(job, log, lines).await?;
            }
        }
        Ok(())
    }

    async fn send_whole(
        &self,
        mut job: Job,
        log: io::Result<Log>,
        lines: &mut Lines,
    ) -> Result<(), Cut> {
        let is_begun = job.sent.frames > 0;
        let (frames, damage) = match log {
            Ok(log) => (log.chunks, log.damage),
            Err(error) => (Vec::new(), Some(format!("the log cannot be read: {error}"))),
        };
        let first = frames.first().map_or_else(Time::default, |frame| Time(frame.at));
        let mut chunks = job.sent.take(&job.origin, frames);
        chunks.extend(job.sent.end(chunks.last()));
        if let Some(tail) = self.tail.filter(|_| !is_begun) {
            keep_tail(&mut chunks, tail);
        }
        if let Some(damage) = damage {
            lines.send(&remark(&job.origin, first, format!("{damage}\n"))).await?;
        }
        for chunk in &chunks {
            lines.send(chunk).await?;
        }
        if let Some(at) = job.lost_at {
            lines.send(&lost::last_word(&job.origin, at, job.sent.frames)).await?;
        }
        Ok(())
    }

    /// Reads what attempts under way have written since the last look.
    async fn read_live(
        &mut self,
        live: Vec<(LeaseId, LogRef)>,
        lines: &mut Lines,
    ) -> Result<(), Cut> {
        let mut jobs = Vec::new();
        for (lease, log) in live {
            let place = (lease.item.task, lease.item.item);
            let Some(open) = self.attempts.open(place) else { continue };
            let (attempt, sent) = (open.attempts, open.sent.clone());
            let is_news = open.token == lease.token && log.frames > sent.frames;
            let round = self.attempts.round(lease.item.task);
            if is_news && self.wanted.filter.wants_attempt(attempt, round) {
                let owner = Owner { item: lease.item, token: Some(lease.token) };
                let origin = self.origin(place, (attempt, round));
                jobs.push((place, Job { origin, owner, log, sent, lost_at: None }));
            }
        }
        for (place, job) in jobs {
            for (mut job, log) in self.load(vec![job]).await? {
                // What is not on the disk yet is read the next time.
                let Some(log) = log.ok().filter(|log| log.damage.is_none()) else { continue };
                let is_begun = job.sent.frames > 0;
                let mut chunks = job.sent.take(&job.origin, log.chunks);
                if let Some(tail) = self.tail.filter(|_| !is_begun) {
                    keep_tail(&mut chunks, tail);
                }
                for chunk in &chunks {
                    lines.send(chunk).await?;
                }
                if let Some(open) = self.attempts.open(place) {
                    open.sent = job.sent;
                }
            }
        }
        Ok(())
    }

    /// Reads log files.
    async fn load(&self, jobs: Vec<Job>) -> Result<Vec<(Job, io::Result<Log>)>, Cut> {
        let dir = self.dir.clone();
        blocking(move || {
            let read = |job: Job| {
                let log = logs::read(&dir, job.log, job.owner, job.sent.frames);
                (job, log)
            };
            jobs.into_iter().map(read).collect()
        })
        .await
    }
}

/// Does something on a thread that may wait for the disk.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Cut> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Cut::Ending)
}
