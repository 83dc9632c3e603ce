//! [`Bug`]: what can be wrong with an engine of the museum. Each is asked about in one place of the code.

/// What is wrong with an engine. The numbers are those of the list of failure modes that every stage is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Bug {
    /// Nothing: the engine keeps the contract.
    #[default]
    None,
    /// 1: a compaction of some segments drops tombstones that still cover a value in an older one.
    DropsTombstones,
    /// 2: a compaction puts its copy in the place of what was written while it copied.
    CompactsOverNewer,
    /// 3: finishing an interrupted compaction works once, and not a second time.
    InstallsOnce,
    /// 4: the sources of a compaction are removed before the copy is on the disk.
    RemovesBeforeSync,
    /// 5: a segment that is full is never synced.
    UnsyncedRotation,
    /// 6: a hint is believed whether or not it fits its segment.
    BelievesHints,
    /// 7: a record is believed whether or not its checksum is right.
    BelievesRecords,
    /// 8: a log is cut at the first bad record, whatever follows.
    CutsInTheMiddle,
    /// 9: a bad record is passed over by the length that it claims.
    SkipsByLength,
    /// 10: a store whose last record is not whole does not open.
    RefusesTornTails,
    /// 11: after a failed write the next one is taken.
    WritesBehindGarbage,
    /// 12: a failed sync is passed over in silence.
    SwallowsSyncErrors,
    /// 13: the name of a new file is never synced.
    UnsyncedFolder,
    /// 14: a repair that was interrupted cannot be done again.
    RepairsOnce,
    /// 15: a file that is there means that the store is in use.
    LocksByExistence,
    /// 16: the lock file is removed when the store is closed.
    UnlinksTheLock,
    /// 17: the number of the next file is counted from the keys, and not from the files.
    CountsFromKeys,
    /// 18: the length of a value wraps.
    WrapsLengths,
    /// 19: a certain value means "deleted".
    MagicValue,
    /// 20: the checksum covers the key and the value, and not the header.
    UncheckedHeader,
    /// 21: the clock on the wall decides which record is the newest.
    TrustsTheClock,
    /// 22: a visit goes by the places of records, which a compaction changes.
    VisitsByPlace,
    /// 23: a visit remembers places in files that a compaction removes.
    HoldsPlaces,
    /// 26: a hint that is empty or damaged keeps the store from opening.
    NeedsHints,
    /// 27: the caller's code runs under the lock.
    ReadsUnderTheLock,
    /// 28: what is to be written counts as written before it is. Of the engine that writes later.
    CleanTooEarly,
    /// A delete reaches the index and not the log.
    LosesDeletes,
    /// A write is acknowledged before it is synced.
    ForgetsToSync,
    /// `get_into` leaves the buffer as it is when there is no value.
    KeepsTheBuffer,
    /// An overwrite reaches the log and not the index.
    KeepsOldValues,
    /// Opening overlooks the last record of a segment.
    DropsTheLastRecord,
    /// Opening panics where a record is not whole.
    PanicsOnATornTail,
    /// What a process that died had not synced is taken for durable.
    TrustsWhatItFinds,
    /// What is cut off is thrown away.
    ThrowsTailsAway,
    /// A compaction loses the last record that it reads.
    CompactsOneRecordAway,
    /// Keys are compared in lower case.
    FoldsCase,
    /// The old file is cut, and the new bytes are written into it. Of the engine that writes later.
    WritesInPlace,
    /// A file that was not synced counts as written. Of the engine that writes later.
    NeverSyncs,
    /// What the next opening shows was never asked for. Of the engine that writes later.
    InventsAValue,
    /// What is in memory alone is said to survive the process. Of the engine that writes later.
    PromisesTooMuch,
    /// The lock is given up at once. Of the engine that writes later.
    OpensTwice,
}
