//! A small virtual machine: Debian's kernel, busybox, the binary under test, and a disk that loses
//! what the machine has not written when its power is cut. It needs an emulator and a kernel, which
//! not every computer has.
//!
//! The power is cut by killing the emulator. What the guest has not asked its disk to keep is in
//! the memory of the guest, and dies with it.

mod modules;

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use tempfile::TempDir;

/// What the guest runs first.
const PRELUDE: &str = include_str!("machine/prelude.sh");
/// The variable that says whether tests must find what they need for a machine.
const SWITCH: &str = "AUTOGLM_TEST_MACHINE";
/// The modules that its disks need, beside those that these need in turn.
const MODULES: [&str; 2] = ["virtio_pci", "virtio_blk"];
/// Debian's package that names the newest kernel for virtual machines.
const KERNEL_PACKAGE: &str = "linux-image-cloud-amd64";
/// How large the disk with the state is.
const STATE_MIB: u64 = 128;

/// Everything that a boot needs.
pub(crate) struct Machine {
    folder: TempDir,
    kernel: PathBuf,
    /// Variables for the guest.
    variables: Vec<String>,
}

/// A machine that runs.
pub(crate) struct Power {
    emulator: Child,
    console: Receiver<String>,
}

impl Machine {
    /// Puts one together that does `work`, with these files beside the binary, and an empty disk.
    /// Where something is missing it says so, and fails if `AUTOGLM_TEST_MACHINE=required`, which
    /// CI sets.
    pub(crate) fn assemble(work: &str, files: &[(&str, &str)], variables: &[&str]) -> Option<Self> {
        match Self::try_assemble(work, files, variables) {
            Ok(machine) => Some(machine),
            Err(reason) => {
                let required = std::env::var(SWITCH).is_ok_and(|value| value == "required");
                assert!(!required, "{SWITCH}=required, but {reason}");
                println!("not tested, for want of a machine: {reason}");
                None
            }
        }
    }

    fn try_assemble(
        work: &str,
        files: &[(&str, &str)],
        variables: &[&str],
    ) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let at = folder.path();
        let kernel = unpacked_kernel()?;
        let ours = |name: &str| at.join(name);

        fs::create_dir_all(ours("root/modules")).expect("made");
        for name in ["bin", "proc", "sys", "dev", "tmp", "tools", "state"] {
            fs::create_dir_all(ours("root").join(name)).expect("made");
        }
        let busybox = output("sh", &["-c", "command -v busybox"], at)?;
        fs::copy(busybox.trim(), ours("root/bin/busybox")).expect("copied");
        let release = fs::read_dir(kernel.join("lib/modules")).expect("there").next();
        let modules = release.expect("one kernel").expect("readable").path().join("kernel");
        let needed = modules::with_what_they_need(&modules, &MODULES)?;
        for (place, module) in needed.iter().enumerate() {
            // Their names say in which order they are loaded.
            let name = format!("{place:02}-{}", module.file_name().expect("a file").display());
            fs::copy(module, ours("root/modules").join(name)).map_err(|error| error.to_string())?;
        }
        fs::write(ours("root/init"), format!("{PRELUDE}{work}")).expect("written");
        let pack = "chmod +x init && find . | cpio --quiet -o -H newc > ../initrd";
        output("sh", &["-c", pack], &ours("root"))?;

        fs::create_dir_all(ours("tools")).expect("made");
        for (name, text) in files {
            fs::write(ours("tools").join(name), text).expect("written");
        }
        copy_binary(&ours("tools"))?;
        disk(&ours("tools.img"), 256, Some(&ours("tools")))?;
        disk(&ours("state.img"), STATE_MIB, None)?;
        let variables = variables.iter().map(|&text| text.to_owned()).collect();
        Ok(Self { folder, kernel, variables })
    }

    /// Switches it on.
    pub(crate) fn boot(&self) -> Power {
        let at = |name: &str| self.folder.path().join(name).display().to_string();
        let drive = |name: &str, id: &str| {
            format!("file={},if=virtio,id={id},format=raw,cache=writeback", at(name))
        };
        let kernel = fs::read_dir(self.kernel.join("boot")).expect("it is there");
        let kernel = kernel.filter_map(Result::ok).map(|entry| entry.path());
        let kernel = kernel.into_iter().find(|path| path.display().to_string().contains("vmlinuz"));
        let line = format!("console=ttyS0 quiet panic=-1 {}", self.variables.join(" "));
        let mut command = Command::new("qemu-system-x86_64");
        command.args(["-accel", "tcg", "-m", "640", "-smp", "2", "-nodefaults", "-no-reboot"]);
        command.args(["-display", "none", "-serial", "stdio", "-initrd", &at("initrd")]);
        command.arg("-kernel").arg(kernel.expect("a kernel")).args(["-append", &line]);
        command.args(["-drive", &(drive("tools.img", "tools") + ",readonly=on")]);
        command.args(["-drive", &drive("state.img", "state")]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut emulator = command.spawn().expect("it was there a moment ago");
        let stdout = BufReader::new(emulator.stdout.take().expect("it was asked for"));
        let (sender, console) = channel();
        std::thread::spawn(move || {
            for line in stdout.split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Power { emulator, console }
    }
}

impl Power {
    /// The next line on the console, if there is one within `patience`.
    pub(crate) fn line(&self, patience: Duration) -> Option<String> {
        self.console.recv_timeout(patience).ok()
    }

    /// Cuts it. Returns what was still on its way on the console.
    pub(crate) fn cut(mut self) -> Vec<String> {
        self.emulator.kill().expect("it runs");
        self.emulator.wait().expect("it is a child");
        self.console.iter().collect()
    }
}

impl Drop for Power {
    fn drop(&mut self) {
        // A test that failed leaves it on.
        let _ = self.emulator.kill();
        let _ = self.emulator.wait();
    }
}

/// The kernel and its modules, fetched once and kept beside the build.
fn unpacked_kernel() -> Result<PathBuf, String> {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("power-cut-kernel");
    if kept.join("boot").exists() {
        return Ok(kept);
    }
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let depends = || output("apt-cache", &["depends", KERNEL_PACKAGE], folder.path());
    // A fresh machine has no list of packages yet.
    let named = depends()
        .or_else(|_| output("apt-get", &["-q", "update"], folder.path()).and_then(|_| depends()))?;
    let package = named.split_whitespace().skip_while(|word| *word != "Depends:").nth(1);
    let package = package.ok_or(format!("{KERNEL_PACKAGE} names no kernel"))?;
    output("apt-get", &["-q", "download", package], folder.path())?;
    let unpack = "dpkg-deb -x *.deb unpacked";
    output("sh", &["-c", unpack], folder.path())?;
    let moved = "rm -rf \"$0\" && cp -r unpacked \"$0\"";
    output("sh", &["-c", moved, &kept.display().to_string()], folder.path())?;
    Ok(kept)
}

/// The binary and the libraries that it needs.
fn copy_binary(to: &Path) -> Result<(), String> {
    let binary = env!("CARGO_BIN_EXE_autoglm");
    fs::copy(binary, to.join("autoglm")).map_err(|error| error.to_string())?;
    let needed = output("ldd", &[binary], to)?;
    for line in needed.lines() {
        let Some(path) = line.split_whitespace().find(|word| word.starts_with('/')) else {
            continue;
        };
        let name = Path::new(path).file_name().expect("it has one").to_string_lossy();
        let name = if name.starts_with("ld-linux") { "ld.so".to_owned() } else { name.into() };
        fs::copy(path, to.join(name)).map_err(|error| format!("{path}: {error}"))?;
    }
    Ok(())
}

fn disk(path: &Path, mib: u64, content: Option<&Path>) -> Result<(), String> {
    File::create(path)
        .and_then(|file| file.set_len(mib << 20))
        .map_err(|error| error.to_string())?;
    let path = path.display().to_string();
    let content = content.map(|folder| folder.display().to_string());
    let mut arguments = vec!["-q", "-F"];
    if let Some(content) = &content {
        arguments.extend(["-d", content]);
    }
    arguments.push(&path);
    output("mkfs.ext4", &arguments, Path::new("/")).map(drop)
}

fn output(program: &str, arguments: &[&str], folder: &Path) -> Result<String, String> {
    let run = Command::new(program).args(arguments).current_dir(folder).output();
    let run = run.map_err(|error| format!("`{program}`: {error}"))?;
    if run.status.success() {
        Ok(String::from_utf8_lossy(&run.stdout).into_owned())
    } else {
        Err(format!("`{program}`: {}", String::from_utf8_lossy(&run.stderr)))
    }
}
