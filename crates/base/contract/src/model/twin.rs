//! [`Twin`]: an engine and what it should hold, written to side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use logladder_engine::{Durability, Error, Expiry, Position};

use super::operation::{Guess, Operation};
use super::versions::Versions;
use crate::crash::End;
use crate::show::show;
use crate::{Bench, Capability, Place, Store, Subject};

type Bytes = Vec<u8>;
type Map = BTreeMap<Bytes, Bytes>;

/// Runs the program, and panics where the engine and the map differ.
pub(super) fn run(subject: &Subject, program: &[Operation]) {
    run_on(&Bench::new(subject, Place::RecordingDisk), program);
}

/// The same on a bench that is there.
pub(super) fn run_on(bench: &Bench, program: &[Operation]) {
    let mut twin = Twin::new(bench);
    for operation in program {
        twin = twin.step(bench, operation);
    }
    twin.is_the_same();
}

struct Twin {
    store: Store,
    map: Map,
    /// The keys whose value has an end that is to come.
    ends: BTreeSet<Bytes>,
    /// The keys whose value has ended. A store may count them.
    ended: BTreeSet<Bytes>,
    versions: Option<Versions>,
    /// What somebody holds who follows, and how far.
    follower: Option<(Position, Map)>,
    copies: usize,
}

impl Twin {
    fn new(bench: &Bench) -> Self {
        let (store, subject) = (bench.open(), bench.subject());
        let kept = subject.versions_kept().unwrap_or(1);
        let versions = subject.can(Capability::History).then(|| Versions::new(kept));
        let follower = subject.can(Capability::Changes).then(|| (store.position(), Map::new()));
        let (ends, ended) = (BTreeSet::new(), BTreeSet::new());
        Self { store, map: Map::new(), ends, ended, versions, follower, copies: 0 }
    }

    fn step(mut self, bench: &Bench, operation: &Operation) -> Self {
        match operation {
            Operation::Set(key, value) => {
                self.store.set(key, value);
                self.wrote(&[(key.clone(), Some(value.clone()))], None);
                self.store.holds(key, value);
            }
            Operation::Delete(key) => {
                self.store.delete(key);
                self.wrote(&[(key.clone(), None)], None);
                self.store.lacks(key);
            }
            Operation::Get(key) => self.gets_the_same(key),
            Operation::GetMany(keys) => {
                let expected: Vec<Option<Bytes>> =
                    keys.iter().map(|key| self.map.get(key).cloned()).collect();
                assert!(self.store.get_many(keys) == expected, "get_many shows what get gives");
            }
            Operation::ForEach => visits_the_same(&self.store, &self.map),
            Operation::Stats => self.counts_the_same(&self.store),
            Operation::Sync => self.store.sync(),
            Operation::Close => return self.reopened(bench, Store::close),
            Operation::Drop => {
                let survives = bench.subject().durability() >= Durability::ProcessCrash;
                return self.reopened(bench, |store| {
                    if !survives {
                        store.sync();
                    }
                });
            }
            Operation::Compact => {
                self.store.compact();
                self.is_the_same();
            }
            Operation::Batch(writes) => {
                self.store.write_all(|batch| {
                    for (key, value) in writes {
                        match value {
                            Some(value) => batch.set(key, value),
                            None => batch.delete(key),
                        };
                    }
                });
                self.wrote(writes, None);
                for (key, _) in writes {
                    self.gets_the_same(key);
                }
            }
            Operation::CompareAndSet(key, guess, new) => self.compare_and_set(key, guess, new.as_ref()),
            Operation::SetUntil(key, value, end) => {
                self.store.set_until(key, value, end.time());
                self.wrote(&[(key.clone(), Some(value.clone()))], Some(*end));
                self.gets_the_same(key);
            }
            Operation::Versions(key) => self.has_the_same_versions(key),
            Operation::Follow => self.follow(),
            Operation::Put(key, value) => {
                let old = self.store.put(key, value);
                assert!(old == self.map.get(key).cloned(), "put gives the old value of {}", show(key));
                self.wrote(&[(key.clone(), Some(value.clone()))], None);
                self.store.holds(key, value);
            }
            Operation::GetAll(collection) => {
                let shown = self.store.get_all(collection);
                let members = self.members(collection);
                assert!(shown == members, "get_all shows the members of {}", show(collection));
                let is_listed = self.store.collections().contains(collection);
                assert_eq!(is_listed, !members.is_empty(), "whether {} is listed", show(collection));
            }
            Operation::DeleteAll(collection) => {
                let members = self.members(collection);
                assert_eq!(self.store.delete_all(collection), members.len() as u64, "deleted members");
                let key = |member: Bytes| [&collection[..], b"/", &member].concat();
                let deletes: Vec<_> = members.into_keys().map(|member| (key(member), None)).collect();
                self.wrote(&deletes, None);
                for (key, _) in &deletes {
                    self.store.lacks(key);
                }
            }
            Operation::Backup => self.back_up(bench),
        }
        self
    }

    /// The members of a collection.
    fn members(&self, collection: &Bytes) -> Map {
        let start = [&collection[..], b"/"].concat();
        let mut members = Map::new();
        for (key, value) in self.map.iter().filter(|(key, _)| key.starts_with(&start)) {
            members.insert(key[start.len()..].to_vec(), value.clone());
        }
        members
    }

    fn reopened(mut self, bench: &Bench, end: impl FnOnce(Store)) -> Self {
        end(self.store);
        self.store = bench.open();
        if !bench.subject().persists() {
            self.map.clear();
            self.ends.clear();
            self.ended.clear();
            self.versions = self.versions.map(|versions| Versions::new(versions.kept()));
            self.follower = self.follower.map(|_| (self.store.position(), Map::new()));
        }
        self.is_the_same();
        self
    }

    /// Writes the same into the map.
    fn wrote(&mut self, writes: &[(Bytes, Option<Bytes>)], end: Option<End>) {
        // Deleting what is not there counts as a version or not.
        let (mut sure, mut unsure) = (Vec::new(), BTreeMap::<&Bytes, u64>::new());
        for (key, value) in writes {
            if value.is_none() && !self.map.contains_key(key) {
                *unsure.entry(key).or_default() += 1;
            } else {
                sure.push((key, value.as_ref()));
            }
            self.ends.remove(key);
            self.ended.remove(key);
            match (value, end) {
                (Some(value), None) => drop(self.map.insert(key.clone(), value.clone())),
                (Some(value), Some(End::Future)) => {
                    self.map.insert(key.clone(), value.clone());
                    self.ends.insert(key.clone());
                }
                (Some(_), Some(End::Past)) => {
                    self.map.remove(key);
                    self.ended.insert(key.clone());
                }
                (None, _) => drop(self.map.remove(key)),
            }
        }
        let Some(versions) = &mut self.versions else { return };
        for (key, value) in sure {
            versions.add(key, value, end == Some(End::Past));
        }
        for (key, deletes) in unsure {
            let shown = self.store.versions(key).first().map_or(0, |(number, _)| *number);
            versions.adapt(key, shown, deletes, self.map.get(key));
        }
    }

    fn compare_and_set(&mut self, key: &Bytes, guess: &Guess, new: Option<&Bytes>) {
        let before = self.map.get(key).cloned();
        let expected = match guess {
            Guess::Right => before.clone(),
            Guess::Absent => None,
            Guess::Value(value) => Some(value.clone()),
        };
        let done = self.store.compare_and_set(key, expected.as_deref(), new.map(Vec::as_slice));
        assert_eq!(done, before == expected, "compare_and_set says whether the value was as expected");
        if done {
            self.wrote(&[(key.clone(), new.cloned())], None);
        }
        self.gets_the_same(key);
    }

    fn gets_the_same(&self, key: &Bytes) {
        self.store.shows(key, self.map.get(key).map(Vec::as_slice));
        if self.store.engine().as_expire().is_some() {
            let expected = match self.map.contains_key(key) {
                false => Expiry::Absent,
                true if self.ends.contains(key) => Expiry::At(End::Future.time()),
                true => Expiry::Never,
            };
            assert_eq!(self.store.expiry(key), expected, "the end of {}", show(key));
        }
    }

    fn has_the_same_versions(&self, key: &Bytes) {
        if let Some(versions) = &self.versions {
            versions.are_shown(key, &self.store);
        }
    }

    fn follow(&mut self) {
        let Some((place, copy)) = &mut self.follower else { return };
        match self.store.try_changes(*place) {
            Ok(changes) => {
                for change in changes {
                    *place = change.next;
                    let has_ended = change.expires == Some(End::Past.time());
                    match change.value.filter(|_| !has_ended) {
                        Some(value) => copy.insert(change.key, value),
                        None => copy.remove(&change.key),
                    };
                }
                assert!(*copy == self.map, "who applies all changes to a map has what the store holds");
            }
            Err(Error::Compacted { earliest }) => {
                assert!(earliest.sequence > place.sequence, "{place} is not before {earliest}");
                (*place, *copy) = (self.store.position(), self.map.clone());
            }
            Err(error) => panic!("changes since {place} failed: {error}"),
        }
    }

    fn back_up(&mut self, bench: &Bench) {
        let dir = bench.beside(&format!("copy {}", self.copies));
        self.copies += 1;
        self.store.backup(&dir);
        let copy = bench.open_at(&dir);
        for (key, value) in &self.map {
            copy.holds(key, value);
        }
        visits_the_same(&copy, &self.map);
        self.counts_the_same(&copy);
    }

    fn is_the_same(&mut self) {
        let keys: Vec<Bytes> = self.map.keys().chain(&self.ended).cloned().collect();
        for key in &keys {
            self.gets_the_same(key);
        }
        visits_the_same(&self.store, &self.map);
        self.counts_the_same(&self.store);
        let written: Vec<Bytes> = self.versions.iter().flat_map(Versions::keys).collect();
        for key in &written {
            self.has_the_same_versions(key);
        }
        self.follow();
    }

    fn counts_the_same(&self, store: &Store) {
        let stats = store.stats();
        let bytes: usize = self.map.iter().map(|(key, value)| key.len() + value.len()).sum();
        let (keys, bytes, ended) = (self.map.len() as u64, bytes as u64, self.ended.len() as u64);
        if ended == 0 {
            assert_eq!((stats.live_keys, stats.live_bytes), (keys, bytes), "live keys and bytes");
        } else {
            assert!((keys..=keys + ended).contains(&stats.live_keys), "{} live keys", stats.live_keys);
            assert!(stats.live_bytes >= bytes, "{} live bytes", stats.live_bytes);
        }
    }
}

fn visits_the_same(store: &Store, map: &Map) {
    if store.engine().as_iterate().is_none() {
        return;
    }
    let mut shown = 0;
    store.for_each(&mut |key, value| {
        shown += 1;
        assert!(map.get(key).is_some_and(|expected| expected == value), "for_each showed {}", show(key));
        ControlFlow::Continue(())
    });
    assert_eq!(shown, map.len(), "for_each shows as many keys as there are");
}
