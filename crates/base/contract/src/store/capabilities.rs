//! What a [`Store`] does if its engine can.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::SystemTime;

use logladder_engine::{
    Atomic, Backup, Batch, Changes, Collections, Compact, Compacted, Direction, Expire, Expiry, History,
    Iterate, KeyRange, Ordered, Position, Result, Visit,
};

use super::Store;
use crate::show::{show, show_value};

/// A change that was shown to a visitor, to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeChange {
    /// The key.
    pub key: Vec<u8>,
    /// Its value from then on, or `None` if it was deleted.
    pub value: Option<Vec<u8>>,
    /// When the value ends, if it does.
    pub expires: Option<SystemTime>,
    /// The place behind it.
    pub next: Position,
}

/// What an engine could do when its subject was made.
#[track_caller]
fn still<T>(capability: Option<T>, what: &str) -> T {
    capability.unwrap_or_else(|| panic!("the engine no longer has {what}"))
}

#[track_caller]
fn succeeds<T>(outcome: Result<T>, what: &str) -> T {
    outcome.unwrap_or_else(|error| panic!("{what} failed: {error}"))
}

/// Reading in the other ways.
impl Store {
    /// The value of `key`, by `get_with`, which calls its reader once if there is one.
    #[track_caller]
    #[must_use]
    pub fn get_with(&self, key: impl AsRef<[u8]>) -> Option<Vec<u8>> {
        let key = key.as_ref();
        let mut values = Vec::new();
        let found = succeeds(self.engine.get_with(key, &mut |value| values.push(value.to_vec())), "get_with");
        let calls = values.len();
        assert!(
            calls == usize::from(found),
            "get_with {} said {found} and called its reader {calls} times",
            show(key)
        );
        values.pop()
    }

    /// The values of `keys`, by `get_many`, which shows each place of the list once.
    #[track_caller]
    #[must_use]
    pub fn get_many(&self, keys: &[impl AsRef<[u8]>]) -> Vec<Option<Vec<u8>>> {
        let keys: Vec<&[u8]> = keys.iter().map(AsRef::as_ref).collect();
        let mut values: Vec<Option<Option<Vec<u8>>>> = vec![None; keys.len()];
        let mut visit = |place: usize, value: Option<&[u8]>| {
            assert!(place < keys.len(), "get_many showed place {place} of {}", keys.len());
            let before = values[place].replace(value.map(<[u8]>::to_vec));
            assert!(before.is_none(), "get_many showed place {place} twice");
        };
        succeeds(self.engine.get_many(&keys, &mut visit), "get_many");
        let shown = |(place, value): (usize, Option<_>)| {
            value.unwrap_or_else(|| panic!("get_many did not show place {place}"))
        };
        values.into_iter().enumerate().map(shown).collect()
    }
}

/// [`Iterate`] and [`Compact`].
impl Store {
    /// Compacts.
    #[track_caller]
    #[allow(clippy::must_use_candidate, reason = "it is called for what it does")]
    pub fn compact(&self) -> Compacted {
        succeeds(still::<&dyn Compact>(self.engine.as_compact(), "Compact").compact(), "compaction")
    }

    /// Shows every key to `visit`.
    #[track_caller]
    pub fn for_each(&self, visit: &mut Visit<'_>) {
        succeeds(still::<&dyn Iterate>(self.engine.as_iterate(), "Iterate").for_each(visit), "for_each");
    }

    /// Everything, by `for_each`. A key that is shown twice fails the case.
    #[track_caller]
    #[must_use]
    pub fn contents(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let mut contents = BTreeMap::new();
        self.for_each(&mut |key, value| {
            let before = contents.insert(key.to_vec(), value.to_vec());
            assert!(before.is_none(), "for_each showed {} twice", show(key));
            ControlFlow::Continue(())
        });
        contents
    }
}

/// [`Ordered`].
impl Store {
    /// Shows the keys of `range` to `visit`.
    #[track_caller]
    pub fn scan(&self, range: KeyRange<'_>, direction: Direction, visit: &mut Visit<'_>) {
        let ordered = still::<&dyn Ordered>(self.engine.as_ordered(), "Ordered");
        succeeds(ordered.scan(range, direction, visit), "scan");
    }
}

/// [`Atomic`].
impl Store {
    #[track_caller]
    fn atomic(&self) -> &dyn Atomic {
        still(self.engine.as_atomic(), "Atomic")
    }

    /// Does the batch.
    #[track_caller]
    pub fn write(&self, batch: &Batch) {
        succeeds(self.atomic().write(batch), "a batch");
    }

    /// Does what `fill` puts into a batch.
    #[track_caller]
    pub fn write_all(&self, fill: impl FnOnce(&mut Batch)) {
        let mut batch = Batch::new();
        fill(&mut batch);
        self.write(&batch);
    }

    /// Makes the value of `key` `new` if it is `expected`, and says whether it was.
    #[track_caller]
    #[must_use]
    pub fn compare_and_set(
        &self,
        key: impl AsRef<[u8]>,
        expected: Option<&[u8]>,
        new: Option<&[u8]>,
    ) -> bool {
        succeeds(self.atomic().compare_and_set(key.as_ref(), expected, new), "compare_and_set")
    }
}

/// [`History`].
impl Store {
    #[track_caller]
    fn history(&self) -> &dyn History {
        still(self.engine.as_history(), "History")
    }

    /// The versions of `key` that are kept, the newest first.
    #[track_caller]
    #[must_use]
    pub fn versions(&self, key: impl AsRef<[u8]>) -> Vec<(u64, Option<Vec<u8>>)> {
        let mut versions = Vec::new();
        let mut visit = |version: &logladder_engine::Version<'_>| {
            versions.push((version.number, version.value.map(<[u8]>::to_vec)));
            ControlFlow::Continue(())
        };
        succeeds(self.history().versions(key.as_ref(), &mut visit), "versions");
        versions
    }

    /// The value of `key` in a version.
    #[track_caller]
    #[must_use]
    pub fn get_at(&self, key: impl AsRef<[u8]>, version: u64) -> Option<Option<Vec<u8>>> {
        succeeds(self.history().get_at(key.as_ref(), version), "get_at")
    }

    /// Asserts that `writes`, of which `None` is a delete, are all that was ever written to `key`: the last of them
    /// are shown, as many as the subject keeps or more, the newest first, each with its number.
    #[track_caller]
    pub fn has_versions(&self, key: impl AsRef<[u8]>, writes: &[Option<&[u8]>], kept: u64) {
        let key = key.as_ref();
        let shown = self.versions(key);
        let (shown_len, written) = (shown.len() as u64, writes.len() as u64);
        assert!(
            shown_len >= kept.min(written) && shown_len <= written,
            "{shown_len} versions of {} are shown, of {written} that were made and {kept} that are to be kept",
            show(key)
        );
        let expected = (1..=written).rev().zip(writes.iter().rev());
        for ((number, value), (shown_number, shown_value)) in expected.zip(&shown) {
            assert!(
                number == *shown_number && *value == shown_value.as_deref(),
                "version {shown_number} of {} is shown as {}, and it should be version {number}, {}",
                show(key),
                show_value(shown_value.as_deref()),
                show_value(*value)
            );
            assert_eq!(
                self.get_at(key, number).as_ref(),
                Some(shown_value),
                "get_at and versions agree on version {number} of {}",
                show(key)
            );
        }
        for number in [0, written + 1, u64::MAX] {
            assert_eq!(self.get_at(key, number), None, "there is no version {number} of {}", show(key));
        }
    }
}

/// [`Changes`].
impl Store {
    #[track_caller]
    fn feed(&self) -> &dyn Changes {
        still(self.engine.as_changes(), "Changes")
    }

    /// The place behind everything.
    #[track_caller]
    #[must_use]
    pub fn position(&self) -> Position {
        succeeds(self.feed().position(), "position")
    }

    /// The earliest place to go on from.
    #[track_caller]
    #[must_use]
    pub fn earliest_position(&self) -> Position {
        succeeds(self.feed().earliest_position(), "earliest_position")
    }

    /// Every change behind `since`, which must be there.
    #[track_caller]
    #[must_use]
    pub fn changes(&self, since: Position) -> Vec<MadeChange> {
        succeeds(self.try_changes(since), "changes")
    }

    /// Every change behind `since`. A gap between two of them fails the case.
    ///
    /// # Errors
    ///
    /// Those of the engine.
    #[track_caller]
    pub fn try_changes(&self, since: Position) -> Result<Vec<MadeChange>> {
        let (mut changes, mut place) = (Vec::new(), since);
        let outcome = self.feed().changes(since, &mut |change| {
            let next = change.next;
            assert!(
                next.sequence == place.sequence + 1,
                "a change leads from place {place} to {next}: its sequence is not the next one"
            );
            place = next;
            changes.push(MadeChange {
                key: change.key.to_vec(),
                value: change.value.map(<[u8]>::to_vec),
                expires: change.expires,
                next,
            });
            ControlFlow::Continue(())
        });
        let end = outcome?;
        assert_eq!(end, place, "what is returned is the place behind the last change that was shown");
        Ok(changes)
    }
}

/// [`Collections`].
impl Store {
    #[track_caller]
    fn two_layers(&self) -> &dyn Collections {
        still(self.engine.as_collections(), "Collections")
    }

    /// Sets `key` to `value` and gives back the value that it had.
    #[track_caller]
    #[allow(clippy::must_use_candidate, reason = "it is called for what it does")]
    pub fn put(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Option<Vec<u8>> {
        succeeds(self.two_layers().put(key.as_ref(), value.as_ref()), "put")
    }

    /// Every member of a collection and its value. A member that is shown twice fails the case.
    #[track_caller]
    #[must_use]
    pub fn get_all(&self, collection: impl AsRef<[u8]>) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let mut members = BTreeMap::new();
        let mut visit = |member: &[u8], value: &[u8]| {
            let before = members.insert(member.to_vec(), value.to_vec());
            assert!(before.is_none(), "get_all showed {} twice", show(member));
            ControlFlow::Continue(())
        };
        succeeds(self.two_layers().get_all(collection.as_ref(), &mut visit), "get_all");
        members
    }

    /// Deletes every member of a collection, and says how many there were.
    #[track_caller]
    #[allow(clippy::must_use_candidate, reason = "it is called for what it does")]
    pub fn delete_all(&self, collection: impl AsRef<[u8]>) -> u64 {
        succeeds(self.two_layers().delete_all(collection.as_ref()), "delete_all")
    }

    /// The names of the collections, which must be sorted.
    #[track_caller]
    #[must_use]
    pub fn collections(&self) -> Vec<Vec<u8>> {
        let names = succeeds(self.two_layers().collections(), "collections");
        assert!(names.is_sorted_by(|one, next| one < next), "they are sorted, and each is there once");
        names
    }
}

/// [`Expire`] and [`Backup`].
impl Store {
    #[track_caller]
    fn expire(&self) -> &dyn Expire {
        still(self.engine.as_expire(), "Expire")
    }

    /// Sets `key` to `value` until `end`.
    #[track_caller]
    pub fn set_until(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>, end: SystemTime) {
        succeeds(self.expire().set_until(key.as_ref(), value.as_ref(), end), "set_until");
    }

    /// Until when `key` has a value.
    #[track_caller]
    #[must_use]
    pub fn expiry(&self, key: impl AsRef<[u8]>) -> Expiry {
        succeeds(self.expire().expiry(key.as_ref()), "expiry")
    }

    /// Copies the store.
    #[track_caller]
    pub fn backup(&self, dir: &Path) {
        succeeds(still::<&dyn Backup>(self.engine.as_backup(), "Backup").backup(dir), "a backup");
    }
}
