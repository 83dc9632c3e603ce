//! The lines as something to follow: each change in order, from any place on that is not older than the last rewrite.

use std::cmp::Ordering;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use logladder_disk::File;
use logladder_engine::{Change as Shown, Error, Position, Result, VisitChange};
use memchr::memchr;

use crate::log::{Log, Mark};
use crate::parse::{Operation, parse};
use crate::store::Store;

/// So much is read at once, or a whole line if that is longer.
const READ_LEN: u64 = 64 * 1024;

/// The lines of a part of a file. A line and a read are in memory.
pub(crate) struct Lines<'f> {
    file: &'f dyn File,
    /// Where the next line begins, in the file and in the buffer.
    offset: u64,
    start: usize,
    buffer: Vec<u8>,
    unread: Range<u64>,
}

/// A line, with its place in the file.
pub(crate) struct Line<'l> {
    pub(crate) range: Range<u64>,
    pub(crate) operation: Operation<'l>,
}

impl<'f> Lines<'f> {
    /// The lines from `range.start`, where one begins, to its end, where one ends.
    pub(crate) fn of(file: &'f dyn File, range: Range<u64>) -> Self {
        Self { file, offset: range.start, start: 0, buffer: Vec::new(), unread: range }
    }

    pub(crate) fn next_line(&mut self) -> Result<Option<Line<'_>>> {
        let damaged = |offset: u64, what: String| {
            let what =
                format!("the line there was sound when the store was opened, and is no longer: {what}");
            Error::corrupt(self.file.path(), offset, what)
        };
        let mut searched = self.start;
        let end = loop {
            if let Some(len) = memchr(b'\n', &self.buffer[searched..]) {
                break searched + len;
            }
            if self.unread.is_empty() {
                if self.start == self.buffer.len() {
                    return Ok(None);
                }
                return Err(damaged(self.offset, "it has no end".into()));
            }
            searched = self.buffer.len() - self.start;
            self.read_on()?;
        };
        let text = &self.buffer[self.start..end];
        let range = self.offset..self.offset + text.len() as u64 + 1;
        let operation = parse(text).map_err(|why| damaged(range.start, why))?;
        self.offset = range.end;
        self.start = end + 1;
        Ok(Some(Line { range, operation }))
    }

    fn read_on(&mut self) -> Result<()> {
        self.buffer.drain(..self.start);
        self.start = 0;
        // Twice as much of a long line each time. The range is the file's own, not a number read from it.
        let len = READ_LEN.max(self.buffer.len() as u64).min(self.unread.end - self.unread.start);
        let old_len = self.buffer.len();
        self.buffer.resize(old_len + usize::try_from(len).unwrap_or(0), 0);
        self.file.read_at(self.unread.start, &mut self.buffer[old_len..])?;
        self.unread.start += len;
        Ok(())
    }
}

/// The lines of the store, as far as they are shown.
#[derive(Debug)]
pub(crate) struct Trail {
    pub(crate) logs: Vec<Arc<Log>>,
    /// Where the last file's end.
    pub(crate) shown: Mark,
}

/// A place to go on from.
struct Start {
    /// The number of the file in the list, and where the line begins.
    log: usize,
    offset: u64,
    /// How many changes were made before the line, and how many of its own have been seen.
    sequence: u64,
    seen: u64,
}

impl Trail {
    /// Where the lines of a file end, by its place in the list.
    pub(crate) fn end_of(&self, log: usize) -> u64 {
        if log + 1 == self.logs.len() { self.shown.offset } else { self.logs[log].file.len() }
    }

    pub(crate) fn lines_of(&self, log: usize, from: u64) -> Lines<'_> {
        Lines::of(&*self.logs[log].file, from..self.end_of(log))
    }

    pub(crate) fn earliest(&self) -> Position {
        let first = self.logs.first();
        let (sequence, segment) = first.map_or((0, 0), |log| (log.first_sequence(), log.number));
        Position { sequence, segment, offset: 0 }
    }

    pub(crate) fn end(&self) -> Position {
        let Mark { offset, sequence } = self.shown;
        Position { sequence, segment: self.logs.last().map_or(0, |log| log.number), offset }
    }

    fn find(&self, since: Position) -> Result<Start> {
        let nowhere = || Error::InvalidPosition { why: format!("this store has no place {since}") };
        let earliest = self.earliest();
        if since.segment < earliest.segment {
            return match since.sequence.cmp(&earliest.sequence) {
                Ordering::Less => Err(Error::Compacted { earliest }),
                // Who had seen everything up to the rewrite has missed nothing.
                Ordering::Equal => Ok(Start { log: 0, offset: 0, sequence: earliest.sequence, seen: 0 }),
                Ordering::Greater => Err(nowhere()),
            };
        }
        let log = self.logs.iter().position(|log| log.number == since.segment).ok_or_else(nowhere)?;
        if since.offset > self.end_of(log) {
            return Err(nowhere());
        }
        let mark = self.logs[log].mark_before(since.offset);
        let (mut offset, mut sequence) = (mark.offset, mark.sequence);
        let mut lines = self.lines_of(log, offset);
        while offset < since.offset {
            let Some(line) = lines.next_line()? else { break };
            offset = line.range.end;
            sequence += line.operation.changes().len() as u64;
        }
        let mut seen = since.sequence.checked_sub(sequence).ok_or_else(nowhere)?;
        if seen > 0 {
            // Between two changes of one batch?
            let len = lines.next_line()?.map_or(0, |line| line.operation.changes().len() as u64);
            seen = Some(seen).filter(|&seen| seen < len).ok_or_else(nowhere)?;
        }
        if offset == since.offset { Ok(Start { log, offset, sequence, seen }) } else { Err(nowhere()) }
    }
}

impl Store {
    /// What can be read of the lines now.
    pub(crate) fn trail(&self) -> Trail {
        self.look().trail()
    }

    /// Shows what follows `since`. Under no lock: files that a rewrite removes meanwhile are still open here.
    pub(crate) fn changes(&self, since: Position, visit: &mut VisitChange<'_>) -> Result<Position> {
        let trail = self.trail();
        let Start { log, mut offset, mut sequence, mut seen } = trail.find(since)?;
        let mut reached = since;
        for place in log..trail.logs.len() {
            let segment = trail.logs[place].number;
            let mut lines = trail.lines_of(place, std::mem::take(&mut offset));
            while let Some(Line { range, operation }) = lines.next_line()? {
                let changes = operation.changes();
                let all = changes.len() as u64;
                for (change, number) in changes.iter().zip(1..).filter(|(_, number)| *number > seen) {
                    // Between two changes of a batch, the place is in its line.
                    let offset = if number == all { range.end } else { range.start };
                    reached = Position { sequence: sequence + number, segment, offset };
                    let shown = Shown::new(&change.key, change.value.as_deref(), reached);
                    if visit(&shown) == ControlFlow::Break(()) {
                        return Ok(reached);
                    }
                }
                seen = 0;
                sequence += all;
            }
        }
        Ok(reached)
    }
}
