//! Lines over time, as SVG: axes with labels and units, a grid, and nothing that moves.

use std::fmt::Write as _;

use super::words::tick;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 240.0;
/// What is left free for labels: left, right, top, bottom.
const FREE: (f64, f64, f64, f64) = (52.0, 14.0, 10.0, 42.0);
/// Colours of lines; more lines are the same ones again, dashed.
const COLOURS: usize = 6;

/// A line of a chart.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// Time in seconds, and a part from 0 to 1.
    pub(super) points: Vec<(f64, f64)>,
}

/// A chart of parts, from 0 to 100 %, over time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chart<'a> {
    pub(super) title: &'a str,
    pub(super) x: &'a str,
    pub(super) y: &'a str,
    /// The end of the time axis, in seconds.
    pub(super) x_max: f64,
    pub(super) lines: &'a [Line],
}

/// The colour of a line, and what else tells it apart.
pub(super) const fn style(number: usize) -> (usize, &'static str) {
    (number % COLOURS, if number / COLOURS % 2 == 1 { " dashed" } else { "" })
}

impl Chart<'_> {
    pub(super) fn draw(&self) -> String {
        let (left, right, top, bottom) = FREE;
        let (width, height) = (WIDTH - left - right, HEIGHT - top - bottom);
        let x_max = if self.x_max > 0.0 { self.x_max } else { 1.0 };
        let at = |(x, y): (f64, f64)| {
            (left + (x / x_max).min(1.0) * width, top + (1.0 - y.clamp(0.0, 1.0)) * height)
        };
        let Self { title, x, y, .. } = self;
        let mut svg = format!(
            "<figure><figcaption>{title}</figcaption>\n\
             <svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">\n"
        );
        for percent in [0, 25, 50, 75, 100] {
            let (x, y) = at((0.0, f64::from(percent) / 100.0));
            let _ = writeln!(
                svg,
                "<path class=\"axis\" d=\"M{x:.1} {y:.1}h{width:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{percent}</text>",
                x - 6.0,
                y + 4.0
            );
        }
        svg.push_str(&time_axis(x_max, (left, width), (top, top + height)));
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{x}</text>\
             <text transform=\"translate(12 {:.1}) rotate(-90)\" text-anchor=\"middle\">{y}</text>",
            left + width / 2.0,
            HEIGHT - 6.0,
            top + height / 2.0
        );
        for (number, line) in self.lines.iter().enumerate() {
            let (colour, dashed) = style(number);
            let points: Vec<String> = line
                .points
                .iter()
                .map(|&point| at(point))
                .map(|(x, y)| format!("{x:.1},{y:.1}"))
                .collect();
            let points = points.join(" ");
            let _ =
                writeln!(svg, "<polyline class=\"line c{colour}{dashed}\" points=\"{points}\"/>");
        }
        svg.push_str("</svg></figure>\n");
        svg
    }
}

/// Marks of time below a drawing.
pub(super) fn time_axis(
    x_max: f64,
    (left, width): (f64, f64),
    (top, bottom): (f64, f64),
) -> String {
    let mut svg = String::new();
    let step = step(x_max);
    for number in 0.. {
        let time = f64::from(number) * step;
        if time > x_max * 1.000_001 {
            break;
        }
        let x = left + time / x_max * width;
        let _ = writeln!(
            svg,
            "<path class=\"axis\" d=\"M{x:.1} {top:.1}V{bottom:.1}\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            bottom + 15.0,
            tick(time)
        );
    }
    svg
}

/// The distance of marks on a time axis, in seconds: at most eight of them, at round times.
fn step(x_max: f64) -> f64 {
    const ROUND: [f64; 19] = [
        1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0,
        7_200.0, 10_800.0, 21_600.0, 43_200.0, 86_400.0, 172_800.0,
    ];
    let least = x_max / 8.0;
    let decimal = |unit: f64| {
        let power = 10_f64.powf((least / unit).log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|it| it * power * unit);
        steps.into_iter().find(|&step| step >= least * 0.999_999).unwrap_or(least)
    };
    match ROUND.into_iter().find(|&step| step >= least) {
        Some(step) if least >= 1.0 => step,
        Some(_) => decimal(1.0),
        None => decimal(86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_at_round_times() {
        let steps = [0.08, 7.0, 100.0, 3_600.0, 86_400.0, 864_000.0, 1e8].map(step);
        assert!((steps[0] - 0.01).abs() < 1e-9);
        assert_eq!(steps[1..], [1.0, 15.0, 600.0, 10_800.0, 172_800.0, 17_280_000.0]);
    }
}
