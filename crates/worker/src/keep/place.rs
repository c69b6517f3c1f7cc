//! Artifacts of earlier tasks, put where an attempt starts.

use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};

use artifacts::objects::{self, Objects};
use model::work::Placement;

use super::Trouble;

/// Puts every artifact in its place.
pub(super) fn place(objects: &Objects, folder: &Path, places: &[Placement]) -> Result<(), Trouble> {
    let root = folder.canonicalize();
    let root = root.map_err(|error| Trouble::io(&format!("{}", folder.display()), &error))?;
    let mut taken: Vec<(&str, &Placement)> = Vec::with_capacity(places.len());
    for placement in places {
        taken.push((&placement.path, placement));
    }
    taken.sort_unstable_by_key(|(path, _)| *path);
    let clash = taken
        .windows(2)
        .find(|pair| pair[0].0 == pair[1].0 && pair[0].1.digest != pair[1].1.digest);
    if let Some([(path, one), (_, other)]) = clash {
        let (one, other) = (&one.name, &other.name);
        let reason = format!(
            "`{one}` and `{other}` would both be put at {path}: leave them at different paths, of \
             a fan-out with {{{{ index }}}} in them"
        );
        return Err(Trouble::new(reason));
    }
    places.iter().try_for_each(|placement| place_one(objects, &root, placement))
}

fn place_one(objects: &Objects, root: &Path, placement: &Placement) -> Result<(), Trouble> {
    let Placement { name, digest, bytes, path, is_executable } = placement;
    let failed = |error: io::Error| Trouble::io(&format!("artifact `{name}` at {path}"), &error);
    let to = within(root, path).map_err(failed)?;
    let Some(to) = to else {
        let reason =
            format!("artifact `{name}` would be put out of the folder of the task: {path}");
        return Err(Trouble::new(reason));
    };
    if is_there(&to, *digest, *bytes) {
        return Ok(());
    }
    let mode = if *is_executable { 0o755 } else { 0o644 };
    match objects.write_to(digest, &to, mode).map_err(failed)? {
        true => Ok(()),
        false => Err(Trouble::new(format!("artifact `{name}` is no longer stored: {digest}"))),
    }
}

/// The place of a path in a folder, with all folders up to it; nothing if it leads out of it.
fn within(root: &Path, path: &str) -> io::Result<Option<PathBuf>> {
    let path = Path::new(path);
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(None) };
    if !path.components().all(is_plain) {
        return Ok(None);
    }
    let mut folder = root.to_owned();
    for part in parent.components().filter(|part| matches!(part, Component::Normal(_))) {
        folder.push(part);
        match folder.canonicalize() {
            Ok(real) => folder = real,
            Err(error) if error.kind() == io::ErrorKind::NotFound => make(&folder)?,
            Err(error) => return Err(error),
        }
        // A link may lead anywhere.
        if !folder.starts_with(root) {
            return Ok(None);
        }
    }
    Ok(Some(folder.join(name)))
}

/// Makes a folder, unless another thread or task has just made it.
fn make(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Whether this very file is there already: tasks that start in one folder share it.
fn is_there(path: &Path, digest: model::Digest, bytes: u64) -> bool {
    let is_plain = fs::symlink_metadata(path).is_ok_and(|it| it.is_file() && it.len() == bytes);
    is_plain
        && File::open(path).and_then(|file| objects::hash(&file)).is_ok_and(|found| found == digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placement(objects: &Objects, content: &str, path: &str) -> Placement {
        Placement {
            name: format!("a/{path}"),
            digest: objects.put(content.as_bytes()).unwrap(),
            bytes: content.len() as u64,
            path: path.to_owned(),
            is_executable: false,
        }
    }

    #[test]
    fn files_are_put_into_the_folder_and_never_out_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let objects = Objects::open(&dir.path().join("objects")).unwrap();
        let (folder, outside) = (dir.path().join("folder"), dir.path().join("outside"));
        fs::create_dir(&folder).unwrap();
        fs::create_dir(&outside).unwrap();
        std::os::unix::fs::symlink(&outside, folder.join("link")).unwrap();
        let put = |path: &str| {
            let placement = placement(&objects, "x", path);
            place(&objects, &folder, &[placement]).map_err(|trouble| trouble.reason)
        };
        assert!(put("x").is_ok() && put("x").is_ok() && put("a/b/c").is_ok());
        assert_eq!(fs::read_to_string(folder.join("a/b/c")).unwrap(), "x");
        for path in ["../x", "/x", "a/../../x", "link/x", ".", "a/.."] {
            assert!(put(path).is_err(), "{path}");
        }
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    }

    #[test]
    fn what_is_missing_and_what_clashes_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let objects = Objects::open(&dir.path().join("objects")).unwrap();
        let one = placement(&objects, "one", "x");
        let other = placement(&objects, "two", "x");
        let told = place(&objects, dir.path(), &[one.clone(), other]).err().unwrap().reason;
        assert!(told.contains("both be put at x"), "{told}");
        objects.remove(&one.digest).unwrap();
        let told = place(&objects, dir.path(), &[one]).err().unwrap().reason;
        assert!(told.contains("`a/x` is no longer stored"), "{told}");
    }
}
