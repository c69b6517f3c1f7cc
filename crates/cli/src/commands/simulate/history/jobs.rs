//! Runs as jobs: each item that was run is a task that takes what its attempts took, behind those
//! that it waited for.
//!
//! Of attempts that were tried again only the last counts, and of loops all turns together. What
//! was never run (skipped, marked, taken from the cache, a decision) takes no time and only stands
//! between others.

use std::collections::{BTreeMap, VecDeque};

use model::policy::Priority;
use model::shared::{Lock, Spending, Unit};
use protocol::api::{PastAttempt, PastRate, PastRun, PastStatus, PastTask, Time};
use whatif::terms::{own_lock, shared};
use whatif::{Attempt, End, RecordedJob};
use workload::{Builder, NewJob, NewTask, Terms};

use super::after;
use super::found::{Done, Piece};
use super::nodes::Nodes;

/// Makes runs into jobs.
pub(super) struct Jobs<'a> {
    pub builder: Builder,
    pub nodes: &'a Nodes,
    /// From when times count.
    pub begin: Time,
    /// Attempts of which it is not known where they ran.
    pub unknown_nodes: u64,
}

/// What of a run was added so far.
struct Job<'a> {
    piece: &'a Piece,
    /// The number of its first task.
    first: u32,
    /// Of each task of the run, what those behind it wait for, and when that had ended.
    ends: Vec<(Vec<u32>, Time)>,
    recorded: RecordedJob,
}

impl Jobs<'_> {
    /// Adds a run; gives back what really happened to it.
    pub(super) fn add(&mut self, piece: &Piece) -> RecordedJob {
        let run = &piece.run;
        self.builder.job(&NewJob {
            name: &run.name,
            submit_us: after(self.begin, run.submitted),
            tenant: &run.tenant,
            queue: &run.queue,
            priority: run.priority,
        });
        let first = self.builder.next();
        let ends = vec![(Vec::new(), run.submitted); piece.tasks.len()];
        let mut job = Job { piece, first, ends, recorded: RecordedJob::default() };
        let (handlers, others): (Vec<usize>, Vec<usize>) =
            in_order(&piece.tasks).into_iter().partition(|&at| piece.tasks[at].0.handler);
        others.into_iter().for_each(|at| self.add_task(&mut job, at, &[]));
        if handlers.iter().any(|&at| !piece.tasks[at].1.is_empty()) {
            let before = self.barrier((first..self.builder.next()).collect());
            handlers.into_iter().for_each(|at| self.add_task(&mut job, at, &before));
        }
        let last = job.recorded.attempts.iter().map(|attempt| attempt.ended_us).max();
        let ended = run.ended.map(|ended| after(self.begin, ended));
        job.recorded.came_us = after(self.begin, run.submitted);
        job.recorded.ended_us = ended.or(last).unwrap_or_default();
        job.recorded
    }

    /// Adds a task of the run behind those that it depends on, and behind others.
    fn add_task(&mut self, job: &mut Job<'_>, at: usize, others: &[u32]) {
        let (task, attempts) = &job.piece.tasks[at];
        let mut before = others.to_vec();
        let mut ready = job.piece.run.submitted;
        for &on in &task.depends_on {
            let Some((tasks, ended)) = job.ends.get(on as usize) else { continue };
            before.extend(tasks);
            ready = ready.max(*ended);
        }
        before.sort_unstable();
        before.dedup();
        let items = items(attempts);
        // Many that wait for many wait for one that waits for them.
        if items.len() != 1 {
            before = self.barrier(before);
        }
        if items.is_empty() {
            job.ends[at] = (before, ready);
            return;
        }
        let (mut numbers, mut ended) = (Vec::with_capacity(items.len()), ready);
        for attempts in items.into_values() {
            let number = self.add_item((&mut *job, ready), task, &attempts);
            before.iter().for_each(|&on| self.builder.depend(number, on));
            numbers.push(number);
            ended = attempts.iter().map(|attempt| attempt.ended).fold(ended, Time::max);
        }
        job.ends[at] = (numbers, ended);
    }

    /// Adds an item that could begin at `ready`, with its attempts in their order.
    fn add_item(
        &mut self,
        (job, ready): (&mut Job<'_>, Time),
        task: &PastTask,
        attempts: &[&PastAttempt],
    ) -> u32 {
        let number = self.builder.next();
        let counts = |attempt: &PastAttempt| {
            !matches!(attempt.end, PastStatus::TriedAgain | PastStatus::Preempted)
        };
        let does_any = attempts.iter().any(|attempt| counts(attempt));
        let mut duration_us = 0_u64;
        for (left, &attempt) in (0..attempts.len()).rev().zip(attempts) {
            let began = attempt.began.unwrap_or(ready);
            let attempt = PastAttempt { began: Some(began), ..*attempt };
            let (node, took) = self.nodes.of_attempt(&attempt);
            self.unknown_nodes += u64::from(node.is_none() && !task.waits);
            if counts(&attempt) || (!does_any && left == 0) {
                duration_us = duration_us.saturating_add(took);
            }
            job.recorded.attempts.push(Attempt {
                task: number - job.first,
                node: node.unwrap_or(0),
                began_us: after(self.begin, began),
                ended_us: after(self.begin, attempt.ended.max(began)),
                end: end(attempt.end),
            });
        }
        let kinds: Vec<&str> = task.device_kinds.iter().map(String::as_str).collect();
        let asked = if task.waits { &PastTask::default() } else { task };
        let terms = terms(&job.piece.run, asked);
        self.builder.task(&NewTask {
            name: &task.name,
            kind: &format!("{} {}", job.piece.run.name, task.kind),
            duration_us: duration_us.max(1),
            estimate_us: task.expected_seconds.map(|expected| expected.0.0),
            cpu_milli: asked.cpu_milli,
            memory_bytes: asked.memory_bytes,
            devices: (asked.devices.into(), task.device_milli),
            device_kinds: &kinds,
            terms: (!task.waits).then_some(&terms),
            ..NewTask::default()
        })
    }

    /// One task in the place of several: it takes no time and waits for them.
    fn barrier(&mut self, before: Vec<u32>) -> Vec<u32> {
        if before.len() < 2 {
            return before;
        }
        let barrier = self.builder.task(&NewTask { cpu_milli: 0, ..NewTask::default() });
        before.into_iter().for_each(|on| self.builder.depend(barrier, on));
        vec![barrier]
    }
}

/// What items of a task keep to. What bounds how many of a run or of a task run at a time is a lock
/// that no other run knows.
fn terms(run: &PastRun, task: &PastTask) -> Terms {
    let of_run = run.at_a_time.map(|most| own_lock("run", most));
    let of_task = task.at_a_time.map(|most| own_lock(&format!("task {}", task.task), most));
    let named = task
        .locks
        .iter()
        .map(|lock| Lock { name: lock.name.as_str().into(), holders_max: lock.holders });
    let rate = |rate: &PastRate| Spending {
        name: rate.name.as_str().into(),
        unit: Unit::Attempts,
        amount: rate.amount,
        limit: rate.limit,
        per: rate.per_seconds.0,
    };
    let locks = named.chain(of_run).chain(of_task).collect();
    Terms {
        shared: shared(locks, task.rates.iter().map(rate).collect()),
        priority: task.priority.map(Priority),
        ..Terms::default()
    }
}

/// What became of an attempt. One that goes on has not failed.
pub(in crate::commands::simulate) const fn end(status: PastStatus) -> End {
    match status {
        PastStatus::Succeeded | PastStatus::Running => End::Succeeded,
        PastStatus::Preempted => End::Preempted,
        PastStatus::TriedAgain | PastStatus::Failed => End::Failed,
    }
}

/// The attempts of each item, in their order.
fn items(attempts: &[PastAttempt]) -> BTreeMap<u32, Vec<&PastAttempt>> {
    let mut items = BTreeMap::<u32, Vec<&PastAttempt>>::new();
    for attempt in attempts {
        items.entry(attempt.item).or_default().push(attempt);
    }
    items
}

/// The places of tasks, each after all that it depends on (Kahn 1962).
fn in_order(tasks: &[Done]) -> Vec<usize> {
    let mut behind = vec![Vec::new(); tasks.len()];
    let mut open = vec![0_usize; tasks.len()];
    for (at, (task, _)) in tasks.iter().enumerate() {
        for &on in &task.depends_on {
            if let Some(behind) = behind.get_mut(on as usize) {
                behind.push(at);
                open[at] += 1;
            }
        }
    }
    let mut free: VecDeque<usize> = (0..tasks.len()).filter(|&at| open[at] == 0).collect();
    let mut order = Vec::with_capacity(tasks.len());
    while let Some(at) = free.pop_front() {
        order.push(at);
        for &next in &behind[at] {
            open[next] -= 1;
            if open[next] == 0 {
                free.push_back(next);
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use model::{RunId, Span, Timestamp};
    use protocol::api::{PastNode, PastRun, Seconds};
    use whatif::Workload;

    use super::*;

    const SECOND: u64 = 1_000_000;

    fn at(seconds: u64) -> Time {
        Time(Timestamp(seconds * SECOND))
    }

    fn attempt(item: u32, (began, ended): (u64, u64), end: PastStatus) -> PastAttempt {
        let (began, node) = (Some(at(began)), Some(0));
        PastAttempt { item, began, ended: at(ended), wall_seconds: None, node, end }
    }

    fn task(name: &str, depends_on: &[u32], attempts: Vec<PastAttempt>) -> Done {
        let depends_on = depends_on.to_vec();
        let task =
            PastTask { name: name.into(), depends_on, cpu_milli: 500, ..PastTask::default() };
        (task, attempts)
    }

    /// The only run of a history, on a node of twice the usual speed that began at 100 s.
    fn made(tasks: Vec<Done>) -> (Workload, RecordedJob) {
        let run = PastRun {
            run: RunId(1),
            retried: 0,
            name: "w".into(),
            tenant: String::new(),
            queue: String::new(),
            priority: 50,
            submitted: at(100),
            ended: None,
            at_a_time: None,
            limited: false,
        };
        let node = PastNode { name: "n".into(), speed_milli: 2_000, ..PastNode::default() };
        let nodes = Nodes::of(&[node], (at(0), at(1_000)));
        let builder = Builder::new("history");
        let mut jobs = Jobs { builder, nodes: &nodes, begin: at(100), unknown_nodes: 0 };
        let recorded = jobs.add(&Piece { run, tasks });
        assert_eq!(jobs.unknown_nodes, 0);
        (jobs.builder.finish().expect("a workload"), recorded)
    }

    /// The name, the seconds and what is waited for, of each task.
    fn shape(workload: &Workload) -> Vec<(&str, u64, &[u32])> {
        let tasks = (0..).zip(workload.tasks());
        let shape = |(number, task): (u32, &workload::Task)| {
            let seconds = task.duration_us / SECOND;
            (workload.text(task.name), seconds, workload.depends_on(number))
        };
        tasks.map(shape).collect()
    }

    use PastStatus::{Failed, Succeeded, TriedAgain};

    #[test]
    fn the_attempt_that_ended_an_item_counts_at_the_usual_speed() {
        let measured = PastAttempt {
            wall_seconds: Some(Seconds(Span::secs(3))),
            ..attempt(0, (120, 124), Succeeded)
        };
        let tries = vec![attempt(0, (101, 111), TriedAgain), measured];
        let (workload, recorded) = made(vec![task("a", &[], tries)]);
        assert_eq!(shape(&workload), [("a", 6, &[][..])], "three seconds as measured, twice");
        assert_eq!(workload.tasks()[0].cpu_milli, 500);
        let told: Vec<_> = recorded
            .attempts
            .iter()
            .map(|it| (it.began_us / SECOND, it.ended_us / SECOND, it.end))
            .collect();
        assert_eq!(
            told,
            [(1, 11, End::Failed), (20, 24, End::Succeeded)],
            "all of it really happened"
        );
        assert_eq!(recorded.ended_us, 24 * SECOND);
    }

    #[test]
    fn turns_of_a_loop_are_one_task_and_what_never_ended_well_is_its_last_attempt() {
        let turns = vec![attempt(0, (100, 102), Succeeded), attempt(0, (105, 108), Succeeded)];
        let given_up = vec![attempt(0, (100, 101), TriedAgain), attempt(0, (102, 106), TriedAgain)];
        let (workload, _) = made(vec![task("a", &[], turns), task("b", &[], given_up)]);
        assert_eq!(shape(&workload), [("a", 10, &[][..]), ("b", 8, &[][..])]);
    }

    #[test]
    fn what_never_ran_stands_between_others_and_many_wait_for_one() {
        let wide = |from| (0..2).map(|item| attempt(item, (from, from + 1), Succeeded)).collect();
        let one = |from| vec![attempt(0, (from, from + 1), Failed)];
        // In an order that is not that of their dependencies.
        let (workload, _) = made(vec![
            task("last", &[1], one(120)),
            task("skipped", &[2], Vec::new()),
            task("wide", &[3], wide(110)),
            task("first", &[], one(100)),
            task("wider", &[2], wide(111)),
        ]);
        let expected: [(&str, u64, &[u32]); 8] = [
            ("first", 2, &[]),
            ("wide", 2, &[0]),
            ("wide", 2, &[0]),
            ("", 0, &[1, 2]),
            ("", 0, &[1, 2]),
            ("wider", 2, &[4]),
            ("wider", 2, &[4]),
            ("last", 2, &[3]),
        ];
        assert_eq!(shape(&workload), expected);
    }

    #[test]
    fn a_wait_takes_its_time_and_nothing_of_a_node() {
        let mut wait = task("approve", &[0], vec![attempt(0, (0, 130), Succeeded)]);
        wait.0.waits = true;
        wait.1[0].began = None;
        wait.1[0].node = None;
        let first = task("a", &[], vec![attempt(0, (100, 110), Succeeded)]);
        let (workload, recorded) = made(vec![first, wait]);
        assert_eq!(
            shape(&workload)[1],
            ("approve", 20, &[0][..]),
            "from the end of what was before"
        );
        assert_eq!(workload.tasks()[1].cpu_milli, 0);
        assert_eq!(recorded.attempts[1].began_us, 10 * SECOND);
    }

    #[test]
    fn a_handler_waits_for_all_else() {
        let mut handler = task("clean", &[], vec![attempt(0, (140, 141), Succeeded)]);
        handler.0.handler = true;
        let one = |name| task(name, &[], vec![attempt(0, (100, 110), Succeeded)]);
        let (workload, _) = made(vec![handler, one("a"), one("b")]);
        let expected: [(&str, u64, &[u32]); 4] =
            [("a", 20, &[]), ("b", 20, &[]), ("", 0, &[0, 1]), ("clean", 2, &[2])];
        assert_eq!(shape(&workload), expected);
    }
}
