//! The one codec: stored and sent forms of facts and messages.
//!
//! What is written down is not what is in memory: every noun of `model` that leaves the process has
//! a form of its own here, with explicit tags, and a conversion in each direction. Reading never
//! panics, whatever the bytes. Nothing here decides, stores, sends or reads a clock.

mod amounts;
pub mod api;
mod columns;
pub mod error;
pub mod frame;
#[cfg(test)]
mod golden;
pub mod graph;
pub mod message;
mod noun;
pub mod record;

/// The version of the facts that this build writes, and the newest that it reads. A leader states
/// it in its first fact; a reader that meets a greater one stops there instead of guessing.
///
/// 2 has control flow: answers to tasks, and tasks whose edges need not all be met. 3 has runs that
/// are amended, marks, deadlines, and what runs share. 4 has failures of calls and of servers, what
/// attempts spent, circuit breakers, and runs that pause. 5 has work that may be done in several
/// ways. 6 has devices, and what the work of each workflow took of late. 7 has labels and taints of
/// workers, and attempts that save their work and make room for others.
pub const FORMAT: u32 = 8;
