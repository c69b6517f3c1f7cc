//! What was really done of a run, from its facts: its tasks with all attempts, and when each was.
//!
//! A run that was retried by hand is as many pieces of work, each from when it was asked for until
//! it ended. Nothing here reads the disk, and nothing is made up: what no fact says is left out.

use std::collections::{BTreeMap, HashMap};

use engine::state::Run;
use journal::Entry;
use model::control::ControlAnswer;
use model::fact::{AttemptsEnded, WorkerJoined};
use model::outcome::Outcome;
use model::policy::Priority;
use model::shared::{Lock, Shared, Spending, Unit};
use model::{Fact, Graph, ItemId, ItemKey, Request, Span, TaskId, TaskKey, Timestamp, WorkerId};
use protocol::api::{
    HistoryLine, PAGE_SIZE_MAX, PastAttempt, PastDevice, PastLock, PastNode, PastRate, PastRun,
    PastStatus, PastTask, Seconds, Time,
};

use crate::views::{Names, Subject};

/// The numbers of nodes in a history, by their registration.
pub(crate) type Nodes = HashMap<WorkerId, u32>;

/// What was done of one run so far.
#[derive(Debug, Default)]
pub(crate) struct Worklog {
    pieces: Vec<Piece>,
    /// What is with workers.
    live: HashMap<ItemKey, Live>,
    /// Since when tasks wait that had asked something before.
    waiting: HashMap<TaskId, Timestamp>,
}

/// What was done of a run since it was submitted, or since it was retried by hand.
#[derive(Debug, Default)]
struct Piece {
    submitted: Timestamp,
    ended: Option<Timestamp>,
    attempts: BTreeMap<TaskId, Vec<PastAttempt>>,
}

#[derive(Clone, Copy, Debug)]
struct Live {
    worker: WorkerId,
    started: Option<Timestamp>,
}

impl Worklog {
    /// Takes in the next fact of the run.
    pub(crate) fn take(&mut self, entry: &Entry, nodes: &Nodes) {
        match &entry.fact {
            Fact::RunAdmitted(_) | Fact::RoundOpened { .. } | Fact::ItemsReopened { .. } => {
                self.waiting.clear();
                self.pieces.push(Piece { submitted: entry.at, ..Piece::default() });
            }
            Fact::AttemptsLeased { task, items, worker, .. } => {
                let live = Live { worker: *worker, started: None };
                let items = items.clone().map(|item| task.item(ItemId(item)));
                self.live.extend(items.map(|item| (item, live)));
            }
            Fact::GangLeased { task, parts } => {
                for part in parts {
                    let live = Live { worker: part.worker, started: None };
                    let items = part.items.clone().map(|item| task.item(ItemId(item)));
                    self.live.extend(items.map(|item| (item, live)));
                }
            }
            Fact::AttemptsStarted { task, items } => {
                for item in items.iter() {
                    if let Some(live) = self.live.get_mut(&task.item(ItemId(item))) {
                        live.started = Some(entry.at);
                    }
                }
            }
            Fact::LeasesReturned { task, items } => {
                for item in items.iter() {
                    self.live.remove(&task.item(ItemId(item)));
                }
            }
            Fact::AttemptsEnded(ended) => self.ended(ended, entry.at, nodes),
            Fact::TaskAnswered(answered) => {
                if matches!(answered.answer, ControlAnswer::Begin | ControlAnswer::Until(_)) {
                    self.waiting.insert(answered.task.task, entry.at);
                }
            }
            Fact::TaskSettled { task, .. } => {
                let began = self.waiting.remove(&task.task).map(Time);
                let ended = Time(entry.at);
                self.push(*task, PastAttempt { began, ended, ..PastAttempt::default() });
            }
            Fact::RunEnded { .. } => {
                if let Some(piece) = self.pieces.last_mut() {
                    piece.ended = Some(entry.at);
                }
            }
            _ => {}
        }
    }

    fn ended(&mut self, ended: &AttemptsEnded, at: Timestamp, nodes: &Nodes) {
        let what = match ended.outcome {
            Outcome::Succeeded => PastStatus::Succeeded,
            Outcome::Preempted if ended.then.is_again() => PastStatus::Preempted,
            _ if ended.then.is_again() => PastStatus::TriedAgain,
            _ => PastStatus::Failed,
        };
        for (item, end) in &ended.ends {
            let Some(live) = self.live.remove(&ended.task.item(*item)) else { continue };
            let wall = Some(Span(end.usage.wall_us)).filter(|wall| wall.0 > 0);
            // Of what ended at once no fact says when it had started.
            let measured = || wall.map_or(at, |wall| at - wall);
            let attempt = PastAttempt {
                item: item.0,
                began: Some(Time(live.started.unwrap_or_else(measured))),
                ended: Time(at),
                wall_seconds: wall.map(Seconds),
                node: nodes.get(&live.worker).copied(),
                end: what,
            };
            self.push(ended.task, attempt);
        }
    }

    fn push(&mut self, task: TaskKey, attempt: PastAttempt) {
        if let Some(piece) = self.pieces.last_mut() {
            piece.attempts.entry(task.task).or_default().push(attempt);
        }
    }

    /// All of it as lines, at `now`: what runs has run until then.
    pub(crate) fn lines(mut self, subject: &Subject<'_>, nodes: &Nodes) -> Vec<HistoryLine> {
        let mut live: Vec<(ItemKey, Live)> = self.live.drain().collect();
        live.sort_unstable_by_key(|&(item, _)| item);
        for (item, live) in live {
            let Some(started) = live.started else { continue };
            let attempt = PastAttempt {
                item: item.item.0,
                began: Some(Time(started)),
                ended: Time(subject.now),
                wall_seconds: None,
                node: nodes.get(&live.worker).copied(),
                end: PastStatus::Running,
            };
            self.push(item.task_key(), attempt);
        }
        let mut lines = Vec::new();
        for (retried, piece) in (0..).zip(self.pieces) {
            lines.push(HistoryLine::Run(run(subject, retried, &piece)));
            piece.lines(subject, &mut lines);
        }
        lines
    }
}

impl Piece {
    fn lines(mut self, subject: &Subject<'_>, lines: &mut Vec<HistoryLine>) {
        let graph = subject.run.graph();
        let mut before: Vec<Vec<u32>> = vec![Vec::new(); graph.len()];
        for task in graph.tasks() {
            graph.successors(task).for_each(|next| before[next.0 as usize].push(task.0));
        }
        for (id, before) in graph.tasks().zip(before) {
            lines.push(HistoryLine::Task(task(id, graph, &subject.names, before)));
            let mut attempts = self.attempts.remove(&id).unwrap_or_default();
            attempts.sort_by_key(|attempt| (attempt.item, attempt.ended));
            let pages = attempts.chunks(PAGE_SIZE_MAX);
            lines.extend(pages.map(|page| HistoryLine::Attempts(page.to_vec())));
        }
    }
}

fn run(subject: &Subject<'_>, retried: u32, piece: &Piece) -> PastRun {
    let admitted = subject.run.admitted();
    PastRun {
        run: subject.id,
        retried,
        name: admitted.name.to_string(),
        tenant: admitted.tenant.to_string(),
        queue: admitted.queue.to_string(),
        priority: admitted.priority.0,
        submitted: Time(piece.submitted),
        ended: piece.ended.map(Time),
        at_a_time: admitted.concurrency,
        limited: is_limited(subject.run),
    }
}

/// Whether something may keep work of a run back that cannot be known before it is done.
fn is_limited(run: &Run) -> bool {
    let mut policies = run.graph().policies().iter();
    let is_open = |budget: &Spending| budget.unit != Unit::Attempts;
    policies.any(|policy| {
        !policy.shared.breakers.is_empty() || policy.shared.budgets.iter().any(is_open)
    })
}

/// The locks that attempts hold, and the rates that they keep to.
fn shared(shared: &Shared) -> (Vec<PastLock>, Vec<PastRate>) {
    let lock = |lock: &Lock| PastLock { name: lock.name.to_string(), holders: lock.holders_max };
    let rate = |rate: &Spending| PastRate {
        name: rate.name.to_string(),
        amount: rate.amount,
        limit: rate.limit,
        per_seconds: Seconds(rate.per),
    };
    let rates = shared.budgets.iter().filter(|budget| budget.unit == Unit::Attempts);
    (shared.locks.iter().map(lock).collect(), rates.map(rate).collect())
}

fn task(id: TaskId, graph: &Graph, names: &Names, depends_on: Vec<u32>) -> PastTask {
    let policy = graph.policy(id);
    let Request { cpu_milli, memory_bytes, custom, devices } = &policy.request;
    let (locks, rates) = shared(&policy.shared);
    PastTask {
        task: id.0,
        name: names.task(id),
        kind: u32::try_from(graph.policy_index(id)).unwrap_or(u32::MAX),
        depends_on,
        cpu_milli: *cpu_milli,
        memory_bytes: *memory_bytes,
        devices: devices.count,
        device_milli: devices.share,
        device_kinds: devices.kinds.iter().map(|kind| kind.to_string()).collect(),
        priority: Some(policy.priority).filter(|it| *it != Priority::default()).map(|it| it.0),
        at_a_time: policy.concurrency,
        locks,
        rates,
        custom: !custom.is_empty(),
        expected_seconds: policy.expected.map(Seconds),
        waits: !policy.kind.is_work(),
        handler: policy.trigger.is_handler(),
    }
}

/// What a node offered when it registered.
pub(crate) fn node(joined: &WorkerJoined, since: Timestamp) -> PastNode {
    let device = |it: &model::Device| PastDevice {
        kind: it.kind.to_string(),
        memory_bytes: it.memory_bytes,
    };
    PastNode {
        name: joined.name.to_string(),
        since: Time(since),
        until: None,
        cpu_milli: joined.offers.cpu_milli,
        memory_bytes: joined.offers.memory_bytes,
        devices: joined.offers.devices.iter().map(device).collect(),
        speed_milli: joined.offers.speed,
    }
}
