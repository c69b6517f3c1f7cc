//! Every bound of the product in one place, with the relations between them checked at compile
//! time. A queue, a table or an input without a bound here is a defect (invariant S14).

use crate::Span;

/// Tasks of one run, fan-out items not counted.
pub const TASKS_PER_RUN_MAX: usize = 4_000_000;
/// Dependencies of one run.
pub const EDGES_MAX: usize = 64_000_000;
/// Items of one fan-out.
pub const ITEMS_PER_TASK_MAX: u32 = 16_000_000;
/// Bytes of a workflow file.
pub const WORKFLOW_FILE_BYTES_MAX: usize = 256 << 20;
/// Bytes of one script, command or environment after rendering.
pub const RENDERED_BYTES_MAX: usize = 1 << 20;
/// Bytes of one stored journal frame: a record never exceeds it.
pub const FRAME_BYTES_MAX: usize = 1 << 20;
/// Members of a gang, which one fact begins.
pub const GANG_MEMBERS_MAX: u32 = 1_024;
/// Items named by one fact, so that its record stays below [`FRAME_BYTES_MAX`].
pub const ITEMS_PER_FACT_MAX: usize = 4_096;
/// Bytes of outputs that rest in the store, in the same transaction as the outcome.
pub const INLINE_BYTES_MAX: usize = 64 << 10;
/// Bytes of one attempt's outputs.
pub const OUTPUT_BYTES_MAX: usize = 1 << 20;
/// Bytes of a line by which an attempt says that it has saved its work.
pub const CHECKPOINT_BYTES_MAX: usize = 4 << 10;
/// Bytes of one attempt's stdout and stderr that are kept.
pub const LOG_BYTES_MAX: u64 = 16 << 20;
/// Times that an item asks for more memory than before.
pub const GROWTHS_MAX: u8 = 7;
/// Leases that a worker holds beyond what it can run at once.
pub const PREFILL_MAX: u32 = 256;
/// Devices of one node, each part of a device for itself. What is more is left out, and said.
pub const DEVICES_PER_NODE_MAX: usize = 64;
/// Bytes of a device's kind; what is longer in a product's name is left out.
pub const DEVICE_KIND_BYTES_MAX: usize = 96;
/// Nodes that are made up on one machine.
pub const MADE_UP_NODES_MAX: u64 = 1_000;
/// Labels of one node.
pub const LABELS_PER_NODE_MAX: usize = 64;
/// Taints of one node.
pub const TAINTS_PER_NODE_MAX: usize = 16;
/// Bytes of the key of a node's label, of its value, and of a taint.
pub const LABEL_BYTES_MAX: usize = 200;
/// Keys of labels that one task selects or prefers by, and values that it names for one key.
pub const SELECTORS_MAX: usize = 32;
/// Alternatives of one task, what it says itself not counted.
pub const ALTERNATIVES_MAX: usize = 8;
/// Ended runs that stay in memory before the oldest are archived.
pub const ENDED_RUNS_MAX: usize = 1_000;

/// How often a worker says that it lives.
pub const HEARTBEAT: Span = Span::secs(1);
/// Heartbeats missed before a worker is suspect: no new work goes there.
pub const HEARTBEATS_MISSED_MAX: u64 = 3;
/// How long a leader's lease on the journal lasts.
pub const LEADER_LEASE: Span = Span::secs(10);
/// How often a leader renews it.
pub const LEADER_RENEW: Span = Span::secs(3);
/// How long an attempt's lease lasts without a renewal, as the server counts.
pub const ATTEMPT_LEASE: Span = Span::secs(60);
/// By how much the worker's own limit is shorter than the server's.
pub const ATTEMPT_LEASE_MARGIN: Span = Span::secs(5);
/// The longest that a retry waits because the other side asked for it.
pub const RETRY_AFTER_MAX: Span = Span::secs(3_600);
/// How long a task that no worker can ever hold waits for one that can.
pub const UNSATISFIABLE_GRACE: Span = Span::secs(60);

const _: () = {
    assert!(INLINE_BYTES_MAX < FRAME_BYTES_MAX);
    assert!(GANG_MEMBERS_MAX as usize <= ITEMS_PER_FACT_MAX);
    assert!(HEARTBEAT.0 * HEARTBEATS_MISSED_MAX < ATTEMPT_LEASE.0);
    assert!(LEADER_RENEW.0 * 2 < LEADER_LEASE.0);
    // A failover must end before any attempt's lease does.
    assert!(LEADER_LEASE.0 + 2_000_000 + HEARTBEAT.0 < ATTEMPT_LEASE.0 - ATTEMPT_LEASE_MARGIN.0);
    assert!(TASKS_PER_RUN_MAX < u32::MAX as usize);
    assert!(EDGES_MAX < u32::MAX as usize);
};
