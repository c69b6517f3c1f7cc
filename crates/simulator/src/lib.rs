//! One thread, one seed: the real engine and agent in a world of faults.
