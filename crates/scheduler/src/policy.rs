//! Policies: settings of the one planner, so that they can be compared on one trace.

/// How the planner decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Whoever came first, on the first node with room; who has no room holds up all behind.
    Fifo,
    /// The same with backfill: who comes later may go first if that delays nobody who has a
    /// reservation (EASY; Lifka 1995).
    FifoBackfill,
    /// Whoever came first and has room, the nodes in turn.
    RoundRobin,
    /// The shortest first.
    Sjf,
    /// The longest remaining path first, where it ends earliest (Topcuoglu et al. 2002), decided
    /// anew whenever anything changes.
    Heft,
    /// What is nearly done first, nobody too late, where it ends earliest and packs best.
    #[default]
    Autoglm,
}

/// In which order groups go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Order {
    Arrival,
    Shortest,
    Rank,
    #[default]
    Remaining,
}

/// What becomes of those behind a group that has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behind {
    /// They wait with it.
    Wait,
    /// They go, as far as that does not delay the first of those that have no room.
    Backfill,
    /// They go.
    Go,
    /// They go, as far as that does not delay those that are hard to place or have waited long.
    Reserve,
}

/// Which of the nodes with room is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    First,
    Turn,
    Tightest,
    /// Where it ends first, which may be a node that has no room yet.
    Earliest,
}

impl Policy {
    /// All of them, by the names that files and commands use.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Fifo, "fifo"),
        (Self::FifoBackfill, "fifo_backfill"),
        (Self::RoundRobin, "round_robin"),
        (Self::Sjf, "sjf"),
        (Self::Heft, "heft"),
        (Self::Autoglm, "autoglm"),
    ];

    pub(super) const fn order(self) -> Order {
        match self {
            Self::Fifo | Self::FifoBackfill | Self::RoundRobin => Order::Arrival,
            Self::Sjf => Order::Shortest,
            Self::Heft => Order::Rank,
            Self::Autoglm => Order::Remaining,
        }
    }

    pub(super) const fn behind(self) -> Behind {
        match self {
            Self::Fifo => Behind::Wait,
            Self::FifoBackfill => Behind::Backfill,
            Self::RoundRobin | Self::Sjf | Self::Heft => Behind::Go,
            Self::Autoglm => Behind::Reserve,
        }
    }

    pub(super) const fn choice(self) -> Choice {
        match self {
            Self::Fifo => Choice::First,
            Self::RoundRobin => Choice::Turn,
            Self::FifoBackfill | Self::Sjf => Choice::Tightest,
            Self::Heft | Self::Autoglm => Choice::Earliest,
        }
    }
}
