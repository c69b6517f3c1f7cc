//! A recorded workload on its way in: unpacked, and what is wrong with it told as of any file.

use spec::diagnostic::{Place, Severity};
use spec::{Diagnostic, Diagnostics};
use workload::{Fault, Faults, Format, Source};

use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::style::Tone;
use crate::workflow::WorkflowFile;

/// The text of a file that was read, unpacked if it is packed.
pub(crate) fn source(file: WorkflowFile, tone: Tone) -> Result<Source> {
    let WorkflowFile { source, .. } = file;
    Source::new(&source.name, source.text).map_err(|faults| invalid(&faults, tone))
}

/// Whether a file is an instance of WfCommons, and so no workflow of ours.
pub(crate) fn is_instance(file: &WorkflowFile) -> bool {
    let bytes = &file.source.text;
    let may_be = bytes.starts_with(&[0x1f, 0x8b]) || bytes.trim_ascii_start().starts_with(b"{");
    let source = may_be.then(|| Source::new(&file.source.name, bytes.clone()).ok()).flatten();
    source.is_some_and(|source| Format::of(&source) == Some(Format::WfCommons))
}

/// A recorded workload that is not valid.
pub(crate) fn invalid(faults: &Faults, tone: Tone) -> Error {
    let diagnostics = Diagnostics {
        file: faults.file.clone(),
        diagnostics: faults.faults.iter().map(diagnostic).collect(),
        omitted: faults.omitted,
    };
    Error {
        rendered: Some(diagnostics.to_terminal(tone.is_coloured())),
        details: Some(Box::new(diagnostics.to_json())),
        ..Error::new(
            Exit::of_code(faults.code().0),
            faults.code(),
            format!("{} is not a valid workload", faults.file),
        )
    }
}

fn diagnostic(fault: &Fault) -> Diagnostic {
    let place = fault.place.as_ref().map(|place| Place {
        line: place.line,
        column: place.column,
        offset: place.offset,
        length: place.length,
        excerpt: place.excerpt.clone(),
        excerpt_start: place.excerpt_start,
    });
    Diagnostic {
        code: fault.code,
        severity: Severity::Error,
        message: fault.message.clone(),
        file: None,
        place,
        label: String::new(),
        hint: fault.hint.clone(),
        related: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> WorkflowFile {
        let source = spec::Source {
            name: "a.json".to_owned(),
            folder: "/".into(),
            text: text.as_bytes().to_vec(),
        };
        WorkflowFile { path: "/a.json".into(), source }
    }

    #[test]
    fn an_instance_is_told_from_a_workflow() {
        assert!(is_instance(&file(" {\"schemaVersion\": \"1.5\", \"workflow\": {}}")));
        assert!(!is_instance(&file("{\"tasks\": {\"a\": {\"workflow\": \"b.yaml\"}}}")));
        assert!(!is_instance(&file("tasks: {}")) && !is_instance(&file("\u{1f}")));
    }

    #[test]
    fn what_is_wrong_is_shown_with_its_line() {
        let source = source(file("{\"workflow\":\n  {}}"), Tone::PLAIN).expect("text");
        let faults = workload::wfcommons::instance(&source).expect_err("it has no tasks");
        let error = invalid(&faults, Tone::PLAIN);
        assert_eq!(error.exit, Exit::InvalidWorkflow);
        insta::assert_snapshot!(error.to_text(Tone::PLAIN), @r"
        error[E0603]: this workflow has neither `specification` nor `tasks`
         --> a.json:2:3
          |
        2 |   {}}
          |   ^
          |
          = help: is it an instance of WfCommons?
        ");
        assert_eq!(error.to_json()["error"]["details"]["diagnostics"][0]["place"]["line"], 2);
    }
}
