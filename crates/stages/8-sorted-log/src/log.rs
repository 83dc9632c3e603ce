//! The write-ahead log: what the memtable says, in the order in which it was written.
//!
//! ```text
//!   ┌────────┬───────┬───────┬───────┬─────────────────────┐
//!   │ header │ write │ batch │ write │ space reserved ahead│     each a frame with the number of its first write
//!   └────────┴───────┴───────┴───────┴─────────────────────┘
//!   a body:   for each write: key length × 2 + set, value length if it is one (varints), key, value
//! ```
//!
//! Each memtable has a log of its own, which is removed when the memtable is in a table. A log is synced before the next is
//! begun, so that only the newest can have an unfinished end. A batch is one frame: after a crash it is whole or absent.

use std::path::Path;

use logladder_engine::{Error, Result, Write, limits};

use crate::bytes::{Reader, put_varint};
use crate::files::{FileKind, HEADER_LEN, Header};
use crate::frame::{Frame, Tail, judge_tail};

/// Appends a write to the body of a frame.
pub(crate) fn put_write(buffer: &mut Vec<u8>, write: Write<'_>) {
    let (key, value) = match write {
        Write::Set(key, value) => (key, Some(value)),
        Write::Delete(key) => (key, None),
    };
    put_varint(buffer, (key.len() as u64) << 1 | u64::from(value.is_some()));
    if let Some(value) = value {
        put_varint(buffer, value.len() as u64);
    }
    buffer.extend_from_slice(key);
    buffer.extend_from_slice(value.unwrap_or_default());
}

/// At most how many bytes [`put_write`] appends.
pub(crate) fn write_len(write: Write<'_>) -> usize {
    let value_len = if let Write::Set(_, value) = write { value.len() } else { 0 };
    write.key().len() + value_len + 10
}

/// The write that `fields` are at. `None` if it makes no sense.
pub(crate) fn take_write<'b>(fields: &mut Reader<'b>) -> Option<Write<'b>> {
    let head = fields.varint()?;
    let key_len = usize::try_from(head >> 1).ok().filter(|&len| len <= limits::MAX_KEY_LEN)?;
    if head & 1 == 0 {
        return fields.take(key_len).map(Write::Delete);
    }
    let value_len = fields.len().filter(|&len| len <= limits::MAX_VALUE_LEN)?;
    Some(Write::Set(fields.take(key_len)?, fields.take(value_len)?))
}

/// What was found in a log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Survey {
    /// Where the valid frames end.
    pub(crate) end: usize,
    /// The number that the next write has.
    pub(crate) next_sequence: u64,
    /// What follows them.
    pub(crate) tail: Tail,
}

/// Goes through the log `bytes`, whose first write has the number `expected`, and shows each write with its number.
///
/// # Errors
///
/// It is damaged in a way that no crash explains.
pub(crate) fn survey<'b>(
    path: &Path,
    number: u64,
    bytes: &'b [u8],
    expected: u64,
    mut show: impl FnMut(u64, Write<'b>),
) -> Result<Survey> {
    let damaged = |at: usize, what: &str| Error::corrupt(path, at as u64, what);
    let header = Header::decode(path, FileKind::Log(number), bytes)?;
    if header.first_sequence != expected {
        let what = format!(
            "write {expected} belongs here, and this log begins with {}: one before it is missing or damaged",
            header.first_sequence
        );
        return Err(damaged(0, &what));
    }
    let (mut end, mut next_sequence) = (HEADER_LEN, expected);
    loop {
        let rest = bytes.get(end..).unwrap_or_default();
        let frame = match Frame::decode(rest) {
            Ok(frame) => frame,
            Err(flaw) => {
                let tail = judge_tail(bytes, end, next_sequence);
                if let Tail::Damaged { follower } = tail {
                    let what = format!("{flaw}, and a valid record follows at offset {follower}");
                    return Err(damaged(end, &what));
                }
                return Ok(Survey { end, next_sequence, tail });
            }
        };
        // An empty frame is sixteen zeros: the reserve, if the checksum of nothing were zero. It is not.
        if frame.sequence != next_sequence || frame.body.is_empty() {
            let what = format!("write {next_sequence} belongs here, and this is {}", frame.sequence);
            return Err(damaged(end, &what));
        }
        let mut fields = Reader::new(frame.body);
        while !fields.is_empty() {
            let write = take_write(&mut fields);
            let write =
                write.ok_or_else(|| damaged(end, "a write makes no sense, though its checksum matches"))?;
            show(next_sequence, write);
            next_sequence += 1;
        }
        end += frame.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(frames: &[(u64, &[Write<'_>])]) -> Vec<u8> {
        let mut bytes = Header { kind: FileKind::Log(1), first_sequence: 5 }.encode().to_vec();
        for (sequence, writes) in frames {
            let mut frame = Vec::new();
            Frame::begin(&mut frame);
            writes.iter().for_each(|write| put_write(&mut frame, *write));
            Frame::end(&mut frame, *sequence);
            bytes.extend_from_slice(&frame);
        }
        bytes
    }

    const WRITES: [Write<'static>; 4] =
        [Write::Set(b"a", b"1"), Write::Delete(b"a"), Write::Set(b"", b""), Write::Set(b"b", &[0; 300])];

    fn shown(bytes: &[u8]) -> Result<(Vec<(u64, Write<'_>)>, Survey)> {
        let mut shown = Vec::new();
        let survey =
            survey(Path::new("x.log"), 1, bytes, 5, |sequence, write| shown.push((sequence, write)))?;
        Ok((shown, survey))
    }

    #[test]
    fn every_write_comes_back_with_its_number() {
        let mut bytes = log(&[(5, &WRITES[..1]), (6, &WRITES[1..])]);
        let len = bytes.len();
        bytes.resize(len + 5_000, 0);
        let (writes, survey) = shown(&bytes).unwrap();
        assert_eq!(writes, (5..).zip(WRITES).collect::<Vec<_>>());
        assert_eq!((survey.end, survey.next_sequence, survey.tail), (len, 9, Tail::Unused));
    }

    #[test]
    fn a_log_cut_at_any_byte_shows_the_frames_before() {
        let bytes = log(&[(5, &WRITES[..1]), (6, &WRITES[1..3]), (8, &WRITES[3..])]);
        for len in HEADER_LEN..bytes.len() {
            let (writes, survey) = shown(&bytes[..len]).unwrap();
            assert!(survey.end <= len && writes.len() < 4);
            // A cut within zeros at the end of a frame leaves what a loss of power would.
            assert_eq!(survey.tail == Tail::Unused, survey.end == len, "{len}");
        }
    }

    #[test]
    fn a_missing_frame_is_damage() {
        let bytes = log(&[(5, &WRITES[..1]), (7, &WRITES[2..])]);
        assert!(matches!(shown(&bytes), Err(Error::Corrupt { .. })));
    }
}
