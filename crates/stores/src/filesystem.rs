//! Which file systems cannot hold a journal, and why.
//!
//! SQLite's write-ahead log needs memory that all processes share, locks that work, and a sync that
//! means it. File systems over a network promise none of the three, and a lock of the state folder
//! is not seen from the other machine. This is a list of what is known to be wrong, not of what is
//! right: an unknown file system is let pass.

use std::fs;
use std::path::Path;

use rustix::fs::StatVfsMountFlags;

use crate::error::{NETWORK, StoreError};

/// The numbers that statfs(2) gives, and what they stand for.
const REFUSED: &[(u64, &str)] = &[
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x5346_414f, "AFS"),
    (0x7375_7245, "Coda"),
    (0x00c3_6400, "Ceph"),
    (0x0bd0_0bd0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x1983_0326, "BeeGFS"),
    // Folders of the host in a virtual machine or in WSL: writes by the other side are not seen.
    (0x0102_1997, "9P"),
    (0x786f_4256, "VirtualBox shared folders"),
];

/// What statfs(2) says for everything in user space; the mount table says which.
const FUSE: u64 = 0x6573_5546;

/// Those in user space that go over a network.
const REFUSED_FUSE: &[&str] = &[
    "fuse.ceph",
    "fuse.cephfs",
    "fuse.gcsfuse",
    "fuse.glusterfs",
    "fuse.goofys",
    "fuse.juicefs",
    "fuse.rclone",
    "fuse.s3fs",
    "fuse.seaweedfs",
    "fuse.sshfs",
];

/// Whether nothing can be written in this folder, by nobody.
pub(crate) fn is_read_only(folder: &Path) -> bool {
    rustix::fs::statvfs(folder).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY))
}

/// Refuses a folder on a file system that is known not to hold a journal.
///
/// # Errors
/// [`NETWORK`], with the name of the file system.
pub(crate) fn check(folder: &Path) -> Result<(), StoreError> {
    let Ok(found) = rustix::fs::statfs(folder) else { return Ok(()) };
    // The type of the number differs between architectures, and some extend its sign.
    let magic = found.f_type as u64 & 0xffff_ffff;
    let known = REFUSED.iter().find(|(number, _)| *number == magic).map(|(_, name)| *name);
    let mounts = || fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let name = match known {
        Some(name) => Some(name.to_owned()),
        None if magic == FUSE => fuse_name(&mounts(), &device(folder)),
        None => None,
    };
    let Some(name) = name else { return Ok(()) };
    let message = format!(
        "this folder is on {name}, which cannot hold a journal; \
         set AUTOGLM_HOME to a folder on a local disk"
    );
    Err(StoreError::new(NETWORK, folder, message))
}

/// A device as the mount table writes it.
fn device(folder: &Path) -> String {
    let device = rustix::fs::stat(folder).map_or(0, |stat| stat.st_dev);
    format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device))
}

/// The refused type that a line of the mount table gives for `device`, if it does.
fn fuse_name(mounts: &str, device: &str) -> Option<String> {
    let line = mounts.lines().find(|line| line.split(' ').nth(2) == Some(device))?;
    let kind = line.split(" - ").nth(1)?.split(' ').next()?;
    REFUSED_FUSE.contains(&kind).then(|| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_folder_passes() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(check(folder.path()), Ok(()));
    }

    #[test]
    fn file_systems_in_user_space_are_told_apart_by_the_mount_table() {
        let mounts = "36 35 98:0 / /mnt1 rw,noatime master:1 - ext3 /dev/root rw\n\
                      37 35 0:47 / /far rw shared:9 - fuse.sshfs ada@host:/ rw,user_id=0\n\
                      38 35 0:48 / /near rw shared:9 - fuse.ntfs-3g /dev/sdb1 rw\n";
        assert_eq!(fuse_name(mounts, "0:47").as_deref(), Some("fuse.sshfs"));
        assert_eq!(fuse_name(mounts, "0:48"), None);
        assert_eq!(fuse_name(mounts, "9:9"), None);
    }
}
