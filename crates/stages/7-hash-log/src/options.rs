//! [`Options`]: what can be chosen at opening.

use logladder_engine::SyncPolicy;

use crate::index::MAX_OFFSET;

/// What can be chosen at opening. A store may be opened with other options each time; of these it remembers only how many
/// versions it keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// When what was written is synced.
    ///
    /// The default is [`SyncPolicy::Never`], unlike that of the stages below. It is still safe from the death
    /// of the process, whatever kills it: an acknowledged write lies in memory that belongs to the kernel. And
    /// it is what this engine is for: a set is then a copy within memory, and a sync would wait for the disk a
    /// thousand times as long. What must survive a loss of power is made to by [`Engine::sync`], once for all
    /// that was written before; or by [`SyncPolicy::Every`], some time after each write; or by
    /// [`SyncPolicy::Always`] before it is acknowledged, where threads that write at once share one sync.
    ///
    /// [`Engine::sync`]: logladder_engine::Engine::sync
    pub sync: SyncPolicy,
    /// How large a segment grows before the next is begun, in bytes. The default is 64 MiB, and the most 256 MiB;
    /// more is taken as that.
    ///
    /// Large segments mean few files, of which a store can have 65,535; small ones are compacted with less work
    /// at a time. A record that is larger gets a segment of its own. The space of the segment that is written is reserved
    /// in steps of 1 MiB.
    pub segment_bytes: u64,
    /// Who compacts.
    pub compaction: Compaction,
    /// How many bytes a second the compaction in the background may write, or 0 for as many as it can. It reads
    /// about as many, and those that it leaves behind.
    pub compaction_bytes_per_second: u64,
    /// How many versions of each key are kept, the newest included; the most are 65,536, and more is taken as that. The
    /// default is none said: as many as the store was opened with before, and 1 in a new one. 1 is no history, and then
    /// [`Engine::as_history`](logladder_engine::Engine::as_history) says so. Versions are counted from when they
    /// were first kept; each takes ten bytes of memory, like a key. Whoever names fewer than before gives those that
    /// are too many to compaction.
    pub versions: Option<usize>,
    /// Which segments get a hint.
    pub hints: Hints,
    /// The key of the hash of a store that is made now; none to choose it at random. It is for tests and lessons in
    /// which the bytes of a store are to be the same each time. Who knows it can choose keys that make the store
    /// slow.
    pub hash_key: Option<[u8; 16]>,
}

/// Who compacts a store, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Compaction {
    /// A thread that the engine owns, which seals full segments as well. It looks at the segments whenever one has
    /// been sealed, and rewrites those of which a good part is dead, and small ones if there are many.
    #[default]
    Background,
    /// Nobody, until [`Compact::compact`](logladder_engine::Compact::compact) is called. Then the thread that fills
    /// a segment seals it.
    OnDemand,
}

/// Which segments get a hint: their keys in a file of their own, so that opening need not read the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Hints {
    /// Those whose hint is an eighth of their size at most. Where the values are small, a hint would cost much disk
    /// and save little: every page of the segment has keys in it.
    #[default]
    WhereSmall,
    /// All.
    Always,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sync: SyncPolicy::Never,
            segment_bytes: 64 << 20,
            compaction: Compaction::Background,
            compaction_bytes_per_second: 0,
            versions: None,
            hints: Hints::WhereSmall,
            hash_key: None,
        }
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

    /// The same with another limit of what compaction writes in a second.
    #[must_use]
    pub fn with_compaction_bytes_per_second(mut self, bytes: u64) -> Self {
        self.compaction_bytes_per_second = bytes;
        self
    }

    /// The same with so many versions of each key, whatever the store kept before.
    ///
    /// All versions of a key stand in one place of the index, the newest first. A read finds that at once; but a write makes room
    /// before the others, and once the key has as many as are kept, looks at each of them to find the one that goes. So
    /// thousands of versions are for keys that are written seldom.
    #[must_use]
    pub fn with_versions(mut self, versions: usize) -> Self {
        self.versions = Some(versions);
        self
    }

    /// The same with other hints.
    #[must_use]
    pub fn with_hints(mut self, hints: Hints) -> Self {
        self.hints = hints;
        self
    }

    /// The same with this key of the hash, should the store be made now.
    #[must_use]
    pub fn with_hash_key(mut self, hash_key: [u8; 16]) -> Self {
        self.hash_key = Some(hash_key);
        self
    }

    /// How large a segment grows.
    pub(crate) fn segment_limit(&self) -> u64 {
        self.segment_bytes.min(MAX_OFFSET)
    }

    /// How many versions a store keeps besides the newest of each key, if its manifest says so many.
    pub(crate) fn earlier_versions(&self, before: u16) -> u16 {
        self.versions.map_or(before, |all| u16::try_from(all.saturating_sub(1)).unwrap_or(u16::MAX))
    }
}
