//! The journal's contract, its in-memory form with faults, and its conformance suite.
