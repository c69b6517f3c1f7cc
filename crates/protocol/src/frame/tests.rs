//! Frames: both ways, their golden files, and what damage does to them.

use model::limits::FRAME_BYTES_MAX;
use model::{DeviceSet, Epoch, Fact, IdSet, RunId, RunStatus, Seq, Timestamp};
use proptest::collection::vec;
use proptest::prelude::{any, proptest};

use super::{Entry, Frame, OVERHEAD_MAX, encode_batch, encode_history, open};
use crate::error::{DecodeError, EncodeError};
use crate::golden;
use crate::record::{arbitrary, samples};

const AT: Timestamp = Timestamp(1_790_000_000_123_456);
/// The last place that has one after it.
const LAST: Seq = Seq(u64::MAX - 1);

fn read(frames: &[Frame]) -> Result<Vec<Entry>, DecodeError> {
    let mut entries = Vec::new();
    for frame in frames {
        let (opened, length) = open(&frame.bytes)?;
        assert_eq!(length, frame.bytes.len());
        entries.extend(opened.entries().collect::<Result<Vec<_>, _>>()?);
    }
    Ok(entries)
}

fn small(count: u64) -> Vec<Fact> {
    let fact = |run| Fact::RunEnded { run: RunId(run), status: RunStatus::Succeeded };
    (0..count).map(fact).collect()
}

proptest! {
    #[test]
    fn any_batch_goes_both_ways(facts in vec(arbitrary::fact(), 1..20), first in 1..1_u64 << 60) {
        let frames = encode_batch(Epoch(3), Seq(first), AT, &facts).unwrap();
        let entry = |(seq, fact)| Entry { seq: Seq(seq), at: AT, epoch: Epoch(3), fact };
        let expected: Vec<Entry> = (first..).zip(facts).map(entry).collect();
        assert_eq!(read(&frames), Ok(expected));
    }

    #[test]
    fn any_history_goes_both_ways(
        facts in vec((any::<u64>(), any::<u64>(), arbitrary::fact()), 1..20),
    ) {
        let place = |fact: &'_ (u64, u64, Fact)| (Seq(fact.0), Timestamp(fact.1));
        let placed = facts.iter().map(|fact| (place(fact).0, place(fact).1, &fact.2));
        let frames = encode_history(Epoch(3), placed).unwrap();
        let read = read(&frames).unwrap();
        assert!(read.iter().map(|entry| (entry.seq, entry.at)).eq(facts.iter().map(place)));
        assert!(read.iter().map(|entry| &entry.fact).eq(facts.iter().map(|fact| &fact.2)));
    }

    #[test]
    fn any_bytes_end_in_a_frame_or_an_error(mut bytes in vec(any::<u8>(), 0..200)) {
        let _ = open(&bytes);
        if bytes.len() > 1 {
            bytes[0] = 1;
            bytes[1] &= 3;
            let _ = open(&bytes);
        }
    }

    #[test]
    fn every_changed_byte_is_noticed(at in any::<proptest::sample::Index>(), change in 1..=255_u8) {
        let mut frame = encode_batch(Epoch(3), Seq(9), AT, &samples::facts()).unwrap().remove(0);
        let at = at.index(frame.bytes.len());
        frame.bytes[at] ^= change;
        assert!(read(&[frame]).is_err());
    }
}

#[test]
fn a_frame_that_ends_early_is_truncated() {
    let frame = encode_batch(Epoch(3), Seq(9), AT, &small(3)).unwrap().remove(0);
    for length in 0..frame.bytes.len() {
        assert_eq!(open(&frame.bytes[..length]).unwrap_err(), DecodeError::Truncated, "{length}");
    }
}

#[test]
fn frames_are_written_as_their_golden_files() {
    let facts = samples::facts();
    let batch = encode_batch(Epoch(3), Seq(9), AT, &facts).unwrap();
    // The compressed form is not held to its bytes: another compressor may do better.
    let few = encode_batch(Epoch(3), Seq(9), AT, &facts[..2]).unwrap();
    let bytes =
        |frames: &[Frame]| frames.iter().map(|frame| frame.bytes.clone()).collect::<Vec<_>>();
    golden::check("frame_batch", &bytes(&few), &format!("{:#?}\n", read(&few).unwrap()));
    let places = [(Seq(5), AT), (Seq(2), Timestamp(7))];
    let history = places.into_iter().zip(&facts).map(|((seq, at), fact)| (seq, at, fact));
    let history = encode_history(Epoch(3), history).unwrap();
    golden::check("frame_history", &bytes(&history), &format!("{:#?}\n", read(&history).unwrap()));
    for name in ["frame_batch", "frame_history"] {
        let frame = golden::read(name).remove(0);
        assert_eq!(open(&frame).unwrap().0.entries().count(), 2);
    }
    assert_eq!(read(&batch).unwrap().len(), facts.len());
}

#[test]
fn one_small_fact_costs_a_small_frame() {
    let frame = encode_batch(Epoch(3), Seq(1 << 20), AT, &small(1)).unwrap().remove(0);
    assert!(frame.bytes.len() <= 36, "{} bytes", frame.bytes.len());
    assert_eq!((frame.first, frame.last), (Seq(1 << 20), Seq(1 << 20)));
}

#[test]
fn no_frame_is_longer_than_the_limit() {
    let tasks: IdSet = (0..100_000).map(|task| task * 2 + task % 3 / 2).collect();
    let facts = vec![Fact::TasksSkipped { run: RunId(1), tasks }; 12];
    let frames = encode_batch(Epoch(1), Seq(1), AT, &facts).unwrap();
    assert!(frames.len() > 1);
    assert!(frames.iter().all(|frame| frame.bytes.len() <= FRAME_BYTES_MAX));
    let follows = |pair: &[Frame]| pair[0].last.next() == pair[1].first;
    assert!(frames.windows(2).all(follows));
    assert_eq!(read(&frames).unwrap().len(), 12);
}

#[test]
fn a_fact_beyond_the_limit_is_refused() {
    let tasks: IdSet = (0..FRAME_BYTES_MAX as u32).map(|task| task * 2).collect();
    let fact = Fact::TasksSkipped { run: RunId(1), tasks };
    let refused = encode_batch(Epoch(1), Seq(1), AT, &[fact]);
    assert!(matches!(refused, Err(EncodeError::TooLarge(bytes)) if bytes > FRAME_BYTES_MAX));
}

#[test]
fn the_overhead_covers_the_largest_numbers() {
    let fact = Fact::RunForgotten { run: RunId(u64::MAX) };
    let frames = encode_batch(Epoch(u64::MAX), LAST, Timestamp(u64::MAX), &[fact]);
    let frame = frames.unwrap().remove(0);
    assert!(frame.bytes.len() < OVERHEAD_MAX + 20);
    assert_eq!(open(&frame.bytes).unwrap().0.last(), Ok(LAST));
}

#[test]
fn a_frame_of_the_future_says_so() {
    let mut frame = encode_batch(Epoch(3), Seq(9), AT, &small(1)).unwrap().remove(0);
    frame.bytes[0] = 2;
    let newer = DecodeError::Newer { what: "frame", version: 2, known: 1 };
    assert_eq!(open(&frame.bytes).unwrap_err(), newer);
}

/// The life of a fan-out's items: leased, started and ended, each fact in a frame of its own, with
/// usage and logs that differ as real ones do.
fn life_bytes(items: u32, with_output: bool) -> usize {
    use model::outcome::{AttemptEnd, LogRef, OutputRef, Then, Usage};
    use model::{
        Digest, ItemId, Outcome, TaskId, TaskKey, VariantId, WorkerId, fact::AttemptsEnded,
    };

    let task = TaskKey { run: RunId(900), task: TaskId(70) };
    let end = |item: u32| {
        let noise = model::hash::mix(item.into());
        let digest = Digest(std::array::from_fn(|at| model::hash::mix(noise + at as u64) as u8));
        let log = LogRef {
            segment: 2,
            offset: u64::from(item) * 150 + noise % 64,
            bytes: 60 + noise % 32,
            frames: 1,
        };
        let usage = Usage {
            wall_us: 1_000_000 + noise % 100_000,
            cpu_us: 900_000 + (noise >> 20) % 100_000,
            peak_rss_kib: 20_000 + (noise >> 40) % 1_000,
        };
        let output = with_output.then_some(OutputRef { digest, bytes: 30 });
        (ItemId(item), AttemptEnd { usage, log: Some(log), output, ..AttemptEnd::default() })
    };
    let range = 500_000..500_000 + items;
    let ended = AttemptsEnded {
        task,
        outcome: Outcome::Succeeded,
        then: Then::Final,
        ends: range.clone().map(end).collect(),
    };
    let facts = [
        Fact::AttemptsLeased {
            task,
            items: range.clone(),
            worker: WorkerId(3),
            variant: VariantId(0),
            devices: DeviceSet::EMPTY,
        },
        Fact::AttemptsStarted { task, items: IdSet::range(range.start, range.end) },
        Fact::AttemptsEnded(Box::new(ended)),
    ];
    let frames = facts.map(|fact| encode_batch(Epoch(3), Seq(1 << 20), AT, &[fact]).unwrap());
    frames.iter().flatten().map(|frame| frame.bytes.len()).sum()
}

#[test]
fn the_whole_life_of_an_item_costs_a_few_bytes() {
    for items in [32, 256, 4_096] {
        let bytes = life_bytes(items, false) as f64 / f64::from(items);
        assert!(bytes <= 18.0, "{bytes} bytes an item, {items} a fact");
    }
    let bytes = life_bytes(1_024, true) as f64 / 1_024.0;
    assert!(bytes <= 48.0, "{bytes} bytes an item with outputs");
}
