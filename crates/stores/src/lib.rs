//! The journal, outputs, archive and catalog on real storage.
//!
//! Stores encode facts and index them; they never decide anything by them. Whoever opens a store
//! owns its folder: locks between processes are the server's business.

pub mod archive;
pub mod catalog;
pub mod error;
mod filesystem;
pub mod sqlite;
pub mod subject;

pub use archive::Archive;
pub use catalog::Catalog;
pub use error::StoreError;
pub use sqlite::SqliteJournal;
