//! Frames of a log as the text that is sent.
//!
//! Frames are cut anywhere, characters must not be: the bytes of one that is not complete wait for
//! the next frame of the same stream.

use artifacts::logs::{Chunk, Content, Stream};
use model::{ItemId, TaskId};
use protocol::api::{LogChunk, LogStream, Time};

/// Which attempt a log is of, as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// The task's name.
    pub task: String,
    /// The item, of a fan-out.
    pub item: Option<u32>,
    /// The attempt.
    pub attempt: u16,
    /// The round of the task, from 0.
    pub round: u16,
}

/// How far the log of an attempt has been sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sent {
    /// Frames.
    pub frames: u32,
    /// Of either stream, the bytes of a character that is not complete.
    rests: [Vec<u8>; 2],
}

/// An item of a task.
pub(super) type Place = (TaskId, ItemId);

impl Sent {
    /// The next frames as text. `sent` counts them from here on.
    pub(super) fn take(&mut self, origin: &Origin, frames: Vec<Chunk>) -> Vec<LogChunk> {
        let chunks = frames.into_iter().map(|frame| {
            self.frames = frame.sequence + 1;
            let (stream, text, dropped_bytes) = self.text(frame.content);
            LogChunk {
                time: Time(frame.at),
                task: origin.task.clone(),
                item: origin.item,
                attempt: origin.attempt,
                round: origin.round,
                stream,
                seq: u64::from(frame.sequence),
                text,
                dropped_bytes,
            }
        });
        chunks.filter(|chunk| !chunk.text.is_empty()).collect()
    }

    fn text(&mut self, content: Content) -> (LogStream, String, Option<u64>) {
        match content {
            Content::Output(Stream::Out, bytes) => {
                (LogStream::Stdout, complete(&mut self.rests[0], bytes), None)
            }
            Content::Output(Stream::Err, bytes) => {
                (LogStream::Stderr, complete(&mut self.rests[1], bytes), None)
            }
            Content::Dropped { over_cap_bytes, stalled_bytes, unwritten_bytes } => {
                let why = [
                    (over_cap_bytes, "beyond what is kept of an attempt"),
                    (stalled_bytes, "faster than they could be written"),
                    (unwritten_bytes, "without room on the disk"),
                ];
                let why = why.into_iter().filter(|&(bytes, _)| bytes > 0);
                let why = why.map(|(bytes, why)| format!("{bytes} bytes {why}"));
                let why = why.collect::<Vec<_>>().join(", ");
                let all = over_cap_bytes.saturating_add(stalled_bytes);
                let all = all.saturating_add(unwritten_bytes);
                (LogStream::Worker, format!("output was dropped: {why}\n"), Some(all))
            }
        }
    }

    /// What is left of either stream when the attempt has ended, as text.
    pub(super) fn end(&mut self, last: Option<&LogChunk>) -> Vec<LogChunk> {
        let Some(last) = last else { return Vec::new() };
        let streams = [LogStream::Stdout, LogStream::Stderr];
        let rests = std::mem::take(&mut self.rests).into_iter().zip(streams);
        let chunk = |(rest, stream): (Vec<u8>, LogStream)| LogChunk {
            stream,
            text: String::from_utf8_lossy(&rest).into_owned(),
            dropped_bytes: None,
            ..last.clone()
        };
        rests.filter(|(rest, _)| !rest.is_empty()).map(chunk).collect()
    }
}

/// A word of the server itself about the log of an attempt.
pub(super) fn remark(origin: &Origin, time: Time, text: String) -> LogChunk {
    LogChunk {
        time,
        task: origin.task.clone(),
        item: origin.item,
        attempt: origin.attempt,
        round: origin.round,
        stream: LogStream::Worker,
        seq: 0,
        text,
        dropped_bytes: None,
    }
}

/// All whole characters of what was left and what follows; the bytes of one that is cut are left.
fn complete(rest: &mut Vec<u8>, bytes: Vec<u8>) -> String {
    let mut all = std::mem::take(rest);
    all.extend(bytes);
    *rest = all.split_off(all.len() - cut_bytes(&all));
    match String::from_utf8(all) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    }
}

/// How many bytes at the end begin a character that needs more.
fn cut_bytes(bytes: &[u8]) -> usize {
    for (index, byte) in bytes.iter().rev().take(3).enumerate() {
        let length = match byte {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            0x80..=0xbf => continue,
            _ => return 0,
        };
        return if length > index + 1 { index + 1 } else { 0 };
    }
    0
}

/// Keeps the last `lines` lines, over both streams as they were written.
pub(super) fn keep_tail(chunks: &mut Vec<LogChunk>, lines: u64) {
    if lines == 0 {
        return chunks.clear();
    }
    let mut left = lines;
    let last = chunks.len().saturating_sub(1);
    for index in (0..chunks.len()).rev() {
        let text = &chunks[index].text;
        for (at, _) in text.rmatch_indices('\n') {
            let ends_the_last = index == last && at + 1 == text.len();
            left -= u64::from(!ends_the_last);
            if left == 0 {
                chunks[index].text.drain(..=at);
                chunks.drain(..index);
                return chunks.retain(|chunk| !chunk.text.is_empty());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;

    fn origin() -> Origin {
        Origin { task: "a".to_owned(), item: None, attempt: 1, round: 0 }
    }

    fn frames(pieces: &[(Stream, &[u8])]) -> Vec<Chunk> {
        let frame = |(sequence, &(stream, bytes)): (u32, &(Stream, &[u8]))| Chunk {
            sequence,
            at: Timestamp(1),
            content: Content::Output(stream, bytes.to_vec()),
        };
        (0..).zip(pieces).map(frame).collect()
    }

    fn texts(chunks: &[LogChunk]) -> Vec<&str> {
        chunks.iter().map(|chunk| chunk.text.as_str()).collect()
    }

    #[test]
    fn characters_cut_between_frames_are_put_together() {
        let text = "训练 ünï 🎉";
        for size in 1..5 {
            let pieces: Vec<_> =
                text.as_bytes().chunks(size).map(|piece| (Stream::Out, piece)).collect();
            let mut sent = Sent::default();
            let chunks = sent.take(&origin(), frames(&pieces));
            assert_eq!(texts(&chunks).concat(), text, "{size}");
            assert!(sent.end(chunks.last()).is_empty());
            assert_eq!(sent.frames as usize, pieces.len());
        }
    }

    #[test]
    fn streams_do_not_mix_their_rests_and_bad_bytes_are_replaced() {
        let (head, tail) = "é".as_bytes().split_at(1);
        let mut sent = Sent::default();
        let chunks = sent.take(
            &origin(),
            frames(&[(Stream::Out, head), (Stream::Err, b"x\xff"), (Stream::Out, tail)]),
        );
        assert_eq!(texts(&chunks), ["x\u{fffd}", "é"]);
        let chunks = sent.take(&origin(), frames(&[(Stream::Out, b"a\xe8\xae")]));
        assert_eq!(texts(&chunks), ["a"]);
        assert_eq!(texts(&sent.end(chunks.last())), ["\u{fffd}"]);
    }

    #[test]
    fn the_tail_is_counted_in_lines() {
        let all = || {
            let pieces: [(Stream, &[u8]); 4] = [
                (Stream::Out, b"one\ntw"),
                (Stream::Out, b"o\nthree\n"),
                (Stream::Err, b"four\n"),
                (Stream::Out, b"five\n"),
            ];
            Sent::default().take(&origin(), frames(&pieces))
        };
        let tail = |lines: u64| {
            let mut chunks = all();
            keep_tail(&mut chunks, lines);
            texts(&chunks).concat()
        };
        assert_eq!(tail(0), "");
        assert_eq!(tail(1), "five\n");
        assert_eq!(tail(3), "three\nfour\nfive\n");
        assert_eq!(tail(4), "two\nthree\nfour\nfive\n");
        assert_eq!(tail(5), texts(&all()).concat());
        assert_eq!(tail(50), texts(&all()).concat());
    }

    #[test]
    fn what_was_dropped_is_said() {
        let content = Content::Dropped { over_cap_bytes: 7, stalled_bytes: 0, unwritten_bytes: 2 };
        let frame = Chunk { sequence: 0, at: Timestamp(1), content };
        let chunks = Sent::default().take(&origin(), vec![frame]);
        assert_eq!((chunks[0].stream, chunks[0].dropped_bytes), (LogStream::Worker, Some(9)));
        assert_eq!(
            chunks[0].text,
            "output was dropped: 7 bytes beyond what is kept of an attempt, 2 bytes without room \
             on the disk\n"
        );
    }
}
