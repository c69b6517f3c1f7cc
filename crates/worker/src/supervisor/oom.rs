//! Whether the kernel killed for want of memory, as far as a process without a cgroup can tell.
//!
//! The kernel counts such kills for the whole machine only. A task that died of a SIGKILL which the
//! supervisor did not send, while that count rose, is taken for a victim. Somebody else's victim
//! and a `kill -9` by hand at the same time are mistaken for one; nothing but a report hangs on it.

use std::fs;
use std::time::{Duration, Instant};

/// How old the count may be that a start is compared with; reading it costs some 50 µs.
const SAMPLE_AGE_MAX: Duration = Duration::from_secs(1);

/// The machine's count of kills, as read lately.
pub struct OomKills {
    count: u64,
    read_at: Instant,
}

impl OomKills {
    /// Reads the count.
    pub fn new(now: Instant) -> Self {
        Self { count: read(), read_at: now }
    }

    /// A count that is at most as high as the true one, for a process that starts now.
    pub fn at_start(&mut self, now: Instant) -> u64 {
        if now.duration_since(self.read_at) > SAMPLE_AGE_MAX {
            *self = Self::new(now);
        }
        self.count
    }

    /// Whether there were kills since a count of `before`.
    pub fn rose_since(&mut self, before: u64, now: Instant) -> bool {
        *self = Self::new(now);
        self.count > before
    }
}

fn read() -> u64 {
    fs::read_to_string("/proc/vmstat").map_or(0, |text| parse(&text))
}

fn parse(vmstat: &str) -> u64 {
    vmstat.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_found_among_the_others() {
        assert_eq!(parse("nr_free_pages 1\noom_kill 17\noom_kill_x 3\n"), 17);
        assert_eq!(parse("nr_free_pages 1\n"), 0);
    }
}
