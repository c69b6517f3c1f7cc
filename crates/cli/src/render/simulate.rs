//! What came of simulations: a row a policy and cluster, the best of each column marked.

mod queues;

use std::fmt;

use protocol::api::Seconds;
use serde::Serialize;
use whatif::Figures;
use whatif::measure::{Missed, RESOURCES};

use super::history::Found;
use super::{duration, plural};
use crate::style::{Paint, Tone};
use crate::table::{Cell, Table, printable};

/// Simulations of one workload.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Simulation {
    /// What was simulated.
    pub simulated: Simulated,
    /// What came of it, by policy and then by cluster.
    pub results: Vec<Outcome>,
}

/// What was simulated.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Simulated {
    /// How much of a history was found, if that is what was simulated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<Found>,
    /// What the workload is called.
    pub workload: String,
    pub tasks: usize,
    pub jobs: usize,
    /// How many nodes the cluster has, and then the changed one.
    pub nodes: Vec<u64>,
    /// How it was changed.
    pub what_if: Vec<String>,
    /// How much of its time the workload was given, of a rehearsal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_scale: Option<f64>,
    /// The part of the cluster that is asked for while jobs come, from 0.
    pub load: Option<f64>,
    /// How many jobs are there at a time, in a closed loop.
    pub outstanding: Option<u32>,
    /// What is expected of tasks.
    pub estimates: String,
    /// The part of attempts that fail.
    pub failures: f64,
    pub seed: u64,
    /// What was left out or supposed.
    pub notes: Vec<String>,
}

/// What was simulated, where it was also really run.
pub(crate) const SIMULATED: &str = "simulated";
/// What was really run.
pub(crate) const REAL: &str = "real";

/// What came of one simulation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Outcome {
    /// `before` or `after`, if the cluster was changed.
    pub cluster: Option<&'static str>,
    /// [`SIMULATED`] or [`REAL`], of a rehearsal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<&'static str>,
    pub figures: Figures,
}

impl fmt::Display for Simulated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [tasks, jobs] = [(self.tasks, "task"), (self.jobs, "job")]
            .map(|(count, noun)| plural(count as u64, noun));
        write!(f, "{}: {tasks} in {jobs}", self.workload)?;
        match *self.nodes {
            [before, after] => write!(f, " on {before} and then {}", plural(after, "node"))?,
            [nodes, ..] => write!(f, " on {}", plural(nodes, "node"))?,
            [] => {}
        }
        match (self.outstanding, self.load) {
            (Some(jobs), _) => write!(f, ", always {jobs} at a time")?,
            (None, Some(load)) => write!(f, ", load {:.0} %", load * 100.0)?,
            (None, None) => write!(f, ", all at once")?,
        }
        if self.estimates != "recorded" {
            write!(f, ", estimates: {}", self.estimates)?;
        }
        if let Some(scale) = self.time_scale {
            write!(f, ", in {scale} times its time")?;
        }
        if self.failures > 0.0 {
            write!(f, ", {} % of attempts fail", self.failures * 100.0)?;
        }
        Ok(())
    }
}

impl Outcome {
    /// What tells it apart from others of its policy, with its head in tables.
    fn way(&self) -> Option<(&'static str, &'static str)> {
        let cluster = self.cluster.map(|cluster| ("CLUSTER", cluster));
        cluster.or(self.run.map(|run| ("RUN", run)))
    }
}

impl Simulated {
    /// How the cluster was changed.
    pub(crate) fn change(&self) -> Option<String> {
        (!self.what_if.is_empty()).then(|| format!("What if: {}", self.what_if.join(", ")))
    }
}

/// How the numbers of a column are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Time,
    Part,
    Ratio,
    Count,
}

/// Which of the numbers of a column is the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Best {
    Least,
    Most,
}

struct Column {
    head: &'static str,
    of: fn(&Figures) -> Option<f64>,
    unit: Unit,
    best: Best,
    /// Whether it is only shown to those who want all.
    is_wide: bool,
}

const fn column(
    head: &'static str,
    of: fn(&Figures) -> Option<f64>,
    (unit, best): (Unit, Best),
    is_wide: bool,
) -> Column {
    Column { head, of, unit, best, is_wide }
}

const TIME: (Unit, Best) = (Unit::Time, Best::Least);
const BUSY: (Unit, Best) = (Unit::Part, Best::Most);
const LOST: (Unit, Best) = (Unit::Part, Best::Least);

const COLUMNS: [Column; 21] = [
    column(">WAIT", |it| Some(it.wait.mean_s), TIME, false),
    column(">WAIT P50", |it| Some(it.wait.p50_s), TIME, true),
    column(">WAIT P95", |it| Some(it.wait.p95_s), TIME, false),
    column(">WAIT MAX", |it| Some(it.wait.max_s), TIME, false),
    column(">DONE", |it| Some(it.completion.mean_s), TIME, false),
    column(">DONE P50", |it| Some(it.completion.p50_s), TIME, true),
    column(">DONE P95", |it| Some(it.completion.p95_s), TIME, false),
    column(">DONE MAX", |it| Some(it.completion.max_s), TIME, true),
    column(">MAKESPAN", |it| Some(it.makespan_s), TIME, false),
    column(">BOUND", |it| Some(it.makespan_by_bound), (Unit::Ratio, Best::Least), false),
    column(">CPU", |it| busy(it, 0), BUSY, false),
    column(">MEMORY", |it| busy(it, 1), BUSY, true),
    column(">GPU", |it| busy(it, 2), BUSY, false),
    column(">USELESS", |it| it.fragmentation, LOST, true),
    column(">FAIR", |it| Some(it.fairness), (Unit::Ratio, Best::Most), true),
    column(">LATE 3", |it| missed(it, 3), LOST, true),
    column(">LATE 5", |it| missed(it, 5), LOST, true),
    column(">FAILED", |it| Some(it.attempts_failed as f64), (Unit::Count, Best::Least), true),
    column(">LOST", |it| Some(it.lost_s), TIME, true),
    column(">PREEMPTED", |it| Some(it.preempted as f64), (Unit::Count, Best::Least), true),
    column(">REDONE", |it| Some(it.redone_s), TIME, true),
];

fn busy(figures: &Figures, resource: usize) -> Option<f64> {
    let busy = figures.busy.iter().find(|busy| busy.resource == RESOURCES[resource]);
    busy.map(|busy| busy.part)
}

fn missed(figures: &Figures, paths: u32) -> Option<f64> {
    let is_it = |missed: &&Missed| missed.critical_paths == paths;
    figures.missed.iter().find(is_it).map(|missed| missed.part)
}

const LEGEND: &str = "\
WAIT: of tasks that could begin, until they did. DONE: of jobs, from coming to end.
BOUND: the makespan, by what no schedule is shorter than. CPU, GPU: busy while jobs come.
";
const WIDE_LEGEND: &str = "\
USELESS: GPUs that are free, but not for tasks of this mix. FAIR: 1 if all jobs are slowed alike.
LATE: jobs later than 3 or 5 critical paths, a synthetic deadline. LOST: what failed attempts ran.
PREEMPTED: attempts that made room for others. REDONE: what those had run, which is done again.
";

/// The results as a table; `wide` shows all columns.
pub(crate) fn render(simulation: &Simulation, wide: bool, tone: Tone) -> String {
    let results = &simulation.results;
    let is_there = |column: &&Column| results.iter().any(|it| (column.of)(&it.figures).is_some());
    let columns: Vec<&Column> =
        COLUMNS.iter().filter(|column| wide || !column.is_wide).filter(is_there).collect();
    let way = results.iter().find_map(Outcome::way);
    let mut heads = vec!["POLICY"];
    heads.extend(way.map(|(head, _)| head));
    heads.extend(columns.iter().map(|column| column.head));
    let mut table = Table::new(&heads);
    let mut is_any_best = false;
    let is_race = results.iter().any(|result| rivals(results, result).len() > 1);
    for (at, result) in results.iter().enumerate() {
        let rivals = rivals(results, result);
        let mut cells = vec![Cell::from(result.figures.policy)];
        if way.is_some() {
            cells.push(Cell::from(result.way().map_or("", |(_, way)| way)));
        }
        for column in &columns {
            let value = (column.of)(&result.figures);
            let is_best = value.is_some_and(|value| is_best(column, value, &rivals));
            is_any_best |= is_best;
            let mark = if is_best { "*" } else { " " };
            let text = value.map_or_else(|| "-".to_owned(), |value| shown(column.unit, value));
            let cell = Cell::from(format!("{text}{}", if is_race { mark } else { "" }));
            cells.push(if is_best { cell.paint(Paint::Good) } else { cell });
        }
        table.row(cells);
        let change_of = match result.way() {
            Some((_, "after")) => Some("change"),
            Some((_, REAL)) => Some("difference"),
            _ => None,
        };
        if let Some(head) = change_of.filter(|_| at > 0) {
            let both = [&results[at - 1], result].map(|it| &it.figures);
            table.row(change(head, &columns, both));
        }
    }
    let history = simulation.simulated.history.as_ref();
    let mut text = history.map_or_else(String::new, |found| format!("{found}\n"));
    text.push_str(&format!("{}\n", printable(&simulation.simulated.to_string())));
    let change = simulation.simulated.change();
    change.iter().for_each(|change| text.push_str(&format!("{}\n", printable(change))));
    text.push('\n');
    text.push_str(&table.render(tone));
    text.push('\n');
    text.push_str(LEGEND);
    text.push_str(if wide { WIDE_LEGEND } else { "" });
    text.push_str(if is_any_best { "*: the best of the policies.\n" } else { "" });
    text.push_str(&queues::render(results, wide, tone));
    text
}

/// What a result competes with. What happened is no policy, and competes with none.
fn rivals<'a>(results: &'a [Outcome], result: &Outcome) -> Vec<&'a Outcome> {
    let is_recorded = |it: &Outcome| it.figures.policy == whatif::RECORDED;
    let is_rival =
        |it: &&Outcome| it.way() == result.way() && is_recorded(it) == is_recorded(result);
    results.iter().filter(is_rival).collect()
}

/// How much a change brings, in percent of what was.
fn change(head: &str, columns: &[&Column], [before, after]: [&Figures; 2]) -> Vec<Cell> {
    let mut cells = vec![Cell::from(""), Cell::from(head)];
    for column in columns {
        let text = match ((column.of)(before), (column.of)(after)) {
            (Some(before), Some(after)) if before == after => "=".to_owned(),
            (Some(before), Some(after)) if before > 0.0 => {
                let percent = ((after - before) / before * 100.0).round();
                if percent == 0.0 { "0 %".to_owned() } else { format!("{percent:+} %") }
            }
            _ => "-".to_owned(),
        };
        cells.push(Cell::from(text).paint(Paint::Accent));
    }
    cells
}

/// Whether a value is the best of its column; no value is if all are shown alike.
fn is_best(column: &Column, value: f64, rivals: &[&Outcome]) -> bool {
    let values = || rivals.iter().filter_map(|it| (column.of)(&it.figures));
    let text = shown(column.unit, value);
    let differs = values().any(|other| shown(column.unit, other) != text);
    let is_beaten = |other: f64| match column.best {
        Best::Least => other < value,
        Best::Most => other > value,
    };
    differs && !values().any(|other| is_beaten(other) && shown(column.unit, other) != text)
}

fn shown(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Time if value == 0.0 => "0s".to_owned(),
        Unit::Time => duration(Seconds(model::Span((value * 1e6).round() as u64))),
        Unit::Part => format!("{:.1} %", value * 100.0),
        Unit::Ratio => format!("{value:.2}"),
        Unit::Count => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use whatif::measure::Busy;
    use whatif::{OfQueue, Spread};

    use super::*;

    fn outcome(policy: &'static str, cluster: Option<&'static str>, scale: f64) -> Outcome {
        let spread = |mean_s: f64| Spread {
            mean_s,
            p50_s: mean_s / 2.0,
            p95_s: mean_s * 3.0,
            max_s: mean_s * 9.0,
        };
        let figures = Figures {
            policy,
            wait: spread(12.0 * scale),
            completion: spread(192.0 * scale),
            makespan_s: 7_500.0,
            makespan_by_bound: 1.04 * scale,
            busy: vec![Busy { resource: "CPU", part: 0.5 / scale }],
            fragmentation: None,
            fairness: 0.9,
            missed: vec![Missed { critical_paths: 3, part: 0.1 }],
            attempts_failed: 0,
            lost_s: 0.0,
            preempted: 0,
            redone_s: 0.0,
            queues: Vec::new(),
        };
        Outcome { cluster, run: None, figures }
    }

    fn simulation(results: Vec<Outcome>) -> Simulation {
        let simulated = Simulated {
            history: None,
            workload: "jobs".to_owned(),
            tasks: 240,
            jobs: 24,
            nodes: vec![5],
            what_if: Vec::new(),
            time_scale: None,
            load: Some(0.83),
            outstanding: None,
            estimates: "recorded".to_owned(),
            failures: 0.0,
            seed: 1,
            notes: Vec::new(),
        };
        Simulation { simulated, results }
    }

    #[test]
    fn the_best_of_each_column_is_marked() {
        let results = vec![outcome("fifo", None, 2.0), outcome("autoglm", None, 1.0)];
        insta::assert_snapshot!(render(&simulation(results), false, Tone::PLAIN), @r"
        jobs: 240 tasks in 24 jobs on 5 nodes, load 83 %

        POLICY     WAIT  WAIT P95  WAIT MAX     DONE  DONE P95  MAKESPAN  BOUND      CPU
        fifo     24.0s    1m 12s    3m 36s   6m 24s   19m 12s     2h 5m   2.08   25.0 %
        autoglm  12.0s*    36.0s*   1m 48s*  3m 12s*   9m 36s*    2h 5m   1.04*  50.0 %*

        WAIT: of tasks that could begin, until they did. DONE: of jobs, from coming to end.
        BOUND: the makespan, by what no schedule is shorter than. CPU, GPU: busy while jobs come.
        *: the best of the policies.
        ");
    }

    #[test]
    fn what_happened_stands_beside_and_competes_with_nobody() {
        let results = vec![
            outcome(whatif::RECORDED, None, 0.5),
            outcome("autoglm", Some("before"), 2.0),
            outcome("autoglm", Some("after"), 1.0),
        ];
        let mut told = simulation(results);
        let at = protocol::api::Time(model::Timestamp(7 * 86_400_000_000));
        told.simulated.history = Some(Found { at, runs: 24, attempts: 240, ..Found::default() });
        insta::assert_snapshot!(render(&told, false, Tone::PLAIN), @r"
        24 runs, 240 attempts of the last 7 days.
        jobs: 240 tasks in 24 jobs on 5 nodes, load 83 %

        POLICY    CLUSTER   WAIT  WAIT P95  WAIT MAX    DONE  DONE P95  MAKESPAN  BOUND      CPU
        recorded            6.0s     18.0s     54.0s  1m 36s    4m 48s     2h 5m   0.52  100.0 %
        autoglm   before   24.0s    1m 12s    3m 36s  6m 24s   19m 12s     2h 5m   2.08   25.0 %
        autoglm   after    12.0s     36.0s    1m 48s  3m 12s    9m 36s     2h 5m   1.04   50.0 %
                  change   -50 %     -50 %     -50 %   -50 %     -50 %         =  -50 %   +100 %

        WAIT: of tasks that could begin, until they did. DONE: of jobs, from coming to end.
        BOUND: the makespan, by what no schedule is shorter than. CPU, GPU: busy while jobs come.
        ");
    }

    #[test]
    fn a_change_is_told_in_percent() {
        let results =
            vec![outcome("fifo", Some("before"), 2.0), outcome("fifo", Some("after"), 1.0)];
        let mut simulation = simulation(results);
        simulation.simulated.what_if = vec!["nodes.gpu += 2".to_owned()];
        simulation.simulated.nodes = vec![5, 7];
        insta::assert_snapshot!(render(&simulation, false, Tone::PLAIN), @r"
        jobs: 240 tasks in 24 jobs on 5 and then 7 nodes, load 83 %
        What if: nodes.gpu += 2

        POLICY  CLUSTER   WAIT  WAIT P95  WAIT MAX    DONE  DONE P95  MAKESPAN  BOUND     CPU
        fifo    before   24.0s    1m 12s    3m 36s  6m 24s   19m 12s     2h 5m   2.08  25.0 %
        fifo    after    12.0s     36.0s    1m 48s  3m 12s    9m 36s     2h 5m   1.04  50.0 %
                change   -50 %     -50 %     -50 %   -50 %     -50 %         =  -50 %  +100 %

        WAIT: of tasks that could begin, until they did. DONE: of jobs, from coming to end.
        BOUND: the makespan, by what no schedule is shorter than. CPU, GPU: busy while jobs come.
        ");
    }

    #[test]
    fn queues_have_a_table_of_their_own() {
        let of = |queue: &str, given: f64, preempted: u64| OfQueue {
            queue: queue.to_owned(),
            jobs: 12,
            wait: Spread { mean_s: 4.0, p95_s: 9.0, ..Spread::default() },
            completion: Spread::default(),
            given,
            missed: Vec::new(),
            attempts_failed: 0,
            preempted,
            redone_s: 0.0,
        };
        let shared = |run: &'static str| {
            let it = outcome("fifo", None, 1.0);
            let queues = vec![of("batch", 0.75, 2), of("serving", 0.25, 0)];
            Outcome { run: Some(run), figures: Figures { queues, ..it.figures }, ..it }
        };
        let told = render(&simulation(vec![shared(SIMULATED), shared(REAL)]), false, Tone::PLAIN);
        let squeezed = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let lines: Vec<String> = told.lines().map(squeezed).collect();
        for line in [
            "POLICY RUN WAIT WAIT P95 WAIT MAX DONE DONE P95 MAKESPAN BOUND CPU",
            "difference = = = = = = = =",
            "QUEUE POLICY RUN JOBS WAIT WAIT P95 DONE DONE P95 GIVEN PREEMPTED",
            "batch fifo simulated 12 4.0s 9.0s 0s 0s 75.0 % 2",
            "serving fifo real 12 4.0s 9.0s 0s 0s 25.0 % 0",
        ] {
            assert!(lines.iter().any(|it| it == line), "{line}\n{told}");
        }
    }
}
