//! Colours, and when to use them: never where a program reads.

use std::io::IsTerminal;

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use model::{RunStatus, TaskStatus};
use serde::Deserialize;

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What a colour means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    /// Went well.
    Good,
    /// Went wrong.
    Bad,
    /// Is going on.
    Active,
    /// Needs a look.
    Warn,
    /// Matters less.
    Faint,
    /// Heads a column or a block.
    Head,
    /// To be typed.
    Accent,
}

/// Whether one stream is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tone {
    coloured: bool,
}

impl Tone {
    /// Without colours.
    pub(crate) const PLAIN: Self = Self { coloured: false };

    /// The tone of a stream. `no_color` is the variable of that name: any text but the empty one
    /// means no colours.
    pub(crate) fn of(stream: &impl IsTerminal, color: Color, no_color: Option<&str>) -> Self {
        let is_unwanted = no_color.is_some_and(|text| !text.is_empty());
        let coloured = match color {
            Color::Auto => stream.is_terminal() && !is_unwanted,
            Color::Always => true,
            Color::Never => false,
        };
        Self { coloured }
    }

    pub(crate) const fn is_coloured(self) -> bool {
        self.coloured
    }

    /// `text` in the colour of `paint`.
    pub(crate) fn paint(self, paint: Paint, text: &str) -> String {
        if !self.coloured || text.is_empty() {
            return text.to_owned();
        }
        let style = match paint {
            Paint::Good => AnsiColor::Green.on_default(),
            Paint::Bad => AnsiColor::Red.on_default().bold(),
            Paint::Active => AnsiColor::Cyan.on_default(),
            Paint::Warn => AnsiColor::Yellow.on_default(),
            Paint::Faint => Style::new().dimmed(),
            Paint::Head => Style::new().bold(),
            Paint::Accent => AnsiColor::Blue.on_default().bold(),
        };
        format!("{style}{text}{style:#}")
    }
}

/// The colour of a run's status.
pub(crate) const fn of_run(status: RunStatus) -> Paint {
    match status {
        RunStatus::Queued => Paint::Faint,
        RunStatus::Running => Paint::Active,
        RunStatus::Paused | RunStatus::Stopping | RunStatus::Cancelled => Paint::Warn,
        RunStatus::Succeeded => Paint::Good,
        RunStatus::Failed => Paint::Bad,
    }
}

/// The colour of a task's status.
pub(crate) const fn of_task(status: TaskStatus) -> Paint {
    match status {
        TaskStatus::Pending | TaskStatus::Ready | TaskStatus::Skipped => Paint::Faint,
        TaskStatus::Leased | TaskStatus::Running => Paint::Active,
        TaskStatus::Retrying | TaskStatus::Cancelled | TaskStatus::Terminated => Paint::Warn,
        TaskStatus::Succeeded => Paint::Good,
        TaskStatus::Failed | TaskStatus::TimedOut => Paint::Bad,
    }
}

/// The sign in front of an ended task.
pub(crate) const fn sign(status: TaskStatus) -> &'static str {
    match status {
        TaskStatus::Succeeded => "✓",
        TaskStatus::Failed | TaskStatus::TimedOut => "✗",
        TaskStatus::Skipped => "-",
        TaskStatus::Cancelled | TaskStatus::Terminated => "!",
        _ => "·",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_goes_before_the_variable_and_the_variable_before_the_terminal() {
        let no_terminal = std::fs::File::open("/dev/null").expect("it is there");
        let tone = |color, variable| Tone::of(&no_terminal, color, variable).is_coloured();
        assert!(tone(Color::Always, Some("1")));
        assert!(!tone(Color::Never, None));
        assert!(!tone(Color::Auto, None));
    }

    #[test]
    fn plain_text_stays_as_it_is() {
        assert_eq!(Tone::PLAIN.paint(Paint::Bad, "x"), "x");
        assert_eq!(Tone { coloured: true }.paint(Paint::Good, "x"), "\u{1b}[32mx\u{1b}[0m");
    }
}
