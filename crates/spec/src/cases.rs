//! Test files: how a workflow is expected to go when its tasks end in a given way.
//!
//! A test file is read as workflow files are: everything that is wrong with it is told at once,
//! with its place. Nothing here runs anything or knows how it went.

use std::collections::BTreeMap;

use model::{RunStatus, TaskStatus};
use serde_json::{Map, Value as Json};

use crate::code;
use crate::diagnostic::{Diagnostics, Fault, Faults};
use crate::params::Workflow;
use crate::parse::{decode, parse};
use crate::read::Read;
use crate::source::{Extent, Source};

mod keys;
mod names;
mod play;
mod said;
mod shapes;

pub use play::{Answer, Attempt, End, Mock, Say};
pub use said::{Compare, Comparison, TextMatch};
pub(crate) use shapes::of_files;

/// A test file that is in order.
#[derive(Debug)]
pub struct TestFile {
    /// The workflow, as the file names it: relative to the file's folder.
    pub workflow: String,
    /// The tests, in the order of the file.
    pub cases: Vec<Case>,
    source: Source,
}

/// One test.
#[derive(Clone, Debug, Default)]
pub struct Case {
    /// What it is called.
    pub name: String,
    /// The line that it begins on, from 1.
    pub line: u32,
    /// The parameters that the workflow is given.
    pub params: BTreeMap<String, Json>,
    /// The environment that the run gets; `None` for the default of the workflow.
    pub environment: Option<String>,
    /// What the machine offers; what is not named there is without limit.
    pub machine: Machine,
    /// How the attempts of tasks end, by name or pattern. The last that fits a task counts.
    pub mocks: Vec<Named<Mock>>,
    /// What people and programs say to tasks that wait for them: each time the next.
    pub answers: Vec<Named<Vec<Answer>>>,
    /// What is expected.
    pub expect: Expectation,
}

/// What a machine offers to tasks; `None` is as much as they want.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Thousandths of a CPU.
    pub cpu_milli: Option<u64>,
    /// Bytes.
    pub memory_bytes: Option<u64>,
    /// Amounts of something else, by name.
    pub custom: BTreeMap<String, u64>,
}

/// A value for a task, or for all tasks that a pattern fits.
#[derive(Clone, Debug)]
pub struct Named<T> {
    /// The name, or the pattern.
    pub name: String,
    /// What is said of it.
    pub value: T,
    pub(crate) extent: Extent,
}

/// What is expected of a run.
#[derive(Clone, Debug, Default)]
pub struct Expectation {
    /// How the run ends; `running` if it is expected to wait for ever.
    pub status: Option<RunStatus>,
    /// The codes of what is wrong with the workflow or its parameters. It is then not run.
    pub errors: Vec<String>,
    /// What becomes of tasks, by name or pattern.
    pub tasks: Vec<Named<TaskExpectation>>,
    /// Tasks that run.
    pub ran: Vec<Named<()>>,
    /// Tasks that do not run.
    pub not_ran: Vec<Named<()>>,
    /// Tasks of which each has ended before the next begins.
    pub order: Vec<Named<()>>,
    /// How long the run takes.
    pub duration: Option<Comparison>,
}

/// What is expected of a task.
#[derive(Clone, Debug, Default)]
pub struct TaskExpectation {
    /// How it ends.
    pub status: Option<TaskStatus>,
    /// How many attempts it has, over all items and rounds.
    pub attempts: Option<u64>,
    /// How many rounds it runs in.
    pub rounds: Option<u64>,
    /// How many items it has.
    pub items: Option<u64>,
    /// Outputs that it must have; it may have more. A list for the items of a fan-out.
    pub outputs: Option<Json>,
    /// The script that is started.
    pub script: Option<TextMatch>,
    /// The command that is started, its words with blanks between them.
    pub command: Option<TextMatch>,
    /// Variables that it is started with.
    pub env: Vec<(String, TextMatch)>,
}

impl TaskExpectation {
    /// Whether what is started matters.
    #[must_use]
    pub fn looks_at_start(&self) -> bool {
        self.script.is_some() || self.command.is_some() || !self.env.is_empty()
    }
}

impl<T> Named<T> {
    /// Whether this is about the task of that name.
    #[must_use]
    pub fn is_about(&self, task: &str) -> bool {
        names::is_about(&self.name, task)
    }
}

impl Case {
    /// How the attempts of a task end; `None` if nothing is said of it.
    #[must_use]
    pub fn mock(&self, task: &str) -> Option<&Mock> {
        self.mocks.iter().rfind(|mock| mock.is_about(task)).map(|mock| &mock.value)
    }

    /// What is said to a task when it waits for the n-th time, from 0; the last of a list for all
    /// times after.
    #[must_use]
    pub fn answer(&self, task: &str, time: usize) -> Option<&Answer> {
        let found = self.answers.iter().rfind(|answer| answer.is_about(task))?;
        found.value.get(time).or(found.value.last())
    }
}

impl TestFile {
    /// Reads a test file.
    ///
    /// # Errors
    /// Everything that is wrong with it that can be seen without the workflow.
    pub fn read(source: Source) -> Result<Self, Diagnostics> {
        let mut faults = Faults::default();
        let text = decode(&source.text, &mut faults);
        let read = text.and_then(|text| {
            let root = parse(text, &mut faults)?;
            let file = keys::FileKeys::read(&root, "the file", &mut faults)?;
            file.into_parts(text, &mut faults)
        });
        match read {
            Some((workflow, cases)) if faults.is_empty() => Ok(Self { workflow, cases, source }),
            _ => {
                let valid = source.text.utf8_chunks().next().map_or("", |chunk| chunk.valid());
                Err(faults.into_diagnostics(&source.name, text.unwrap_or(valid)))
            }
        }
    }

    /// Holds the names of tasks against the workflow.
    ///
    /// # Errors
    /// Names that no task has, patterns that fit none, and answers for tasks that wait for nobody.
    pub fn check_names(&self, workflow: &Workflow) -> Result<(), Diagnostics> {
        let mut faults = Faults::default();
        for case in &self.cases {
            names::check(case, workflow, &mut faults);
        }
        self.told(faults)
    }

    /// One fault of the file as a whole: its workflow is not there.
    #[must_use]
    pub fn without_workflow(&self, reason: &str) -> Diagnostics {
        let message = format!("the workflow `{}` {reason}", self.workflow);
        let mut faults = Faults::default();
        let fault = Fault::nowhere(code::BAD_VALUE, message);
        faults.push(fault.hint("`workflow` is a path relative to the folder of the test file"));
        self.told(faults).expect_err("there is one")
    }

    fn told(&self, faults: Faults) -> Result<(), Diagnostics> {
        if faults.is_empty() {
            return Ok(());
        }
        let text = std::str::from_utf8(&self.source.text).unwrap_or_default();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Err(faults.into_diagnostics(&self.source.name, text))
    }
}

/// An object of a file; anything else is a fault.
type Object = Map<String, Json>;

#[cfg(test)]
mod tests;
