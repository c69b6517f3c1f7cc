//! The figures of each queue, beneath those of all: a row a queue and simulation.

use whatif::OfQueue;

use super::{Outcome, Unit, shown};
use crate::style::Tone;
use crate::table::{Cell, Table};

const LEGEND: &str = "\
GIVEN: of what all queues were given while jobs came, of the resource that most was given of.
PREEMPTED: attempts that made room for others.
";

/// How the figures of a queue are shown: the head, the figure, and whether only to those who want
/// all.
type Column = (&'static str, fn(&OfQueue) -> f64, Unit, bool);

const COLUMNS: [Column; 10] = [
    (">JOBS", |it| it.jobs as f64, Unit::Count, false),
    (">WAIT", |it| it.wait.mean_s, Unit::Time, false),
    (">WAIT P95", |it| it.wait.p95_s, Unit::Time, false),
    (">DONE", |it| it.completion.mean_s, Unit::Time, false),
    (">DONE P95", |it| it.completion.p95_s, Unit::Time, false),
    (">GIVEN", |it| it.given, Unit::Part, false),
    (">LATE 3", |it| it.missed.first().map_or(0.0, |it| it.part), Unit::Part, true),
    (">LATE 5", |it| it.missed.get(1).map_or(0.0, |it| it.part), Unit::Part, true),
    (">PREEMPTED", |it| it.preempted as f64, Unit::Count, false),
    (">REDONE", |it| it.redone_s, Unit::Time, true),
];

/// The figures of each queue as a table; nothing where there is one queue.
pub(super) fn render(results: &[Outcome], wide: bool, tone: Tone) -> String {
    let first = results.first().map_or(&[][..], |result| &result.figures.queues);
    if first.is_empty() {
        return String::new();
    }
    let columns = || COLUMNS.iter().filter(|(.., is_wide)| wide || !is_wide);
    let way = results.iter().find_map(Outcome::way);
    let mut heads = vec!["QUEUE", "POLICY"];
    heads.extend(way.map(|(head, _)| head));
    heads.extend(columns().map(|(head, ..)| head));
    let mut table = Table::new(&heads);
    for (at, queue) in first.iter().enumerate() {
        for result in results {
            let Some(of) = result.figures.queues.get(at) else { continue };
            let mut cells = vec![Cell::from(queue.queue.as_str()), result.figures.policy.into()];
            if way.is_some() {
                cells.push(Cell::from(result.way().map_or("", |(_, way)| way)));
            }
            cells.extend(columns().map(|(_, figure, unit, _)| shown(*unit, figure(of)).into()));
            table.row(cells);
        }
    }
    format!("\n{}\n{LEGEND}", table.render(tone))
}
