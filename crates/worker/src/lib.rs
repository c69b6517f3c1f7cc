//! The IO of a node: processes under a supervisor, and the outputs they leave.
//!
//! A worker does as the coordinator says and reports what happened. Nothing here decides whether a
//! task runs, runs again or has failed, and nothing here may import the coordinator's crates.

mod executor;
mod inbox;
mod node;
pub mod outputs;
pub mod supervisor;

pub use node::{Node, NodeConfig, Orders, Outbox};
