//! The vocabulary of Open-AutoGLM: ids, compiled graphs, resources, facts and messages.
//!
//! Every other crate speaks in these words. The vocabulary does not know its users: nothing here
//! decides, encodes, stores or measures anything, and nothing here may import another crate of
//! ours, the standard library, a clock or a serialisation framework.
#![no_std]

extern crate alloc;

pub mod bounds;
pub mod code;
pub mod collections;
pub mod control;
pub mod device;
pub mod fact;
pub mod graph;
pub mod hash;
pub mod id;
pub mod id_set;
pub mod limits;
pub mod message;
pub mod outcome;
pub mod policy;
pub mod quantity;
pub mod queue;
pub mod resources;
pub mod secret;
pub mod shared;
pub mod site;
pub mod status;
pub mod time;
pub mod wait;
pub mod work;

pub use device::{Device, DeviceUsage, PciAddress, Vendor};
pub use fact::Fact;
pub use graph::Graph;
pub use hash::Digest;
pub use id::{
    Attempt, AttemptId, Epoch, ItemId, ItemKey, Round, RunId, Seq, TaskId, TaskKey, Token,
    VariantId, WorkerId,
};
pub use id_set::IdSet;
pub use outcome::Outcome;
pub use resources::{DeviceRequest, DeviceSet, Offers, Request};
pub use site::{Constraints, Site};
pub use status::{RunStatus, TaskStatus};
pub use time::{Span, Timestamp};
