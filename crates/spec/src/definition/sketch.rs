//! A task as it can be known before it starts: what is written, with everything filled in that is
//! certain already. Nothing is guessed: what depends on outputs stays as it is written.

use model::{ItemId, RunId, TaskId};
use serde_json::Value as Json;

use super::look::looked;
use super::render::Renderer;
use super::{Action, Definition, Scene, TaskOutputs};
use crate::call::CallKind;
use crate::template::{expression_references, is_template, normalised};

/// What is known of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Sketch {
    /// What it does.
    pub does: Does,
    /// The expression that has to hold, or else it is skipped.
    pub when: Option<String>,
    /// Its items.
    pub items: SketchedItems,
    /// The names of its variables, the file's own among them, sorted.
    pub variables: Vec<String>,
    /// The folder that it starts in, below the file's; nothing for the file's own.
    pub working_dir: Option<SketchedText>,
}

/// What a task does.
#[derive(Clone, Debug, PartialEq)]
pub enum Does {
    /// A text for a shell.
    Script {
        /// The shell.
        shell: Vec<String>,
        /// The text.
        text: SketchedText,
    },
    /// A program and its arguments.
    Command(Vec<SketchedText>),
    /// Another kind of work, with its settings, in which is filled in what is certain.
    Calls(CallKind, Json),
    /// Rules in order: the first that holds is taken.
    Decides(Vec<SketchedRule>),
    /// An expression gives its only output.
    WorksOut(String),
    /// The end of a turn: the expression that ends the loop.
    Repeats(String),
    /// Time passes; until when, if it is no fixed while.
    Waits(Option<String>),
    /// A file, or an address that has to answer so, is waited for.
    LooksFor(SketchedText, Option<u64>),
    /// A person is asked this.
    Asks(SketchedText),
    /// A signal is waited for, with this said to people.
    Listens(SketchedText),
    /// The tasks that stand in its place have ended: its outputs are these, by name with the
    /// expression of each. It has none if it ends the copies of a group.
    Gathers(Vec<(String, String)>),
}

/// A rule of a decision.
#[derive(Clone, Debug, PartialEq)]
pub struct SketchedRule {
    /// The expression that has to hold; nothing if it always holds.
    pub rule: Option<String>,
    /// The number of its route, from 1, as edges name it.
    pub route: u16,
    /// The name of its route, if it has one.
    pub name: Option<String>,
    /// The value that it gives; null if it gives none.
    pub value: Json,
}

/// The items of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SketchedItems {
    /// It is no fan-out.
    None,
    /// So many.
    Known(u32),
    /// They are worked out when the task's turn comes.
    Late {
        /// What they are worked out from.
        from: String,
        /// How many there may be.
        max_items: u32,
    },
}

/// A text with all filled in that is certain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SketchedText {
    /// The text. What is not certain is there as it is written.
    pub text: String,
    /// Whether all of it is certain.
    pub is_certain: bool,
}

impl Definition {
    /// What is known of a task before a run; its texts are those of the first item. Of the
    /// variables of the file the values are filled in, which are never secrets: those are
    /// variables of tasks, whose names alone are told. `None` if there is no such task.
    #[must_use]
    pub fn sketch(&self, task: TaskId) -> Option<Sketch> {
        let defined = self.get(task)?;
        let control = defined.control.as_deref();
        let around = self.around(defined.frame);
        let late = control.and_then(|control| control.late.as_ref());
        let pencil = Pencil {
            definition: self,
            task,
            certain: match defined.item_count() > Some(0)
                || (self.copy(defined.frame).is_some() && !defined.is_late())
            {
                true => BEFORE_WITH_ITEM,
                false => BEFORE,
            },
            run: None,
            uncertain: None,
        };
        let text = |text: &str| pencil.text(text);
        let does = match &defined.action {
            _ if let Some(looked) = looked(defined) => {
                Does::LooksFor(text(looked.at), looked.status)
            }
            Action::Script(script) => {
                let shell = defined.shell.as_deref().unwrap_or(around.shell);
                Does::Script { shell: shell.to_vec(), text: text(script) }
            }
            Action::Command(words) => Does::Command(words.iter().map(|word| text(word)).collect()),
            Action::Call(call) => Does::Calls(call.kind, pencil.settings(&call.settings)),
            Action::Decision(decision) => {
                let rules = decision.rules.iter().map(|rule| SketchedRule {
                    rule: rule.when.as_deref().map(str::to_owned),
                    route: rule.route,
                    name: rule.name.as_deref().map(str::to_owned),
                    value: rule.value.clone(),
                });
                Does::Decides(rules.collect())
            }
            Action::Result(expression) => Does::WorksOut(expression.to_string()),
            Action::Until { expression, .. } => Does::Repeats(expression.to_string()),
            Action::Timer(until) => Does::Waits(until.as_deref().map(str::to_owned)),
            Action::Approval(message) => Does::Asks(text(message)),
            Action::Signal(message) => Does::Listens(text(message)),
            Action::End(end) => Does::Gathers(
                end.outputs.iter().map(|(key, text)| (key.to_string(), text.to_string())).collect(),
            ),
        };
        let items = match (late, defined.item_count()) {
            (Some(late), _) => {
                let from: Vec<&str> = late.source.texts().collect();
                SketchedItems::Late { from: from.join(", "), max_items: late.max_items }
            }
            (None, Some(count)) => SketchedItems::Known(count),
            (None, None) => SketchedItems::None,
        };
        let mut variables: Vec<String> = around.env.keys().cloned().collect();
        variables.extend(defined.env.iter().map(|(name, _)| name.clone()));
        variables.sort_unstable();
        variables.dedup();
        let when = control.and_then(|control| control.when.as_deref()).map(str::to_owned);
        let working_dir = defined.working_dir.as_deref().map(text);
        Some(Sketch { does, when, items, variables, working_dir })
    }

    /// What is said to the person or program that a task waits for, as far as it can be said
    /// without outputs: in place of what comes from them stands an ellipsis.
    #[must_use]
    pub fn message_outline(&self, task: TaskId, run: RunId) -> String {
        let Some(Action::Approval(text) | Action::Signal(text)) =
            self.get(task).map(|defined| &defined.action)
        else {
            return String::new();
        };
        let pencil = Pencil {
            definition: self,
            task,
            certain: &["params", "env", "run"],
            run: Some(run),
            uncertain: Some("…"),
        };
        let sketched = pencil.text(text);
        // Statements decide about more than their own place: then nothing is better than half.
        if is_template(&sketched.text) { String::new() } else { sketched.text }
    }
}

/// What is certain before a run.
const BEFORE: &[&str] = &["params", "env"];
/// The same for a fan-out whose items are known.
const BEFORE_WITH_ITEM: &[&str] = &["params", "env", "item", "items", "index"];

/// Fills in what is certain.
struct Pencil<'d> {
    definition: &'d Definition,
    task: TaskId,
    /// The names that lead to what is certain.
    certain: &'static [&'static str],
    run: Option<RunId>,
    /// What stands for an expression that is not certain; the expression itself if nothing does.
    uncertain: Option<&'static str>,
}

impl Pencil<'_> {
    /// A tree of values whose texts are templates.
    fn settings(&self, value: &Json) -> Json {
        match value {
            Json::String(text) => self.text(text).text.into(),
            Json::Array(values) => values.iter().map(|value| self.settings(value)).collect(),
            Json::Object(fields) => {
                fields.iter().map(|(key, value)| (key.clone(), self.settings(value))).collect()
            }
            plain => plain.clone(),
        }
    }

    fn text(&self, text: &str) -> SketchedText {
        if !is_template(text) {
            return SketchedText { text: text.to_owned(), is_certain: true };
        }
        if self.is_certain(text)
            && let Some(text) = self.filled(text)
        {
            return SketchedText { text, is_certain: true };
        }
        // Statements, and marks that swallow spaces, reach beyond their own place.
        let is_tangled = ["{%", "{{-", "-}}", "{{+", "+}}"].iter().any(|mark| text.contains(mark));
        let text = if is_tangled { text.to_owned() } else { self.piece_by_piece(text) };
        SketchedText { text, is_certain: false }
    }

    fn piece_by_piece(&self, text: &str) -> String {
        let text = normalised(text);
        let (mut done, mut rest) = (String::new(), &*text);
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((inside, after)) = after.split_once("}}") else { break };
            done.push_str(before);
            let piece = format!("{{{{{inside}}}}}");
            let filled = self.is_certain(&piece).then(|| self.filled(&piece)).flatten();
            done.push_str(filled.as_deref().or(self.uncertain).unwrap_or(&piece));
            rest = after;
        }
        done.push_str(rest);
        done
    }

    fn is_certain(&self, text: &str) -> bool {
        let frame = self.definition.get(self.task).map_or(0, |defined| defined.frame);
        let late = self.definition.around(frame).file.map_or(&[][..], |(file, _)| &file.late);
        let is_late = |path: &[String]| {
            !late.is_empty()
                && path.first().is_none_or(|first| late.iter().any(|it| *it.name == **first))
        };
        expression_references(text).iter().all(|reference| {
            self.certain.contains(&&*reference.root)
                && !(reference.root == "params" && is_late(&reference.path))
        })
    }

    /// `None` if the text cannot be rendered: then the task will say so when it starts.
    fn filled(&self, text: &str) -> Option<String> {
        let upstream = |_| TaskOutputs::Single(Json::Null);
        let defined = self.definition.get(self.task)?;
        let scene = Scene {
            definition: self.definition,
            task: self.task,
            defined,
            frame: defined.frame,
            scope: &defined.scope,
            item: Some(ItemId(0)),
            upstream: &upstream,
            round: 1,
            run: self.run,
            is_expression: false,
            output: None,
        };
        Renderer { scene }.one(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::Source;

    fn definition(text: &str) -> Definition {
        let source = Source {
            name: "a.yaml".to_owned(),
            folder: "/".into(),
            text: text.as_bytes().to_vec(),
        };
        let workflow = crate::check(&source).expect("it is valid");
        let bound = workflow.bind(&BTreeMap::new()).expect("no parameters are missing");
        bound.compile().expect("it compiles").definition
    }

    fn script(definition: &Definition, name: &str) -> (String, bool) {
        let task = definition.task(name).expect("it is there");
        match definition.sketch(task).expect("it is there").does {
            Does::Script { text, .. } => (text.text, text.is_certain),
            other => panic!("{other:?}"),
        }
    }

    const FLOW: &str = r#"
params: {n: 3, word: yes it is}
env: {LEVEL: high}
tasks:
  first: {script: "echo {{ params.n + 1 }} {{ params.word | quote }}"}
  wide: {foreach: [7, 8], script: "echo {{ item }} {{ index }} {{ env.LEVEL }}"}
  late:
    depends_on: first
    foreach: "{{ tasks.first.outputs.list }}"
    script: "echo {{ params.n }} {{ item }} {{ tasks.first.outputs.rows | default(0) }}"
  tangled: {depends_on: first, script: "{% if tasks.first.outputs.x %}{{ params.n }}{% endif %}"}
  gate:
    depends_on: first
    approval: "{{ params.n }} of {{ tasks.first.outputs.rows }} in {{ run.id }}?"
  gate2: {depends_on: first, approval: "{% if tasks.first.outputs.x %}really{% endif %}?"}
"#;

    #[test]
    fn what_is_certain_is_filled_in_and_the_rest_stays_as_written() {
        let flow = definition(FLOW);
        assert_eq!(script(&flow, "first"), ("echo 4 'yes it is'".to_owned(), true));
        assert_eq!(script(&flow, "wide"), ("echo 7 0 high".to_owned(), true));
        let late = "echo 3 {{ item }} {{ tasks.first.outputs.rows | default(0) }}";
        assert_eq!(script(&flow, "late"), (late.to_owned(), false));
        let tangled = "{% if tasks.first.outputs.x %}{{ params.n }}{% endif %}";
        assert_eq!(script(&flow, "tangled"), (tangled.to_owned(), false));
    }

    #[test]
    fn items_are_counted_where_they_are_known() {
        let flow = definition(FLOW);
        let items = |name| flow.sketch(flow.task(name).expect("there")).expect("there").items;
        assert_eq!(items("first"), SketchedItems::None);
        assert_eq!(items("wide"), SketchedItems::Known(2));
        let SketchedItems::Late { from, .. } = items("late") else { panic!("it is late") };
        assert_eq!(from, "tasks.first.outputs.list");
    }

    #[test]
    fn a_message_says_what_it_can_without_outputs() {
        let flow = definition(FLOW);
        let said = |name| flow.message_outline(flow.task(name).expect("there"), RunId(9));
        assert_eq!(said("gate"), "3 of … in 9?");
        assert_eq!(said("gate2"), "");
        assert_eq!(said("first"), "");
    }
}
