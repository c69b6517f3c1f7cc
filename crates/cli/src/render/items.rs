//! The items of a fan-out.

use model::TaskStatus;
use protocol::api::{Again, Decided, ItemList, ItemSummary, RoundSummary, Time};
use serde_json::Value;

use super::{age, counts, duration, duration_or_none, reasons, word};
use crate::style::{self, Paint, Tone};
use crate::table::{Cell, Table, printable};

/// Outputs that are shown of a task, and characters of each.
const LINES_MAX: usize = 100;
const LINE_CHARS_MAX: usize = 200;
/// Characters of the outputs of an item of a fan-out.
const CELL_CHARS_MAX: usize = 60;

/// The items as a table, as it is `now`.
pub(crate) fn render(list: &ItemList, now: Time, tone: Tone) -> String {
    let mut heads = vec![">ITEM", "VALUE", "STATUS", ">ATTEMPTS", "DURATION", "TROUBLE"];
    // What a task without a fan-out left has lines of its own.
    let is_fan_out = !matches!(list.items.as_slice(), [only] if only.value.is_none());
    let has_column = is_fan_out && list.items.iter().any(|item| item.outputs.is_some());
    let has_saved = list.items.iter().any(|item| item.checkpointed.is_some());
    let has_preempted = list.items.iter().any(|item| item.preempted > 0);
    for (has, head) in
        [(has_saved, "CHECKPOINTED"), (has_preempted, "PREEMPTED"), (has_column, "OUTPUTS")]
    {
        heads.extend(has.then_some(head));
    }
    let mut table = Table::new(&heads);
    for item in &list.items {
        let value = match &item.value {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        };
        let mut cells = vec![
            Cell::from(item.item.to_string()),
            Cell::from(value),
            Cell::from(item.status.as_str()).paint(style::of_task(item.status)),
            Cell::from(item.attempts.to_string()),
            Cell::from(duration_or_none(item.duration_seconds)),
            Cell::from(item.trouble.as_deref().unwrap_or("")),
        ];
        if has_saved {
            let saved = item.checkpointed.map_or_else(|| "-".to_owned(), |at| age(at, now));
            cells.push(Cell::from(saved));
        }
        if has_preempted {
            cells.push(Cell::from(preempted(item)));
        }
        if has_column {
            cells.push(Cell::from(item.outputs.as_ref().map_or_else(String::new, in_short)));
        }
        table.row(cells);
    }
    let mut text = table.render(tone);
    text.push_str(&reasons(
        list.items.iter().filter_map(|item| {
            let reason = item.reason.as_deref()?;
            Some((format!("{} item {}", style::sign(item.status), item.item), reason))
        }),
        tone,
    ));
    if let Some(decided) = &list.decided {
        text.push_str(&rule(decided, tone));
    }
    if let [only] = list.items.as_slice()
        && let Some(outputs) = only.outputs.as_ref().filter(|_| !is_fan_out)
    {
        text.push_str(&self::outputs(outputs, tone));
    }
    if list.outputs_cut {
        let note =
            "Later items have outputs, too: a page of fewer shows them (--limit, --cursor)\n";
        text.push_str(&tone.paint(Paint::Faint, note));
    }
    text.push_str(&rounds(&list.rounds, tone));
    if list.next.is_some() {
        text.push_str(&tone.paint(Paint::Faint, "… and more: --limit shows more\n"));
    }
    text
}

/// How often an item had to make room, and what that cost: `2 (1m 30s lost)`.
fn preempted(item: &ItemSummary) -> String {
    match item.lost_seconds {
        Some(lost) if item.preempted > 0 => format!("{} ({} lost)", item.preempted, duration(lost)),
        _ => item.preempted.to_string(),
    }
}

/// The rule of a decision that fired.
fn rule(decided: &Decided, tone: Tone) -> String {
    let when = decided.when.as_deref().map_or("it always holds".to_owned(), printable);
    let route = decided.route.as_deref().map(|route| format!(" → {}", printable(route)));
    let head = tone.paint(Paint::Head, &format!("Rule {} fired:", decided.rule));
    format!("\n{head} {when}{}\n", route.unwrap_or_default())
}

/// The outputs of a task, one a line.
fn outputs(outputs: &Value, tone: Tone) -> String {
    let Value::Object(all) = outputs else { return String::new() };
    if all.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{}\n", tone.paint(Paint::Head, "Outputs:"));
    let mut is_cut = all.len() > LINES_MAX;
    for (name, value) in all.iter().take(LINES_MAX) {
        let (value, cut) = cut(&said(value), LINE_CHARS_MAX);
        is_cut |= cut;
        text.push_str(&format!("  {} = {value}\n", printable(name)));
    }
    if is_cut {
        text.push_str(
            &tone.paint(Paint::Faint, "… they are cut here: -o json shows all of them\n"),
        );
    }
    text
}

/// The outputs of an item in one cell.
fn in_short(outputs: &Value) -> String {
    let Value::Object(all) = outputs else { return String::new() };
    let all = all.iter().map(|(name, value)| format!("{name}={}", said(value)));
    cut(&all.collect::<Vec<_>>().join(" "), CELL_CHARS_MAX).0
}

fn said(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A text on one line, with an ellipsis where it was cut; and whether it was.
fn cut(text: &str, chars_max: usize) -> (String, bool) {
    let is_cut = text.chars().nth(chars_max).is_some();
    let shown: String = text.chars().take(chars_max).collect();
    (printable(&shown) + if is_cut { "…" } else { "" }, is_cut)
}

/// The rounds before this one, if there were any.
fn rounds(past: &[RoundSummary], tone: Tone) -> String {
    let Some(last) = past.last() else { return String::new() };
    let head = format!("In round {}. Before:", last.round + 2);
    let mut text = format!("\n{}\n", tone.paint(Paint::Head, &head));
    for round in past {
        let status = match round.status {
            TaskStatus::Pending => "not done yet",
            status => word(status),
        };
        let items = match round.items.total() {
            1 => String::new(),
            _ => format!(" ({})", counts(&round.items, Tone::PLAIN)),
        };
        let trouble = round.trouble.as_ref().filter(|_| round.status != TaskStatus::Succeeded);
        let trouble =
            trouble.map_or_else(String::new, |trouble| format!(": {}", printable(trouble)));
        let then = match round.then {
            Again::Loop => "once more in its loop",
            Again::Retry => "run again by hand",
        };
        let status = tone.paint(style::of_task(round.status), status);
        text.push_str(&format!("  {}. {status}{items}{trouble}, then {then}\n", round.round + 1));
    }
    text
}

#[cfg(test)]
mod tests {
    use model::Span;
    use model::TaskStatus;
    use protocol::api::{ItemSummary, Seconds};
    use serde_json::json;

    use super::super::samples::START;
    use super::*;

    #[test]
    fn items_show_what_they_stand_for() {
        let item = |item, value, status| ItemSummary {
            item,
            value: Some(value),
            status,
            attempts: 1,
            losses: 0,
            checkpointed: None,
            preempted: 0,
            lost_seconds: None,
            duration_seconds: None,
            trouble: (status == TaskStatus::Failed).then(|| "signal 9".to_owned()),
            reason: None,
            outputs: None,
        };
        let list = ItemList {
            items: vec![
                item(0, json!("alice"), TaskStatus::Succeeded),
                item(1, json!({"rate": 0.1}), TaskStatus::Failed),
            ],
            next: Some("2".to_owned()),
            ..ItemList::default()
        };
        insta::assert_snapshot!(render(&list, START, Tone::PLAIN), @r#"
        ITEM  VALUE         STATUS     ATTEMPTS  DURATION  TROUBLE
           0  alice         succeeded         1  -
           1  {"rate":0.1}  failed            1  -         signal 9
        … and more: --limit shows more
        "#);
    }

    #[test]
    fn saved_work_and_lost_work_have_columns_where_there_is_any() {
        let item = |item, checkpointed, preempted| ItemSummary {
            item,
            value: Some(json!("x")),
            status: TaskStatus::Running,
            attempts: 1 + preempted,
            losses: 0,
            checkpointed,
            preempted,
            lost_seconds: (preempted > 0).then_some(Seconds(Span::secs(90))),
            duration_seconds: None,
            trouble: None,
            reason: None,
            outputs: None,
        };
        let saved = Time(model::Timestamp(START.0.0 - 12_000_000));
        let items = vec![item(0, Some(saved), 0), item(1, None, 2)];
        let list = ItemList { items, ..ItemList::default() };
        insta::assert_snapshot!(render(&list, START, Tone::PLAIN), @r"
        ITEM  VALUE  STATUS   ATTEMPTS  DURATION  TROUBLE  CHECKPOINTED  PREEMPTED
           0  x      running         1  -                  12s ago       0
           1  x      running         3  -                  -             2 (1m 30s lost)
        ");
    }

    #[test]
    fn outputs_and_the_rule_that_fired_are_shown() {
        let item = |item, value: Option<Value>, outputs| ItemSummary {
            item,
            value,
            status: TaskStatus::Succeeded,
            attempts: 0,
            losses: 0,
            checkpointed: None,
            preempted: 0,
            lost_seconds: None,
            duration_seconds: None,
            trouble: None,
            reason: None,
            outputs: Some(outputs),
        };
        let long = "x".repeat(300);
        let list = ItemList {
            items: vec![item(0, None, json!({"route": "deploy", "rule": 2, "text": long}))],
            decided: Some(Decided {
                rule: 2,
                when: Some("params.n > 3".to_owned()),
                route: Some("deploy".to_owned()),
                value: Value::Null,
            }),
            ..ItemList::default()
        };
        let text = render(&list, START, Tone::PLAIN);
        let shown = text.replace(&"x".repeat(200), "(200)");
        insta::assert_snapshot!(shown.split_once("\n\n").expect("a table").1, @r"
        Rule 2 fired: params.n > 3 → deploy

        Outputs:
          route = deploy
          rule = 2
          text = (200)…
        … they are cut here: -o json shows all of them
        ");
        let items = vec![item(0, Some(json!("a")), json!({"n": 1, "s": "t"}))];
        let list = ItemList { items, ..ItemList::default() };
        let row = render(&list, START, Tone::PLAIN);
        assert!(row.ends_with("n=1 s=t\n"), "{row}");
    }

    #[test]
    fn earlier_rounds_are_told_below() {
        let round = |round, status, then| RoundSummary {
            round,
            status,
            items: [(status, 1)].into_iter().collect(),
            trouble: Some("exit 3".to_owned()),
            ended: None,
            then,
        };
        let list = ItemList {
            rounds: vec![
                round(0, TaskStatus::Succeeded, Again::Loop),
                round(1, TaskStatus::Failed, Again::Retry),
            ],
            ..ItemList::default()
        };
        let text = render(&list, START, Tone::PLAIN);
        insta::assert_snapshot!(text.split_once('\n').expect("a table").1, @r"
        In round 3. Before:
          1. succeeded, then once more in its loop
          2. failed: exit 3, then run again by hand
        ");
    }
}
