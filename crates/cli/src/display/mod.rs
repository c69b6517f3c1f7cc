//! What a person sees while a run goes on, on standard error: live on a terminal, plain lines
//! elsewhere.
//!
//! A display only shows. It never decides how a command ends, and it asks for tasks by saying
//! which ones it wants, so that its cost does not grow with the run.

mod live;
mod plain;
mod waiting;

use std::collections::HashSet;

use model::TaskStatus;
use protocol::api::{Progress, TaskSummary, TasksQuery};

use crate::render::{duration, items_done, now};
use crate::style::{self, Tone};
use crate::table::printable;
use live::Live;
use plain::Plain;
use waiting::Told;

/// Runs of up to so many tasks get a line for each of them, elsewhere than on a terminal.
pub(crate) const TASK_LINES_MAX: u64 = 200;
/// Failed tasks that get a line of their own while a run goes on.
pub(crate) const FAILED_LINES_MAX: usize = 20;

/// A display of one run.
pub(crate) struct Display {
    tone: Tone,
    shape: Shape,
    /// The names of the tasks that may have a line; `None` for all.
    only: Option<HashSet<String>>,
    /// Tasks that have had their line in this round.
    shown: HashSet<(u32, u16)>,
    /// How many tasks had ended, and had failed, when tasks were last asked for.
    asked_at: Option<(u64, u64)>,
    /// The waits that have had their line.
    told: Told,
}

enum Shape {
    Live(Box<Live>),
    Plain(Plain),
}

impl Display {
    /// A display for standard error; `is_terminal` tells which one.
    pub(crate) fn new(is_terminal: bool, tone: Tone) -> Self {
        let shape = if is_terminal {
            Shape::Live(Box::new(Live::new(tone)))
        } else {
            Shape::Plain(Plain::new())
        };
        Self {
            tone,
            shape,
            only: None,
            shown: HashSet::new(),
            asked_at: None,
            told: Told::default(),
        }
    }

    /// Gives lines to these tasks alone, by name.
    pub(crate) fn show_only(&mut self, names: HashSet<String>) {
        self.only = Some(names);
    }

    /// Shows how far the run is.
    pub(crate) fn progress(&mut self, progress: &Progress) {
        match &mut self.shape {
            Shape::Live(live) => live.progress(progress),
            Shape::Plain(plain) => {
                let summary = plain.progress(progress);
                let waits = self.told.lines(progress, now(), self.tone);
                waits.into_iter().chain(summary).for_each(|line| self.line(&line));
            }
        }
    }

    /// Shows that time passes.
    pub(crate) fn tick(&mut self) {
        if let Shape::Live(live) = &mut self.shape {
            live.tick();
        }
    }

    /// The tasks that it wants to see after this progress; none if nothing ended since.
    pub(crate) fn wants(&mut self, progress: &Progress) -> Vec<TasksQuery> {
        let now = (progress.tasks.ended(), progress.tasks.failed());
        let before = self.asked_at.replace(now).unwrap_or_default();
        let failed = |status| TasksQuery {
            status: Some(status),
            limit: Some(FAILED_LINES_MAX),
            cursor: None,
        };
        let wants_all =
            matches!(self.shape, Shape::Plain(_)) && progress.tasks.total() <= TASK_LINES_MAX;
        if wants_all && now != before {
            let limit = usize::try_from(TASK_LINES_MAX).ok();
            vec![TasksQuery { limit, ..TasksQuery::default() }]
        } else if !wants_all && now.1 > before.1 && self.shown.len() < FAILED_LINES_MAX {
            [TaskStatus::Failed, TaskStatus::TimedOut].map(failed).to_vec()
        } else {
            Vec::new()
        }
    }

    /// Shows those of `tasks` that have ended and have not been shown, earliest first.
    pub(crate) fn tasks(&mut self, tasks: &[TaskSummary]) {
        let is_meant =
            |task: &&TaskSummary| self.only.as_ref().is_none_or(|only| only.contains(&task.name));
        let ended = tasks.iter().filter(|task| task.status.is_final()).filter(is_meant);
        let mut ended: Vec<_> = ended.collect();
        ended.sort_by_key(|task| (task.ended, task.id));
        for task in ended {
            if self.shown.insert((task.id, task.round)) {
                self.line(&task_line(task, self.tone));
            }
        }
    }

    /// Says something between the lines.
    pub(crate) fn line(&self, line: &str) {
        match &self.shape {
            Shape::Live(live) => live.line(line),
            Shape::Plain(plain) => plain.line(line),
        }
    }

    /// Leaves the terminal as it was.
    pub(crate) fn finish(self) {
        if let Shape::Live(live) = self.shape {
            live.finish();
        }
    }
}

/// A line about a task that has ended.
fn task_line(task: &TaskSummary, tone: Tone) -> String {
    let paint = style::of_task(task.status);
    let sign = tone.paint(paint, style::sign(task.status));
    let name = printable(&task.name);
    let items = if task.fan_out { format!(" {}", items_done(task)) } else { String::new() };
    match (task.status, &task.trouble) {
        (TaskStatus::Succeeded, _) => match task.duration_seconds {
            Some(seconds) => format!("{sign} {name}{items} {}", duration(seconds)),
            None => format!("{sign} {name}{items}"),
        },
        (status, Some(trouble)) if status.is_unsuccessful() => {
            let trouble = tone.paint(paint, &printable(trouble));
            let reason = task
                .reason
                .as_deref()
                .map_or_else(String::new, |reason| format!(": {}", printable(reason)));
            format!("{sign} {name}{items} {trouble}{reason}")
        }
        (status, _) => {
            let word = tone.paint(paint, crate::render::word(status));
            format!("{sign} {name}{items} {word}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::samples::{counts, detail};
    use model::{RunId, RunStatus, Span};
    use protocol::api::Seconds;

    pub(super) fn progress(total: u64, ended: u64, failed: u64) -> Progress {
        let tasks = counts([
            (TaskStatus::Succeeded, ended - failed),
            (TaskStatus::Failed, failed),
            (TaskStatus::Pending, total - ended),
        ]);
        Progress {
            run: RunId(7),
            status: RunStatus::Running,
            tasks,
            items: tasks,
            running: Vec::new(),
            waiting: Vec::new(),
            per_second: 0.0,
            elapsed_seconds: Seconds(Span::secs(1)),
            eta_seconds: None,
        }
    }

    #[test]
    fn lines_tell_how_tasks_ended() {
        let detail = detail();
        let lines: Vec<_> = detail.tasks.iter().map(|task| task_line(task, Tone::PLAIN)).collect();
        assert_eq!(lines, ["✓ split 1.2s", "✗ train 36/36 exit 3", "- report skipped"]);
        let reason = Some("it is too late".to_owned());
        let told = TaskSummary { reason, ..detail.tasks[1].clone() };
        assert_eq!(task_line(&told, Tone::PLAIN), "✗ train 36/36 exit 3: it is too late");
    }

    #[test]
    fn small_runs_are_asked_for_tasks_only_when_one_has_ended() {
        let mut display = Display::new(false, Tone::PLAIN);
        assert_eq!(display.wants(&progress(10, 0, 0)), []);
        assert_eq!(display.wants(&progress(10, 1, 0)).len(), 1);
        assert_eq!(display.wants(&progress(10, 1, 0)), []);
    }

    #[test]
    fn large_runs_are_asked_for_failures_alone() {
        let mut display = Display::new(false, Tone::PLAIN);
        assert_eq!(display.wants(&progress(1_000, 500, 0)), []);
        let wanted = display.wants(&progress(1_000, 501, 1));
        assert_eq!(wanted[0].status, Some(TaskStatus::Failed));
        assert_eq!(display.wants(&progress(1_000, 900, 1)), []);
    }
}
