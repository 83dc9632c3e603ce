//! [`View`]: the map as it was at one moment, while writes go on.
//!
//! ```text
//!   moment ────────────────────────────────────────────────────►
//!   table 0   shown                      writes change it freely
//!   table 1   shown
//!   table 2   being shown, under its lock
//!   table 3   not yet: who changes a key puts what it was aside, once
//!   table 4   not yet
//! ```
//!
//! It is *copy on write*, a key at a time: Redis has the same from the system's pages by forking. Nothing is copied
//! where nobody writes, and nobody waits for more than one table of the thousand.
//!
//! What is put aside is at most one old value for each key that is changed before its table's turn: the memory of the
//! keys that were changed meanwhile, and with every key changed, once more that of the store. It is given back table
//! by table.

use std::fmt;
use std::sync::{Mutex, MutexGuard, Weak};

use hashbrown::HashTable;
use logladder_engine::{Error, Result};

use crate::entry::Entry;
use crate::map::{Place, TABLES};

/// What a key was before it was first changed since the moment of a view.
#[derive(Debug, Clone)]
pub(crate) enum Kept {
    Was(Entry),
    Absent(Box<[u8]>),
}

impl Kept {
    pub(crate) fn key(&self) -> &[u8] {
        match self {
            Self::Was(entry) => entry.key(),
            Self::Absent(key) => key,
        }
    }
}

/// What was put aside of one table, by the hash of its key.
type Aside = HashTable<(Place, Kept)>;

/// The map as it was at one moment. It ends when it is dropped.
pub(crate) struct View {
    /// For each table what was put aside; `None` once it has been shown.
    parts: Box<[Mutex<Option<Aside>>]>,
    /// How many changes had been made by then.
    pub(crate) sequence: u64,
}

impl View {
    /// Its moment is when it is entered into the writer's list.
    pub(crate) fn new() -> Self {
        let parts = std::iter::repeat_with(|| Mutex::new(Some(HashTable::new()))).take(TABLES).collect();
        Self { parts, sequence: 0 }
    }

    fn part(&self, table: usize) -> Result<MutexGuard<'_, Option<Aside>>> {
        self.parts[table].lock().map_err(|_| Error::panicked())
    }

    /// Puts aside what a key was, for each view that needs it.
    pub(crate) fn keep(views: &[Weak<Self>], place: Place, kept: Kept) -> Result<()> {
        let Some((last, others)) = views.split_last() else { return Ok(()) };
        for view in others {
            Self::keep_one(view, place, kept.clone())?;
        }
        Self::keep_one(last, place, kept)
    }

    // ANCHOR: keep_one
    fn keep_one(view: &Weak<Self>, place: Place, kept: Kept) -> Result<()> {
        let Some(view) = view.upgrade() else { return Ok(()) };
        let mut part = view.part(place.table())?;
        let Some(table) = part.as_mut() else { return Ok(()) };
        if table.find(place.hash(), |(_, old)| old.key() == kept.key()).is_none() {
            table.insert_unique(place.hash(), (place, kept), |(place, _)| place.hash());
        }
        Ok(())
    }
    // ANCHOR_END: keep_one

    /// What was put aside of a table, whose turn has come: from now on nothing is. `None` the second time.
    pub(crate) fn take(&self, table: usize) -> Result<Option<Aside>> {
        Ok(self.part(table)?.take())
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("sequence", &self.sequence).finish_non_exhaustive()
    }
}
