//! What a case says of order: `# order: a < b < c` (each has ended before the next begins), and
//! `# parallel: a <= 2` (so many of its items have run at a time, at most).
//!
//! Both are held against the durable facts, and hold whatever the snapshot says.

use serde_json::Value;

use crate::case::Case;

/// Checks what the case says against the events of its run.
pub(crate) fn check(case: &Case, events: &[Value]) -> Result<(), String> {
    for text in case.all("order") {
        let names: Vec<&str> = text.split('<').map(str::trim).collect();
        for pair in names.windows(2) {
            let end = ended(events, pair[0]).ok_or(format!("{} has not ended", pair[0]))?;
            let begin = began(events, pair[1]).ok_or(format!("{} has not begun", pair[1]))?;
            if end > begin {
                return Err(format!("{} begins before {} has ended", pair[1], pair[0]));
            }
        }
    }
    for text in case.all("parallel") {
        let (task, most) = text.split_once("<=").ok_or("write `# parallel: TASK <= N`")?;
        let most: i64 = most.trim().parse().map_err(|_| "write `# parallel: TASK <= N`")?;
        let seen = at_a_time(events, task.trim());
        if seen > most {
            return Err(format!("{seen} items of {task}were running at a time"));
        }
    }
    Ok(())
}

/// The place of the event with which a task ended for good.
fn ended(events: &[Value], task: &str) -> Option<usize> {
    let ends = |event: &Value| {
        let kind = event["kind"].as_str().unwrap_or_default();
        is_of(event, task) && !["attempts_leased", "attempts_started"].contains(&kind)
    };
    events.iter().rposition(ends)
}

/// The place of the first event of a task.
fn began(events: &[Value], task: &str) -> Option<usize> {
    events.iter().position(|event| is_of(event, task))
}

fn at_a_time(events: &[Value], task: &str) -> i64 {
    let (mut now, mut most) = (0, 0);
    for event in events.iter().filter(|event| is_of(event, task)) {
        let count = event["count"].as_i64().unwrap_or_default();
        match event["kind"].as_str() {
            Some("attempts_leased") => now += count,
            Some("attempts_ended") => now -= count,
            _ => {}
        }
        most = most.max(now);
    }
    most
}

fn is_of(event: &Value, task: &str) -> bool {
    event["task"].as_str() == Some(task)
}
