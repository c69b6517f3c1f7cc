//! The pure half of a worker: leases held, deadlines, what to report.
