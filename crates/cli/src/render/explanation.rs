//! Why something waits, or where it runs.

use protocol::api::{Explanation, Time};

use super::{age, plural, word};
use crate::style::{self, Paint, Tone};
use crate::table::printable;

/// The explanation as a paragraph and a list, as it is `now`.
pub(crate) fn render(explanation: &Explanation, now: Time, tone: Tone) -> String {
    let item = explanation.item.map_or_else(String::new, |item| format!("[{item}]"));
    let name = format!("{}{item}", printable(&explanation.task));
    let status = tone.paint(style::of_task(explanation.status), word(explanation.status));
    let mut text = format!(
        "{} of run {} ({status}): {}\n",
        tone.paint(Paint::Head, &name),
        explanation.run,
        printable(&explanation.summary),
    );
    if let Some(as_of) = &explanation.as_of {
        let told = format!("As of {}, fact {}.", as_of.time, as_of.seq);
        text.push_str(&format!("{}\n", tone.paint(Paint::Accent, &told)));
    }
    if let Some(reason) = &explanation.reason {
        let label = tone.paint(Paint::Bad, "The reason:");
        text.push_str(&format!("{label} {}\n", printable(reason)));
    }
    for blocker in &explanation.blockers {
        let kind = tone.paint(Paint::Warn, &blocker.kind.replace('_', " "));
        text.push_str(&format!("  - {kind}: {}\n", printable(&blocker.text)));
    }
    if let Some(ahead) = explanation.position {
        let line = match ahead {
            0 => "It is the next in the queue.".to_owned(),
            _ => {
                let tasks = explanation.position_tasks.map(|tasks| plural(tasks, "task"));
                let of = tasks.map_or_else(String::new, |tasks| format!(" of {tasks}"));
                format!("{}{of} ahead of it in the queue.", plural(ahead, "item"))
            }
        };
        text.push_str(&format!("{line}\n"));
    }
    if let Some(placed) = &explanation.placed {
        let worker = printable(&placed.worker);
        let verb = if placed.started.is_some() { "runs" } else { "was placed" };
        let (attempt, token) = (placed.attempt, placed.token);
        let line = format!("It {verb} on {worker}, attempt {attempt} under token {token}.\n");
        text.push_str(&line);
        if let Some(saved) = placed.checkpointed {
            text.push_str(&format!("Its work was saved {}.\n", age(saved, now)));
        }
    }
    if let Some(limits) = &explanation.limits {
        text.push_str(&format!("Its limits: {}.\n", printable(limits)));
    }
    if let Some(unblock) = &explanation.unblock {
        let label = tone.paint(Paint::Accent, "What would let it start:");
        text.push_str(&format!("{label} {}\n", printable(unblock)));
    }
    for unknown in explanation.as_of.iter().flat_map(|as_of| &as_of.unknown) {
        text.push_str(&format!("Not known: {}.\n", printable(unknown)));
    }
    text
}

#[cfg(test)]
mod tests {
    use model::{RunId, TaskStatus, Timestamp};
    use protocol::api::{AsOf, Blocker, Placement};

    use super::super::samples::START;
    use super::*;

    const NOW: Time = Time(Timestamp(START.0.0 + 12_000_000));

    fn explanation(status: TaskStatus) -> Explanation {
        Explanation {
            run: RunId(7),
            task: "train".to_owned(),
            item: Some(3),
            status,
            summary: "no worker has room for it".to_owned(),
            reason: None,
            decided: None,
            blockers: Vec::new(),
            position: None,
            position_tasks: None,
            unblock: None,
            placed: None,
            limits: None,
            as_of: None,
        }
    }

    #[test]
    fn a_wait_lists_its_blockers() {
        let blocker = |kind: &str, text: &str| Blocker { kind: kind.into(), text: text.into() };
        let explanation = Explanation {
            blockers: vec![
                blocker("no_room", "local: memory, asks for 8Gi, 3Gi of 16Gi are free"),
                blocker("behind", "12 items of 3 tasks go first"),
            ],
            position: Some(12),
            position_tasks: Some(3),
            unblock: Some("the end of any of the 2 running tasks".to_owned()),
            ..explanation(TaskStatus::Ready)
        };
        insta::assert_snapshot!(render(&explanation, NOW, Tone::PLAIN), @r"
        train[3] of run 7 (ready): no worker has room for it
          - no room: local: memory, asks for 8Gi, 3Gi of 16Gi are free
          - behind: 12 items of 3 tasks go first
        12 items of 3 tasks ahead of it in the queue.
        What would let it start: the end of any of the 2 running tasks
        ");
    }

    #[test]
    fn what_is_past_says_as_of_when_and_what_is_not_known() {
        let unknown = vec!["whether workers were heard of".to_owned()];
        let explanation = Explanation {
            as_of: Some(AsOf { seq: 812, time: START, unknown }),
            item: None,
            ..explanation(TaskStatus::Ready)
        };
        insta::assert_snapshot!(render(&explanation, NOW, Tone::PLAIN), @r"
        train of run 7 (ready): no worker has room for it
        As of 2026-11-20T10:00:00.000000Z, fact 812.
        Not known: whether workers were heard of.
        ");
    }

    #[test]
    fn what_could_not_be_worked_out_says_why() {
        let explanation = Explanation {
            summary: "its condition, items or rules could not be worked out".to_owned(),
            reason: Some("in `when`: undefined value".to_owned()),
            item: None,
            ..explanation(TaskStatus::Failed)
        };
        insta::assert_snapshot!(render(&explanation, NOW, Tone::PLAIN), @r"
        train of run 7 (failed): its condition, items or rules could not be worked out
        The reason: in `when`: undefined value
        ");
    }

    #[test]
    fn what_runs_says_where() {
        let explanation = Explanation {
            summary: "it runs".to_owned(),
            placed: Some(Placement {
                worker: "local".to_owned(),
                attempt: 2,
                token: 41,
                started: Some(START),
                checkpointed: Some(START),
            }),
            ..explanation(TaskStatus::Running)
        };
        insta::assert_snapshot!(render(&explanation, NOW, Tone::PLAIN), @r"
        train[3] of run 7 (running): it runs
        It runs on local, attempt 2 under token 41.
        Its work was saved 12s ago.
        ");
    }
}
