//! [`Traced`]: an engine that writes into a [`Journal`] what is asked of it.

use std::fmt;

use logladder_engine::{
    Atomic, Backup, Changes, Cluster, Collections, Compact, Compacted, Direction, Durability, Engine, Expire,
    Follow, History, Iterate, KeyRange, Ordered, Repair, Result, Stalls, Stats, Visit,
};

use crate::deed::Deed;
use crate::journal::Journal;

/// An engine that is watched. What it can do beyond visiting, scanning and compacting is handed on as it is.
pub(crate) struct Traced {
    // The first field is dropped first: what the engine does then comes before the note of it.
    engine: Box<dyn Engine>,
    end: End,
}

/// Notes how the engine came to its end.
struct End {
    journal: Journal,
    deed: Option<Deed>,
}

impl Drop for End {
    fn drop(&mut self) {
        if let Some(deed) = self.deed.take() {
            self.journal.note(deed);
        }
    }
}

impl Traced {
    pub(crate) fn new(engine: Box<dyn Engine>, journal: &Journal) -> Self {
        Self { engine, end: End { journal: journal.clone(), deed: Some(Deed::Drop) } }
    }

    fn note(&self, deed: Deed) {
        self.end.journal.note(deed);
    }
}

impl fmt::Debug for Traced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Traced").field(&self.engine.name()).finish()
    }
}

impl Engine for Traced {
    fn name(&self) -> &'static str {
        self.engine.name()
    }

    fn durability(&self) -> Durability {
        self.engine.durability()
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.note(Deed::Get(key.to_vec()));
        self.engine.get(key)
    }

    fn get_into(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        self.note(Deed::GetInto(key.to_vec()));
        self.engine.get_into(key, value)
    }

    fn get_with(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool> {
        self.note(Deed::GetWith(key.to_vec()));
        self.engine.get_with(key, read)
    }

    fn get_many(&self, keys: &[&[u8]], visit: &mut dyn FnMut(usize, Option<&[u8]>)) -> Result<()> {
        self.note(Deed::GetMany(keys.iter().map(|key| key.to_vec()).collect()));
        self.engine.get_many(keys, visit)
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        // A value over the limit may be a gigabyte of memory that nobody has touched: it is not copied.
        let seen = &value[..value.len().min(4 << 20)];
        self.note(Deed::Set(key.to_vec(), seen.to_vec()));
        self.engine.set(key, value)
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        self.note(Deed::Delete(key.to_vec()));
        self.engine.delete(key)
    }

    fn sync(&self) -> Result<()> {
        self.note(Deed::Sync);
        self.engine.sync()
    }

    fn stats(&self) -> Result<Stats> {
        self.note(Deed::Stats);
        self.engine.stats()
    }

    fn repairs(&self) -> &[Repair] {
        self.engine.repairs()
    }

    fn stalls(&self) -> Option<Stalls> {
        self.engine.stalls()
    }

    fn trouble(&self) -> Option<String> {
        self.engine.trouble()
    }

    fn close(self: Box<Self>) -> Result<()> {
        let Self { engine, mut end } = *self;
        end.deed = None;
        end.journal.note(Deed::Close);
        engine.close()
    }

    fn as_iterate(&self) -> Option<&dyn Iterate> {
        self.engine.as_iterate().map(|_| self as &dyn Iterate)
    }

    fn as_compact(&self) -> Option<&dyn Compact> {
        self.engine.as_compact().map(|_| self as &dyn Compact)
    }

    fn as_ordered(&self) -> Option<&dyn Ordered> {
        self.engine.as_ordered().map(|_| self as &dyn Ordered)
    }

    fn as_atomic(&self) -> Option<&dyn Atomic> {
        self.engine.as_atomic()
    }

    fn as_history(&self) -> Option<&dyn History> {
        self.engine.as_history()
    }

    fn as_changes(&self) -> Option<&dyn Changes> {
        self.engine.as_changes()
    }

    fn as_expire(&self) -> Option<&dyn Expire> {
        self.engine.as_expire()
    }

    fn as_collections(&self) -> Option<&dyn Collections> {
        self.engine.as_collections()
    }

    fn as_backup(&self) -> Option<&dyn Backup> {
        self.engine.as_backup()
    }

    fn as_cluster(&self) -> Option<&dyn Cluster> {
        self.engine.as_cluster()
    }

    fn as_follow(&self) -> Option<&dyn Follow> {
        self.engine.as_follow()
    }
}

impl Iterate for Traced {
    fn for_each(&self, visit: &mut Visit<'_>) -> Result<()> {
        let Some(iterate) = self.engine.as_iterate() else { return Ok(()) };
        let noted = self.end.journal.note_visit();
        iterate.for_each(&mut |key, value| {
            let looking = noted.shows();
            let answer = visit(key, value);
            drop(looking);
            if answer.is_break() {
                noted.stops();
            }
            answer
        })
    }

    fn is_consistent(&self) -> bool {
        self.engine.as_iterate().is_some_and(Iterate::is_consistent)
    }
}

impl Ordered for Traced {
    fn scan(&self, range: KeyRange<'_>, direction: Direction, visit: &mut Visit<'_>) -> Result<()> {
        self.note(Deed::Scan(range.0.map(<[u8]>::to_vec), range.1.map(<[u8]>::to_vec), direction));
        self.engine.as_ordered().map_or(Ok(()), |ordered| ordered.scan(range, direction, visit))
    }
}

impl Compact for Traced {
    fn compact(&self) -> Result<Compacted> {
        self.note(Deed::Compact);
        self.engine.as_compact().map_or_else(|| Ok(Compacted::default()), Compact::compact)
    }
}
