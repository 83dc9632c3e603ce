//! Reading a segment from its first record to its last: what opening does where there is no hint, what sealing
//! does to write one, and what compaction does to find what is still needed.

use std::collections::HashMap;
use std::ops::Range;

use logladder_disk::sabotage::{self, Rule};

use crate::format::header::{Footer, Origin, SEGMENT_HEADER_LEN, SegmentHeader};
use crate::format::hint::Entry;
use crate::format::record::{Kind, Record};
use crate::format::{Fields, Flaw, checksum, index};

/// The records of a segment, each checked, up to and including its footer. It ends at the first that is not
/// what belongs there; where it stopped says [`offset`](Walk::offset).
#[derive(Debug)]
pub(crate) struct Walk<'b> {
    bytes: &'b [u8],
    offset: usize,
    /// The sequence number that the next record must have, if sets wrote the segment: then they go up by one.
    expected: Option<u64>,
    has_ended: bool,
}

impl<'b> Walk<'b> {
    /// Of the segment `bytes`, whose header has been read already.
    pub(crate) fn of(bytes: &'b [u8], header: &SegmentHeader) -> Self {
        let expected = (header.origin != Origin::Compaction).then_some(header.first_sequence);
        Self { bytes, offset: SEGMENT_HEADER_LEN, expected, has_ended: false }
    }

    /// Where the next record begins, or where the flaw is that ended the walk.
    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    fn read(&mut self) -> Result<(u64, Record<'b>), Flaw> {
        // The offset never passes the end: it moves by whole records that were found in the bytes.
        let record = Record::decode(&self.bytes[self.offset..])?;
        if let Some(expected) = self.expected {
            let found = record.header.sequence;
            if found != expected {
                return Err(Flaw::Sequence { expected, found });
            }
            self.expected = Some(expected.saturating_add(1));
        }
        let start = self.offset as u64;
        self.offset += record.bytes.len();
        Ok((start, record))
    }
}

impl<'b> Iterator for Walk<'b> {
    type Item = Result<(u64, Record<'b>), Flaw>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended || self.offset >= self.bytes.len() {
            return None;
        }
        let found = self.read();
        self.has_ended = !matches!(&found, Ok((_, record)) if record.header.kind != Kind::Footer);
        Some(found)
    }
}

/// What a walk through a whole segment found.
#[derive(Debug)]
pub(crate) struct Survey<'b> {
    /// The last record of each key, by offset: what a hint holds.
    pub(crate) entries: Vec<Entry<'b>>,
    /// The footer that these records call for. Its `data_len` is where the walk stopped.
    pub(crate) footer: Footer,
    /// Why it stopped there.
    pub(crate) stop: Stop,
}

/// Why a walk stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The file ends there.
    End,
    /// This footer stands there.
    Footer(Footer),
    /// What stands there is not the record that belongs there.
    Flaw(Flaw),
}

/// Walks through the segment `bytes`, whose header has been read already.
pub(crate) fn survey<'b>(bytes: &'b [u8], header: &SegmentHeader) -> Survey<'b> {
    let mut newest: HashMap<&[u8], Entry<'_>> = HashMap::new();
    let (mut records, mut min_sequence, mut next_sequence) = (0, u64::MAX, header.first_sequence);
    let mut stop = Stop::End;
    let mut walk = Walk::of(bytes, header);
    let mut end = walk.offset();
    while let Some(found) = walk.next() {
        match found {
            Ok((_, record)) if record.header.kind == Kind::Footer => {
                stop = Footer::of_record(&record).map_or(Stop::Flaw(Flaw::Footer), Stop::Footer);
            }
            Ok((offset, record)) => {
                let sequence = record.header.sequence;
                records += 1;
                min_sequence = min_sequence.min(sequence);
                next_sequence = next_sequence.max(sequence + 1);
                let entry = Entry { header: record.header, key: record.key, offset };
                newest
                    .entry(record.key)
                    .and_modify(|known| {
                        if known.header.sequence < sequence {
                            *known = entry;
                        }
                    })
                    .or_insert(entry);
                end = walk.offset();
            }
            Err(flaw) => stop = Stop::Flaw(flaw),
        }
    }
    let mut entries: Vec<Entry<'_>> = newest.into_values().collect();
    entries.sort_unstable_by_key(|entry| entry.offset);
    let footer = Footer {
        records,
        data_len: end as u64,
        min_sequence: if records == 0 { header.first_sequence } else { min_sequence },
        next_sequence,
        crc: checksum(&[&bytes[..end]]),
    };
    Survey { entries, footer, stop }
}

impl Survey<'_> {
    /// That the segment is whole and sealed: it ends with a footer, and the footer is right.
    ///
    /// # Errors
    ///
    /// The flaw; it is at the offset `self.footer.data_len`.
    pub(crate) fn check_sealed(&self) -> Result<(), Flaw> {
        match self.stop {
            Stop::Footer(footer) if self.agrees_with(&footer) => Ok(()),
            Stop::Footer(_) => Err(Flaw::Footer),
            Stop::End => Err(Flaw::TooShort),
            Stop::Flaw(flaw) => Err(flaw),
        }
    }

    fn agrees_with(&self, footer: &Footer) -> bool {
        let crc = if sabotage::skips(Rule::ChecksumCheck) { footer.crc } else { self.footer.crc };
        *footer == Footer { crc, ..self.footer }
    }
}

/// What follows the last good record of an unsealed segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing but the zeros of a reserve that was not used.
    Unused,
    /// A write that was not finished. From `end` on there are only zeros.
    Torn {
        /// Where it ends at the latest.
        end: u64,
    },
    /// Damage: a valid record follows, so that this was once whole.
    Damaged {
        /// Where the valid record begins.
        follower: u64,
    },
}

/// How much of a file the kernel writes back at once: what a loss of power takes, it takes in such pieces.
const PAGE: usize = 4096;

/// The tail rule: what is the part of a segment that begins at `start`, where the record with the number
/// `expected` should be and is not?
///
/// A crash leaves an unfinished write only at the end. So if a valid record follows, what is here was whole
/// once and has been damaged since; to cut it would take the valid records with it. There is one exception. A
/// loss of power may take any page that was not synced and leave a later one, so that a hole of zeros remains
/// where records were. Nobody was promised those, nor what follows them, unless each write was synced before
/// the next; then there are no such holes.
pub(crate) fn judge_tail(bytes: &[u8], start: usize, expected: u64, origin: Origin) -> Tail {
    let Some(last) = bytes[start..].iter().rposition(|&byte| byte != 0) else { return Tail::Unused };
    let end = start + last + 1;
    let torn = Tail::Torn { end: end as u64 };
    if sabotage::skips(Rule::TailRule) {
        return torn;
    }
    match find_record(bytes, start + 1..end, expected) {
        None => torn,
        Some(follower) if origin == Origin::Sets && is_hole(bytes, start, follower) => torn,
        Some(follower) => Tail::Damaged { follower: follower as u64 },
    }
}

/// The first place in `starts` where a valid record begins whose number can follow.
///
/// The number is what makes this cheap, and safe from records of another store that lie inside a value: each
/// record takes at least 16 bytes, so only so many can have been here.
fn find_record(bytes: &[u8], starts: Range<usize>, expected: u64) -> Option<usize> {
    let furthest = expected.saturating_add((bytes.len() - starts.start) as u64 / 16 + 1);
    starts.into_iter().find(|&start| {
        let rest = &bytes[start..];
        sequence_at(rest).is_some_and(|sequence| (expected..=furthest).contains(&sequence))
            && Record::decode(rest).is_ok()
    })
}

/// The sequence number of the record that would begin with `bytes`.
fn sequence_at(bytes: &[u8]) -> Option<u64> {
    Fields::of(bytes.get(10..)?).u48()
}

/// Whether the bytes from `start` to `end` are what is left where a page of records was lost: zeros where the
/// header should be, as far as it lies on this page, or a whole page of zeros further on.
fn is_hole(bytes: &[u8], start: usize, end: usize) -> bool {
    let is_zero = |range: &[u8]| range.iter().all(|&byte| byte == 0);
    let page_end = (start / PAGE + 1) * PAGE;
    let header_end = (start + 16).min(page_end).min(end);
    is_zero(&bytes[start..header_end])
        || bytes.get(page_end..end).is_some_and(|pages| pages.chunks_exact(PAGE).any(is_zero))
}

/// Whether nothing but zeros stands in `bytes` from `start` on.
pub(crate) fn is_zero_from(bytes: &[u8], start: u64) -> bool {
    bytes.get(index(start)..).is_none_or(|rest| rest.iter().all(|&byte| byte == 0))
}
