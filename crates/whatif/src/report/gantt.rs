//! What nodes did: a lane a node with a bar for each attempt, or rows that are darker the busier
//! the node was.

use std::fmt::Write as _;

use super::chart::time_axis;
use super::words::{escape, time};
use crate::measure::{Gantt, Lane, Picture};
use crate::play::End;

const WIDTH: f64 = 720.0;
const LEFT: f64 = 96.0;
const RIGHT: f64 = 14.0;
const BAR: f64 = 9.0;
const ROW: f64 = 7.0;
/// Signs of the name of a node that are shown.
const NAME_MAX: usize = 14;
/// Steps of darkness.
const LEVELS: usize = 8;

/// Draws the nodes of a picture, over so many seconds.
pub(super) fn draw(picture: &Picture, span_s: f64) -> String {
    let span = span_s.max(1e-6);
    match &picture.gantt {
        Gantt::Bars(lanes) => bars(lanes, span),
        Gantt::Heat(resource, rows) => heat(resource, rows, (picture.span_s, span)),
    }
}

fn frame(title: &str, (body, height): (&str, f64), span: f64) -> String {
    let (width, all) = (WIDTH - LEFT - RIGHT, height + 40.0);
    let axis = time_axis(span, (LEFT, width), (4.0, height));
    format!(
        "<figure><figcaption>{title}</figcaption>\n\
         <svg viewBox=\"0 0 {WIDTH} {all:.1}\" role=\"img\" aria-label=\"{title}\">\n{axis}{body}\
         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">time since the first arrival</text>\n\
         </svg></figure>\n",
        LEFT + width / 2.0,
        all - 6.0
    )
}

fn label(name: &str, y: f64) -> String {
    let short: String = name.chars().take(NAME_MAX).collect();
    let dots = if name.chars().nth(NAME_MAX).is_some() { "…" } else { "" };
    let (short, name, x) = (escape(&short), escape(name), LEFT - 6.0);
    format!(
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"end\">{short}{dots}\
         <title>{name}</title></text>\n"
    )
}

fn bars(lanes: &[Lane], span: f64) -> String {
    let scale = (WIDTH - LEFT - RIGHT) / span;
    let (mut body, mut y) = (String::new(), 6.0);
    for lane in lanes {
        body.push_str(&label(&lane.node, y + BAR));
        for bar in &lane.bars {
            let (begin, end) = bar.at_s;
            let (colour, how) = match bar.end {
                End::Succeeded => (format!("b{}", bar.job % 6), ""),
                End::Failed => ("bad".to_owned(), ", failed"),
                End::Preempted => ("bad".to_owned(), ", made room"),
            };
            let (x, top) = (LEFT + begin * scale, y + bar.row as f64 * BAR);
            let width = ((end - begin) * scale).max(0.5);
            let name = escape(&bar.name);
            let (begin, took) = (time(begin), time(end - begin));
            let _ = writeln!(
                body,
                "<rect class=\"{colour}\" x=\"{x:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" \
                 height=\"{:.1}\"><title>{name}: from {begin} on, {took}{how}</title></rect>",
                BAR - 1.0
            );
        }
        y += lane.rows.max(1) as f64 * BAR + 6.0;
    }
    frame("Each bar is an attempt; a colour is a job", (&body, y), span)
}

fn heat(resource: &str, rows: &[(String, Vec<f64>)], (own, span): (f64, f64)) -> String {
    let mut paths = vec![String::new(); LEVELS + 1];
    let mut body = String::new();
    let level = |part: f64| (part.clamp(0.0, 1.0) * LEVELS as f64).round() as usize;
    for (number, (name, steps)) in rows.iter().enumerate() {
        let y = 6.0 + number as f64 * ROW;
        // Names of all rows would lie on each other.
        if number % 2 == 0 {
            body.push_str(&label(name, y + ROW));
        }
        let width = (WIDTH - LEFT - RIGHT) * (own / span) / steps.len().max(1) as f64;
        let mut at = 0;
        while at < steps.len() {
            let darkness = level(steps[at]);
            let same = steps[at..].iter().take_while(|&&part| level(part) == darkness).count();
            if darkness > 0 {
                let (x, w, h) = (LEFT + at as f64 * width, same as f64 * width, ROW - 0.5);
                let _ = write!(paths[darkness], "M{x:.1} {y:.1}h{w:.1}v{h}h-{w:.1}z");
            }
            at += same;
        }
    }
    for (darkness, path) in paths.iter().enumerate().filter(|(_, path)| !path.is_empty()) {
        let opacity = darkness as f64 / LEVELS as f64;
        let _ = writeln!(body, "<path class=\"heat\" fill-opacity=\"{opacity:.3}\" d=\"{path}\"/>");
    }
    let title = format!("The darker, the more of the {resource} of a node is busy: white is none");
    frame(&title, (&body, 6.0 + rows.len() as f64 * ROW), span)
}
