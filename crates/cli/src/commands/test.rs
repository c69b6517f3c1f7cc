//! `test`: workflows go the way that their test files say, and nothing is run.
//!
//! Test files say how tasks end and what people answer; the rehearsal decides what follows. This
//! finds the files, asks for each case, and says what was not as expected.

use std::path::{Path, PathBuf};

use clap::Args;
use simulator::rehearsal::{Difference, judge, rehearse};
use spec::cases::{Case, TestFile};
use spec::{Compiled, Diagnostics, Workflow};

use crate::app::Context;
use crate::error::{Error, NO_OUTPUT, Result};
use crate::exit::Exit;
use crate::workflow::WorkflowFile;

mod find;
mod junit;
mod report;

use report::{CaseReport, FileReport, Report};

const EXAMPLES: &str = "\
Examples:
  autoglm test pipeline.test.yaml
  autoglm test .                           All files *.test.yaml in here and below
  autoglm test . --junit report.xml        For a CI server
  autoglm test . --only approval           Tests whose names have this in them

Nothing is run: a test file says how tasks end, and time skips whatever is waited for.";

/// Test workflows without running anything.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Test {
    /// Test files, or folders to look in for *.test.yaml, *.test.yml and *.test.json
    #[arg(required = true, value_name = "FILE_OR_FOLDER")]
    pub paths: Vec<PathBuf>,

    /// Only tests whose names have this text in them
    #[arg(long, value_name = "TEXT")]
    pub only: Option<String>,

    /// Write the result as JUnit XML, too
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

impl Test {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let mut files = Vec::new();
        for path in find::test_files(&self.paths)? {
            files.push(self.file(context, &path)?);
        }
        let report = Report::new(files);
        report.print(context.output)?;
        if let Some(path) = &self.junit {
            std::fs::write(path, junit::document(&report)).map_err(|error| {
                let message = format!("cannot write {}: {error}", path.display());
                Error::new(Exit::Storage, NO_OUTPUT, message)
            })?;
        }
        Ok(report.exit())
    }

    /// One test file. What is wrong with it is a part of the report, and told to people at once.
    fn file(&self, context: &Context, path: &Path) -> Result<FileReport> {
        let source = WorkflowFile::read(path)?.source;
        let (name, folder) = (source.name.clone(), source.folder.clone());
        let tell = |diagnostics: Diagnostics| {
            let error = Error::invalid(&diagnostics, context.tone);
            if !context.output.format.is_json() {
                context.say(error.to_text(context.tone).trim_end());
            }
            FileReport::invalid(&name, &diagnostics)
        };
        let tests = match TestFile::read(source) {
            Ok(tests) => tests,
            Err(diagnostics) => return Ok(tell(diagnostics)),
        };
        let beside = path.parent().unwrap_or(Path::new("")).join(&tests.workflow);
        let workflow = match WorkflowFile::read(&beside) {
            Ok(workflow) => workflow,
            Err(error) => {
                return Ok(tell(
                    tests.without_workflow(&format!("is not there: {}", error.message)),
                ));
            }
        };
        if let Ok(checked) = spec::check_with(&workflow.source, &read)
            && let Err(diagnostics) = tests.check_names(&checked)
        {
            return Ok(tell(diagnostics));
        }
        let only = self.only.as_deref().unwrap_or_default();
        let chosen = tests.cases.iter().filter(|case| case.name.contains(only));
        let cases = chosen.map(|case| run_case(&workflow, case, &folder)).collect();
        Ok(FileReport::of(&name, &workflow.source.name, cases))
    }
}

fn run_case(file: &WorkflowFile, case: &Case, folder: &Path) -> CaseReport {
    let compiled =
        spec::check_with(&file.source, &read).and_then(|workflow| compile(workflow, case, folder));
    match compiled {
        Err(diagnostics) => CaseReport::of(case, None, invalid(case, file, &diagnostics)),
        Ok(_) if !case.expect.errors.is_empty() => {
            let expected = case.expect.errors.join(", ");
            let difference = difference("error", &expected, "nothing wrong");
            CaseReport::of(case, None, vec![difference])
        }
        Ok(compiled) => rehearsed(case, compiled),
    }
}

/// Files that are parameters are named relative to the folder of the test file.
fn compile(
    workflow: Workflow,
    case: &Case,
    folder: &Path,
) -> std::result::Result<Compiled, Diagnostics> {
    let mut params = case.params.clone();
    workflow.resolve_paths(&mut params, folder);
    let chosen = workflow.choose(case.environment.as_deref())?;
    chosen.bind(&params)?.compile_with(&read)
}

fn rehearsed(case: &Case, compiled: Compiled) -> CaseReport {
    match rehearse(compiled, case) {
        Ok(went) => CaseReport::of(case, Some(went.duration), judge(case, &went)),
        Err(error) => {
            let got = format!("no usable graph: {error:?}");
            CaseReport::of(case, None, vec![difference("workflow", "a graph", &got)])
        }
    }
}

/// What is wrong with a workflow, held against what was expected to be.
fn invalid(case: &Case, file: &WorkflowFile, diagnostics: &Diagnostics) -> Vec<Difference> {
    let told = &diagnostics.diagnostics;
    let got: Vec<String> =
        told.iter().map(|one| format!("{}: {}", one.code, one.message)).collect();
    let got = got.join("; ");
    if case.expect.errors.is_empty() {
        let hint = match told.iter().find(|one| one.place.is_none()) {
            Some(nowhere) => nowhere.hint.clone(),
            None => Some(format!("`autoglm validate {}` shows where", file.source.name)),
        };
        return vec![Difference { hint, ..difference("workflow", "valid", &got) }];
    }
    let missing =
        case.expect.errors.iter().filter(|code| told.iter().all(|one| one.code.0 != code.as_str()));
    missing.map(|code| difference("error", code, &got)).collect()
}

fn difference(what: &str, expected: &str, got: &str) -> Difference {
    Difference {
        what: what.to_owned(),
        expected: expected.to_owned(),
        got: got.to_owned(),
        hint: None,
    }
}

/// Reads a file whose lines are items.
fn read(path: &Path) -> std::result::Result<Vec<u8>, String> {
    let unreadable = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let bytes = path.metadata().map_err(unreadable)?.len();
    if bytes > spec::limits::VALUE_BYTES_MAX as u64 {
        let limit = spec::limits::VALUE_BYTES_MAX >> 20;
        return Err(format!("{} is larger than {limit} MiB", path.display()));
    }
    std::fs::read(path).map_err(unreadable)
}
