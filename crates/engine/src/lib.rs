//! The coordinator as one pure state machine.
