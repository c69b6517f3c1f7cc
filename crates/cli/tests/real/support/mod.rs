//! What the tests on the real binary share. It waits on conditions and never on the clock alone.

pub(crate) mod api;
pub(crate) mod binary;
pub(crate) mod example;
pub(crate) mod journal;
pub(crate) mod machine;
pub(crate) mod processes;
pub(crate) mod random;
pub(crate) mod wait;
