//! A plan: everything that one simulation is made of, apart from the code it runs.
//!
//! A seed draws a plan (`draw`); a failing plan is made smaller (`shrink`) and kept as text
//! (`plan::text`). Nothing here runs anything.

pub mod features;
pub mod text;

use model::policy::FailurePolicy;
use model::{Span, Timestamp};

use self::features::Features;

/// When every simulation begins: a time on nobody's clock edge.
pub const EPOCH: Timestamp = Timestamp(1_000_000_000_000);

/// One simulation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What the streams of the network and the disk begin with.
    pub seed: u64,
    /// How long work arrives and faults happen; after that everything heals.
    pub length: Span,
    /// The machines.
    pub nodes: Vec<NodePlan>,
    /// The work.
    pub runs: Vec<RunPlan>,
    /// The links between the coordinator and the machines.
    pub net: NetPlan,
    /// The disk under the journal.
    pub disk: DiskPlan,
    /// What breaks, ascending by time.
    pub faults: Vec<Fault>,
}

/// A machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodePlan {
    /// Thousandths of a core.
    pub cpu_milli: u64,
    /// Units of the custom resource `slot`.
    pub slots: u64,
    /// Devices, each second one a large one.
    pub gpus: u64,
    /// Its labels and taints, a bit each; 0 for none.
    pub site: u64,
    /// Whether the worker lives in the coordinator's process and dies with it.
    pub local: bool,
}

/// The shape of a run's graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Each task after the one before.
    Chain,
    /// One task of many items between two of one.
    FanOut,
    /// One, then many tasks, then one.
    Diamond,
    /// Rows of ten tasks; each depends on two or three of the row before.
    Layers,
    /// Each task depends on up to three earlier ones.
    Random,
}

/// A run that somebody submits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunPlan {
    /// What its edges and its tasks' behaviour are drawn from.
    pub seed: u64,
    /// When it is submitted, from the beginning.
    pub at: Span,
    /// Its shape.
    pub shape: Shape,
    /// How many items it has, about.
    pub size: u32,
    /// What each attempt takes at least.
    pub wall_min: Span,
    /// What each attempt takes at most.
    pub wall_max: Span,
    /// How many of a thousand items misbehave.
    pub trouble: u32,
    /// How many retries its tasks have.
    pub retries: u8,
    /// How many losses of their worker its tasks survive.
    pub losses: u8,
    /// What a failure means for the others.
    pub failure: FailurePolicy,
    /// 0 to 100.
    pub priority: u8,
    /// How long the run may take.
    pub timeout: Option<Span>,
    /// How many attempts may be leased at a time.
    pub concurrency: Option<u32>,
    /// Whether it has handlers.
    pub handlers: bool,
    /// How many of a thousand tasks and edges use the features below.
    pub flow: u32,
    /// Which parts of the language they use.
    pub features: Features,
    /// How often the client sends the submission; more than once only with a key.
    pub submissions: u32,
    /// A person stops it this long after its admission.
    pub stop: Option<Span>,
    /// A person terminates it this long after its admission.
    pub terminate: Option<Span>,
    /// A person retries it this long after its end.
    pub retry: Option<Span>,
    /// A person makes a new run of what was done in it, this long after its end.
    pub fork: Option<Span>,
}

/// What the links do to messages. Shares are of a thousand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetPlan {
    /// Never arrive.
    pub loss: u32,
    /// Arrive twice.
    pub duplicate: u32,
    /// Arrive much later than those after them.
    pub reorder: u32,
    /// The usual delay is up to this.
    pub delay_max: Span,
}

/// What the disk does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskPlan {
    /// How long a commit takes at most.
    pub latency_max: Span,
    /// Commits in a thousand whose outcome the coordinator does not learn.
    pub unknown: u32,
}

/// Something that breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// When, from the beginning.
    pub at: Span,
    /// For how long.
    pub length: Span,
    /// What.
    pub kind: FaultKind,
}

/// What can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The machine and all its processes are gone; it comes back as a new one.
    NodeCrash {
        /// Which.
        node: u32,
    },
    /// The machine is gone for ever. Never the first one, which can hold all work.
    NodeGone {
        /// Which.
        node: u32,
    },
    /// The worker sleeps; its processes run on. Longer than a lease, it wakes as a zombie.
    NodePause {
        /// Which.
        node: u32,
    },
    /// What starts there takes ten times as long.
    NodeSlow {
        /// Which.
        node: u32,
    },
    /// Nothing reaches the machine.
    CutTo {
        /// Which.
        node: u32,
    },
    /// Nothing comes from the machine.
    CutFrom {
        /// Which.
        node: u32,
    },
    /// The coordinator dies where its next turn reaches this boundary.
    CoordinatorCrash {
        /// Where.
        boundary: Boundary,
        /// What becomes of what the disk had not synced.
        tail: Tail,
    },
    /// The coordinator sleeps; meanwhile another takes over; then the first one wakes.
    Takeover,
    /// The next commit fails in its fsync.
    SyncError,
    /// The disk is full.
    DiskFull,
}

/// Where in its turn a coordinator dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boundary {
    /// Facts are decided, nothing is written.
    Decided,
    /// Facts are written, not acknowledged.
    Appended,
    /// Facts are acknowledged, no effect has left.
    Acknowledged,
    /// Half of the effects have left.
    Effects,
}

/// What a crash leaves of what was written and not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// All of it.
    Kept,
    /// Nothing of it.
    Lost,
    /// A part of it that ends in the middle of a frame.
    Torn,
}

impl Plan {
    /// Whether a machine never comes back.
    #[must_use]
    pub fn loses(&self, node: usize) -> bool {
        let gone = |fault: &Fault| matches!(fault.kind, FaultKind::NodeGone { .. });
        let node = u32::try_from(node).ok();
        self.faults.iter().any(|fault| gone(fault) && fault.kind.node() == node)
    }

    /// The time until which things break.
    #[must_use]
    pub fn heals_at(&self) -> Timestamp {
        EPOCH + self.length
    }
}

impl FaultKind {
    /// The machine that it hits, if it is one.
    #[must_use]
    pub const fn node(self) -> Option<u32> {
        match self {
            Self::NodeCrash { node }
            | Self::NodeGone { node }
            | Self::NodePause { node }
            | Self::NodeSlow { node }
            | Self::CutTo { node }
            | Self::CutFrom { node } => Some(node),
            Self::CoordinatorCrash { .. } | Self::Takeover | Self::SyncError | Self::DiskFull => {
                None
            }
        }
    }
}
