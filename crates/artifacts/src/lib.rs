//! Where bytes rest: content-addressed objects and log segments.
