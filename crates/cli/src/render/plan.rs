//! The shape of a workflow before anything runs: its levels, its critical path, its width.

use std::collections::BTreeMap;

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::{outline, plural};
use crate::outline::Step;
use crate::style::{Paint, Tone};
use crate::table::{Cell, Table, printable};

/// Names shown on one line of a table.
const NAMES_SHOWN: usize = 6;
/// Columns of a line of the critical path, which is shown whole.
const PATH_WIDTH: usize = 76;
/// Tasks with more to them that get a line of their own.
const CONTROL_SHOWN: usize = 20;
/// Stands between its tasks.
const ARROW: &str = " → ";

/// The shape of a workflow.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Shape {
    /// The workflow's name.
    pub name: String,
    /// What its runs are told apart by.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// How many tasks it has.
    pub tasks: u64,
    /// How many items they have.
    pub items: u64,
    /// How many dependencies there are.
    pub dependencies: u64,
    /// The most tasks that could run at a time, by level.
    pub width: u64,
    /// The most items that could run at a time, by level.
    pub width_items: u64,
    /// A longest chain of tasks: however many machines there are, these run one after another.
    pub critical_path: Vec<String>,
    /// What may run together, first to last.
    pub levels: Vec<Level>,
    /// What runs when the ordinary tasks have ended.
    pub handlers: Vec<Handler>,
    /// How many tasks have items that are worked out at run time; each counts as one item above.
    pub fan_outs_open: u64,
    /// The tasks with more to them than what they depend on: conditions, decisions, loops, waits.
    pub control: Vec<Step>,
}

/// Tasks with an equally long way behind them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Level {
    /// Their names, in the order of the file.
    pub tasks: Vec<String>,
    /// How many items they have.
    pub items: u64,
}

/// A task that waits for the end of the ordinary ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Handler {
    /// Its name.
    pub task: String,
    /// When it runs: `success`, `failure`, `cancel`, `exit`, `finally`; `undo` for a compensation.
    pub on: &'static str,
}

/// The shape as a sentence and a table; `wide` names every task.
pub(crate) fn render(shape: &Shape, wide: bool, tone: Tone) -> String {
    let shown = if wide { usize::MAX } else { NAMES_SHOWN };
    let mut text = format!(
        "{}: {} ({}), {}, at most {} at a time\n\n",
        tone.paint(Paint::Head, &printable(&shape.name)),
        plural(shape.tasks, "task"),
        items(shape),
        match shape.dependencies {
            1 => "1 dependency".to_owned(),
            count => format!("{count} dependencies"),
        },
        plural(shape.width_items, "item"),
    );
    if !shape.labels.is_empty() {
        let labels = printable(&super::run::labels(&shape.labels));
        text.insert_str(text.len() - 1, &format!("labels: {labels}\n"));
    }
    let mut table = Table::new(&[">LEVEL", ">TASKS", ">ITEMS", "NAMES"]);
    for (number, level) in shape.levels.iter().enumerate() {
        table.row([
            Cell::from((number + 1).to_string()),
            Cell::from(level.tasks.len().to_string()),
            Cell::from(level.items.to_string()),
            Cell::whole(&names(&level.tasks, shown)),
        ]);
    }
    text.push_str(&table.render(tone));
    for handler in &shape.handlers {
        text.push_str(&format!("on {}: {}\n", handler.on, printable(&handler.task)));
    }
    text.push_str(&control(shape, wide, tone));
    let label = tone.paint(Paint::Head, "Critical path");
    let length = plural(shape.critical_path.len() as u64, "task");
    text.push_str(&format!("\n{label} ({length}):"));
    match path_lines(&shape.critical_path).as_slice() {
        [line] => text.push_str(&format!(" {line}\n")),
        lines => text.push_str(&format!("\n  {}\n", lines.join("\n  "))),
    }
    text
}

/// How many items there are, as far as that is known.
fn items(shape: &Shape) -> String {
    let known = plural(shape.items, "item");
    if shape.fan_outs_open == 0 { known } else { format!("{known}, more at run time") }
}

/// The tasks with more to them, a line each.
fn control(shape: &Shape, wide: bool, tone: Tone) -> String {
    if shape.control.is_empty() {
        return String::new();
    }
    let shown = if wide { usize::MAX } else { CONTROL_SHOWN };
    let mut table = Table::new(&["TASK", "KIND", "WHAT"]);
    for step in shape.control.iter().take(shown) {
        table.row([
            Cell::from(&step.task),
            Cell::from(outline::kind(step)),
            Cell::whole(&outline::what(step)),
        ]);
    }
    let mut text = format!("\n{}", table.render(tone));
    if shape.control.len() > shown {
        let more = plural((shape.control.len() - shown) as u64, "more task");
        text.push_str(&format!("… {more}\n"));
    }
    text
}

/// All names along a path, as many on a line as there is room for, at least one; a line that goes
/// on ends with an arrow.
fn path_lines(path: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for name in path {
        let name = printable(name);
        match lines.last_mut() {
            Some(line) if line.width() + 2 * ARROW.width() + name.width() <= PATH_WIDTH => {
                line.push_str(ARROW);
                line.push_str(&name);
            }
            Some(line) => {
                line.push_str(ARROW.trim_end());
                lines.push(name);
            }
            None => lines.push(name),
        }
    }
    lines
}

fn names(all: &[String], shown: usize) -> String {
    let mut text: Vec<_> = all.iter().take(shown).map(|name| printable(name)).collect();
    if all.len() > shown {
        text.push(format!("… {} more", all.len() - shown));
    }
    text.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_is_a_table_of_levels() {
        let level = |names: &[&str], items| Level {
            tasks: names.iter().map(|&name| name.to_owned()).collect(),
            items,
        };
        let shape = Shape {
            name: "digits".to_owned(),
            labels: [].into(),
            tasks: 10,
            items: 45,
            dependencies: 1,
            width: 8,
            width_items: 36,
            critical_path: vec!["split".to_owned(), "train".to_owned()],
            levels: vec![level(&["split"], 1), level(&["a", "b", "c", "d", "e", "f", "g"], 36)],
            handlers: vec![Handler { task: "tidy".to_owned(), on: "exit" }],
            fan_outs_open: 0,
            control: Vec::new(),
        };
        insta::assert_snapshot!(render(&shape, false, Tone::PLAIN), @r"
        digits: 10 tasks (45 items), 1 dependency, at most 36 items at a time

        LEVEL  TASKS  ITEMS  NAMES
            1      1      1  split
            2      7     36  a, b, c, d, e, f, … 1 more
        on exit: tidy

        Critical path (2 tasks): split → train
        ");
        assert!(render(&shape, true, Tone::PLAIN).contains("f, g"));
    }

    #[test]
    fn a_long_path_is_wrapped_and_never_cut() {
        let mut path: Vec<_> = (1..=30).map(|number| format!("task-{number}")).collect();
        path.insert(3, "x".repeat(120));
        let lines = path_lines(&path);
        assert_eq!(lines[0], "task-1 → task-2 → task-3 →");
        assert_eq!(lines[1], format!("{} →", path[3]), "a long name has a line of its own");
        assert!(lines[2].starts_with("task-4 → task-5 → "));
        assert!(lines.iter().all(|line| line.width() <= PATH_WIDTH || line.starts_with('x')));
        assert_eq!(lines.join(" ").split(ARROW).collect::<Vec<_>>(), path);
    }
}
