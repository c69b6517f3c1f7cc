//! What an engine is told of a container: its image and command, what it sees of this machine, what
//! it is held to, and whose it is.

use std::path::Path;

use model::work::container::{Container, Mount};
use serde_json::{Value as Json, json};

use super::super::{Attempt, CHECKPOINTS, HEARTBEAT};
use super::devices;
use super::house::House;
use crate::supervisor::Limits;

/// Where a container sees the files of its attempt.
const INSIDE: &str = "/autoglm";
/// The weight of a core, as engines have it.
const CORE_SHARES: u64 = 1_024;

/// The name of the container of an attempt: no other has it.
pub(super) fn name(attempt: &Attempt, house: &House) -> String {
    format!("autoglm-{}-{}-{}", house.name(), attempt.token, attempt.id.key.item)
}

/// What an engine makes a container of. `shared` is the folder for what it leaves.
pub(super) fn body(attempt: &Attempt, container: &Container, house: &House, shared: &Path) -> Json {
    let (label, whose) = house.label();
    let key = attempt.id.key;
    let mut body = json!({
        "Image": container.image,
        "Env": env(attempt, container),
        "AttachStdin": false,
        "OpenStdin": false,
        "Tty": false,
        "Labels": {
            label: whose,
            "autoglm.run": key.run.to_string(),
            "autoglm.task": key.task.to_string(),
            "autoglm.item": key.item.to_string(),
        },
        "HostConfig": host(attempt, container, shared),
    });
    let texts = [("User", &container.user), ("WorkingDir", &container.folder)];
    for (key, text) in texts {
        if let Some(text) = text {
            body[key] = json!(text);
        }
    }
    for (key, words) in [("Cmd", &container.command), ("Entrypoint", &container.entrypoint)] {
        if !words.is_empty() {
            body[key] = json!(words);
        }
    }
    body
}

fn env(attempt: &Attempt, container: &Container) -> Vec<String> {
    let files = [
        ("AUTOGLM_OUTPUT", "output"),
        ("AUTOGLM_TASKS", "tasks"),
        (CHECKPOINTS, "checkpoints"),
        ("AUTOGLM_WORKDIR", "work"),
    ];
    let bound = devices::variables(&attempt.granted, container.gpus);
    let is_bound = |name: &str| bound.iter().any(|(known, _)| *known == name);
    let given = attempt.env.iter().chain(&attempt.secrets);
    given
        .filter(|(name, _)| !is_bound(name))
        .map(|(name, value)| format!("{name}={value}"))
        .chain(bound.iter().map(|(name, value)| format!("{name}={value}")))
        .chain(files.map(|(name, file)| format!("{name}={INSIDE}/{file}")))
        .chain(attempt.heartbeat_file.iter().map(|_| format!("{HEARTBEAT}={INSIDE}/heartbeat")))
        .collect()
}

fn host(attempt: &Attempt, container: &Container, shared: &Path) -> Json {
    let mut mounts = vec![
        bind(shared, INSIDE, false),
        bind(&attempt.work_dir, &format!("{INSIDE}/work"), false),
    ];
    mounts.extend(container.mounts.iter().map(|mount| seen(mount, &attempt.folder)));
    let mut host = json!({"Mounts": mounts});
    if let Some(network) = &container.network {
        host["NetworkMode"] = json!(network);
    }
    devices::give(&mut host, &attempt.granted, container.gpus);
    limit(&mut host, &attempt.limits);
    host
}

fn limit(host: &mut Json, limits: &Limits) {
    let Limits { cpu_max_milli, cpu_weight_milli, memory_max_bytes, .. } = limits;
    if let Some(milli) = cpu_max_milli {
        host["NanoCpus"] = json!(milli * 1_000_000);
    }
    if limits.need_group() && *cpu_weight_milli > 0 {
        host["CpuShares"] = json!((cpu_weight_milli * CORE_SHARES / 1_000).max(2));
    }
    if let Some(bytes) = memory_max_bytes {
        host["Memory"] = json!(bytes);
        // Without a word an engine gives as much swap again.
        host["MemorySwap"] = json!(bytes);
        if limits.memory_low_bytes > 0 {
            host["MemoryReservation"] = json!(limits.memory_low_bytes);
        }
    }
    if let Some(pids) = limits.pids_max {
        host["PidsLimit"] = json!(pids);
    }
    if !limits.cores.is_empty() {
        let cores: Vec<String> = limits.cores.iter().map(u32::to_string).collect();
        host["CpusetCpus"] = json!(cores.join(","));
    }
}

fn bind(source: &Path, target: &str, is_read_only: bool) -> Json {
    json!({
        "Type": "bind", "Source": source, "Target": target, "ReadOnly": is_read_only,
    })
}

/// A name without a slash is a volume, as engines have it.
fn seen(mount: &Mount, folder: &Path) -> Json {
    let Mount { source, target, is_read_only } = mount;
    if source.contains('/') || source == "." || source == ".." {
        return bind(&folder.join(source), target, *is_read_only);
    }
    json!({"Type": "volume", "Source": source, "Target": target, "ReadOnly": is_read_only})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_told_as_an_engine_has_them() {
        let mut host = json!({});
        let limits = Limits {
            cpu_max_milli: Some(500),
            cpu_weight_milli: 250,
            memory_max_bytes: Some(64 << 20),
            pids_max: Some(10),
            cores: vec![0, 3],
            ..Limits::default()
        };
        limit(&mut host, &limits);
        let told = json!({
            "NanoCpus": 500_000_000_u64, "CpuShares": 256, "Memory": 64 << 20,
            "MemorySwap": 64 << 20, "PidsLimit": 10, "CpusetCpus": "0,3",
        });
        assert_eq!(host, told);
        let mut free = json!({});
        limit(&mut free, &Limits { cpu_weight_milli: 1_000, nice: 5, ..Limits::default() });
        assert_eq!(free, json!({}));
    }

    #[test]
    fn a_source_without_a_slash_is_a_volume() {
        let mount = |source: &str| Mount {
            source: source.to_owned(),
            target: "/data".to_owned(),
            is_read_only: true,
        };
        let folder = Path::new("/flow");
        assert_eq!(seen(&mount("./in"), folder)["Source"], json!("/flow/./in"));
        assert_eq!(seen(&mount("/in"), folder)["Source"], json!("/in"));
        assert_eq!(seen(&mount("models"), folder)["Type"], json!("volume"));
    }
}
