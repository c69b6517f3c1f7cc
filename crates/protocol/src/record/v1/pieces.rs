//! The stored form of the pieces of a snapshot, version 1. A tag is never used again for something
//! else.

use super::FanOut;
use crate::amounts::Amounts;

/// A piece of a snapshot.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Restored {
    #[prost(oneof = "Piece", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14")]
    pub(crate) piece: Option<Piece>,
}

/// What a piece of a snapshot can be.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Piece {
    #[prost(message, tag = "1")]
    Counters(Counters),
    #[prost(message, tag = "2")]
    Run(RunImage),
    #[prost(message, tag = "3")]
    Tasks(TasksImage),
    #[prost(message, tag = "4")]
    Items(ItemsImage),
    #[prost(message, tag = "5")]
    Lease(LeaseImage),
    #[prost(message, tag = "6")]
    Retry(RetryImage),
    #[prost(message, tag = "7")]
    End(EndMark),
    #[prost(message, tag = "8")]
    Control(ControlImage),
    #[prost(message, tag = "9")]
    Budget(BudgetImage),
    #[prost(message, tag = "10")]
    Breaker(BreakerImage),
    #[prost(message, tag = "11")]
    RunSpent(RunSpent),
    #[prost(message, tag = "12")]
    TenantSpent(TenantSpent),
    #[prost(message, tag = "13")]
    Durations(Durations),
    #[prost(message, tag = "14")]
    Preempted(PreemptedImage),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Counters {
    #[prost(uint64, tag = "1")]
    pub(crate) next_run: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) next_worker: u32,
    #[prost(message, repeated, tag = "3")]
    pub(crate) mean_wall_us: Vec<MeanWall>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct MeanWall {
    #[prost(message, optional, tag = "1")]
    pub(crate) request: Option<Amounts>,
    #[prost(uint64, tag = "2")]
    pub(crate) mean_us: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RunImage {
    #[prost(uint64, tag = "1")]
    pub(crate) run: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) status: u32,
    #[prost(uint32, optional, tag = "3")]
    pub(crate) cause: Option<u32>,
    #[prost(uint64, optional, tag = "4")]
    pub(crate) ended_at: Option<u64>,
    /// The stage, from 0 for the ordinary tasks.
    #[prost(uint32, tag = "5")]
    pub(crate) released: u32,
    /// Why it is paused; 0 when it is not.
    #[prost(uint32, tag = "6")]
    pub(crate) paused: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct TasksImage {
    #[prost(uint64, tag = "1")]
    pub(crate) run: u64,
    #[prost(uint32, repeated, tag = "2")]
    pub(crate) tasks: Vec<u32>,
    #[prost(message, optional, tag = "3")]
    pub(crate) item: Option<ItemImage>,
    #[prost(uint32, tag = "4")]
    pub(crate) waiting_for: u32,
    #[prost(uint32, tag = "5")]
    pub(crate) round: u32,
    /// One more than the value, so that "not yet" (`u32::MAX`) is 0 and costs nothing.
    #[prost(uint32, tag = "6")]
    pub(crate) started_ms: u32,
    /// Likewise.
    #[prost(uint32, tag = "7")]
    pub(crate) ended_ms: u32,
    /// 0 when there was none.
    #[prost(uint32, tag = "8")]
    pub(crate) trouble: u32,
    #[prost(sint32, tag = "9")]
    pub(crate) trouble_detail: i32,
    /// How many more edges are undecided than must still be met. 0 where every edge must be met,
    /// which was so for all tasks before this field was.
    #[prost(sint32, tag = "10")]
    pub(crate) undecided_more: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ItemImage {
    #[prost(uint32, tag = "1")]
    pub(crate) status: u32,
    #[prost(uint32, tag = "2")]
    pub(crate) attempts: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) failures: u32,
    #[prost(uint32, tag = "4")]
    pub(crate) losses: u32,
    #[prost(uint32, tag = "5")]
    pub(crate) growths: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ItemsImage {
    #[prost(uint64, tag = "1")]
    pub(crate) run: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) task: u32,
    #[prost(uint32, repeated, tag = "3")]
    pub(crate) items: Vec<u32>,
    #[prost(message, optional, tag = "4")]
    pub(crate) image: Option<ItemImage>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct LeaseImage {
    #[prost(uint64, tag = "1")]
    pub(crate) run: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) task: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) item: u32,
    #[prost(uint64, tag = "4")]
    pub(crate) token: u64,
    #[prost(uint32, tag = "5")]
    pub(crate) worker: u32,
    #[prost(uint64, optional, tag = "6")]
    pub(crate) started_at: Option<u64>,
    #[prost(bool, tag = "7")]
    pub(crate) overran: bool,
    #[prost(uint32, tag = "8")]
    pub(crate) variant: u32,
    /// One bit a device.
    #[prost(uint64, tag = "9")]
    pub(crate) devices: u64,
    #[prost(uint64, optional, tag = "10")]
    pub(crate) saved_at: Option<u64>,
    #[prost(uint64, optional, tag = "11")]
    pub(crate) leaving_since: Option<u64>,
    /// Whether it has done its work, and waits for its gang.
    #[prost(bool, tag = "12")]
    pub(crate) is_done: bool,
    #[prost(uint64, optional, tag = "13")]
    pub(crate) dismissed_at: Option<u64>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct PreemptedImage {
    #[prost(uint64, tag = "1")]
    pub(crate) run: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) task: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) item: u32,
    #[prost(uint32, tag = "4")]
    pub(crate) count: u32,
    #[prost(uint64, tag = "5")]
    pub(crate) lost_us: u64,
    #[prost(uint64, tag = "6")]
    pub(crate) waited_us: u64,
    #[prost(uint64, optional, tag = "7")]
    pub(crate) left_at: Option<u64>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RetryImage {
    #[prost(uint64, tag = "1")]
    pub(crate) run: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) task: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) item: u32,
    #[prost(uint64, tag = "4")]
    pub(crate) at: u64,
    #[prost(uint32, tag = "5")]
    pub(crate) variant: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct BudgetImage {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(uint64, tag = "2")]
    pub(crate) full_at: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct BreakerImage {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(uint32, tag = "2")]
    pub(crate) failures: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) openings: u32,
    #[prost(uint64, optional, tag = "4")]
    pub(crate) open_until: Option<u64>,
    #[prost(uint32, tag = "5")]
    pub(crate) last: u32,
    #[prost(sint32, tag = "6")]
    pub(crate) last_detail: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RunSpent {
    #[prost(uint64, tag = "1")]
    pub(crate) run: u64,
    #[prost(message, optional, tag = "2")]
    pub(crate) totals: Option<Totals>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct TenantSpent {
    #[prost(string, tag = "1")]
    pub(crate) tenant: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) totals: Option<Totals>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Durations {
    #[prost(string, tag = "1")]
    pub(crate) workflow: String,
    #[prost(uint32, tag = "2")]
    pub(crate) policy: u32,
    #[prost(uint32, repeated, tag = "3")]
    pub(crate) recent_ms: Vec<u32>,
    #[prost(uint32, tag = "4")]
    pub(crate) variant: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Totals {
    #[prost(uint64, tag = "1")]
    pub(crate) requests: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) tokens_in: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) tokens_out: u64,
    #[prost(uint64, tag = "4")]
    pub(crate) cost_micro: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct EndMark {
    #[prost(uint64, tag = "1")]
    pub(crate) seq: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) at: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) epoch: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ControlImage {
    #[prost(uint64, tag = "1")]
    pub(crate) run: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) task: u32,
    #[prost(oneof = "Control", tags = "3, 4, 5, 6")]
    pub(crate) control: Option<Control>,
}

/// What an answer can have made of a task.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Control {
    #[prost(message, tag = "3")]
    FanOut(FanOut),
    #[prost(uint32, tag = "4")]
    Route(u32),
    #[prost(message, tag = "5")]
    Wait(Wait),
    #[prost(uint32, tag = "6")]
    Turn(u32),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Wait {
    /// When it ends by itself; absent when never.
    #[prost(uint64, optional, tag = "1")]
    pub(crate) until: Option<u64>,
}
