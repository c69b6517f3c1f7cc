//! The real binary, hurt as the world hurts it: killed, suspended, out of disk, out of power.
//!
//! ```text
//! cargo test -p cli --test real                                    what takes seconds
//! cargo test -p cli --test real kill:: -- --ignored --nocapture    what takes longer, by name
//! ```
//!
//! Nothing here knows how the product works inside: it sees processes, files, exit codes, what is
//! printed, and the journal as it is exported.

mod authoring;
mod behaviour;
mod breaker;
mod budgets;
mod changing;
mod cluster;
mod containers;
mod devices;
mod documents;
mod first_job;
mod full_disk;
mod importing;
mod kill;
mod limits;
mod network;
mod output;
mod past;
mod pausing;
mod power_cut;
mod queues;
mod rehearsing;
mod serving;
mod stop_continue;
mod support;
mod waiting;
