//! [`Measure`]: what is timed, each a column of the tables.

use serde::{Deserialize, Serialize};

/// Something that is done to an engine and timed. A rate of several threads is the sum of theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Measure {
    /// Sets of each key once, in random order, into an empty store.
    Fill,
    /// Sets of each key once more, in another random order.
    Overwrite,
    /// Gets of random keys that are there.
    Get,
    /// Gets of random keys that are there, 64 a call.
    GetMany,
    /// Gets whose value is read where it lies, every byte of it, and not copied.
    GetInPlace,
    /// Gets that borrow the value where it lies and do not look at it.
    GetUnread,
    /// As [`Get`](Self::Get), by two threads at once.
    GetTwoThreads,
    /// Gets of random keys that were never set.
    GetAbsent,
    /// Sets of random keys by one thread, while another gets: the sets.
    WriteBesideRead,
    /// As above: the gets.
    ReadBesideWrite,
    /// Deletes of each key, in random order.
    Delete,
    /// Sets of random keys, each synced before it returns.
    DurableSet,
    /// The same by eight threads at once, which may share their syncs.
    DurableSetEightThreads,
}

impl Measure {
    /// Every measure, in the order of the tables.
    pub const ALL: [Self; 13] = [
        Self::Fill,
        Self::Overwrite,
        Self::Get,
        Self::GetMany,
        Self::GetInPlace,
        Self::GetUnread,
        Self::GetTwoThreads,
        Self::GetAbsent,
        Self::WriteBesideRead,
        Self::ReadBesideWrite,
        Self::Delete,
        Self::DurableSet,
        Self::DurableSetEightThreads,
    ];

    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fill => "fill",
            Self::Overwrite => "overwrite",
            Self::Get => "get",
            Self::GetMany => "get, 64 a call",
            Self::GetInPlace => "get in place",
            Self::GetUnread => "get in place, unread",
            Self::GetTwoThreads => "get, 2 threads",
            Self::GetAbsent => "get absent",
            Self::WriteBesideRead => "set beside get",
            Self::ReadBesideWrite => "get beside set",
            Self::Delete => "delete",
            Self::DurableSet => "durable set",
            Self::DurableSetEightThreads => "durable set, 8 threads",
        }
    }

    /// Whether the engine is opened to sync before each write is acknowledged.
    #[must_use]
    pub fn is_durable(self) -> bool {
        matches!(self, Self::DurableSet | Self::DurableSetEightThreads)
    }
}
