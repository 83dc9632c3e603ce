//! Copies of a store in use: each is a store of its own, with all that was acknowledged.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use logladder_engine::{Error, Expiry};

use super::threads::{Ends, join_all};
use crate::samples::{noise, odd_strings};
use crate::{Bench, Capability, Store};

fn copy(bench: &Bench) -> PathBuf {
    bench.beside("copy")
}

/// Twenty keys, some from an earlier opening, some overwritten, some deleted.
fn store_of_twenty(bench: &Bench) -> Store {
    let store = bench.open();
    for number in 0..15 {
        store.set(format!("key {number}"), format!("value {number}"));
    }
    let store = bench.reopen(store);
    for number in 5..20 {
        store.set(format!("key {number}"), format!("new value {number}"));
    }
    store.delete("key 3");
    store.delete("key 13");
    store
}

#[track_caller]
fn holds_the_twenty(store: &Store) {
    for number in 0..20 {
        let value = match number {
            3 | 13 => None,
            0..5 => Some(format!("value {number}")),
            _ => Some(format!("new value {number}")),
        };
        store.shows(format!("key {number}").as_bytes(), value.as_deref().map(str::as_bytes));
    }
    assert_eq!(store.stats().live_keys, 18);
}

/// Opens the copy again and again, and the original as well.
#[track_caller]
fn both_hold_the_twenty(bench: &Bench, original: Store, copied: Store) {
    let (mut original, mut copied) = (original, copied);
    for _ in 0..2 {
        holds_the_twenty(&original);
        holds_the_twenty(&copied);
        original = bench.reopen(original);
        copied.close();
        copied = bench.open_at(&copy(bench));
    }
    assert_eq!(original.engine().repairs(), []);
    assert_eq!(copied.engine().repairs(), []);
}

pub(crate) fn a_copy_holds_everything_that_was_acknowledged(bench: &Bench) {
    let store = store_of_twenty(bench);
    store.backup(&copy(bench));
    // Both are open at once.
    both_hold_the_twenty(bench, store, bench.open_at(&copy(bench)));
}

pub(crate) fn a_copy_of_an_empty_store_is_an_empty_store(bench: &Bench) {
    let store = bench.open();
    store.backup(&copy(bench));
    let copied = bench.open_at(&copy(bench));
    assert_eq!(copied.stats().live_keys, 0);
    copied.set("key", "value");
    store.lacks("key");
    copied.close();
    bench.open_at(&copy(bench)).holds("key", "value");
}

pub(crate) fn a_copy_can_be_made_in_an_empty_folder(bench: &Bench) {
    assert!(bench.disk().create_dir(&copy(bench)).is_ok());
    let store = store_of_twenty(bench);
    store.backup(&copy(bench));
    holds_the_twenty(&bench.open_at(&copy(bench)));
}

pub(crate) fn odd_keys_and_values_are_copied(bench: &Bench) {
    let store = bench.open();
    for string in odd_strings() {
        store.set(&string, &string);
    }
    store.set("long", noise(200_000, 3));
    store.backup(&copy(bench));
    let copied = bench.open_at(&copy(bench));
    for string in odd_strings() {
        copied.holds(&string, &string);
    }
    copied.holds("long", noise(200_000, 3));
}

pub(crate) fn the_original_goes_on_and_the_copy_stays_as_it_was(bench: &Bench) {
    let store = store_of_twenty(bench);
    store.backup(&copy(bench));
    let before = bench.files_of(&copy(bench));
    for number in 0..20 {
        store.set(format!("key {number}"), "of the original");
    }
    store.set("another", "of the original");
    let store = bench.reopen(store);
    store.delete("key 1");
    store.sync();
    assert_eq!(bench.files_of(&copy(bench)), before, "a write to the original changed a file of the copy");
    holds_the_twenty(&bench.open_at(&copy(bench)));
    store.holds("key 19", "of the original");
}

pub(crate) fn writes_to_the_copy_leave_the_original_alone(bench: &Bench) {
    let store = store_of_twenty(bench);
    store.backup(&copy(bench));
    let copied = bench.open_at(&copy(bench));
    for number in 0..20 {
        copied.set(format!("key {number}"), "of the copy");
    }
    copied.delete("key 1");
    copied.close();
    holds_the_twenty(&store);
    let store = bench.reopen(store);
    holds_the_twenty(&store);
    let copied = bench.open_at(&copy(bench));
    copied.holds("key 19", "of the copy");
    copied.lacks("key 1");
    assert_eq!(copied.stats().live_keys, 19);
}

pub(crate) fn compactions_of_both_leave_the_other_alone(bench: &Bench) {
    let store = store_of_twenty(bench);
    store.backup(&copy(bench));
    let mut copied = bench.open_at(&copy(bench));
    store.compact();
    holds_the_twenty(&copied);
    copied.compact();
    let store = bench.reopen(store);
    store.compact();
    copied.close();
    copied = bench.open_at(&copy(bench));
    copied.compact();
    both_hold_the_twenty(bench, store, copied);
}

pub(crate) fn a_copy_outlives_its_original(bench: &Bench) {
    let store = store_of_twenty(bench);
    store.backup(&copy(bench));
    store.close();
    for name in bench.files().into_keys() {
        assert!(bench.disk().remove(&bench.path(&name)).is_ok(), "{name} can be removed");
    }
    let copied = bench.open_at(&copy(bench));
    holds_the_twenty(&copied);
    copied.set("key", "value");
    copied.close();
    bench.open_at(&copy(bench)).holds("key", "value");
}

pub(crate) fn a_copy_of_a_copy_holds_the_same(bench: &Bench) {
    let store = store_of_twenty(bench);
    store.backup(&copy(bench));
    let copied = bench.open_at(&copy(bench));
    let second = bench.beside("second");
    copied.backup(&second);
    copied.set("key 0", "of the first copy");
    holds_the_twenty(&bench.open_at(&second));
    // The same again, elsewhere: a second copy of one store.
    store.backup(&bench.beside("third"));
    holds_the_twenty(&bench.open_at(&bench.beside("third")));
}

pub(crate) fn a_folder_that_is_not_empty_takes_no_copy(bench: &Bench) {
    let store = store_of_twenty(bench);
    let (strangers, other) = (bench.beside("strangers"), bench.beside("other"));
    bench.put(&strangers.join("letter to grandmother.txt"), b"precious");
    let other_store = bench.open_at(&other);
    other_store.set("key", "precious");
    other_store.sync();
    for dir in [&strangers, &other, &bench.dir()] {
        let before = bench.files_of(dir);
        let error = refusal(&store, dir);
        assert!(matches!(error, Error::ForeignStore { .. }), "{}: {error}", dir.display());
        assert!(error.to_string().contains(&dir.display().to_string()), "the message names it: {error}");
        assert_eq!(bench.files_of(dir), before, "{} is left as it was", dir.display());
    }
    other_store.holds("key", "precious");
    // It was the caller's mistake: the store goes on, and makes a copy elsewhere.
    holds_the_twenty(&store);
    store.set("key 0", "value 0");
    store.backup(&copy(bench));
    holds_the_twenty(&bench.open_at(&copy(bench)));
}

pub(crate) fn a_file_takes_no_copy(bench: &Bench) {
    let store = store_of_twenty(bench);
    bench.put(&copy(bench), b"precious");
    let error = refusal(&store, &copy(bench));
    assert!(error.to_string().contains(&copy(bench).display().to_string()), "the message names it: {error}");
    assert!(bench.disk().read(&copy(bench)).is_ok_and(|bytes| bytes == b"precious"));
    store.set("key 0", "value 0");
    holds_the_twenty(&store);
}

#[track_caller]
fn refusal(store: &Store, dir: &Path) -> Error {
    match store.engine().as_backup().map(|backup| backup.backup(dir)) {
        Some(Err(error)) => error,
        Some(Ok(())) | None => panic!("a copy was made in {}", dir.display()),
    }
}

pub(crate) fn ends_and_history_are_copied(bench: &Bench) {
    let store = bench.open();
    let end = super::expire::in_an_hour();
    store.set("key", "first");
    store.set("key", "second");
    let expires = bench.subject().can(Capability::Expire);
    if expires {
        store.set_until("ends", "value", end);
        store.set("ended", "older");
        store.set_until("ended", "value", SystemTime::now() - Duration::from_hours(1));
    }
    store.backup(&copy(bench));
    let copied = bench.open_at(&copy(bench));
    copied.holds("key", "second");
    if expires {
        copied.holds("ends", "value");
        assert_eq!(copied.expiry("ends"), Expiry::At(end));
        copied.lacks("ended");
    }
    if bench.subject().can(Capability::History) {
        let kept = bench.subject().versions_kept().unwrap_or(1);
        copied.has_versions("key", &[Some(b"first"), Some(b"second")], kept);
        copied.set("key", "third");
        copied.has_versions("key", &[Some(b"first"), Some(b"second"), Some(b"third")], kept);
    }
}

fn number_in(store: &Store, key: &str) -> u64 {
    let text = store.get(key).unwrap_or_default();
    String::from_utf8_lossy(&text).parse().unwrap_or_default()
}

/// Writes one after the other, `first` before `second`, while copies are made: each copy has the beginning of what
/// was written, and all of it that was there when it was begun.
pub(crate) fn a_copy_made_during_writes_is_of_one_moment(bench: &Bench) {
    copies_during_writes(bench, |store, round| {
        store.set("first", round.to_string());
        store.set("second", round.to_string());
        if round % 7 == 0 {
            store.set(format!("some more {}", round % 50), noise(300, round));
        }
    });
}

pub(crate) fn a_copy_made_during_batches_has_each_whole_or_not(bench: &Bench) {
    let moments = copies_during_writes(bench, |store, round| {
        store.write_all(|batch| {
            batch.set(b"first", round.to_string().as_bytes());
            batch.set(b"between", &noise(200, round)).set(b"second", round.to_string().as_bytes());
        });
    });
    for (first, second) in moments {
        assert_eq!(first, second, "a copy has a part of a batch");
    }
}

pub(crate) fn a_copy_made_during_compactions_is_whole(bench: &Bench) {
    copies_during_writes(bench, |store, round| {
        store.set("first", round.to_string());
        store.set("second", round.to_string());
        if round % 5 == 0 {
            store.compact();
        }
    });
}

/// Makes copies while another thread writes, and says what `first` and `second` were in each.
#[track_caller]
fn copies_during_writes(bench: &Bench, write: impl Fn(&Store, u64) + Sync) -> Vec<(u64, u64)> {
    let store = bench.open();
    for number in 0..20 {
        store.set(format!("steady {number}"), "value");
    }
    let (ended, number_of_copies, rounds) = (AtomicBool::new(false), 8, bench.many(4_000, 1_000) as u64);
    let moments = thread::scope(|scope| {
        let (store, ended, write) = (&store, &ended, &write);
        let writer = scope.spawn(move || {
            let mut round = 0;
            // Not for ever: each copy would take longer than the one before.
            while !ended.load(Ordering::Acquire) && round < rounds {
                round += 1;
                write(store, round);
            }
            Vec::new()
        });
        let other = scope.spawn(move || {
            let _ends = Ends(ended);
            let made = (0..number_of_copies).map(|number| {
                let dir = bench.beside(&format!("copy {number}"));
                let acknowledged = number_in(store, "second");
                store.backup(&dir);
                let submitted = number_in(store, "first") + 1;
                let copied = bench.open_at(&dir);
                for number in 0..20 {
                    copied.holds(format!("steady {number}"), "value");
                }
                let (first, second) = (number_in(&copied, "first"), number_in(&copied, "second"));
                assert!(
                    first == second || first == second + 1,
                    "a copy has {first} and {second}, which were never there at once"
                );
                assert!(
                    (acknowledged..=submitted).contains(&second),
                    "{acknowledged} was acknowledged before the copy was begun, and it has {second}"
                );
                (first, second)
            });
            made.collect()
        });
        let [moments, _] = [other, writer].map(|thread| match thread.join() {
            Ok(moments) => moments,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        moments
    });
    // Some are opened again, and the original.
    for number in [0, number_of_copies - 1] {
        let copied = bench.open_at(&bench.beside(&format!("copy {number}")));
        assert_eq!((number_in(&copied, "first"), number_in(&copied, "second")), moments[number]);
    }
    let last = number_in(&store, "second");
    let store = bench.reopen(store);
    assert_eq!(number_in(&store, "second"), last);
    moments
}

pub(crate) fn copies_at_once_are_all_whole(bench: &Bench) {
    let store = store_of_twenty(bench);
    let dirs: Vec<PathBuf> = (0..3).map(|number| bench.beside(&format!("copy {number}"))).collect();
    thread::scope(|scope| {
        let store = &store;
        join_all(dirs.iter().map(|dir| scope.spawn(move || store.backup(dir))));
    });
    for dir in &dirs {
        holds_the_twenty(&bench.open_at(dir));
    }
    holds_the_twenty(&store);
}
