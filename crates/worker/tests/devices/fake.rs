//! A machine whose devices are made up: a library, and trees of small files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use model::Device;
use tempfile::TempDir;
use worker::devices::{Devices, Found, Sources};

/// Longer than any of this takes; a test that waits for a hung driver brings its own.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The machine. It is empty in the beginning: no library, no cards.
pub struct Machine {
    folder: TempDir,
    pub sources: Sources,
}

impl Machine {
    pub fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let sources = Sources {
            nvml: at("libnvidia-ml.so.1").into(),
            sys: at("sys"),
            proc: at("proc"),
            dev: at("dev"),
            variables: Vec::new(),
        };
        Self { folder, sources }
    }

    /// A machine with a library that plays what the definitions say; see `nvml.c`.
    pub fn with_library(definitions: &[&str]) -> Self {
        let machine = Self::new();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/devices/nvml.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-Wall", "-Werror", "-o"]);
        compiler.arg(&machine.sources.nvml).arg(source);
        compiler.args(definitions.iter().map(|definition| format!("-D{definition}")));
        let made = compiler.output().unwrap_or_else(|error| {
            panic!("these tests need a C compiler under the name `cc`: {error}")
        });
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        machine
    }

    /// The same with a variable.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.sources.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A path in its folder.
    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file and the folders above it.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.at(name);
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("folders");
        fs::write(path, text).expect("written");
    }

    pub fn devices(&self) -> Devices {
        Devices::new(self.sources.clone(), PATIENCE)
    }

    pub fn find(&self) -> Found {
        self.devices().find()
    }
}

/// The beginnings of their ids, which differ in these.
pub fn ids(devices: &[Device]) -> Vec<&str> {
    devices.iter().map(|device| device.uuid.get(..12).unwrap_or(&device.uuid)).collect()
}

/// What is said, one sentence a line, with `!` before what is more than an absence.
pub fn notes(found: &Found) -> String {
    let mark = |is_absence| if is_absence { "" } else { "!" };
    let line = |note: &worker::devices::Note| {
        format!("{}{}: {}\n", mark(note.is_absence), note.vendor.as_str(), note.text)
    };
    found.notes.iter().map(line).collect()
}
