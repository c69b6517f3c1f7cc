//! Many items in one call.

use std::time::{Duration, Instant};

use model::Span;
use model::outcome::{ErrorName, Failure, Outcome};
use model::work::{Batch, Call};

use crate::house::{House, call};

pub const ALL: &[(&str, fn())] = &[
    ("items_share_a_call", items_share_a_call),
    ("items_fail_alone_or_together", items_fail_alone_or_together),
    ("a_lone_item_does_not_wait_long", a_lone_item_does_not_wait_long),
];

const FUNCTIONS: &str = r#"
def sizes(items): return [len(items)] * len(items)
def some(items): return [ValueError("odd") if x % 2 else x for x in items]
def none(items): raise KeyError("all of them")
def short(items): return items[1:]
def dead(items):
    import os
    os._exit(1)
"#;

const ITEMS: usize = 8;

fn batched(handler: &str, count: usize) -> Vec<Call> {
    let batch = Some(Batch { items_max: 8, window: Span::millis(20) });
    let call = |x: usize| Call { batch, ..call(handler, &format!("[{x}]")) };
    (0..count).map(call).collect()
}

fn items_share_a_call() {
    let mut house = House::new(1, FUNCTIONS);
    let numbers = house.call_in(1, 125, batched("sizes", 4 * ITEMS));
    for number in numbers {
        let ended = house.end(number);
        assert_eq!(ended.outputs.as_deref(), Some(r#"{"result":8}"#), "{}", ended.log);
    }
}

fn items_fail_alone_or_together() {
    let mut house = House::new(1, FUNCTIONS);
    let mut ends = |handler: &str| -> Vec<_> {
        let numbers = house.call_in(1, 125, batched(handler, ITEMS));
        numbers.into_iter().map(|number| house.end(number)).collect()
    };
    let raised = |name: &str| Outcome::Failed(Failure::Raised(ErrorName::of(name)));
    for (x, ended) in ends("some").into_iter().enumerate() {
        match x % 2 {
            0 => assert_eq!(ended.outputs, Some(format!(r#"{{"result":{x}}}"#))),
            _ => {
                assert_eq!(ended.outcome, raised("ValueError"));
                assert!(ended.log.contains("ValueError: odd"), "{}", ended.log);
            }
        }
    }
    assert!(ends("none").iter().all(|ended| ended.outcome == raised("KeyError")));
    for ended in ends("short") {
        assert_eq!(ended.outcome, Outcome::Failed(Failure::Outputs));
        assert!(ended.log.contains("one value for each of its 8 items"), "{}", ended.log);
    }
    assert!(ends("dead").iter().all(|end| end.outcome == Outcome::Failed(Failure::Crashed)));
}

fn a_lone_item_does_not_wait_long() {
    let mut house = House::new(1, FUNCTIONS);
    let warm = house.call_in(1, 125, batched("sizes", 1))[0];
    house.end(warm);
    let mut waits: Vec<Duration> = (0..9)
        .map(|_| {
            let since = Instant::now();
            let number = house.call_in(1, 125, batched("sizes", 1))[0];
            house.end(number);
            since.elapsed()
        })
        .collect();
    waits.sort_unstable();
    let median = waits[4];
    let least = Duration::from_millis(20);
    assert!(median >= least && median < least + Duration::from_millis(20), "{waits:?}");
}
