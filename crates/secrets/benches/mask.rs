//! How fast secrets are masked in ordinary output: lines of a log, and one line without a break.
//!
//! Prints megabytes a second of each, in pieces as they come from a pipe. It judges nothing: hold
//! it against the same on the commit before.

use std::time::{Duration, Instant};

use secrets::{Mask, Secret};

const BYTES: usize = 64 << 20;
const PIECE_BYTES: usize = 16 << 10;
const ROUNDS: usize = 5;

fn main() {
    let secrets =
        [&b"hunter2-and-more"[..], b"ghp_0123456789abcdefghijABCDEFGHIJ012345", &[b'k'; 100]];
    let secrets = secrets.map(|bytes| Secret::new(bytes.to_vec()));
    let mask = Mask::new(&secrets);
    let log = "2026-11-29T20:27:03Z INFO step 1200 of 90000: loss 0.4821, 31.2 samples/s\n";
    let paths = "https://example.org/data/monday/part-00017.parquet\n";
    let letters = "TG9yZW0gaXBzdW0gZG9sb3Igc2l0IGFtZXQsIGNvbnNlY3RldHVyIGFkaXBpc2NpbmcgZWxpdCwg\n";
    for (name, line) in [("log", log), ("paths", paths), ("base64", letters)] {
        let text = line.repeat(BYTES / line.len());
        println!("{name:8} {:>8.0} MB/s", BYTES as f64 / 1e6 / fastest(&mask, &text).as_secs_f64());
    }
}

fn fastest(mask: &Mask, text: &str) -> Duration {
    let round = |_| {
        let (mut stream, mut out) = (mask.stream(), Vec::with_capacity(PIECE_BYTES * 2));
        let began = Instant::now();
        for piece in text.as_bytes().chunks(PIECE_BYTES) {
            out.clear();
            stream.push(piece, &mut out);
        }
        stream.finish(&mut out);
        began.elapsed()
    };
    (0..ROUNDS).map(round).min().unwrap_or_default()
}
