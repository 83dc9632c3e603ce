//! Reading a segment from its first record to its last: what opening does where there is no hint, what sealing
//! does to write one, and what compaction does to find what is still needed.

use std::ops::Range;

use logladder_disk::sabotage::{self, Rule};

use crate::format::header::{Footer, Origin, SEGMENT_HEADER_LEN, SegmentHeader};
use crate::format::hint::Entry;
use crate::format::record::{BatchHead, Kind, Record};
use crate::format::{Fields, Flaw, index};

/// The records of a segment, each checked, up to and including its footer. It ends at the first that is not
/// what belongs there; where it stopped says [`offset`](Walk::offset).
///
/// A batch is shown only if it is whole. One that is not is a flaw where its head stands.
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

    /// The same from the record at `offset` on, which has the number `sequence`.
    pub(crate) fn from(bytes: &'b [u8], offset: usize, sequence: u64) -> Self {
        Self { bytes, offset: offset.min(bytes.len()), expected: Some(sequence), has_ended: false }
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
            if record.header.kind == Kind::Batch {
                // The head has the number of the first record behind it.
                check_batch(&record, &self.bytes[self.offset + record.bytes.len()..])?;
            } else {
                self.expected = Some(expected.saturating_add(1));
            }
        }
        let start = self.offset as u64;
        self.offset += record.bytes.len();
        Ok((start, record))
    }
}

/// That the records of the batch with this head stand in `behind`, all of them.
fn check_batch(head: &Record<'_>, behind: &[u8]) -> Result<(), Flaw> {
    let batch = BatchHead::of_record(head).ok_or(Flaw::Batch)?;
    let mut rest = behind.get(..index(batch.len)).ok_or(Flaw::Batch)?;
    if sabotage::skips(Rule::BatchWhole) {
        return Ok(());
    }
    let numbers = (0..u64::from(batch.count)).map(|step| head.header.sequence.saturating_add(step));
    for number in numbers {
        let record = Record::decode(rest).map_err(|_| Flaw::Batch)?;
        if record.header.sequence != number || !record.header.kind.has_key() {
            return Err(Flaw::Batch);
        }
        rest = &rest[record.bytes.len()..];
    }
    if rest.is_empty() { Ok(()) } else { Err(Flaw::Batch) }
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
#[derive(Debug, Clone, Copy)]
pub(crate) struct Survey {
    /// The footer that the records call for. Its `data_len` is where the walk stopped.
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

/// Walks through the segment `bytes`, whose header has been read already, and shows each record that says something
/// of a key, by offset.
///
/// # Errors
///
/// What `show` says.
pub(crate) fn survey<'b>(
    bytes: &'b [u8],
    header: &SegmentHeader,
    mut show: impl FnMut(&Entry<'b>) -> logladder_engine::Result<()>,
) -> logladder_engine::Result<Survey> {
    let mut chain = crc32fast::Hasher::new();
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
                chain.update(&record.checksum());
                if record.header.kind.has_key() {
                    show(&Entry::of(&record, offset))?;
                }
                end = walk.offset();
            }
            Err(flaw) => stop = Stop::Flaw(flaw),
        }
    }
    let footer = Footer {
        records,
        data_len: end as u64,
        min_sequence: if records == 0 { header.first_sequence } else { min_sequence },
        next_sequence,
        crc: chain.finalize(),
    };
    Ok(Survey { footer, stop })
}

impl Survey {
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
/// where records were. Nobody was promised those, nor what follows them.
///
/// The records of a batch that is not whole are no followers of its head.
pub(crate) fn judge_tail(bytes: &[u8], start: usize, expected: u64) -> Tail {
    let Some(last) = bytes[start..].iter().rposition(|&byte| byte != 0) else { return Tail::Unused };
    let end = start + last + 1;
    let torn = Tail::Torn { end: end as u64 };
    if sabotage::skips(Rule::TailRule) {
        return torn;
    }
    let (behind, next) = behind_batch(&bytes[start..], expected);
    match find_record(bytes, (start + behind).min(end)..end, next) {
        None => torn,
        Some(follower) if is_hole(bytes, start, follower) => torn,
        Some(follower) => Tail::Damaged { follower: follower as u64 },
    }
}

/// How far behind an unfinished batch that `bytes` begin with the next record would be, and its number. If it is
/// none, anything from the next byte on may be one.
fn behind_batch(bytes: &[u8], expected: u64) -> (usize, u64) {
    let head = Record::decode(bytes).ok().filter(|head| head.header.sequence == expected);
    match head.as_ref().and_then(BatchHead::of_record) {
        Some(batch) => {
            let len = head.map_or(0, |head| head.bytes.len());
            (len.saturating_add(index(batch.len)), expected.saturating_add(u64::from(batch.count)))
        }
        None => (1, expected),
    }
}

/// How often the tail may be gone through for what looks like a record and is none. It is, so often, only if someone
/// made it so.
const MOST_ROUNDS: u64 = 16;

/// The first place in `starts` where a valid record begins whose number can follow.
///
/// The number is what makes this cheap, and safe from records of another store that lie inside a value: each
/// record takes at least 16 bytes, so only so many can have been here.
fn find_record(bytes: &[u8], starts: Range<usize>, expected: u64) -> Option<usize> {
    let furthest = expected.saturating_add((bytes.len() - starts.start) as u64 / 16 + 1);
    let mut budget = bytes.len() as u64 * MOST_ROUNDS;
    starts.into_iter().find(|&start| {
        let rest = &bytes[start..];
        if !sequence_at(rest).is_some_and(|sequence| (expected..=furthest).contains(&sequence)) {
            return false;
        }
        let cost = Record::unchecked(rest).map_or(0, |record| record.bytes.len() as u64);
        match budget.checked_sub(cost) {
            Some(left) => {
                budget = left;
                Record::decode(rest).is_ok()
            }
            // It cannot be told apart any more, and is treated as what must not be cut.
            None => true,
        }
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

/// Whether what is missing from `start` on, which later records are known to have followed, can have been taken by a
/// loss of power.
pub(crate) fn is_lost(bytes: &[u8], start: usize) -> bool {
    bytes.len() <= start || is_hole(bytes, start, bytes.len())
}

/// Whether nothing but zeros stands in `bytes` from `start` on.
pub(crate) fn is_zero_from(bytes: &[u8], start: u64) -> bool {
    bytes.get(index(start)..).is_none_or(|rest| rest.iter().all(|&byte| byte == 0))
}
