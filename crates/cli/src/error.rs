//! Why a command cannot go on: a code, what is wrong, what to do, and how the program ends.
//!
//! This is the only shape in which a command fails. It is printed once, at the end of `main`: as
//! text, or as JSON when the output is JSON.

use model::code::Code;
use protocol::api::Problem;
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::style::{Paint, Tone};

/// The settings file cannot be read or understood.
pub(crate) const BAD_SETTINGS: Code = Code("E0501");
/// A file that the command needs cannot be read.
pub(crate) const NO_SUCH_FILE: Code = Code("E0502");
/// The state folder cannot be made or entered.
pub(crate) const NO_HOME: Code = Code("E0503");
/// Another process holds the state folder and does not answer.
pub(crate) const HELD: Code = Code("E0504");
/// The holder ended, or could not be started.
pub(crate) const HOLDER_ENDED: Code = Code("E0505");
/// The other end speaks another version of the API.
pub(crate) const OTHER_VERSION: Code = Code("E0506");
/// The result cannot be written to standard output.
pub(crate) const NO_OUTPUT: Code = Code("E0507");
/// An argument that the command cannot use.
pub(crate) const BAD_ARGUMENT: Code = Code("E0508");
/// A file that is to be written is there already.
pub(crate) const FILE_EXISTS: Code = Code("E0510");
/// A file cannot be written.
pub(crate) const NOT_WRITTEN: Code = Code("E0511");
/// A command that is for the inside of a task is run outside of one.
pub(crate) const NO_TASK: Code = Code("E0512");

/// The reason for which a command ends early.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Error {
    /// How the program ends.
    pub exit: Exit,
    /// The stable code.
    pub code: String,
    /// What is wrong, as a sentence.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// What is printed for people instead of code and message: diagnostics with their places.
    pub rendered: Option<String>,
    /// What stands beside code and message in JSON. Boxed, because most results are no errors.
    pub details: Option<Box<Value>>,
    /// Whether it is only that the holder has ended while it was asked: who asks again may be
    /// answered.
    pub is_gone: bool,
}

/// What every command returns.
pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn new(exit: Exit, code: Code, message: impl Into<String>) -> Self {
        Self {
            exit,
            code: code.to_string(),
            message: message.into(),
            hint: None,
            rendered: None,
            details: None,
            is_gone: false,
        }
    }

    /// The same with advice.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A workflow file that is not valid.
    pub(crate) fn invalid(diagnostics: &spec::Diagnostics, tone: Tone) -> Self {
        Self {
            rendered: Some(diagnostics.to_terminal(tone.is_coloured())),
            details: Some(Box::new(diagnostics.to_json())),
            ..Self::new(
                Exit::InvalidWorkflow,
                diagnostics.code(),
                format!("{} is not a valid workflow", diagnostics.file),
            )
        }
    }

    /// As people read it.
    pub(crate) fn to_text(&self, tone: Tone) -> String {
        let mut text = match &self.rendered {
            Some(rendered) => rendered.trim_end().to_owned(),
            None => {
                let label = tone.paint(Paint::Bad, &format!("error[{}]", self.code));
                format!("{label}: {}", self.message)
            }
        };
        if let Some(hint) = &self.hint {
            text.push_str(&format!("\n{}: {hint}", tone.paint(Paint::Accent, "hint")));
        }
        text.push('\n');
        text
    }

    /// As programs read it.
    pub(crate) fn to_json(&self) -> Value {
        json!({ "error": {
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "exit": self.exit.number(),
            "details": self.details,
        }})
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        let rendered: Vec<_> =
            problem.diagnostics.iter().map(|each| each.rendered.as_str()).collect();
        let rendered = rendered.join("\n");
        let is_rendered = !rendered.trim().is_empty();
        let message = match problem.detail.is_empty() {
            true => problem.title.clone(),
            false => problem.detail.clone(),
        };
        Self {
            exit: Exit::of_code(&problem.code),
            code: problem.code.clone(),
            message,
            hint: problem.hint.clone(),
            rendered: is_rendered.then_some(rendered),
            details: serde_json::to_value(&problem).ok().map(Box::new),
            is_gone: false,
        }
    }
}

impl From<client::Error> for Error {
    fn from(error: client::Error) -> Self {
        let text = error.to_string();
        let is_gone = error.is_gone();
        let error = match error {
            client::Error::Refused(problem) => Self::from(*problem),
            client::Error::Gone { .. } | client::Error::Broken(_) => {
                Self::new(Exit::Internal, HOLDER_ENDED, "the process that held the state ended")
                    .hint("nothing that was acknowledged is lost: `autoglm resume` goes on")
            }
            client::Error::Unreachable { socket, source } => Self::new(
                Exit::Storage,
                NO_HOME,
                format!("cannot reach {}: {source}", socket.display()),
            )
            .hint("the state folder belongs to the user who made it; name another with --home"),
            client::Error::Unreadable(_) | client::Error::Unsendable(_) => {
                Self::new(Exit::Internal, OTHER_VERSION, text)
                    .hint("is the process that holds the state of another version?")
            }
        };
        Self { is_gone, ..error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_keeps_its_code_and_hint() {
        let problem = Problem {
            code: "E0202".to_owned(),
            title: "No such run".to_owned(),
            detail: "there is no run 9".to_owned(),
            hint: Some("`autoglm list` shows all".to_owned()),
            ..Problem::default()
        };
        let error = Error::from(problem);
        assert_eq!(error.exit, Exit::NotFound);
        insta::assert_snapshot!(error.to_text(Tone::PLAIN), @r"
        error[E0202]: there is no run 9
        hint: `autoglm list` shows all
        ");
        assert_eq!(error.to_json()["error"]["code"], "E0202");
        assert_eq!(error.to_json()["error"]["exit"], 5);
    }
}
