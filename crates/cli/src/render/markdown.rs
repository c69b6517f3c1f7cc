//! A workflow as a page of Markdown with a graph in the notation of Mermaid.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use spec::Rules;

use super::{outline, shell_word};
use crate::outline::{Action, Step};

/// Tasks of the largest graph that is drawn; more are no picture any more.
const DRAWN_MAX: usize = 150;

/// What is on the page.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Page {
    /// The workflow's name.
    pub name: String,
    /// Its file, as it was named.
    pub file: String,
    /// What it says it is for.
    pub description: Option<String>,
    /// What its runs are told apart by.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// What it takes.
    pub parameters: Vec<Param>,
    /// Its tasks.
    pub tasks: Vec<Step>,
}

/// A parameter.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Param {
    /// Its name.
    pub name: String,
    /// What it takes.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is when it is not given; `None` if it has to be given.
    pub default: Option<Value>,
    /// What its value must be beyond its type.
    #[serde(flatten)]
    pub rules: Rules,
    /// What it is for.
    pub description: Option<String>,
}

/// The page.
pub(crate) fn render(page: &Page) -> String {
    let mut text = format!("# {}\n\n", plain(&page.name));
    if let Some(description) = &page.description {
        text.push_str(&format!("{}\n\n", description.trim()));
    }
    text.push_str(&format!("```sh\nautoglm run {}{}\n```\n", shell_word(&page.file), given(page)));
    if !page.labels.is_empty() {
        let labels = page.labels.iter().map(|(key, value)| code(&format!("{key}={value}")));
        text.push_str(&format!("\nLabels: {}\n", labels.collect::<Vec<_>>().join(", ")));
    }
    if !page.parameters.is_empty() {
        text.push_str(
            "\n## Parameters\n\n| Name | Type | Default | Description |\n|---|---|---|---|\n",
        );
        page.parameters.iter().for_each(|parameter| text.push_str(&param_row(parameter)));
    }
    text.push_str("\n## Tasks\n\n| Task | Kind | After | What |\n|---|---|---|---|\n");
    page.tasks.iter().for_each(|step| text.push_str(&task_row(step)));
    text.push_str("\n## Graph\n\n");
    match page.tasks.len() {
        0..=DRAWN_MAX => text.push_str(&format!("```mermaid\n{}```\n", mermaid(&page.tasks))),
        count => text.push_str(&format!("{count} tasks are too many to draw.\n")),
    }
    text
}

/// The parameters that have to be given, as they are typed.
fn given(page: &Page) -> String {
    let needed = page.parameters.iter().filter(|parameter| parameter.default.is_none());
    needed.map(|parameter| format!(" -p {}=...", shell_word(&parameter.name))).collect()
}

fn param_row(parameter: &Param) -> String {
    let default = match &parameter.default {
        None => "must be given".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "empty".to_owned(),
        Some(Value::String(text)) => code(text),
        Some(value) => code(&value.to_string()),
    };
    let description = plain(parameter.description.as_deref().unwrap_or_default());
    let kind = format!("{}{}", parameter.kind, rules(&parameter.rules));
    format!("| {} | {kind} | {default} | {description} |\n", code(&parameter.name))
}

/// What a value must be beyond its type, to follow that.
fn rules(rules: &Rules) -> String {
    let mut text = String::new();
    if !rules.choices.is_empty() {
        let choices = rules.choices.iter().map(|choice| match choice {
            Value::String(text) => code(text),
            other => code(&other.to_string()),
        });
        text.push_str(&format!(", one of {}", choices.collect::<Vec<_>>().join(", ")));
    }
    if let Some(pattern) = &rules.pattern {
        text.push_str(&format!(", as {}", code(&pattern.to_string())));
    }
    match (&rules.min, &rules.max) {
        (None, None) => {}
        (Some(min), None) => text.push_str(&format!(", at least {min}")),
        (None, Some(max)) => text.push_str(&format!(", at most {max}")),
        (Some(min), Some(max)) => text.push_str(&format!(", {min} to {max}")),
    }
    text
}

fn task_row(step: &Step) -> String {
    let after: Vec<String> = step.after.iter().map(|after| code(&after.task)).collect();
    let on = step.on.map(|on| format!("on {on}"));
    let after: Vec<String> = on.into_iter().chain(after).collect();
    let what = plain(&outline::what(step));
    format!("| {} | {} | {} | {what} |\n", code(&step.task), outline::kind(step), after.join(", "))
}

/// A text in a cell of a table, without marks that would mean something.
fn plain(text: &str) -> String {
    let mut safe = String::new();
    for sign in text.chars() {
        match sign {
            '\n' | '\r' => safe.push(' '),
            '|' | '\\' | '`' | '*' | '_' | '<' | '>' | '[' | ']' | '#' => {
                safe.push('\\');
                safe.push(sign);
            }
            sign => safe.push(sign),
        }
    }
    safe
}

/// A text in a cell of a table as it is written.
fn code(text: &str) -> String {
    let text = text.replace(['\n', '\r'], " ").replace('|', r"\|");
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

/// The graph.
fn mermaid(steps: &[Step]) -> String {
    let number: BTreeMap<&str, usize> =
        steps.iter().enumerate().map(|(number, step)| (step.task.as_str(), number)).collect();
    let mut text = String::from("flowchart TD\n");
    for (at, step) in steps.iter().enumerate() {
        let (open, close) = shape(step);
        let on = step.on.map_or_else(String::new, |on| format!("<br/>on {on}"));
        let name = step.task.replace('&', "#amp;").replace('"', "#quot;").replace('<', "#lt;");
        text.push_str(&format!("  t{at}{open}\"{name}{on}\"{close}\n"));
    }
    for (at, step) in steps.iter().enumerate() {
        for after in &step.after {
            let Some(from) = number.get(after.task.as_str()) else { continue };
            let is_end = matches!(step.does, Action::Loop { .. });
            match after.is {
                "succeeded" => text.push_str(&format!("  t{from} --> t{at}\n")),
                _ if is_end => text.push_str(&format!("  t{from} --> t{at}\n")),
                is => text.push_str(&format!("  t{from} -->|{is}| t{at}\n")),
            }
        }
        if let Action::Loop { body, .. } = &step.does
            && let Some(first) = body.first().and_then(|first| number.get(first.as_str()))
        {
            text.push_str(&format!("  t{at} -.->|again| t{first}\n"));
        }
    }
    text
}

/// The marks around a task of its kind.
fn shape(step: &Step) -> (&'static str, &'static str) {
    match step.does {
        Action::Script { .. } | Action::Command { .. } | Action::Call { .. } => {
            if step.items.is_some() { ("[[", "]]") } else { ("[", "]") }
        }
        Action::Decision { .. } | Action::Result { .. } => ("{", "}"),
        Action::Loop { .. } => ("{{", "}}"),
        Action::End { .. } => ("((", "))"),
        Action::Wait { .. }
        | Action::Look { .. }
        | Action::Approval { .. }
        | Action::Signal { .. } => ("([", "])"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_hold_any_text() {
        assert_eq!(plain("a|b\n*c*"), r"a\|b \*c\*");
        assert_eq!(code("a|b"), r"`a\|b`");
        assert_eq!(code("a`b"), "`` a`b ``");
    }
}
