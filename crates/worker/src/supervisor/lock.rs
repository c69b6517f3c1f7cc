//! The lock on a state directory: one supervisor at a time, and a mark of how the last one ended.
//!
//! The lock is held by the open file, so it is free the moment its holder is gone, however that
//! came. The mark in the file is what `kill -9` cannot write. No task inherits the file: it is
//! closed on exec.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::FlockOperation;

/// The file's name in the state directory.
const FILE_NAME: &str = "supervisor.lock";
/// The mark of a supervisor that may have tasks.
const RUNNING: &[u8; 8] = b"running\n";
/// The mark of a supervisor that has killed all it started. As long as the other.
const ENDED: &[u8; 8] = b"ended  \n";

/// The exclusive lock, held while this exists.
pub struct Lock {
    file: File,
}

impl Lock {
    /// Waits until the earlier supervisor, if there is one, has killed its tasks and exited.
    pub fn acquire(state_dir: &Path) -> io::Result<Self> {
        let path = state_dir.join(FILE_NAME);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", path.display()))
            })?;
        rustix::io::retry_on_intr(|| rustix::fs::flock(&file, FlockOperation::LockExclusive))?;
        Ok(Self { file })
    }

    /// Whether no process of an earlier supervisor can be left.
    pub fn ended_cleanly(&self) -> io::Result<bool> {
        let mut mark = [0; RUNNING.len()];
        let length = self.file.read_at(&mut mark, 0)?;
        Ok(length == 0 || &mark == ENDED)
    }

    /// Says that there may be tasks from now on.
    pub fn mark_running(&self) -> io::Result<()> {
        self.file.write_all_at(RUNNING, 0)
    }

    /// Says that there are no tasks any more.
    pub fn mark_ended(&self) -> io::Result<()> {
        self.file.write_all_at(ENDED, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_tells_how_the_last_one_ended() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::acquire(dir.path()).unwrap();
        assert!(lock.ended_cleanly().unwrap(), "a new file: nobody was here");
        lock.mark_running().unwrap();
        drop(lock);

        let lock = Lock::acquire(dir.path()).unwrap();
        assert!(!lock.ended_cleanly().unwrap());
        lock.mark_ended().unwrap();
        assert!(lock.ended_cleanly().unwrap());
    }

    #[test]
    fn a_missing_directory_is_named() {
        let error = Lock::acquire(Path::new("/nowhere/at/all")).err().unwrap();
        assert!(error.to_string().contains("/nowhere/at/all/supervisor.lock"), "{error}");
    }
}
