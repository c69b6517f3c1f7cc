//! A report that people open in a browser: one file that needs nothing else and asks no network.
//!
//! Everything in it is text that was made here: a table, and drawings in SVG. It has no script. It
//! follows the colours that the reader has chosen for the system, and fits a phone. All names come
//! from files and are escaped.

mod chart;
mod gantt;
mod words;

use std::fmt::Write as _;

use crate::measure::{DEADLINES, Figures, Seen};
use chart::{Chart, Line};
use words::{begun, escape, nothing, percent, time};

/// What a report is made of.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// What was simulated, in a few words.
    pub title: &'a str,
    /// The same in sentences.
    pub told: &'a [String],
    /// What was seen, by policy and cluster.
    pub results: &'a [Shown<'a>],
}

/// What was seen of one simulation, and what it is called.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The policy, and the cluster if there are several.
    pub name: &'a str,
    /// What was seen.
    pub seen: &'a Seen,
}

const HEAD: &str = include_str!("report/head.html");

/// The whole file.
#[must_use]
pub fn html(page: &Page<'_>) -> String {
    let title = escape(page.title);
    let mut text = HEAD.replace("TITLE", &title);
    let _ = writeln!(text, "<h1>{title}</h1>");
    page.told.iter().for_each(|told| {
        let _ = writeln!(text, "<p>{}</p>", escape(told));
    });
    text.push_str(&table(page.results));
    text.push_str(&queues(page.results));
    text.push_str(&legend(page.results));
    text.push_str(&distributions(page.results));
    text.push_str(&utilisation(page.results));
    text.push_str("<h2>Nodes</h2>\n");
    for (number, shown) in page.results.iter().enumerate() {
        let is_first = if number == 0 { " open" } else { "" };
        let drawn = gantt::draw(&shown.seen.picture, longest(page.results));
        let name = escape(shown.name);
        let _ = writeln!(text, "<details{is_first}><summary>{name}</summary>\n{drawn}</details>");
    }
    text.push_str("</main>\n</body>\n</html>\n");
    text
}

/// A row: its head and its text.
type Row = (&'static str, fn(&Figures) -> String);

const ROWS: [Row; 15] = [
    ("Wait, mean", |it| time(it.wait.mean_s)),
    ("Wait, 50 %", |it| time(it.wait.p50_s)),
    ("Wait, 95 %", |it| time(it.wait.p95_s)),
    ("Wait, longest", |it| time(it.wait.max_s)),
    ("Completion, mean", |it| time(it.completion.mean_s)),
    ("Completion, 50 %", |it| time(it.completion.p50_s)),
    ("Completion, 95 %", |it| time(it.completion.p95_s)),
    ("Completion, longest", |it| time(it.completion.max_s)),
    ("Makespan", |it| time(it.makespan_s)),
    ("Makespan by bound", |it| format!("{:.2}", it.makespan_by_bound)),
    ("Fairness", |it| format!("{:.2}", it.fairness)),
    ("Failed attempts", |it| it.attempts_failed.to_string()),
    ("Work lost", |it| time(it.lost_s)),
    ("Attempts that made room", |it| it.preempted.to_string()),
    ("Work done again for that", |it| time(it.redone_s)),
];

/// A row a figure: there are more figures than a page is wide, and fewer results.
fn table(results: &[Shown<'_>]) -> String {
    let first = results.first().map(|shown| &shown.seen.figures);
    let resources = first.map_or(&[][..], |figures| &figures.busy);
    let mut text = "<h2>Summary</h2>\n<div class=\"scroll\"><table>\n<tr><th></th>".to_owned();
    for Shown { name, .. } in results {
        let _ = write!(text, "<th>{}</th>", escape(name));
    }
    text.push_str("</tr>\n");
    let mut row = |head: &str, cell: &dyn Fn(&Figures) -> String| {
        let _ = write!(text, "<tr><th>{head}</th>");
        for Shown { seen, .. } in results {
            let _ = write!(text, "<td>{}</td>", cell(&seen.figures));
        }
        text.push_str("</tr>\n");
    };
    ROWS.iter().for_each(|(head, cell)| row(head, cell));
    for (at, busy) in resources.iter().enumerate() {
        let part = |it: &Figures| it.busy.get(at).map_or_else(nothing, |busy| percent(busy.part));
        row(&format!("{} busy", begun(busy.resource)), &part);
    }
    row("GPU free and useless", &|it| it.fragmentation.map_or_else(nothing, percent));
    for (at, paths) in DEADLINES.iter().enumerate() {
        let part = |it: &Figures| it.missed.get(at).map_or_else(nothing, |it| percent(it.part));
        row(&format!("Later than {paths} critical paths"), &part);
    }
    text.push_str("</table></div>\n");
    text.push_str(
        "<p class=\"faint\">Waits are of tasks, completions of jobs. Busy is the part of all nodes \
         while jobs come. The bound is what no schedule can be shorter than. The deadlines are \
         synthetic: recorded workloads have none.</p>\n",
    );
    text
}

/// A row a queue and result, where there are several queues.
fn queues(results: &[Shown<'_>]) -> String {
    const HEADS: [&str; 8] = [
        "Queue",
        "",
        "Jobs",
        "Wait, mean",
        "Wait, 95 %",
        "Completion, mean",
        "Of what was given",
        "Made room",
    ];
    let first = results.first().map_or(&[][..], |shown| &shown.seen.figures.queues);
    if first.is_empty() {
        return String::new();
    }
    let heads = HEADS.map(|head| format!("<th>{head}</th>")).concat();
    let mut text = format!("<h2>Queues</h2>\n<div class=\"scroll\"><table>\n<tr>{heads}</tr>\n");
    for (at, queue) in first.iter().enumerate() {
        for Shown { name, seen } in results {
            let Some(of) = seen.figures.queues.get(at) else { continue };
            let cells = [
                escape(name),
                of.jobs.to_string(),
                time(of.wait.mean_s),
                time(of.wait.p95_s),
                time(of.completion.mean_s),
                percent(of.given),
                of.preempted.to_string(),
            ];
            let cells = cells.map(|cell| format!("<td>{cell}</td>")).concat();
            let _ = writeln!(text, "<tr><th>{}</th>{cells}</tr>", escape(&queue.queue));
        }
    }
    text.push_str("</table></div>\n");
    text
}

/// Which line is whose.
fn legend(results: &[Shown<'_>]) -> String {
    let mut text = "<p class=\"legend\">".to_owned();
    for (number, shown) in results.iter().enumerate() {
        let (colour, dashed) = chart::style(number);
        let name = escape(shown.name);
        let _ = write!(
            text,
            "<span><svg width=\"28\" height=\"10\"><line x1=\"0\" y1=\"5\" x2=\"28\" y2=\"5\" \
             class=\"line c{colour}{dashed}\"/></svg> {name}</span> "
        );
    }
    text.push_str("</p>\n");
    text
}

fn distributions(results: &[Shown<'_>]) -> String {
    let chart = |title: &str, of: fn(&Seen) -> &[f64]| {
        // The last hundredth may be very long; how long stands in the table.
        let longest = results.iter().map(|shown| of(shown.seen)[99]).fold(0.0, f64::max);
        let line = |shown: &Shown<'_>| Line {
            points: (0..=99).map(|at| (of(shown.seen)[at], at as f64 / 100.0)).collect(),
        };
        let lines: Vec<Line> = results.iter().map(line).collect();
        Chart { title, x: "time", y: "part that took no longer, %", x_max: longest, lines: &lines }
            .draw()
    };
    let mut text = "<h2>Distributions</h2>\n".to_owned();
    text.push_str(&chart("Waits of tasks, up to 99 %", |seen| &seen.waits));
    text.push_str(&chart("Completions of jobs, up to 99 %", |seen| &seen.completions));
    text
}

/// All drawings over time have one scale, so that they can be compared.
fn longest(results: &[Shown<'_>]) -> f64 {
    results.iter().map(|shown| shown.seen.picture.span_s).fold(0.0, f64::max)
}

fn utilisation(results: &[Shown<'_>]) -> String {
    let mut text = "<h2>Utilisation over time</h2>\n".to_owned();
    let longest = longest(results);
    let first = results.first().map(|shown| &shown.seen.picture.busy);
    for (at, (resource, _)) in first.into_iter().flatten().enumerate() {
        let line = |shown: &Shown<'_>| {
            let picture = &shown.seen.picture;
            let steps = picture.busy.get(at).map_or(&[][..], |(_, steps)| steps);
            let width = picture.span_s / steps.len().max(1) as f64;
            let point = |(step, &part): (usize, &f64)| ((step as f64 + 0.5) * width, part);
            Line { points: steps.iter().enumerate().map(point).collect() }
        };
        let lines: Vec<Line> = results.iter().map(line).collect();
        let title = format!("{} busy", begun(resource));
        let chart = Chart {
            title: &title,
            x: "time since the first arrival",
            y: "part of all nodes, %",
            x_max: longest,
            lines: &lines,
        };
        text.push_str(&chart.draw());
    }
    text
}
