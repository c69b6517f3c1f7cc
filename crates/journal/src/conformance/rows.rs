//! Outputs and objects are durable with the batch that names them, and not without it.

use model::Seq;

use super::{NOW, Subject, acquire, digest, fact, item, numbers, token};
use crate::{AppendError, Batch, Journal, Output, OutputRow};

fn batch<'a>(epoch: model::Epoch, after: u64, rows: &'a [OutputRow<'a>]) -> Batch<'a> {
    Batch { epoch, after: Seq(after), at: NOW, facts: &[], outputs: rows, objects: &[] }
}

pub(super) fn outputs_and_objects_come_with_their_batch<S: Subject>(subject: &mut S) {
    let mut journal = subject.empty();
    let epoch = acquire(&mut journal);
    let large = vec![7; model::limits::INLINE_BYTES_MAX];
    let outputs = [
        OutputRow { item: item(0), token: token(1), bytes: b"{}" },
        OutputRow { item: item(1), token: token(1), bytes: &large },
    ];
    let objects = [(digest(1), b"graph".as_slice()), (digest(2), b"".as_slice())];
    let facts = [fact(1)];
    let batch = Batch { facts: &facts, objects: &objects, ..batch(epoch, 0, &outputs) };
    journal.append(&batch).expect("appends");
    let mut journal = subject.reopen(journal);
    let output = |bytes: &[u8]| Ok(Some(Output { token: token(1), bytes: bytes.to_vec() }));
    assert_eq!(journal.output(item(0)), output(b"{}"));
    assert_eq!(journal.output(item(1)), output(&large));
    assert_eq!(journal.output(item(2)), Ok(None));
    assert_eq!(journal.object(&digest(1)), Ok(Some(b"graph".to_vec())));
    assert_eq!(journal.object(&digest(2)), Ok(Some(vec![])));
    assert_eq!(numbers(&mut journal, 0), [1]);
}

pub(super) fn a_refused_batch_leaves_no_rows<S: Subject>(subject: &mut S) {
    let mut journal = subject.empty();
    let old = acquire(&mut journal);
    let epoch = acquire(&mut journal);
    let outputs = [OutputRow { item: item(0), token: token(1), bytes: b"{}" }];
    let objects = [(digest(1), b"graph".as_slice())];
    let fenced = Batch { objects: &objects, ..batch(old, 0, &outputs) };
    assert_eq!(journal.append(&fenced), Err(AppendError::Fenced { by: epoch }));
    let moved = Batch { objects: &objects, ..batch(epoch, 5, &outputs) };
    assert_eq!(journal.append(&moved), Err(AppendError::Moved { last: Seq(0) }));
    assert_eq!(journal.output(item(0)), Ok(None));
    assert_eq!(journal.object(&digest(1)), Ok(None));
}

pub(super) fn the_greatest_token_wins<S: Subject>(subject: &mut S) {
    let mut journal = subject.empty();
    let epoch = acquire(&mut journal);
    for (number, bytes) in [(5, b"5"), (9, b"9"), (7, b"7")] {
        let rows = [OutputRow { item: item(3), token: token(number), bytes }];
        journal.append(&batch(epoch, 0, &rows)).expect("appends");
    }
    let newest = Output { token: token(9), bytes: b"9".to_vec() };
    assert_eq!(journal.output(item(3)), Ok(Some(newest)));
}

pub(super) fn an_object_may_be_stored_twice<S: Subject>(subject: &mut S) {
    let mut journal = subject.empty();
    let epoch = acquire(&mut journal);
    let objects = [(digest(1), b"same".as_slice())];
    for _ in 0..2 {
        journal.append(&Batch { objects: &objects, ..batch(epoch, 0, &[]) }).expect("appends");
    }
    assert_eq!(journal.object(&digest(1)), Ok(Some(b"same".to_vec())));
}
