//! The stored form of facts, version 1. A tag is never used again for something else.
//!
//! Ids stand flat in each form: a nested key would cost two bytes in every record. Sets and lists
//! of items are packed as in [`crate::columns`].

mod pieces;

use crate::amounts::Offered;
use crate::columns::Column;
use crate::noun::{Nothing, Output};
pub(crate) use pieces::{
    BreakerImage, BudgetImage, Control, ControlImage, Counters, Durations, EndMark, ItemImage,
    ItemsImage, LeaseImage, MeanWall, Piece, PreemptedImage, Restored, RetryImage, RunImage,
    RunSpent, TasksImage, TenantSpent, Totals, Wait,
};

/// One fact.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Record {
    #[prost(
        oneof = "Kind",
        tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, \
                23, 24, 25, 26, 27, 28, 29"
    )]
    pub(crate) kind: Option<Kind>,
}

/// What a record can be. The most frequent kinds have the tags below 16, which take one byte.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Kind {
    #[prost(message, tag = "1")]
    AttemptsLeased(AttemptsLeased),
    #[prost(message, tag = "2")]
    AttemptsStarted(TaskItems),
    #[prost(message, boxed, tag = "3")]
    AttemptsEnded(Box<AttemptsEnded>),
    #[prost(message, tag = "4")]
    LeasesReturned(TaskItems),
    #[prost(message, tag = "5")]
    AttemptOverran(Item),
    #[prost(message, tag = "6")]
    LeaderStarted(LeaderStarted),
    #[prost(message, boxed, tag = "7")]
    WorkerJoined(Box<WorkerJoined>),
    #[prost(message, tag = "8")]
    WorkerLost(WorkerLost),
    #[prost(message, boxed, tag = "9")]
    RunAdmitted(Box<RunAdmitted>),
    #[prost(message, tag = "10")]
    HandlersReleased(RunTasks),
    #[prost(message, tag = "11")]
    TasksSkipped(RunTasks),
    #[prost(message, tag = "12")]
    TasksCancelled(RunTasks),
    #[prost(message, tag = "13")]
    TasksUnsatisfiable(RunTasks),
    #[prost(message, tag = "14")]
    RunStopping(RunStopping),
    #[prost(message, tag = "15")]
    RunEnded(RunEnded),
    #[prost(message, tag = "16")]
    RoundOpened(RoundOpened),
    #[prost(message, tag = "17")]
    RunForgotten(Run),
    #[prost(message, boxed, tag = "18")]
    Restored(Box<Restored>),
    #[prost(message, tag = "19")]
    TaskAnswered(TaskAnswered),
    #[prost(message, tag = "20")]
    TaskSettled(TaskSettled),
    #[prost(message, boxed, tag = "21")]
    RunAmended(Box<RunAmended>),
    #[prost(message, boxed, tag = "22")]
    Marked(Box<Marked>),
    #[prost(message, tag = "23")]
    ItemsReopened(TaskItems),
    #[prost(message, tag = "24")]
    DeadlinePassed(RunTasks),
    #[prost(message, tag = "25")]
    RunPaused(RunPaused),
    #[prost(message, tag = "26")]
    RunResumed(Run),
    #[prost(message, tag = "27")]
    AttemptsCheckpointed(AttemptsCheckpointed),
    #[prost(message, tag = "28")]
    AttemptsPreempted(TaskItems),
    #[prost(message, tag = "29")]
    GangLeased(GangLeased),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct AttemptsLeased {
    #[prost(uint64, tag = "1")]
    pub(crate) run: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) task: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) first: u32,
    /// How many items there are after the first.
    #[prost(uint32, tag = "4")]
    pub(crate) more: u32,
    #[prost(uint32, tag = "5")]
    pub(crate) worker: u32,
    #[prost(uint32, tag = "6")]
    pub(crate) variant: u32,
    /// One bit a device.
    #[prost(uint64, tag = "7")]
    pub(crate) devices: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct GangLeased {
    #[prost(uint64, tag = "1")]
    pub(crate) run: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) task: u32,
    /// In the order of the members, which begin with the first item.
    #[prost(message, repeated, tag = "3")]
    pub(crate) parts: Vec<GangPart>,
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(crate) struct GangPart {
    /// How many members there are after the first.
    #[prost(uint32, tag = "1")]
    pub(crate) more: u32,
    #[prost(uint32, tag = "2")]
    pub(crate) worker: u32,
    /// One bit a device.
    #[prost(uint64, tag = "3")]
    pub(crate) devices: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct TaskItems {
    #[prost(uint64, tag = "1")]
    pub(crate) run: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) task: u32,
    #[prost(uint32, repeated, tag = "3")]
    pub(crate) items: Vec<u32>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct AttemptsCheckpointed {
    #[prost(uint64, tag = "1")]
    pub(crate) run: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) task: u32,
    #[prost(uint32, repeated, tag = "3")]
    pub(crate) items: Vec<u32>,
    /// When each saved its work, in microseconds.
    #[prost(message, optional, tag = "4")]
    pub(crate) saved_at: Option<Column>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct AttemptsEnded {
    #[prost(uint64, tag = "1")]
    pub(crate) run: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) task: u32,
    #[prost(uint32, repeated, tag = "3")]
    pub(crate) items: Vec<u32>,
    #[prost(uint32, tag = "4")]
    pub(crate) outcome: u32,
    #[prost(sint32, tag = "5")]
    pub(crate) detail: i32,
    /// Not before this time; absent when the end is final.
    #[prost(uint64, optional, tag = "6")]
    pub(crate) retry_at: Option<u64>,
    #[prost(message, optional, tag = "7")]
    pub(crate) wall_us: Option<Column>,
    #[prost(message, optional, tag = "8")]
    pub(crate) cpu_us: Option<Column>,
    #[prost(message, optional, tag = "9")]
    pub(crate) peak_rss_kib: Option<Column>,
    #[prost(message, optional, boxed, tag = "10")]
    pub(crate) logs: Option<Box<Logs>>,
    #[prost(message, optional, boxed, tag = "11")]
    pub(crate) outputs: Option<Box<Outputs>>,
    #[prost(message, optional, boxed, tag = "12")]
    pub(crate) spent: Option<Box<Spent>>,
    /// The way in which the items are tried at once; then there is no time.
    #[prost(uint32, optional, tag = "13")]
    pub(crate) instead: Option<u32>,
    /// Whether it counts only when the whole gang has ended well; then there is no time either.
    #[prost(bool, tag = "14")]
    pub(crate) with_gang: bool,
}

/// What the ends spent; absent when none spent anything.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Spent {
    #[prost(message, optional, tag = "1")]
    pub(crate) requests: Option<Column>,
    #[prost(message, optional, tag = "2")]
    pub(crate) tokens_in: Option<Column>,
    #[prost(message, optional, tag = "3")]
    pub(crate) tokens_out: Option<Column>,
    #[prost(message, optional, tag = "4")]
    pub(crate) cost_micro: Option<Column>,
}

/// Where the outputs of those ends rest that have one.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Logs {
    /// Which of the ends, by place in the list; empty when all.
    #[prost(uint32, repeated, tag = "1")]
    pub(crate) which: Vec<u32>,
    #[prost(message, optional, tag = "2")]
    pub(crate) segment: Option<Column>,
    #[prost(message, optional, tag = "3")]
    pub(crate) offset: Option<Column>,
    #[prost(message, optional, tag = "4")]
    pub(crate) bytes: Option<Column>,
    #[prost(message, optional, tag = "5")]
    pub(crate) frames: Option<Column>,
}

/// The names of the outputs of those ends that have some.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Outputs {
    /// Which of the ends, by place in the list; empty when all.
    #[prost(uint32, repeated, tag = "1")]
    pub(crate) which: Vec<u32>,
    /// 32 bytes for each.
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) digests: Vec<u8>,
    #[prost(message, optional, tag = "3")]
    pub(crate) bytes: Option<Column>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Item {
    #[prost(uint64, tag = "1")]
    pub(crate) run: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) task: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) item: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct LeaderStarted {
    #[prost(uint64, tag = "1")]
    pub(crate) epoch: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) format: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct WorkerJoined {
    #[prost(uint32, tag = "1")]
    pub(crate) worker: u32,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    #[prost(uint64, tag = "3")]
    pub(crate) instance: u64,
    #[prost(message, optional, tag = "4")]
    pub(crate) offers: Option<Offered>,
    #[prost(uint64, optional, tag = "5")]
    pub(crate) lease_us: Option<u64>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct WorkerLost {
    #[prost(uint32, tag = "1")]
    pub(crate) worker: u32,
    #[prost(uint32, tag = "2")]
    pub(crate) cause: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RunAdmitted {
    #[prost(uint64, tag = "1")]
    pub(crate) run: u64,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(crate) key: Option<Vec<u8>>,
    #[prost(string, tag = "3")]
    pub(crate) tenant: String,
    #[prost(string, tag = "4")]
    pub(crate) queue: String,
    #[prost(string, tag = "5")]
    pub(crate) name: String,
    #[prost(bytes = "vec", tag = "6")]
    pub(crate) identity: Vec<u8>,
    #[prost(bytes = "vec", tag = "7")]
    pub(crate) content: Vec<u8>,
    #[prost(bytes = "vec", tag = "8")]
    pub(crate) graph: Vec<u8>,
    #[prost(bytes = "vec", tag = "9")]
    pub(crate) definition: Vec<u8>,
    #[prost(uint32, tag = "10")]
    pub(crate) priority: u32,
    #[prost(uint32, tag = "11")]
    pub(crate) failure: u32,
    #[prost(uint64, optional, tag = "12")]
    pub(crate) timeout_us: Option<u64>,
    #[prost(uint32, optional, tag = "13")]
    pub(crate) concurrency: Option<u32>,
    #[prost(fixed64, tag = "14")]
    pub(crate) trace_high: u64,
    #[prost(fixed64, tag = "15")]
    pub(crate) trace_low: u64,
    #[prost(uint64, optional, tag = "16")]
    pub(crate) cost_limit_micro: Option<u64>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RunTasks {
    #[prost(uint64, tag = "1")]
    pub(crate) run: u64,
    #[prost(uint32, repeated, tag = "2")]
    pub(crate) tasks: Vec<u32>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RunStopping {
    #[prost(uint64, tag = "1")]
    pub(crate) run: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) cause: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RunPaused {
    #[prost(uint64, tag = "1")]
    pub(crate) run: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) cause: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RunEnded {
    #[prost(uint64, tag = "1")]
    pub(crate) run: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) status: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RoundOpened {
    #[prost(uint64, tag = "1")]
    pub(crate) run: u64,
    #[prost(uint32, repeated, tag = "2")]
    pub(crate) tasks: Vec<u32>,
    #[prost(uint32, tag = "3")]
    pub(crate) scope: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Run {
    #[prost(uint64, tag = "1")]
    pub(crate) run: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct TaskAnswered {
    #[prost(uint64, tag = "1")]
    pub(crate) run: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) task: u32,
    #[prost(message, optional, tag = "3")]
    pub(crate) output: Option<Output>,
    #[prost(oneof = "Answer", tags = "4, 5, 6, 7, 8, 9, 10, 11, 12")]
    pub(crate) answer: Option<Answer>,
}

/// What the answer can be.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Answer {
    #[prost(message, tag = "4")]
    Begin(Nothing),
    #[prost(message, tag = "5")]
    Skip(Nothing),
    #[prost(message, tag = "6")]
    FanOut(FanOut),
    /// A time, in microseconds.
    #[prost(uint64, tag = "7")]
    Until(u64),
    #[prost(uint32, tag = "8")]
    Route(u32),
    #[prost(message, tag = "9")]
    Done(Nothing),
    #[prost(message, tag = "10")]
    Again(Nothing),
    #[prost(message, tag = "11")]
    Cached(Nothing),
    #[prost(message, tag = "12")]
    Invalid(Nothing),
}

/// How many items there are, and where the list of them is.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct FanOut {
    #[prost(uint32, tag = "1")]
    pub(crate) items: u32,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) list: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct TaskSettled {
    #[prost(uint64, tag = "1")]
    pub(crate) run: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) task: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) verdict: u32,
    #[prost(message, optional, tag = "4")]
    pub(crate) output: Option<Output>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RunAmended {
    #[prost(uint64, tag = "1")]
    pub(crate) run: u64,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) graph: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) definition: Vec<u8>,
    #[prost(uint32, tag = "4")]
    pub(crate) priority: u32,
    #[prost(uint32, optional, tag = "5")]
    pub(crate) concurrency: Option<u32>,
    /// Whose attempt wrote the new tasks; absent when a person edited the run.
    #[prost(message, optional, tag = "6")]
    pub(crate) generated_by: Option<TaskItem>,
    #[prost(uint64, optional, tag = "7")]
    pub(crate) cost_limit_micro: Option<u64>,
}

/// An item of a run that is named elsewhere.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct TaskItem {
    #[prost(uint32, tag = "1")]
    pub(crate) task: u32,
    #[prost(uint32, tag = "2")]
    pub(crate) item: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Marked {
    #[prost(uint64, tag = "1")]
    pub(crate) run: u64,
    #[prost(uint32, repeated, tag = "2")]
    pub(crate) tasks: Vec<u32>,
    /// Absent when all items are meant.
    #[prost(message, optional, tag = "3")]
    pub(crate) items: Option<Ids>,
    #[prost(uint32, tag = "4")]
    pub(crate) status: u32,
    #[prost(message, optional, tag = "5")]
    pub(crate) control: Option<ControlOf>,
    #[prost(message, optional, tag = "6")]
    pub(crate) output: Option<Output>,
    #[prost(oneof = "MarkedWhy", tags = "7, 8, 9")]
    pub(crate) why: Option<MarkedWhy>,
}

/// A set that may be absent.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Ids {
    #[prost(uint32, repeated, tag = "1")]
    pub(crate) ids: Vec<u32>,
}

/// Why something is marked.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum MarkedWhy {
    #[prost(message, tag = "7")]
    Person(Nothing),
    #[prost(message, tag = "8")]
    Cache(Nothing),
    /// The run that this one was made from.
    #[prost(uint64, tag = "9")]
    Fork(u64),
}

/// What an answer has made of a task that is named elsewhere.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ControlOf {
    #[prost(oneof = "Control", tags = "3, 4, 5, 6")]
    pub(crate) control: Option<Control>,
}
