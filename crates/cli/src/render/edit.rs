//! What an edit changes of a run.

use protocol::api::EditPlan;

use super::plural;
use crate::style::{Paint, Tone};
use crate::table::{Cell, Table, printable};

/// Names shown; the others are counted.
const NAMES_SHOWN: usize = 8;

/// What changes, from what to what; what is added; what cannot be changed.
pub(crate) fn render(plan: &EditPlan, tone: Tone) -> String {
    let mut text = String::new();
    if plan.changes.is_empty() && plan.added_total == 0 {
        text.push_str(&format!("Nothing of run {} would change.\n", plan.run));
    }
    if !plan.changes.is_empty() {
        text.push_str(&format!("In run {}, this changes:\n", plan.run));
        let mut table = Table::new(&["WHAT", "SETTING", "FROM", "TO"]);
        for change in &plan.changes {
            table.row([
                Cell::from(change.task.as_deref().unwrap_or("the run")),
                Cell::from(&change.key),
                Cell::from(&change.from),
                Cell::from(&change.to),
            ]);
        }
        text.push_str(&table.render(tone));
    }
    if plan.added_total > 0 {
        let tasks = plural(plan.added_total, "task");
        text.push_str(&format!("{tasks} added to run {}: {}\n", plan.run, names(plan)));
    }
    for warning in &plan.warnings {
        let label = tone.paint(Paint::Warn, "warning");
        text.push_str(&format!("{label}: {}\n", printable(warning)));
    }
    for refused in &plan.refused {
        let line = format!("{} {}: it cannot be changed any more", refused.task, refused.reason);
        text.push_str(&format!("{}\n", tone.paint(Paint::Bad, &printable(&line))));
    }
    text
}

/// What is said when it has been done.
pub(crate) fn note(plan: &EditPlan) -> String {
    let mut parts = Vec::new();
    for change in &plan.changes {
        let of = change.task.as_deref().map_or_else(String::new, |task| format!(" of {task}"));
        parts.push(format!("{}{of} {} → {}", change.key, change.from, change.to));
    }
    if plan.added_total > 0 {
        parts.push(format!("{} added: {}", plural(plan.added_total, "task"), names(plan)));
    }
    match parts.is_empty() {
        true => format!("Nothing of run {} has changed.", plan.run),
        false => format!("Run {} is edited: {}.", plan.run, parts.join("; ")),
    }
}

fn names(plan: &EditPlan) -> String {
    let shown: Vec<&str> = plan.added.iter().take(NAMES_SHOWN).map(String::as_str).collect();
    let hidden = plan.added_total.saturating_sub(shown.len() as u64);
    let more = if hidden > 0 { format!(" and {hidden} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use model::RunId;
    use protocol::api::{Change, Refused};

    use super::*;

    #[test]
    fn an_edit_is_shown_before_and_told_after() {
        let change = |task: Option<&str>, key: &str, from: &str, to: &str| Change {
            task: task.map(str::to_owned),
            key: key.to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
        };
        let plan = EditPlan {
            run: RunId(7),
            changes: vec![
                change(None, "priority", "50", "80"),
                change(Some("train"), "retry.limit", "0", "3"),
            ],
            added: vec!["more".to_owned()],
            added_total: 1,
            refused: vec![Refused { task: "train".to_owned(), reason: "is running".to_owned() }],
            warnings: vec!["no worker has room for b".to_owned()],
        };
        insta::assert_snapshot!(render(&plan, Tone::PLAIN), @r"
        In run 7, this changes:
        WHAT     SETTING      FROM  TO
        the run  priority     50    80
        train    retry.limit  0     3
        1 task added to run 7: more
        train is running: it cannot be changed any more
        ");
        assert_eq!(
            note(&plan),
            "Run 7 is edited: priority 50 → 80; retry.limit of train 0 → 3; 1 task added: more."
        );
    }
}
