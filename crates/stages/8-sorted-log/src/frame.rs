//! A *frame*: one record of the write-ahead log, or one edit of the manifest; and the tail rule of both.
//!
//! ```text
//!   ┌────────┬───────┬──────────┬──────┐
//!   │ length │ CRC32 │ sequence │ body │    the CRC covers all but itself
//!   └────────┴───────┴──────────┴──────┘
//!       4        4        8      length
//! ```

use std::ops::Range;

use logladder_disk::sabotage::{self, Rule};

use crate::bytes::Reader;

/// What a frame takes besides its body.
pub(crate) const FRAME_LEN: usize = 16;

/// The largest body: that of a write of the longest key and the longest value, and some.
pub(crate) const MAX_BODY: usize = (1 << 30) + (1 << 20);

/// How much of a file the kernel writes back at once: what a loss of power takes, it takes in such pieces.
pub(crate) const PAGE: usize = 4096;

/// How often a tail may be gone through for what looks like a frame and is none. It is, so often, only if someone made
/// it so.
const MOST_ROUNDS: u64 = 16;

/// A frame whose checksum is right.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'b> {
    pub(crate) sequence: u64,
    pub(crate) body: &'b [u8],
}

impl<'b> Frame<'b> {
    /// Begins a frame in `buffer`, which is cleared. The body is appended by the caller, then comes [`end`](Self::end).
    pub(crate) fn begin(buffer: &mut Vec<u8>) {
        buffer.clear();
        buffer.resize(FRAME_LEN, 0);
    }

    /// Ends the frame: fills in what stands before the body, which is no longer than [`MAX_BODY`].
    pub(crate) fn end(buffer: &mut [u8], sequence: u64) {
        // MAX_BODY fits.
        let len = u32::try_from(buffer.len() - FRAME_LEN).unwrap_or(u32::MAX);
        buffer[..4].copy_from_slice(&len.to_le_bytes());
        buffer[8..16].copy_from_slice(&sequence.to_le_bytes());
        let crc = checksum(buffer);
        buffer[4..8].copy_from_slice(&crc.to_le_bytes());
    }

    /// The frame that `bytes` begin with, or what is wrong with it.
    pub(crate) fn decode(bytes: &'b [u8]) -> Result<Self, &'static str> {
        let too_short = "the file ends within a record";
        let mut fields = Reader::new(bytes);
        let (Some(len), Some(crc), Some(sequence)) = (fields.u32(), fields.u32(), fields.u64()) else {
            return Err(too_short);
        };
        let len = len as usize;
        if len > MAX_BODY {
            return Err("the length of the record is past the limit");
        }
        let whole = bytes.get(..FRAME_LEN + len).ok_or(too_short)?;
        if crc != checksum(whole) && !sabotage::skips(Rule::ChecksumCheck) {
            return Err("the checksum of the record does not match");
        }
        Ok(Self { sequence, body: &whole[FRAME_LEN..] })
    }

    /// How long it is, its head included.
    pub(crate) fn len(&self) -> usize {
        FRAME_LEN + self.body.len()
    }
}

/// Of a whole frame, without the place of the checksum itself.
fn checksum(frame: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&frame[..4]);
    hasher.update(&frame[8..]);
    hasher.finalize()
}

/// What follows the last good frame of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing, or the zeros of a reserve that was not used.
    Unused,
    /// A write that was not finished. From `end` on there are only zeros.
    Torn {
        /// Where it ends at the latest.
        end: usize,
    },
    /// Damage: a valid frame follows, so that this was once whole.
    Damaged {
        /// Where the valid frame begins.
        follower: usize,
    },
}

/// The tail rule: what is the part of a file that begins at `start`, where a frame with the number `expected` should be
/// and is not?
///
/// A crash leaves an unfinished write only at the end. So if a valid frame follows, what is here was whole once and has
/// been damaged since; to cut it would take the valid ones with it. There is one exception. A loss of power may take any
/// page that was not synced and leave a later one, so that a hole of zeros remains where frames were. Nobody was
/// promised those, nor what follows them.
pub(crate) fn judge_tail(bytes: &[u8], start: usize, expected: u64) -> Tail {
    let rest = bytes.get(start..).unwrap_or_default();
    let Some(last) = rest.iter().rposition(|&byte| byte != 0) else { return Tail::Unused };
    let end = start + last + 1;
    if sabotage::skips(Rule::TailRule) {
        return Tail::Torn { end };
    }
    match find_frame(bytes, start + 1..end, expected) {
        Some(follower) if !is_hole(bytes, start, follower) => Tail::Damaged { follower },
        _ => Tail::Torn { end },
    }
}

/// The first place in `starts` where a valid frame begins whose number can follow. Each write takes at least two bytes, so
/// only so many can have been here: that makes this cheap, and safe from frames of another store inside a value.
fn find_frame(bytes: &[u8], starts: Range<usize>, expected: u64) -> Option<usize> {
    let furthest = expected.saturating_add((bytes.len() - starts.start) as u64);
    let mut budget = bytes.len() as u64 * MOST_ROUNDS;
    starts.into_iter().find(|&start| {
        let mut fields = Reader::at(bytes, start);
        let (Some(len), Some(_), Some(sequence)) = (fields.u32(), fields.u32(), fields.u64()) else {
            return false;
        };
        if !(expected..=furthest).contains(&sequence) || fields.take(len as usize).is_none() {
            return false;
        }
        match budget.checked_sub(u64::from(len)) {
            Some(left) => {
                budget = left;
                Frame::decode(&bytes[start..]).is_ok()
            }
            // It cannot be told apart any more, and is treated as what must not be cut.
            None => true,
        }
    })
}

/// Whether the bytes from `start` to `end` are what is left where a page was lost: zeros where the head of the frame
/// should be, as far as it lies on this page, or a whole page of zeros further on.
fn is_hole(bytes: &[u8], start: usize, end: usize) -> bool {
    let is_zero = |range: &[u8]| range.iter().all(|&byte| byte == 0);
    let page_end = (start / PAGE + 1) * PAGE;
    let head_end = (start + FRAME_LEN).min(page_end).min(end);
    is_zero(&bytes[start..head_end])
        || bytes.get(page_end..end).is_some_and(|pages| pages.chunks_exact(PAGE).any(is_zero))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(sequence: u64, body: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        Frame::begin(&mut bytes);
        bytes.extend_from_slice(body);
        Frame::end(&mut bytes, sequence);
        bytes
    }

    #[test]
    fn a_flipped_bit_anywhere_in_a_frame_is_noticed() {
        let bytes = frame(7, b"some body");
        assert_eq!(Frame::decode(&bytes).unwrap().body, b"some body");
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Frame::decode(&flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_bad_frame_is_torn_at_the_end_and_damage_before_a_good_one() {
        let (first, second) = (frame(1, b"first"), frame(2, b"second"));
        let mut damaged = [first.clone(), second].concat();
        damaged[20] ^= 1;
        assert_eq!(judge_tail(&damaged, 0, 1), Tail::Damaged { follower: first.len() });
        damaged.truncate(first.len());
        assert_eq!(judge_tail(&damaged, 0, 1), Tail::Torn { end: first.len() });
        assert_eq!(judge_tail(&[0; 100], 0, 1), Tail::Unused);
    }

    #[test]
    fn a_hole_of_zeros_before_a_good_frame_is_what_a_loss_of_power_leaves() {
        let (first, second) = (frame(1, b"first"), frame(2, b"second"));
        let mut bytes = vec![0; first.len()];
        bytes.extend_from_slice(&second);
        assert_eq!(judge_tail(&bytes, 0, 1), Tail::Torn { end: bytes.len() });
    }
}
