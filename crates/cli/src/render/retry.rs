//! What a retry runs once more.

use protocol::api::RetryPlan;

use super::plural;
use crate::style::Tone;
use crate::table::{Cell, Table};

/// Tasks shown; the others are counted.
const TASKS_SHOWN: usize = 20;

/// The plan as a table under a sentence.
pub(crate) fn render(plan: &RetryPlan, tone: Tone) -> String {
    let tasks = plural(plan.tasks_total, "task");
    let items = plural(plan.items_total, "item");
    let mut text = format!("In run {}, {tasks} ({items}) will run again:\n", plan.run);
    let mut table = Table::new(&["TASK", ">ITEMS", "BECAUSE"]);
    for task in plan.tasks.iter().take(TASKS_SHOWN) {
        table.row([
            Cell::from(&task.name),
            Cell::from(task.items.to_string()),
            Cell::from(&task.reason),
        ]);
    }
    text.push_str(&table.render(tone));
    let hidden = plan.tasks_total.saturating_sub(plan.tasks.len().min(TASKS_SHOWN) as u64);
    if hidden > 0 {
        text.push_str(&format!("… and {} more\n", plural(hidden, "task")));
    }
    text
}

/// What is said when a run of `tasks` tasks runs again.
pub(crate) fn note(plan: &RetryPlan, tasks: u64) -> String {
    match tasks.saturating_sub(plan.tasks_total) {
        0 => format!("Run {} runs again.", plan.run),
        1 => format!("Run {} runs again; 1 task is kept as it ended.", plan.run),
        kept => format!("Run {} runs again; {kept} tasks are kept as they ended.", plan.run),
    }
}

#[cfg(test)]
mod tests {
    use model::RunId;
    use protocol::api::RetryTask;

    use super::*;

    #[test]
    fn a_long_plan_is_cut() {
        let task = |n| RetryTask {
            name: format!("t{n}"),
            items: n,
            reason: if n == 1 { "failed".to_owned() } else { "skipped".to_owned() },
        };
        let mut plan = RetryPlan {
            run: RunId(7),
            tasks: (1..3).map(task).collect(),
            tasks_total: 2,
            items_total: 3,
        };
        insta::assert_snapshot!(render(&plan, Tone::PLAIN), @r"
        In run 7, 2 tasks (3 items) will run again:
        TASK  ITEMS  BECAUSE
        t1        1  failed
        t2        2  skipped
        ");
        plan.tasks = (1..30).map(task).collect();
        plan.tasks_total = 500;
        assert!(render(&plan, Tone::PLAIN).ends_with("… and 480 tasks more\n"));
        assert_eq!(note(&plan, 512), "Run 7 runs again; 12 tasks are kept as they ended.");
        assert_eq!(note(&plan, 501), "Run 7 runs again; 1 task is kept as it ended.");
        assert_eq!(note(&plan, 500), "Run 7 runs again.");
    }
}
