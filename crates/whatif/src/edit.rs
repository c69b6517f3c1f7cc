//! Changes of a cluster, to ask what would be if it were another.
//!
//! | Written | Is |
//! |---|---|
//! | `nodes.gpu += 2` | two more nodes of the kind `gpu` |
//! | `nodes.gpu -= 1` | one less |
//! | `nodes.gpu = 10` | ten of them; 0 takes them away |
//! | `nodes.gpu.speed = 2` | each twice as fast as the common speed |
//! | `nodes.gpu.cpu = 64` | 64 CPUs each |
//! | `nodes.gpu.memory = 512Gi` | 512 GiB of memory each |
//! | `nodes.gpu.gpus = 4` | four devices each, of the kind that they had |

use model::quantity;
use workload::limits::{BYTES_MAX, CORES_MAX, DEVICES_MAX, NODES_MAX, SPEED_MILLI_MAX};
use workload::{Cluster, Gpu, NodeKind};

use crate::{Trouble, code};

const FORMS: &str =
    "write a change as `nodes.NAME += 2`, `nodes.NAME = 10` or `nodes.NAME.speed = 2`";
const KEYS: [&str; 4] = ["cpu", "memory", "gpus", "speed"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Set,
    More,
    Less,
}

/// Changes a cluster as it is written.
///
/// # Errors
/// It cannot be read, there are no such nodes, or too few or too many would be left.
pub fn edit(cluster: &Cluster, change: &str) -> Result<Cluster, Trouble> {
    let bad = |message: String| Trouble::new(code::BAD_EDIT, message).hint(FORMS);
    let equals = change.find('=').ok_or_else(|| bad(format!("`{change}` has no `=`")))?;
    let (place, sign) = match &change[..equals] {
        place if place.ends_with('+') => (&place[..equals - 1], Sign::More),
        place if place.ends_with('-') => (&place[..equals - 1], Sign::Less),
        place => (place, Sign::Set),
    };
    let (place, value) = (place.trim(), change[equals + 1..].trim());
    let name = place.strip_prefix("nodes.").ok_or_else(|| {
        bad(format!("`{place}` is nothing that can be changed: only `nodes.NAME` can"))
    })?;
    let mut changed = cluster.clone();
    // A name may have dots itself: the longest that is one counts.
    let known = |name: &str| cluster.nodes.iter().position(|node| node.name == name);
    let (node, key) = match (known(name), name.rsplit_once('.')) {
        (Some(node), _) => (node, None),
        (None, Some((name, key))) => {
            (known(name).ok_or_else(|| unknown(cluster, name))?, Some(key))
        }
        (None, None) => return Err(unknown(cluster, name)),
    };
    match key {
        None => {
            let count = count(&cluster.nodes[node], sign, value).map_err(bad)?;
            changed.nodes[node].count = count;
            changed.nodes.retain(|node| node.count > 0);
        }
        Some(key) if sign == Sign::Set => set(&mut changed.nodes[node], key, value)?,
        Some(key) => {
            let it = &cluster.nodes[node].name;
            return Err(bad(format!("`{key}` of `{it}` can only be set, with `=`")));
        }
    }
    if changed.is_empty() {
        return Err(bad("no node would be left".to_owned()));
    }
    if changed.len() > NODES_MAX {
        return Err(bad(format!("there would be more than {NODES_MAX} nodes")));
    }
    Ok(changed)
}

fn unknown(cluster: &Cluster, name: &str) -> Trouble {
    let names: Vec<&str> = cluster.nodes.iter().map(|node| node.name.as_str()).collect();
    let known = names.iter().take(12).copied().collect::<Vec<_>>().join(", ");
    Trouble::new(code::UNKNOWN_NODE, format!("the cluster has no nodes named `{name}`"))
        .meant(name, &names)
        .hint(format!("its nodes are: {known}"))
}

fn count(node: &NodeKind, sign: Sign, value: &str) -> Result<u32, String> {
    let number: u32 = value.parse().map_err(|_| format!("`{value}` is not a number of nodes"))?;
    let name = &node.name;
    match sign {
        Sign::Set => Ok(number),
        Sign::More => node.count.checked_add(number).ok_or(format!("{value} nodes are too many")),
        Sign::Less => node
            .count
            .checked_sub(number)
            .ok_or(format!("there are only {} nodes named `{name}`", node.count)),
    }
}

fn set(node: &mut NodeKind, key: &str, value: &str) -> Result<(), Trouble> {
    let bad = |takes: &str| {
        let message = format!("`{value}` is no `{key}` of a node");
        Err(Trouble::new(code::BAD_EDIT, message).hint(format!("`{key}` takes {takes}")))
    };
    match key {
        "cpu" => match quantity::cpu_milli(value).filter(|&it| it > 0 && it <= CORES_MAX * 1_000) {
            Some(milli) => node.cpu_milli = milli,
            None => return bad("CPUs such as `64` or `500m`"),
        },
        "memory" => match quantity::bytes(value).filter(|&bytes| bytes <= BYTES_MAX) {
            Some(bytes) => node.memory_bytes = bytes,
            None => return bad("bytes such as `256Gi`"),
        },
        "speed" => {
            let milli = quantity::scaled(value, 1_000).and_then(|it| u32::try_from(it).ok());
            match milli.filter(|&milli| milli > 0 && u64::from(milli) <= SPEED_MILLI_MAX) {
                Some(milli) => node.speed_milli = milli,
                None => return bad("a number such as `2` or `0.5`"),
            }
        }
        "gpus" => match value.parse::<u32>() {
            Ok(count) if u64::from(count) <= DEVICES_MAX => set_gpus(node, count),
            _ => return bad("a whole number"),
        },
        _ => {
            let message = format!("a node has no `{key}` that can be changed");
            let hint = format!("what can be is: {}", KEYS.join(", "));
            return Err(Trouble::new(code::BAD_EDIT, message).meant(key, &KEYS).hint(hint));
        }
    }
    Ok(())
}

/// Gives a node so many devices of its first kind.
fn set_gpus(node: &mut NodeKind, count: u32) {
    let first = node.gpus.first().cloned();
    let first = first.unwrap_or(Gpu { kind: "gpu".to_owned(), count, memory_bytes: 0 });
    node.gpus = if count == 0 { Vec::new() } else { vec![Gpu { count, ..first }] };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster() -> Cluster {
        let gpus = vec![Gpu { kind: "A100".into(), count: 8, memory_bytes: 80 }];
        let node = |name: &str, count| NodeKind {
            name: name.into(),
            count,
            cpu_milli: 8_000,
            gpus: gpus.clone(),
            ..NodeKind::default()
        };
        Cluster { nodes: vec![node("gpu", 2), node("rack.big", 1)] }
    }

    #[test]
    fn counts_and_what_nodes_have_are_changed() {
        let after = |change: &str| edit(&cluster(), change).unwrap().nodes;
        let counts = |change: &str| after(change).iter().map(|it| it.count).collect::<Vec<_>>();
        assert_eq!(counts("nodes.gpu += 2"), [4, 1]);
        assert_eq!(counts("nodes.gpu-=1"), [1, 1]);
        assert_eq!(counts("nodes.gpu = 0"), [1]);
        assert_eq!(counts("nodes.rack.big = 7"), [2, 7]);
        assert_eq!(after("nodes.rack.big.speed = 2.5")[1].speed_milli, 2_500);
        assert_eq!(after("nodes.gpu.cpu = 64")[0].cpu_milli, 64_000);
        assert_eq!(after("nodes.gpu.memory=1Gi")[0].memory_bytes, 1 << 30);
        let gpus = &after("nodes.gpu.gpus = 4")[0].gpus;
        assert_eq!((gpus[0].count, &*gpus[0].kind, gpus[0].memory_bytes), (4, "A100", 80));
        assert!(after("nodes.gpu.gpus = 0")[0].gpus.is_empty());
    }

    #[test]
    fn what_cannot_be_is_told_with_what_to_do() {
        let told = |change: &str| edit(&cluster(), change).unwrap_err().to_string();
        let expected = "error[E0613]: the cluster has no nodes named `gpus`\n\
                        help: did you mean `gpu`?";
        assert_eq!(told("nodes.gpus += 2"), expected);
        assert!(told("nodes.x = 2").contains("its nodes are: gpu, rack.big"));
        assert!(told("nodes.gpu").contains("error[E0612]: `nodes.gpu` has no `=`"));
        assert!(told("gpu += 1").contains("only `nodes.NAME` can"));
        assert!(told("nodes.gpu -= 3").contains("there are only 2 nodes named `gpu`"));
        assert!(told("nodes.gpu += x").contains("`x` is not a number of nodes"));
        assert!(told("nodes.gpu.sped = 1").contains("did you mean `speed`?"));
        assert!(told("nodes.gpu.cpu += 1").contains("can only be set"));
        assert!(told("nodes.gpu.speed = 0").contains("`speed` takes a number"));
        assert!(told("nodes.gpu += 4000000").contains("more than 1000000 nodes"));
        let one = Cluster { nodes: cluster().nodes.split_off(1) };
        assert!(edit(&one, "nodes.rack.big = 0").unwrap_err().message.contains("no node"));
    }
}
