//! Workflow files: read, checked, compiled, rendered.
