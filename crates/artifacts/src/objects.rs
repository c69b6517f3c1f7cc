//! The content-addressed store of one machine: bytes under the name of their BLAKE3 hash.
//!
//! `put` answers when the bytes would survive a power cut. What is there never changes: an object
//! is written beside, made durable, and moved to its name, so no reader sees half of one. What is
//! read is checked against its name.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use model::Digest;

mod files;

pub use files::hash;

/// The folder in which objects are written before they have their name.
const INCOMING: &str = "incoming";

/// A folder of objects. It may be shared by threads and processes.
#[derive(Debug)]
pub struct Objects {
    root: PathBuf,
    /// Makes the names of unfinished files unique within the process.
    next: AtomicU64,
}

impl Objects {
    /// Opens the store in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// If the folder cannot be made.
    pub fn open(root: &Path) -> io::Result<Self> {
        make_dir(&root.join(INCOMING))?;
        Ok(Self { root: root.to_owned(), next: AtomicU64::new(0) })
    }

    /// Stores bytes durably, and says under which name. Bytes that are there are not written again.
    ///
    /// # Errors
    /// If the disk is full, cannot be written, or did not confirm that it has the bytes.
    pub fn put(&self, bytes: &[u8]) -> io::Result<Digest> {
        let digest = Digest(*blake3::hash(bytes).as_bytes());
        let (folder, path) = self.place(&digest);
        // A file of another length is what is left of a failing disk.
        let is_there = fs::metadata(&path).is_ok_and(|file| file.len() == bytes.len() as u64);
        if !is_there {
            if !folder.is_dir() {
                make_dir(&folder)?;
                sync_dir(&self.root)?;
            }
            self.write(bytes, &path).map_err(|error| at(&path, &error))?;
        }
        // Even if it was there: whoever moved it may have died before this. A folder in which
        // nothing changed costs next to nothing.
        sync_dir(&folder)?;
        Ok(digest)
    }

    /// The bytes of an object; `None` if it is not there.
    ///
    /// # Errors
    /// If it cannot be read, or is not what its name says (`InvalidData`).
    pub fn get(&self, digest: &Digest) -> io::Result<Option<Vec<u8>>> {
        let (_, path) = self.place(digest);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(&path, &error)),
        };
        if blake3::hash(&bytes).as_bytes() == &digest.0 {
            Ok(Some(bytes))
        } else {
            let message = format!("{}: the content does not match its name", path.display());
            Err(io::Error::new(io::ErrorKind::InvalidData, message))
        }
    }

    /// Whether an object is there. Its content is not read.
    #[must_use]
    pub fn contains(&self, digest: &Digest) -> bool {
        self.place(digest).1.exists()
    }

    /// Removes an object; nothing happens if it is not there.
    ///
    /// # Errors
    /// If the disk cannot be written.
    pub fn remove(&self, digest: &Digest) -> io::Result<()> {
        let (_, path) = self.place(digest);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(&path, &error)),
            _ => Ok(()),
        }
    }

    /// All objects with their lengths, in no order. Their content is not read.
    ///
    /// # Errors
    /// If the disk cannot be read.
    pub fn list(&self) -> io::Result<Vec<(Digest, u64)>> {
        let mut found = Vec::new();
        for folder in fs::read_dir(&self.root)? {
            let folder = folder?;
            let first = folder.file_name();
            let Some(first) = first.to_str().filter(|name| name.len() == 2) else { continue };
            for file in fs::read_dir(folder.path())? {
                let file = file?;
                let rest = file.file_name();
                // What has another name was put there by somebody else.
                if let Some(digest) =
                    rest.to_str().and_then(|rest| parse(&format!("{first}{rest}")))
                {
                    found.push((digest, file.metadata()?.len()));
                }
            }
        }
        Ok(found)
    }

    /// Removes what writers that died have left unfinished. Only for who is alone with the store.
    ///
    /// # Errors
    /// If the disk cannot be read or written.
    pub fn remove_unfinished(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.root.join(INCOMING))? {
            fs::remove_file(entry?.path())?;
        }
        Ok(())
    }

    /// The folder and the path of an object: 256 folders, by its first two digits.
    fn place(&self, digest: &Digest) -> (PathBuf, PathBuf) {
        let name = digest.to_string();
        let (first, rest) = name.split_at(2);
        let folder = self.root.join(first);
        let path = folder.join(rest);
        (folder, path)
    }

    fn write(&self, bytes: &[u8], path: &Path) -> io::Result<()> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.root.join(INCOMING).join(format!("{}-{number}", std::process::id()));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&unfinished)?;
        let written = file
            .write_all(bytes)
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&unfinished, path));
        if written.is_err() {
            // The disk may be full: this is what can be given back. The first error is the one to
            // tell.
            let _ = fs::remove_file(&unfinished);
        }
        written
    }
}

/// The digest that its digits say.
fn parse(digits: &str) -> Option<Digest> {
    let mut bytes = [0; 32];
    if digits.len() != 2 * bytes.len() || !digits.is_ascii() {
        return None;
    }
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * place..2 * place + 2], 16).ok()?;
    }
    Some(Digest(bytes))
}

fn make_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| at(path, &error))
}

fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(|error| at(path, &error))
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(dir: &Path) -> usize {
        fs::read_dir(dir).unwrap().count()
    }

    #[test]
    fn bytes_come_back_until_removed() {
        let dir = tempfile::tempdir().unwrap();
        let objects = Objects::open(dir.path()).unwrap();
        for bytes in [&b""[..], b"one", &[7; 100_000]] {
            let digest = objects.put(bytes).unwrap();
            assert!(objects.contains(&digest));
            assert_eq!(objects.get(&digest).unwrap().as_deref(), Some(bytes));
            objects.remove(&digest).unwrap();
            objects.remove(&digest).unwrap();
            assert!(!objects.contains(&digest));
            assert_eq!(objects.get(&digest).unwrap(), None);
        }
        assert_eq!(files(&dir.path().join(INCOMING)), 0);
    }

    #[test]
    fn all_objects_are_listed_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let objects = Objects::open(dir.path()).unwrap();
        assert_eq!(objects.list().unwrap(), []);
        let mut put =
            [&b"one"[..], b"three"].map(|bytes| (objects.put(bytes).unwrap(), bytes.len() as u64));
        fs::write(dir.path().join("incoming/1-2"), "half").unwrap();
        fs::write(objects.place(&put[0].0).0.join("notes.txt"), "mine").unwrap();
        let mut listed = objects.list().unwrap();
        listed.sort();
        put.sort();
        assert_eq!(listed, put);
    }

    #[test]
    fn what_is_there_is_not_written_again() {
        let dir = tempfile::tempdir().unwrap();
        let objects = Objects::open(dir.path()).unwrap();
        let digest = objects.put(b"same").unwrap();
        let (folder, path) = objects.place(&digest);
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        assert_eq!(objects.put(b"same").unwrap(), digest);
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before);
        assert_eq!(files(&folder), 1);
        assert!(Objects::open(dir.path()).unwrap().contains(&digest), "another opening sees it");
    }

    #[test]
    fn damage_is_told_and_a_cut_file_is_mended() {
        let dir = tempfile::tempdir().unwrap();
        let objects = Objects::open(dir.path()).unwrap();
        let digest = objects.put(b"whole").unwrap();
        let (_, path) = objects.place(&digest);
        fs::write(&path, b"whale").unwrap();
        let error = objects.get(&digest).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");

        fs::write(&path, b"who").unwrap();
        objects.put(b"whole").unwrap();
        assert_eq!(objects.get(&digest).unwrap().as_deref(), Some(&b"whole"[..]));
    }

    #[test]
    fn unfinished_files_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let objects = Objects::open(dir.path()).unwrap();
        fs::write(dir.path().join(INCOMING).join("1-2"), "half").unwrap();
        objects.remove_unfinished().unwrap();
        assert_eq!(files(&dir.path().join(INCOMING)), 0);
    }
}
