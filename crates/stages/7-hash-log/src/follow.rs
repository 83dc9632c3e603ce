//! Following the log: the changes behind a position, in order and without gaps.
//!
//! The segments that sets wrote, one behind the other, are the log of changes; those that compaction wrote are not
//! part of it. Compaction takes segments out of the log, so it goes back only so far.

use std::ops::ControlFlow;
use std::sync::Arc;

use logladder_disk::Map;
use logladder_engine::{Change, Error, Position, Result, SyncPolicy, VisitChange};

use crate::format::extra::moment_of;
use crate::format::header::{Origin, SEGMENT_HEADER_LEN};
use crate::format::index;
use crate::format::record::Kind;
use crate::scan::Walk;
use crate::segment::Segment;
use crate::store::Store;

/// A segment of the log of changes, and the number of the first record behind it.
struct Link {
    segment: Arc<Segment>,
    end: u64,
}

impl Link {
    fn first(&self) -> u64 {
        self.segment.header().first_sequence
    }
}

impl Store {
    /// The place behind everything that was acknowledged.
    pub(crate) fn position(&self) -> Result<Position> {
        let durable = self.committed()?;
        // Nobody appends while it is held, so the number and the end of the segment belong together.
        let writer = self.writer_of_any()?;
        let committed = match self.options.sync {
            SyncPolicy::Always => durable,
            _ => writer.next_sequence,
        };
        if committed < writer.next_sequence {
            // Where the log goes on behind the last acknowledged record, the number alone says where that is.
            return Ok(at(committed, 0, 0));
        }
        let links = self.links(committed);
        Ok(match links.last().filter(|link| link.first() <= committed && committed <= link.end) {
            Some(last) => at(committed, last.segment.id(), last.segment.data_len()),
            None => at(committed, 0, 0),
        })
    }

    /// The earliest place from which every later change is still in the log.
    pub(crate) fn earliest_position(&self) -> Result<Position> {
        let committed = self.committed()?;
        Ok(match self.links(committed).first() {
            Some(first) => at(first.first(), first.segment.id(), SEGMENT_HEADER_LEN as u64),
            None => at(committed, 0, 0),
        })
    }

    /// Shows the changes behind `since`.
    pub(crate) fn changes(&self, since: Position, visit: &mut VisitChange<'_>) -> Result<Position> {
        let committed = self.committed()?;
        let mut number = number_behind(since);
        if number > committed {
            let why = format!(
                "it is behind {} changes, and there are {}",
                since.sequence,
                committed.saturating_sub(1)
            );
            return Err(Error::InvalidPosition { why });
        }
        self.check_place(since, committed)?;
        if number == committed {
            return Ok(since);
        }
        let links = self.links(committed);
        if links.first().is_none_or(|first| number < first.first()) {
            return Err(Error::Compacted { earliest: self.earliest_position()? });
        }
        let mut position = since;
        for link in links.iter().filter(|link| link.end > number_behind(since)) {
            let mapped;
            let bytes = if let Some(bytes) = link.segment.bytes() {
                bytes
            } else {
                mapped = self.map_of(&link.segment)?;
                &mapped
            };
            let start = start_in(link, bytes, position)?;
            let mut walk = Walk::from(bytes, start, number);
            while number < link.end.min(committed) {
                let record = match walk.next() {
                    Some(Ok((_, record))) if record.header.kind != Kind::Footer => record,
                    other => {
                        let what = match other {
                            Some(Err(flaw)) => flaw.to_string(),
                            _ => "it ends before the changes do".into(),
                        };
                        return Err(Error::corrupt(link.segment.path(), walk.offset() as u64, what));
                    }
                };
                if record.header.kind == Kind::Batch {
                    continue;
                }
                number += 1;
                position = at(number, link.segment.id(), walk.offset() as u64);
                let value = (!record.is_delete()).then_some(record.value);
                let change =
                    Change::new(record.key, value, position).until(record.extra.expires.map(moment_of));
                if visit(&change) == ControlFlow::Break(()) {
                    return Ok(position);
                }
            }
        }
        Ok(position)
    }

    /// That the store gave out this position, as far as it can still be known.
    fn check_place(&self, since: Position, committed: u64) -> Result<()> {
        let refused = |why: &str| Err(Error::InvalidPosition { why: why.to_owned() });
        // Where no segment was open.
        if since.segment == 0 {
            return if since.offset == 0 { Ok(()) } else { refused("there is no segment 0") };
        }
        let segments = self.catalog.segments();
        let Some((_, segment)) = segments.iter().find(|(_, segment)| segment.id() == since.segment) else {
            let was_there = since.segment < self.list()?.next_segment;
            return if was_there { Ok(()) } else { refused("there has been no such segment") };
        };
        if segment.header().origin != Origin::Sets {
            return refused("that segment holds no changes");
        }
        let number = number_behind(since);
        let is_end = segment.data_len() == since.offset
            && match segment.footer() {
                Some(footer) => footer.next_sequence == number,
                // It grows, or it is full and another goes on.
                None => {
                    number == committed || self.links(committed).iter().any(|link| link.first() == number)
                }
            };
        if is_end || (since.offset >= SEGMENT_HEADER_LEN as u64 && self.is_at(segment, since)?) {
            return Ok(());
        }
        refused("no change ends there")
    }

    /// Whether the record behind the position begins at its offset.
    fn is_at(&self, segment: &Segment, position: Position) -> Result<bool> {
        let begins = |bytes: &[u8]| {
            let mut walk = Walk::from(bytes, index(position.offset), number_behind(position));
            matches!(walk.next(), Some(Ok(_)))
        };
        Ok(match segment.bytes() {
            Some(bytes) => begins(bytes),
            None => begins(&self.map_of(segment)?),
        })
    }

    /// The part of the log that reaches without a gap up to the record `committed`, in order.
    fn links(&self, committed: u64) -> Vec<Link> {
        let mut segments: Vec<Arc<Segment>> = (self.catalog.segments().iter())
            .filter(|(_, segment)| segment.header().origin == Origin::Sets)
            .map(|(_, segment)| Arc::clone(segment))
            .collect();
        segments.sort_unstable_by_key(|segment| segment.header().first_sequence);
        let mut links = Vec::new();
        let mut next = committed;
        for segment in segments.into_iter().rev() {
            let first = segment.header().first_sequence;
            // One that still grows, or waits to be sealed, reaches up to where the next one begins.
            let end = segment.footer().map_or(next, |footer| footer.next_sequence);
            if first >= committed {
                continue;
            }
            if end < next {
                break;
            }
            links.push(Link { segment, end });
            next = first;
        }
        links.reverse();
        links
    }

    fn map_of(&self, segment: &Segment) -> Result<Map> {
        self.disk().map(segment.path())
    }
}

/// The place before the record with this number. The first record has the number 1.
fn at(number: u64, segment: u64, offset: u64) -> Position {
    Position { sequence: number.saturating_sub(1), segment, offset }
}

/// The number of the record behind this place.
fn number_behind(position: Position) -> u64 {
    position.sequence.saturating_add(1)
}

/// Where in the segment the record with the number of `position` begins.
fn start_in(link: &Link, bytes: &[u8], position: Position) -> Result<usize> {
    if position.segment == link.segment.id() && link.first() < number_behind(position) {
        return Ok(index(position.offset));
    }
    // The position was taken in another segment, or where none was open: its number says enough.
    let mut walk = Walk::of(bytes, link.segment.header());
    let mut number = link.first();
    while number < number_behind(position) {
        let Some(Ok((_, record))) = walk.next() else {
            let what = "the record that this position is behind cannot be read";
            return Err(Error::corrupt(link.segment.path(), walk.offset() as u64, what));
        };
        number += u64::from(record.header.kind.has_key());
    }
    Ok(walk.offset())
}
