//! The IO of the coordinator: the process that holds a state folder.
//!
//! ```text
//!   api ──▶ handle ──▶ driver ──▶ engine ──▶ facts ──▶ storage (journal, one thread)
//!    ▲                   │  ▲                             │
//!    └──── replies ◀─────┤  └──────── durable ◀───────────┤
//!                        ▼                                ▼
//!                  fleet (workers)                 follower (catalog, archive)
//! ```
//!
//! It decides nothing: rules live in `engine`, and a worker's business in `worker`, which must
//! never be imported here. Nothing leaves this process before its facts are durable.

mod amend;
mod api;
mod aside;
mod cache;
mod chronicle;
mod clock;
mod control;
mod dispatch;
mod driver;
mod earlier;
mod fleet;
mod follower;
mod fork;
mod handle;
mod history;
mod holder;
mod home;
mod inputs;
pub mod inspect;
mod lines;
mod replay;
mod retention;
mod shelf;
mod sources;
mod storage;
mod submission;
mod views;
mod worklog;

pub use fleet::{Link, Mailbox};
pub use handle::{Admission, Done, Gone, Handle, Unadmitted, Version, View};
pub use holder::{Config, Holder, Mode, StartError};
pub use home::Home;
pub use retention::Keep;
pub use scheduler::Policy;
pub use stores::sqlite::FILE_NAME as JOURNAL_NAME;
pub use views::environment;
