//! How tests went: for people a line a test and what differs, for programs one value.

use model::Span;
use protocol::api::Seconds;
use serde_json::{Value, json};
use simulator::rehearsal::Difference;
use spec::Diagnostics;
use spec::cases::Case;

use crate::error::Result;
use crate::exit::Exit;
use crate::output::{Format, Output};
use crate::render::plural;
use crate::style::{Paint, Tone};

/// All files of one call.
pub(super) struct Report {
    pub files: Vec<FileReport>,
}

/// One test file.
pub(super) struct FileReport {
    pub file: String,
    /// The workflow; nothing if the test file is not valid.
    pub workflow: Option<String>,
    pub cases: Vec<CaseReport>,
    /// What is wrong with the test file.
    pub invalid: Option<Invalid>,
}

/// What is wrong with a test file, as text and as data.
pub(super) struct Invalid {
    pub text: String,
    pub details: Value,
}

/// One test.
pub(super) struct CaseReport {
    pub name: String,
    pub line: u32,
    /// How long the run took in virtual time, if there was one.
    pub duration: Option<Span>,
    pub differences: Vec<Difference>,
}

impl CaseReport {
    pub(super) fn of(case: &Case, duration: Option<Span>, differences: Vec<Difference>) -> Self {
        Self { name: case.name.clone(), line: case.line, duration, differences }
    }

    pub(super) fn passed(&self) -> bool {
        self.differences.is_empty()
    }

    fn to_json(&self) -> Value {
        let differences = self.differences.iter().map(|one| {
            json!({
                "what": one.what,
                "expected": one.expected,
                "got": one.got,
                "hint": one.hint,
            })
        });
        json!({
            "name": self.name,
            "line": self.line,
            "passed": self.passed(),
            "virtual_seconds": self.duration.map(Seconds),
            "differences": differences.collect::<Vec<_>>(),
        })
    }

    fn write(&self, tone: Tone, text: &mut String) {
        let sign = match self.passed() {
            true => tone.paint(Paint::Good, "✓"),
            false => tone.paint(Paint::Bad, "✗"),
        };
        let line = match self.passed() {
            true => String::new(),
            false => tone.paint(Paint::Faint, &format!(" (line {})", self.line)),
        };
        text.push_str(&format!("  {sign} {}{line}\n", self.name));
        for difference in &self.differences {
            for line in told(difference).lines() {
                text.push_str(&format!("      {line}\n"));
            }
        }
    }
}

/// A difference in words.
pub(super) fn told(difference: &Difference) -> String {
    let Difference { what, expected, got, hint } = difference;
    let hint = hint.as_ref().map(|hint| format!("\n  {hint}")).unwrap_or_default();
    format!("{what}: expected {expected}, got {got}{hint}")
}

impl FileReport {
    pub(super) fn of(file: &str, workflow: &str, cases: Vec<CaseReport>) -> Self {
        let (file, workflow) = (file.to_owned(), Some(workflow.to_owned()));
        Self { file, workflow, cases, invalid: None }
    }

    pub(super) fn invalid(file: &str, diagnostics: &Diagnostics) -> Self {
        let invalid =
            Invalid { text: diagnostics.to_terminal(false), details: diagnostics.to_json() };
        Self { file: file.to_owned(), workflow: None, cases: Vec::new(), invalid: Some(invalid) }
    }

    fn to_json(&self) -> Value {
        json!({
            "file": self.file,
            "workflow": self.workflow,
            "valid": self.invalid.is_none(),
            "diagnostics": self.invalid.as_ref().map(|invalid| &invalid.details["diagnostics"]),
            "tests": self.cases.iter().map(CaseReport::to_json).collect::<Vec<_>>(),
        })
    }
}

impl Report {
    pub(super) fn new(files: Vec<FileReport>) -> Self {
        Self { files }
    }

    fn cases(&self) -> impl Iterator<Item = &CaseReport> {
        self.files.iter().flat_map(|file| &file.cases)
    }

    /// How many tests there are, and how many did not pass.
    fn counts(&self) -> (usize, usize) {
        (self.cases().count(), self.cases().filter(|case| !case.passed()).count())
    }

    /// A test file that is not valid weighs more than a test that does not pass. No test at all is
    /// no success: the name that `--only` was given is mistyped.
    pub(super) fn exit(&self) -> Exit {
        if self.files.iter().any(|file| file.invalid.is_some()) {
            return Exit::InvalidWorkflow;
        }
        match self.counts() {
            (0, _) => Exit::NotFound,
            (_, 0) => Exit::Ok,
            _ => Exit::RunFailed,
        }
    }

    pub(super) fn print(&self, output: Output) -> Result<()> {
        let (count, failed) = self.counts();
        match output.format {
            Format::Json | Format::Jsonl => {
                let files: Vec<Value> = self.files.iter().map(FileReport::to_json).collect();
                let whole = json!({"files": files, "passed": count - failed, "failed": failed});
                output.json_list(&whole, &files)
            }
            Format::Name => {
                let bad = self.cases().filter(|case| !case.passed());
                output.text(&bad.map(|case| format!("{}\n", case.name)).collect::<String>())
            }
            Format::Table | Format::Wide => output.text(&self.text(output.tone)),
        }
    }

    /// What people read. Files that are not valid have been told of already.
    fn text(&self, tone: Tone) -> String {
        let mut text = String::new();
        for file in self.files.iter().filter(|file| file.invalid.is_none()) {
            text.push_str(&format!("{}\n", tone.paint(Paint::Head, &file.file)));
            file.cases.iter().for_each(|case| case.write(tone, &mut text));
        }
        let (count, failed) = self.counts();
        let tests = plural(count as u64, "test");
        let summary = match (count, failed) {
            (0, _) => tone.paint(Paint::Warn, "no test"),
            (_, 0) => tone.paint(Paint::Good, &format!("{tests} passed")),
            _ => tone.paint(Paint::Bad, &format!("{failed} of {tests} failed")),
        };
        let invalid = self.files.iter().filter(|file| file.invalid.is_some()).count() as u64;
        let invalid = match invalid {
            0 => String::new(),
            count => format!(", {} not valid", plural(count, "test file")),
        };
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&format!("{summary}{invalid}\n"));
        text
    }
}
