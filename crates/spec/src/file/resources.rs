//! What an attempt needs, and what it may have at most.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::devices::Gpus;
use super::values::{Cpu, Memory, Whole, YesNo, inline_schema};
use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::limits::{NAME_BYTES_MAX, PIDS_MAX};
use crate::node::{Content, Node};
use crate::read::{Placed, Read, mapping};
use crate::source::Extent;

/// The largest custom amount.
pub(crate) const AMOUNT_MAX: u64 = 1_000_000_000_000;

/// Amounts of what a worker has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Amounts {
    pub cpu: Option<Placed<Cpu>>,
    pub memory: Option<Placed<Memory>>,
    pub gpu: Option<Placed<Gpus>>,
    /// Amounts by name, such as `license: 2`.
    pub custom: Vec<(Placed<String>, u64)>,
}

/// What an attempt needs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resources {
    pub extent: Extent,
    pub requests: Amounts,
    pub limits: Amounts,
    /// Processes and threads at a time.
    pub pids: Option<u64>,
    /// Where it says that the attempt has cores of its own.
    pub pin: Option<Placed<YesNo>>,
}

fn amounts_schema(generator: &mut SchemaGenerator) -> serde_json::Value {
    serde_json::json!({
        "cpu": {
            "description": "CPUs: `2`, `0.5` or `500m`. 1 if left out.",
            "type": ["number", "string"]
        },
        "memory": {
            "description": "Bytes: `512Mi`, `16Gi`, `1G` or a number.",
            "type": ["integer", "string"]
        },
        "gpu": Gpus::json_schema(generator)
    })
}

inline_schema!(Resources, |generator| {
    let other = serde_json::json!({"type": "integer", "minimum": 0, "maximum": AMOUNT_MAX});
    let amounts = serde_json::json!({
        "type": "object",
        "properties": amounts_schema(generator),
        "additionalProperties": other
    });
    let mut limits = amounts.clone();
    limits["properties"]["pids"] = serde_json::json!({
        "description": "Processes and threads at a time.",
        "type": "integer", "minimum": 1, "maximum": PIDS_MAX
    });
    let mut properties = amounts_schema(generator);
    properties["requests"] = amounts;
    properties["limits"] = limits;
    properties["pin"] = serde_json::json!({
        "description": "Whether each attempt runs on cores that no other such attempt runs on. It \
                        asks for whole ones then.",
        "type": "boolean"
    });
    json_schema!({
        "type": "object",
        "properties": properties,
        "additionalProperties": other
    })
});

impl Read for Amounts {
    const TAKES: &'static str = "a mapping such as `{cpu: 2, memory: 4Gi}`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let mut amounts = Self::default();
        for entry in mapping::<Self>(node, key, faults)? {
            amounts.add((&entry.key, entry.key_extent), &entry.value, faults);
        }
        Some(amounts)
    }
}

impl Amounts {
    pub(crate) fn add(
        &mut self,
        (name, extent): (&str, Extent),
        value: &Node<'_>,
        faults: &mut Faults,
    ) {
        match name {
            "cpu" => self.cpu = Placed::read(value, name, faults),
            "memory" => self.memory = Placed::read(value, name, faults),
            "gpu" => self.gpu = Placed::read(value, name, faults),
            "cpus" | "mem" | "ram" | "gpus" => {
                let ours = match name {
                    "cpus" => "cpu",
                    "gpus" => "gpu",
                    _ => "memory",
                };
                let message = format!("`resources` has no key `{name}`");
                let fault = Fault::new(code::UNKNOWN_KEY, extent, message);
                faults.push(fault.hint(format!("write `{ours}`")));
            }
            "pids" => {
                let message = "`pids` is a limit: nothing is reserved of it";
                let fault = Fault::new(code::UNKNOWN_KEY, extent, message);
                faults.push(fault.hint("write `limits: {pids: ...}`"));
            }
            _ if name.is_empty() || name.len() > NAME_BYTES_MAX => {
                let message = "the name of a resource has 1 to 200 bytes";
                faults.push(Fault::new(code::BAD_NAME, extent, message));
            }
            _ => {
                if let Some(Whole(amount)) = Whole::<0, AMOUNT_MAX>::read(value, name, faults) {
                    self.custom.push((Placed { value: name.to_owned(), extent }, amount));
                }
            }
        }
    }
}

impl Read for Resources {
    const TAKES: &'static str = "a mapping such as `{cpu: 2, memory: 4Gi}`";

    fn read(node: &Node<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let mut resources = Self { extent: node.extent, ..Self::default() };
        let entries = mapping::<Self>(node, key, faults)?;
        let requests = entries.iter().find(|entry| entry.key == "requests");
        for entry in entries {
            let key = &*entry.key;
            // A custom amount may have such a name where nothing is in it.
            let is_mapping = matches!(entry.value.content, Content::Map(_));
            match key {
                "requests" if is_mapping => {
                    resources.requests = Amounts::read(&entry.value, key, faults)?;
                }
                "limits" if is_mapping => {
                    resources.read_limits(&entry.value, faults)?;
                }
                "pin" => resources.pin = Placed::read(&entry.value, key, faults),
                _ if requests.is_some() => {
                    let message = format!("`{key}` stands beside `requests`");
                    let fault = Fault::new(code::CONFLICT, entry.key_extent, message);
                    faults.push(fault.hint("write it in `requests`, or all without `requests`"));
                }
                _ => resources.requests.add((key, entry.key_extent), &entry.value, faults),
            }
        }
        Some(resources)
    }
}

impl Resources {
    fn read_limits(&mut self, node: &Node<'_>, faults: &mut Faults) -> Option<()> {
        for entry in mapping::<Amounts>(node, "limits", faults)? {
            if entry.key == "pids" {
                let pids = Whole::<1, PIDS_MAX>::read(&entry.value, "pids", faults);
                self.pids = pids.map(|pids| pids.0);
            } else {
                self.limits.add((&entry.key, entry.key_extent), &entry.value, faults);
            }
        }
        Some(())
    }
}
