//! What is durable: the history of a run holds decisions and nothing else, and is enough.
//!
//! A real server, a real worker and the real binary run a workflow in which everything is marked
//! that must stay out of journal, snapshots and engine. Then their bytes are searched for it, and
//! the journal is replayed by code that knows no templates.
//!
//! `cargo test -p cli --test durable`

mod history;
mod house;
mod leaks;
mod marks;
mod replay;
mod secrecy;
mod whole;
