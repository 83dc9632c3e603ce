//! [`Snapshot`]: the store as it was at one moment, for as long as someone wants to look.

use std::sync::Arc;

use logladder_engine::{Direction, KeyRange, Result, Visit, limits};

use crate::store::State;

/// The store as it was after some write. Writes, compactions and even the end of the store change nothing in it.
///
/// It holds the memtables and tables that it was made of, and so their memory and their space on the disk, until it is
/// dropped; nothing else in the store has to know of it.
#[derive(Debug, Clone)]
pub struct Snapshot {
    state: Arc<State>,
    sequence: u64,
}

impl Snapshot {
    pub(crate) fn new((state, sequence): (Arc<State>, u64)) -> Self {
        Self { state, sequence }
    }

    /// The number of the last write that it shows. The first write of a store has the number 1.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The value that `key` had.
    ///
    /// # Errors
    ///
    /// As [`Engine::get`](logladder_engine::Engine::get).
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        limits::check_key(key)?;
        self.state.get(key, self.sequence, <[u8]>::to_vec)
    }

    /// Shows the keys of a range and their values, as [`Ordered::scan`](logladder_engine::Ordered::scan) does.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn scan(&self, range: KeyRange<'_>, direction: Direction, visit: &mut Visit<'_>) -> Result<()> {
        self.state.scan(range, self.sequence, direction, visit)
    }
}
