//! The DAG compiler: makes graphs small without losing anything.
//!
//! `compress(graph, method) -> compressed` is a pure function on numbers, and
//! `compressed.expand()` is the same graph again: the same node numbers, labels and edges. Chains
//! are folded, like siblings are merged into one with a multiplicity, what counting cannot tell
//! apart is put into classes, and the edges between classes into rules that are checked one by
//! one. How far that goes is a property of the graph: batches of like jobs all but vanish, a graph
//! of unlike tasks stays what it is. Compressed sparse rows are a layout, and count for nothing.
//!
//! It knows labels and edges; it must never know policies, states, files, clocks or floats, and it
//! never panics for what a graph looks like. Attributes of single tasks are not its concern: they
//! stay in tables by node number, and node numbers stay.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod bundle;
mod colour;
mod compress;
mod compressed;
mod fold;
mod graph;
mod order;
mod pieces;
mod report;
mod rows;
mod rule;
mod sequence;
mod shape;
mod tasks;
mod twins;

pub use compress::{Method, compress};
pub use compressed::{Bundle, Class, Compressed, Difference};
pub use fold::Folding;
pub use graph::{Graph, GraphError};
pub use report::{Counts, Report};
pub use rule::{Rule, RuleKind, Sides};
pub use sequence::Sequence;
pub use shape::{Part, Shape, ShapeId, Shapes};
pub use tasks::{TaskKind, TaskKinds, Waits};
