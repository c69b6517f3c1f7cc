//! Files as objects: taken in and put out without being held in memory.
//!
//! The copies are made by the kernel, which shares the blocks where the file system can. They are
//! never hard links: a task may write into a file that it was given, and an object never changes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use model::Digest;

use super::{INCOMING, Objects, at, make_dir, sync_dir};

/// Bytes that are hashed at once.
const HASHED_AT_ONCE: usize = 256 << 10;

impl Objects {
    /// Stores the content of a file durably, and says under which name and how long it is. A file
    /// that grows meanwhile is taken as it is found.
    ///
    /// # Errors
    /// If the file is longer than `bytes_max` (`FileTooLarge`), or as [`Objects::put`].
    pub fn put_file(&self, file: &File, bytes_max: u64) -> io::Result<(Digest, u64)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.root.join(INCOMING).join(format!("{}-{number}", std::process::id()));
        let stored = self.take_in(file, bytes_max, &unfinished);
        if stored.is_err() {
            // The disk may be full: this is what can be given back.
            let _ = fs::remove_file(&unfinished);
        }
        stored
    }

    fn take_in(&self, file: &File, bytes_max: u64, unfinished: &Path) -> io::Result<(Digest, u64)> {
        let mut copy = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(unfinished)
            .map_err(|error| at(unfinished, &error))?;
        let bytes = io::copy(&mut file.take(bytes_max.saturating_add(1)), &mut copy)?;
        if bytes > bytes_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        // What is hashed is what was stored, not what the file may be by now.
        let digest = hash(&File::open(unfinished)?)?;
        let (folder, path) = self.place(&digest);
        if fs::metadata(&path).is_ok_and(|known| known.len() == bytes) {
            fs::remove_file(unfinished)?;
            // Whoever takes away what nobody names must see that it was stored just now.
            File::open(&path)?.set_modified(SystemTime::now())?;
        } else {
            copy.sync_all()?;
            if !folder.is_dir() {
                make_dir(&folder)?;
                sync_dir(&self.root)?;
            }
            fs::rename(unfinished, &path).map_err(|error| at(&path, &error))?;
        }
        sync_dir(&folder)?;
        Ok((digest, bytes))
    }

    /// When an object was last stored; `None` if it is not there.
    #[must_use]
    pub fn stored_at(&self, digest: &Digest) -> Option<SystemTime> {
        fs::metadata(self.place(digest).1).and_then(|file| file.modified()).ok()
    }

    /// Writes an object into a new file, checked against its name. False if there is no such
    /// object. What stood at the path before is replaced as a whole, or not at all.
    ///
    /// # Errors
    /// If the object is damaged (`InvalidData`), or a disk cannot be read or written.
    pub fn write_to(&self, digest: &Digest, path: &Path, mode: u32) -> io::Result<bool> {
        let (_, stored) = self.place(digest);
        let object = match File::open(&stored) {
            Ok(object) => object,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(at(&stored, &error)),
        };
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let name = format!(".autoglm-{}-{number}", std::process::id());
        let unfinished = path.with_file_name(name);
        let written = Self::put_out(object, (digest, &stored), (&unfinished, path), mode);
        if written.is_err() {
            let _ = fs::remove_file(&unfinished);
        }
        written.map(|()| true)
    }

    fn put_out(
        mut object: File,
        (digest, stored): (&Digest, &Path),
        (unfinished, path): (&Path, &Path),
        mode: u32,
    ) -> io::Result<()> {
        let mut copy = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(unfinished)
            .map_err(|error| at(unfinished, &error))?;
        io::copy(&mut object, &mut copy)?;
        if hash(&File::open(unfinished)?)? != *digest {
            let message = format!("{}: the content does not match its name", stored.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        fs::rename(unfinished, path).map_err(|error| at(path, &error))
    }
}

/// The name of the content of a file.
///
/// # Errors
/// If it cannot be read.
pub fn hash(file: &File) -> io::Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; HASHED_AT_ONCE];
    let mut file = file;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Digest(*hasher.finalize().as_bytes())),
            length => hasher.update(&buffer[..length]),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_comes_back_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let objects = Objects::open(&dir.path().join("objects")).unwrap();
        for content in [&b""[..], b"one", &[7; 1_000_000]] {
            let (from, to) = (dir.path().join("from"), dir.path().join("to"));
            fs::write(&from, content).unwrap();
            let stored = objects.put_file(&File::open(&from).unwrap(), 1_000_000).unwrap();
            assert_eq!(stored.1, content.len() as u64);
            assert_eq!(stored.0, Digest(*blake3::hash(content).as_bytes()));
            assert_eq!(objects.put_file(&File::open(&from).unwrap(), 1_000_000).unwrap(), stored);
            assert!(objects.write_to(&stored.0, &to, 0o755).unwrap());
            assert_eq!(fs::read(&to).unwrap(), content);
            assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o100, 0o100);
            // What a task does with its copy is its own affair.
            fs::write(&to, "other").unwrap();
            assert_eq!(objects.get(&stored.0).unwrap().as_deref(), Some(content));
        }
        assert_eq!(fs::read_dir(dir.path().join("objects/incoming")).unwrap().count(), 0);
    }

    #[test]
    fn what_is_too_long_missing_or_damaged_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let objects = Objects::open(&dir.path().join("objects")).unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::write(&from, "four").unwrap();
        let file = File::open(&from).unwrap();
        let error = objects.put_file(&file, 3).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert!(objects.list().unwrap().is_empty());
        assert!(!objects.write_to(&Digest([1; 32]), &to, 0o644).unwrap());
        let (digest, _) = objects.put_file(&File::open(&from).unwrap(), 4).unwrap();
        fs::write(objects.place(&digest).1, "flour").unwrap();
        let error = objects.write_to(&digest, &to, 0o644).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(!to.exists());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "objects and from");
    }
}
