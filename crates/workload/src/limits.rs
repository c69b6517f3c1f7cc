//! The bounds of recorded workloads and of clusters, beside those of [`model::limits`].

/// Bytes of a file after it was unpacked. It is read whole.
pub const FILE_BYTES_MAX: usize = 1 << 30;
/// Tasks of a workload: as many as a run may have.
pub const TASKS_MAX: usize = model::limits::TASKS_PER_RUN_MAX;
/// Dependencies of a workload: as many as a run may have.
pub const EDGES_MAX: usize = model::limits::EDGES_MAX;
/// Bytes of all distinct names of a workload.
pub const NAMES_BYTES_MAX: usize = 1 << 30;
/// Distinct lists of kinds of devices that tasks ask for.
pub const DEVICE_KINDS_MAX: usize = u16::MAX as usize;
/// Faults that are kept; further ones are only counted.
pub const FAULTS_MAX: usize = 20;
/// The longest duration and the latest time, in seconds: a hundred years.
pub const SECONDS_MAX: u64 = 100 * 365 * 86_400;
/// Cores that a task may ask for, and a node have.
pub const CORES_MAX: u64 = 1_000_000;
/// Bytes that a task may ask for, read or write, and a node have: 2^60.
pub const BYTES_MAX: u64 = 1 << 60;
/// Devices that a task may ask for, and a node have; members of a gang.
pub const DEVICES_MAX: u64 = 1_000_000;
/// Nodes of a cluster.
pub const NODES_MAX: u64 = 1_000_000;
/// Thousandths of the common speed that a node may have at most.
pub const SPEED_MILLI_MAX: u64 = 1_000_000;
/// Bytes of the name of a node or of a kind of device.
pub const NAME_BYTES_MAX: usize = 200;
/// Lists and mappings within each other.
pub const DEPTH_MAX: usize = 64;
