//! The IO of a node: supervisor, executors, output.
