//! The published tables of states say what the code says: `docs/reference/states.md`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use model::{RunStatus, TaskStatus};

/// The rows of the n-th table that says what may become of what, as pairs of words.
fn published(table: usize) -> BTreeSet<(String, String)> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/states.md");
    let text = fs::read_to_string(page).expect("the page is there");
    let after = text.split("| From | May become |").nth(table + 1).expect("the table is there");
    let rows = after.lines().skip(2).take_while(|line| line.starts_with('|'));
    let quoted = |cell: &str| -> Vec<String> {
        cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    rows.flat_map(|row| {
        let cells: Vec<&str> = row.split('|').collect();
        let from = quoted(cells[1]);
        quoted(cells[2]).into_iter().map(move |to| (from[0].clone(), to))
    })
    .collect()
}

#[test]
fn the_table_of_runs_is_the_one_in_the_code() {
    let all = RunStatus::ALL;
    let pairs = all.iter().flat_map(|&from| all.iter().map(move |&to| (from, to)));
    let allowed: BTreeSet<_> = pairs
        .filter(|(from, to)| from.may_become(*to))
        .map(|(from, to)| (from.to_string(), to.to_string()))
        .collect();
    assert_eq!(published(0), allowed);
}

#[test]
fn the_table_of_tasks_is_the_one_in_the_code() {
    let all = TaskStatus::ALL;
    let pairs = all.iter().flat_map(|&from| all.iter().map(move |&to| (from, to)));
    let allowed: BTreeSet<_> = pairs
        .filter(|(from, to)| from.may_become(*to))
        .map(|(from, to)| (from.to_string(), to.to_string()))
        .collect();
    assert_eq!(published(1), allowed);
}
