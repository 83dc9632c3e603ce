//! [`Versions`]: what the history of a store must show.

use std::collections::BTreeMap;

use crate::Store;
use crate::show::show;

type Bytes = Vec<u8>;

/// What is known of the versions of each key.
pub(super) struct Versions {
    kept: u64,
    of: BTreeMap<Bytes, Known>,
}

#[derive(Clone, Default)]
struct Known {
    /// The number of the newest version.
    newest: u64,
    /// The values up to that one.
    values: Vec<Written>,
}

#[derive(Clone)]
struct Written {
    value: Option<Bytes>,
    /// Then it may be shown as deleted.
    has_ended: bool,
}

impl Versions {
    /// Of no key. So many are to be kept of each.
    pub(super) fn new(kept: u64) -> Self {
        Self { kept, of: BTreeMap::new() }
    }

    pub(super) fn kept(&self) -> u64 {
        self.kept
    }

    /// Every key that was written.
    pub(super) fn keys(&self) -> Vec<Bytes> {
        self.of.keys().cloned().collect()
    }

    pub(super) fn add(&mut self, key: &Bytes, value: Option<&Bytes>, has_ended: bool) {
        let known = self.of.entry(key.clone()).or_default();
        known.newest += 1;
        known.values.push(Written { value: value.cloned(), has_ended });
    }

    /// Takes over the number that is `shown` of the newest version, if it can be told by so many deletes of what was
    /// not there. Which numbers they have is not known, so what was before is forgotten.
    pub(super) fn adapt(&mut self, key: &Bytes, shown: u64, deletes: u64, value: Option<&Bytes>) {
        let known = self.of.entry(key.clone()).or_default();
        assert!(
            (known.newest..=known.newest + deletes).contains(&shown),
            "{} is at version {shown}",
            show(key)
        );
        if shown > known.newest {
            let newest = Written { value: value.cloned(), has_ended: false };
            *known = Known { newest: shown, values: vec![newest] };
        }
    }

    /// Asserts that the store shows them.
    pub(super) fn are_shown(&self, key: &Bytes, store: &Store) {
        let Known { newest, values } = self.of.get(key).cloned().unwrap_or_default();
        let shown = store.versions(key);
        let enough = self.kept.min(newest);
        assert!(shown.len() as u64 >= enough, "{} versions of {} are shown", shown.len(), show(key));
        let expected = (1..=newest).rev().zip(values.iter().rev().map(Some).chain(std::iter::repeat(None)));
        for ((number, value), expected) in shown.iter().zip(expected) {
            assert_eq!(*number, expected.0, "the numbers of {} go down by one", show(key));
            let Some(written) = expected.1 else { continue };
            let is_right = *value == written.value || (written.has_ended && value.is_none());
            assert!(is_right, "version {number} of {} has another value", show(key));
            assert!(store.get_at(key, *number).as_ref() == Some(value), "get_at and versions agree");
        }
        assert!(shown.len() as u64 <= newest, "more versions than were written");
    }
}
