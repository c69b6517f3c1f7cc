//! The one codec: stored and sent forms of facts and messages.
