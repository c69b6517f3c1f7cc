//! Kernel modules, and those that they need: what needs what changes from one kernel to the next,
//! so each module is asked. It never loads one.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What a module says of those that it needs, before their names, apart by commas.
const DEPENDS: &[u8] = b"\0depends=";

/// The files of some modules of a kernel, and of all that they need, each behind what it needs.
///
/// # Errors
/// One that is not there, or cannot be read.
pub(crate) fn with_what_they_need(kernel: &Path, names: &[&str]) -> Result<Vec<PathBuf>, String> {
    let mut files = HashMap::new();
    list(kernel, &mut files).map_err(|error| format!("{}: {error}", kernel.display()))?;
    let mut found = Vec::new();
    names.iter().try_for_each(|name| add(name, &files, &mut found))?;
    Ok(found)
}

/// The modules of a folder and of those in it, by name.
fn list(folder: &Path, files: &mut HashMap<String, PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else if let Some(name) =
            path.file_stem().filter(|_| path.extension() == Some("ko".as_ref()))
        {
            files.insert(name.to_string_lossy().replace('-', "_"), path);
        }
    }
    Ok(())
}

fn add(
    name: &str,
    files: &HashMap<String, PathBuf>,
    found: &mut Vec<PathBuf>,
) -> Result<(), String> {
    let file = files.get(name).ok_or_else(|| format!("the kernel has no module {name}"))?;
    if found.contains(file) {
        return Ok(());
    }
    let module = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let place = module.windows(DEPENDS.len()).position(|window| window == DEPENDS);
    let place = place.ok_or_else(|| format!("{} does not say what it needs", file.display()))?;
    let names = module[place + DEPENDS.len()..].split(|&byte| byte == 0).next().unwrap_or_default();
    let names = String::from_utf8_lossy(names).into_owned();
    for needed in names.split(',').filter(|name| !name.is_empty()) {
        add(needed, files, found)?;
    }
    found.push(file.clone());
    Ok(())
}
