//! [`Options`]: what can be chosen at opening.

use logladder_engine::SyncPolicy;

/// What can be chosen at opening. None of it is part of the format: a store may be opened with other options
/// each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// What has happened to a write when the janitor calls it written. Whichever it is, a write is acknowledged
    /// before the janitor has heard of it, and [`Engine::sync`](logladder_engine::Engine::sync) returns when
    /// everything that was acknowledged is on the disk.
    ///
    /// - [`SyncPolicy::Always`], the default: it is on the disk. The file is synced before it is renamed, and then its
    ///   folder. Whatever crash comes, each file is whole: an older value or a newer one.
    /// - [`SyncPolicy::Never`]: it is with the kernel, and survives the death of the process. A loss of power may
    ///   take what was written since the last `sync`, and leave a file of which its check says that it is damaged;
    ///   then the store does not open until that file is moved away.
    /// - [`SyncPolicy::Every`]: as `Never`, and the janitor syncs when so much time has passed since the first
    ///   write that is not on the disk yet. Without a janitor, as `Always`.
    pub sync: SyncPolicy,
    /// Who writes.
    pub janitor: Janitor,
    /// How many keys may wait to be written. When there are more, who wants to write waits until some have been, or
    /// writes them itself; but not for another value, no longer, of a key that waits already. 1,024 deletes more may
    /// wait, so that a full disk can be emptied. The default is 65,536.
    pub most_keys: usize,
    /// How many bytes of keys and values may wait, in the same way. The default is 64 MiB. Each thread can go over it
    /// by the one value that it sets.
    pub most_bytes: u64,
}

/// Who writes what was set to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Janitor {
    /// A thread that the store owns, as soon as it can.
    #[default]
    Thread,
    /// Nobody, until [`sync`](logladder_engine::Engine::sync), `close` or a write that finds the queue full. Each run
    /// of a program then does the same to the disk, as tests and lessons want it.
    OnDemand,
}

impl Default for Options {
    fn default() -> Self {
        Self { sync: SyncPolicy::Always, janitor: Janitor::Thread, most_keys: 1 << 16, most_bytes: 64 << 20 }
    }
}

impl Options {
    /// The same with another sync policy.
    #[must_use]
    pub fn with_sync(mut self, sync: SyncPolicy) -> Self {
        self.sync = sync;
        self
    }

    /// The same with another janitor.
    #[must_use]
    pub fn with_janitor(mut self, janitor: Janitor) -> Self {
        self.janitor = janitor;
        self
    }

    /// The same with so many keys and bytes that may wait.
    #[must_use]
    pub fn with_queue(mut self, most_keys: usize, most_bytes: u64) -> Self {
        (self.most_keys, self.most_bytes) = (most_keys, most_bytes);
        self
    }

    /// Whether a file is on the disk before it counts as written.
    pub(crate) fn syncs_each_file(&self) -> bool {
        match self.sync {
            SyncPolicy::Never => false,
            // Without a thread, there is nobody to do it in time.
            SyncPolicy::Every(_) => self.janitor == Janitor::OnDemand,
            _ => true,
        }
    }
}
