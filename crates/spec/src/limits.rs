//! The bounds of the workflow language, beside those of [`model::limits`].

/// Bytes of a task's or parameter's name.
pub const NAME_BYTES_MAX: usize = 200;
/// Lists and mappings within each other, aliases followed.
pub const DEPTH_MAX: usize = 64;
/// Values that aliases and merge keys may add to a file.
pub const ALIAS_VALUES_MAX: usize = 1_000_000;
/// Diagnostics that are kept; further ones are only counted.
pub const DIAGNOSTICS_MAX: usize = 100;
/// Bytes of one argument or variable: what Linux takes in one string, its end included.
pub const ARGUMENT_BYTES_MAX: usize = 128 << 10;
/// Instructions that the rendering of one text may take.
pub const RENDER_FUEL: u64 = 1_000_000;
/// Parsed templates that are kept between renderings.
pub const TEMPLATES_CACHED_MAX: usize = 1_024;
/// Steps that finding the ancestors of a file's tasks may take.
pub const ANCESTOR_STEPS_MAX: usize = 50_000_000;
/// The longest duration that a file may ask for, in seconds: ten years.
pub const DURATION_SECS_MAX: u64 = 10 * 365 * 86_400;
/// Retries that a file may ask for.
pub const RETRIES_MAX: u8 = u8::MAX;
/// What memory may be multiplied with from one attempt to the next.
pub const GROWTH_MAX: u32 = 100;
/// Turns that a loop may be given.
pub const ROUNDS_MAX: u16 = 10_000;
/// Turns of a loop that does not say how many there may be.
pub const ROUNDS_DEFAULT: u16 = 100;
/// Items of a fan-out that is worked out while the run goes on and does not say how many there may
/// be.
pub const LATE_ITEMS_DEFAULT: u32 = 1_000_000;
/// Bytes of the stored list of such a fan-out.
pub const LIST_BYTES_MAX: usize = 64 << 20;
/// Bytes of the value of an expression, as JSON, and of a file whose lines are items.
pub const VALUE_BYTES_MAX: usize = 256 << 20;
/// Names that the patterns of a file may be held against.
pub const PATTERN_STEPS_MAX: usize = 50_000_000;
/// Files that may name each other, one the next.
pub const FILE_CHAIN_MAX: usize = 16;
/// Files that a workflow may be made of; one that is named twice counts twice.
pub const FILES_MAX: usize = 1_000;
/// Tasks that a task may write.
pub const FRAGMENT_TASKS_MAX: usize = 10_000;
/// Bytes of what it writes.
pub const FRAGMENT_BYTES_MAX: usize = 1 << 20;
/// Templates that may extend each other, one the next.
pub const TEMPLATE_CHAIN_MAX: usize = 16;
/// What templates may add to a file: a value counts one, and a text that is made its bytes.
pub const TEMPLATE_COST_MAX: usize = 256 << 20;
/// Bytes of the pattern of a parameter.
pub const PATTERN_BYTES_MAX: usize = 1_000;
/// Bytes that a pattern may take when it is compiled: `((a{99}){99}){99}` is refused.
pub const PATTERN_COMPILED_BYTES_MAX: usize = 256 << 10;
/// Labels of a run, or of a task.
pub const LABELS_MAX: usize = 64;
/// Bytes of the key or the value of a label.
pub const LABEL_BYTES_MAX: usize = 200;
/// Artifacts that an attempt may leave.
pub const ARTIFACTS_MAX: usize = 1_000;
/// Processes and threads that an attempt may be limited to: as many as Linux has numbers for.
pub const PIDS_MAX: u64 = 4_194_304;
/// The least memory that an attempt may be limited to: what a process takes until it is there.
pub const MEMORY_LIMIT_BYTES_MIN: u64 = 8 << 20;
/// Nodes of a cluster file.
pub const CLUSTER_NODES_MAX: u64 = 100_000;
/// Queues that a place may have.
pub const QUEUES_MAX: usize = 256;
