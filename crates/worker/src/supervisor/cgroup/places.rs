//! Where the control groups are that this process is in: read from two files of the kernel. Nothing
//! here makes or changes any.

use std::fs;
use std::path::{Path, PathBuf};

/// What a group may be given a share of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controller {
    Cpu,
    Memory,
    Pids,
}

impl Controller {
    pub const ALL: [Self; 3] = [Self::Cpu, Self::Memory, Self::Pids];

    /// As the kernel calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Pids => "pids",
        }
    }

    /// Those that stand in a list of words.
    pub fn named(words: &str, apart_by: char) -> Vec<Self> {
        let has = |one: &Self| words.trim().split(apart_by).any(|word| word == one.name());
        Self::ALL.into_iter().filter(has).collect()
    }
}

/// The folders of the groups that a process is in.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// Of the second version.
    pub v2: Option<PathBuf>,
    /// Of the first version: one for each hierarchy that has a controller of interest.
    pub v1: Vec<(PathBuf, Vec<Controller>)>,
}

impl Places {
    /// Those of this process.
    pub fn own() -> Self {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self::read(&mounts, &groups)
    }

    fn read(mounts: &str, groups: &str) -> Self {
        let mut places = Self::default();
        for mount in mounts.lines().filter_map(Mount::read) {
            let group = groups.lines().find_map(|line| mount.group(line));
            let Some(folder) = group.and_then(|group| mount.folder(group)) else { continue };
            match mount.kind {
                "cgroup2" => places.v2 = places.v2.or(Some(folder)),
                _ => places.v1.push((folder, Controller::named(mount.options, ','))),
            }
        }
        places.v1.retain(|(_, controllers)| !controllers.is_empty());
        places
    }
}

/// A line of `/proc/self/mountinfo`.
struct Mount<'a> {
    /// The group that is seen there.
    root: &'a str,
    place: &'a str,
    kind: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let (root, place) = (before.next()?, before.next()?);
        let mut after = after.split(' ');
        let (kind, _, options) = (after.next()?, after.next()?, after.next()?);
        kind.starts_with("cgroup").then_some(Self { root, place, kind, options })
    }

    /// The group that a line of `/proc/self/cgroup` names, if it is of this hierarchy.
    fn group<'g>(&self, line: &'g str) -> Option<&'g str> {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, group) = (parts.next()?, parts.next()?);
        let is_ours = match self.kind {
            "cgroup2" => controllers.is_empty(),
            _ => controllers.split(',').any(|one| self.options.split(',').any(|two| one == two)),
        };
        is_ours.then_some(group)
    }

    fn folder(&self, group: &str) -> Option<PathBuf> {
        let within = Path::new(group).strip_prefix(self.root).ok()?;
        Some(Path::new(self.place).join(within))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
        32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n\
        35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
        38 31 0:40 / /sys/fs/cgroup/freezer rw,relatime - cgroup cgroup rw,freezer\n\
        41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";

    #[test]
    fn groups_of_both_versions_are_found_beside_each_other() {
        let groups = "5:freezer:/\n4:memory:/some/where\n1:cpu,cpuacct:/\n0::/user.slice/s.scope\n";
        let places = Places::read(HYBRID, groups);
        assert_eq!(places.v2, Some("/sys/fs/cgroup/unified/user.slice/s.scope".into()));
        let memory = ("/sys/fs/cgroup/memory/some/where".into(), vec![Controller::Memory]);
        let cpu = ("/sys/fs/cgroup/cpu,cpuacct".into(), vec![Controller::Cpu]);
        assert_eq!(places.v1, [cpu, memory]);
    }

    #[test]
    fn a_container_sees_its_own_group_as_the_root() {
        let mounts = "9 8 0:2 /docker/ab /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
        let places = Places::read(mounts, "4:memory:/docker/ab/task\n");
        assert_eq!(places.v1[0].0, Path::new("/sys/fs/cgroup/memory/task"));
        assert_eq!(Places::read(mounts, "4:memory:/else\n"), Places::default());
        assert_eq!(Places::read("", "0::/\n"), Places::default());
        assert_eq!(Places::read("nonsense - \n- cgroup\n", "::\n"), Places::default());
    }
}
