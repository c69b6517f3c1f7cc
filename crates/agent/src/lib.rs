//! The pure half of a worker: which leases it holds, what it starts and ends, what it reports.
//!
//! [`Agent`] is a state machine: the worker's loop hands it orders, and news of its processes, and
//! does what it returns. It decides nothing that the coordinator decides (retries, timeouts, what a
//! failure means), and it never reads a clock, draws a random number, or does any input or output.
//!
//! ```text
//!   orders ─▶ session ─▶ leases ─▶ Start, Stop          (from `step`)
//!   news of processes ─▶ leases ─▶ reports ─▶ Send      (from `flush`, many to a message)
//!   time ─▶ lifeline: heartbeats, and the end of all leases
//! ```
#![no_std]

extern crate alloc;

mod agent;
mod leases;
mod lifeline;
mod reports;
mod room;
mod session;

pub use agent::{Agent, AgentConfig, AgentInput, AgentOutput};
