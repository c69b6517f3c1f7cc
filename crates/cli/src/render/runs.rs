//! The list of runs.

use protocol::api::{RunSummary, Time};

use super::{age, duration};
use crate::style::{self, Tone};
use crate::table::{Cell, Table};

/// What stands where there is no run.
pub(crate) const EMPTY: &str = "No runs yet. Start one: autoglm run FILE\n";
/// What stands where no run fits the question.
pub(crate) const NONE: &str = "No such runs.\n";

/// The list as a table; `wide` adds the file and the time of acceptance.
pub(crate) fn render(runs: &[RunSummary], now: Time, wide: bool, tone: Tone) -> String {
    let mut heads = vec![">RUN", "NAME", "STATUS", ">TASKS", ">ITEMS", "DURATION", "STARTED"];
    if wide {
        heads.extend(["CREATED", "FILE", "ENVIRONMENT", "QUEUE", "LABELS"]);
    }
    let mut table = Table::new(&heads);
    for run in runs {
        let mut cells = vec![
            Cell::from(run.run.to_string()),
            Cell::from(&run.name),
            Cell::from(run.status.as_str()).paint(style::of_run(run.status)),
            Cell::from(format!("{}/{}", run.tasks.ended(), run.tasks.total())),
            Cell::from(format!("{}/{}", run.items.ended(), run.items.total())),
            Cell::from(duration(run.again_seconds.unwrap_or(run.duration_seconds))),
            Cell::from(age(run.created, now)),
        ];
        if wide {
            cells.push(Cell::from(run.created.to_string()));
            cells.push(Cell::from(&run.path));
            cells.push(Cell::from(run.environment.as_deref().unwrap_or("-")));
            cells.push(Cell::from(if run.queue.is_empty() { "-" } else { run.queue.as_str() }));
            cells.push(Cell::from(super::run::labels(&run.labels)));
        }
        table.row(cells);
    }
    table.render(tone)
}

#[cfg(test)]
mod tests {
    use model::RunStatus;

    use super::super::samples::{after, run};
    use super::*;

    #[test]
    fn the_list_is_a_table() {
        let runs = [run(RunStatus::Running), run(RunStatus::Failed)];
        insta::assert_snapshot!(render(&runs, after(90), false, Tone::PLAIN), @r"
        RUN  NAME    STATUS   TASKS  ITEMS  DURATION  STARTED
          7  digits  running    3/3  38/38  1m 12s    1m ago
          7  digits  failed     3/3  38/38  1m 12s    1m ago
        ");
        let wide = render(&runs[..1], after(90), true, Tone::PLAIN);
        let row = wide.lines().nth(1).expect("there is a run");
        let end = "1m ago   2026-11-20T10:00:00.000000Z  /data/digits.yaml  -            default";
        assert!(row.ends_with(end), "{row}");
    }
}
