//! One of everything: facts that reach each kind, each field and each enumerated number.

mod eighth;
mod seventh;

use std::ops::Range;

use model::control::{ControlAnswer, Verdict};
use model::device::Part;
use model::fact::{
    AmendCause, AttemptsEnded, BreakerImage, ControlImage, ItemImage, LeaseImage, LossCause,
    MarkCause, Marked, PauseCause, PreemptedImage, Restored, RoundScope, RunAdmitted, RunAmended,
    Standing, StopCause, TaskAnswered, TaskImage, WorkerJoined,
};
use model::outcome::{
    AttemptEnd, ErrorName, Failure, LogRef, OutputRef, Spent, Then, Totals, Unreached, Usage,
};
use model::policy::{FailurePolicy, Priority, Stage};
use model::{
    Attempt, Device, DeviceSet, Digest, Epoch, Fact, IdSet, ItemId, ItemKey, Offers, Outcome,
    PciAddress, Request, Round, RunId, RunStatus, Seq, Span, TaskId, TaskKey, TaskStatus,
    Timestamp, Token, VariantId, Vendor, WorkerId,
};

pub(crate) use eighth::{alternative_facts, gang_facts};
pub(crate) use seventh::{preemption_facts, site_facts, site_offers};

const RUN: RunId = RunId(12);
const TASK: TaskKey = TaskKey { run: RUN, task: TaskId(345) };
const AT: Timestamp = Timestamp(1_790_000_000_123_456);

/// Every outcome but those of control flow.
pub(crate) const OUTCOMES: [Outcome; 12] = [
    Outcome::Succeeded,
    Outcome::TimedOut,
    Outcome::Cancelled,
    Outcome::Terminated,
    Outcome::Lost,
    Outcome::Failed(Failure::Exit(3)),
    Outcome::Failed(Failure::Signal(11)),
    Outcome::Failed(Failure::OutOfMemory),
    Outcome::Failed(Failure::Spawn(2)),
    Outcome::Failed(Failure::Outputs),
    Outcome::Failed(Failure::Render),
    Outcome::Failed(Failure::Unsatisfiable),
];

/// The outcomes of control flow.
pub(crate) const CONTROL_OUTCOMES: [Outcome; 3] = [
    Outcome::Failed(Failure::Control),
    Outcome::Failed(Failure::Rejected),
    Outcome::Failed(Failure::TurnsUsedUp),
];

/// The outcome of what generates tasks.
pub(crate) const TASKS_OUTCOME: Outcome = Outcome::Failed(Failure::Tasks);

/// The outcomes of calls: of functions, of servers, of models.
pub(crate) const CALL_OUTCOMES: [Outcome; 12] = [
    Outcome::Failed(Failure::Raised(ErrorName(0xdead_beef))),
    Outcome::Failed(Failure::Crashed),
    Outcome::Failed(Failure::Status(429)),
    Outcome::Failed(Failure::Status(u16::MAX)),
    Outcome::Failed(Failure::Unreachable(Unreached::Unresolved)),
    Outcome::Failed(Failure::Unreachable(Unreached::Refused)),
    Outcome::Failed(Failure::Unreachable(Unreached::Broken)),
    Outcome::Failed(Failure::Unreachable(Unreached::Insecure)),
    Outcome::Failed(Failure::Unreachable(Unreached::Slow)),
    Outcome::Failed(Failure::Answer),
    Outcome::Failed(Failure::TooLarge),
    Outcome::Failed(Failure::Forbidden),
];

/// What an attempt can have spent.
pub(crate) const SPENT: Spent =
    Spent { requests: 2, tokens_in: 1_200, tokens_out: 80, cost_micro: 1_750 };

const OUTPUT: OutputRef = OutputRef { digest: Digest([0xab; 32]), bytes: 65 };

/// An offer with everything in it.
pub(crate) fn request() -> Request {
    let custom = [("gpu".into(), 2), ("licence".into(), 1)];
    let custom = custom.into();
    Request { cpu_milli: 2_500, memory_bytes: 4 << 30, custom, ..Request::default() }
}

/// What is known of an attempt that left everything.
pub(crate) fn attempt_end(number: u32) -> AttemptEnd {
    let many = u64::from(number);
    AttemptEnd {
        usage: Usage {
            wall_us: 1_500_000 + many,
            cpu_us: 900_000 + 3 * many,
            peak_rss_kib: 20_480,
        },
        spent: Spent::NOTHING,
        log: Some(LogRef { segment: 7, offset: 70_000 + 300 * many, bytes: 120, frames: 2 }),
        output: Some(OutputRef { digest: Digest([0xab; 32]), bytes: 64 + number }),
    }
}

fn ids() -> IdSet {
    [0, 1, 2, 7, 300, 301].into_iter().collect()
}

/// Facts of every kind.
pub(crate) fn facts() -> Vec<Fact> {
    let mut facts = vec![
        Fact::LeaderStarted { epoch: Epoch(4), format: 1 },
        leased(5..4_000, VariantId(0)),
        leased(0..1, VariantId(0)),
        eighth::gang_leased(),
        Fact::AttemptsStarted { task: TASK, items: ids() },
        Fact::AttemptsCheckpointed {
            task: TASK,
            saved: vec![(ItemId(3), AT), (ItemId(9), AT + Span::secs(2))],
        },
        Fact::AttemptsPreempted { task: TASK, items: ids() },
        Fact::AttemptOverran { item: TASK.item(ItemId(9)) },
        Fact::LeasesReturned { task: TASK, items: ids() },
        Fact::HandlersReleased { run: RUN, tasks: ids() },
        Fact::TasksSkipped { run: RUN, tasks: ids() },
        Fact::TasksCancelled { run: RUN, tasks: ids() },
        Fact::TasksUnsatisfiable { run: RUN, tasks: IdSet::one(0) },
        Fact::ItemsReopened { task: TASK, items: ids() },
        Fact::DeadlinePassed { run: RUN, tasks: ids() },
        Fact::RunForgotten { run: RUN },
        Fact::RunPaused { run: RUN, cause: PauseCause::Asked },
        Fact::RunPaused { run: RUN, cause: PauseCause::CostLimit },
        Fact::RunResumed { run: RUN },
    ];
    facts.extend(workers());
    facts.extend(runs());
    facts.extend(answers());
    facts.extend(verdicts());
    facts.extend(amendments());
    facts.extend(marks());
    facts.extend(ends().into_iter().map(|ended| Fact::AttemptsEnded(Box::new(ended))));
    facts.extend(pieces().into_iter().map(|piece| Fact::Restored(Box::new(piece))));
    facts
}

fn amendments() -> Vec<Fact> {
    let (graph, definition) = (Digest([4; 32]), Digest([5; 32]));
    let amended = |cause, concurrency| {
        let priority = Priority(70);
        let (run, graph, definition) = (RUN, graph, definition);
        let cost_limit_micro = None;
        let amended =
            RunAmended { run, cause, graph, definition, priority, concurrency, cost_limit_micro };
        Fact::RunAmended(Box::new(amended))
    };
    let generated = AmendCause::Generated { task: TASK.task, item: ItemId(9) };
    vec![amended(AmendCause::Edited, Some(16)), amended(generated, None)]
}

fn marks() -> Vec<Fact> {
    let whole = Marked {
        run: RUN,
        tasks: ids(),
        items: None,
        status: TaskStatus::Succeeded,
        cause: MarkCause::Fork { from: RunId(3) },
        control: None,
        output: None,
    };
    let one = |items, cause| Marked { tasks: IdSet::one(7), items, cause, ..whole.clone() };
    let told = Marked { output: Some(OUTPUT), ..one(None, MarkCause::Person) };
    let shaped = control_images().map(|image| Marked {
        control: Some(image),
        ..one(None, MarkCause::Fork { from: RunId(3) })
    });
    let skipped = Marked { status: TaskStatus::Skipped, ..one(None, MarkCause::Person) };
    let marks = [one(Some(ids()), MarkCause::Cache), told, skipped];
    let all = [whole].into_iter().chain(marks).chain(shaped);
    all.map(|marked| Fact::Marked(Box::new(marked))).collect()
}

fn answers() -> Vec<Fact> {
    let list = Digest([6; 32]);
    let answers = [
        ControlAnswer::Begin,
        ControlAnswer::Skip,
        ControlAnswer::FanOut { items: 1_000, list },
        ControlAnswer::FanOut { items: 0, list },
        ControlAnswer::Until(AT),
        ControlAnswer::Route(0),
        ControlAnswer::Done,
        ControlAnswer::Again,
        ControlAnswer::Cached,
        ControlAnswer::Invalid,
    ];
    let bare = answers.map(|answer| TaskAnswered { task: TASK, answer, output: None });
    let told = [ControlAnswer::Route(u16::MAX), ControlAnswer::Cached, ControlAnswer::Invalid];
    let told = told.map(|answer| TaskAnswered { task: TASK, answer, output: Some(OUTPUT) });
    bare.into_iter().chain(told).map(|one| Fact::TaskAnswered(Box::new(one))).collect()
}

fn verdicts() -> Vec<Fact> {
    let verdicts = [Verdict::Elapsed, Verdict::Approved, Verdict::Rejected, Verdict::Expired];
    let settled = |verdict| Fact::TaskSettled { task: TASK, verdict, output: None };
    let told = Fact::TaskSettled { task: TASK, verdict: Verdict::Approved, output: Some(OUTPUT) };
    verdicts.map(settled).into_iter().chain([told]).collect()
}

/// Facts of kinds that were there before, with what came to them with control flow.
pub(crate) fn control_facts() -> Vec<Fact> {
    let ended = |outcome| {
        let ends = vec![(ItemId(0), AttemptEnd::default())];
        Fact::AttemptsEnded(Box::new(AttemptsEnded {
            task: TASK,
            outcome,
            then: Then::Final,
            ends,
        }))
    };
    let restored =
        |image| Fact::Restored(Box::new(Restored::Tasks { run: RUN, tasks: ids(), image }));
    let counts = [(1, 3), (2, 1), (0, 3), (3, 0), (0, u32::MAX), (u32::MAX, 0)];
    let images = counts.map(|(waiting_for, undecided)| TaskImage {
        waiting_for,
        undecided,
        ..waiting_task()
    });
    let troubles =
        CONTROL_OUTCOMES.map(|trouble| TaskImage { trouble: Some(trouble), ..waiting_task() });
    let released = Stage::ALL.map(|released| {
        let (status, cause, ended_at, paused) = (RunStatus::Running, None, None, None);
        let run = RUN;
        let image = Restored::Run { run, status, cause, ended_at, released, paused };
        Fact::Restored(Box::new(image))
    });
    let ends = CONTROL_OUTCOMES.map(ended).into_iter();
    ends.chain(images.map(restored)).chain(troubles.map(restored)).chain(released).collect()
}

fn leased(items: Range<u32>, variant: VariantId) -> Fact {
    let devices = DeviceSet::EMPTY;
    Fact::AttemptsLeased { task: TASK, items, worker: WorkerId(3), variant, devices }
}

/// Facts of kinds that were there before, with what came to them with ways to do the same.
pub(crate) fn way_facts() -> Vec<Fact> {
    let item = TASK.item(ItemId(7));
    let ended = |variant| {
        Fact::AttemptsEnded(Box::new(AttemptsEnded {
            task: TASK,
            outcome: Outcome::Failed(Failure::Status(503)),
            then: Then::Instead(VariantId(variant)),
            ends: vec![(ItemId(7), attempt_end(7))],
        }))
    };
    let lease = Restored::Lease(LeaseImage {
        item,
        token: Token(78),
        worker: WorkerId(3),
        variant: VariantId(2),
        devices: DeviceSet::EMPTY,
        started_at: None,
        saved_at: None,
        overran: false,
        leaving_since: None,
        standing: Standing::Working,
    });
    let retry = Restored::Retry { item, at: AT, variant: VariantId(1) };
    let restored = [lease, retry].map(|image| Fact::Restored(Box::new(image)));
    [leased(0..1, VariantId(1)), leased(5..9, VariantId(u8::MAX)), ended(1), ended(u8::MAX)]
        .into_iter()
        .chain(restored)
        .collect()
}

/// Facts of kinds that were there before, with what came to them with devices.
pub(crate) fn device_facts() -> Vec<Fact> {
    let devices = DeviceSet(1 << 63 | 5);
    let leased = |devices| Fact::AttemptsLeased {
        task: TASK,
        items: 7..8,
        worker: WorkerId(3),
        variant: VariantId(0),
        devices,
    };
    let lease = Restored::Lease(LeaseImage {
        item: TASK.item(ItemId(7)),
        token: Token(78),
        worker: WorkerId(3),
        variant: VariantId(0),
        devices,
        started_at: Some(AT),
        saved_at: None,
        overran: false,
        leaving_since: None,
        standing: Standing::Working,
    });
    let joined = Fact::WorkerJoined(Box::new(WorkerJoined {
        worker: WorkerId(3),
        name: "node-1".into(),
        instance: 9,
        offers: offers(),
        lease: None,
    }));
    vec![joined, leased(devices), leased(DeviceSet::one(0)), Fact::Restored(Box::new(lease))]
}

/// Live leases as the first journals had them.
fn leases(item: ItemKey) -> [Restored; 2] {
    [
        Restored::Lease(LeaseImage {
            item,
            token: Token(77),
            worker: WorkerId(3),
            variant: VariantId(0),
            devices: DeviceSet::EMPTY,
            started_at: Some(AT),
            saved_at: None,
            overran: true,
            leaving_since: None,
            standing: Standing::Working,
        }),
        Restored::Lease(LeaseImage {
            item,
            token: Token(78),
            worker: WorkerId(3),
            variant: VariantId(0),
            devices: DeviceSet::EMPTY,
            started_at: None,
            saved_at: None,
            overran: false,
            leaving_since: None,
            standing: Standing::Working,
        }),
    ]
}

/// What a worker offers that has devices of all sorts.
pub(crate) fn offers() -> Offers {
    let whole = Device {
        uuid: "GPU-1d5c".into(),
        vendor: Vendor::Nvidia,
        kind: "nvidia-a100-sxm4-80gb".into(),
        memory_bytes: 80 << 30,
        address: Some(PciAddress { domain: 0, bus: 0x3b, device: 0, function: 0 }),
        numa_node: Some(0),
        ordinal: None,
        part: None,
    };
    let part = Part { parent: whole.uuid.clone(), profile: "3g.40gb".into() };
    let part = Device { uuid: "MIG-77".into(), part: Some(part), ..whole.clone() };
    let other = Device {
        uuid: "GPU-00aa".into(),
        vendor: Vendor::Amd,
        kind: "amd-instinct-mi250x".into(),
        memory_bytes: 0,
        address: None,
        numa_node: None,
        ordinal: Some(3),
        part: None,
    };
    let devices = [whole, part, other].into();
    Offers { devices, speed: 1_500, ..request().into() }
}

/// Facts of kinds that were there before, with what came to them with calls.
pub(crate) fn call_facts() -> Vec<Fact> {
    let ended = |outcome, ends| {
        let then = Then::Final;
        Fact::AttemptsEnded(Box::new(AttemptsEnded { task: TASK, outcome, then, ends }))
    };
    let bare = |outcome| ended(outcome, vec![(ItemId(0), AttemptEnd::default())]);
    let spent = |item| (ItemId(item), AttemptEnd { spent: SPENT, ..attempt_end(item) });
    let alike = ended(Outcome::Succeeded, vec![spent(3), spent(4)]);
    let some = vec![spent(3), (ItemId(4), attempt_end(4)), spent(9)];
    let mixed = ended(Outcome::Succeeded, some);
    let image = ItemImage {
        status: TaskStatus::Retrying,
        attempts: Attempt(2),
        failures: 1,
        losses: 0,
        growths: 7,
    };
    let grown = Restored::Items { task: TASK, items: ids(), image };
    let paused = Restored::Run {
        run: RUN,
        status: RunStatus::Paused,
        cause: None,
        ended_at: None,
        released: Stage::Ordinary,
        paused: Some(PauseCause::CostLimit),
    };
    let pieces = [grown, paused].map(|piece| Fact::Restored(Box::new(piece)));
    let limited = costly().into_iter().chain(pieces);
    CALL_OUTCOMES.map(bare).into_iter().chain([alike, mixed]).chain(limited).collect()
}

/// An admission and an amendment with a limit on costs.
fn costly() -> Vec<Fact> {
    let facts = runs().into_iter().chain(amendments());
    let limited = facts.filter_map(|fact| match fact {
        Fact::RunAdmitted(mut admitted) => {
            admitted.cost_limit_micro = Some(5_000_000);
            Some(Fact::RunAdmitted(admitted))
        }
        Fact::RunAmended(mut amended) => {
            amended.cost_limit_micro = Some(0);
            Some(Fact::RunAmended(amended))
        }
        _ => None,
    });
    limited.collect()
}

fn workers() -> Vec<Fact> {
    let joined = WorkerJoined {
        worker: WorkerId(3),
        name: "node-1".into(),
        instance: 0x1234_5678_9abc_def0,
        offers: request().into(),
        lease: Some(Span::secs(60)),
    };
    let local = WorkerJoined { lease: None, ..joined.clone() };
    let mut facts = vec![joined, local].into_iter().map(Box::new).map(Fact::WorkerJoined).collect();
    let causes = [LossCause::Expired, LossCause::Replaced, LossCause::DiedWithLeader];
    let lost = |cause| Fact::WorkerLost { worker: WorkerId(3), cause };
    Vec::extend(&mut facts, causes.map(lost));
    facts
}

fn runs() -> Vec<Fact> {
    let admitted = RunAdmitted {
        run: RUN,
        key: Some(Digest([1; 32])),
        tenant: "default".into(),
        queue: "nightly".into(),
        name: "digits".into(),
        identity: Digest([2; 32]),
        content: Digest([3; 32]),
        graph: Digest([4; 32]),
        definition: Digest([5; 32]),
        priority: Priority(70),
        failure: FailurePolicy::Continue,
        timeout: Some(Span::secs(3_600)),
        concurrency: Some(16),
        cost_limit_micro: None,
        trace: 0x0123_4567_89ab_cdef_0011_2233_4455_6677,
    };
    let bare = RunAdmitted {
        key: None,
        failure: FailurePolicy::FailFast,
        timeout: None,
        concurrency: None,
        ..admitted.clone()
    };
    let mut facts = vec![Fact::RunAdmitted(Box::new(admitted)), Fact::RunAdmitted(Box::new(bare))];
    facts.extend(causes().map(|cause| Fact::RunStopping { run: RUN, cause }));
    facts.extend(RunStatus::ALL.iter().map(|&status| Fact::RunEnded { run: RUN, status }));
    let scopes = [RoundScope::Unsuccessful, RoundScope::All];
    facts.extend(scopes.map(|scope| Fact::RoundOpened { run: RUN, tasks: ids(), scope }));
    facts
}

const fn causes() -> [StopCause; 4] {
    [StopCause::TaskFailed, StopCause::TimedOut, StopCause::Stopped, StopCause::Terminated]
}

fn ends() -> Vec<AttemptsEnded> {
    let ends = |items: &[u32], end: fn(u32) -> AttemptEnd| {
        items.iter().map(|&item| (ItemId(item), end(item))).collect::<Vec<_>>()
    };
    let bare = |_| AttemptEnd::default();
    let mixed = |item: u32| match item % 3 {
        0 => AttemptEnd { log: None, ..attempt_end(item) },
        1 => AttemptEnd { output: None, ..attempt_end(item) },
        _ => AttemptEnd::default(),
    };
    let ended = |outcome, then, ends| AttemptsEnded { task: TASK, outcome, then, ends };
    let mut all: Vec<AttemptsEnded> =
        OUTCOMES.map(|outcome| ended(outcome, Then::Final, ends(&[1], bare))).into();
    all.extend([
        ended(Outcome::Lost, Then::Retry { at: AT }, ends(&[2, 3], attempt_end)),
        ended(Outcome::Succeeded, Then::Final, ends(&[0, 1, 2, 9, 10], attempt_end)),
        ended(Outcome::Succeeded, Then::Final, ends(&[0, 1, 2, 3, 4, 5, 900], mixed)),
    ]);
    all
}

/// What many attempts can have spent.
pub(crate) const TOTALS: Totals =
    Totals { requests: 5_000_000_000, tokens_in: 7, tokens_out: 0, cost_micro: u64::MAX };

fn breaker(open_until: Option<Timestamp>, openings: u8) -> Restored {
    let last = Outcome::Failed(Failure::Status(503));
    let name = "api".into();
    Restored::Breaker(Box::new(BreakerImage { name, failures: 5, openings, open_until, last }))
}

fn pieces() -> Vec<Restored> {
    let item = TASK.item(ItemId(9));
    let mut pieces = vec![
        Restored::Counters {
            next_run: RunId(13),
            next_worker: WorkerId(4),
            mean_wall_us: vec![(request(), 1_500_000), (Request::default(), 0)],
        },
        Restored::Run {
            run: RUN,
            status: RunStatus::Running,
            cause: None,
            ended_at: None,
            released: Stage::Ordinary,
            paused: None,
        },
        Restored::Preempted {
            item,
            image: PreemptedImage {
                count: 2,
                lost: Span::secs(90),
                waited: Span::secs(7),
                left_at: Some(AT),
            },
        },
        Restored::Retry { item, at: AT, variant: VariantId(0) },
        Restored::Budget { name: "embeddings".into(), full_at: AT },
        breaker(Some(AT), 1),
        breaker(None, 0),
        Restored::RunSpent { run: RUN, totals: TOTALS },
        Restored::TenantSpent { tenant: "default".into(), totals: TOTALS },
        Restored::Durations {
            workflow: "nightly".into(),
            policy: 2,
            variant: VariantId(0),
            recent_ms: [1_500, 70_000, 3].into(),
        },
        Restored::End { seq: Seq(99), at: AT, epoch: Epoch(4) },
    ];
    pieces.extend(leases(item));
    pieces.extend(causes().map(|cause| Restored::Run {
        run: RUN,
        status: RunStatus::Failed,
        cause: Some(cause),
        ended_at: Some(AT),
        released: Stage::Ordinary,
        paused: None,
    }));
    for &status in TaskStatus::ALL {
        let image = ItemImage { status, attempts: Attempt(3), failures: 2, losses: 1, growths: 0 };
        pieces.push(Restored::Items { task: TASK, items: ids(), image });
    }
    pieces.extend(control_images().map(|image| Restored::Control { task: TASK, image }));
    let fresh = waiting_task();
    pieces.push(Restored::Tasks { run: RUN, tasks: ids(), image: fresh });
    let tried = TaskImage { round: Round(1), started_ms: 0, ended_ms: 1_234, ..fresh };
    pieces.extend(OUTCOMES.map(|trouble| Restored::Tasks {
        run: RUN,
        tasks: ids(),
        image: TaskImage { trouble: Some(trouble), ..tried },
    }));
    pieces
}

/// A task that waits for two others and has not been begun.
const fn waiting_task() -> TaskImage {
    TaskImage {
        item: ItemImage {
            status: TaskStatus::Pending,
            attempts: Attempt(0),
            failures: 0,
            losses: 0,
            growths: 0,
        },
        waiting_for: 2,
        undecided: 2,
        round: Round(0),
        started_ms: u32::MAX,
        ended_ms: u32::MAX,
        trouble: None,
    }
}

const fn control_images() -> [ControlImage; 7] {
    [
        ControlImage::FanOut { items: 1_000, list: Digest([6; 32]) },
        ControlImage::Route(0),
        ControlImage::Route(u16::MAX),
        ControlImage::Wait(None),
        ControlImage::Wait(Some(Timestamp(0))),
        ControlImage::Wait(Some(AT)),
        ControlImage::Turn(1),
    ]
}
