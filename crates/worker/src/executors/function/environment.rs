//! What makes processes of functions exchangeable: interpreter, folder, variables, secrets, limits,
//! and the devices that they are bound to. And how such a process is started.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::path::{Path, PathBuf};

use model::Device;
use model::work::{Call, Keep};

use super::super::{Attempt, CHECKPOINTS, HEARTBEAT};
use crate::supervisor::{Limits, Start, Ticket};

/// The inner half, which the interpreter runs.
const RUNNER: &str = include_str!("runner.py");
/// The interpreter, if nothing is said.
const PYTHON: &str = "python3";

/// Variables that tell a call who it is. They change from call to call, all others are those of the
/// process.
const OF_CALLS: [&str; 6] = [
    "AUTOGLM_RUN_ID",
    "AUTOGLM_TASK",
    "AUTOGLM_ITEM",
    "AUTOGLM_ATTEMPT",
    "AUTOGLM_TOKEN",
    "TRACEPARENT",
];

/// What surrounds a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Environment {
    pub python: String,
    pub folder: PathBuf,
    pub keep: Keep,
    /// The ids of the devices that the variables bind it to.
    devices: Vec<Box<str>>,
    variables: Vec<(String, String)>,
    secrets: Vec<(String, String)>,
    withheld: Vec<String>,
}

impl Environment {
    /// What an attempt needs around it. Its own variables stay with the attempt.
    pub(super) fn of(attempt: &mut Attempt, call: &Call) -> Self {
        let (own, variables) =
            std::mem::take(&mut attempt.env).into_iter().partition(|(name, _)| is_of_call(name));
        attempt.env = own;
        let work_dir = attempt.work_dir.to_string_lossy().into_owned();
        attempt.env.push(("AUTOGLM_WORKDIR".to_owned(), work_dir));
        let checkpoints = attempt.checkpoints_file.to_string_lossy().into_owned();
        attempt.env.push((CHECKPOINTS.to_owned(), checkpoints));
        // The process has had other calls, whose file is none of this one.
        let file = attempt.heartbeat_file.as_deref().unwrap_or(Path::new("")).to_string_lossy();
        attempt.env.push((HEARTBEAT.to_owned(), file.into_owned()));
        Self {
            python: call.python.clone(),
            folder: attempt.folder.clone(),
            keep: call.keep,
            devices: attempt.granted.devices.iter().map(|device| device.uuid.clone()).collect(),
            variables,
            secrets: std::mem::take(&mut attempt.secrets),
            withheld: std::mem::take(&mut attempt.withheld),
        }
    }

    /// Whether its processes may hold something of one of these devices.
    pub(super) fn is_on(&self, devices: &[Device]) -> bool {
        self.devices.iter().any(|uuid| devices.iter().any(|device| device.uuid == *uuid))
    }

    /// The interpreter: the one of a virtual environment, if that is what was named.
    pub(super) fn interpreter(&self) -> PathBuf {
        if self.python.is_empty() {
            return PathBuf::from(PYTHON);
        }
        let named = Path::new(&self.python);
        let placed = self.folder.join(named);
        if placed.is_dir() {
            return placed.join("bin/python");
        }
        // A bare name is looked for in `PATH`, a path from where the workflow is.
        if named.components().count() > 1 { placed } else { named.to_owned() }
    }

    /// How a process of it is started. `calls` says where it finds the worker, and who it is.
    pub(super) fn start(&self, ticket: Ticket, runner: &Path, calls: &str) -> Start {
        let mut env: Vec<(String, String)> =
            self.variables.iter().chain(&self.secrets).cloned().collect();
        env.push(("AUTOGLM_CALLS".to_owned(), calls.to_owned()));
        if let Some(bytes) = self.keep.memory_bytes_max {
            env.push(("AUTOGLM_CALLS_MEMORY".to_owned(), bytes.to_string()));
        }
        Start {
            ticket,
            argv: vec![self.interpreter().into(), runner.into()],
            env,
            withheld: self.withheld.clone(),
            cwd: self.folder.clone(),
            work_dir: None,
            output_file: PathBuf::from("/"),
            // What is kept is counted by call.
            output_cap_bytes: u64::MAX,
            limits: Limits::default(),
        }
    }
}

fn is_of_call(name: &str) -> bool {
    OF_CALLS.contains(&name)
}

/// Writes the inner half into the state folder, under its hash.
pub(super) fn write_runner(home: &Path) -> io::Result<PathBuf> {
    let hash = blake3::hash(RUNNER.as_bytes()).to_hex();
    let folder = home.join("runners");
    let path = folder.join(format!("{}.py", &hash[..16]));
    if fs::read(&path).is_ok_and(|there| there == RUNNER.as_bytes()) {
        return Ok(path);
    }
    fs::create_dir_all(&folder)?;
    let fresh = folder.join(format!("{}.{}", &hash[..16], std::process::id()));
    fs::write(&fresh, RUNNER)?;
    fs::rename(&fresh, &path)?;
    Ok(path)
}

/// A word that nobody can guess.
pub(super) fn token() -> String {
    let word = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", word(), word())
}
