//! How the program ends: one number for each kind of end, the same for every command.
//!
//! Scripts depend on these numbers, so none changes its meaning. `docs/reference/exit-codes.md`
//! lists exactly these; a test holds the two together.

use std::process::ExitCode;

use model::RunStatus;

/// An end of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The command did what it was asked for; a run that was waited for succeeded.
    Ok = 0,
    /// The run that was waited for failed, or a test of a workflow did not pass.
    RunFailed = 1,
    /// The command line or the settings cannot be understood.
    Usage = 2,
    /// The run that was waited for was stopped or terminated, not by this command's Ctrl-C.
    RunCancelled = 3,
    /// The workflow file, its parameters, a test file or a recorded workload are not valid.
    InvalidWorkflow = 4,
    /// There is no such file, run, task, item or test.
    NotFound = 5,
    /// What is asked for does not go with the state of the run.
    Conflict = 6,
    /// Open-AutoGLM itself failed: a defect, or a holder that died.
    Internal = 70,
    /// The state folder cannot be read or written: full, read-only, damaged, no permission.
    Storage = 74,
    /// Another process holds the state folder and does not answer.
    Busy = 75,
    /// Ctrl-C ended the command, and the run if it was waiting for one.
    Interrupted = 130,
}

impl Exit {
    /// All of them.
    #[cfg(test)]
    pub(crate) const ALL: &'static [Self] = &[
        Self::Ok,
        Self::RunFailed,
        Self::Usage,
        Self::RunCancelled,
        Self::InvalidWorkflow,
        Self::NotFound,
        Self::Conflict,
        Self::Internal,
        Self::Storage,
        Self::Busy,
        Self::Interrupted,
    ];

    /// The number that the operating system sees.
    pub(crate) const fn number(self) -> u8 {
        self as u8
    }

    /// How a command ends that waited for a run.
    pub(crate) const fn of_run(status: RunStatus) -> Self {
        match status {
            RunStatus::Failed => Self::RunFailed,
            RunStatus::Cancelled => Self::RunCancelled,
            _ => Self::Ok,
        }
    }

    /// How a command ends that was refused with an error code. The first two digits of a code tell
    /// its area.
    pub(crate) fn of_code(code: &str) -> Self {
        match code {
            "E0202" | "E0203" | "E0220" => Self::NotFound,
            "E0201" => Self::Usage,
            "E0204" | "E0205" | "E0206" | "E0207" | "E0208" | "E0211" | "E0212" | "E0213"
            | "E0214" | "E0215" | "E0219" | "E0221" | "E0223" => Self::Conflict,
            "E0222" => Self::InvalidWorkflow,
            _ if code.starts_with("E01") || code.starts_with("E06") => Self::InvalidWorkflow,
            _ if code.starts_with("E03") => Self::Storage,
            _ => Self::Internal,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../../docs/reference/exit-codes.md");

    #[test]
    fn the_page_lists_exactly_these() {
        let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
        let listed: Vec<u8> = rows.filter_map(|cell| cell.trim().parse().ok()).collect();
        let defined: Vec<u8> = Exit::ALL.iter().map(|exit| exit.number()).collect();
        assert_eq!(listed, defined);
    }

    #[test]
    fn the_area_of_a_code_decides() {
        assert_eq!(Exit::of_code("E0117"), Exit::InvalidWorkflow);
        assert_eq!(Exit::of_code("E0607"), Exit::InvalidWorkflow);
        assert_eq!(Exit::of_code("E0202"), Exit::NotFound);
        assert_eq!(Exit::of_code("E0220"), Exit::NotFound);
        assert_eq!(Exit::of_code("E0204"), Exit::Conflict);
        assert_eq!(Exit::of_code("E0221"), Exit::Conflict);
        assert_eq!(Exit::of_code("E0301"), Exit::Storage);
        assert_eq!(Exit::of_code("E0210"), Exit::Internal);
    }
}
