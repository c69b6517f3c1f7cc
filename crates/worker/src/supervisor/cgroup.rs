//! A control group around a supervisor and all that it starts, where the kernel and the user's
//! rights allow one.
//!
//! Children are born into the group of their parent, so no task costs anything more, and none can
//! leave it by a new session or an empty environment. It is what the *next* supervisor finds what a
//! killed one has left behind by; while a supervisor lives, it knows its descendants without it.
//! Without rights to make a group there is none, and the cookie in the environment has to do.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long the kernel may take to kill a group.
const KILL_PATIENCE: Duration = Duration::from_secs(10);
/// How often to look meanwhile.
const KILL_POLL: Duration = Duration::from_millis(1);

/// The group that this process is in, one for each state directory.
pub struct Cgroup {
    folder: PathBuf,
    parent: PathBuf,
}

impl Cgroup {
    /// Kills whatever is left in the group of `state_dir`, then enters it. The number of processes
    /// that were killed stands beside it. `None` where a group cannot be made.
    pub fn enter(state_dir: &Path) -> Option<(Self, u32)> {
        let parent = own_group()?;
        let name = blake3::hash(state_dir.as_os_str().as_encoded_bytes()).to_hex();
        let folder = parent.join(format!("autoglm-{}", &name[..16]));
        match fs::create_dir(&folder) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(_) => return None,
        }
        let group = Self { folder, parent };
        let killed = group.kill().ok()?;
        group.move_to(&group.folder).ok()?;
        Some((group, killed))
    }

    /// Leaves the group, which is empty then, and removes it.
    pub fn leave(self) {
        // A group that stays is found again by the next supervisor, and is empty.
        if self.move_to(&self.parent).is_ok() {
            let _ = fs::remove_dir(&self.folder);
        }
    }

    /// Kills all processes of the group and waits until it is empty.
    fn kill(&self) -> io::Result<u32> {
        let found = self.processes()?;
        if found == 0 {
            return Ok(0);
        }
        fs::write(self.folder.join("cgroup.kill"), "1")?;
        let deadline = Instant::now() + KILL_PATIENCE;
        while self.processes()? > 0 {
            if Instant::now() > deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            std::thread::sleep(KILL_POLL);
        }
        Ok(found)
    }

    fn processes(&self) -> io::Result<u32> {
        let list = fs::read_to_string(self.folder.join("cgroup.procs"))?;
        Ok(u32::try_from(list.lines().count()).unwrap_or(u32::MAX))
    }

    fn move_to(&self, group: &Path) -> io::Result<()> {
        fs::write(group.join("cgroup.procs"), std::process::id().to_string())
    }
}

/// Whether this process could be in a group: where not, a descendant of a supervisor that was
/// killed, which has cleared its environment, is not found.
#[must_use]
pub fn can_group() -> bool {
    let probe =
        own_group().map(|group| group.join(format!("autoglm-probe-{}", std::process::id())));
    probe.is_some_and(|probe| fs::create_dir(&probe).is_ok() && fs::remove_dir(&probe).is_ok())
}

/// The folder of the group (version 2) that this process is in.
fn own_group() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    folder_of(&mounts, &own)
}

fn folder_of(mounts: &str, own: &str) -> Option<PathBuf> {
    let mount = mounts.lines().find_map(|line| {
        let mut words = line.split(' ');
        let (_, place, kind) = (words.next()?, words.next()?, words.next()?);
        (kind == "cgroup2").then_some(place)
    })?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    Some(Path::new(mount).join(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_is_found_beside_groups_of_version_1() {
        let mounts = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\n\
                      cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n\
                      cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        let own = "4:memory:/some/where\n0::/user.slice/session-1.scope\n";
        let folder = folder_of(mounts, own);
        let expected = "/sys/fs/cgroup/unified/user.slice/session-1.scope";
        assert_eq!(folder, Some(PathBuf::from(expected)));
        assert_eq!(folder_of("", own), None);
        assert_eq!(folder_of(mounts, "4:memory:/\n"), None);
    }
}
