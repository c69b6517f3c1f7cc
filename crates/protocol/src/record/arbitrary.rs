//! Facts of every kind with any content, and what must hold for all of them.

use model::control::{ControlAnswer, Verdict};
use model::device::Part;
use model::fact::{
    AmendCause, AttemptsEnded, BreakerImage, ControlImage, GangPart, ItemImage, LeaseImage,
    LossCause, MarkCause, Marked, PauseCause, PreemptedImage, Restored, RoundScope, RunAdmitted,
    RunAmended, Standing, StopCause, TaskAnswered, TaskImage, WorkerJoined,
};
use model::outcome::{
    AttemptEnd, ErrorName, Failure, LogRef, OutputRef, Spent, Then, Totals, Usage,
};
use model::policy::{FailurePolicy, Priority, Stage};
use model::{
    Attempt, Device, DeviceRequest, DeviceSet, Digest, Epoch, Fact, IdSet, ItemId, ItemKey, Offers,
    Outcome, PciAddress, Request, Round, RunId, RunStatus, Seq, Site, Span, TaskId, TaskKey,
    TaskStatus, Timestamp, Token, VariantId, Vendor, WorkerId,
};
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof, proptest};
use proptest::sample::select;

use super::{decode, encode, samples};

/// Numbers of every magnitude, the greatest included.
fn number() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0..64_u32).prop_map(|(number, bits)| number >> bits)
}

fn small() -> impl Strategy<Value = u32> {
    (any::<u32>(), 0..32_u32).prop_map(|(number, bits)| number >> bits)
}

fn at() -> impl Strategy<Value = Timestamp> {
    number().prop_map(Timestamp)
}

fn span() -> impl Strategy<Value = Span> {
    number().prop_map(Span)
}

fn run() -> impl Strategy<Value = RunId> {
    number().prop_map(RunId)
}

fn task() -> impl Strategy<Value = TaskKey> {
    (run(), small()).prop_map(|(run, task)| TaskKey { run, task: TaskId(task) })
}

pub(crate) fn item() -> impl Strategy<Value = ItemKey> {
    (task(), small()).prop_map(|(task, item)| task.item(ItemId(item)))
}

fn variant() -> impl Strategy<Value = VariantId> {
    any::<u8>().prop_map(VariantId)
}

fn worker() -> impl Strategy<Value = WorkerId> {
    small().prop_map(WorkerId)
}

fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest)
}

fn text() -> impl Strategy<Value = Box<str>> {
    ".{0,12}".prop_map(String::into_boxed_str)
}

fn ids() -> impl Strategy<Value = IdSet> {
    vec((0..u32::MAX, 0..9_u32), 0..20).prop_map(|ranges| {
        let mut set = IdSet::new();
        for (start, length) in ranges {
            set.insert_range(start..start.saturating_add(length));
        }
        set
    })
}

pub(crate) fn request() -> impl Strategy<Value = Request> {
    (number(), number(), custom(), devices_asked()).prop_map(
        |(cpu_milli, memory_bytes, custom, devices)| Request {
            cpu_milli,
            memory_bytes,
            custom,
            devices,
        },
    )
}

fn custom() -> impl Strategy<Value = Box<[(Box<str>, u64)]>> {
    vec((text(), number()), 0..3).prop_map(Into::into)
}

fn devices_asked() -> impl Strategy<Value = DeviceRequest> {
    let some = (1..u16::MAX, any::<u16>(), number(), vec(text(), 0..3)).prop_map(
        |(count, share, memory_bytes, kinds)| DeviceRequest {
            count,
            share,
            memory_bytes,
            kinds: kinds.into(),
        },
    );
    of(some).prop_map(Option::unwrap_or_default)
}

fn device() -> impl Strategy<Value = Device> {
    let vendor = select(vec![Vendor::Nvidia, Vendor::Amd, Vendor::Other]);
    let address = any::<[u8; 2]>().prop_map(|[bus, device]| PciAddress {
        domain: 0,
        bus,
        device: device % 32,
        function: 0,
    });
    let part = (text().prop_filter("a part is of something", |it| !it.is_empty()), text());
    let part = part.prop_map(|(parent, profile)| Part { parent, profile });
    let numbers = (of(any::<u16>()), of(any::<u16>()));
    (text(), vendor, text(), number(), of(address), numbers, of(part)).prop_map(
        |(uuid, vendor, kind, memory_bytes, address, (numa_node, ordinal), part)| Device {
            uuid,
            vendor,
            kind,
            memory_bytes,
            address,
            numa_node,
            ordinal,
            part,
        },
    )
}

pub(crate) fn offers() -> impl Strategy<Value = Offers> {
    (number(), number(), custom(), vec(device(), 0..3), 1..u32::MAX, site()).prop_map(
        |(cpu_milli, memory_bytes, custom, devices, speed, site)| Offers {
            cpu_milli,
            memory_bytes,
            custom,
            devices: devices.into(),
            speed,
            site,
        },
    )
}

fn site() -> impl Strategy<Value = Site> {
    let word = text;
    (vec((word(), word()), 0..3), vec(word(), 0..3))
        .prop_map(|(labels, taints)| Site::new(labels, taints))
}

pub(crate) fn outcome() -> impl Strategy<Value = Outcome> {
    let failure = prop_oneof![
        any::<i32>().prop_map(Failure::Exit),
        any::<i32>().prop_map(Failure::Signal),
        any::<i32>().prop_map(Failure::Spawn),
        any::<u32>().prop_map(|name| Failure::Raised(ErrorName(name))),
        any::<u16>().prop_map(Failure::Status),
    ];
    let last = [samples::TASKS_OUTCOME];
    let known =
        [&samples::OUTCOMES[..], &samples::CONTROL_OUTCOMES, &last, &samples::CALL_OUTCOMES]
            .concat();
    prop_oneof![select(known), failure.prop_map(Outcome::Failed)]
}

pub(crate) fn output() -> impl Strategy<Value = OutputRef> {
    (digest(), small()).prop_map(|(digest, bytes)| OutputRef { digest, bytes })
}

pub(crate) fn attempt_end() -> impl Strategy<Value = AttemptEnd> {
    let usage = (number(), number(), number()).prop_map(|(wall_us, cpu_us, peak_rss_kib)| Usage {
        wall_us,
        cpu_us,
        peak_rss_kib,
    });
    let log = (small(), number(), number(), small())
        .prop_map(|(segment, offset, bytes, frames)| LogRef { segment, offset, bytes, frames });
    (usage, spent(), of(log), of(output())).prop_map(|(usage, spent, log, output)| AttemptEnd {
        usage,
        spent,
        log,
        output,
    })
}

fn spent() -> impl Strategy<Value = Spent> {
    let any = (small(), number(), number(), number()).prop_map(
        |(requests, tokens_in, tokens_out, cost_micro)| Spent {
            requests,
            tokens_in,
            tokens_out,
            cost_micro,
        },
    );
    prop_oneof![Just(Spent::NOTHING), any]
}

fn totals() -> impl Strategy<Value = Totals> {
    (number(), number(), number(), number()).prop_map(
        |(requests, tokens_in, tokens_out, cost_micro)| Totals {
            requests,
            tokens_in,
            tokens_out,
            cost_micro,
        },
    )
}

fn breaker() -> impl Strategy<Value = Restored> {
    (text(), any::<u32>(), any::<u8>(), of(at()), outcome()).prop_map(
        |(name, failures, openings, open_until, last)| {
            let image = BreakerImage { name, failures, openings, open_until, last };
            Restored::Breaker(Box::new(image))
        },
    )
}

fn pause() -> impl Strategy<Value = PauseCause> {
    select(vec![PauseCause::Asked, PauseCause::CostLimit])
}

fn cause() -> impl Strategy<Value = StopCause> {
    use StopCause::{Stopped, TaskFailed, Terminated, TimedOut};
    select(vec![TaskFailed, TimedOut, Stopped, Terminated])
}

fn run_status() -> impl Strategy<Value = RunStatus> {
    select(RunStatus::ALL)
}

fn admitted() -> impl Strategy<Value = RunAdmitted> {
    let names = (text(), text(), text());
    let digests = (of(digest()), digest(), digest(), digest(), digest());
    let policy = prop_oneof![Just(FailurePolicy::FailFast), Just(FailurePolicy::Continue)];
    let limits = (of(span()), of(any::<u32>()), of(number()));
    let rest = (0..=100_u8, policy, limits, any::<u128>());
    (run(), names, digests, rest).prop_map(|(run, names, digests, rest)| RunAdmitted {
        run,
        key: digests.0,
        tenant: names.0,
        queue: names.1,
        name: names.2,
        identity: digests.1,
        content: digests.2,
        graph: digests.3,
        definition: digests.4,
        priority: Priority(rest.0),
        failure: rest.1,
        timeout: rest.2.0,
        concurrency: rest.2.1,
        cost_limit_micro: rest.2.2,
        trace: rest.3,
    })
}

fn joined() -> impl Strategy<Value = WorkerJoined> {
    (worker(), text(), number(), offers(), of(span())).prop_map(
        |(worker, name, instance, offers, lease)| WorkerJoined {
            worker,
            name,
            instance,
            offers,
            lease,
        },
    )
}

fn ended() -> impl Strategy<Value = AttemptsEnded> {
    let then = prop_oneof![
        Just(Then::Final),
        Just(Then::WithGang),
        at().prop_map(|at| Then::Retry { at }),
        variant().prop_map(Then::Instead),
    ];
    let ends = btree_map(0..u32::MAX, attempt_end(), 0..12);
    (task(), outcome(), then, ends).prop_map(|(task, outcome, then, ends)| AttemptsEnded {
        task,
        outcome,
        then,
        ends: ends.into_iter().map(|(item, end)| (ItemId(item), end)).collect(),
    })
}

fn answered() -> impl Strategy<Value = TaskAnswered> {
    use ControlAnswer::{Again, Begin, Cached, Done, Invalid, Route, Skip, Until};
    let answer = prop_oneof![
        select(vec![Begin, Skip, Done, Again, Cached, Invalid]),
        (small(), digest()).prop_map(|(items, list)| ControlAnswer::FanOut { items, list }),
        at().prop_map(Until),
        any::<u16>().prop_map(Route),
    ];
    (task(), answer, of(output())).prop_map(|(task, answer, output)| TaskAnswered {
        task,
        answer,
        output,
    })
}

pub(crate) fn verdict() -> impl Strategy<Value = Verdict> {
    use Verdict::{Approved, Elapsed, Expired, Rejected};
    select(vec![Elapsed, Approved, Rejected, Expired])
}

fn settled() -> impl Strategy<Value = Fact> {
    (task(), verdict(), of(output())).prop_map(|(task, verdict, output)| Fact::TaskSettled {
        task,
        verdict,
        output,
    })
}

fn amended() -> impl Strategy<Value = RunAmended> {
    let generated = item().prop_map(|by| AmendCause::Generated { task: by.task, item: by.item });
    let cause = prop_oneof![Just(AmendCause::Edited), generated];
    let limits = (of(any::<u32>()), of(number()));
    (run(), cause, digest(), digest(), 0..=100_u8, limits).prop_map(
        |(run, cause, graph, definition, priority, (concurrency, cost_limit_micro))| RunAmended {
            run,
            cause,
            graph,
            definition,
            priority: Priority(priority),
            concurrency,
            cost_limit_micro,
        },
    )
}

fn marked() -> impl Strategy<Value = Marked> {
    let cause = prop_oneof![
        select(vec![MarkCause::Person, MarkCause::Cache]),
        run().prop_map(|from| MarkCause::Fork { from }),
    ];
    let which = (run(), ids(), of(ids()), select(TaskStatus::ALL));
    (which, cause, of(control_image()), of(output())).prop_map(
        |((run, tasks, items, status), cause, control, output)| Marked {
            run,
            tasks,
            items,
            status,
            cause,
            control,
            output,
        },
    )
}

fn control_image() -> impl Strategy<Value = ControlImage> {
    prop_oneof![
        (small(), digest()).prop_map(|(items, list)| ControlImage::FanOut { items, list }),
        any::<u16>().prop_map(ControlImage::Route),
        of(at()).prop_map(ControlImage::Wait),
        any::<u16>().prop_map(ControlImage::Turn),
    ]
}

fn item_image() -> impl Strategy<Value = ItemImage> {
    (select(TaskStatus::ALL), any::<u16>(), any::<u8>(), any::<u8>(), any::<u8>()).prop_map(
        |(status, attempts, failures, losses, growths)| ItemImage {
            status,
            attempts: Attempt(attempts),
            failures,
            losses,
            growths,
        },
    )
}

fn task_image() -> impl Strategy<Value = TaskImage> {
    let edges = prop_oneof![any::<[u32; 2]>(), small().prop_map(|count| [count; 2])];
    (item_image(), edges, any::<u16>(), any::<[u32; 2]>(), of(outcome())).prop_map(
        |(item, [waiting_for, undecided], round, [started_ms, ended_ms], trouble)| TaskImage {
            item,
            waiting_for,
            undecided,
            round: Round(round),
            started_ms,
            ended_ms,
            trouble,
        },
    )
}

fn lease() -> impl Strategy<Value = Restored> {
    (item(), number(), worker(), of(at()), any::<bool>(), of(at())).prop_map(
        |(item, token, worker, started_at, overran, saved_at)| {
            Restored::Lease(LeaseImage {
                variant: VariantId(u8::from(overran)),
                devices: DeviceSet(u64::from(worker.0) << 31),
                item,
                token: Token(token),
                worker,
                started_at,
                saved_at,
                overran,
                leaving_since: saved_at.filter(|_| overran),
                standing: match (overran, saved_at) {
                    (_, None) => Standing::Working,
                    (true, Some(_)) => Standing::Done,
                    (false, Some(at)) => Standing::Dismissed(at),
                },
            })
        },
    )
}

fn piece() -> impl Strategy<Value = Restored> {
    let counters = (run(), worker(), vec((request(), number()), 0..3)).prop_map(
        |(next_run, next_worker, mean_wall_us)| Restored::Counters {
            next_run,
            next_worker,
            mean_wall_us,
        },
    );
    prop_oneof![
        counters,
        (run(), run_status(), of(cause()), of(at()), 0..4usize, of(pause())).prop_map(
            |(run, status, cause, ended_at, stage, paused)| {
                let released = Stage::ALL[stage];
                Restored::Run { run, status, cause, ended_at, released, paused }
            }
        ),
        breaker(),
        (run(), totals()).prop_map(|(run, totals)| Restored::RunSpent { run, totals }),
        (text(), totals()).prop_map(|(tenant, totals)| Restored::TenantSpent { tenant, totals }),
        (text(), any::<u32>(), variant(), vec(any::<u32>(), 0..5)).prop_map(
            |(workflow, policy, variant, recent)| {
                Restored::Durations { workflow, policy, variant, recent_ms: recent.into() }
            }
        ),
        (run(), ids(), task_image()).prop_map(|(run, tasks, image)| Restored::Tasks {
            run,
            tasks,
            image
        }),
        (task(), ids(), item_image()).prop_map(|(task, items, image)| Restored::Items {
            task,
            items,
            image
        }),
        (task(), control_image()).prop_map(|(task, image)| Restored::Control { task, image }),
        lease(),
        (item(), any::<u32>(), (span(), span()), of(at())).prop_map(
            |(item, count, (lost, waited), left_at)| Restored::Preempted {
                item,
                image: PreemptedImage { count, lost, waited, left_at }
            }
        ),
        (item(), at(), variant()).prop_map(|(item, at, variant)| Restored::Retry {
            item,
            at,
            variant
        }),
        (text(), at()).prop_map(|(name, full_at)| Restored::Budget { name, full_at }),
        (number(), at(), number()).prop_map(|(seq, at, epoch)| Restored::End {
            seq: Seq(seq),
            at,
            epoch: Epoch(epoch)
        }),
    ]
}

fn plain() -> impl Strategy<Value = Fact> {
    let causes = vec![LossCause::Expired, LossCause::Replaced, LossCause::DiedWithLeader];
    let scope = select(vec![RoundScope::Unsuccessful, RoundScope::All]);
    prop_oneof![
        number().prop_map(|epoch| Fact::LeaderStarted { epoch: Epoch(epoch), format: 1 }),
        (worker(), select(causes)).prop_map(|(worker, cause)| Fact::WorkerLost { worker, cause }),
        (task(), 0..u32::MAX, small(), worker(), variant()).prop_map(
            |(task, start, more, worker, variant)| {
                let end = start.saturating_add(more).saturating_add(1);
                let devices = DeviceSet(u64::from(more) << 31);
                Fact::AttemptsLeased { task, items: start..end, worker, variant, devices }
            }
        ),
        (task(), vec((1..9_u32, worker()), 0..9)).prop_map(|(task, sizes)| {
            let mut next = 0;
            let parts = sizes.into_iter().map(|(size, worker)| {
                next += size;
                let devices = DeviceSet(u64::from(size) << 31);
                GangPart { items: next - size..next, worker, devices }
            });
            Fact::GangLeased { task, parts: parts.collect() }
        }),
        item().prop_map(|item| Fact::AttemptOverran { item }),
        (task(), btree_map(0..u32::MAX, at(), 0..12)).prop_map(|(task, saved)| {
            let saved = saved.into_iter().map(|(item, at)| (ItemId(item), at)).collect();
            Fact::AttemptsCheckpointed { task, saved }
        }),
        (run(), cause()).prop_map(|(run, cause)| Fact::RunStopping { run, cause }),
        (run(), pause()).prop_map(|(run, cause)| Fact::RunPaused { run, cause }),
        run().prop_map(|run| Fact::RunResumed { run }),
        (run(), run_status()).prop_map(|(run, status)| Fact::RunEnded { run, status }),
        (run(), ids(), scope).prop_map(|(run, tasks, scope)| Fact::RoundOpened {
            run,
            tasks,
            scope
        }),
        run().prop_map(|run| Fact::RunForgotten { run }),
    ]
}

fn of_sets() -> impl Strategy<Value = Fact> {
    let kinds: [fn(TaskKey, IdSet) -> Fact; 9] = [
        |task, items| Fact::AttemptsPreempted { task, items },
        |task, items| Fact::ItemsReopened { task, items },
        |task, tasks| Fact::DeadlinePassed { run: task.run, tasks },
        |task, items| Fact::AttemptsStarted { task, items },
        |task, items| Fact::LeasesReturned { task, items },
        |task, tasks| Fact::HandlersReleased { run: task.run, tasks },
        |task, tasks| Fact::TasksSkipped { run: task.run, tasks },
        |task, tasks| Fact::TasksCancelled { run: task.run, tasks },
        |task, tasks| Fact::TasksUnsatisfiable { run: task.run, tasks },
    ];
    (0..kinds.len(), task(), ids()).prop_map(move |(kind, task, ids)| kinds[kind](task, ids))
}

/// Any fact.
pub(crate) fn fact() -> BoxedStrategy<Fact> {
    prop_oneof![
        4 => plain(),
        3 => of_sets(),
        1 => joined().prop_map(|joined| Fact::WorkerJoined(Box::new(joined))),
        1 => admitted().prop_map(|admitted| Fact::RunAdmitted(Box::new(admitted))),
        2 => answered().prop_map(|answered| Fact::TaskAnswered(Box::new(answered))),
        1 => settled(),
        1 => amended().prop_map(|amended| Fact::RunAmended(Box::new(amended))),
        2 => marked().prop_map(|marked| Fact::Marked(Box::new(marked))),
        4 => ended().prop_map(|ended| Fact::AttemptsEnded(Box::new(ended))),
        4 => piece().prop_map(|piece| Fact::Restored(Box::new(piece))),
    ]
    .boxed()
}

proptest! {
    #[test]
    fn any_fact_goes_both_ways(fact in fact()) {
        let mut bytes = Vec::new();
        encode(&fact, &mut bytes).unwrap();
        let mut rest = bytes.as_slice();
        let length = prost::encoding::decode_varint(&mut rest).unwrap();
        assert_eq!(length, rest.len() as u64);
        assert_eq!(decode(rest), Ok(fact));
    }

    #[test]
    fn any_bytes_end_in_a_fact_or_an_error(bytes in vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes);
    }

    #[test]
    fn a_damaged_record_ends_in_a_fact_or_an_error(
        fact in fact(),
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = Vec::new();
        encode(&fact, &mut bytes).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = decode(&bytes[1..]);
        let _ = decode(&bytes[..at]);
    }
}
