//! One rendering: a task's texts with the names filled in, within bounds.

use std::collections::BTreeMap;

use minijinja::value::Value;
use model::ItemId;
use model::limits::RENDERED_BYTES_MAX;
use serde_json::{Map, Value as Json};

use super::{Action, Definition, Rendered, TaskDefinition, TaskOutputs, UpstreamOutputs};
use crate::code;
use crate::limits::ARGUMENT_BYTES_MAX;
use crate::template::{is_template, normalised, to_value, words};

/// The variable that holds an attempt's own folder; a text that names it wants the folder made.
const WORK_DIR_VARIABLE: &str = "AUTOGLM_WORKDIR";

/// Why a text could not be rendered.
pub(super) struct Failure {
    pub code: model::code::Code,
    pub message: String,
}

impl From<minijinja::Error> for Failure {
    fn from(error: minijinja::Error) -> Self {
        let (code, message) = match error.kind() {
            minijinja::ErrorKind::WriteFailure => (
                code::RENDERED_TOO_LARGE,
                format!("a text becomes larger than {RENDERED_BYTES_MAX} bytes"),
            ),
            minijinja::ErrorKind::OutOfFuel => {
                (code::RENDERED_TOO_LARGE, "a template takes too many steps".to_owned())
            }
            kind => {
                let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
                let line = error.line().filter(|&line| line > 1);
                let line = line.map(|line| format!(" (line {line} of the text)"));
                (code::RENDER, format!("{kind}{detail}{}", line.unwrap_or_default()))
            }
        };
        Self { code, message }
    }
}

/// One rendering.
pub(super) struct Renderer<'d> {
    pub definition: &'d Definition,
    pub task: &'d TaskDefinition,
    pub item: ItemId,
    pub upstream: &'d dyn UpstreamOutputs,
}

impl Renderer<'_> {
    pub(super) fn render(&self) -> Result<Rendered, Failure> {
        let context = self.context()?;
        let argv = self.argv(&context)?;
        let mut env = self.definition.env.clone();
        let mut secret_env = Vec::new();
        for (name, text) in &self.task.env {
            if let Some(secret) = self.definition.secret(text) {
                env.remove(name);
                secret_env.push((name.clone(), secret));
                continue;
            }
            env.insert(name.clone(), self.text(text, &context)?);
        }
        let working_dir = match &self.task.working_dir {
            Some(text) => self.definition.folder.join(self.text(text, &context)?),
            None => self.definition.folder.clone(),
        };
        let env: Vec<(String, String)> = env.into_iter().collect();
        let env_texts = env.iter().map(|(_, value)| value);
        let uses_work_dir =
            argv.iter().chain(env_texts).any(|text| text.contains(WORK_DIR_VARIABLE));
        check_sizes(&argv, &env)?;
        Ok(Rendered { argv, env, secret_env, working_dir, uses_work_dir })
    }

    fn argv(&self, context: &Value) -> Result<Vec<String>, Failure> {
        match &self.task.action {
            Action::Script(script) => {
                let shell = self.task.shell.as_deref().unwrap_or(&self.definition.shell);
                let script = self.text(script, context)?;
                Ok(shell.iter().cloned().chain(["-c".to_owned(), script]).collect())
            }
            Action::Command(command) => {
                command.iter().map(|argument| self.text(argument, context)).collect()
            }
        }
    }

    fn text(&self, text: &str, context: &Value) -> Result<String, Failure> {
        if !is_template(text) {
            return Ok(text.to_owned());
        }
        let rendered = self.definition.derived.templates.render(text, context);
        rendered.map_err(|error| match undefined(text, context) {
            Some(message) if error.kind() == minijinja::ErrorKind::UndefinedError => {
                Failure { code: code::RENDER, message }
            }
            _ => error.into(),
        })
    }

    /// What templates can name; nothing at all if the task has no templates.
    fn context(&self) -> Result<Value, Failure> {
        let (definition, derived) = (self.definition, &self.definition.derived);
        let mut tasks: BTreeMap<Box<str>, Value> = BTreeMap::new();
        let mut has_templates = false;
        for text in self.task.texts().filter(|text| is_template(text)) {
            has_templates = true;
            for name in derived.templates.tasks(text)?.iter() {
                if let Some(task) = definition.task(name)
                    && !tasks.contains_key(name)
                {
                    tasks.insert(name.clone(), outputs_value(self.upstream.outputs(task)));
                }
            }
        }
        if !has_templates {
            return Ok(Value::UNDEFINED);
        }
        let params = derived.params.get_or_init(|| to_value(&definition.params));
        let env = derived.env.get_or_init(|| to_value(&definition.env));
        let mut names = vec![
            ("params", params.clone()),
            ("env", env.clone()),
            ("index", Value::from(self.item.0)),
            (
                "tasks",
                Value::from_pairs(
                    tasks.into_iter().map(|(name, value)| (String::from(name), value)),
                ),
            ),
        ];
        if let Some(item) = self.task.items.value(self.item) {
            names.push(("item", to_value(&item)));
        }
        Ok(Value::from_pairs(names))
    }
}

/// Says which reference of a text leads to nothing, and what stands there instead.
fn undefined(text: &str, context: &Value) -> Option<String> {
    words(&normalised(text)).references.into_iter().find_map(|reference| {
        let mut value = context.get_attr(&reference.root).ok()?;
        let mut path = reference.root.clone();
        for step in &reference.path {
            let next = value.get_attr(step).unwrap_or_default();
            if next.is_undefined() {
                let keys = value.try_iter().into_iter().flatten().take(20);
                let mut keys: Vec<String> = keys.map(|key| format!("`{key}`")).collect();
                keys.sort_unstable();
                let keys = if keys.is_empty() { "nothing".to_owned() } else { keys.join(", ") };
                return Some(format!("there is no `{path}.{step}`: `{path}` has {keys}"));
            }
            path = format!("{path}.{step}");
            value = next;
        }
        None
    })
}

/// `{"outputs": {...}}`, where a fan-out's object maps each key to the list of its items' values.
fn outputs_value(outputs: TaskOutputs) -> Value {
    let outputs = match outputs {
        TaskOutputs::Single(outputs) => outputs,
        TaskOutputs::Items(items) => Json::Object(transposed(&items)),
    };
    Value::from_pairs([("outputs", to_value(&outputs))])
}

fn transposed(items: &[Json]) -> Map<String, Json> {
    let mut columns: Map<String, Json> = Map::new();
    for (index, (key, value)) in items
        .iter()
        .enumerate()
        .flat_map(|(index, item)| item.as_object().into_iter().flatten().map(move |x| (index, x)))
    {
        let column =
            columns.entry(key).or_insert_with(|| Json::Array(vec![Json::Null; items.len()]));
        column[index] = value.clone();
    }
    columns
}

/// A command that the kernel would refuse is refused here, with a reason.
fn check_sizes(argv: &[String], env: &[(String, String)]) -> Result<(), Failure> {
    let lengths = argv.iter().map(String::len);
    let lengths = lengths.chain(env.iter().map(|(name, value)| name.len() + value.len() + 1));
    let (longest, total) =
        lengths.fold((0, 0), |(longest, total), length| (length.max(longest), total + length + 1));
    let too_large = |what: &str, count: usize, limit: usize| {
        let message = format!(
            "{what} is {count} bytes long when it is rendered, and may be {limit}: \
             put large data into a file"
        );
        Err(Failure { code: code::RENDERED_TOO_LARGE, message })
    };
    if longest >= ARGUMENT_BYTES_MAX {
        return too_large("one argument or variable", longest, ARGUMENT_BYTES_MAX - 1);
    }
    if total > RENDERED_BYTES_MAX {
        return too_large("the command with its variables", total, RENDERED_BYTES_MAX);
    }
    let nul = argv.iter().chain(env.iter().map(|(_, value)| value)).any(|x| x.contains('\0'));
    if nul {
        let message = "a text has a NUL character in it when it is rendered".to_owned();
        return Err(Failure { code: code::RENDER, message });
    }
    Ok(())
}
