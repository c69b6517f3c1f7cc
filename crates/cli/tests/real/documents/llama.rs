//! A real llama.cpp with random weights on a free port of this machine, and the folder with the
//! packages that it and the example need: `tests/llm` says which.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::wait;

/// How long the server may take to be there.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long each answer takes at least, as a larger model's would.
const PAUSE_MS: &str = "150";

/// A server that lives as long as this.
pub(crate) struct Llama {
    node: Child,
    folder: TempDir,
    pub endpoint: String,
}

/// Installs what is not there yet, into a folder that is kept, and returns it.
pub(crate) fn install() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("there");
    let folder = root.join("target/llm");
    let installed = Command::new(root.join("tests/llm/install.sh")).arg(&folder).status();
    assert!(installed.expect("a shell").success(), "the packages could not be installed");
    folder
}

impl Llama {
    /// One that was asked nothing yet.
    pub(crate) fn start(packages: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let node = Command::new("node")
            .args(["server.mjs", "random.gguf"])
            .args([folder.path().join("port"), folder.path().join("requests")])
            .arg(PAUSE_MS)
            .current_dir(packages)
            .stdin(Stdio::null())
            .spawn()
            .expect("node");
        let mut llama = Self { node, folder, endpoint: String::new() };
        let port = wait::until("the port of the server", PATIENCE, || {
            let ended = llama.node.try_wait().expect("it is a child");
            assert!(ended.is_none(), "the server does not start: {ended:?}");
            let port = fs::read_to_string(llama.folder.path().join("port"));
            port.ok().filter(|text| !text.is_empty())
        });
        llama.endpoint = format!("http://127.0.0.1:{port}/v1");
        llama
    }

    /// The bodies of all requests so far.
    pub(crate) fn requests(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.folder.path().join("requests")).unwrap_or_default();
        let body = |line: &str| {
            let request: Value = serde_json::from_str(line).expect("a line of JSON");
            request["body"].clone()
        };
        text.lines().map(body).collect()
    }
}

impl Drop for Llama {
    fn drop(&mut self) {
        // It keeps nothing that is needed.
        let _ = self.node.kill();
        let _ = self.node.wait();
    }
}
