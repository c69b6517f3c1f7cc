//! The processes in which functions stay warm.

use protocol::api::Pool;

use super::gc::size;
use crate::outline::span;
use crate::style::Tone;
use crate::table::{Cell, Table};

/// What stands where there are none.
pub(crate) const EMPTY: &str = "No functions have been called since this process began.\n";

/// The pools as a table.
pub(crate) fn render(pools: &[Pool], tone: Tone) -> String {
    let heads = [
        "PYTHON",
        ">PROCESSES",
        ">BUSY",
        ">WAITING",
        ">CALLS",
        ">CRASHES",
        ">MEMORY",
        ">KEPT IDLE",
        "FOLDER",
    ];
    let mut table = Table::new(&heads);
    for pool in pools {
        table.row(vec![
            Cell::from(&pool.python),
            Cell::from(pool.processes.to_string()),
            Cell::from(pool.busy.to_string()),
            Cell::from(pool.waiting.to_string()),
            Cell::from(pool.calls.to_string()),
            Cell::from(pool.crashes.to_string()),
            Cell::from(size(pool.memory_bytes)),
            Cell::from(span(pool.keep_seconds)),
            Cell::from(&pool.folder),
        ]);
    }
    table.render(tone)
}

#[cfg(test)]
mod tests {
    use model::Span;
    use protocol::api::Seconds;

    use super::*;

    #[test]
    fn pools_are_a_table() {
        let pool = Pool {
            python: ".venv/bin/python".to_owned(),
            folder: "/data/flow".to_owned(),
            processes: 2,
            busy: 1,
            waiting: 40,
            calls: 1_234,
            crashes: 1,
            memory_bytes: 300 << 20,
            keep_seconds: Seconds(Span::secs(300)),
        };
        insta::assert_snapshot!(render(&[pool], Tone::PLAIN), @r"
        PYTHON            PROCESSES  BUSY  WAITING  CALLS  CRASHES     MEMORY  KEPT IDLE  FOLDER
        .venv/bin/python          2     1       40   1234        1  300.0 MiB         5m  /data/flow
        ");
    }
}
