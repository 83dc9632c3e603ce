//! What is wrong with the engine.

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Flaw {
    #[default]
    None,

    /// `get_with` shows an empty value of an absent key.
    ShowsAbsentKeys,
    /// `get_many` shows a key that is in the list twice only once.
    SkipsRepeatedKeys,
    /// A visitor is shown each key as it is at the moment, and the view is called consistent.
    ClaimsAConsistentView,

    /// A batch is done up to the write that is refused.
    StopsInTheMiddleOfABatch,
    /// The first write of a batch is done last.
    AppliesBatchesBackwards,
    /// A batch reaches the map and not the log.
    KeepsBatchesInMemory,
    /// The log does not say which records are a batch.
    WritesBatchesAsSingles,
    /// Each write of a batch takes the lock anew.
    LetsOthersIntoABatch,
    /// No batch is too large.
    TakesEveryBatch,
    /// `compare_and_set` looks before it takes the lock.
    LooksBeforeTheLock,
    /// `compare_and_set` takes an empty value for none.
    TakesEmptyForNone,

    /// Deletes are left out of the history.
    ForgetsDeletes,
    /// The first version in the log is number 1, whatever it was.
    CountsAnewWhenOpened,
    /// Compaction keeps only the newest version.
    CompactsHistoryAway,
    /// Compaction keeps every version.
    KeepsEveryVersion,

    /// What compaction removed is left out of the changes without a word.
    HidesTheGap,
    /// A place is looked up by its sequence alone.
    TakesEveryPlace,
    /// A place from before the last compaction is always too old.
    LosesWhoIsUpToDate,
    /// Of a batch only the last write is shown.
    ShowsOneChangeOfABatch,

    /// Whether a value has ended is decided when it is set.
    DecidesEndsWhenWritten,
    /// The log's ends are not read.
    ForgetsEnds,
    /// A set leaves the end of the value before.
    KeepsTheEnd,
    /// Compaction removes what has ended and leaves what was before it.
    UncoversOlderValues,
    /// A visitor is shown what has ended.
    ShowsWhatHasEnded,

    /// The last `/` of a key ends its collection.
    SplitsAtTheLastStroke,
    /// `put` looks for the old value before it takes the lock.
    PutsOutsideTheLock,
    /// `put` takes every key.
    PutsAnywhere,
    /// `delete_all` deletes every key that begins like the collection.
    DeletesWhatBeginsLikeIt,
    /// `delete_all` takes the lock anew for each member.
    LetsOthersIntoADeleteOfAll,
    /// A collection is shown member by member.
    ShowsMembersOneByOne,

    /// A copy is made whatever is in the folder.
    CopiesIntoFullFolders,
    /// A copy is made in the folder of the store itself as well.
    CopiesIntoItself,
    /// A copy lacks the newest write.
    CopiesWithoutTheNewest,
    /// A copy is made key by key, while others write.
    CopiesKeyByKey,
    /// The files of a copy are not synced.
    CopiesWithoutSync,
    /// A copy looks like a store before it is whole.
    ShowsUnfinishedCopies,
}
