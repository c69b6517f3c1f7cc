//! Golden files: what earlier builds wrote, and what every later one must read and write alike.
//!
//! `golden/v1/NAME.bin` holds samples, each after its length; `NAME.txt` shows them, `NAME.jsonl`
//! shows them as an export does. A file that is missing is written by
//! `AUTOGLM_BLESS=1 cargo test -p protocol`; one that is there is never replaced, because journals
//! out there cannot be replaced either. When a noun has got a field, remove the `.txt` files that
//! show it and have them written again: nothing but that field may have come to them.

use std::fs;
use std::path::PathBuf;

use prost::encoding::{decode_varint, encode_varint};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/v1")
}

/// Holds the encoding of samples to their golden file.
pub(crate) fn check(name: &str, samples: &[Vec<u8>], text: &str) {
    assert!(!samples.is_empty(), "`{name}` has no sample");
    let mut bytes = Vec::new();
    for sample in samples {
        encode_varint(sample.len() as u64, &mut bytes);
        bytes.extend(sample);
    }
    let (binary, readable) =
        (folder().join(format!("{name}.bin")), folder().join(format!("{name}.txt")));
    let is_blessed = std::env::var_os("AUTOGLM_BLESS").is_some();
    for (path, content) in [(&binary, bytes.as_slice()), (&readable, text.as_bytes())] {
        if is_blessed && !path.exists() {
            fs::write(path, content).expect("the golden folder can be written");
        }
    }
    let golden = fs::read(&binary).unwrap_or_else(|_| panic!("`{name}` has no golden file"));
    assert!(golden == bytes, "the encoding of `{name}` has changed: old journals are unreadable");
    let shown = fs::read_to_string(&readable).unwrap_or_default();
    assert_eq!(shown, text, "the meaning of `{name}` has changed");
}

/// Holds the exported form of samples, one JSON value a line, to its golden file `NAME.jsonl`.
pub(crate) fn check_export(name: &str, lines: &str) {
    let path = folder().join(format!("{name}.jsonl"));
    if std::env::var_os("AUTOGLM_BLESS").is_some() && !path.exists() {
        fs::write(&path, lines).expect("the golden folder can be written");
    }
    let golden = fs::read_to_string(&path);
    let golden = golden.unwrap_or_else(|_| panic!("`{name}` has no golden export"));
    assert_eq!(golden, lines, "programs that read exports of `{name}` would break");
}

/// The samples of a golden file.
pub(crate) fn read(name: &str) -> Vec<Vec<u8>> {
    let bytes = fs::read(folder().join(format!("{name}.bin")));
    let bytes = bytes.unwrap_or_else(|_| panic!("`{name}` has no golden file"));
    let mut rest = bytes.as_slice();
    let mut samples = Vec::new();
    while !rest.is_empty() {
        let length = decode_varint(&mut rest).expect("a golden file is whole");
        let (sample, tail) = rest.split_at(usize::try_from(length).expect("samples are small"));
        samples.push(sample.to_vec());
        rest = tail;
    }
    samples
}

#[test]
fn every_golden_file_belongs_to_a_kind() {
    use crate::{message, record};
    let lists = [
        record::KINDS,
        record::RESTORED_KINDS,
        message::ORDER_KINDS,
        message::NEWS_KINDS,
        message::EVENT_KINDS,
        &[
            "control",
            "calls",
            "calls_told",
            "ways",
            "ways_granted",
            "graph_ways",
            "devices",
            "devices_granted",
            "devices_offered",
            "graph_devices",
            "alternatives",
            "graph_alternatives",
            "graph_constraints",
            "graph_preemption",
            "preemption",
            "gangs",
            "graph_gangs",
            "sites",
            "sites_offered",
            "graph",
            "graph_control",
            "graph_shared",
            "graph_calls",
            "generation",
            "frame_batch",
            "frame_history",
        ],
    ];
    for entry in fs::read_dir(folder()).expect("the golden folder is there") {
        let path = entry.expect("its entries can be read").path();
        let name = path.file_stem().and_then(|name| name.to_str()).expect("names are plain");
        assert!(lists.concat().contains(&name), "`{name}` was a kind once and is none now");
    }
}
