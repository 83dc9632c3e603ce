//! [`Map`]: every key with its value, in many small tables.
//!
//! Each table is behind a lock of its own. A reader waits for a writer only if both want the same table, of which
//! there are a thousand; whoever copies the whole map, for a snapshot, holds one of them at a time; and a table that
//! grows moves a thousandth of the keys.

use std::fmt;
use std::hash::Hasher;
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use hashbrown::HashTable;
use hashbrown::hash_table;
use logladder_engine::{Error, Result};
use siphasher::sip::SipHasher13;

use crate::entry::Entry;
use crate::view::{Kept, View};

/// How many tables there are, as a power of two.
const TABLE_BITS: u32 = 10;
pub(crate) const TABLES: usize = 1 << TABLE_BITS;

type Table = HashTable<Entry>;

/// Every key with its value.
pub(crate) struct Map {
    tables: Box<[RwLock<Table>]>,
    /// Keyed by the store, so that nobody who does not know its manifest can choose keys that all fall into one
    /// place; and the same in each opening, so that a snapshot holds its keys in the order of the tables.
    hash: SipHasher13,
}

/// Where a key belongs: 32 bits of its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place(u32);

impl Place {
    /// The number of its table.
    pub(crate) fn table(self) -> usize {
        (self.0 >> (u32::BITS - TABLE_BITS)) as usize
    }

    /// Its hash in the table, which wants bits at both ends: a multiplication puts those of the low half there.
    pub(crate) fn hash(self) -> u64 {
        u64::from(self.0).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

impl Map {
    pub(crate) fn new(hash_key: &[u8; 16]) -> Self {
        let tables = std::iter::repeat_with(RwLock::default).take(TABLES).collect();
        Self { tables, hash: SipHasher13::new_with_key(hash_key) }
    }

    pub(crate) fn place(&self, key: &[u8]) -> Place {
        let mut hash = self.hash;
        hash.write(key);
        // Half of it is enough to tell billions of keys apart.
        let half = hash.finish() >> 32;
        Place(u32::try_from(half).unwrap_or(0))
    }

    fn reader(&self, table: usize) -> Result<RwLockReadGuard<'_, Table>> {
        self.tables[table].read().map_err(|_| Error::panicked())
    }

    fn writer(&self, table: usize) -> Result<RwLockWriteGuard<'_, Table>> {
        self.tables[table].write().map_err(|_| Error::panicked())
    }

    /// Shows the value of `key`, in place and under the lock of its table.
    pub(crate) fn get<T>(&self, key: &[u8], show: impl FnOnce(&[u8]) -> T) -> Result<Option<T>> {
        let place = self.place(key);
        let table = self.reader(place.table())?;
        Ok(table.find(place.hash(), |entry| entry.is_of(place, key)).map(|entry| show(entry.value())))
    }

    /// Puts `entry` in, and hands what was there to `views` whose turn at this table has not come yet.
    pub(crate) fn put(&self, entry: Entry, views: &[Weak<View>]) -> Result<()> {
        let place = entry.place();
        let mut table = self.writer(place.table())?;
        match table.entry(place.hash(), |other| other.is_of(place, entry.key()), rehash) {
            hash_table::Entry::Occupied(mut occupied) => {
                let old = std::mem::replace(occupied.get_mut(), entry);
                View::keep(views, place, Kept::Was(old))
            }
            hash_table::Entry::Vacant(vacant) => {
                if !views.is_empty() {
                    View::keep(views, place, Kept::Absent(Box::from(entry.key())))?;
                }
                vacant.insert(entry);
                Ok(())
            }
        }
    }

    /// The same of a key and a value that are no entry yet: in the memory of the old value, if it is as long and nobody
    /// wants to see it any more.
    pub(crate) fn set(&self, place: Place, key: &[u8], value: &[u8], views: &[Weak<View>]) -> Result<()> {
        if views.is_empty() {
            let mut table = self.writer(place.table())?;
            if let Some(old) = table.find_mut(place.hash(), |entry| entry.is_of(place, key))
                && old.overwrite(value)
            {
                return Ok(());
            }
        }
        self.put(Entry::new(place, key, value), views)
    }

    /// Takes `key` out, and hands what was there to `views`, as [`put`](Self::put) does.
    pub(crate) fn remove(&self, place: Place, key: &[u8], views: &[Weak<View>]) -> Result<()> {
        let mut table = self.writer(place.table())?;
        match table.find_entry(place.hash(), |entry| entry.is_of(place, key)) {
            Ok(occupied) => View::keep(views, place, Kept::Was(occupied.remove().0)),
            Err(_) => Ok(()),
        }
    }

    /// Puts in an entry of a snapshot. Says whether its key is new.
    pub(crate) fn load(&self, entry: Entry) -> Result<bool> {
        let place = entry.place();
        let mut table = self.writer(place.table())?;
        match table.entry(place.hash(), |other| other.is_of(place, entry.key()), rehash) {
            hash_table::Entry::Occupied(_) => Ok(false),
            hash_table::Entry::Vacant(vacant) => {
                vacant.insert(entry);
                Ok(true)
            }
        }
    }

    /// Makes room for so many keys, which are spread evenly.
    pub(crate) fn reserve(&self, keys: usize) -> Result<()> {
        let each = keys / TABLES;
        if each > 0 {
            // A little more, as chance spreads them.
            let room = each + each / 8;
            for table in 0..TABLES {
                self.writer(table)?.reserve(room, rehash);
            }
        }
        Ok(())
    }

    /// Shows every entry of one table as `view` has it, and tells the view that it has been shown. What is still as
    /// it was is shown under the lock of the table.
    pub(crate) fn show_table(&self, table: usize, view: &View, mut show: impl FnMut(&Entry)) -> Result<()> {
        let entries = self.reader(table)?;
        let Some(kept) = view.take(table)? else { return Ok(()) };
        for entry in entries.iter() {
            let is_new = || {
                let place = entry.place();
                kept.find(place.hash(), |(_, old)| old.key() == entry.key()).is_some()
            };
            if kept.is_empty() || !is_new() {
                show(entry);
            }
        }
        drop(entries);
        for (_, old) in kept {
            if let Kept::Was(entry) = old {
                show(&entry);
            }
        }
        Ok(())
    }

    /// Shows every key.
    pub(crate) fn for_each_key(&self, mut show: impl FnMut(&[u8])) -> Result<()> {
        for table in 0..TABLES {
            self.reader(table)?.iter().for_each(|entry| show(entry.key()));
        }
        Ok(())
    }

    /// How many keys, of how many bytes with their values, and how many bytes the tables take beside those.
    pub(crate) fn sizes(&self) -> Result<(u64, u64, u64)> {
        let (mut keys, mut bytes, mut beside) = (0, 0, 0);
        for table in 0..TABLES {
            let table = self.reader(table)?;
            keys += table.len() as u64;
            bytes += table.iter().map(|entry| entry.len() as u64).sum::<u64>();
            beside += table.allocation_size() as u64;
        }
        Ok((keys, bytes, beside + (TABLES * size_of::<RwLock<Table>>()) as u64))
    }
}

/// Without the data, and without the key of the hash.
impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map").finish_non_exhaustive()
    }
}

fn rehash(entry: &Entry) -> u64 {
    entry.place().hash()
}
