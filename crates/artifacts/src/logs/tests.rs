//! Logs as their users see them: what is written comes back, and what is spoilt is told.

use std::fs::{self, OpenOptions};
use std::path::Path;

use model::message::LeaseId;
use model::outcome::LogRef;
use model::{ItemId, ItemKey, RunId, TaskId, Timestamp, Token};

use super::Ticket;
use proptest::prelude::*;
use tempfile::TempDir;

use super::frame::PAYLOAD_BYTES_MAX;
use super::*;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn open(dir: &TempDir) -> Writer {
    Writer::open(dir.path()).unwrap().0
}

fn out(writer: &mut Writer, ticket: u64, text: &str) {
    writer.append(Ticket(ticket), Stream::Out, Timestamp(ticket * 100), text.as_bytes());
}

fn lease(number: u64) -> LeaseId {
    let item = ItemKey { run: RunId(1), task: TaskId(2), item: ItemId(3) };
    LeaseId { item, token: Token(number) }
}

fn owner(number: u64) -> Owner {
    Owner { item: lease(number).item, token: Some(Token(number)) }
}

fn anyone() -> Owner {
    Owner { item: lease(0).item, token: None }
}

fn finish(writer: &mut Writer, ticket: u64) -> LogRef {
    let log = writer.finish(Ticket(ticket), Timestamp(1)).unwrap();
    writer.flush().unwrap();
    log
}

fn text(dir: &TempDir, log: LogRef) -> String {
    let log = read(dir.path(), log, anyone(), 0).unwrap();
    assert_eq!(log.damage, None);
    joined(&log)
}

fn joined(log: &Log) -> String {
    let pieces = log.chunks.iter().map(|chunk| match &chunk.content {
        Content::Output(_, bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Content::Dropped { .. } => "[dropped]".to_owned(),
    });
    pieces.collect()
}

fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn interleaved_attempts_come_apart() {
    let dir = folder();
    let mut writer = open(&dir);
    for word in ["a", "b", "c"] {
        out(&mut writer, 1, word);
        out(&mut writer, 2, &word.to_uppercase());
        writer.flush().unwrap();
    }
    writer.append(Ticket(1), Stream::Err, Timestamp(7), b"!");
    let (one, two) = (finish(&mut writer, 1), finish(&mut writer, 2));
    assert_eq!((one.bytes, one.frames, two.bytes, two.frames), (4, 4, 3, 3));
    assert_eq!((text(&dir, one), text(&dir, two)), ("abc!".into(), "ABC".into()));

    let last = &read(dir.path(), one, anyone(), 3).unwrap().chunks;
    let content = Content::Output(Stream::Err, b"!".to_vec());
    assert_eq!(last, &[Chunk { sequence: 3, at: Timestamp(7), content }]);
    assert_eq!(read(dir.path(), one, anyone(), 4).unwrap(), Log::default());
    assert_eq!(writer.finish(Ticket(1), Timestamp(1)), None, "it has ended");
}

#[test]
fn no_output_makes_no_file() {
    let dir = folder();
    let mut writer = open(&dir);
    writer.flush().unwrap();
    assert_eq!(writer.finish(Ticket(1), Timestamp(1)), None);
    writer.close().unwrap();
    assert_eq!(files(dir.path()), Vec::<String>::new());
}

#[test]
fn a_running_attempt_can_be_read() {
    let dir = folder();
    let mut writer = open(&dir);
    assert_eq!(writer.log_so_far(Ticket(1)), None);
    out(&mut writer, 1, "so far");
    writer.sync().unwrap();
    assert_eq!(text(&dir, writer.log_so_far(Ticket(1)).unwrap()), "so far");
}

#[test]
fn long_output_is_cut_into_frames() {
    let dir = folder();
    let mut writer = open(&dir);
    let long = "x".repeat(PAYLOAD_BYTES_MAX * 2 + 1);
    out(&mut writer, 1, &long);
    let log = finish(&mut writer, 1);
    assert_eq!((log.frames, log.bytes), (3, long.len() as u64));
    assert_eq!(text(&dir, log), long);
}

#[test]
fn segments_are_rotated_and_chains_cross_them() {
    let dir = folder();
    let (mut writer, _) = Writer::open_with(dir.path(), 200).unwrap();
    let words: Vec<String> = (0..40).map(|i| format!("word {i}\n")).collect();
    for word in &words {
        out(&mut writer, 1, word);
    }
    let log = finish(&mut writer, 1);
    assert_eq!(text(&dir, log), words.concat());
    assert!(files(dir.path()).len() > 5);
    writer.close().unwrap();
    for name in files(dir.path()) {
        assert!(fs::metadata(dir.path().join(&name)).unwrap().len() <= 248, "{name}");
    }
}

#[test]
fn dropped_output_is_noted() {
    let dir = folder();
    let mut writer = open(&dir);
    out(&mut writer, 1, "kept");
    writer.note_dropped(Ticket(1), Timestamp(5), 10, 20);
    let log = finish(&mut writer, 1);
    assert_eq!((log.bytes, log.frames), (4, 2));
    let content = Content::Dropped { over_cap_bytes: 10, stalled_bytes: 20, unwritten_bytes: 0 };
    let chunks = read(dir.path(), log, anyone(), 1).unwrap().chunks;
    assert_eq!(chunks, [Chunk { sequence: 1, at: Timestamp(5), content }]);
}

#[test]
fn output_beyond_what_may_wait_is_dropped_and_noted() {
    let dir = folder();
    let mut writer = open(&dir);
    let chunk = vec![b'x'; PAYLOAD_BYTES_MAX];
    for _ in 0..20 {
        writer.append(Ticket(1), Stream::Out, Timestamp(1), &chunk);
    }
    let log = finish(&mut writer, 1);
    let last = read(dir.path(), log, anyone(), log.frames - 1).unwrap().chunks.remove(0);
    let Content::Dropped { unwritten_bytes, .. } = last.content else { panic!("{last:?}") };
    assert!(unwritten_bytes > 0);
    assert_eq!(log.bytes + unwritten_bytes, 20 * chunk.len() as u64);
}

#[test]
fn a_failed_write_is_tried_again() {
    let dir = folder();
    let mut writer = open(&dir);
    out(&mut writer, 1, "patient");
    let hidden = dir.path().with_extension("hidden");
    fs::rename(dir.path(), &hidden).unwrap();
    writer.flush().unwrap_err();
    fs::rename(&hidden, dir.path()).unwrap();
    let log = finish(&mut writer, 1);
    assert_eq!(text(&dir, log), "patient");
}

#[test]
fn a_torn_tail_is_cut_and_older_logs_stay() {
    let dir = folder();
    let mut writer = open(&dir);
    out(&mut writer, 1, "first");
    let first = finish(&mut writer, 1);
    out(&mut writer, 2, "second");
    let second = finish(&mut writer, 2);
    drop(writer);
    let path = dir.path().join(file_name(0));
    let length = fs::metadata(&path).unwrap().len();
    OpenOptions::new().write(true).open(&path).unwrap().set_len(length - 3).unwrap();

    let torn = read(dir.path(), second, anyone(), 0).unwrap();
    assert!(torn.chunks.is_empty());
    assert!(torn.damage.unwrap().contains("00000000.log: the frame at byte"));

    let (mut writer, recovery) = Writer::open(dir.path()).unwrap();
    assert_eq!(recovery.torn_bytes, 48 + "second".len() as u64 - 3);
    assert_eq!(text(&dir, first), "first");
    out(&mut writer, 3, "third");
    let third = finish(&mut writer, 3);
    assert_eq!(third.segment, 1);
    assert_eq!(text(&dir, third), "third");
}

#[test]
fn a_clean_end_and_a_foreign_file_are_left_alone() {
    let dir = folder();
    let mut writer = open(&dir);
    out(&mut writer, 1, "text");
    writer.close().unwrap();
    let path = dir.path().join(file_name(0));
    let before = fs::read(&path).unwrap();
    drop(open(&dir));
    assert_eq!(fs::read(&path).unwrap(), before);

    let foreign = dir.path().join(file_name(5));
    fs::write(&foreign, b"AGLMLOG\x03 something newer").unwrap();
    let (mut writer, recovery) = Writer::open(dir.path()).unwrap();
    assert_eq!(recovery, Recovery::default());
    assert_eq!(fs::read(&foreign).unwrap().len(), 24);
    out(&mut writer, 2, "after");
    assert_eq!(finish(&mut writer, 2).segment, 6);
}

#[test]
fn a_missing_segment_is_told() {
    let dir = folder();
    let bogus = LogRef { segment: 9, offset: u64::MAX, bytes: 1, frames: u32::MAX };
    let log = read(dir.path(), bogus, anyone(), 0).unwrap();
    assert!(log.chunks.is_empty() && log.damage.is_some());
}

#[test]
fn a_segment_of_the_first_layout_is_read_and_its_torn_tail_is_cut() {
    let dir = folder();
    let mut writer = open(&dir);
    out(&mut writer, 1, "early");
    let early = finish(&mut writer, 1);
    drop(writer);
    let path = dir.path().join(file_name(0));
    let mut bytes = fs::read(&path).unwrap();
    bytes[..8].copy_from_slice(&frame::MAGIC_NAMELESS);
    bytes.extend(b"torn");
    fs::write(&path, bytes).unwrap();
    assert_eq!(Writer::open(dir.path()).unwrap().1, Recovery { torn_bytes: 4 });
    assert_eq!(text(&dir, early), "early");
    let leases = vec![lease(1)];
    let wanted = Search { leases, since: Timestamp(0), until: Timestamp(u64::MAX / 2) };
    assert!(search(dir.path(), &wanted).unwrap().is_empty());
}

#[test]
fn output_that_is_gone_is_not_taken_for_anothers() {
    let dir = folder();
    let mut writer = open(&dir);
    writer.begin(Ticket(1), lease(5));
    out(&mut writer, 1, "mine");
    let mine = finish(&mut writer, 1);
    let read_as = |owner| read(dir.path(), mine, owner, 0).unwrap();
    assert_eq!(joined(&read_as(owner(5))), "mine");
    assert_eq!(joined(&read_as(anyone())), "mine");
    drop(writer);
    fs::remove_file(dir.path().join(file_name(0))).unwrap();
    let gone = read_as(owner(5)).damage.unwrap();
    assert_eq!(gone, "the output is gone: 00000000.log is no longer there");

    let mut writer = open(&dir);
    writer.begin(Ticket(1), lease(6));
    out(&mut writer, 1, "hers");
    assert_eq!(finish(&mut writer, 1), mine, "numbers begin anew");
    assert_eq!(joined(&read_as(owner(6))), "hers");
    let gone = read_as(owner(5));
    assert!(gone.chunks.is_empty());
    assert!(gone.damage.unwrap().starts_with("the output is gone: 00000000.log holds"));
}

/// Three writers, each killed, in small segments: tickets are used again, chains cross segments.
#[test]
fn what_nobody_reported_is_found() {
    let dir = folder();
    for writer_number in 0..3 {
        let (mut writer, _) = Writer::open_with(dir.path(), 300).unwrap();
        for ticket in 1..4 {
            writer.begin(Ticket(ticket), lease(writer_number * 10 + ticket));
        }
        writer.flush().unwrap();
        for word in ["one ", "two ", "three"] {
            for ticket in 1..3 {
                let text = format!("{word}{}", writer_number * 10 + ticket);
                out(&mut writer, ticket, &text);
            }
            writer.flush().unwrap();
        }
    }
    let leases: Vec<_> = [1, 2, 3, 12, 13, 21, 99].map(lease).into();
    let until = Timestamp(u64::MAX / 2);
    let wanted = Search { leases, since: Timestamp(0), until };
    let found = search(dir.path(), &wanted).unwrap();
    let mut tokens: Vec<_> = found.keys().map(|lease| lease.token.0).collect();
    tokens.sort_unstable();
    assert_eq!(tokens, [1, 2, 12, 21]);
    for (lease, log) in found {
        let number = lease.token.0;
        let read = read(dir.path(), log, owner(number), 0).unwrap();
        assert_eq!(joined(&read), format!("one {number}two {number}three{number}"));
        assert_eq!((log.frames, log.bytes), (3, joined(&read).len() as u64));
        assert_eq!(read.damage, None);
    }
    let too_late = Search { since: until, ..wanted.clone() };
    assert!(search(dir.path(), &too_late).unwrap().is_empty());
    fs::remove_file(dir.path().join(file_name(1))).unwrap();
    let found = search(dir.path(), &wanted).unwrap();
    for (lease, log) in found {
        let read = read(dir.path(), log, owner(lease.token.0), 0).unwrap();
        assert!(read.damage.is_none(), "a trail with a gap is none");
    }
}

proptest! {
    /// A spoilt byte anywhere costs some chunks of some attempts, and never yields wrong ones.
    #[test]
    fn damage_never_yields_wrong_output(
        writes in prop::collection::vec((0..4u64, "[a-z]{0,20}"), 1..40),
        at in any::<prop::sample::Index>(),
        flip in 1..=255u8,
    ) {
        let dir = folder();
        let mut writer = open(&dir);
        let mut expected = vec![String::new(); 4];
        for ticket in 0..4 {
            writer.begin(Ticket(ticket), lease(ticket));
        }
        for (ticket, word) in &writes {
            if !word.is_empty() {
                out(&mut writer, *ticket, word);
                expected[*ticket as usize] += word;
            }
        }
        let tickets = (0..4).map(Ticket);
        let logs: Vec<_> = tickets.map(|ticket| writer.finish(ticket, Timestamp(1))).collect();
        writer.flush().unwrap();
        drop(writer);
        let path = dir.path().join(file_name(0));
        let Ok(mut bytes) = fs::read(&path) else { return Ok(()) };
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        fs::write(&path, &bytes).unwrap();
        for (log, expected) in logs.iter().zip(&expected) {
            let Some(log) = log else { continue };
            let log = read(dir.path(), *log, anyone(), 0).unwrap();
            prop_assert!(expected.ends_with(&joined(&log)));
            prop_assert_eq!(log.damage.is_none(), joined(&log) == *expected);
        }
        let _ = Writer::open(dir.path()).unwrap();
    }
}
