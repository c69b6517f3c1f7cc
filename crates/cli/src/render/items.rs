//! The items of a fan-out.

use protocol::api::ItemList;
use serde_json::Value;

use super::{duration_or_none, reasons};
use crate::style::{self, Paint, Tone};
use crate::table::{Cell, Table};

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
    if list.next.is_some() {
        text.push_str(&tone.paint(Paint::Faint, "… and more: --limit shows more\n"));
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
            next: Some("2".to_owned()),
        };
        insta::assert_snapshot!(render(&list, Tone::PLAIN), @r#"
        ITEM  VALUE         STATUS     ATTEMPTS  DURATION  TROUBLE
           0  alice         succeeded         1  -
           1  {"rate":0.1}  failed            1  -         signal 9
        … and more: --limit shows more
        "#);
    }
}
