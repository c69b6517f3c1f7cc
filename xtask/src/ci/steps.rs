//! The table of the CI steps. A new step is one entry here and nothing else.
//!
//! A line is what a developer would type at the root of the repository, words apart by blanks,
//! `NAME=value` in front for the environment. There is no shell behind it. A step that does not
//! exist yet does not stand here.

/// One step.
pub(crate) struct Step {
    /// For `--only` and for the table at the end.
    pub(crate) name: &'static str,
    /// What is known when it passes.
    pub(crate) proves: &'static str,
    /// Its budget on two cores with a warm target folder.
    pub(crate) minutes: u64,
    /// Programs it needs beside cargo.
    pub(crate) needs: &'static [Need],
    /// What it runs, one after the other.
    pub(crate) lines: &'static [&'static str],
    /// Tests that may be skipped here. Any other skipped test fails the step.
    pub(crate) skips: &'static [Skip],
}

/// A program, and the Debian package that brings it.
pub(crate) struct Need {
    pub(crate) program: &'static str,
    pub(crate) package: &'static str,
}

/// A test that may be skipped, and why.
pub(crate) struct Skip {
    pub(crate) test: &'static str,
    pub(crate) reason: &'static str,
}

const PYTHON: Need = Need { program: "python3", package: "python3" };
const PIP: Need = Need { program: "pip3", package: "python3-pip" };
const NODE: Need = Need { program: "node", package: "nodejs" };
const NPM: Need = Need { program: "npm", package: "npm" };
const MKFS: Need = Need { program: "mkfs.ext4", package: "e2fsprogs" };
const QEMU: Need = Need { program: "qemu-system-x86_64", package: "qemu-system-x86" };
const BUSYBOX: Need = Need { program: "busybox", package: "busybox-static" };
const DOCKERD: Need = Need { program: "dockerd", package: "docker.io" };
const CPIO: Need = Need { program: "cpio", package: "cpio" };

/// What most steps have: no needs and no skips.
const PLAIN: Step = Step { name: "", proves: "", minutes: 0, needs: &[], lines: &[], skips: &[] };

pub(crate) const STEPS: &[Step] = &[
    Step {
        name: "fmt",
        proves: "the sources are formatted",
        minutes: 1,
        lines: &["cargo fmt --all -- --check"],
        ..PLAIN
    },
    Step {
        name: "tidy",
        proves: "the rules of the house hold",
        minutes: 1,
        lines: &["cargo xtask tidy"],
        ..PLAIN
    },
    Step {
        name: "clippy",
        proves: "no warning is left",
        minutes: 5,
        lines: &[
            "cargo clippy --workspace --all-targets -- -D warnings",
            "cargo clippy --package cli --test real --test language --test guide --test durable -- \
             -D warnings",
        ],
        ..PLAIN
    },
    Step {
        name: "test",
        proves: "unit, property and documentation tests pass",
        minutes: 9,
        lines: &["cargo nextest run --workspace", "cargo test --workspace --doc"],
        ..PLAIN
    },
    Step {
        name: "fuzz",
        proves: "a minute of files and of expressions: no panic, bounded time and memory",
        minutes: 3,
        lines: &["AUTOGLM_FUZZ_SECONDS=60 cargo test --package spec --test fuzz"],
        ..PLAIN
    },
    Step {
        name: "sim",
        proves: "2,000 simulated hours of faults break no invariant, and hit every mark",
        minutes: 8,
        lines: &["cargo xtask sim --seeds 1300 --hours 1 --jobs 2 --all-marks"],
        ..PLAIN
    },
    Step {
        name: "examples",
        proves: "every example of the guide does as it says, and the examples' own code is right",
        minutes: 2,
        needs: &[PYTHON],
        lines: &[
            "cargo test --package cli --test guide",
            "python3 -m unittest discover --start-directory examples/digits",
            "python3 -m unittest discover --start-directory examples/documents",
            "cargo run --quiet -- validate examples/hello/workflow.yaml",
            "cargo run --quiet -- validate examples/diamond/workflow.yaml",
            "cargo run --quiet -- validate examples/etl/workflow.yaml",
            "cargo run --quiet -- validate examples/digits/workflow.yaml",
            "cargo run --quiet -- validate examples/documents/workflow.yaml",
            "cargo run --quiet -- test examples/release",
        ],
        ..PLAIN
    },
    Step {
        name: "language",
        proves: "every key and rule of the workflow language does as its case says",
        minutes: 3,
        lines: &["cargo test --package cli --test language"],
        ..PLAIN
    },
    Step {
        name: "binary",
        proves: "the real binary does as documented, suspended and without room on the disk too, \
             its journal holds no output or text and is enough, and no secret is anywhere",
        minutes: 3,
        needs: &[MKFS, PYTHON],
        lines: &[
            // All but what has a step of its own: a new page of tests is run without a word here.
            "AUTOGLM_TEST_MOUNT=required cargo test --package cli --test real -- \
             --skip kill:: --skip power_cut:: --skip limits:: \
             --skip containers:: --skip first_job:: --skip documents:: --skip budgets::",
            "cargo test --package cli --test durable",
        ],
        ..PLAIN
    },
    Step {
        name: "sdk",
        proves: "workflows of Python functions are built, run, fail and go on as the package says",
        minutes: 1,
        needs: &[PYTHON],
        lines: &[
            "cargo build --package cli",
            "AUTOGLM_BIN=target/debug/autoglm PYTHONPATH=sdk/python/src \
             python3 -m unittest discover --start-directory sdk/python/tests",
        ],
        ..PLAIN
    },
    Step {
        name: "wheel",
        proves: "the wheel brings the package and its binary, and works where nothing else is",
        minutes: 1,
        needs: &[PYTHON, PIP],
        // It builds with the same profile, so that only the binary is linked again.
        lines: &["cargo build --package cli", "python3 sdk/python/tests/wheel.py"],
        ..PLAIN
    },
    Step {
        name: "kill",
        proves: "a run of 2,000 items that is killed 100 times ends as if it never was",
        minutes: 2,
        lines: &["cargo test --package cli --test real kill:: -- --ignored --nocapture"],
        ..PLAIN
    },
    Step {
        name: "budgets",
        proves: "5,000 calls of models use up their budgets in real time and overdraw none",
        minutes: 2,
        lines: &["cargo test --package cli --test real budgets:: -- --ignored --nocapture"],
        ..PLAIN
    },
    Step {
        name: "power",
        proves: "what was acknowledged survives power cuts, and would not without syncs",
        minutes: 4,
        needs: &[MKFS, QEMU, BUSYBOX, CPIO],
        lines: &["AUTOGLM_TEST_MACHINE=required cargo test --package cli --test real \
             power_cut:: -- --ignored --nocapture --test-threads=1"],
        ..PLAIN
    },
    Step {
        name: "limits",
        proves: "limits of memory, cores and processes hold on control groups of version 2",
        minutes: 2,
        needs: &[MKFS, QEMU, BUSYBOX, CPIO],
        lines: &["AUTOGLM_TEST_MACHINE=required cargo test --package cli --test real \
             limits:: -- --ignored --nocapture"],
        ..PLAIN
    },
    Step {
        name: "containers",
        proves: "tasks run in containers of a real Docker daemon, and none is left behind",
        minutes: 1,
        needs: &[DOCKERD, BUSYBOX],
        lines: &["AUTOGLM_TEST_DOCKER=required cargo test --package cli --test real \
             containers:: -- --ignored --nocapture --test-threads=1"],
        ..PLAIN
    },
    Step {
        name: "first-job",
        proves: "the digits example, killed in the middle, goes on and reads digits",
        minutes: 2,
        needs: &[PYTHON],
        lines: &["cargo test --package cli --test real first_job:: -- --ignored --nocapture"],
        ..PLAIN
    },
    Step {
        name: "documents",
        proves: "2,000 documents are embedded, grouped and named by real models, and what was \
             recorded is not done again after a kill in any phase",
        minutes: 4,
        needs: &[PYTHON, PIP, NODE, NPM],
        lines: &["cargo test --package cli --test real documents:: -- --ignored --nocapture"],
        ..PLAIN
    },
    Step {
        name: "models",
        proves: "a real llama.cpp is asked as the official client asks it, and answers fit",
        minutes: 2,
        needs: &[PYTHON, PIP, NODE, NPM],
        lines: &["cargo build --package cli", "tests/llm/run.sh target/debug/autoglm target/llm"],
        ..PLAIN
    },
    Step {
        name: "docs",
        proves: "the documentation builds without a warning",
        minutes: 2,
        lines: &["RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --no-deps"],
        ..PLAIN
    },
];
