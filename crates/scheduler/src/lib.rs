//! The planner: which ready work goes to which worker, and why the rest stays.
//!
//! `plan(problem, fuel) -> plan` is a pure function on integers: the same problem gives the same
//! plan on every machine. It knows request classes, groups and nodes; it must never know runs'
//! graphs, journals, clocks or floats, and it changes nothing: the engine checks each placement
//! against the state of the moment before it becomes a fact.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod fit;
mod plan;
pub mod planner;
mod problem;

pub use fit::{fits, nearest_miss};
pub use plan::plan;
pub use problem::{
    Class, Draw, Group, Node, Placement, Plan, Problem, Refusal, RefusalReason, Shortage,
};
