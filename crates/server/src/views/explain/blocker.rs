//! What is said of each thing that keeps a task from starting, and of what would let it start.

use model::ItemKey;
use model::fact::PauseCause;
use model::wait::{Blocker, Lack, Miss, Shortfall};

use super::super::words::{listed, money, plural, quota, trouble};
use super::{NAMED_MAX, Text};

impl Text<'_, '_> {
    pub(super) fn blocker(&self, blocker: &Blocker) -> String {
        match blocker {
            Blocker::Dependency { task, status } => {
                format!("it depends on {}, which is {status}", self.subject.names.task(*task))
            }
            Blocker::Question => "its condition, items or rules are being worked out".to_owned(),
            Blocker::Person { until } => {
                let what = match self.subject.names.awaited(self.key.task) {
                    Some(spec::Awaited::Signal) => "a signal",
                    _ => "an approval",
                };
                match until {
                    None => format!("it waits for {what}"),
                    Some(until) => {
                        let span = until.since(self.subject.now);
                        format!("it waits for {what}, for {span} more")
                    }
                }
            }
            Blocker::Time { until } => {
                format!("it waits for {} more", until.since(self.subject.now))
            }
            Blocker::TaskConcurrency { limit } => {
                let items = plural(u64::from(*limit), "item");
                format!("its task has {items} under way, which is its limit")
            }
            Blocker::Handler => "it runs when all other tasks of the run have ended".to_owned(),
            Blocker::Run(status) => format!("its run is {status}, nothing of it starts"),
            Blocker::Paused { cause, cost_micro, limit_micro } => {
                paused(*cause, *cost_micro, *limit_micro)
            }
            Blocker::Breaker { .. } => self.breaker(blocker),
            Blocker::Backoff { until } => {
                let span = until.since(self.subject.now);
                format!("its last attempt ended badly, the next one may start in {span}")
            }
            Blocker::Concurrency { limit } => {
                let attempts = plural(u64::from(*limit), "attempt");
                format!("its run has {attempts} under way, which is its limit")
            }
            Blocker::Lock { name, limit, holders } => self.lock(name, *limit, holders),
            Blocker::Budget { name, until } => {
                let span = until.since(self.subject.now);
                format!("the rate {name} is used up, there is enough again in {span}")
            }
            Blocker::Queue { queue, resource, asked, used, limit } => {
                let [asked, used, limit] =
                    [*asked, *used, *limit].map(|value| quota(resource, value));
                format!("the queue {queue} has {used}, of at most {limit}, and it asks for {asked}")
            }
            Blocker::Members { left } => {
                format!("{} of its gang have to end first", plural(u64::from(*left), "member"))
            }
            Blocker::NoWorker
            | Blocker::Silent
            | Blocker::Behind { .. }
            | Blocker::Reserved
            | Blocker::Kept { .. }
            | Blocker::Apart { .. }
            | Blocker::Faster { .. }
            | Blocker::NoRoom { .. }
            | Blocker::Gang { .. }
            | Blocker::Oversized { .. }
            | Blocker::NeverFits { .. } => self.room(blocker),
        }
    }

    /// Why no worker has it.
    fn room(&self, blocker: &Blocker) -> String {
        match blocker {
            Blocker::NoWorker => "no worker is connected".to_owned(),
            Blocker::Silent => "no worker takes new work: none has been heard of lately".to_owned(),
            Blocker::Behind { items, tasks } => {
                let goes = if *items == 1 { "goes" } else { "go" };
                format!("{} of {} {goes} first", plural(*items, "item"), plural(*tasks, "task"))
            }
            Blocker::Reserved => {
                "what room there is is kept for others that have waited longer".to_owned()
            }
            Blocker::Kept { worker, amounts } => {
                let kept = amounts.iter().map(|(resource, value)| quota(resource, *value));
                let (kept, name) = (kept.collect::<Vec<_>>().join(", "), self.worker(*worker));
                let is_one = amounts.len() == 1 && kept.starts_with("1 ");
                let (kept, are) = match amounts.len() {
                    0 => ("what is free".to_owned(), "is"),
                    _ => (kept, if is_one { "is" } else { "are" }),
                };
                format!("{kept} {are} kept for critical work on worker {name}")
            }
            Blocker::Apart { domain } => {
                format!("its items stay together by {domain}, and there is no room where they run")
            }
            Blocker::Faster { worker, at } => {
                let (name, span) = (self.worker(*worker), at.since(self.subject.now));
                format!("worker {name} is busy, and ends it soonest: room there in about {span}")
            }
            Blocker::NoRoom { misses } => self.misses(misses, |miss| self.has_no_room(miss)),
            Blocker::Gang { members, room, misses, .. } => {
                let rest = self.misses(misses, |miss| self.has_no_room(miss));
                format!("{room} of {members} members have room; {rest}")
            }
            Blocker::Oversized { members, largest, fails_at } => {
                let span = fails_at.since(self.subject.now);
                format!(
                    "it has {members} members, and {largest} at most can run together; it fails in \
                     {span}"
                )
            }
            Blocker::NeverFits { misses, fails_at } => {
                let sizes = self.misses(misses, |miss| self.never_fits(miss));
                format!("{sizes}; it fails in {}", fails_at.since(self.subject.now))
            }
            _ => String::new(),
        }
    }

    fn lock(&self, name: &str, limit: u32, holders: &[ItemKey]) -> String {
        let holders = self.holders(holders);
        format!("{limit} at a time may hold the lock {name}; it is held by {holders}")
    }

    /// Why a circuit breaker lets it not through.
    fn breaker(&self, blocker: &Blocker) -> String {
        let Blocker::Breaker { name, until, failures, last, trials } = blocker else {
            return String::new();
        };
        let last = trouble(*last).unwrap_or_else(|| "unknown".to_owned());
        let failures = plural(u64::from(*failures), "failure");
        match until {
            Some(until) => {
                let span = until.since(self.subject.now);
                format!(
                    "the breaker {name} is open for {span} more: {failures} in a row, the last: \
                     {last}"
                )
            }
            None => {
                let trials = plural(u64::from(*trials), "attempt");
                format!(
                    "the breaker {name} lets {trials} at a time try, after {failures} in a row, \
                     the last: {last}"
                )
            }
        }
    }

    /// Who holds a lock, in whatever run. The engine may have named only the first of them.
    fn holders(&self, holders: &[ItemKey]) -> String {
        if holders.is_empty() {
            return "others".to_owned();
        }
        let named = holders.iter().take(NAMED_MAX).map(|&item| self.subject.item_anywhere(item));
        listed(named.collect(), holders.len())
    }

    fn misses(&self, misses: &[Miss], say: impl Fn(&Miss) -> String) -> String {
        let said = misses.iter().take(NAMED_MAX);
        let said = said.map(|miss| format!("worker {}: {}", self.worker(miss.worker), say(miss)));
        let mut said: Vec<_> = said.collect();
        if misses.len() > said.len() {
            said.push(plural((misses.len() - said.len()) as u64, "more worker"));
        }
        let said = if said.is_empty() { "no worker has room".to_owned() } else { said.join("; ") };
        let alternatives = self.subject.run.graph().policy(self.key.task).alternatives.len();
        match alternatives {
            0 => said,
            1 => format!("{said} (of what it says and its alternative what comes nearest)"),
            count => {
                format!("{said} (of what it says and its {count} alternatives what comes nearest)")
            }
        }
    }

    /// What would let it start, to follow "what would let it start: ".
    pub(super) fn unblock(&self, blockers: &[Blocker]) -> Option<String> {
        let nearest = |misses: &[Miss], has: fn(&Shortfall) -> u64| {
            let short = misses.iter().filter_map(|miss| match &miss.lack {
                Lack::Amount(short) => Some((miss, short)),
                Lack::Site(_) => None,
            });
            let (miss, short) =
                short.min_by_key(|(_, short)| short.asked.saturating_sub(has(short)))?;
            let (way, missing) = (miss.variant, short.asked.saturating_sub(has(short)));
            let (missing, asked) = (self.missing(way, short, missing), self.asked(way, short));
            Some((missing, asked, self.worker(miss.worker)))
        };
        Some(match blockers.first()? {
            Blocker::Dependency { .. } => {
                format!("the success of {}", self.dependencies(blockers))
            }
            Blocker::Question => "the answer, in a moment".to_owned(),
            Blocker::Person { .. } => self.who_answers(),
            Blocker::TaskConcurrency { .. } => "the end of an item of its task".to_owned(),
            Blocker::Handler => "the end of all other tasks of the run".to_owned(),
            Blocker::Run(_) => "nothing while its run stands so".to_owned(),
            Blocker::Paused { cause, .. } => self.unpause(*cause),
            Blocker::Breaker { until: None, .. } => "an attempt that succeeds".to_owned(),
            Blocker::Backoff { until } => {
                format!("the end of its pause in {}", until.since(self.subject.now))
            }
            Blocker::Concurrency { .. } => "the end of an attempt of its run".to_owned(),
            Blocker::Lock { holders, .. } => format!("the end of {}", self.holders(holders)),
            Blocker::Time { until }
            | Blocker::Budget { until, .. }
            | Blocker::Breaker { until: Some(until), .. } => {
                format!("time: {}", until.since(self.subject.now))
            }
            Blocker::Queue { queue, .. } => {
                format!("the end of work of the queue {queue}, or a higher limit for it")
            }
            Blocker::NoWorker => "a worker that connects".to_owned(),
            Blocker::Silent => "a worker that is heard of again".to_owned(),
            Blocker::Behind { .. } => "the start of what goes first".to_owned(),
            Blocker::Kept { .. } => "the end of other work, or keeping less".to_owned(),
            Blocker::Apart { .. } => {
                "the end of work where its items run, or of all those items".to_owned()
            }
            Blocker::Reserved => "the start of those that have waited longer".to_owned(),
            Blocker::Faster { worker, .. } => {
                format!("the end of work on worker {}", self.worker(*worker))
            }
            Blocker::NoRoom { misses } => match nearest(misses, |miss| miss.free) {
                Some((short, _, worker)) => {
                    format!("the end of work that frees {short} more on worker {worker}")
                }
                None => "the end of work that frees room".to_owned(),
            },
            gang @ (Blocker::Members { .. } | Blocker::Gang { .. } | Blocker::Oversized { .. }) => {
                self.unblock_gang(gang)
            }
            Blocker::NeverFits { misses, .. } => match nearest(misses, |miss| miss.capacity) {
                Some((_, asked, _)) => {
                    format!("a worker with at least {asked}, or asking for less")
                }
                None if misses.is_empty() => "a larger worker".to_owned(),
                None => "a worker with the labels that it selects, and no other taint".to_owned(),
            },
        })
    }

    /// What lets a paused run go on.
    fn unpause(&self, cause: PauseCause) -> String {
        let run = self.subject.id;
        match cause {
            PauseCause::Asked => format!("`autoglm resume {run}`"),
            PauseCause::CostLimit => format!(
                "a higher limit: `autoglm edit {run} --set cost_limit=...`, then `autoglm resume \
                 {run}`"
            ),
        }
    }

    /// What would let a gang start.
    fn unblock_gang(&self, blocker: &Blocker) -> String {
        match blocker {
            Blocker::Members { .. } => "the end of the others of its gang".to_owned(),
            Blocker::Gang { at: Some(at), .. } => {
                let span = at.since(self.subject.now);
                format!("the room that is reserved for all of it, in about {span}")
            }
            Blocker::Oversized { .. } => {
                "more workers or higher limits, or a smaller gang".to_owned()
            }
            _ => "the end of work that frees room for all of it at once".to_owned(),
        }
    }
}

/// Why nothing of a run starts that is paused.
fn paused(cause: PauseCause, cost_micro: u64, limit_micro: Option<u64>) -> String {
    match cause {
        PauseCause::Asked => "its run is paused, nothing of it starts".to_owned(),
        PauseCause::CostLimit => {
            let [cost, limit] = [cost_micro, limit_micro.unwrap_or(cost_micro)].map(money);
            format!("its run is paused: its attempts have cost {cost}, of at most {limit}")
        }
    }
}

/// The kind of a blocker, as programs tell them apart.
pub(super) const fn kind(blocker: &Blocker) -> &'static str {
    match blocker {
        Blocker::Dependency { .. } => "dependency",
        Blocker::Question => "question",
        Blocker::Person { .. } => "person",
        Blocker::Time { .. } => "time",
        Blocker::TaskConcurrency { .. } => "task_concurrency",
        Blocker::Handler => "handler",
        Blocker::Run(_) => "run",
        Blocker::Backoff { .. } => "backoff",
        Blocker::Concurrency { .. } => "concurrency",
        Blocker::Lock { .. } => "lock",
        Blocker::Budget { .. } => "budget",
        Blocker::Breaker { .. } => "breaker",
        Blocker::Paused { .. } => "paused",
        Blocker::Queue { .. } => "queue",
        Blocker::NoWorker | Blocker::Silent => "no_worker",
        Blocker::Behind { .. } => "behind",
        Blocker::Reserved => "reserved",
        Blocker::Kept { .. } => "kept",
        Blocker::Apart { .. } => "apart",
        Blocker::Faster { .. } => "faster",
        Blocker::NoRoom { .. } => "no_room",
        Blocker::Members { .. } => "members",
        Blocker::Gang { .. } => "gang",
        Blocker::NeverFits { .. } | Blocker::Oversized { .. } => "never_fits",
    }
}
