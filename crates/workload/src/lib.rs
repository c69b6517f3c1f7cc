//! Recorded and described workloads as jobs of tasks, and clusters as nodes: plain data.
//!
//! The way of a file: [`Source::new`] takes its bytes, packed or not; [`read()`] tells by what
//! stands in it which of the [`Format`]s it is and gives a [`Workload`], or what is wrong with it,
//! with its places. Each format has a page of its own here, which says what is taken from it and
//! what is not. A [`Cluster`] is what some of them have beside their tasks; cluster files are read
//! elsewhere, as workflow files are.
//!
//! Recorded files are taken as they are: what they have beside what is asked for is passed over.
//! What would falsify a measurement without a word is refused: a time that is negative or no
//! number, a task that waits for one that is not there, or for itself.
//!
//! Everything is an integer: microseconds, thousandths of a CPU and of a device, bytes. Nothing
//! here opens a file, knows a clock, plans or runs anything, or panics on what stands in a file. It
//! must never know the engine, the scheduler, the server or the command line.

pub mod alibaba_batch;
pub mod alibaba_gpu;
mod builder;
mod cluster;
pub mod code;
mod estimates;
mod fault;
mod format;
pub mod jobs_csv;
mod json;
pub mod limits;
mod names;
pub mod philly;
pub mod scenario;
mod source;
mod suggest;
mod table;
mod units;
pub mod wfcommons;
mod workload;

pub use builder::{Builder, Defect, NewJob, NewTask};
pub use cluster::{Cluster, Gpu, NodeKind};
pub use estimates::Estimates;
pub use fault::{Fault, Faults, Place};
pub use format::{Format, Options, Recorded, read};
pub use names::{NameId, Names};
pub use source::Source;
pub use workload::{Arrival, Devices, Job, KindsId, Task, Terms, TermsId, Workload};
