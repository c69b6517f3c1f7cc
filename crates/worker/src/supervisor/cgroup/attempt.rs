//! The control group of one attempt: made before its process, filled by it, read and removed when
//! it has ended.
//!
//! A group of the first version is a folder in each hierarchy that is needed, one of the second
//! version is a single folder. Nothing here waits: what cannot be removed yet is tried again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, PidfdFlags, Signal};

use super::super::wire::Limits;
use super::places::Controller;

/// The time over which cores are counted, in microseconds: what the kernel takes for itself.
const PERIOD_US: u64 = 100_000;
/// The weight of a core: of the first and of the second version, whose default it is.
const CORE_WEIGHTS: [u64; 2] = [1_024, 100];

/// Which kind of control groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    One,
    Two,
}

/// A folder in which groups of attempts are made, and what they are given shares of there.
#[derive(Debug)]
pub struct Tree {
    pub folder: PathBuf,
    pub version: Version,
    pub controllers: Vec<Controller>,
}

impl Tree {
    /// Whether it is needed to hold a process to these limits.
    fn is_needed(&self, limits: &Limits) -> bool {
        self.controllers.iter().any(|controller| match controller {
            Controller::Cpu => limits.cpu_max_milli.is_some(),
            Controller::Memory => limits.memory_max_bytes.is_some(),
            Controller::Pids => limits.pids_max.is_some(),
        })
    }
}

/// What is read of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readings {
    /// How many of its processes the kernel has killed for want of memory; `None` if that is not
    /// counted.
    pub oom_kills: Option<u64>,
    /// How often it was refused another process.
    pub forks_refused: u64,
    /// The most memory that it had.
    pub peak_bytes: Option<u64>,
    /// The time that it has run.
    pub cpu_us: Option<u64>,
}

/// The group of one attempt.
#[derive(Debug)]
pub struct Group {
    folders: Vec<Folder>,
}

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    version: Version,
    controllers: Vec<Controller>,
}

impl Group {
    /// Makes one where it is needed; `None` if it is needed nowhere.
    pub fn make(trees: &[Tree], name: &str, limits: &Limits) -> io::Result<Option<Self>> {
        let mut group = Self { folders: Vec::new() };
        for tree in trees.iter().filter(|tree| tree.is_needed(limits)) {
            let (path, version) = (tree.folder.join(name), tree.version);
            let made = fs::create_dir(&path).map_err(|error| named(&path, &error));
            let folder = Folder { path, version, controllers: tree.controllers.clone() };
            let ready = made.and_then(|()| {
                group.folders.push(folder);
                group.folders[group.folders.len() - 1].set(limits)
            });
            if let Err(error) = ready {
                group.remove();
                return Err(error);
            }
        }
        Ok((!group.folders.is_empty()).then_some(group))
    }

    /// The files that a process writes `0` into to enter.
    pub fn doors(&self) -> Vec<PathBuf> {
        let door = |folder: &Folder| {
            // Moving one thread is cheaper than moving a process, and there it is the same.
            folder.path.join(if folder.version == Version::One { "tasks" } else { "cgroup.procs" })
        };
        self.folders.iter().map(door).collect()
    }

    /// Kills all that is in it. Some of it may be there for a moment longer.
    pub fn kill(&self) {
        let Some(any) = self.folders.first() else { return };
        if any.version == Version::Two {
            // An older kernel has no such file; the sweep of children finds them.
            let _ = fs::write(any.path.join("cgroup.kill"), "1");
            return;
        }
        // Nothing may be born while the others are killed, one after the other.
        if let Some(folder) = self.with(Controller::Pids) {
            let _ = fs::write(folder.path.join("pids.max"), "0");
        }
        kill_listed(&any.path);
    }

    /// What can be read of it.
    pub fn readings(&self) -> Readings {
        let mut readings = Readings::default();
        if let Some(Folder { path, version, .. }) = self.with(Controller::Memory) {
            let is_v1 = *version == Version::One;
            let events = if is_v1 { "memory.oom_control" } else { "memory.events" };
            readings.oom_kills = Some(counted(&path.join(events), "oom_kill").unwrap_or(0));
            let peak = if is_v1 { "memory.max_usage_in_bytes" } else { "memory.peak" };
            readings.peak_bytes = number(&path.join(peak));
        }
        if let Some(folder) = self.with(Controller::Pids) {
            readings.forks_refused = counted(&folder.path.join("pids.events"), "max").unwrap_or(0);
        }
        if let Some(folder) = self.with(Controller::Cpu) {
            readings.cpu_us = match folder.version {
                Version::Two => counted(&folder.path.join("cpu.stat"), "usage_usec"),
                // It is there where both controllers are mounted together.
                Version::One => {
                    number(&folder.path.join("cpuacct.usage")).map(|nanos| nanos / 1_000)
                }
            };
        }
        readings
    }

    /// Removes it; false if something is in it still.
    pub fn remove(&self) -> bool {
        self.folders.iter().all(|folder| remove_tree(&folder.path).is_ok())
    }

    fn with(&self, controller: Controller) -> Option<&Folder> {
        self.folders.iter().find(|folder| folder.controllers.contains(&controller))
    }
}

impl Folder {
    fn set(&self, limits: &Limits) -> io::Result<()> {
        for controller in &self.controllers {
            match controller {
                Controller::Cpu => self.set_cpu(limits)?,
                Controller::Memory => self.set_memory(limits)?,
                Controller::Pids => self.write("pids.max", limits.pids_max)?,
            }
        }
        Ok(())
    }

    fn set_cpu(&self, limits: &Limits) -> io::Result<()> {
        let quota = limits.cpu_max_milli.map(|milli| (milli * PERIOD_US / 1_000).max(1_000));
        let weight = |core: u64| {
            Some(limits.cpu_weight_milli).filter(|it| *it > 0).map(|it| it * core / 1_000)
        };
        match self.version {
            Version::One => {
                self.write("cpu.cfs_period_us", quota.map(|_| PERIOD_US))?;
                self.write("cpu.cfs_quota_us", quota)?;
                self.write("cpu.shares", weight(CORE_WEIGHTS[0]).map(|it| it.clamp(2, 262_144)))
            }
            Version::Two => {
                self.write("cpu.max", quota.map(|quota| format!("{quota} {PERIOD_US}")))?;
                self.write("cpu.weight", weight(CORE_WEIGHTS[1]).map(|it| it.clamp(1, 10_000)))
            }
        }
    }

    fn set_memory(&self, limits: &Limits) -> io::Result<()> {
        let low = Some(limits.memory_low_bytes).filter(|bytes| *bytes > 0);
        let swap_off = limits.is_swap_off.then_some(0);
        match self.version {
            Version::One => {
                self.write("memory.limit_in_bytes", limits.memory_max_bytes)?;
                self.write("memory.soft_limit_in_bytes", low)?;
                self.write("memory.swappiness", swap_off)
            }
            Version::Two => {
                self.write("memory.max", limits.memory_max_bytes)?;
                self.write("memory.low", low)?;
                // A kernel without swap has no such file, and nothing to switch off.
                let swap = self.write("memory.swap.max", swap_off);
                // One process that is killed leaves the others with half of their work.
                let together = self.write("memory.oom.group", limits.memory_max_bytes.map(|_| 1));
                together.and(swap.or_else(|error| match error.kind() {
                    io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Ok(()),
                    _ => Err(error),
                }))
            }
        }
    }

    fn write(&self, name: &str, value: Option<impl ToString>) -> io::Result<()> {
        let Some(value) = value else { return Ok(()) };
        let path = self.path.join(name);
        fs::write(&path, value.to_string()).map_err(|error| named(&path, &error))
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// The number in a file.
fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The number behind a word, in a file of such lines.
fn counted(path: &Path, word: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix(' ')?.trim().parse().ok())
}

/// Kills those that are listed in a group of the first version. Returns how many there were.
pub fn kill_listed(folder: &Path) -> u32 {
    let listed = || fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    let mut killed = 0;
    for pid in listed().lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)) {
        let Ok(process) = rustix::process::pidfd_open(pid, PidfdFlags::empty()) else { continue };
        // Asked again now that the pidfd holds on to whoever has this id.
        if listed().lines().any(|line| line.parse() == Ok(pid.as_raw_nonzero().get())) {
            killed += 1;
            let _ = rustix::process::pidfd_send_signal(process, Signal::KILL);
        }
    }
    killed
}

/// Removes a group and those in it, which are empty.
pub fn remove_tree(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    match fs::remove_dir(folder) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(_) => {}
    }
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_found_by_its_whole_word() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("memory.events");
        fs::write(&path, "oom 3\noom_kill 2\noom_group_kill 1\n").unwrap();
        assert_eq!(counted(&path, "oom_kill"), Some(2));
        assert_eq!((counted(&path, "max"), counted(folder.path(), "max")), (None, None));
    }

    #[test]
    fn only_the_hierarchies_that_are_needed_get_a_folder() {
        let root = tempfile::tempdir().unwrap();
        let tree = |controller: Controller| {
            let folder = root.path().join(controller.name());
            fs::create_dir(&folder).unwrap();
            Tree { folder, version: Version::One, controllers: vec![controller] }
        };
        let trees = Controller::ALL.map(tree);
        let limits =
            Limits { cpu_max_milli: Some(250), cpu_weight_milli: 500, ..Limits::default() };
        let group = Group::make(&trees, "7", &limits).unwrap().unwrap();
        assert_eq!(group.doors(), [root.path().join("cpu/7/tasks")]);
        assert_eq!(number(&root.path().join("cpu/7/cpu.cfs_quota_us")), Some(25_000));
        assert_eq!(number(&root.path().join("cpu/7/cpu.shares")), Some(512));
        assert!(!root.path().join("memory/7").exists());
        let nothing = Limits { nice: 5, ..Limits::default() };
        assert!(Group::make(&trees, "8", &nothing).unwrap().is_none());
    }
}
