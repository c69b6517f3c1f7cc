//! The process executor: attempts become processes of the supervisor, and its events become news of
//! attempts. It starts no process itself.

use model::outcome::{Failure, Outcome};

use super::{Attempt, CHECKPOINTS, Ending, Executor, Finished, HEARTBEAT, Happened, Left, Tools};
use crate::supervisor::{Event, Exit, Start, StopKind, Ticket};

/// Attempts that are processes of their own.
#[derive(Default)]
pub(crate) struct Processes;

impl Executor for Processes {
    /// The program and its arguments.
    type Work = Vec<String>;

    fn start(&mut self, attempt: Attempt, argv: Vec<String>, tools: &mut Tools<'_>) {
        let Attempt { ticket, mut env, secrets, withheld, .. } = attempt;
        let Attempt { work_dir, output_file, tasks_file, checkpoints_file, .. } = attempt;
        env.extend(secrets);
        let files = [
            ("AUTOGLM_OUTPUT", &output_file),
            ("AUTOGLM_TASKS", &tasks_file),
            (CHECKPOINTS, &checkpoints_file),
            ("AUTOGLM_WORKDIR", &work_dir),
        ];
        let path = |(name, path): (&str, &std::path::PathBuf)| {
            (name.to_owned(), path.to_string_lossy().into_owned())
        };
        env.extend(files.map(path));
        env.extend(attempt.heartbeat_file.iter().map(|file| path((HEARTBEAT, file))));
        tools.supervisor.start(Start {
            ticket,
            argv: argv.into_iter().map(Into::into).collect(),
            env,
            withheld,
            cwd: attempt.folder,
            work_dir: attempt.needs_work_dir.then_some(work_dir),
            output_file,
            output_cap_bytes: model::limits::LOG_BYTES_MAX,
            limits: attempt.limits,
        });
    }

    fn stop(&mut self, ticket: Ticket, how: Ending, tools: &mut Tools<'_>) {
        let kind = match how {
            Ending::Ask(grace) => StopKind::Term { grace },
            Ending::Kill => StopKind::Kill,
        };
        tools.supervisor.stop(ticket, kind);
    }

    fn abandon(&mut self) {}
}

impl Processes {
    /// What an event of the supervisor says of an attempt.
    pub(crate) fn happened(event: Event) -> Option<(Ticket, Happened)> {
        Some(match event {
            Event::Started { ticket, .. } => (ticket, Happened::Started),
            Event::Output { ticket, stream, bytes, .. } => {
                (ticket, Happened::Output(stream, bytes))
            }
            Event::Exited { ticket, how, oom, forks_refused, usage, has_output_file, .. } => {
                let outcome = outcome(&how, oom);
                let reason = match how {
                    Exit::SpawnFailed { message, .. } => Some(message),
                    _ => (forks_refused > 0).then(|| refused(forks_refused)),
                };
                let left = Left::Files { has_outputs: has_output_file };
                let finished = Finished { usage, reason, left, ..Finished::new(outcome) };
                (ticket, Happened::Ended(Box::new(finished)))
            }
            Event::Ready { .. } | Event::Dropped { .. } => return None,
        })
    }
}

fn refused(times: u64) -> String {
    format!("{times} times it was refused another process: it had as many as it may have")
}

fn outcome(how: &Exit, oom: bool) -> Outcome {
    match *how {
        Exit::Code(0) => Outcome::Succeeded,
        Exit::SpawnFailed { errno, .. } => Outcome::Failed(Failure::Spawn(errno)),
        // What a process says of the death of its child is not what went wrong.
        _ if oom => Outcome::Failed(Failure::OutOfMemory),
        Exit::Code(code) => Outcome::Failed(Failure::Exit(code)),
        Exit::Signal { signal, .. } => Outcome::Failed(Failure::Signal(signal)),
    }
}
