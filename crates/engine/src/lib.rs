//! The coordinator as one pure state machine.
//!
//! `step(now, input)` decides, records facts, applies them, and returns facts and effects. It is
//! synchronous and deterministic: no clock, no randomness, no IO, no floats; it must never know
//! how facts are encoded or where they rest. The same code runs live, replays a crash, and is
//! searched for bugs by the simulator.
//!
//! - [`state`]: what the facts so far have made. Read by everyone, written by `apply` alone.
//! - `apply`: facts into state. Total and infallible; there is no other restore code.
//! - `decide`: inputs into facts. May change with every release; facts may not.
//! - `planning`: what the planner is told of the state, and asked.
//! - [`Pipeline`]: holds effects until what they rest on is durable.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod apply;
mod check;
mod decide;
mod engine;
mod explain;
mod input;
mod outlook;
mod pipeline;
mod planning;
mod rules;
mod snapshot;
pub mod state;
mod suppose;

pub use check::Violation;
pub use engine::{Engine, Graphs};
pub use explain::{Ahead, Explanation};
pub use input::{
    Amendment, Answer, Answered, Effect, Generated, Input, Rejection, RequestId, Step, Submission,
};
pub use outlook::{Decision, Outlook};
pub use pipeline::Pipeline;
pub use planning::{KeptResource, KeptRoom, QueueUse};
pub use rules::Rules;
pub use scheduler::{Candidate, Spread};
