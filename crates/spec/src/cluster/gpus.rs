//! The GPUs of the nodes of a cluster file: `4`, or `{type: a100, count: 4, memory: 80Gi}`.
//!
//! They are devices as a worker would find them, with made-up ids: nothing looks at a machine.

use model::Device;
use model::limits::DEVICES_PER_NODE_MAX;

use crate::code;
use crate::diagnostic::{Fault, Faults};
use crate::file::{GpuKind, Memory, Whole};
use crate::node::{Content, Node as Value};
use crate::read::{Foreign, Instead, Placed, Read, record, wrong_type};

const COUNT_MAX: u64 = DEVICES_PER_NODE_MAX as u64;
/// What GPUs are called of which no kind is known.
const ANY: &str = "gpu";

const FOREIGN: &[Foreign] = &[
    Foreign { key: "kind", what: Instead::Write("type") },
    Foreign { key: "model", what: Instead::Write("type") },
    Foreign { key: "number", what: Instead::Write("count") },
    Foreign { key: "mem", what: Instead::Write("memory") },
];

record! {
    /// GPUs of one kind.
    struct NodeGpuFile("an entry of `gpus`", "a mapping such as `{type: a100, count: 4}`") {
        /// The kind.
        r#type: GpuKind,
        /// How many: 1 if left out.
        count: Placed<Whole<0, COUNT_MAX>>,
        /// Bytes that each has.
        memory: Memory,
    }
    foreign: FOREIGN
}

/// All GPUs of a node.
#[derive(Debug, Default)]
pub(super) struct NodeGpus(Vec<NodeGpuFile>);

impl Read for NodeGpus {
    const TAKES: &'static str = "a number, or a list such as `[{type: a100, count: 4}]`";

    fn read(node: &Value<'_>, key: &str, faults: &mut Faults) -> Option<Self> {
        let gpus = match &node.content {
            Content::Scalar(_) if node.is_null() => return wrong_type(node, key, faults),
            Content::Scalar(_) => {
                let count = Some(Placed::read(node, key, faults)?);
                vec![NodeGpuFile { count, ..NodeGpuFile::default() }]
            }
            Content::Map(_) => vec![NodeGpuFile::read(node, key, faults)?],
            Content::List(_) => Vec::read(node, key, faults)?,
        };
        let gpus = Self(gpus);
        let count = gpus.0.iter().map(NodeGpuFile::count).sum::<usize>();
        if count > DEVICES_PER_NODE_MAX {
            let message = format!("a node has at most {COUNT_MAX} GPUs, and this one has {count}");
            faults.push(Fault::new(code::BAD_VALUE, node.extent, message));
            return None;
        }
        Some(gpus)
    }
}

impl NodeGpuFile {
    fn count(&self) -> usize {
        let count = self.count.as_ref().map_or(1, |count| count.value.0);
        usize::try_from(count).unwrap_or(usize::MAX)
    }
}

impl NodeGpus {
    pub(super) fn devices(&self) -> Box<[Device]> {
        let alike = self.0.iter().flat_map(|gpus| std::iter::repeat_n(gpus, gpus.count()));
        // No number of a real device: an attempt would be shown that one.
        let device = |(number, gpus): (usize, &NodeGpuFile)| {
            Device::described(
                format!("{ANY}-{number}"),
                gpus.r#type.as_ref().map_or(ANY, |kind| kind.0.as_str()),
                gpus.memory.map_or(0, |memory| memory.0),
            )
        };
        alike.enumerate().map(device).collect()
    }
}
