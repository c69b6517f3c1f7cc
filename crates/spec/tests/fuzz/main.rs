//! Whatever stands in a workflow file: nothing panics, and nothing takes unbounded time or memory.
//!
//! ```text
//! AUTOGLM_FUZZ_SECONDS=60 cargo test -p spec --test fuzz          a minute of each, side by side
//! AUTOGLM_FUZZ_SEED=7 cargo test -p spec --test fuzz expressions  the same inputs once more
//! ```
//!
//! Each kind of input is one page with one test: `parser`, `expressions`, `fragments`; a new kind
//! is a new page.
//! `bombs` are known ways to make much of little. What a test has tried last is told when it fails,
//! with the seed.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod bombs;
mod bounds;
mod expressions;
mod fragments;
mod grammar;
mod inputs;
mod parser;
mod random;
mod survival;

use std::env;
use std::time::{Duration, Instant};

use random::Random;

/// Tries inputs for as long as was asked for, two seconds if nothing was. `one` makes an input and
/// tries it; it gives back what a failure should show.
fn try_for_a_while(kind: &str, mut one: impl FnMut(&mut Random)) {
    let number = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let end = Instant::now() + Duration::from_secs(number("AUTOGLM_FUZZ_SECONDS").unwrap_or(2));
    let fresh = || u64::from(std::process::id()) << 20 | 1;
    let seed = number("AUTOGLM_FUZZ_SEED").unwrap_or_else(fresh);
    let (mut random, mut tried) = (Random::new(seed), 0_u64);
    while Instant::now() < end {
        let tried_so_far = std::panic::AssertUnwindSafe(|| one(&mut random));
        if let Err(panic) = std::panic::catch_unwind(tried_so_far) {
            println!("{kind}: seed {seed}, input {tried}");
            std::panic::resume_unwind(panic);
        }
        tried += 1;
    }
    println!("{kind}: {tried} inputs, seed {seed}");
    assert!(tried > 20, "only {tried} inputs: too slow to find anything");
}
