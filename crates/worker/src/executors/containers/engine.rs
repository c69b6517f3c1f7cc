//! Which engine is asked: the one that `DOCKER_HOST` names, or the first whose socket is where
//! Docker or Podman have it.

use std::env;
use std::path::PathBuf;

use rustix::fs::{Access, FileType, access, stat};

/// Where an engine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Socket(PathBuf),
    /// An address, as `http://HOST:PORT`.
    Address(String),
}

/// Whether there is an engine that this process may ask. It is not asked: that might start it.
pub fn is_offered() -> bool {
    find().is_ok()
}

/// Where the engine is.
///
/// # Errors
/// There is none, or it is at a place that is not understood; in words.
pub(super) fn find() -> Result<Place, String> {
    let named = env::var("DOCKER_HOST").ok().filter(|name| !name.is_empty());
    match named {
        Some(name) => place(&name),
        None => usual().into_iter().find(is_socket).map(Place::Socket).ok_or_else(|| {
            "no engine for containers is here: neither Docker nor Podman has a socket that may be \
             used, and DOCKER_HOST names none"
                .to_owned()
        }),
    }
}

fn place(name: &str) -> Result<Place, String> {
    if let Some(path) = name.strip_prefix("unix://") {
        let path = PathBuf::from(path);
        return match is_socket(&path) {
            true => Ok(Place::Socket(path)),
            false => Err(format!("DOCKER_HOST names {name}, where no socket is that may be used")),
        };
    }
    match name.strip_prefix("tcp://").or_else(|| name.strip_prefix("http://")) {
        Some(address) if env::var_os("DOCKER_TLS_VERIFY").is_none_or(|it| it.is_empty()) => {
            Ok(Place::Address(format!("http://{address}")))
        }
        Some(_) => Err("an engine behind TLS is not supported: use its socket".to_owned()),
        None => Err(format!("DOCKER_HOST is {name}: only `unix://` and `tcp://` are understood")),
    }
}

/// Where sockets are, Docker's first.
fn usual() -> Vec<PathBuf> {
    let user = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let of_user = |name: &str| user.as_ref().map(|folder| folder.join(name));
    [
        Some(PathBuf::from("/var/run/docker.sock")),
        of_user("docker.sock"),
        of_user("podman/podman.sock"),
        Some(PathBuf::from("/run/podman/podman.sock")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn is_socket(path: &PathBuf) -> bool {
    let kind = stat(path).map(|stat| FileType::from_raw_mode(stat.st_mode));
    kind == Ok(FileType::Socket) && access(path, Access::READ_OK | Access::WRITE_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_where_it_is_said_to_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("engine.sock");
        let name = format!("unix://{}", path.display());
        assert!(place(&name).unwrap_err().contains("no socket"));
        std::fs::write(&path, "").unwrap();
        assert!(place(&name).is_err(), "a file is no socket");
        std::fs::remove_file(&path).unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert_eq!(place(&name), Ok(Place::Socket(path)));
        let address = Place::Address("http://127.0.0.1:2375".to_owned());
        assert_eq!(place("tcp://127.0.0.1:2375"), Ok(address));
        assert!(place("ssh://somewhere").unwrap_err().contains("ssh://somewhere"));
    }
}
