//! One thread, one seed: the real engine, agent, planner, codec and journal in a world of faults.
//!
//! The world owns virtual time and a heap of events; nothing is mocked above the byte. A seed draws
//! a [`plan::Plan`] (machines, work, faults), [`world::run`] runs it to its end, and the
//! invariants, known by their permanent ids, are held against what was recorded and what really
//! happened. A plan that breaks one is made smaller ([`shrink`]) and kept as text in the corpus.
//!
//! Nothing here may read a clock, start a thread, or know a file: one plan gives one history.

pub mod batch;
mod clients;
mod coordinator;
mod disk;
pub mod draw;
mod evaluator;
mod event;
pub mod invariants;
mod ledger;
pub mod mark;
pub mod mutant;
mod node;
mod oracle;
pub mod plan;
mod random;
mod records;
pub mod rehearsal;
mod server;
pub mod shrink;
mod stage;
mod truth;
mod workload;
pub mod world;

#[cfg(test)]
mod tests;
