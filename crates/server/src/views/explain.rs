//! Why something waits, where it runs, or how it ended: the engine's blockers in plain words.
//!
//! Reasons are the planner's own refusals; here they only get names, numbers and units.

use model::fact::{PauseCause, StopCause};
use model::wait::{Blocker, Miss};
use model::{ItemId, ItemKey, RunStatus, TaskId, TaskStatus, WorkerId};
use protocol::api;

use super::bounds::limits;
use super::skips::why_skipped;
use super::subject::Subject;
use super::words::{amount, listed, money, plural, trouble};

/// Blockers that are spelled out; more are counted.
const BLOCKERS_MAX: usize = 100;
/// Names in one sentence.
const NAMED_MAX: usize = 3;

/// Explains an item of a task; without one, the item that has come least far. `None` if there is
/// no such item.
pub(crate) fn explain(
    subject: &Subject<'_>,
    task: TaskId,
    item: Option<u32>,
) -> Option<api::Explanation> {
    let fan = subject.run.fan(task);
    let item = match item {
        Some(item) => ItemId(item),
        None => fan.map_or(ItemId(0), |_| least_far(subject, task)),
    };
    let key = subject.key(task).item(item);
    let text = Text { subject, key };
    let Some(explained) = subject.engine.explain(key) else {
        let is_empty = fan.is_some_and(|fan| fan.items().is_empty()) && item == ItemId(0);
        return is_empty.then(|| text.of_no_items(task));
    };
    let blockers = &explained.blockers;
    Some(api::Explanation {
        run: subject.id,
        task: subject.names.task(task),
        item: fan.map(|_| item.0),
        status: explained.status,
        summary: text.summary(explained.status, blockers),
        reason: None,
        decided: None,
        blockers: text.blockers(blockers),
        position: explained.ahead.map(|ahead| ahead.items),
        position_tasks: explained.ahead.map(|ahead| ahead.tasks),
        unblock: text.unblock(blockers),
        placed: text.placement(),
        limits: limits(subject, task, text.lease().map(|lease| lease.worker)),
    })
}

/// The first item of a fan-out in the earliest status that any has.
fn least_far(subject: &Subject<'_>, task: TaskId) -> ItemId {
    let Some(fan) = subject.run.fan(task) else { return ItemId(0) };
    let earliest = fan.tally().iter().next().map(|(status, _)| status);
    let found = (0..).zip(fan.items()).find(|(_, item)| Some(item.status()) == earliest);
    ItemId(found.map_or(0, |(number, _)| number))
}

/// Sentences about one item.
struct Text<'s, 'a> {
    subject: &'s Subject<'a>,
    key: ItemKey,
}

impl Text<'_, '_> {
    /// A fan-out whose list is empty: the status of the task is all there is.
    fn of_no_items(&self, task: TaskId) -> api::Explanation {
        api::Explanation {
            run: self.subject.id,
            task: self.subject.names.task(task),
            item: None,
            status: self.subject.run.task(task).status(),
            summary: "its list of items is empty".to_owned(),
            reason: None,
            decided: None,
            blockers: Vec::new(),
            position: None,
            position_tasks: None,
            unblock: None,
            placed: None,
            limits: None,
        }
    }

    /// One sentence, to follow "it is ready: ".
    fn summary(&self, status: TaskStatus, blockers: &[Blocker]) -> String {
        match status {
            TaskStatus::Pending | TaskStatus::Ready | TaskStatus::Retrying => {
                self.waiting(status, blockers)
            }
            TaskStatus::Leased => {
                format!("worker {} has it and starts it when it has room", self.worker_name())
            }
            TaskStatus::Running if let [first, ..] = blockers => self.blocker(first),
            TaskStatus::Running => match self.lease().and_then(|lease| lease.started_at) {
                Some(started) => {
                    let span = self.subject.now.since(started);
                    match self.subject.names.looked_for(self.key.task) {
                        Some(what) => format!("it waits for {what}, and has for {span}"),
                        None => format!("it has run on worker {} for {span}", self.worker_name()),
                    }
                }
                None => "it runs".to_owned(),
            },
            TaskStatus::Succeeded => format!("it succeeded{}", self.after_attempts()),
            TaskStatus::Failed => {
                let trouble = self.subject.run.task(self.key.task).trouble().and_then(trouble);
                let trouble = trouble.unwrap_or_else(|| "no attempt succeeded".to_owned());
                let fan = self.subject.run.fan(self.key.task);
                // Of a task the last failure is kept, and not that of each item.
                match fan.map_or(0, |fan| fan.tally().of(TaskStatus::Failed)) {
                    0 | 1 => format!("{trouble}{}", self.after_attempts()),
                    failed => format!(
                        "no attempt succeeded{}; of the {failed} items that failed the last did \
                         so with: {trouble}",
                        self.after_attempts()
                    ),
                }
            }
            TaskStatus::TimedOut if self.subject.names.awaited(self.key.task).is_some() => {
                "nobody answered it in time".to_owned()
            }
            TaskStatus::TimedOut => self.timed_out(),
            TaskStatus::Cancelled => self.cancelled(),
            TaskStatus::Skipped => {
                why_skipped(self.subject.run, self.key.task, &self.subject.names)
            }
            TaskStatus::Terminated => "its run was terminated before it could end".to_owned(),
        }
    }

    fn timed_out(&self) -> String {
        let policy = self.subject.run.graph().policy(self.key.task);
        match (policy.timeout, self.subject.names.heartbeat(self.key.task)) {
            (Some(limit), None) => format!("it ran longer than its limit of {limit}"),
            (Some(limit), Some(silence)) => {
                format!("it ran longer than its limit of {limit}, or was silent for {silence}")
            }
            (None, Some(silence)) if policy.deadline.is_none() => {
                format!("it was silent for {silence}")
            }
            (None, _) => "it ran out of time".to_owned(),
        }
    }

    fn waiting(&self, status: TaskStatus, blockers: &[Blocker]) -> String {
        match blockers {
            [] if status == TaskStatus::Pending => "what it depends on is about to end".to_owned(),
            [] => "nothing keeps it, it starts next".to_owned(),
            [Blocker::Dependency { .. }, ..] => {
                format!("it waits for {}", self.dependencies(blockers))
            }
            [Blocker::NoRoom { .. }, ..] => "no worker has room for it".to_owned(),
            [Blocker::NeverFits { .. }, ..] => "it is too large for every worker".to_owned(),
            [first, ..] => self.blocker(first),
        }
    }

    fn dependencies(&self, blockers: &[Blocker]) -> String {
        let tasks = blockers.iter().filter_map(|blocker| match blocker {
            Blocker::Dependency { task, .. } => Some(*task),
            _ => None,
        });
        let total = tasks.clone().count();
        self.subject.names.some(tasks, total)
    }

    fn cancelled(&self) -> String {
        let why = match self.subject.run.cause() {
            Some(StopCause::TaskFailed) => "another task of its run failed",
            Some(StopCause::TimedOut) => "its run ran out of time",
            Some(StopCause::Stopped) => "its run was stopped",
            Some(StopCause::Terminated) => "its run was terminated",
            None => "its run ended",
        };
        format!("{why} before it could end")
    }

    fn after_attempts(&self) -> String {
        let item = self.subject.run.item(self.key.task, self.key.item);
        match item.map_or(0, |item| item.attempts().0) {
            0 | 1 => String::new(),
            attempts => format!(" after {attempts} attempts"),
        }
    }

    fn blockers(&self, blockers: &[Blocker]) -> Vec<api::Blocker> {
        let mut shown: Vec<_> = blockers
            .iter()
            .take(BLOCKERS_MAX)
            .map(|blocker| api::Blocker {
                kind: kind(blocker).to_owned(),
                text: self.blocker(blocker),
            })
            .collect();
        let more = blockers.len() - shown.len();
        if more > 0 {
            let text = format!("it depends on {more} more tasks that have not succeeded");
            shown.push(api::Blocker { kind: "dependency".to_owned(), text });
        }
        shown
    }

    fn blocker(&self, blocker: &Blocker) -> String {
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
            Blocker::Run(RunStatus::Running) => {
                "no worker takes new work: none has been heard of lately".to_owned()
            }
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
            Blocker::NoWorker => "no worker is connected".to_owned(),
            Blocker::Behind { items, tasks } => {
                let goes = if *items == 1 { "goes" } else { "go" };
                format!("{} of {} {goes} first", plural(*items, "item"), plural(*tasks, "task"))
            }
            Blocker::Reserved => {
                "what room there is is kept for others that have waited longer".to_owned()
            }
            Blocker::Faster { worker, at } => {
                let (name, span) = (self.worker(*worker), at.since(self.subject.now));
                format!("worker {name} is busy, and ends it soonest: room there in about {span}")
            }
            Blocker::NoRoom { misses } => self.misses(misses, |miss| {
                let (asked, free) = (&miss.asked, &miss.free);
                let capacity = amount(&miss.resource, miss.capacity);
                let [asked, free] = [asked, free].map(|&value| amount(&miss.resource, value));
                format!("it asks for {asked}, {free} of {capacity} are free")
            }),
            Blocker::NeverFits { misses, fails_at } => {
                let sizes = self.misses(misses, |miss| {
                    let [asked, capacity] =
                        [miss.asked, miss.capacity].map(|value| amount(&miss.resource, value));
                    format!("it asks for {asked}, there are {capacity} in all")
                });
                format!("{sizes}; it fails in {}", fails_at.since(self.subject.now))
            }
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
        if said.is_empty() { "no worker has room".to_owned() } else { said.join("; ") }
    }

    /// What would let it start, to follow "what would let it start: ".
    fn unblock(&self, blockers: &[Blocker]) -> Option<String> {
        let nearest = |misses: &[Miss], has: fn(&Miss) -> u64| {
            let miss = misses.iter().min_by_key(|miss| miss.asked.saturating_sub(has(miss)))?;
            let short = amount(&miss.resource, miss.asked.saturating_sub(has(miss)));
            Some((short, amount(&miss.resource, miss.asked), self.worker(miss.worker)))
        };
        Some(match blockers.first()? {
            Blocker::Dependency { .. } => {
                format!("the success of {}", self.dependencies(blockers))
            }
            Blocker::Question => "the answer, in a moment".to_owned(),
            Blocker::Person { .. } => self.who_answers(),
            Blocker::Time { until } => format!("time: {}", until.since(self.subject.now)),
            Blocker::TaskConcurrency { .. } => "the end of an item of its task".to_owned(),
            Blocker::Handler => "the end of all other tasks of the run".to_owned(),
            Blocker::Run(RunStatus::Running) => "a worker that is heard of again".to_owned(),
            Blocker::Run(_) => "nothing while its run stands so".to_owned(),
            Blocker::Paused { cause: PauseCause::Asked, .. } => {
                format!("`autoglm resume {}`", self.subject.id)
            }
            Blocker::Paused { cause: PauseCause::CostLimit, .. } => {
                let run = self.subject.id;
                format!(
                    "a higher limit: `autoglm edit {run} --set cost_limit=...`, then `autoglm \
                     resume {run}`"
                )
            }
            Blocker::Breaker { until: Some(until), .. } => {
                format!("time: {}", until.since(self.subject.now))
            }
            Blocker::Breaker { until: None, .. } => "an attempt that succeeds".to_owned(),
            Blocker::Backoff { until } => {
                format!("the end of its pause in {}", until.since(self.subject.now))
            }
            Blocker::Concurrency { .. } => "the end of an attempt of its run".to_owned(),
            Blocker::Lock { holders, .. } => format!("the end of {}", self.holders(holders)),
            Blocker::Budget { until, .. } => {
                format!("time: {}", until.since(self.subject.now))
            }
            Blocker::NoWorker => "a worker that connects".to_owned(),
            Blocker::Behind { .. } => "the start of what goes first".to_owned(),
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
            Blocker::NeverFits { misses, .. } => match nearest(misses, |miss| miss.capacity) {
                Some((_, asked, _)) => {
                    format!("a worker with at least {asked}, or asking for less")
                }
                None => "a larger worker".to_owned(),
            },
        })
    }

    /// How a task that waits for somebody is answered.
    fn who_answers(&self) -> String {
        let (run, task) = (self.subject.id, self.subject.names.task(self.key.task));
        match self.subject.names.awaited(self.key.task) {
            Some(spec::Awaited::Signal) => format!("`autoglm signal {run} {task}`"),
            _ => format!("`autoglm approve {run} {task}`, or `autoglm reject {run} {task}`"),
        }
    }

    fn placement(&self) -> Option<api::Placement> {
        let lease = self.lease()?;
        let item = self.subject.run.item(self.key.task, self.key.item)?;
        Some(api::Placement {
            worker: self.worker_name(),
            attempt: item.attempts().0,
            token: lease.token.0,
            started: lease.started_at.map(api::Time),
        })
    }

    fn lease(&self) -> Option<&engine::state::Lease> {
        self.subject.engine.state().lease(self.key)
    }

    fn worker_name(&self) -> String {
        self.lease().map_or_else(|| "?".to_owned(), |lease| self.worker(lease.worker))
    }

    fn worker(&self, id: WorkerId) -> String {
        let worker = self.subject.engine.state().worker(id);
        worker.map_or_else(|| format!("number {id}"), |worker| worker.name.to_string())
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

const fn kind(blocker: &Blocker) -> &'static str {
    match blocker {
        Blocker::Dependency { .. } => "dependency",
        Blocker::Question => "question",
        Blocker::Person { .. } => "person",
        Blocker::Time { .. } => "time",
        Blocker::TaskConcurrency { .. } => "task_concurrency",
        Blocker::Handler => "handler",
        Blocker::Run(RunStatus::Running) => "no_worker",
        Blocker::Run(_) => "run",
        Blocker::Backoff { .. } => "backoff",
        Blocker::Concurrency { .. } => "concurrency",
        Blocker::Lock { .. } => "lock",
        Blocker::Budget { .. } => "budget",
        Blocker::Breaker { .. } => "breaker",
        Blocker::Paused { .. } => "paused",
        Blocker::NoWorker => "no_worker",
        Blocker::Behind { .. } => "behind",
        Blocker::Reserved => "reserved",
        Blocker::Faster { .. } => "faster",
        Blocker::NoRoom { .. } => "no_room",
        Blocker::NeverFits { .. } => "never_fits",
    }
}

#[cfg(test)]
mod tests {
    use model::outcome::Outcome;

    use super::super::tests::{DIAMOND, FAILED, Stage, flow};
    use super::*;

    #[track_caller]
    fn explained(stage: &Stage, run: model::RunId, task: &str) -> api::Explanation {
        let subject = stage.subject(run);
        let task = subject.names.find(task).expect("a task of the file");
        explain(&subject, task, None).expect("it has an item")
    }

    #[test]
    fn a_pending_task_names_what_it_waits_for() {
        let mut stage = Stage::new(1);
        let run = stage.submit(DIAMOND);
        let seen = explained(&stage, run, "join");
        assert_eq!(seen.summary, "it waits for left and right");
        assert_eq!(seen.blockers[0].text, "it depends on left, which is pending");
        assert_eq!(seen.unblock.as_deref(), Some("the success of left and right"));
        assert_eq!(seen.position, None);
    }

    #[test]
    fn a_ready_task_says_what_is_missing_in_units() {
        let mut stage = Stage::new(2);
        let run = stage.submit(&flow(
            "",
            &[
                "first, resources: {cpu: 1500m}",
                "second, resources: {cpu: 1}",
                "huge, resources: {cpu: 8}",
            ],
        ));
        stage.start(1);
        let seen = explained(&stage, run, "second");
        assert_eq!(seen.status, TaskStatus::Ready);
        assert_eq!(
            (seen.blockers[0].kind.as_str(), seen.blockers[0].text.as_str()),
            ("no_room", "worker w: it asks for 1 CPU, 0.5 CPU of 2 CPU are free"),
        );
        assert_eq!(
            seen.unblock.as_deref(),
            Some("the end of work that frees 0.5 CPU more on worker w")
        );
        assert_eq!((seen.position, seen.position_tasks), (Some(0), Some(0)));

        let huge = explained(&stage, run, "huge");
        assert_eq!(huge.summary, "it is too large for every worker");
        assert!(huge.blockers[0].text.contains("8 CPU, there are 2 CPU in all; it fails in "));
        assert_eq!((huge.position, huge.position_tasks), (Some(1), Some(1)), "of another size");

        let first = explained(&stage, run, "first");
        assert_eq!(first.status, TaskStatus::Running);
        let placed = first.placed.expect("it runs somewhere");
        assert_eq!((placed.worker.as_str(), placed.attempt), ("w", 1));
        assert!(placed.started.is_some());
    }

    #[test]
    fn what_ended_says_how() {
        let mut stage = Stage::new(1);
        let run = stage.submit(&flow("on_failure: continue", &["a", "b, depends_on: [a]"]));
        stage.work(9, |_| FAILED);
        assert_eq!(explained(&stage, run, "a").summary, "exit 1");
        assert_eq!(explained(&stage, run, "b").summary, "it depends on a (failed)");
    }

    #[test]
    fn what_waits_for_somebody_or_for_time_says_so() {
        let mut stage = Stage::new(1);
        let run = stage.submit(
            "tasks:\n\
             \x20 - {name: gate, approval: Go on?}\n\
             \x20 - {name: bell, signal: {timeout: 1h}}\n\
             \x20 - {name: pause, wait: 10m}\n",
        );
        let seen = explained(&stage, run, "gate");
        assert_eq!(
            (seen.status, &*seen.summary),
            (TaskStatus::Running, "it waits for an approval")
        );
        let how = format!("`autoglm approve {run} gate`, or `autoglm reject {run} gate`");
        assert_eq!(seen.unblock, Some(how));
        let summary = |task| explained(&stage, run, task).summary;
        assert_eq!(summary("bell"), "it waits for a signal, for 1h 0m more");
        assert_eq!(summary("pause"), "it waits for 10m 0s more");
    }

    #[test]
    fn who_holds_a_lock_is_named_with_its_run() {
        let mut stage = Stage::new(4);
        let head = "locks: {gpu: 2}";
        let first =
            stage.submit(&flow(head, &["train, locks: gpu", "wide, foreach: [a], locks: gpu"]));
        let second = stage.submit(&flow(head, &["late, locks: gpu"]));
        stage.start(2);
        let seen = explained(&stage, second, "late");
        let holders = format!("train of run {first} and wide[0] of run {first}");
        let said = format!("2 at a time may hold the lock gpu; it is held by {holders}");
        assert_eq!((seen.summary, seen.unblock), (said, Some(format!("the end of {holders}"))));
        let run = stage.submit(&flow("locks: {tpu: 1}", &["a, locks: tpu", "b, locks: tpu"]));
        stage.start(1);
        assert_eq!(explained(&stage, run, "b").unblock.as_deref(), Some("the end of a"));
    }

    #[test]
    fn a_breaker_that_is_open_says_for_how_long_and_why() {
        let mut stage = Stage::new(1);
        let head = "breakers: {api: {failures: 1, open: 30s}}";
        let run = stage.submit(&flow(head, &["a, breaker: api, retry: 3"]));
        stage.work(1, |_| FAILED);
        stage.later(model::Span::secs(2));
        let seen = explained(&stage, run, "a");
        assert!(seen.summary.starts_with("the breaker api is open for 2"), "{}", seen.summary);
        assert!(seen.summary.ends_with("1 failure in a row, the last: exit 1"));
        assert_eq!(seen.blockers[0].kind, "breaker");
    }

    #[test]
    fn a_worker_that_is_silent_is_why_nothing_starts() {
        let mut stage = Stage::new(1);
        stage.later(model::Span::secs(10));
        let run = stage.submit(&flow("", &["a"]));
        let seen = explained(&stage, run, "a");
        assert_eq!(seen.summary, "no worker takes new work: none has been heard of lately");
        assert_eq!(seen.blockers[0].kind, "no_worker");
    }

    #[test]
    fn the_place_in_the_queue_is_exact() {
        let mut stage = Stage::new(1);
        let tasks = ["a, priority: 90", "wide, foreach: {range: 600}", "z, foreach: {range: 3}"];
        let first = stage.submit(&flow("", &tasks));
        let second = stage.submit(&flow("", &["late"]));
        stage.start(1);
        let subject = stage.subject(first);
        let ready = |task: u32| u64::from(subject.run.ready_items(TaskId(task)));
        let place = |run, task: u32, item: Option<u32>| {
            let seen = explain(&stage.subject(run), TaskId(task), item).expect("it is there");
            assert_eq!(seen.status, TaskStatus::Ready);
            (seen.position.expect("it queues"), seen.position_tasks.expect("it queues"))
        };
        assert!(ready(1) > 100 && ready(0) == 0);
        let begun = 600 - u32::try_from(ready(1)).expect("few");
        assert_eq!(place(first, 1, Some(begun)), (0, 0), "the next of the fan-out");
        assert_eq!(place(first, 1, Some(begun + 7)), (7, 1), "its own task goes first");
        assert_eq!(place(first, 2, Some(2)), (ready(1) + 2, 2));
        assert_eq!(place(second, 0, None), (ready(1) + 3, 2));
    }

    #[test]
    fn without_an_item_the_one_least_far_is_explained() {
        let mut stage = Stage::new(1);
        let run = stage.submit(&flow("", &["wide, foreach: {range: 600}", "none, foreach: []"]));
        stage.work(1, |_| Outcome::Succeeded);
        let seen = explained(&stage, run, "wide");
        assert_eq!(seen.status, TaskStatus::Ready);
        let ahead = seen.item.expect("an item of the fan-out");
        assert!(ahead > 1, "the first ones are done or with the worker");
        let subject = stage.subject(run);
        assert!(explain(&subject, TaskId(0), Some(600)).is_none());
        assert_eq!(explained(&stage, run, "none").summary, "its list of items is empty");
    }
}
