//! The IO of a node: what runs attempts, the supervisor of their processes, and what they leave.
//!
//! A worker does as the coordinator says and reports what happened. Nothing here decides whether a
//! task runs, runs again or has failed, and nothing here may import the coordinator's crates.

mod desk;
pub mod devices;
mod executors;
mod inbox;
mod keep;
mod node;
pub mod outputs;
pub mod supervisor;
pub mod tasks;

pub use executors::is_offered as offers_containers;
pub use keep::{ARTIFACT_BYTES_MAX, ARTIFACTS_MAX};
pub use node::{Node, NodeConfig, Orders, Outbox, Station};
