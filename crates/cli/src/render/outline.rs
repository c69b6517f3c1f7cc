//! Tasks before they run, as text: one line each in a plan, a block each in a dry run.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{plural, shell_word};
use crate::outline::{Action, Items, Rule, Step, Text, span};
use crate::style::{Paint, Tone};
use crate::table::printable;

/// Lines of one script that are shown.
const SCRIPT_LINES_MAX: usize = 12;

/// What kind of task it is, in a word.
pub(crate) const fn kind(step: &Step) -> &'static str {
    match step.does {
        Action::Script { .. } | Action::Command { .. } | Action::Call { .. }
            if step.items.is_some() =>
        {
            "fan-out"
        }
        Action::Script { .. } | Action::Command { .. } => "task",
        Action::Call { call, .. } => call,
        Action::Decision { .. } => "decision",
        Action::Result { .. } => "result",
        Action::Loop { .. } => "loop",
        Action::End { .. } => "end",
        Action::Wait { .. } | Action::Look { .. } => "wait",
        Action::Approval { .. } => "approval",
        Action::Signal { .. } => "signal",
    }
}

/// What there is to say beside the kind, on one line.
pub(crate) fn what(step: &Step) -> String {
    let mut parts = Vec::new();
    parts.extend(step.when.as_ref().map(|when| format!("when {when}")));
    parts.extend(conditions(step));
    match &step.does {
        Action::Script { .. } | Action::Command { .. } | Action::Call { .. } => {
            let open = step.items.as_ref().filter(|items| items.count.is_none());
            parts.extend(open.map(|items| format!("items {}", items_text(items))));
        }
        does => parts.extend(does_text(does)),
    }
    parts.extend(step.beside.lines().into_iter().map(|(label, text)| format!("{label} {text}")));
    printable(&parts.join("; "))
}

/// What a task that no worker runs does, on one line.
fn does_text(does: &Action) -> Option<String> {
    let text = match does {
        Action::Script { .. } | Action::Command { .. } => return None,
        Action::Call { settings, .. } if settings == &Value::Bool(true) => return None,
        Action::Call { settings, .. } => settings.to_string(),
        Action::Decision { rules } => rules.iter().map(rule).collect::<Vec<_>>().join("; "),
        Action::Result { expression } => expression.clone(),
        Action::End { outputs } => {
            let outputs = outputs.iter().map(|(name, from)| format!("{name} = {from}"));
            outputs.collect::<Vec<_>>().join("; ")
        }
        Action::Loop { body, until, rounds_max } => {
            let body = body.join(", ");
            format!("{body} until {until}, at most {}", plural(u64::from(*rounds_max), "round"))
        }
        Action::Wait { seconds: Some(seconds), .. } => span(*seconds),
        Action::Look { file, http, status } => match (file, http) {
            (_, Some(http)) => format!("for {} to answer {}", http.text, status.unwrap_or(200)),
            (file, None) => {
                let file = file.as_ref().map_or("", |file| &file.text);
                format!("for the file {file}")
            }
        },
        Action::Wait { until, .. } => {
            until.as_ref().map_or_else(String::new, |until| format!("until {until}"))
        }
        Action::Approval { message, timeout_seconds, otherwise }
        | Action::Signal { message, timeout_seconds, otherwise } => {
            let mut parts = Vec::new();
            parts.extend(Some(message.text.clone()).filter(|text| !text.is_empty()));
            if let (Some(timeout), Some(otherwise)) = (timeout_seconds, otherwise) {
                parts.push(format!("{otherwise} after {}", span(*timeout)));
            }
            parts.join("; ")
        }
    };
    Some(text).filter(|text| !text.is_empty())
}

fn rule(rule: &Rule) -> String {
    let condition = rule.rule.as_deref().unwrap_or("otherwise");
    let mut then = rule.tasks.clone();
    if let Some(route) = rule.route.as_ref().filter(|route| !then.contains(route)) {
        then.insert(0, format!("route {route}"));
    }
    if rule.value != Value::Null {
        then.push(rule.value.to_string());
    }
    if then.is_empty() {
        then.push("go on".to_owned());
    }
    format!("{condition} → {}", then.join(", "))
}

/// What a task waits for in another way than for success. That a turn ends when its body has is
/// no news, nor that what undoes waits for what is undone before it.
fn conditions(step: &Step) -> Vec<String> {
    if matches!(step.does, Action::Loop { .. }) || step.on == Some("undo") {
        return Vec::new();
    }
    let mut parts: Vec<String> = step
        .after
        .iter()
        .filter(|after| after.is != "succeeded")
        .map(|after| match after.is {
            "chosen" => format!("chosen by {}", after.task),
            is => format!("{} {is}", after.task),
        })
        .collect();
    parts.extend(step.join.as_ref().map(|join| format!("join {join}")));
    parts
}

fn items_text(items: &Items) -> String {
    match (items.count, &items.from) {
        (Some(count), _) => {
            let mut first = items.first.join(", ");
            if count as usize > items.first.len() {
                first.push_str(", …");
            }
            if count == 0 {
                "none".to_owned()
            } else {
                format!("{count}, of which the first is shown: {first}")
            }
        }
        (None, Some(from)) => format!("worked out at run time from {from}"),
        (None, None) => "worked out at run time".to_owned(),
    }
}

/// A task as a block of lines.
pub(crate) fn block(step: &Step, tone: Tone) -> String {
    let mut lines = Lines { text: tone.paint(Paint::Head, &printable(&step.task)), tone };
    lines.text.push_str(&after(step));
    lines.text.push('\n');
    if let Some(when) = &step.when {
        lines.add("when", &format!("{when} (worked out at run time)"));
    }
    if let Some(items) = &step.items {
        lines.add("items", &items_text(items));
    }
    match &step.does {
        Action::Script { script, .. } => lines.script(script),
        Action::Command { command } => {
            let words: Vec<String> = command.iter().map(|word| shell_word(&word.text)).collect();
            lines.add("command", &words.join(" "));
        }
        Action::Decision { rules } => rules.iter().for_each(|it| lines.add("rule", &rule(it))),
        Action::Call { call, .. } => {
            lines.add(call, &does_text(&step.does).unwrap_or_default());
        }
        does => {
            lines.add(kind(step), &does_text(does).unwrap_or_default());
        }
    }
    if let Some(folder) = &step.working_dir {
        lines.add("folder", &folder.text);
    }
    if !step.resources.is_empty() {
        lines.add("resources", &resources(&step.resources, &step.devices));
    }
    for other in &step.alternatives {
        let asked = resources(&other.resources, &other.devices);
        let expected = other.expected.map(|it| format!(", expected {}", span(it)));
        lines.add("or else", &format!("{asked}{}", expected.unwrap_or_default()));
    }
    step.beside.lines().iter().for_each(|(label, text)| lines.add(label, text));
    if !step.variables.is_empty() {
        lines.add("variables", &step.variables.join(", "));
    }
    lines.text
}

fn resources(resources: &BTreeMap<String, Value>, devices: &str) -> String {
    let resources = resources.iter().map(|(name, it)| match &**name {
        "gpu" => devices.to_owned(),
        name => amount(name, it),
    });
    resources.collect::<Vec<_>>().join(", ")
}

/// What comes before a task, in brackets.
fn after(step: &Step) -> String {
    let plain = step.after.iter().filter(|after| after.is == "succeeded");
    let plain: Vec<&str> = plain.map(|after| after.task.as_str()).collect();
    let mut parts = Vec::new();
    parts.extend(step.on.map(|on| format!("on {on}")));
    if !plain.is_empty() {
        parts.push(format!("after {}", plain.join(", ")));
    }
    parts.extend(conditions(step));
    if parts.is_empty() { String::new() } else { printable(&format!("  ({})", parts.join("; "))) }
}

/// Labelled lines.
struct Lines {
    text: String,
    tone: Tone,
}

impl Lines {
    fn add(&mut self, label: &str, value: &str) {
        let label = self.tone.paint(Paint::Faint, &format!("{label:<9}"));
        let line = format!("  {label}  {}", printable(value));
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn script(&mut self, script: &Text) {
        let lines: Vec<&str> = script.text.lines().collect();
        for (number, line) in lines.iter().take(SCRIPT_LINES_MAX).enumerate() {
            self.add(if number == 0 { "script" } else { "" }, line);
        }
        if lines.len() > SCRIPT_LINES_MAX {
            let more = plural((lines.len() - SCRIPT_LINES_MAX) as u64, "more line");
            self.add("", &format!("… {more}"));
        }
    }
}

fn amount(name: &str, amount: &Value) -> String {
    match (name, amount.as_u64()) {
        ("cpu", _) => format!("{amount} CPU").replace(".0 ", " "),
        ("memory", Some(bytes)) => format!("{} memory", super::gc::size(bytes)),
        _ => format!("{amount} {name}"),
    }
}
