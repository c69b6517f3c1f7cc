//! Files: the cases of the checks, mutated.

use std::fs;

use crate::bounds::bounded;
use crate::random::mutate;
use crate::survival::survives;
use crate::try_for_a_while;

#[test]
fn fuzz_parser() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases");
    let mut corpus: Vec<Vec<u8>> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind != "txt"))
        .map(|path| fs::read(path).unwrap())
        .collect();
    corpus.sort();
    let words: Vec<Vec<u8>> =
        corpus.iter().flat_map(|text| text.split(|byte| *byte == b' ')).map(Vec::from).collect();
    try_for_a_while("parser", |random| {
        let mut bytes = corpus[random.below(corpus.len())].clone();
        for _ in 0..=random.below(8) {
            mutate(&mut bytes, random, &words);
        }
        bounded(&|| String::from_utf8_lossy(&bytes).into_owned(), || survives(&bytes));
    });
}
