//! The bugs of the list of failure modes. Each was found in a published engine of this kind.

use super::{Exhibit, ShownBy};
use crate::Bug;

pub(super) const LISTED: &[Exhibit] = &[
    Exhibit {
        bug: Bug::DropsTombstones,
        number: Some(1),
        name: "drops-tombstones",
        wrong: "a tombstone is dropped in a partial compaction, and the old value returns at restart",
        story: "A tombstone looks like garbage: it has no value, and the index no longer knows its key. But it still covers the \
                older record that it deletes, and a compaction of some segments does not see that one. As long as the \
                process runs nothing shows. The next opening reads the old record, finds nothing newer, and the key is back.",
        remedy: "A tombstone goes only when no older segment is left outside of the compaction.",
        shown_by: ShownBy::Crashes("set a 1, set b 1, set c 1, delete a, set d 1, set d 2, set d 3, compact"),
    },
    Exhibit {
        bug: Bug::CompactsOverNewer,
        number: Some(2),
        name: "compacts-over-newer",
        wrong: "compaction overwrites a newer concurrent write",
        story: "A compaction copies without the lock, so that writes go on. When it is done it tells the index where each record \
                is now, and a key that was written in the meantime is led back to its old value. Tests that compact while \
                nobody writes do not see it.",
        remedy: "The index takes a new place only for a record that it still holds at the old place.",
        shown_by: ShownBy::WriteDuringCompaction("set a 0, set a 0, set a 1, set b 1, compact"),
    },
    Exhibit {
        bug: Bug::InstallsOnce,
        number: Some(3),
        name: "installs-once",
        wrong: "installing a compaction is not repeatable",
        story: "After a compaction two files go for each source: its hint, and the segment. A crash in between leaves the segment \
                without its hint. The next opening means to finish the work, does not find the hint, and gives up; so does \
                every later one.",
        remedy: "Every step of an installation is one that may have been done before.",
        shown_by: ShownBy::Crashes("set a 1, set a 2, set a 3, set a 4, set a 5, set a 6, set a 7, compact"),
    },
    Exhibit {
        bug: Bug::RemovesBeforeSync,
        number: Some(4),
        name: "removes-before-sync",
        wrong: "the source is removed before the copy is synced",
        story: "The copy was written and renamed, and every read finds it; so the sources can go. But the copy may be in the \
                memory of the system alone. A loss of power then takes it, while the names of the sources are gone already. What \
                was acknowledged long ago, and synced, is lost by a work that should have changed nothing.",
        remedy: "The copy is synced, then renamed, then the folder is synced, and only then a source is removed.",
        shown_by: ShownBy::Crashes("set a 1, set b 1, set b 2, set b 3, compact"),
    },
    Exhibit {
        bug: Bug::UnsyncedRotation,
        number: Some(5),
        name: "unsynced-rotation",
        wrong: "a rotated segment is never synced",
        story: "A store that syncs only when it is asked to remembers the file that it appends to. When that is full another one \
                takes its place, and `sync` is a sync of the new file. What was written to the old one since the last sync was \
                never synced, and is acknowledged as if it had been.",
        remedy: "A segment is synced when it is full, before the next one is begun.",
        shown_by: ShownBy::Crashes("set a 1, set b 1, set c 1, set d 1, sync"),
    },
    Exhibit {
        bug: Bug::BelievesHints,
        number: Some(6),
        name: "believes-hints",
        wrong: "hint and data disagree, and the hint is believed",
        story: "A hint says which keys a segment has, so that opening reads no values. It is a second account of the same thing, \
                and the two can differ: by a flipped bit, or because the segment was written anew and the hint was not. An \
                engine that reads the hint and never asks loses keys that are there, or shows those that are not.",
        remedy: "A hint has a checksum, and names the segment and the length that it was made of. If either is not so, the \
                 segment is read.",
        shown_by: ShownBy::Flips("set a 1, set b 1, set c 1, set d 1, close"),
    },
    Exhibit {
        bug: Bug::BelievesRecords,
        number: Some(7),
        name: "believes-records",
        wrong: "keys are loaded from records that fail their CRC",
        story: "The checksum is compared where a value is read, which is where one thinks of it. Opening reads the same records to \
                learn their keys, and believes them. One bit makes a tombstone of a value, or another key, and nobody reads \
                the record that could tell.",
        remedy: "There is one function that reads a record, and it compares the checksum. Whoever needs a record calls it.",
        shown_by: ShownBy::Flips("set a 1, close"),
    },
    Exhibit {
        bug: Bug::CutsInTheMiddle,
        number: Some(8),
        name: "cuts-in-the-middle",
        wrong: "damage in the middle of a log cuts off the valid records behind it",
        story: "What a crash leaves of the last write must be cut off. The simple rule for it is to cut at the first bad record. A \
                flipped bit in the third record of a thousand then removes nine hundred and ninety-seven that are good. In one \
                engine that is often learned from, a flipped byte in a length took 99 hundredths of the log, without a word.",
        remedy: "Only the end of the newest segment is cut, and only where no good record follows. All else is an error that \
                 names the file and the place, and changes nothing.",
        shown_by: ShownBy::Flips("set a 1, set b 1, close"),
    },
    Exhibit {
        bug: Bug::SkipsByLength,
        number: Some(9),
        name: "skips-by-length",
        wrong: "a reader resynchronises on a corrupt length",
        story: "A bad record is passed over, so that one bad place does not cost the whole store; and how far to go, its header \
                says. That header is a part of what was found to be bad. The reader lands in the middle of other records, or \
                behind them, and whatever it passes over is missing, and no error says so.",
        remedy: "A length is followed only when the checksum that covers it is right.",
        shown_by: ShownBy::Flips("set a 1, close"),
    },
    Exhibit {
        bug: Bug::RefusesTornTails,
        number: Some(10),
        name: "refuses-torn-tails",
        wrong: "a torn tail refuses to open",
        story: "A record that fails its check is damage, and a store does not open on damage. But the last record of a log is half \
                written after every power failure that comes at the wrong moment. Such a store needs its programmer after a \
                crash, and he will need a hex editor.",
        remedy: "A record that is not whole at the very end was never acknowledged. It is cut off, kept beside the log, and reported.",
        shown_by: ShownBy::Crashes("set a 1"),
    },
    Exhibit {
        bug: Bug::WritesBehindGarbage,
        number: Some(11),
        name: "writes-behind-garbage",
        wrong: "a partial append, then good appends behind garbage",
        story: "A write fails, because the disk is full, after half of its bytes. The caller is told. Then there is space again, and \
                the next write succeeds. Whether a reader of the log ever comes to it depends on what it makes of the half \
                record in front.",
        remedy: "After a failed write every further one is refused until the store is opened again, which cuts the half record off.",
        shown_by: ShownBy::Faults("set a 1, set b 1"),
    },
    Exhibit {
        bug: Bug::SwallowsSyncErrors,
        number: Some(12),
        name: "swallows-sync-errors",
        wrong: "a write or sync error is swallowed, and a later sync says Ok",
        story: "A sync fails; one logs it, and tries again later. The later one succeeds. It says nothing about the bytes of the \
                first: after a failed fsync the kernel marks the pages clean, whether or not they were written, and the next \
                fsync has nothing to do (Rebello et al., \"Can Applications Recover from fsync Failures?\", USENIX ATC 2020).",
        remedy: "A failed sync is an error to whoever asked, and after it nothing is acknowledged until the store is opened again.",
        shown_by: ShownBy::Faults("set a 1"),
    },
    Exhibit {
        bug: Bug::UnsyncedFolder,
        number: Some(13),
        name: "unsynced-folder",
        wrong: "the directory is not synced after create, rename, remove",
        story: "The file was synced, and so it is on the disk. Its name is not: that stands in the folder, which is a file of its \
                own kind and wants a sync of its own. After a loss of power the bytes are there, and no name leads to them.",
        remedy: "A new file is made by one function that syncs the file, renames it, and syncs the folder.",
        shown_by: ShownBy::Crashes("set a 1, set b 1, set c 1, set d 1"),
    },
    Exhibit {
        bug: Bug::RepairsOnce,
        number: Some(14),
        name: "repairs-once",
        wrong: "an interrupted recovery bricks the store",
        story: "Recovery is code that runs after a crash, and a machine that has crashed once may do so again a minute later. This \
                one keeps the torn tail in a new file before it cuts. If the power fails between the two, the file is there, and \
                the next recovery cannot make it.",
        remedy: "Recovery is itself cut at every operation, and each image is opened. What it finds done, it does not do again.",
        shown_by: ShownBy::Crashes("set a 1"),
    },
    Exhibit {
        bug: Bug::LocksByExistence,
        number: Some(15),
        name: "locks-by-existence",
        wrong: "a stale lock file keeps the owner out",
        story: "A file that says \"in use\" is made at opening and removed at closing. Who dies in between leaves it there. To write \
                the process id into it helps only until the system gives the same number to another process.",
        remedy: "The lock is the system's, which ends it with the process, however that ends.",
        shown_by: ShownBy::Crashes("set a 1"),
    },
    Exhibit {
        bug: Bug::UnlinksTheLock,
        number: Some(16),
        name: "unlinks-the-lock",
        wrong: "the lock file is unlinked on release, so two owners",
        story: "A tidy program removes its lock file. Another one has opened that file a moment before, and now locks it: a file \
                without a name. A third makes a new file of that name, and locks that. Both own the store.",
        remedy: "The lock file is never removed.",
        shown_by: ShownBy::Case("the_lock_file_is_never_removed"),
    },
    Exhibit {
        bug: Bug::CountsFromKeys,
        number: Some(17),
        name: "counts-from-keys",
        wrong: "an empty newest file breaks the choice of the next id",
        story: "The next segment has the number after the highest that is in use; and which are in use, the index knows. It does not \
                know a segment of tombstones alone, or one in which everything was overwritten. The new segment gets the \
                number of that one, and takes its place.",
        remedy: "Numbers are counted from the names of the files.",
        shown_by: ShownBy::Crashes("set a 1, set b 1, set c 1, delete a, delete a, delete a, set d 1"),
    },
    Exhibit {
        bug: Bug::WrapsLengths,
        number: Some(18),
        name: "wraps-lengths",
        wrong: "lengths wrap",
        story: "A length is written in fewer bits than a value may have, and nobody compares the two. In a published engine a value \
                of 2 GiB became a negative length, and that meant \"deleted\". Here two bytes are too few, so that the bug can be \
                shown with a value of 64 KiB.",
        remedy: "Limits are checked before anything is written, and stand beside the fields that they come from. Values of every \
                 power of two are tried, one byte less and one more.",
        shown_by: ShownBy::Case("a_value_of_one_mebibyte_is_kept"),
    },
    Exhibit {
        bug: Bug::MagicValue,
        number: Some(19),
        name: "magic-value",
        wrong: "a magic value inside the data means \"deleted\"",
        story: "A delete is a set to a value that nobody would ever store. Somebody does. In a published course the value is the empty \
                one, which is stored every day.",
        remedy: "A record has a field that says what it is. No value says anything.",
        shown_by: ShownBy::Crashes("set a __tombstone__"),
    },
    Exhibit {
        bug: Bug::UncheckedHeader,
        number: Some(20),
        name: "unchecked-header",
        wrong: "the checksum leaves out the header",
        story: "The checksum covers the data, as one says: the key and the value. The kind of the record, its stamp and its lengths \
                are data as well. A flipped bit in the kind makes a tombstone of a value whose checksum is right.",
        remedy: "The checksum covers every byte of the record but its own.",
        shown_by: ShownBy::Flips("set a 1, close"),
    },
    Exhibit {
        bug: Bug::TrustsTheClock,
        number: Some(21),
        name: "trusts-the-clock",
        wrong: "the wall clock decides what is newest",
        story: "Records carry the time, and the latest one wins. Clocks are put back: by a time server, by a virtual machine that was \
                asleep, by a person. What is written then is older than what it replaces, and is gone at the next opening.",
        remedy: "Order is a number that grows with each write, and is read from the log at opening.",
        shown_by: ShownBy::Crashes("set b 1, set a 1, close, set a 2"),
    },
    Exhibit {
        bug: Bug::VisitsByPlace,
        number: Some(22),
        name: "visits-by-place",
        wrong: "an iteration sees what compaction does",
        story: "A visit goes through the segments, record by record, and shows those that are live. A compaction in the middle of it \
                puts records that were shown already where the visit has yet to come, and they are shown again; or the other way \
                round, and they are missed.",
        remedy: "A visit remembers keys. Where the records are, it asks for each when its turn comes.",
        shown_by: ShownBy::Case("a_visitor_may_compact"),
    },
    Exhibit {
        bug: Bug::HoldsPlaces,
        number: Some(23),
        name: "holds-places",
        wrong: "a reader holds a file that compaction removed",
        story: "A visit begins with a list of places: segment and offset of each record. Before it has come to the end a compaction \
                removes one of the segments. The rest of the visit is an error, or, if the number was used again, another value.",
        remedy: "Places are looked up under the lock that a compaction takes to change them, or the reader keeps the file open.",
        shown_by: ShownBy::Case("a_visitor_may_compact"),
    },
    Exhibit {
        bug: Bug::NeedsHints,
        number: Some(26),
        name: "needs-hints",
        wrong: "an empty or corrupt snapshot blocks opening",
        story: "A file that only repeats what others say is not worth a sync, and so a loss of power may leave it empty, or full of \
                zeros. An engine that reports it as damage refuses to open a store in which everything is in order. Here the \
                file is a hint; elsewhere it was a snapshot.",
        remedy: "What can be made anew is made anew.",
        shown_by: ShownBy::Crashes("set a 1, set b 1, set c 1, set d 1"),
    },
    Exhibit {
        bug: Bug::ReadsUnderTheLock,
        number: Some(27),
        name: "reads-under-the-lock",
        wrong: "one panic under a lock poisons everything",
        story: "The caller's code is called while the engine holds its lock, which saves a copy of the value. That code panics, as \
                code of others does. The lock is poisoned, and from then on every call of every thread fails, for a mistake that \
                had nothing to do with the store.",
        remedy: "No code of the caller runs under a lock that others need; and a poisoned lock is an error, never a panic.",
        shown_by: ShownBy::Case("a_reader_that_panics_leaves_the_store_usable"),
    },
    Exhibit {
        bug: Bug::CleanTooEarly,
        number: Some(28),
        name: "clean-too-early",
        wrong: "the janitor clears \"dirty\" before its write succeeded",
        story: "An engine that writes later marks what is to be written. The mark is taken away, and then the write fails. The next \
                round finds nothing marked, and `sync` says that all is on the disk.",
        remedy: "The mark goes when the write has succeeded, and only if nothing has changed since.",
        shown_by: ShownBy::Faults("set a 1, sync, sync"),
    },
];
