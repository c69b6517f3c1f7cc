//! The cache of tasks: whether the same was done before, and what it came to.
//!
//! What makes an attempt the same is its whole text with all that it is started with, the values
//! of its rule, and the content of the files that the rule names. The texts are worked out on the
//! driver's thread; files are read and entries looked up here, on a thread that may wait. An entry
//! is written when the success that it holds is durable, under the key that was worked out before
//! the attempt started, so that files that change meanwhile do no harm. Losing all of it costs
//! nothing but time.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use model::{Digest, ItemId, TaskKey, Timestamp};
use spec::Sameness;
use stores::Catalog;
use stores::catalog::CacheEntry;

use crate::control::Ask;
use crate::driver::Event;
use crate::home::Home;

/// Entries that are kept: the newest.
const ENTRIES_MAX: u64 = 1_000_000;
/// Files that one rule may name.
const FILES_MAX: usize = 100_000;

/// What is the same as what.
#[derive(Debug)]
pub(crate) struct Look {
    pub ask: Ask,
    /// By item.
    pub items: Vec<Sameness>,
    pub now: Timestamp,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Looked {
    pub ask: Ask,
    /// The keys, by item; or why there are none, which is an error of the task.
    pub keys: Result<Vec<Digest>, String>,
    /// Outputs of items that were done before.
    pub hits: Vec<(ItemId, Vec<u8>)>,
}

/// The keys of a task that has begun, for when it has succeeded.
#[derive(Debug)]
pub(crate) struct Keys {
    pub by_item: Vec<Digest>,
    /// How long its outputs may be taken, in microseconds.
    pub expires: Option<u64>,
}

impl Keys {
    /// The entry of an item that has succeeded.
    pub(crate) fn entry(
        &self,
        task: TaskKey,
        item: ItemId,
        (at, outputs): (Timestamp, &[u8]),
    ) -> Option<CacheEntry> {
        let key = *self.by_item.get(item.0 as usize)?;
        let until = self.expires.map(|expires| Timestamp(at.0.saturating_add(expires)));
        Some(CacheEntry { key, outputs: outputs.to_vec(), run: task.run, at, until })
    }
}

enum Word {
    Look(Look),
    Keep(Vec<CacheEntry>),
    End,
}

/// The thread that reads files and entries.
#[derive(Debug)]
pub(crate) struct Cache {
    words: Sender<Word>,
    thread: Option<JoinHandle<()>>,
}

impl Cache {
    pub(crate) fn start(home: Home, driver: Sender<Event>) -> std::io::Result<Self> {
        let (words, inbox) = channel();
        let thread = thread::Builder::new().name("cache".into()).spawn(move || {
            Keeper { home, driver, catalog: None }.serve(&inbox);
        })?;
        Ok(Self { words, thread: Some(thread) })
    }

    /// Looks for what was done before; the driver hears [`Event::Looked`].
    pub(crate) fn look(&self, look: Look) {
        let _ = self.words.send(Word::Look(look));
    }

    /// Keeps what has become durable.
    pub(crate) fn keep(&self, entries: Vec<CacheEntry>) {
        let _ = self.words.send(Word::Keep(entries));
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        let _ = self.words.send(Word::End);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Keeper {
    home: Home,
    driver: Sender<Event>,
    /// Opened when it is first needed.
    catalog: Option<Catalog>,
}

impl Keeper {
    fn serve(&mut self, inbox: &Receiver<Word>) {
        while let Ok(word) = inbox.recv() {
            match word {
                Word::Look(look) => {
                    let looked = self.look(look);
                    let _ = self.driver.send(Event::Looked(Box::new(looked)));
                }
                // What cannot be kept is worked out again.
                Word::Keep(entries) => drop(self.keep(&entries)),
                Word::End => return,
            }
        }
    }

    fn look(&mut self, look: Look) -> Looked {
        let Look { ask, items, now } = look;
        let mut files = Files::default();
        let keys: Result<Vec<Digest>, String> = items.iter().map(|same| files.key(same)).collect();
        let mut hits = Vec::new();
        if let (Ok(keys), Some(catalog)) = (&keys, self.catalog()) {
            for (item, key) in (0..).map(ItemId).zip(keys) {
                let found = catalog.cached(key, now).ok().flatten();
                hits.extend(found.map(|entry| (item, entry.outputs)));
            }
        }
        Looked { ask, keys, hits }
    }

    fn keep(&mut self, entries: &[CacheEntry]) -> Option<()> {
        let catalog = self.catalog()?;
        catalog.keep_cached(entries).ok()?;
        let last = entries.last()?;
        catalog.prune_cache(last.at, ENTRIES_MAX).ok().map(|_| ())
    }

    fn catalog(&mut self) -> Option<&mut Catalog> {
        if self.catalog.is_none() {
            self.catalog = Catalog::open(self.home.root()).ok();
        }
        self.catalog.as_mut()
    }
}

/// Files that rules name, each read once for all items of a task.
#[derive(Default)]
struct Files {
    known: BTreeMap<(PathBuf, Vec<String>), Result<Digest, String>>,
}

impl Files {
    /// The key of an attempt, or why a file that counts cannot be read.
    fn key(&mut self, same: &Sameness) -> Result<Digest, String> {
        let named = (same.folder.clone(), same.files.clone());
        let files = self.known.entry(named);
        let files = files.or_insert_with(|| content(&same.folder, &same.files)).clone()?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"autoglm cache 1\n");
        hasher.update(&files.0);
        hasher.update(same.value.to_string().as_bytes());
        Ok(Digest(*hasher.finalize().as_bytes()))
    }
}

/// The names and the content of all files that fit, in order. A pattern that nothing fits is an
/// error: whoever names a file means it, and without it every later run would be the same.
fn content(folder: &Path, patterns: &[String]) -> Result<Digest, String> {
    let mut hasher = blake3::Hasher::new();
    let mut count = 0;
    for pattern in patterns {
        hasher.update(pattern.as_bytes());
        hasher.update(b"\n");
        let found = matching(folder, pattern)?;
        count += found.len();
        if count > FILES_MAX {
            return Err(format!("the cache looks at more than {FILES_MAX} files"));
        }
        for path in found {
            let digest = File::open(&path).and_then(|file| artifacts::objects::hash(&file));
            let digest = digest.map_err(|error| {
                format!("a file of the cache cannot be read: {}: {error}", path.display())
            })?;
            hasher.update(path.strip_prefix(folder).unwrap_or(&path).as_os_str().as_bytes());
            hasher.update(b"\n");
            hasher.update(&digest.0);
        }
    }
    Ok(Digest(*hasher.finalize().as_bytes()))
}

/// The files that fit a pattern, in order; at least one.
fn matching(folder: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
    let unusable = |why: String| format!("`{pattern}` of the cache cannot be looked up: {why}");
    let escaped = folder.to_str().map(glob::Pattern::escape);
    let whole = escaped.map(|folder| Path::new(&folder).join(pattern));
    let whole = whole.as_deref().and_then(Path::to_str);
    let whole = whole.ok_or_else(|| unusable("the folder is no UTF-8".to_owned()))?;
    let found = glob::glob(whole).map_err(|error| unusable(error.to_string()))?;
    let found: Result<Vec<PathBuf>, _> = found.collect();
    let mut found = found.map_err(|error| unusable(error.to_string()))?;
    found.retain(|path| path.is_file());
    found.sort();
    if found.is_empty() {
        let folder = folder.display();
        return Err(format!("the cache looks at `{pattern}`, and no such file is in {folder}"));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_follows_the_text_and_the_files_that_count() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("a.csv"), "1").expect("written");
        let same = |value: u8, pattern: &str| Sameness {
            value: json!({ "argv": value }),
            files: vec![pattern.to_owned()],
            folder: folder.path().to_owned(),
        };
        let key = |same: &Sameness| Files::default().key(same);
        let first = key(&same(1, "*.csv"));
        assert!(first.is_ok() && first == key(&same(1, "*.csv")));
        assert_ne!(first, key(&same(2, "*.csv")));
        assert_ne!(first, key(&same(1, "a.*")), "the pattern counts");
        fs::write(folder.path().join("b.txt"), "1").expect("written");
        assert_eq!(first, key(&same(1, "*.csv")), "it does not count");
        fs::write(folder.path().join("a.csv"), "2").expect("written");
        assert_ne!(first, key(&same(1, "*.csv")));
    }

    #[test]
    fn a_file_that_is_not_there_is_no_key() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("data")).expect("made");
        for pattern in ["nosuchfile.txt", "*.csv", "data", "data/**"] {
            let why = content(folder.path(), &[pattern.to_owned()]).expect_err(pattern);
            let is = format!("the cache looks at `{pattern}`, and no such file is in ");
            assert!(why.starts_with(&is), "{why}");
        }
    }
}
