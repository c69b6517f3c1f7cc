//! What a server counts for one key: requests and tokens, each in a bucket that fills evenly.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

/// The budgets are for a minute.
const MINUTE: f64 = 60.0;
/// A bucket with less than this part of its size in it is used up.
const EMPTY_PART: f64 = 0.02;

/// A call.
pub(crate) struct Asked {
    pub(crate) item: usize,
    pub(crate) tokens: u64,
}

/// Something of which there is so much at once, and which flows back within a minute.
struct Bucket {
    size: f64,
    level: f64,
}

impl Bucket {
    fn new(size: u32) -> Self {
        Self { size: size.into(), level: size.into() }
    }

    /// What flows back in a time.
    fn flowed(&self, passed: Duration) -> f64 {
        self.size * passed.as_secs_f64() / MINUTE
    }

    fn fill(&mut self, passed: Duration) {
        self.level = (self.level + self.flowed(passed)).min(self.size);
    }

    /// How long it takes until there is so much.
    fn wait(&self, amount: f64) -> Duration {
        let missing = (amount - self.level).max(0.0);
        Duration::from_secs_f64(missing / self.size * MINUTE)
    }

    fn is_used_up(&self) -> bool {
        self.level < self.size * EMPTY_PART
    }
}

/// A call that was let through.
struct Taken {
    at: Instant,
    item: usize,
    tokens: u64,
}

/// Counts for one key.
pub(crate) struct Meter {
    requests: Bucket,
    tokens: Bucket,
    looked: Instant,
    taken: Vec<Taken>,
    refused: usize,
    steady: Option<Steady>,
}

/// When a bucket was used up first: from then on calls take what flows back.
struct Steady {
    /// How many calls had been let through.
    calls: usize,
    /// What was left in the buckets.
    requests: f64,
    tokens: f64,
}

impl Meter {
    pub(crate) fn new(requests: u32, tokens: u32) -> Self {
        let (requests, tokens) = (Bucket::new(requests), Bucket::new(tokens));
        let looked = Instant::now();
        Self { requests, tokens, looked, taken: Vec::new(), refused: 0, steady: None }
    }

    /// Lets a call through, or says how long it would have had to wait.
    pub(crate) fn ask(&mut self, Asked { item, tokens }: Asked) -> Result<(), Duration> {
        let now = Instant::now();
        let passed = now - self.looked;
        self.looked = now;
        let needed = [(&mut self.requests, 1.0), (&mut self.tokens, tokens as f64)];
        let mut longest = Duration::ZERO;
        for (bucket, amount) in needed {
            bucket.fill(passed);
            longest = longest.max(bucket.wait(amount));
        }
        if longest > Duration::ZERO {
            self.refused += 1;
            return Err(longest);
        }
        self.requests.level -= 1.0;
        self.tokens.level -= tokens as f64;
        self.taken.push(Taken { at: now, item, tokens });
        if self.requests.is_used_up() || self.tokens.is_used_up() {
            let (requests, tokens) = (self.requests.level, self.tokens.level);
            self.steady.get_or_insert(Steady { calls: self.taken.len(), requests, tokens });
        }
        Ok(())
    }

    /// How often each item was answered.
    pub(crate) fn answered(&self) -> BTreeMap<usize, usize> {
        let mut times = BTreeMap::new();
        for taken in &self.taken {
            *times.entry(taken.item).or_default() += 1;
        }
        times
    }

    pub(crate) fn asked(&self) -> usize {
        self.taken.len() + self.refused
    }

    pub(crate) fn refused(&self) -> usize {
        self.refused
    }

    /// How much of what was left and flowed back was taken, from when a bucket was used up first
    /// until the last call: of the budget of which more was taken, for it held the calls up.
    pub(crate) fn used_percent(&self) -> Option<f64> {
        let steady = self.steady.as_ref()?;
        let (before, rest) = self.taken.split_at(steady.calls);
        let passed = rest.last()?.at - before.last()?.at;
        let tokens: u64 = rest.iter().map(|taken| taken.tokens).sum();
        let part = |taken: f64, left: f64, bucket: &Bucket| taken / (left + bucket.flowed(passed));
        let requests = part(rest.len() as f64, steady.requests, &self.requests);
        let tokens = part(tokens as f64, steady.tokens, &self.tokens);
        Some(requests.max(tokens) * 100.0)
    }
}

impl fmt::Display for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.taken.first().map(|taken| taken.at);
        let took = first.map_or(Duration::ZERO, |first| self.looked - first);
        let burst = self.steady.as_ref().map_or(self.taken.len(), |steady| steady.calls);
        let used = self.used_percent().unwrap_or_default();
        write!(
            f,
            "{} calls in {took:.1?}, {} of them refused; {burst} before it was used up, then \
             {used:.1} % of the budget",
            self.asked(),
            self.refused
        )
    }
}
