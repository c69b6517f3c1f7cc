//! What people and programs are shown of the state: pure functions from a moment to API types.
//!
//! Everything here runs on the driver's thread, between two steps of the engine, so it must be
//! quick: what can be long comes in pages, and nothing walks the items of a fan-out that is not
//! shown. Nothing here changes state, reads a clock, does IO or knows of HTTP.

mod bounds;
mod edit;
mod events;
mod explain;
mod items;
mod names;
mod page;
mod progress;
mod queues;
mod reason;
mod retry;
mod rounds;
mod runs;
mod shares;
mod skips;
mod subject;
mod tasks;
#[cfg(test)]
pub(crate) mod tests;
mod words;

pub(crate) use edit::{Difference, Side, difference, edit};
pub(crate) use events::{event, skipped};
pub(crate) use explain::explain;
pub(crate) use items::{items, with_outputs};
pub(crate) use names::Names;
pub(crate) use page::Page;
pub(crate) use progress::{PathLeft, progress};
pub(crate) use queues::queue_list;
pub(crate) use reason::{ReasonAt, reason_at};
pub(crate) use retry::{retry, retry_items};
pub(crate) use rounds::Rounds;
pub(crate) use runs::{list, summary, tenants};
pub(crate) use shares::{breakers, budgets};
pub(crate) use skips::Skips;
pub(crate) use subject::Subject;
pub(crate) use tasks::detail;
pub use tasks::environment;
pub(crate) use words::{cause, decided, listed, money, plural};
