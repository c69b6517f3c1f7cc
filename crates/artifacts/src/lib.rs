//! Where bytes rest: content-addressed objects and log segments.
//!
//! Nothing here knows what the bytes mean, and nothing here may import the coordinator or the
//! worker.

pub mod logs;
pub mod objects;
