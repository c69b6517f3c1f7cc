//! A holder in a process of its own, which outlives the command that starts it.
//!
//! ```text
//! command ── stdin: one line, `begin`, when the request is accepted ─▶ holder
//!         ◀─ stdout: one line, `ready`, `held`, or an error ────────
//! ```
//!
//! The leash is the holder's standard input: while it is open the holder stays and starts nothing.
//! A line on it says that the request was accepted: the holder then works and lives until its last
//! run has ended. Without that line it ends with the leash.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};

use server::Policy;

use super::Rules;
use super::local::{Holder, StartError};
use super::offers::{Looking, Offered};
use crate::error::{Error, HOLDER_ENDED, Result};
use crate::exit::Exit;
use crate::quantity::{Declared, GPU};
use crate::queues;
use crate::style::Tone;

/// The command that makes the binary a detached holder.
pub(super) const HIDDEN_COMMAND: &str = "__hold";
/// What a holder has to say that nobody waits for.
const LOG_NAME: &str = "holder.log";
const READY: &str = "ready";
const HELD: &str = "held";

const BEGIN: &str = "begin";

/// Keeps a detached holder from ending for want of runs.
pub(super) struct Leash {
    stdin: ChildStdin,
}

impl Leash {
    /// Lets the holder work.
    pub(super) fn begin(&mut self) -> Result<()> {
        writeln!(self.stdin, "{BEGIN}").map_err(|error| {
            let message = format!("the process that holds the state has ended: {error}");
            Error::new(Exit::Internal, HOLDER_ENDED, message)
        })
    }
}

/// Starts a holder; `None` when another process holds the folder.
pub(super) fn start(folder: &Path, offers: &Offered, rules: &Rules) -> Result<Option<Leash>> {
    let failed = |error: io::Error| {
        let message = format!("cannot start a process that holds the state: {error}");
        Error::new(Exit::Internal, HOLDER_ENDED, message)
    };
    // What is wrong with it is told here, where somebody reads it.
    queues::read(rules.queues.as_deref(), Tone::PLAIN)?;
    let log = folder.join(LOG_NAME);
    let log = OpenOptions::new().create(true).append(true).mode(0o600).open(log).map_err(failed)?;
    let mut child = Command::new("/proc/self/exe")
        .arg(HIDDEN_COMMAND)
        .arg("--home")
        .arg(folder)
        .args(offered_arguments(offers))
        .arg(policy_argument(rules.policy))
        .args(rules.queues.as_deref().map(|path| path_argument("--queues=", path)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .map_err(failed)?;
    let stdin = child.stdin.take().expect("it was asked for");
    let mut said = String::new();
    let stdout = child.stdout.take().expect("it was asked for");
    BufReader::new(stdout).read_line(&mut said).map_err(failed)?;
    match said.trim_end() {
        READY => Ok(Some(Leash { stdin })),
        HELD => Ok(None),
        "" => {
            let reason = format!("it ended at once; see {}", folder.join(LOG_NAME).display());
            Err(failed(io::Error::other(reason)))
        }
        reason => Err(Error::new(Exit::Storage, HOLDER_ENDED, reason)),
    }
}

/// Holds the state in this process until the last run has ended, if it is let begin at all.
pub(super) fn serve(folder: &Path, offers: &Offered, rules: &Rules) -> Result<Exit> {
    // A session of its own: neither the keyboard nor the end of the terminal ends it. It fails
    // only for the leader of a group, which a process started by `start` is not.
    let _ = rustix::process::setsid();
    let mut offers = Some(Looking::begin(offers));
    let mut holder = match Holder::start(folder, &mut offers, rules) {
        Ok(holder) => holder,
        Err(StartError::Held { .. }) => {
            answer(HELD);
            return Ok(Exit::Busy);
        }
        Err(StartError::Failed(error)) => {
            answer(&error.message);
            return Err(error);
        }
    };
    answer(READY);
    let mut said = String::new();
    // A leash that breaks says nothing more.
    let _ = io::stdin().lock().read_line(&mut said);
    if said.trim_end() == BEGIN {
        holder.work()?;
        holder.wait_idle();
    }
    Ok(Exit::Ok)
}

/// Says one line to whoever started this process, who may be gone already.
fn answer(line: &str) {
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "{}", line.replace('\n', " ")).and_then(|()| stdout.flush());
}

/// What is offered as options of the command line.
fn offered_arguments(offered: &Offered) -> Vec<OsString> {
    match offered {
        Offered::Machine(declared) => {
            declared_arguments(declared).into_iter().map(OsString::from).collect()
        }
        Offered::Nodes { file, .. } => vec![path_argument("--cluster=", file)],
    }
}

/// What this machine is said to have as options of the command line.
fn declared_arguments(offers: &Declared) -> Vec<String> {
    let Declared { amounts: offers, gpus, site } = offers;
    let mut arguments = Vec::new();
    if offers.cpu_milli > 0 {
        arguments.push(format!("--cpu={}m", offers.cpu_milli));
    }
    if offers.memory_bytes > 0 {
        arguments.push(format!("--memory={}", offers.memory_bytes));
    }
    let custom = offers.custom.iter().map(|(name, amount)| format!("--resource={name}={amount}"));
    arguments.extend(custom);
    // As an amount nothing is no more than left out; of GPUs it hides those that are there.
    arguments.extend((*gpus == Some(0)).then(|| format!("--resource={GPU}=0")));
    let labels = site.labels.iter().map(|(key, value)| format!("--node-label={key}={value}"));
    arguments.extend(labels);
    arguments.extend(site.taints.iter().map(|taint| format!("--node-taint={taint}")));
    arguments
}

/// A policy as an option of the command line. It is always said, since the environment of the
/// process that is started may say another.
fn policy_argument(policy: Policy) -> String {
    format!("--policy={}", whatif::name_of(policy))
}

/// A file as an option of the command line.
fn path_argument(option: &str, path: &Path) -> OsString {
    let mut argument = OsString::from(option);
    argument.push(path);
    argument
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use model::Site;

    use super::*;
    use crate::args::Arguments;
    use crate::quantity;

    #[test]
    fn offers_go_through_the_command_line_unchanged() {
        for gpus in [0, 2] {
            let amounts = [("license".to_owned(), 2), ("gpu".to_owned(), gpus)];
            let label = ("zone".into(), "a".into());
            let site = Site::new([label], ["reserved".into(), "spot".into()]);
            let offers = Declared { site, ..quantity::declared(1_500, 3 << 30, amounts.into()) };
            let mut line = vec!["autoglm".to_owned(), HIDDEN_COMMAND.to_owned()];
            line.extend(declared_arguments(&offers));
            let layer = Arguments::try_parse_from(line).expect("it is understood").layer();
            let read = quantity::declared(
                layer.cpu_milli.expect("given"),
                layer.memory_bytes.expect("given"),
                layer.resources,
            );
            let labels = layer.labels.into_iter().map(|(key, value)| (key.into(), value.into()));
            let taints = layer.taints.expect("given").into_iter().map(String::into_boxed_str);
            let read = Declared { site: Site::new(labels, taints), ..read };
            assert_eq!((&read, read.gpus), (&offers, Some(gpus)));
        }
    }

    #[test]
    fn every_policy_goes_through_the_command_line_unchanged() {
        for (policy, _) in Policy::ALL {
            let argument = policy_argument(policy);
            let line = ["autoglm", HIDDEN_COMMAND, &argument];
            let arguments = Arguments::try_parse_from(line).expect("it is understood");
            assert_eq!(arguments.layer().policy, Some(policy));
        }
    }
}
