//! What a key was before. How many versions are there to be seen is said by the subject.

use std::ops::ControlFlow;
use std::thread;
use std::time::{Duration, SystemTime};

use super::threads::join_all;
use crate::{Bench, Capability, Store};

/// As many versions of a key as must be there, however many were written.
fn kept(bench: &Bench) -> u64 {
    bench.subject().versions_kept().unwrap_or(1)
}

/// Five keys, the one after the other, written up to five times, every third time a delete.
fn write_in_turn(store: &Store, rounds: std::ops::Range<usize>) {
    for round in rounds {
        for key in 0..5 {
            match value_of(key, round) {
                Some(value) => store.set(format!("key {key}"), value),
                None => store.delete(format!("key {key}")),
            }
        }
    }
}

/// Never a delete first, nor two of them, one after the other: those may be no write.
fn value_of(key: usize, round: usize) -> Option<String> {
    (round % 3 != 1 || key == 0).then(|| format!("value {key} of round {round}"))
}

#[track_caller]
fn has_all_rounds(bench: &Bench, store: &Store, rounds: usize) {
    for key in 0..5 {
        let values: Vec<Option<String>> = (0..rounds).map(|round| value_of(key, round)).collect();
        let writes: Vec<Option<&[u8]>> =
            values.iter().map(|value| value.as_deref().map(str::as_bytes)).collect();
        store.has_versions(format!("key {key}"), &writes, kept(bench));
    }
}

pub(crate) fn versions_count_from_one_and_the_newest_comes_first(bench: &Bench) {
    let store = bench.open();
    let mut writes: Vec<Option<&[u8]>> = Vec::new();
    for value in ["first", "", "second", "second", "first"] {
        store.set("key", value);
        writes.push(Some(value.as_bytes()));
        store.has_versions("key", &writes, kept(bench));
    }
}

pub(crate) fn a_delete_is_a_version(bench: &Bench) {
    let store = bench.open();
    store.set("key", "first");
    store.delete("key");
    store.has_versions("key", &[Some(b"first"), None], kept(bench));
    store.lacks("key");
    store.set("key", "second");
    store.delete("key");
    store.set("key", "");
    let writes: [Option<&[u8]>; 5] = [Some(b"first"), None, Some(b"second"), None, Some(b"")];
    store.has_versions("key", &writes, kept(bench));
    store.holds("key", "");
}

pub(crate) fn a_key_that_was_never_written_has_no_versions(bench: &Bench) {
    let store = bench.open();
    assert_eq!(store.versions("key"), []);
    store.set("key", "value");
    for absent in ["", "ke", "key ", "Key", "value"] {
        assert_eq!(store.versions(absent), [], "of the key `{absent}`");
        assert_eq!(store.get_at(absent, 1), None, "of the key `{absent}`");
    }
}

pub(crate) fn versions_of_keys_written_in_turn_are_kept_apart(bench: &Bench) {
    let store = bench.open();
    for rounds in 0..8 {
        write_in_turn(&store, rounds..rounds + 1);
        has_all_rounds(bench, &store, rounds + 1);
    }
}

pub(crate) fn a_visitor_of_versions_that_stops_is_called_no_more(bench: &Bench) {
    let store = bench.open();
    for round in 0..5 {
        store.set("key", format!("value {round}"));
    }
    let all = store.versions("key").len();
    for wanted in 1..=all {
        let mut calls = 0;
        let outcome = store.engine().as_history().map(|history| {
            history.versions(b"key", &mut |_| {
                calls += 1;
                if calls == wanted { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
        });
        assert!(matches!(outcome, Some(Ok(()))), "stopping is no error");
        assert_eq!(calls, wanted);
    }
}

pub(crate) fn each_write_of_a_batch_is_a_version(bench: &Bench) {
    let store = bench.open();
    store.set("key", "alone");
    store.write_all(|batch| {
        batch.set(b"key", b"first").set(b"other", b"value").delete(b"key").set(b"key", b"last");
    });
    let writes: [Option<&[u8]>; 4] = [Some(b"alone"), Some(b"first"), None, Some(b"last")];
    store.has_versions("key", &writes, kept(bench));
    store.has_versions("other", &[Some(b"value")], kept(bench));
    if bench.subject().persists() {
        bench.reopen(store).has_versions("key", &writes, kept(bench));
    }
}

pub(crate) fn a_refused_compare_and_set_is_no_version(bench: &Bench) {
    let store = bench.open();
    assert!(store.compare_and_set("key", None, Some(b"first")));
    assert!(!store.compare_and_set("key", None, Some(b"wrong")));
    assert!(!store.compare_and_set("key", Some(b"wrong"), None));
    store.has_versions("key", &[Some(b"first")], kept(bench));
    assert!(store.compare_and_set("key", Some(b"first"), Some(b"second")));
    assert!(store.compare_and_set("key", Some(b"second"), None));
    assert!(!store.compare_and_set("other", Some(b"wrong"), Some(b"value")));
    store.has_versions("key", &[Some(b"first"), Some(b"second"), None], kept(bench));
    assert_eq!(store.versions("other"), []);
}

pub(crate) fn the_end_of_a_value_is_no_version(bench: &Bench) {
    let mut store = bench.open();
    store.set("key", "first");
    store.set_until("key", "ended", SystemTime::now() - Duration::from_hours(1));
    let newest = |store: &Store| store.versions("key").first().map(|(number, _)| *number);
    assert_eq!(newest(&store), Some(2));
    if bench.subject().persists() {
        store = bench.reopen(store);
        if bench.subject().can(Capability::Compact) {
            store.compact();
            store = bench.reopen(store);
        }
        assert_eq!(newest(&store), Some(2), "after opening it again");
    }
    store.set("key", "third");
    let versions = store.versions("key");
    assert_eq!(versions[0], (3, Some(b"third".to_vec())));
    if let Some((number, value)) = versions.get(1) {
        assert_eq!(*number, 2);
        assert!(value.is_none() || value.as_deref() == Some(b"ended"), "its value or none");
    }
}

pub(crate) fn versions_survive_reopening(bench: &Bench) {
    let mut store = bench.open();
    for rounds in 0..6 {
        write_in_turn(&store, rounds..rounds + 1);
        store = bench.reopen(store);
        has_all_rounds(bench, &store, rounds + 1);
    }
}

pub(crate) fn versions_survive_compaction(bench: &Bench) {
    let mut store = bench.open();
    let mut rounds = 0;
    for more in [3, 1, 4, 1] {
        write_in_turn(&store, rounds..rounds + more);
        rounds += more;
        store.compact();
        has_all_rounds(bench, &store, rounds);
        store = bench.reopen(store);
        has_all_rounds(bench, &store, rounds);
        store.compact();
        has_all_rounds(bench, &store, rounds);
    }
    let store = bench.reopen(store);
    has_all_rounds(bench, &store, rounds);
}

pub(crate) fn a_deleted_key_goes_on_counting_after_compaction(bench: &Bench) {
    let mut store = bench.open();
    store.set("key", "first");
    store.delete("key");
    for _ in 0..2 {
        store.compact();
        store = bench.reopen(store);
        store.has_versions("key", &[Some(b"first"), None], kept(bench));
    }
    store.set("key", "third");
    store.has_versions("key", &[Some(b"first"), None, Some(b"third")], kept(bench));
}

pub(crate) fn versions_past_those_kept_go_with_compaction(bench: &Bench) {
    let Some(kept) = bench.subject().versions_kept() else { return };
    let store = bench.open();
    let rounds = kept.min(20) + 5;
    for round in 0..rounds {
        store.set("key", format!("value {round}"));
        store.set("other", format!("other value {round}"));
    }
    // The newest file may be one that is not compacted: a new opening ends it.
    let store = bench.reopen(store);
    store.compact();
    for key in ["key", "other"] {
        let numbers: Vec<u64> = store.versions(key).into_iter().map(|(number, _)| number).collect();
        let expected: Vec<u64> =
            (1..=rounds).rev().take(usize::try_from(kept).unwrap_or(usize::MAX)).collect();
        assert_eq!(numbers, expected, "the newest {kept} of {rounds} versions are kept, and no others");
    }
}

pub(crate) fn every_write_of_many_threads_is_a_version(bench: &Bench) {
    let store = bench.open();
    let (threads, rounds) = (4, bench.many(100, 15));
    thread::scope(|scope| {
        let store = &store;
        join_all((0..threads).map(|thread| {
            scope.spawn(move || {
                for round in 0..rounds {
                    store.set("key", format!("{thread}:{round}"));
                    let shown = store.versions("key");
                    let pairs = shown.iter().zip(shown.iter().skip(1));
                    assert!(
                        pairs.clone().all(|((newer, _), (older, _))| *newer == older + 1),
                        "a version is missing between two others"
                    );
                }
            })
        }));
    });
    let versions = store.versions("key");
    assert_eq!(versions[0].0, (threads * rounds) as u64, "each write is counted, once");
    store.shows(b"key", versions[0].1.as_deref());
}
