//! What tasks may have left behind: JSON of any kind.

use serde_json::{Value, json};

use crate::random::Random;

/// A value of any kind.
pub(crate) fn value(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth == 0 { 7 } else { 9 }) {
        0 => json!(random.below(100)),
        1 => json!(-1.5e300),
        2 => json!(i64::MAX),
        3 => json!(null),
        4 => json!(random.below(2) == 0),
        5 => json!("12"),
        6 => json!("ä x\n".repeat(random.below(300))),
        7 => {
            let length = random.below(if depth == 1 { 100 } else { 5 });
            Value::Array((0..length).map(|_| value(random, depth - 1)).collect())
        }
        _ => {
            let keys = ["k", "text", "items", ""];
            let entries = keys.into_iter().take(random.below(5));
            Value::Object(entries.map(|key| (key.into(), value(random, depth - 1))).collect())
        }
    }
}

/// The outputs of a task.
pub(crate) fn outputs(random: &mut Random) -> Value {
    json!({
        "rows": value(random, 0),
        "text": value(random, 1),
        "list": value(random, 2),
        "map": {"k": value(random, 2)},
    })
}
