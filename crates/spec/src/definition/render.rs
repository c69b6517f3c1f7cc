//! One rendering: a task's texts with the names filled in, within bounds.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::value::Value;
use model::VariantId;
use model::limits::RENDERED_BYTES_MAX;
use model::secret::SecretRef;
use model::work::Does;
use serde_json::{Value as Json, json};

use super::{Action, Rendered, Scene};
use crate::call::Call;
use crate::code;
use crate::expression::undefined;
use crate::limits::ARGUMENT_BYTES_MAX;
use crate::template::{Reference, expression_references, is_template};

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
    pub scene: Scene<'d>,
}

impl Renderer<'_> {
    /// What is started in one of the ways to do it; in all of them, for what makes it the same.
    pub(super) fn render(&self, variant: Option<VariantId>) -> Result<Rendered, Failure> {
        let Scene { definition, defined: task, .. } = self.scene;
        let context = self.context()?;
        let around = definition.around(self.scene.frame);
        let mut env = around.env.clone();
        let mut secret_env = Vec::new();
        for (name, text) in &task.env {
            if let Some(secret) = definition.secret(around.secrets, text) {
                env.remove(name);
                secret_env.push((name.clone(), secret));
                continue;
            }
            env.insert(name.clone(), self.text(text, &context)?);
        }
        let (does, settings) = match &task.action {
            Action::Call(call) => self.call((call, variant), &mut secret_env)?,
            _ => (Does::Process(self.argv(&context)?), Json::Null),
        };
        let working_dir = match &task.working_dir {
            Some(text) => around.folder.join(self.text(text, &context)?),
            None => around.folder.to_owned(),
        };
        let env: Vec<(String, String)> = env.into_iter().collect();
        let argv = match &does {
            Does::Process(argv) => &argv[..],
            _ => &[],
        };
        check_sizes(argv, &env)?;
        let env_texts = env.iter().map(|(_, value)| value);
        let uses_work_dir =
            argv.iter().chain(env_texts).any(|text| text.contains(WORK_DIR_VARIABLE));
        Ok(Rendered { does, settings, env, secret_env, working_dir, uses_work_dir })
    }

    /// What another kind of work does, and its settings with all filled in. Secrets in them become
    /// variables that only the worker knows.
    fn call(
        &self,
        (call, variant): (&Call, Option<VariantId>),
        secrets: &mut Vec<(String, SecretRef)>,
    ) -> Result<(Does, Json), Failure> {
        let wrong = |message| Failure { code: code::RENDER, message };
        let around = self.scene.definition.around(self.scene.frame);
        let mut settings = call.settings.clone();
        if let Some(variant) = variant {
            call.kind.keep_only(&mut settings, variant);
        }
        for (key, value) in settings.as_object_mut().into_iter().flatten() {
            if call.kind.secret_keys().contains(&&**key) {
                self.hide(value, around.secrets, secrets);
            }
        }
        let settings = self.scene.filled(&settings).map_err(wrong)?;
        let does = call.kind.work(&settings).map_err(wrong)?;
        Ok((does, settings))
    }

    /// Puts the name of a variable in the place of each secret.
    fn hide(
        &self,
        value: &mut Json,
        known: &BTreeMap<String, String>,
        secrets: &mut Vec<(String, SecretRef)>,
    ) {
        match value {
            Json::String(text) => {
                if let Some(secret) = self.scene.definition.secret(known, text) {
                    let variable = format!("AUTOGLM_SECRET_{}", secrets.len());
                    *value = json!({"secret": variable});
                    secrets.push((variable, secret));
                }
            }
            Json::Array(values) => {
                values.iter_mut().for_each(|value| self.hide(value, known, secrets));
            }
            Json::Object(fields) => {
                fields.values_mut().for_each(|value| self.hide(value, known, secrets));
            }
            _ => {}
        }
    }

    /// What is said to whom the task waits for.
    pub(super) fn message(&self) -> Result<String, Failure> {
        match &self.scene.defined.action {
            Action::Approval(text) | Action::Signal(text) => self.text(text, &self.context()?),
            _ => Ok(String::new()),
        }
    }

    /// A text alone, with what it names.
    pub(super) fn one(&self, text: &str) -> Result<String, Failure> {
        let references = expression_references(text);
        let references: Vec<&Reference> = references.iter().collect();
        let context = self.scene.context(&references);
        let context = context.map_err(|message| Failure { code: code::RENDER, message })?;
        self.text(text, &context)
    }

    fn argv(&self, context: &Value) -> Result<Vec<String>, Failure> {
        let Scene { definition, defined: task, .. } = self.scene;
        match &task.action {
            Action::Script(script) => {
                let around = definition.around(self.scene.frame);
                let shell = task.shell.as_deref().unwrap_or(around.shell);
                let script = self.text(script, context)?;
                Ok(shell.iter().cloned().chain(["-c".to_owned(), script]).collect())
            }
            Action::Command(command) => {
                command.iter().map(|argument| self.text(argument, context)).collect()
            }
            _ => {
                let message = "it is nothing that a worker runs".to_owned();
                Err(Failure { code: code::RENDER, message })
            }
        }
    }

    fn text(&self, text: &str, context: &Value) -> Result<String, Failure> {
        if !is_template(text) {
            return Ok(text.to_owned());
        }
        let rendered = self.scene.definition.derived.templates.render(text, context);
        rendered.map_err(|error| match undefined(text, context) {
            Some(message) if error.kind() == minijinja::ErrorKind::UndefinedError => {
                Failure { code: code::RENDER, message }
            }
            _ => error.into(),
        })
    }

    /// What templates can name; nothing at all if the task has no templates.
    fn context(&self) -> Result<Value, Failure> {
        let templates = &self.scene.definition.derived.templates;
        let mut parsed: Vec<Arc<[Reference]>> = Vec::new();
        for text in self.scene.defined.texts().filter(|text| is_template(text)) {
            parsed.push(templates.references(text)?);
        }
        if parsed.is_empty() {
            return Ok(Value::UNDEFINED);
        }
        let references: Vec<&Reference> = parsed.iter().flat_map(|found| found.iter()).collect();
        let context = self.scene.context(&references);
        context.map_err(|message| Failure { code: code::RENDER, message })
    }
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
