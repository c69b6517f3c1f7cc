//! The supervisor: a small process between a worker and its tasks, so that no task outlives its
//! worker unseen, grandchildren included.
//!
//! ```text
//! worker ── commands ─▶ supervisor ── process groups ─▶ tasks
//!        ◀── events ───  (one thread, one epoll)  ◀── stdout, stderr, exit
//! ```
//!
//! The worker starts it by running its own binary again with [`HIDDEN_ARGUMENT`]. It leads its own
//! session, so the keyboard cannot interrupt it; it is a child subreaper, so whatever a task
//! leaves behind becomes its child. When the pipe from the worker ends, however the worker died, it
//! kills everything and exits, and only then is its lock free for the next one. A supervisor that
//! was itself killed has left a mark in the lock file, a cookie in its tasks' environment, and,
//! where there may be one, a control group: the next one finds them by it and kills them before it
//! starts anything.
//!
//! The supervisor knows nothing of runs, retries or leases. It must never block on a task or on the
//! worker, and never have a second thread. Only when all of them are gone it may wait for a moment,
//! until what a dead worker has left outside has ended, too (`outside`).

mod cgroup;
mod children;
mod enter;
mod handle;
mod leftovers;
mod lock;
mod oom;
mod outbox;
mod outside;
mod process;
mod reactor;
mod spawn;
pub mod wire;

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

pub use artifacts::logs::{Stream, Ticket};
pub use cgroup::can_group;
pub use handle::{Batch, Config, EventReader, Supervisor};
pub use wire::{Event, Exit, Limits, Start, Step, StopKind};

use cgroup::{Cgroup, Confinement};
use lock::Lock;
use outbox::Outbox;
use reactor::Reactor;

/// The first argument that makes the binary a supervisor. What follows is the state directory.
pub const HIDDEN_ARGUMENT: &str = "__supervise";

/// What a supervisor is called among processes.
const PROCESS_NAME: &str = "autoglm-supervisor";

/// The variable that names the supervisor of a task, by its canonical state directory.
pub const COOKIE_VARIABLE: &str = "AUTOGLM_SUPERVISOR";

/// The variable that names an attempt to its supervisor: no use to the task itself.
pub const TICKET_VARIABLE: &str = "AUTOGLM_TICKET";

/// Runs this process as a supervisor until its worker is gone and so are all tasks; or, when a
/// supervisor says so, as the step of a task into its control groups, or of the end of containers.
///
/// `arguments` are those after [`HIDDEN_ARGUMENT`]. Call it before any other thread exists: the
/// pipes to the worker are taken from stdin and stdout, and the signal handlers are replaced.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut arguments = arguments.into_iter();
    let first = arguments.next();
    if first.as_deref() == Some(enter::ARGUMENT.as_ref()) {
        return enter::main(arguments);
    }
    if first.as_deref() == Some(outside::ARGUMENT.as_ref()) {
        return outside::main(arguments);
    }
    let outcome = match (first, arguments.next()) {
        (Some(state_dir), None) => run(Path::new(&state_dir)),
        _ => Err(io::Error::other("expected one argument, the state directory")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody may be listening any more, and there is nothing better to do about it.
            let _ = writeln!(io::stderr(), "supervisor: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(state_dir: &Path) -> io::Result<()> {
    let (inbox, outbox) = take_pipes()?;
    rustix::process::setsid()?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    outlive_signals()?;

    let lock = Lock::acquire(state_dir)?;
    let (group, in_group) = Cgroup::enter(state_dir).unzip();
    let found = if lock.ended_cleanly()? { 0 } else { leftovers::kill(state_dir)? };
    let (confinement, in_groups) = Confinement::open(state_dir, group.as_ref());
    let leftovers = in_group.unwrap_or(0) + found + in_groups;
    lock.mark_running()?;

    let mut reactor = Reactor::new((inbox, Outbox::new(outbox)?), state_dir, confinement)?;
    let served = reactor.serve(leftovers);
    reactor.kill_everything()?;
    // What cannot be ended now is ended by the next worker.
    let _ = outside::end(state_dir);
    if let Some(group) = group {
        group.leave();
    }
    lock.mark_ended()?;
    served
}

/// Takes the two pipes off stdin and stdout and puts `/dev/null` there, which is the stdin that
/// tasks inherit.
fn take_pipes() -> io::Result<(OwnedFd, OwnedFd)> {
    let inbox = io::stdin().as_fd().try_clone_to_owned()?;
    let outbox = io::stdout().as_fd().try_clone_to_owned()?;
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    Ok((inbox, outbox))
}

/// A supervisor ends when its worker does, not when someone signals a whole session or cgroup. The
/// signals are caught, not ignored: tasks would inherit that they are ignored.
fn outlive_signals() -> io::Result<()> {
    for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    Ok(())
}
