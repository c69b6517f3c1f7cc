//! What was expected, held against what happened.

use model::{RunStatus, TaskStatus};
use serde_json::Value;
use spec::Rendered;
use spec::cases::{Case, Named, TaskExpectation, TextMatch};

use super::{Rehearsed, TaskRecord};

/// Texts that are shown in full up to so many characters.
const SHOWN_CHARS: usize = 400;

/// Something that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What it is about.
    pub what: String,
    /// What was expected of it.
    pub expected: String,
    /// What there is instead.
    pub got: String,
    /// What explains it.
    pub hint: Option<String>,
}

/// All that is not as expected, in the order of the keys of a test file.
#[must_use]
pub fn judge(case: &Case, went: &Rehearsed) -> Vec<Difference> {
    let mut judge = Judge { went, differences: Vec::new() };
    let expect = &case.expect;
    judge.run(expect.status);
    for expected in &expect.tasks {
        for task in about(went, expected) {
            judge.task(task, &expected.value);
        }
    }
    for (names, wanted) in [(&expect.ran, true), (&expect.not_ran, false)] {
        for task in names.iter().flat_map(|name| about(went, name)) {
            judge.ran(task, wanted);
        }
    }
    for pair in expect.order.windows(2) {
        for first in about(went, &pair[0]) {
            about(went, &pair[1]).for_each(|second| judge.order(first, second));
        }
    }
    if let Some(expected) = expect.duration.filter(|duration| !duration.holds(went.duration)) {
        judge.differs("duration", expected.to_string(), went.duration.to_string(), None);
    }
    judge.differences
}

fn about<'w, T>(went: &'w Rehearsed, name: &Named<T>) -> impl Iterator<Item = &'w TaskRecord> {
    went.tasks.iter().filter(move |task| name.is_about(&task.name))
}

struct Judge<'w> {
    went: &'w Rehearsed,
    differences: Vec<Difference>,
}

impl Judge<'_> {
    fn differs(&mut self, what: &str, expected: String, got: String, hint: Option<String>) {
        self.differences.push(Difference { what: what.to_owned(), expected, got, hint });
    }

    /// A run that is not said to end otherwise is expected to end at all.
    fn run(&mut self, expected: Option<RunStatus>) {
        let (got, is_as_expected) = match expected {
            Some(expected) => (self.went.status, expected == self.went.status),
            None => (self.went.status, self.went.stuck.is_none()),
        };
        if is_as_expected {
            return;
        }
        let expected = expected.map_or("an end".to_owned(), |expected| expected.to_string());
        let failed = || {
            let is_bad = |task: &&TaskRecord| {
                matches!(task.status, TaskStatus::Failed | TaskStatus::TimedOut)
            };
            self.went.tasks.iter().find(is_bad).and_then(hint)
        };
        let hint = self.went.stuck.clone().or_else(failed);
        self.differs("run", expected, got.to_string(), hint);
    }

    fn task(&mut self, task: &TaskRecord, expected: &TaskExpectation) {
        let name = &task.name;
        if let Some(status) = expected.status.filter(|&status| status != task.status) {
            self.differs(name, status.to_string(), task.status.to_string(), hint(task));
        }
        let counts = [
            ("attempts", expected.attempts, task.attempts),
            ("rounds", expected.rounds, task.rounds),
            ("items", expected.items, task.items.unwrap_or(u64::from(task.ran()))),
        ];
        for (what, expected, got) in counts {
            if let Some(expected) = expected.filter(|&expected| expected != got) {
                let what = format!("{name}: {what}");
                self.differs(&what, expected.to_string(), got.to_string(), hint(task));
            }
        }
        if let Some(outputs) = &expected.outputs {
            self.outputs(task, outputs);
        }
        self.texts(task, expected);
    }

    fn outputs(&mut self, task: &TaskRecord, expected: &Value) {
        let got = match (expected, task.outputs.as_slice()) {
            (Value::Array(_), all) => Value::Array(all.to_vec()),
            (_, [one]) => one.clone(),
            (_, all) => Value::Array(all.to_vec()),
        };
        if !has(&got, expected) {
            let what = format!("{}: outputs", task.name);
            self.differs(&what, short(&expected.to_string()), short(&got.to_string()), hint(task));
        }
    }

    fn texts(&mut self, task: &TaskRecord, expected: &TaskExpectation) {
        if !expected.looks_at_start() {
            return;
        }
        if task.started.is_empty() {
            let what = format!("{}: what is started", task.name);
            return self.differs(&what, "something".to_owned(), "nothing".to_owned(), hint(task));
        }
        if let Some(text) = &expected.script {
            self.text(task, "script", text, script);
        }
        if let Some(text) = &expected.command {
            self.text(task, "command", text, |rendered| Some(rendered.argv().join(" ")));
        }
        for (name, text) in &expected.env {
            self.text(task, &format!("env {name}"), text, |rendered| {
                let found = rendered.env.iter().find(|(known, _)| known == name);
                found.map(|(_, value)| value.clone())
            });
        }
    }

    /// One attempt of one item is enough, so that a fan-out can be looked at.
    fn text(
        &mut self,
        task: &TaskRecord,
        part: &str,
        expected: &TextMatch,
        of: impl Fn(&Rendered) -> Option<String>,
    ) {
        let texts: Vec<Option<String>> = task.started.iter().map(of).collect();
        if texts.iter().flatten().any(|text| expected.holds(text)) {
            return;
        }
        let got = match texts.iter().flatten().next() {
            Some(text) => format!("`{}`", short(text.trim())),
            None => "none".to_owned(),
        };
        let others = task.started.len() - 1;
        let hint = (others > 0).then(|| format!("nor is it so in {others} other attempts"));
        self.differs(&format!("{}: {part}", task.name), expected.to_string(), got, hint);
    }

    fn ran(&mut self, task: &TaskRecord, wanted: bool) {
        if task.ran() != wanted {
            let expected = if wanted { "to run" } else { "not to run" };
            self.differs(&task.name, expected.to_owned(), task.status.to_string(), hint(task));
        }
    }

    fn order(&mut self, first: &TaskRecord, second: &TaskRecord) {
        let expected = format!("`{}` ends before `{}` begins", first.name, second.name);
        let got = match (first.ended, second.began) {
            (Some(ended), Some(began)) if ended <= began => return,
            (Some(_), Some(_)) => format!("`{}` begins before that", second.name),
            (_, None) => format!("`{}` {}, and does not begin", second.name, second.status),
            (None, _) => format!("`{}` {}, and does not end", first.name, first.status),
        };
        self.differs("order", expected, got, None);
    }
}

/// What explains how a task ended.
fn hint(task: &TaskRecord) -> Option<String> {
    let trouble = task.trouble.as_ref()?;
    let after = match (task.items, task.attempts) {
        (Some(_), _) | (None, 0 | 1) => String::new(),
        (None, attempts) => format!(" after {attempts} attempts"),
    };
    Some(format!("`{}` {}: {trouble}{after}", task.name, task.status))
}

/// Whether a value has everything in it that is expected.
fn has(got: &Value, expected: &Value) -> bool {
    match (got, expected) {
        (Value::Object(got), Value::Object(expected)) => expected
            .iter()
            .all(|(key, expected)| got.get(key).is_some_and(|got| has(got, expected))),
        (Value::Array(got), Value::Array(expected)) => {
            got.len() == expected.len() && got.iter().zip(expected).all(|(got, it)| has(got, it))
        }
        (Value::Number(got), Value::Number(expected)) => {
            got == expected || got.as_f64() == expected.as_f64()
        }
        (got, expected) => got == expected,
    }
}

/// The text that a shell is given.
fn script(rendered: &Rendered) -> Option<String> {
    match rendered.argv() {
        [.., flag, script] if flag == "-c" => Some(script.clone()),
        _ => None,
    }
}

fn short(text: &str) -> String {
    let mut chars = text.chars();
    let short: String = chars.by_ref().take(SHOWN_CHARS).collect();
    if chars.next().is_some() { short + "…" } else { short }
}
