//! The sent form of messages, version 1. A tag is never used again for something else.

use crate::amounts::{Amounts, Offered};
use crate::noun::{Nothing, Output};

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ToWorker {
    #[prost(uint64, tag = "1")]
    pub(crate) epoch: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) session: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) number: u64,
    #[prost(oneof = "Order", tags = "4, 5, 6, 7, 8")]
    pub(crate) order: Option<Order>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Order {
    #[prost(message, tag = "4")]
    Welcome(Welcome),
    #[prost(message, tag = "5")]
    Assign(Assign),
    #[prost(message, tag = "6")]
    Stop(Stop),
    /// The last report that is durable.
    #[prost(uint64, tag = "7")]
    Acknowledge(u64),
    /// The heartbeat that leases are renewed from.
    #[prost(uint64, tag = "8")]
    Renew(u64),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Welcome {
    #[prost(uint32, tag = "1")]
    pub(crate) worker: u32,
    #[prost(uint64, optional, tag = "2")]
    pub(crate) lease_us: Option<u64>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Assign {
    #[prost(message, repeated, tag = "1")]
    pub(crate) grants: Vec<Grant>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Grant {
    #[prost(message, optional, tag = "1")]
    pub(crate) lease: Option<Lease>,
    #[prost(uint32, tag = "2")]
    pub(crate) round: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) attempt: u32,
    #[prost(message, optional, tag = "4")]
    pub(crate) request: Option<Amounts>,
    #[prost(uint64, tag = "5")]
    pub(crate) grace_us: u64,
    #[prost(uint32, tag = "6")]
    pub(crate) variant: u32,
    /// One bit a device.
    #[prost(uint64, tag = "7")]
    pub(crate) devices: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Lease {
    #[prost(uint64, tag = "1")]
    pub(crate) run: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) task: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) item: u32,
    #[prost(uint64, tag = "4")]
    pub(crate) token: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Stop {
    #[prost(message, repeated, tag = "1")]
    pub(crate) leases: Vec<Lease>,
    #[prost(uint32, tag = "2")]
    pub(crate) how: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct FromWorker {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(uint64, tag = "2")]
    pub(crate) instance: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) session: u64,
    #[prost(uint64, tag = "4")]
    pub(crate) number: u64,
    #[prost(oneof = "News", tags = "5, 6, 7")]
    pub(crate) news: Option<News>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum News {
    #[prost(message, tag = "5")]
    Hello(Hello),
    #[prost(message, tag = "6")]
    Beat(Beat),
    #[prost(message, tag = "7")]
    Reports(Reports),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Hello {
    #[prost(message, optional, tag = "1")]
    pub(crate) offers: Option<Offered>,
    #[prost(uint64, optional, tag = "2")]
    pub(crate) lease_us: Option<u64>,
    #[prost(uint64, tag = "3")]
    pub(crate) reports_from: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Beat {
    #[prost(uint64, tag = "1")]
    pub(crate) beat: u64,
    #[prost(message, repeated, tag = "2")]
    pub(crate) held: Vec<Lease>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Reports {
    #[prost(uint64, tag = "1")]
    pub(crate) first: u64,
    #[prost(message, repeated, tag = "2")]
    pub(crate) reports: Vec<Report>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Report {
    #[prost(message, optional, tag = "1")]
    pub(crate) lease: Option<Lease>,
    #[prost(oneof = "Event", tags = "2, 3, 4, 5")]
    pub(crate) event: Option<Event>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Event {
    #[prost(message, tag = "2")]
    Started(Nothing),
    #[prost(message, boxed, tag = "3")]
    Ended(Box<Ended>),
    #[prost(message, tag = "4")]
    Returned(Nothing),
    /// How long ago it saved its work, in microseconds.
    #[prost(uint64, tag = "5")]
    Checkpointed(u64),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Ended {
    #[prost(uint32, tag = "1")]
    pub(crate) outcome: u32,
    #[prost(sint32, tag = "2")]
    pub(crate) detail: i32,
    #[prost(uint64, tag = "3")]
    pub(crate) wall_us: u64,
    #[prost(uint64, tag = "4")]
    pub(crate) cpu_us: u64,
    #[prost(uint64, tag = "5")]
    pub(crate) peak_rss_kib: u64,
    #[prost(message, optional, tag = "6")]
    pub(crate) log: Option<Log>,
    #[prost(message, optional, tag = "7")]
    pub(crate) output: Option<Output>,
    #[prost(message, optional, tag = "8")]
    pub(crate) tasks: Option<Output>,
    #[prost(uint32, tag = "9")]
    pub(crate) requests: u32,
    #[prost(uint64, tag = "10")]
    pub(crate) tokens_in: u64,
    #[prost(uint64, tag = "11")]
    pub(crate) tokens_out: u64,
    #[prost(uint64, tag = "12")]
    pub(crate) cost_micro: u64,
    #[prost(uint64, optional, tag = "13")]
    pub(crate) retry_after_us: Option<u64>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Log {
    #[prost(uint32, tag = "1")]
    pub(crate) segment: u32,
    #[prost(uint64, tag = "2")]
    pub(crate) offset: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) bytes: u64,
    #[prost(uint32, tag = "4")]
    pub(crate) frames: u32,
}
