//! [`Options`]: what can be chosen at opening.

use logladder_engine::SyncPolicy;

/// What can be chosen at opening. None of it is part of the format: a store may be opened with other options
/// each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// Whether each write is synced before it is acknowledged.
    ///
    /// The default is [`SyncPolicy::Never`], unlike that of the stages below. It is still safe from the death
    /// of the process, whatever kills it: an acknowledged write lies in memory that belongs to the kernel. And
    /// it is what this engine is for: a set is then a copy within memory, and a sync would wait for the disk a
    /// thousand times as long. What must survive a loss of power is made to by [`Engine::sync`], once for all
    /// that was written before, or with [`SyncPolicy::Always`] for every write.
    ///
    /// [`Engine::sync`]: logladder_engine::Engine::sync
    pub sync: SyncPolicy,
    /// How large a segment grows before the next is begun, in bytes. The default is 64 MiB.
    ///
    /// Large segments mean few files; small ones are compacted with less work at a time. A record that is
    /// larger gets a segment of its own. The first segments of a store are smaller, so that the space reserved
    /// ahead is in proportion to what it holds: each is as large as all that there is, from 1 MiB up.
    pub segment_bytes: u64,
    /// Who compacts.
    pub compaction: Compaction,
}

/// Who compacts a store, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Compaction {
    /// A thread that the engine owns. It looks at the segments whenever one has been sealed, and rewrites those
    /// of which half or more is dead, and small ones if there are many.
    #[default]
    Background,
    /// Nobody, until [`Compact::compact`](logladder_engine::Compact::compact) is called.
    OnDemand,
}

impl Default for Options {
    fn default() -> Self {
        Self { sync: SyncPolicy::Never, segment_bytes: 64 << 20, compaction: Compaction::Background }
    }
}

impl Options {
    /// The same with another sync policy.
    #[must_use]
    pub fn with_sync(mut self, sync: SyncPolicy) -> Self {
        self.sync = sync;
        self
    }

    /// The same with segments of another size.
    #[must_use]
    pub fn with_segment_bytes(mut self, segment_bytes: u64) -> Self {
        self.segment_bytes = segment_bytes;
        self
    }

    /// The same with another way of compacting.
    #[must_use]
    pub fn with_compaction(mut self, compaction: Compaction) -> Self {
        self.compaction = compaction;
        self
    }
}
