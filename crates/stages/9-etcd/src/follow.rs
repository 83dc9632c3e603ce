//! [`Changes`]: the history of etcd as a log to follow.
//!
//! A position is how many changes came before it, a revision of etcd, and how many changes of that revision came before it. The
//! last is 0 behind all of them, so that a place between two revisions has one name:
//!
//! ```text
//!   revision    17: set a       18: somebody else's key      19: a batch of three
//!   positions  …           1.17.0                                         2.19.1   3.19.2   4.19.0
//! ```
//!
//! So much is true of one cluster. Another one at the same addresses, or this one after it was restored from a copy, has
//! other changes at the same places as soon as it has come so far. So what is given out has, above the revision, some bits
//! of the cluster's number; without them, as given out by older versions of this code, a place is taken for one of this
//! cluster.

use std::ops::ControlFlow;
use std::thread;
use std::time::{Duration, Instant};

use etcd_client::KeyValue;
use logladder_engine::{Change, Changes, Error, Position, Result, VisitChange};

use crate::Etcd;
use crate::count::Count;
use crate::fault::Fault;
use crate::layout::value_of;
use crate::tail::{Beginning, Tail};

/// The lower bits of the second part of a position are the revision: enough for a million a second for nine years.
const REVISION_BITS: u32 = 48;

/// How long to wait before a watch that was lost is begun again.
const PAUSE: Duration = Duration::from_millis(5);

impl Changes for Etcd {
    fn position(&self) -> Result<Position> {
        let end = self.count(None)?.position();
        Ok(self.given_out(end))
    }

    fn earliest_position(&self) -> Result<Position> {
        let earliest = self.earliest()?;
        Ok(self.given_out(earliest))
    }

    /// The changes up to the call. From a place that this engine has shown before, and not too long ago, they come at once;
    /// from others after up to a tenth of a second, which etcd takes to begin a watch in the past.
    fn changes(&self, since: Position, visit: &mut VisitChange<'_>) -> Result<Position> {
        let end = self.count(None)?;
        let since = self.taken(since)?;
        // Before a watch goes on that was kept: the cluster may have been restored from an older state meanwhile.
        not_behind_the_end(since, &end)?;
        let mut reader =
            Reader { etcd: self, at: since, end, tail: self.kept_tail(since), failing_since: None };
        if reader.tail.is_none() {
            // Refuses places that are none, also where nothing is behind them.
            let beginning = self.beginning(since, &end)?;
            if reader.left() > 0 {
                reader.begin(beginning)?;
            }
        }
        let outcome = reader.show(visit);
        reader.end();
        outcome.map(|at| self.given_out(at))
    }
}

impl Etcd {
    /// Some bits of the number of the cluster that was opened, never none.
    fn mark(&self) -> u64 {
        let cluster = self.store.members.cluster();
        let mark = (cluster ^ (cluster >> 16) ^ (cluster >> 32) ^ (cluster >> 48)) & 0xFFFF;
        mark.max(1)
    }

    /// A place, with the mark of the cluster that it is of.
    fn given_out(&self, place: Position) -> Position {
        Position { segment: place.segment | (self.mark() << REVISION_BITS), ..place }
    }

    /// A place that was given out, without its mark.
    fn taken(&self, place: Position) -> Result<Position> {
        let mark = place.segment >> REVISION_BITS;
        if mark != 0 && mark != self.mark() {
            let why =
                "it is of another cluster, or of this one before it was restored from a copy".to_owned();
            return Err(Error::InvalidPosition { why });
        }
        Ok(Position { segment: place.segment & ((1 << REVISION_BITS) - 1), ..place })
    }

    fn count(&self, at: Option<i64>) -> std::result::Result<Count, Fault> {
        match at {
            // Nothing is there before the first revision; to etcd, revision 0 is now.
            Some(revision) if revision <= 0 => Ok(Count::default()),
            at => self.run(|store| async move { Count::read(&store, at).await }),
        }
    }

    /// The place before the first change that is not compacted.
    fn earliest(&self) -> Result<Position> {
        loop {
            let compacted = self.compacted_revision()?;
            match self.count(Some(compacted)) {
                Ok(count) => {
                    let segment = u64::try_from(compacted).unwrap_or(0);
                    return Ok(Position { sequence: count.changes, segment, offset: 0 });
                }
                // It has gone further in between.
                Err(Fault::Compacted) => {}
                Err(fault) => return Err(fault.into()),
            }
        }
    }

    /// Where a watch begins that shows what is behind this place.
    fn beginning(&self, since: Position, end: &Count) -> Result<Beginning> {
        let refused = |why: &str| Err(Error::InvalidPosition { why: why.to_owned() });
        let revision = not_behind_the_end(since, end)?;
        let there = match self.count(Some(revision)) {
            // Nobody had to be asked, so nobody has said whether what follows is still there.
            Ok(_) if revision <= 0 && self.compacted_revision()? > 0 => Err(Fault::Compacted),
            there => there,
        };
        match there {
            Ok(there) => {
                let first_of_last = there.changes.saturating_sub(there.in_last);
                let is_between = there.last == revision
                    && since.offset < there.in_last
                    && since.sequence == first_of_last + since.offset;
                match since.offset {
                    0 if since.sequence == there.changes => {
                        Ok(Beginning { revision: revision + 1, skipped: 0 })
                    }
                    1.. if is_between => Ok(Beginning { revision, skipped: since.offset }),
                    _ => refused("no change ends there"),
                }
            }
            Err(Fault::Compacted) => {
                let earliest = self.earliest()?;
                let compacted = i64::try_from(earliest.segment).unwrap_or(i64::MAX);
                match since.sequence.cmp(&earliest.sequence) {
                    std::cmp::Ordering::Less => Err(Error::Compacted { earliest: self.given_out(earliest) }),
                    // Others have written since, and that was compacted; nothing of this store is missing.
                    std::cmp::Ordering::Equal if since.offset == 0 => {
                        Ok(Beginning { revision: compacted.saturating_add(1), skipped: 0 })
                    }
                    _ => refused("there were fewer changes at that revision"),
                }
            }
            Err(fault) => Err(fault.into()),
        }
    }
}

/// Refuses a place behind the end of the log. Otherwise, its revision.
fn not_behind_the_end(since: Position, end: &Count) -> Result<i64> {
    let refused = |why: &str| Err(Error::InvalidPosition { why: why.to_owned() });
    let Ok(revision) = i64::try_from(since.segment) else { return refused("etcd has no such revision") };
    if revision > end.revision {
        return refused("that revision is still to come");
    }
    if since.sequence > end.changes {
        return refused("so many changes are still to come");
    }
    Ok(revision)
}

/// Who reads the changes from one place to another.
struct Reader<'e> {
    etcd: &'e Etcd,
    at: Position,
    end: Count,
    tail: Option<Tail>,
    /// Since when no watch has shown anything.
    failing_since: Option<Instant>,
}

impl Reader<'_> {
    /// How many changes are still to be shown.
    fn left(&self) -> u64 {
        self.end.changes.saturating_sub(self.at.sequence)
    }

    fn begin(&mut self, beginning: Beginning) -> Result<()> {
        let at = self.at;
        self.tail = Some(self.etcd.run(|store| async move { Tail::begin(&store, at, beginning).await })?);
        Ok(())
    }

    fn show(&mut self, visit: &mut VisitChange<'_>) -> Result<Position> {
        while self.left() > 0 {
            let (change, goes_on) = self.next()?;
            let revision = u64::try_from(change.mod_revision()).unwrap_or(0);
            let before = if self.at.segment == revision { self.at.offset } else { 0 };
            let next = Position {
                sequence: self.at.sequence.saturating_add(1),
                segment: revision,
                offset: if goes_on { before.saturating_add(1) } else { 0 },
            };
            let Some(key) = self.etcd.store.layout.key_of(change.key()) else { continue };
            let value = value_of(key, change.value())?;
            self.at = next;
            if visit(&Change::new(key, value, self.etcd.given_out(next))) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(self.at)
    }

    /// The next change and whether another of its revision follows. Behind the last one that was counted, none does: a
    /// transaction is counted whole.
    fn next(&mut self) -> Result<(KeyValue, bool)> {
        loop {
            let Some(mut tail) = self.tail.take() else {
                let beginning = self.etcd.beginning(self.at, &self.end)?;
                if let Err(error) = self.begin(beginning) {
                    self.give_up_in_the_end(error)?;
                }
                continue;
            };
            // One more than is taken, to see whether it is of the same revision.
            let wanted = usize::try_from(self.left().min(2)).unwrap_or(2);
            let mut filled = Ok(());
            if tail.waiting() < wanted {
                (tail, filled) = self.etcd.run(|store| async move {
                    let filled = tail.fill(&store, wanted).await;
                    Ok((tail, filled))
                })?;
            }
            match filled {
                Ok(()) => {
                    if let Some(change) = self.tail.insert(tail).take() {
                        self.failing_since = None;
                        return Ok(change);
                    }
                }
                // The watch is lost; another begins where this one was, on another member if need be.
                Err(fault) => self.give_up_in_the_end(fault.into())?,
            }
        }
    }

    /// Nothing was shown. Until the deadline that is no error.
    fn give_up_in_the_end(&mut self, error: Error) -> Result<()> {
        let since = *self.failing_since.get_or_insert_with(Instant::now);
        if since.elapsed() >= self.etcd.store.members.timeout() {
            return Err(error);
        }
        thread::sleep(PAUSE);
        Ok(())
    }

    /// Leaves the watch for who goes on from here.
    fn end(self) {
        if let Some(tail) = self.tail {
            self.etcd.keep_tail(tail, self.at);
        }
    }
}
