//! Error codes: what a message begins with and what the reference explains.
//!
//! The crates that raise an error define its code; each has a heading of the same name in
//! `docs/reference/errors.md`, which `cargo xtask tidy` checks both ways.

use core::fmt;

/// A stable error code, `E` and four digits. The first two digits tell the area:
/// 01 workflow files, 02 requests about runs, 03 storage, 04 workers, 05 command line and settings,
/// 06 recorded workloads and clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub &'static str);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
