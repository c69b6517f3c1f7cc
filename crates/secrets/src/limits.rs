//! The bounds of secrets.

/// Bytes of one secret. Linux takes 128 KiB in one variable, and keys are far smaller.
pub const SECRET_BYTES_MAX: usize = 64 << 10;
/// Shorter forms are not masked: they would mask half of every output, and so tell the secret.
pub const MASKED_BYTES_MIN: usize = 4;
