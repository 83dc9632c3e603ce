//! [`Options`]: what can be chosen at opening.

use std::time::Duration;

use logladder_engine::{Durability, SyncPolicy};

/// What can be chosen at opening. None of it is part of the format: a store may be opened with other options each
/// time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// When the append-only file is synced. It means nothing to [`Persistence::Snapshots`], which has none.
    ///
    /// Redis calls it `appendfsync`, and has once a second by default. Here the default is the safe one.
    pub sync: SyncPolicy,
    /// What is on the disk.
    pub persistence: Persistence,
    /// When a thread of the engine makes a snapshot, with [`Persistence::Snapshots`]: as soon as any of these rules
    /// says so. The default is that of Redis: after an hour if anything has changed, after five minutes if 100
    /// changes have been made, after one minute if 10,000 have.
    pub snapshots: Vec<SnapshotRule>,
    /// When a thread of the engine rewrites the append-only file.
    pub rewrite: RewriteRule,
    /// Whether the engine has threads of its own.
    pub housekeeping: Housekeeping,
    /// Whether the store counts the versions of each key, and [`History`](logladder_engine::History) shows those that
    /// are in the append-only file. The default is no. It takes some 120 bytes of memory for each key that was ever
    /// written, and works with [`Persistence::Both`] alone: there is no place for a count in rewritten lines.
    ///
    /// A store that has been opened with it goes on counting without it, so that the numbers stay what they are; a rewrite
    /// then reads the lines once more. A rewrite or a snapshot under another [`Persistence`] ends that.
    pub history: bool,
    /// The key of the hash of a store that is made now; none to choose it at random. It is for tests and lessons in
    /// which the bytes of a store are to be the same each time. Who knows it can choose keys that make the store
    /// slow.
    pub hash_key: Option<[u8; 16]>,
}

/// What is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Persistence {
    /// Lines: a line for each change is appended before the change is acknowledged, and a rewrite makes lines of what
    /// is left.
    AppendOnly,
    /// A snapshot now and then, and nothing of what has changed since. A crash takes that: all changes since the
    /// last snapshot, made by a rule, by [`sync`](logladder_engine::Engine::sync) or by `close`.
    Snapshots,
    /// Lines since the last snapshot: a rewrite makes a snapshot, which opens sooner and takes less space.
    #[default]
    Both,
}

/// A snapshot is due when both are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotRule {
    /// So much time since the last one.
    pub after: Duration,
    /// So many changes since the last one.
    pub changes: u64,
}

impl SnapshotRule {
    /// A snapshot is due after so much time if there were at least so many changes.
    #[must_use]
    pub fn new(after: Duration, changes: u64) -> Self {
        Self { after, changes }
    }

    /// Whether one is due, so long and so many changes after the last one. Where nothing has changed, none is.
    #[must_use]
    pub fn is_due(self, since: Duration, changes: u64) -> bool {
        since >= self.after && changes >= self.changes.max(1)
    }
}

/// A rewrite is due when the files have grown so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RewriteRule {
    /// By so many percent of their size after the last rewrite. Never, if it is 0. The default is 100.
    pub growth_percent: u32,
    /// And to so many bytes at least. The default is 64 MiB.
    pub floor_bytes: u64,
}

impl RewriteRule {
    /// At how many bytes of the append-only files behind a base of `base_bytes` a rewrite is due.
    pub(crate) fn due_at(self, base_bytes: u64) -> u64 {
        if self.growth_percent == 0 {
            return u64::MAX;
        }
        let growth = base_bytes / 100 * u64::from(self.growth_percent);
        growth.max(self.floor_bytes.saturating_sub(base_bytes)).max(1)
    }
}

/// Whether the engine has threads of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Housekeeping {
    /// One for [`SyncPolicy::Every`], and one for snapshots or rewrites.
    #[default]
    Background,
    /// None: snapshots and rewrites are made when they are asked for, and [`SyncPolicy::Every`] syncs each write.
    /// What the store does on the disk then depends on nothing but the calls.
    OnDemand,
}

impl Default for Options {
    fn default() -> Self {
        let rule = |minutes, changes| SnapshotRule::new(Duration::from_mins(minutes), changes);
        Self {
            sync: SyncPolicy::Always,
            persistence: Persistence::Both,
            snapshots: vec![rule(60, 1), rule(5, 100), rule(1, 10_000)],
            rewrite: RewriteRule { growth_percent: 100, floor_bytes: 64 << 20 },
            housekeeping: Housekeeping::Background,
            history: false,
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

    /// The same with something else on the disk.
    #[must_use]
    pub fn with_persistence(mut self, persistence: Persistence) -> Self {
        self.persistence = persistence;
        self
    }

    /// The same with other rules for snapshots.
    #[must_use]
    pub fn with_snapshots(mut self, rules: &[SnapshotRule]) -> Self {
        self.snapshots = rules.to_vec();
        self
    }

    /// The same with another rule for rewrites.
    #[must_use]
    pub fn with_rewrite(mut self, growth_percent: u32, floor_bytes: u64) -> Self {
        self.rewrite = RewriteRule { growth_percent, floor_bytes };
        self
    }

    /// The same with or without threads.
    #[must_use]
    pub fn with_housekeeping(mut self, housekeeping: Housekeeping) -> Self {
        self.housekeeping = housekeeping;
        self
    }

    /// The same with or without the history of each key.
    #[must_use]
    pub fn with_history(mut self, history: bool) -> Self {
        self.history = history;
        self
    }

    /// The same with this key of the hash, should the store be made now.
    #[must_use]
    pub fn with_hash_key(mut self, hash_key: [u8; 16]) -> Self {
        self.hash_key = Some(hash_key);
        self
    }

    /// Whether changes are appended to a file.
    pub(crate) fn has_log(&self) -> bool {
        self.persistence != Persistence::Snapshots
    }

    /// Whether each write is synced before it is acknowledged.
    pub(crate) fn syncs_each_write(&self) -> bool {
        let is_always = match self.sync.simplified() {
            SyncPolicy::Never => false,
            SyncPolicy::Every(_) => self.housekeeping == Housekeeping::OnDemand,
            _ => true,
        };
        self.has_log() && is_always
    }

    /// Whether there is a place for the numbers of versions: in snapshots, of lines that can be counted.
    pub(crate) fn can_count_versions(&self) -> bool {
        self.persistence == Persistence::Both
    }

    /// Whether versions are shown.
    pub(crate) fn shows_versions(&self) -> bool {
        self.history && self.can_count_versions()
    }

    /// What an acknowledged write survives.
    pub(crate) fn durability(&self) -> Durability {
        match (self.has_log(), self.syncs_each_write()) {
            (true, true) => Durability::PowerLoss,
            (true, false) => Durability::ProcessCrash,
            (false, _) if self.housekeeping == Housekeeping::Background && !self.snapshots.is_empty() => {
                Durability::Eventual
            }
            (false, _) => Durability::OnSync,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_due_when_time_and_changes_are_both_reached() {
        let rule = SnapshotRule::new(Duration::from_mins(1), 100);
        assert!(rule.is_due(Duration::from_mins(1), 100));
        assert!(!rule.is_due(Duration::from_secs(59), 1_000_000));
        assert!(!rule.is_due(Duration::from_hours(1), 99));
        assert!(
            !SnapshotRule::new(Duration::ZERO, 0).is_due(Duration::from_hours(1), 0),
            "nothing has changed"
        );
    }

    #[test]
    fn a_rewrite_is_due_when_the_files_have_doubled_and_reached_the_floor() {
        let rule = Options::default().rewrite;
        assert_eq!(rule.due_at(0), 64 << 20);
        assert_eq!(rule.due_at(24 << 20), 40 << 20, "together 64 MiB");
        assert_eq!(rule.due_at(100 << 20), (100 << 20) / 100 * 100);
        let never = RewriteRule { growth_percent: 0, floor_bytes: 1 };
        assert_eq!(never.due_at(1), u64::MAX);
        let at_once = RewriteRule { growth_percent: 1, floor_bytes: 0 };
        assert_eq!(at_once.due_at(0), 1);
    }

    #[test]
    fn durability_follows_from_what_is_on_the_disk_and_when_it_is_synced() {
        let of = |persistence, sync, housekeeping| {
            let options = Options::default().with_persistence(persistence).with_sync(sync);
            options.with_housekeeping(housekeeping).durability()
        };
        let second = SyncPolicy::Every(Duration::from_secs(1));
        for lines in [Persistence::AppendOnly, Persistence::Both] {
            assert_eq!(of(lines, SyncPolicy::Always, Housekeeping::Background), Durability::PowerLoss);
            assert_eq!(of(lines, second, Housekeeping::Background), Durability::ProcessCrash);
            assert_eq!(of(lines, SyncPolicy::Never, Housekeeping::OnDemand), Durability::ProcessCrash);
        }
        assert_eq!(of(Persistence::Snapshots, second, Housekeeping::Background), Durability::Eventual);
        assert_eq!(of(Persistence::Snapshots, second, Housekeeping::OnDemand), Durability::OnSync);
    }
}
