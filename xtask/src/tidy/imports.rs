//! The import table: what each crate of the workspace may depend on, and what it must never see.
//!
//! The table is the architecture. A new edge between two crates is a change of this file and needs
//! a reason in the commit that makes it; a crate without a row does not pass. Normal and build
//! dependencies are held to the table; dev-dependencies may be wider, but a pure crate never tests
//! itself through the whole product.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::PURE;
use super::finding::Finding;

/// One row of the table.
struct Row {
    name: &'static str,
    /// Which crates of the workspace it may import.
    ours: &'static [&'static str],
    /// Which crates from outside it may import.
    outside: Outside,
}

/// How the crates from outside are limited.
enum Outside {
    /// These alone.
    Only(&'static [&'static str]),
    /// Anything but these.
    Without(&'static [&'static [&'static str]]),
}
use Outside::{Only, Without};

/// Hashing with a fixed hasher: all that the pure crates take from outside.
const HASHING: &[&str] = &["hashbrown", "rustc-hash"];
/// Executors, and whatever brings one along.
const EXECUTORS: &[&str] =
    &["async-std", "axum", "hyper", "hyper-util", "reqwest", "smol", "tokio", "tonic"];
/// What speaks to a database, a queue or an object store.
const DRIVERS: &[&str] =
    &["deadpool-postgres", "etcd-client", "object_store", "redis", "rusqlite", "tokio-postgres"];
/// What serves an API to the world.
const SERVERS: &[&str] = &["axum"];

/// Never in a test of a pure crate: the product that stands on it.
const NEVER_UNDER_PURE_TESTS: &[&str] = &["cli", "server"];

const TABLE: &[Row] = &[
    Row { name: "model", ours: &[], outside: Only(HASHING) },
    Row { name: "scheduler", ours: &["model"], outside: Only(HASHING) },
    Row { name: "engine", ours: &["model", "scheduler"], outside: Only(HASHING) },
    Row { name: "compiler", ours: &["model"], outside: Only(HASHING) },
    Row { name: "agent", ours: &["model"], outside: Only(HASHING) },
    Row { name: "spec", ours: &["model"], outside: Without(&[EXECUTORS, DRIVERS]) },
    Row { name: "workload", ours: &["model"], outside: Without(&[EXECUTORS, DRIVERS]) },
    Row { name: "secrets", ours: &["model"], outside: Without(&[EXECUTORS, DRIVERS]) },
    Row { name: "protocol", ours: &["model"], outside: Without(&[EXECUTORS, DRIVERS]) },
    Row { name: "journal", ours: &["model", "protocol"], outside: Without(&[EXECUTORS, DRIVERS]) },
    Row { name: "artifacts", ours: &["model"], outside: Without(&[SERVERS]) },
    Row {
        name: "stores",
        ours: &["artifacts", "journal", "model", "protocol"],
        outside: Without(&[SERVERS]),
    },
    Row {
        name: "server",
        ours: &[
            "artifacts",
            "engine",
            "journal",
            "model",
            "protocol",
            "scheduler",
            "spec",
            "stores",
        ],
        outside: Without(&[DRIVERS]),
    },
    Row {
        name: "worker",
        ours: &["agent", "artifacts", "model", "protocol", "secrets"],
        outside: Without(&[SERVERS, DRIVERS]),
    },
    Row { name: "client", ours: &["model", "protocol"], outside: Without(&[SERVERS, DRIVERS]) },
    Row {
        name: "simulator",
        ours: &["agent", "engine", "journal", "model", "protocol", "scheduler", "spec"],
        outside: Without(&[EXECUTORS, DRIVERS]),
    },
    // It lets the real engine go in virtual time; whoever runs it reads the files and prints.
    Row {
        name: "whatif",
        ours: &["engine", "model", "scheduler", "workload"],
        outside: Without(&[EXECUTORS, DRIVERS]),
    },
    Row {
        name: "cli",
        ours: &[
            "client",
            "compiler",
            "model",
            "protocol",
            "server",
            "simulator",
            "spec",
            "whatif",
            "worker",
            "workload",
        ],
        outside: Without(&[SERVERS, DRIVERS]),
    },
    // What measures the whole may look at every part of it; nothing may look at it.
    Row {
        name: "benches",
        ours: &[
            "agent",
            "artifacts",
            "engine",
            "journal",
            "model",
            "protocol",
            "scheduler",
            "server",
            "spec",
            "stores",
            "whatif",
            "workload",
        ],
        outside: Without(&[DRIVERS]),
    },
    Row { name: "xtask", ours: &[], outside: Without(&[EXECUTORS, DRIVERS]) },
];

/// A crate of the workspace as cargo knows it.
pub(crate) struct Package {
    name: String,
    /// Its `Cargo.toml`, from the root of the repository.
    manifest: String,
    dependencies: Vec<Dependency>,
}

struct Dependency {
    name: String,
    /// Whether only tests, examples and benches see it.
    dev: bool,
    /// Where the manifest names it.
    line: usize,
}

/// Asks cargo for the crates of the workspace and their direct dependencies.
///
/// # Errors
/// When cargo cannot be asked or answers something else.
pub(crate) fn packages(root: &Path) -> Result<Vec<Package>, String> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        return Err(format!("cargo metadata failed: {}", reason.trim()));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("cargo metadata is not JSON: {error}"))?;
    let list = metadata["packages"].as_array().ok_or("cargo metadata lists no packages")?;
    list.iter().map(|package| read_package(root, package)).collect()
}

fn read_package(root: &Path, package: &Value) -> Result<Package, String> {
    let name = package["name"].as_str().ok_or("a package without a name")?;
    let path = package["manifest_path"].as_str().ok_or("a package without a manifest")?;
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let dependencies = package["dependencies"].as_array().map_or(&[][..], Vec::as_slice);
    let dependencies = dependencies.iter().filter_map(|dependency| {
        let name = dependency["name"].as_str()?;
        let line = text.lines().position(|line| line.starts_with(name)).map_or(1, |at| at + 1);
        Some(Dependency { name: name.to_owned(), dev: dependency["kind"] == "dev", line })
    });
    let manifest = Path::new(path).strip_prefix(root).unwrap_or(Path::new(path));
    Ok(Package {
        name: name.to_owned(),
        manifest: manifest.display().to_string(),
        dependencies: dependencies.collect(),
    })
}

/// Holds each package to its row.
pub(crate) fn check(packages: &[Package]) -> Vec<Finding> {
    let is_ours = |name: &str| packages.iter().any(|package| package.name == name);
    let mut findings = Vec::new();
    for package in packages {
        let Some(row) = TABLE.iter().find(|row| row.name == package.name) else {
            findings.push(finding(package, 1, "has no row in the import table".to_owned()));
            continue;
        };
        for dependency in &package.dependencies {
            let allowed = match (dependency.dev, is_ours(&dependency.name)) {
                (true, _) => allowed_in_tests(row, &dependency.name),
                (false, true) => row.ours.contains(&dependency.name.as_str()),
                (false, false) => row.outside.allows(&dependency.name),
            };
            if !allowed {
                let message = format!("must not import `{}`", dependency.name);
                findings.push(finding(package, dependency.line, message));
            }
        }
    }
    findings
}

impl Outside {
    fn allows(&self, name: &str) -> bool {
        match self {
            Only(list) => list.contains(&name),
            Without(lists) => !lists.iter().any(|list| list.contains(&name)),
        }
    }
}

fn allowed_in_tests(row: &Row, name: &str) -> bool {
    !PURE.contains(&row.name) || !NEVER_UNDER_PURE_TESTS.contains(&name)
}

fn finding(package: &Package, line: usize, what: String) -> Finding {
    Finding {
        path: package.manifest.clone(),
        line,
        rule: "imports",
        message: format!("`{}` {what}", package.name),
        advice: "move the code, or argue the edge in xtask/src/tidy/imports.rs",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, normal: &[&str], dev: &[&str]) -> Package {
        let dependency =
            |dev| move |name: &&str| Dependency { name: (*name).to_owned(), dev, line: 1 };
        let dependencies =
            normal.iter().map(dependency(false)).chain(dev.iter().map(dependency(true)));
        Package {
            name: name.to_owned(),
            manifest: format!("crates/{name}/Cargo.toml"),
            dependencies: dependencies.collect(),
        }
    }

    /// The messages about `name` in a workspace where every crate of the table exists.
    fn messages(name: &str, normal: &[&str], dev: &[&str]) -> Vec<String> {
        let others = TABLE.iter().filter(|row| row.name != name);
        let mut packages: Vec<Package> = others.map(|row| package(row.name, &[], &[])).collect();
        packages.push(package(name, normal, dev));
        check(&packages).into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn the_table_lets_pass_what_it_lists() {
        assert!(messages("engine", &["model", "scheduler", "hashbrown"], &["proptest"]).is_empty());
        assert!(messages("cli", &["server", "worker", "clap", "tokio"], &[]).is_empty());
    }

    #[test]
    fn pure_crates_import_nothing_else() {
        assert_eq!(messages("model", &["serde"], &[]), ["`model` must not import `serde`"]);
        assert_eq!(messages("engine", &["tokio"], &[]), ["`engine` must not import `tokio`"]);
        assert_eq!(messages("agent", &["engine"], &[]), ["`agent` must not import `engine`"]);
        assert_eq!(messages("scheduler", &[], &["server"]).len(), 1);
    }

    #[test]
    fn the_journal_and_the_simulator_need_no_executor() {
        assert_eq!(messages("journal", &["tokio"], &[]).len(), 1);
        assert_eq!(messages("simulator", &["tokio", "server"], &[]).len(), 2);
    }

    #[test]
    fn the_server_meets_no_worker_and_the_command_line_no_store() {
        assert_eq!(messages("server", &["worker", "agent", "cli"], &[]).len(), 3);
        assert_eq!(messages("cli", &["stores", "engine", "rusqlite"], &[]).len(), 3);
    }

    #[test]
    fn a_crate_without_a_row_does_not_pass() {
        assert_eq!(messages("newcomer", &[], &[]), ["`newcomer` has no row in the import table"]);
    }
}
