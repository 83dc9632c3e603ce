//! [`Run`]: valid records that follow each other, and how to find the next of them behind damage.
//!
//! Opening stops at the first thing that is wrong ([`scan`](crate::scan)). Who looks for everything that is still
//! there goes on:
//!
//! ```text
//!   ┌────────┬────────┬────────┬─────────┬────────┬────────┬────────┐
//!   │ header │ record │ record │ damage  │ record │ record │ footer │
//!   └────────┴────────┴────────┴─────────┴────────┴────────┴────────┘
//!             └──── a run ─────┘         └──────── another ─────────┘
//! ```
//!
//! Where a record is damaged behind its lengths, the next one stands where they say. Where they are damaged
//! themselves, it is found by its checksum. A value may hold what looks like a record, and be one, of another store
//! or of this: so the next record must also have a number that can follow here. Sets number their records one after
//! the other, so that a run which cannot be true contradicts the one behind it. In a segment of copies any number may
//! stand anywhere; there the footer says how many records there were. That settles it where one record is damaged. Where
//! several are, what is too many is left out, as far as that can be told.

use std::ops::RangeInclusive;

use crate::format::header::{FOOTER_LEN, Footer, Origin, SEGMENT_HEADER_LEN, SegmentHeader};
use crate::format::record::{BATCH_LEN, BatchHead, HEADER_LEN, Header, Kind, MAX_SEQUENCE, Record};
use crate::format::{Fields, Flaw, index};
use crate::scan::is_zero_from;

/// How often the bytes of a segment may be gone through for what looks like a record and is none.
const MOST_ROUNDS: u64 = 16;

/// Bytes of the head of a batch.
const BATCH_HEAD_LEN: usize = HEADER_LEN + BATCH_LEN;

/// Which numbers the records of a segment have.
#[derive(Debug, Clone)]
pub(crate) enum Order {
    /// Each has one more than the one before. The first has this, if that is known.
    Rising(Option<u64>),
    /// Any of these.
    Any(RangeInclusive<u64>),
}

impl Order {
    /// That of the segment `bytes`. Of one whose header is damaged, as far as it can be told.
    pub(crate) fn of(bytes: &[u8], header: Option<&SegmentHeader>) -> Self {
        let from = header.map_or(1, |header| header.first_sequence);
        let is_written_by_sets = match header {
            Some(header) => header.origin == Origin::Sets,
            // One flipped bit does not make one of the two codes the other.
            None => bytes.get(6..8) == Some(&[1, 0]),
        };
        if is_written_by_sets {
            return Self::Rising(header.map(|header| header.first_sequence));
        }
        Self::Any(from..=footer_of(bytes).map_or(MAX_SEQUENCE + 1, |footer| footer.next_sequence))
    }
}

/// Valid records that follow each other.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// Where the first begins.
    pub(crate) start: usize,
    /// Where the last ends.
    pub(crate) end: usize,
    /// How many they are, without heads of batches and the footer, and with them but without the footer.
    pub(crate) records: u64,
    all: u64,
    /// The number of the first, and the one that must follow the last.
    first: u64,
    next: Option<u64>,
    /// Where the head of a batch stands whose records go on behind the run.
    pub(crate) open_batch: Option<usize>,
    /// Whether it stands where it must, and was not found by its checksum alone.
    is_placed: bool,
    pub(crate) stop: RunStop,
}

/// What stands behind a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunStop {
    /// Nothing, or nothing but zeros.
    End,
    /// Its last record is the footer.
    Footer(Footer),
    /// What is no record, or one that does not belong here.
    Flaw(Flaw),
}

impl Run {
    /// Its records and their offsets.
    pub(crate) fn records<'b>(&self, bytes: &'b [u8]) -> impl Iterator<Item = (usize, Record<'b>)> + use<'b> {
        let bytes = bytes.get(..self.end).unwrap_or_default();
        let mut offset = self.start;
        std::iter::from_fn(move || {
            let record = Record::unchecked(bytes.get(offset..)?).ok()?;
            let start = offset;
            offset += record.bytes.len();
            Some((start, record))
        })
    }

    fn len(&self) -> usize {
        self.end - self.start
    }

    /// Leaves out the first `count` records.
    fn skip(&mut self, bytes: &[u8], count: u64) {
        let mut kept = self.records(bytes).skip(index(count));
        self.start = kept.next().map_or(self.end, |(offset, _)| offset);
        self.all = self.all.saturating_sub(count);
        self.records = self.records(bytes).filter(|(_, record)| record.header.kind.has_key()).count() as u64;
    }
}

/// All valid records of the segment `bytes`, in runs, by offset. The first run begins behind the header, and may be
/// empty.
pub(crate) fn runs(bytes: &[u8], order: &Order) -> Vec<Run> {
    let mut finder = Finder { bytes, order, budget: (bytes.len() as u64).saturating_mul(MOST_ROUNDS) };
    let expected = if let Order::Rising(first) = order { *first } else { None };
    let first = finder.follow(SEGMENT_HEADER_LEN.min(bytes.len()), expected, true);
    // The last run that stands where it must: what comes later is measured by it.
    let mut base = (first.end, first.next);
    let (mut stop, mut end, mut next) = (first.stop, first.end, first.next);
    let mut found = vec![first];
    while let RunStop::Flaw(flaw) = stop {
        let exact = if let [only] = found.as_slice() { finder.by_count(end, only.all) } else { None };
        let Some(run) = exact.or_else(|| finder.resume(end, next, flaw, base)) else { break };
        (stop, end, next) = (run.stop, run.end, run.next);
        if run.is_placed {
            base = (run.end, run.next);
        }
        accept(&mut found, run, order);
    }
    leave_out_impostors(&mut found, bytes);
    found
}

/// Takes `run` in. Where it contradicts one that was found by its checksum alone, one of the two lay within a value:
/// the one that leads nowhere, or the shorter.
fn accept(found: &mut Vec<Run>, run: Run, order: &Order) {
    let leads_on = !matches!(run.stop, RunStop::Flaw(_));
    while let (Order::Rising(_), Some(last)) = (order, found.last()) {
        if last.next.is_none_or(|next| next <= run.first) {
            break;
        }
        if last.is_placed || !(leads_on || run.is_placed || run.len() > last.len()) {
            return;
        }
        found.pop();
    }
    found.push(run);
}

/// A footer knows how many records there were, and each gap has taken one at least. If there are more, some lay
/// within a damaged value: where a run was found by its checksum alone, at its start.
fn leave_out_impostors(found: &mut [Run], bytes: &[u8]) {
    let Some(RunStop::Footer(footer)) = found.last().map(|run| run.stop) else { return };
    let gaps = found.len() as u64 - 1;
    let all: u64 = found.iter().map(|run| run.all).sum();
    let surplus = (all + gaps).saturating_sub(footer.records);
    if surplus > 0 {
        for run in found.iter_mut().filter(|run| !run.is_placed) {
            run.skip(bytes, surplus);
        }
    }
}

struct Finder<'b> {
    bytes: &'b [u8],
    order: &'b Order,
    /// How many bytes may still be read to find out that they are no record.
    budget: u64,
}

impl Finder<'_> {
    fn behind(&self, offset: usize) -> &[u8] {
        self.bytes.get(offset..).unwrap_or_default()
    }

    /// The run that begins at `start`, with the record `expected`.
    fn follow(&self, start: usize, expected: Option<u64>, is_placed: bool) -> Run {
        let is_rising = matches!(self.order, Order::Rising(_));
        let first = expected.or_else(|| sequence_at(self.behind(start))).unwrap_or_default();
        let (mut end, mut next, mut batch) = (start, expected.filter(|_| is_rising), None);
        let (mut records, mut all) = (0, 0);
        let stop = loop {
            if is_zero_from(self.bytes, end as u64) {
                break RunStop::End;
            }
            let record = match Record::decode(self.behind(end)) {
                Ok(record) => record,
                Err(flaw) => break RunStop::Flaw(flaw),
            };
            let Header { sequence, kind, .. } = record.header;
            if let Some(expected) = next.filter(|&next| next != sequence) {
                break RunStop::Flaw(Flaw::Sequence { expected, found: sequence });
            }
            let len = record.bytes.len();
            if kind == Kind::Footer {
                match Footer::of_record(&record).filter(|footer| footer.data_len == end as u64) {
                    Some(footer) => {
                        end += len;
                        break RunStop::Footer(footer);
                    }
                    None => break RunStop::Flaw(Flaw::Footer),
                }
            }
            if let Some(head) = BatchHead::of_record(&record) {
                batch = Some((end, (end + len).saturating_add(index(head.len))));
            }
            all += 1;
            records += u64::from(kind.has_key());
            end += len;
            next = is_rising.then_some(sequence.saturating_add(u64::from(kind.has_key())));
        };
        let open_batch = batch.filter(|&(_, until)| end < until).map(|(head, _)| head);
        Run { start, end, records, all, first, next, open_batch, is_placed, stop }
    }

    /// The run behind a single damaged record at `end`, in a segment of copies, with so many records `before` it: the
    /// footer says how many there must be.
    fn by_count(&mut self, end: usize, before: u64) -> Option<Run> {
        let Order::Any(_) = self.order else { return None };
        let wanted = footer_of(self.bytes)?.records.checked_sub(before)?.checked_sub(1)?;
        let mut from = end.saturating_add(1);
        loop {
            let start = self.scan(from, (end, None))?;
            let mut run = self.follow(start, sequence_at(self.behind(start)), true);
            if matches!(run.stop, RunStop::Footer(_)) {
                // Those at the start that are too many stand in the value of the damaged record.
                let surplus = run.all.checked_sub(wanted)?;
                run.skip(self.bytes, surplus);
                return Some(run);
            }
            from = run.end.max(start.saturating_add(1));
        }
    }

    /// The next run behind one that ended at `end`, where `expected` should be and is not.
    fn resume(
        &mut self,
        end: usize,
        expected: Option<u64>,
        flaw: Flaw,
        base: (usize, Option<u64>),
    ) -> Option<Run> {
        if let Flaw::Sequence { expected, found } = flaw
            && found > expected
        {
            // It is whole, and stands where a record ends. Those between are missing.
            return Some(self.follow(end, Some(found), true));
        }
        let (placed, is_last) = match self.placed_behind(end, expected) {
            Some(Placed::At(offset)) => (Some(offset), false),
            Some(Placed::Nothing) => (None, true),
            None => (None, false),
        };
        if matches!(self.order, Order::Rising(_))
            && let Some(start) = placed
        {
            return Some(self.follow(start, sequence_at(self.behind(start)), true));
        }
        // A whole record at the end has a number that does not belong here, so another may.
        let from = if matches!(flaw, Flaw::Sequence { .. }) { end } else { end.saturating_add(1) };
        let Some(start) = self.scan(from, base) else {
            return placed.map(|start| self.follow(start, sequence_at(self.behind(start)), true));
        };
        let run = self.follow(start, sequence_at(self.behind(start)), false);
        if is_last && matches!(run.stop, RunStop::Flaw(_)) {
            // It lies within the value of the last record.
            return None;
        }
        match placed {
            // It leads there as well: a damaged length pointed past whole records.
            Some(placed) if start < placed && !self.passes(&run, placed) => {
                Some(self.follow(placed, sequence_at(self.behind(placed)), true))
            }
            Some(placed) if start == placed => Some(Run { is_placed: true, ..run }),
            _ => Some(run),
        }
    }

    fn passes(&self, run: &Run, place: usize) -> bool {
        run.end == place || run.records(self.bytes).any(|(offset, _)| offset == place)
    }

    /// What stands behind the damaged record at `offset`, if its lengths are right.
    fn placed_behind(&self, offset: usize, expected: Option<u64>) -> Option<Placed> {
        let header = Header::decode(&mut Fields::of(self.behind(offset).get(4..)?))?;
        let behind = (offset as u64).checked_add(header.record_len()).map(index)?;
        if behind <= self.bytes.len() && is_zero_from(self.bytes, behind as u64) {
            return Some(Placed::Nothing);
        }
        let next = Record::decode(self.behind(behind)).ok()?.header.sequence;
        let fits = match expected {
            Some(expected) => next == expected.saturating_add(u64::from(header.kind.has_key())),
            None => true,
        };
        fits.then_some(Placed::At(behind))
    }

    /// The first valid record from `from` on whose number can follow `base`.
    fn scan(&mut self, from: usize, base: (usize, Option<u64>)) -> Option<usize> {
        (from..self.bytes.len()).find(|&start| {
            let rest = self.bytes.get(start..).unwrap_or_default();
            if !sequence_at(rest).is_some_and(|found| self.can_follow(base, start, found)) {
                return false;
            }
            let cost = Record::unchecked(rest).map_or(0, |record| record.bytes.len() as u64);
            // Someone made this segment so that it takes for ever. What is left of it is given up.
            let Some(left) = self.budget.checked_sub(cost) else { return false };
            self.budget = left;
            Record::decode(rest).is_ok_and(|record| {
                let footer = Footer::of_record(&record);
                record.header.kind != Kind::Footer
                    || footer.is_some_and(|footer| footer.data_len == start as u64)
            })
        })
    }

    /// Whether a record at `start` can have the number `found`: each one that is lost took some bytes.
    fn can_follow(&self, (end, next): (usize, Option<u64>), start: usize, found: u64) -> bool {
        let next = match (self.order, next) {
            (Order::Rising(_), Some(next)) => next,
            (Order::Rising(_), None) => return (1..=MAX_SEQUENCE + 1).contains(&found),
            (Order::Any(numbers), _) => return numbers.contains(&found),
        };
        let gap = start.saturating_sub(end);
        match found.checked_sub(next) {
            // Only the head of a batch takes bytes and no number.
            Some(0) => gap == BATCH_HEAD_LEN,
            Some(lost) => lost <= (gap / HEADER_LEN) as u64,
            None => false,
        }
    }
}

/// What stands where a damaged record says that it ends.
enum Placed {
    /// The next record.
    At(usize),
    /// Nothing more in this segment.
    Nothing,
}

/// The sequence number of the record that would begin with `bytes`.
fn sequence_at(bytes: &[u8]) -> Option<u64> {
    Fields::of(bytes.get(10..)?).u48()
}

/// The footer at the end of a segment, if it is one.
pub(crate) fn footer_of(bytes: &[u8]) -> Option<Footer> {
    // A tail that was sealed by a process which died then still has its reserve behind the footer.
    let last = bytes.iter().rposition(|&byte| byte != 0)?;
    let shortest = (last + 1).max(FOOTER_LEN);
    (shortest..=(shortest + 4).min(bytes.len())).find_map(|end| Footer::at_end_of(&bytes[..end]).ok())
}
