//! The items of a fan-out.

use model::TaskStatus;
use protocol::api::{Again, ItemList, RoundSummary};
use serde_json::Value;

use super::{counts, duration_or_none, reasons, word};
use crate::style::{self, Paint, Tone};
use crate::table::{Cell, Table, printable};

/// The items as a table.
pub(crate) fn render(list: &ItemList, tone: Tone) -> String {
    let mut table = Table::new(&[">ITEM", "VALUE", "STATUS", ">ATTEMPTS", "DURATION", "TROUBLE"]);
    for item in &list.items {
        let value = match &item.value {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        };
        table.row([
            Cell::from(item.item.to_string()),
            Cell::from(value),
            Cell::from(item.status.as_str()).paint(style::of_task(item.status)),
            Cell::from(item.attempts.to_string()),
            Cell::from(duration_or_none(item.duration_seconds)),
            Cell::from(item.trouble.as_deref().unwrap_or("")),
        ]);
    }
    let mut text = table.render(tone);
    text.push_str(&reasons(
        list.items.iter().filter_map(|item| {
            let reason = item.reason.as_deref()?;
            Some((format!("{} item {}", style::sign(item.status), item.item), reason))
        }),
        tone,
    ));
    text.push_str(&rounds(&list.rounds, tone));
    if list.next.is_some() {
        text.push_str(&tone.paint(Paint::Faint, "… and more: --limit shows more\n"));
    }
    text
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
    use model::TaskStatus;
    use protocol::api::ItemSummary;
    use serde_json::json;

    use super::*;

    #[test]
    fn items_show_what_they_stand_for() {
        let item = |item, value, status| ItemSummary {
            item,
            value: Some(value),
            status,
            attempts: 1,
            losses: 0,
            duration_seconds: None,
            trouble: (status == TaskStatus::Failed).then(|| "signal 9".to_owned()),
            reason: None,
        };
        let list = ItemList {
            items: vec![
                item(0, json!("alice"), TaskStatus::Succeeded),
                item(1, json!({"rate": 0.1}), TaskStatus::Failed),
            ],
            rounds: Vec::new(),
            next: Some("2".to_owned()),
        };
        insta::assert_snapshot!(render(&list, Tone::PLAIN), @r#"
        ITEM  VALUE         STATUS     ATTEMPTS  DURATION  TROUBLE
           0  alice         succeeded         1  -
           1  {"rate":0.1}  failed            1  -         signal 9
        … and more: --limit shows more
        "#);
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
        let text = render(&list, Tone::PLAIN);
        insta::assert_snapshot!(text.split_once('\n').expect("a table").1, @r"
        In round 3. Before:
          1. succeeded, then once more in its loop
          2. failed: exit 3, then run again by hand
        ");
    }
}
