//! What a workload would do on a described cluster: the real engine and planner in virtual time.
//!
//! Jobs of a [`Workload`] become runs that are submitted when they come, the nodes of a [`Cluster`]
//! become workers, and time skips whatever is waited for. What is decided is decided by
//! `engine::Engine`, which hears and says the same as in a real house; [`Figures`] say what came of
//! it. The same seed gives the same figures.
//!
//! [`prepare`] makes a [`Work`] of workloads, [`edit`](edit()) changes a cluster, [`play`] lets
//! time pass, [`measure()`] looks at what happened, and [`report`] draws it.
//!
//! Nothing here has a clock, a thread, a file or a random source. It must never decide where or
//! when a task starts: that is the engine's, also where it is wrong.
//!
//! The history of a live system comes in as any other workload, with what really happened beside it
//! ([`Recorded`]): nothing here knows where they come from.

pub mod bound;
mod chance;
pub mod code;
mod come;
mod edit;
mod fit;
mod graphs;
mod house;
pub mod measure;
mod merge;
mod node;
mod paths;
mod play;
mod recorded;
pub mod report;
pub mod terms;
mod trouble;
mod work;
pub mod workflow;

pub use come::Coming;
pub use edit::edit;
pub use graphs::queue_of;
pub use house::Policy;
pub use measure::{Figures, OfQueue, Seen, Spread, measure};
pub use merge::merge;
pub use play::{Attempt, End, Played, Setup, Stuck, play};
pub use recorded::{RECORDED, Recorded, RecordedJob};
pub use trouble::Trouble;
pub use work::{Load, Work, prepare};
pub use workload::{Cluster, Workload};

/// The policy of a name, as files and commands use it.
///
/// # Errors
/// There is none of that name.
pub fn policy(name: &str) -> Result<Policy, Trouble> {
    let known = Policy::ALL.iter().find(|(_, known)| *known == name);
    known.map(|&(policy, _)| policy).ok_or_else(|| {
        let names: Vec<&str> = Policy::ALL.iter().map(|&(_, name)| name).collect();
        let message = format!("there is no policy `{name}`");
        Trouble::new(code::UNKNOWN_POLICY, message)
            .meant(name, &names)
            .hint(format!("policies are: {}", names.join(", ")))
    })
}

/// What a policy is called.
#[must_use]
pub fn name_of(policy: Policy) -> &'static str {
    Policy::ALL.iter().find(|&&(known, _)| known == policy).map_or("", |&(_, name)| name)
}
