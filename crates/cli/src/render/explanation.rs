//! Why something waits, or where it runs.

use protocol::api::{Candidate, ExpectedStart, Explanation, PlacedBecause, Time};

use super::{age, plural, span, word};
use crate::style::{self, Paint, Tone};
use crate::table::{Cell, Table, printable};

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
        let line = format!("It {verb} on {worker}, attempt {attempt} under token {token}");
        text.push_str(&line);
        if let Some(alternative) = placed.alternative {
            text.push_str(&format!(", as alternative {alternative}"));
        }
        text.push_str(".\n");
        if let Some(saved) = placed.checkpointed {
            text.push_str(&format!("Its work was saved {}.\n", age(saved, now)));
        }
        if let Some(because) = &placed.because {
            text.push_str(&why_there(because, now, tone));
        }
    }
    if let Some(limits) = &explanation.limits {
        text.push_str(&format!("Its limits: {}.\n", printable(limits)));
    }
    if let Some(unblock) = &explanation.unblock {
        let label = tone.paint(Paint::Accent, "What would let it start:");
        text.push_str(&format!("{label} {}\n", printable(unblock)));
    }
    if let Some(expected) = &explanation.expected {
        let then = explanation.as_of.as_ref().map_or(now, |as_of| as_of.time);
        text.push_str(&format!("{}\n", when(expected, then)));
    }
    for unknown in explanation.as_of.iter().flat_map(|as_of| &as_of.unknown) {
        text.push_str(&format!("Not known: {}.\n", printable(unknown)));
    }
    text
}

/// When it is expected to start, and how sure that is.
fn when(expected: &ExpectedStart, now: Time) -> String {
    let least = if expected.at_least { "at least " } else { "about " };
    let mut text = format!("It is expected to start in {least}{}", span(now, expected.at));
    match &expected.confidence {
        None => text.push_str(".\nHow sure that is cannot be told: too little has been measured."),
        Some(known) => {
            let [earliest, latest] = [known.earliest, known.latest].map(|at| span(now, at));
            text.push_str(&format!(", between {earliest} and {latest}.\n"));
            let attempts = plural(known.attempts, "attempt");
            let (least, most) = (known.least_percent, known.most_percent);
            text.push_str(&format!(
                "Of the last {attempts}, eight of ten took {least} to {most} % of what was \
                 expected."
            ));
        }
    }
    if let Some(worker) = &expected.worker {
        let worker = printable(worker);
        text.push_str(&match expected.being_made {
            true => format!("\nRoom is being made for it on worker {worker}."),
            false => format!("\nRoom is kept for it on worker {worker} from then on."),
        });
    }
    text
}

/// What is shown of a worker in a column.
type InCell = fn(&Candidate, Time) -> String;

/// Why it was placed there, and what else had room.
fn why_there(because: &PlacedBecause, now: Time, tone: Tone) -> String {
    let label = tone.paint(Paint::Accent, "Why there:");
    let mut text = format!("{label} {}.\n", printable(&because.reason));
    if because.candidates.len() < 2 {
        return text;
    }
    let has = |value: fn(&Candidate) -> u64| because.candidates.iter().any(|it| value(it) > 0);
    let all: [(&'static str, bool, InCell); 6] = [
        (">SPEED", true, |it, _| format!("{} %", it.speed_percent)),
        (">ENDS IN", true, |it, now| span(now, it.ends)),
        (">UNMET", has(|it| it.unmet.into()), |it, _| it.unmet.to_string()),
        (">OTHERS", has(|it| it.others.into()), |it, _| it.others.to_string()),
        (">WASTE", has(|it| it.waste), |it, _| it.waste.to_string()),
        (">FREE", true, |it, _| format!("{} %", it.free_percent)),
    ];
    let shown: Vec<_> = all.into_iter().filter(|(_, shown, _)| *shown).collect();
    let heads = std::iter::once("WORKER").chain(shown.iter().map(|(head, ..)| *head));
    let mut table = Table::new(&heads.collect::<Vec<_>>());
    for candidate in &because.candidates {
        let cells = shown.iter().map(|(.., cell)| Cell::from(cell(candidate, now)));
        table.row(std::iter::once(Cell::from(candidate.worker.as_str())).chain(cells));
    }
    text.push_str(&table.render(tone));
    text
}

#[cfg(test)]
mod tests {
    use model::{RunId, TaskStatus, Timestamp};
    use protocol::api::{AsOf, Blocker, Confidence, Placement};

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
            expected: None,
            placed: None,
            limits: None,
            as_of: None,
        }
    }

    fn placement() -> Placement {
        Placement {
            alternative: None,
            worker: "local".to_owned(),
            attempt: 2,
            token: 41,
            started: Some(START),
            checkpointed: Some(START),
            because: None,
        }
    }

    fn after(seconds: u64) -> Time {
        Time(Timestamp(NOW.0.0 + seconds * 1_000_000))
    }

    #[test]
    fn what_waits_says_when_and_how_sure_that_is() {
        let expected = ExpectedStart {
            at: after(240),
            at_least: false,
            confidence: None,
            worker: None,
            being_made: false,
        };
        let shown = when(&ExpectedStart { at_least: true, ..expected.clone() }, NOW);
        insta::assert_snapshot!(shown, @r"
        It is expected to start in at least 4m 0s.
        How sure that is cannot be told: too little has been measured.
        ");
        let confidence = Confidence {
            earliest: after(120),
            latest: after(500),
            least_percent: 50,
            most_percent: 208,
            attempts: 64,
        };
        let worker = Some("gpu-1".to_owned());
        let expected = ExpectedStart { confidence: Some(confidence), worker, ..expected };
        let explanation =
            Explanation { expected: Some(expected.clone()), ..explanation(TaskStatus::Ready) };
        insta::assert_snapshot!(render(&explanation, NOW, Tone::PLAIN), @r"
        train[3] of run 7 (ready): no worker has room for it
        It is expected to start in about 4m 0s, between 2m 0s and 8m 20s.
        Of the last 64 attempts, eight of ten took 50 to 208 % of what was expected.
        Room is kept for it on worker gpu-1 from then on.
        ");
        let made = when(&ExpectedStart { being_made: true, ..expected }, NOW);
        assert!(made.ends_with("Room is being made for it on worker gpu-1."), "{made}");
    }

    #[test]
    fn what_runs_says_what_else_had_room() {
        let candidate = |worker: &str, speed_percent, waste| Candidate {
            worker: worker.to_owned(),
            speed_percent,
            ends: after(60),
            unmet: 0,
            others: 0,
            waste,
            free_percent: 75,
        };
        let because = PlacedBecause {
            had_room: 5,
            reason: "of 5 workers with room gpu-1 is the fastest".to_owned(),
            candidates: vec![candidate("gpu-1", 200, 0), candidate("cpu-1", 100, 12)],
        };
        let placed = Placement { because: Some(because), ..placement() };
        let explanation = Explanation { placed: Some(placed), ..explanation(TaskStatus::Running) };
        insta::assert_snapshot!(render(&explanation, NOW, Tone::PLAIN), @r"
        train[3] of run 7 (running): no worker has room for it
        It runs on local, attempt 2 under token 41.
        Its work was saved 12s ago.
        Why there: of 5 workers with room gpu-1 is the fastest.
        WORKER  SPEED  ENDS IN  WASTE  FREE
        gpu-1   200 %    1m 0s      0  75 %
        cpu-1   100 %    1m 0s     12  75 %
        ");
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
            placed: Some(placement()),
            ..explanation(TaskStatus::Running)
        };
        insta::assert_snapshot!(render(&explanation, NOW, Tone::PLAIN), @r"
        train[3] of run 7 (running): it runs
        It runs on local, attempt 2 under token 41.
        Its work was saved 12s ago.
        ");
    }
}
