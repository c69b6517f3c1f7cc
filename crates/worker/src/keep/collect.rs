//! The files that are kept of an attempt: found, stored, and named in its outputs.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use artifacts::objects::Objects;
use glob::{MatchOptions, Pattern};
use model::Digest;
use model::limits::OUTPUT_BYTES_MAX;
use model::work::Collect;
use rustix::fs::OFlags;
use serde_json::{Map, Value, json};

use super::Trouble;
use crate::outputs;

/// Files that are kept of one attempt.
pub const ARTIFACTS_MAX: usize = 1_000;
/// Their bytes, all together: 16 GiB.
pub const ARTIFACT_BYTES_MAX: u64 = 16 << 30;
/// Files and folders that are looked at for one pattern.
const ENTRIES_MAX: usize = 200_000;
/// Folders within each other.
const DEPTH_MAX: usize = 64;
/// The key of the outputs under which they stand.
const KEY: &str = "artifacts";

/// A file that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub name: String,
    /// Relative to where the attempt started.
    pub path: String,
    pub digest: Digest,
    pub bytes: u64,
    pub is_executable: bool,
}

/// Stores all files that are wanted.
pub(super) fn collect(
    objects: &Objects,
    folder: &Path,
    wanted: &[Collect],
) -> Result<Vec<Kept>, Trouble> {
    let root = folder.canonicalize();
    let root = root.map_err(|error| Trouble::io(&format!("{}", folder.display()), &error))?;
    let mut named: BTreeMap<String, String> = BTreeMap::new();
    for Collect { name, pattern } in wanted {
        let found = Search::of(&root, pattern)?.run(&root)?;
        if found.is_empty() {
            return Err(Trouble::new(format!("no file fits the artifact `{pattern}`")));
        }
        let is_one = found.as_slice() == [pattern.trim_end_matches('/')] || found.len() == 1;
        for path in found {
            let name = match name {
                Some(name) if is_one => name.clone(),
                Some(name) => format!("{name}/{path}"),
                None => path.clone(),
            };
            if let Some(other) = named.get(&name).filter(|other| **other != path) {
                let reason = format!("the artifact `{name}` is {other}, and it is {path}, too");
                return Err(Trouble::new(reason));
            }
            named.insert(name, path);
            if named.len() > ARTIFACTS_MAX {
                let reason = format!("a task may leave {ARTIFACTS_MAX} artifacts, and has more");
                return Err(Trouble::new(reason));
            }
        }
    }
    let mut left = ARTIFACT_BYTES_MAX;
    let mut kept = Vec::with_capacity(named.len());
    for (name, path) in named {
        let one = keep(objects, &root, (name, path), left)?;
        left -= one.bytes;
        kept.push(one);
    }
    Ok(kept)
}

fn keep(
    objects: &Objects,
    root: &Path,
    (name, path): (String, String),
    left: u64,
) -> Result<Kept, Trouble> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::FileTooLarge => Trouble::new(format!(
            "the artifact {path} is too much: all of a task may have {} GiB together",
            ARTIFACT_BYTES_MAX >> 30
        )),
        _ => Trouble::io(&format!("the artifact {path}"), &error),
    };
    let file = open(root, &path).map_err(failed)?;
    let Some(file) = file else {
        return Err(Trouble::new(format!(
            "the artifact {path} is no plain file, or a link that leads out of the task's folder"
        )));
    };
    let is_executable = file.metadata().map_err(failed)?.permissions().mode() & 0o100 != 0;
    let (digest, bytes) = objects.put_file(&file, left).map_err(failed)?;
    Ok(Kept { name, path, digest, bytes, is_executable })
}

/// Opens a plain file that lies in a folder, links followed; nothing if it is something else.
fn open(root: &Path, path: &str) -> io::Result<Option<File>> {
    let real = root.join(path).canonicalize()?;
    if !real.starts_with(root) {
        return Ok(None);
    }
    // The path is real: a link that takes its place now is not followed. Nothing blocks on a pipe.
    let flags = (OFlags::NONBLOCK | OFlags::NOFOLLOW).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(real)?;
    Ok(file.metadata()?.is_file().then_some(file))
}

/// What is looked for.
struct Search {
    /// The folder in which the search begins, or the file itself.
    from: PathBuf,
    /// What a path has to fit; all that is there if nothing is said.
    pattern: Option<Pattern>,
    written: String,
    entries: usize,
}

impl Search {
    fn of(root: &Path, written: &str) -> Result<Self, Trouble> {
        let text = written.trim().trim_start_matches("./").trim_end_matches('/');
        let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_));
        if text.is_empty() || !Path::new(text).components().all(is_plain) {
            let reason = format!("`{written}` is no path within the folder of the task");
            return Err(Trouble::new(reason));
        }
        let is_open = |part: &str| part.contains(['*', '?', '[']);
        let fixed: PathBuf = text.split('/').take_while(|part| !is_open(part)).collect();
        let pattern = match is_open(text) {
            false => None,
            true => Some(Pattern::new(text).map_err(|error| {
                Trouble::new(format!("the pattern `{written}` cannot be read: {error}"))
            })?),
        };
        let written = written.to_owned();
        Ok(Self { from: root.join(fixed), pattern, written, entries: 0 })
    }

    /// The files that fit, relative to the root, sorted. Links to folders are not followed.
    fn run(mut self, root: &Path) -> Result<Vec<String>, Trouble> {
        let mut found = Vec::new();
        let from = std::mem::take(&mut self.from);
        match from.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
            Err(error) => return Err(Trouble::io(&from.display().to_string(), &error)),
            Ok(entry) if entry.is_dir() => {
                let real = from.canonicalize();
                let is_inside = real.is_ok_and(|real| real.starts_with(root));
                if !is_inside {
                    let reason = format!("`{}` leads out of the folder of the task", self.written);
                    return Err(Trouble::new(reason));
                }
                self.look((&from, root), 0, &mut found)?;
            }
            Ok(_) => self.add((&from, root), &mut found)?,
        }
        found.sort_unstable();
        Ok(found)
    }

    fn look(
        &mut self,
        (folder, root): (&Path, &Path),
        depth: usize,
        found: &mut Vec<String>,
    ) -> Result<(), Trouble> {
        let failed = |error: io::Error| Trouble::io(&folder.display().to_string(), &error);
        if depth > DEPTH_MAX {
            let reason = format!("folders lie too deep in each other: {}", folder.display());
            return Err(Trouble::new(reason));
        }
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            self.entries += 1;
            if self.entries > ENTRIES_MAX {
                let reason = format!("`{}` looks at more than {ENTRIES_MAX} files", self.written);
                return Err(Trouble::new(reason));
            }
            let path = entry.path();
            if entry.file_type().map_err(failed)?.is_dir() {
                self.look((&path, root), depth + 1, found)?;
            } else if path.metadata().is_ok_and(|it| it.is_file()) {
                self.add((&path, root), found)?;
            }
        }
        Ok(())
    }

    fn add(&self, (path, root): (&Path, &Path), found: &mut Vec<String>) -> Result<(), Trouble> {
        const OPTIONS: MatchOptions = MatchOptions {
            case_sensitive: true,
            require_literal_separator: true,
            require_literal_leading_dot: true,
        };
        let Some(text) = path.strip_prefix(root).ok().and_then(Path::to_str) else {
            let reason = format!("the path of an artifact is no UTF-8: {}", path.display());
            return Err(Trouble::new(reason));
        };
        if self.pattern.as_ref().is_none_or(|pattern| pattern.matches_with(text, OPTIONS)) {
            found.push(text.to_owned());
            if found.len() > ARTIFACTS_MAX {
                let reason = format!("a task may leave {ARTIFACTS_MAX} artifacts, and has more");
                return Err(Trouble::new(reason));
            }
        }
        Ok(())
    }
}

/// The outputs of an attempt with its artifacts among them, as canonical JSON.
pub(crate) fn with_artifacts(outputs: Option<&[u8]>, kept: &[Kept]) -> Result<Vec<u8>, String> {
    let read = outputs.map_or(Ok(Map::new()), serde_json::from_slice);
    let mut object = read.map_err(|error| format!("the outputs are no object: {error}"))?;
    if object.contains_key(KEY) {
        return Err(format!("the output `{KEY}` is the name of what the task leaves: rename it"));
    }
    let named = kept.iter().map(|one| {
        let digest = one.digest.to_string();
        let mut artifact = json!({"path": one.path, "digest": digest, "bytes": one.bytes});
        if one.is_executable {
            artifact["executable"] = Value::Bool(true);
        }
        (one.name.clone(), artifact)
    });
    object.insert(KEY.to_owned(), Value::Object(named.collect()));
    outputs::canonical(&Value::Object(object)).map_err(|_| {
        format!(
            "the outputs with the names of all artifacts are larger than {OUTPUT_BYTES_MAX} bytes"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct House {
        dir: tempfile::TempDir,
        objects: Objects,
    }

    impl House {
        fn new(files: &[&str]) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let objects = Objects::open(&dir.path().join("objects")).unwrap();
            let house = Self { dir, objects };
            fs::create_dir(house.folder()).unwrap();
            for file in files {
                let path = house.folder().join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, file).unwrap();
            }
            house
        }

        fn folder(&self) -> PathBuf {
            self.dir.path().join("folder")
        }

        fn collect(&self, wanted: &[(Option<&str>, &str)]) -> Result<Vec<String>, String> {
            let wanted: Vec<Collect> = wanted
                .iter()
                .map(|(name, pattern)| Collect {
                    name: name.map(str::to_owned),
                    pattern: (*pattern).to_owned(),
                })
                .collect();
            let kept = collect(&self.objects, &self.folder(), &wanted);
            let kept = kept.map_err(|trouble| trouble.reason)?;
            for one in &kept {
                let content = self.objects.get(&one.digest).unwrap().unwrap();
                assert_eq!(content.len() as u64, one.bytes);
            }
            Ok(kept.into_iter().map(|one| format!("{}={}", one.name, one.path)).collect())
        }
    }

    #[test]
    fn paths_folders_and_patterns_are_found() {
        let house = House::new(&["a.txt", "b.txt", "c/d.png", "c/e/f.png", ".hidden"]);
        let of = |pattern: &str| house.collect(&[(None, pattern)]).unwrap().join(" ");
        assert_eq!(of("a.txt"), "a.txt=a.txt");
        assert_eq!(of("./a.txt"), "a.txt=a.txt");
        assert_eq!(of("*.txt"), "a.txt=a.txt b.txt=b.txt");
        assert_eq!(of("c"), "c/d.png=c/d.png c/e/f.png=c/e/f.png");
        assert_eq!(of("c/*.png"), "c/d.png=c/d.png");
        assert_eq!(of("**/*.png"), "c/d.png=c/d.png c/e/f.png=c/e/f.png");
        assert_eq!(of("c/**/f.png"), "c/e/f.png=c/e/f.png");
        let named = |pattern: &str| house.collect(&[(Some("n"), pattern)]).unwrap().join(" ");
        assert_eq!(named("a.txt"), "n=a.txt");
        assert_eq!(named("c/e/*"), "n=c/e/f.png");
        assert_eq!(named("*.txt"), "n/a.txt=a.txt n/b.txt=b.txt");
    }

    #[test]
    fn what_is_not_there_or_leads_out_is_told() {
        let house = House::new(&["a.txt", "b.txt"]);
        fs::write(house.dir.path().join("secret"), "s").unwrap();
        std::os::unix::fs::symlink("../secret", house.folder().join("link")).unwrap();
        std::os::unix::fs::symlink("..", house.folder().join("up")).unwrap();
        std::os::unix::fs::symlink("a.txt", house.folder().join("same")).unwrap();
        let of = |pattern: &str| house.collect(&[(None, pattern)]);
        assert_eq!(of("c.txt").unwrap_err(), "no file fits the artifact `c.txt`");
        assert_eq!(of("*.png").unwrap_err(), "no file fits the artifact `*.png`");
        for path in ["../secret", "/etc/passwd", "link", "up/secret", "up", "", ".", "up/*", "l*"] {
            assert!(of(path).is_err(), "{path}");
        }
        assert_eq!(of("same").unwrap(), ["same=same"]);
        assert!(of("[").unwrap_err().contains("cannot be read"));
        let clash = house.collect(&[(Some("n"), "a.txt"), (Some("n"), "b.txt")]);
        assert!(clash.unwrap_err().contains("the artifact `n` is a.txt, and it is b.txt, too"));
    }

    #[test]
    fn outputs_name_the_artifacts() {
        let digest = Digest([1; 32]);
        let (name, path) = ("n".to_owned(), "p".to_owned());
        let kept = [Kept { name, path, digest, bytes: 3, is_executable: true }];
        let outputs = with_artifacts(Some(br#"{"z":1}"#), &kept).unwrap();
        let outputs = String::from_utf8(outputs).unwrap();
        assert!(outputs.starts_with(r#"{"artifacts":{"n":{"bytes":3,"digest":"0101"#), "{outputs}");
        assert!(outputs.ends_with(r#""executable":true,"path":"p"}},"z":1}"#), "{outputs}");
        assert!(with_artifacts(Some(br#"{"artifacts":1}"#), &kept).is_err());
    }
}
