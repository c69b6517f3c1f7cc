//! Control groups: one around a supervisor and all that it starts, and one for each attempt that
//! has limits, where the kernel and the user's rights allow them.
//!
//! Children are born into the group of their parent, so a task without limits costs nothing more,
//! and none can leave by a new session or an empty environment. The group around all is what the
//! *next* supervisor finds by what a killed one has left behind; while a supervisor lives, it knows
//! its descendants without it. Without rights to make it there is none, and the cookie in the
//! environment has to do.
//!
//! ```text
//!   autoglm-HASH        one for each state folder; hands its controllers on
//!   ├── main            the supervisor, and attempts without limits
//!   └── 17              an attempt with limits, by its ticket
//! ```

mod attempt;
mod confine;
mod places;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use attempt::{Group, Readings};
pub use confine::Confinement;

use attempt::remove_tree;
use places::{Controller, Places};

/// How long the kernel may take to kill a group.
const KILL_PATIENCE: Duration = Duration::from_secs(10);
/// How often to look meanwhile.
const KILL_POLL: Duration = Duration::from_millis(1);
/// The group in the group that the supervisor itself is in: the kernel gives shares only to groups
/// beside which there are no processes.
const MAIN: &str = "main";

/// The group of the second version that this process is in, one for each state directory.
#[derive(Debug)]
pub struct Cgroup {
    folder: PathBuf,
    /// Where it came from.
    origin: PathBuf,
}

impl Cgroup {
    /// Kills whatever is left in the group of `state_dir`, then enters it. The number of processes
    /// that were killed stands beside it. `None` where a group cannot be made.
    pub fn enter(state_dir: &Path) -> Option<(Self, u32)> {
        let origin = Places::own().v2?;
        let name = name_of(state_dir);
        let parents = parents(&origin);
        let mut killed = 0;
        for left in parents.iter().map(|parent| parent.join(&name)).filter(|left| left.exists()) {
            killed += kill(&left).ok()?;
            // What stays is empty, and is taken over.
            let _ = remove_tree(&left);
        }
        let folder = parents.iter().find_map(|parent| make(parent, &name))?;
        let group = Self { folder, origin };
        group.move_to(&group.folder.join(MAIN)).ok()?;
        Some((group, killed))
    }

    /// Lets groups in this one have shares of what it has. Returns what that is.
    fn hand_on(&self) -> Vec<Controller> {
        hand_on(&self.folder);
        let handed_on = fs::read_to_string(self.folder.join("cgroup.subtree_control"));
        Controller::named(&handed_on.unwrap_or_default(), ' ')
    }

    fn folder(&self) -> &Path {
        &self.folder
    }

    /// Leaves the group, which is empty then, and removes it.
    pub fn leave(self) {
        // A group that stays is found again by the next supervisor, and is empty.
        if self.move_to(&self.origin).is_ok() {
            let _ = remove_tree(&self.folder);
        }
    }

    fn move_to(&self, group: &Path) -> io::Result<()> {
        fs::write(group.join("cgroup.procs"), std::process::id().to_string())
    }
}

/// What the groups of a state directory are called.
fn name_of(state_dir: &Path) -> String {
    let name = blake3::hash(state_dir.as_os_str().as_encoded_bytes()).to_hex();
    format!("autoglm-{}", &name[..16])
}

/// Where a group may be made, the better place first. A group with processes in it hands nothing
/// on, unless it is the root: but beside it there is what its parent hands on to it.
fn parents(origin: &Path) -> Vec<PathBuf> {
    // The root has no such file. Any other group that has processes is never asked to hand
    // something on: it would, in part, and be no place for groups of others any more.
    if !origin.join("cgroup.type").exists() {
        hand_on(origin);
        return vec![origin.to_owned()];
    }
    let has = fs::read_to_string(origin.join("cgroup.controllers")).unwrap_or_default();
    let has_any = !Controller::named(&has, ' ').is_empty();
    let beside = origin.parent().filter(|_| has_any && is_unbounded(origin)).map(Path::to_owned);
    beside.into_iter().chain([origin.to_owned()]).collect()
}

/// Whether a group has all that is there: out of one that was bounded nothing may be moved.
fn is_unbounded(group: &Path) -> bool {
    let bounds = ["cpu.max", "memory.max", "memory.high"];
    bounds.iter().all(|name| {
        fs::read_to_string(group.join(name)).map_or(true, |bound| bound.starts_with("max"))
    })
}

/// Lets groups in a group have shares of what it has, as far as that can be.
fn hand_on(group: &Path) {
    for controller in Controller::ALL {
        let wanted = format!("+{}", controller.name());
        let _ = fs::write(group.join("cgroup.subtree_control"), wanted);
    }
}

/// Makes a group that can be entered.
fn make(parent: &Path, name: &str) -> Option<PathBuf> {
    let folder = parent.join(name);
    match fs::create_dir_all(folder.join(MAIN)) {
        Ok(()) if may_enter(&folder) => Some(folder),
        _ => {
            let _ = remove_tree(&folder);
            None
        }
    }
}

/// Whether a process may be moved there: it takes the right to write where both groups meet.
fn may_enter(folder: &Path) -> bool {
    let meets = folder.parent().map(|parent| parent.join("cgroup.procs"));
    meets.is_some_and(|file| rustix::fs::access(&file, rustix::fs::Access::WRITE_OK).is_ok())
}

/// Kills all processes of a group and of those in it, and waits until it is empty.
fn kill(folder: &Path) -> io::Result<u32> {
    let found = processes(folder);
    if found == 0 {
        return Ok(0);
    }
    fs::write(folder.join("cgroup.kill"), "1")?;
    let deadline = Instant::now() + KILL_PATIENCE;
    while processes(folder) > 0 {
        if Instant::now() > deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        std::thread::sleep(KILL_POLL);
    }
    Ok(found)
}

fn processes(folder: &Path) -> u32 {
    let listed = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    let own = u32::try_from(listed.lines().count()).unwrap_or(u32::MAX);
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let below = entries.filter(|entry| entry.file_type().is_ok_and(|it| it.is_dir()));
    below.fold(own, |sum, entry| sum.saturating_add(processes(&entry.path())))
}

/// Whether this process could be in a group: where not, a descendant of a supervisor that was
/// killed, which has cleared its environment, is not found.
#[must_use]
pub fn can_group() -> bool {
    let own = Places::own().v2;
    let probe = own.map(|group| group.join(format!("autoglm-probe-{}", std::process::id())));
    probe.is_some_and(|probe| fs::create_dir(&probe).is_ok() && fs::remove_dir(&probe).is_ok())
}
