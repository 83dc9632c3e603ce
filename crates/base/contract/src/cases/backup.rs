//! Copies of a store in use: each is a store of its own, with all that was acknowledged.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use logladder_engine::{Error, Expiry};

use super::moments::{self, Writer};
use super::threads::join_all;
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
    let refuses = |dir: &Path| {
        let error = refusal(&store, dir);
        assert!(matches!(error, Error::NotEmpty { .. }), "{}: {error}", dir.display());
        assert!(error.to_string().contains(&dir.display().to_string()), "the message names it: {error}");
    };
    for dir in [&strangers, &other] {
        let before = bench.files_of(dir);
        refuses(dir);
        assert_eq!(bench.files_of(dir), before, "{} is left as it was", dir.display());
    }
    leaves_the_store_as_it_is(bench, || refuses(&bench.dir()));
    other_store.holds("key", "precious");
    // It was the caller's mistake: the store goes on, and makes a copy elsewhere.
    holds_the_twenty(&store);
    store.set("key 0", "value 0");
    store.backup(&copy(bench));
    holds_the_twenty(&bench.open_at(&copy(bench)));
}

/// That no file of the store is changed by it. A thread of the store may write to them while it is done, but not each time:
/// nothing else is asked of the store.
#[track_caller]
fn leaves_the_store_as_it_is(bench: &Bench, deed: impl Fn()) {
    const TIMES: usize = 1_000;
    let changes_nothing = |_| {
        let before = bench.files();
        deed();
        bench.files() == before
    };
    assert!((0..TIMES).any(changes_nothing), "files of the store were changed each of {TIMES} times");
}

pub(crate) fn a_folder_in_that_of_the_store_takes_no_copy(bench: &Bench) {
    let store = store_of_twenty(bench);
    leaves_the_store_as_it_is(bench, || {
        for dir in [bench.path("copy"), bench.path("below").join("copy")] {
            let error = refusal(&store, &dir);
            assert!(matches!(error, Error::Unsupported { .. }), "{}: {error}", dir.display());
            assert!(error.to_string().contains("folder of the store"), "{}: {error}", dir.display());
        }
    });
    let is_there = |name| bench.disk().entry(&bench.path(name)).is_ok_and(|entry| entry.is_some());
    assert!(!is_there("copy") && !is_there("below"), "a folder was made in that of the store");
    // It was the caller's mistake: the store goes on, and makes a copy elsewhere.
    store.backup(&copy(bench));
    both_hold_the_twenty(bench, store, bench.open_at(&copy(bench)));
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

pub(crate) fn a_copy_made_during_writes_is_of_one_moment(bench: &Bench) {
    copies_during(bench, moments::write_in_turn, moments::are_of_one_moment);
}

pub(crate) fn a_copy_made_during_batches_has_each_whole_or_not(bench: &Bench) {
    copies_during(bench, moments::write_at_once, moments::are_of_one_batch);
}

pub(crate) fn a_copy_made_during_compactions_is_whole(bench: &Bench) {
    let write = |store: &Store, round: u64| {
        moments::write_in_turn(store, round);
        if round.is_multiple_of(3) {
            store.compact();
        }
    };
    copies_during(bench, write, moments::are_of_one_moment);
}

/// The round in which each key of `store` was written.
fn rounds_in(store: &Store) -> Vec<u64> {
    moments::rounds(|key| store.get(key))
}

/// Makes copies while another thread writes: each has all that was there when it was begun, and nothing from after
/// its end. `check` judges the rounds in which its keys were written.
#[track_caller]
fn copies_during(bench: &Bench, write: fn(&Store, u64), check: fn(&[u64])) {
    let store = bench.open();
    for number in 0..20 {
        store.set(format!("steady {number}"), noise(300, number));
    }
    write(&store, 0);
    let copy_dir = |number: usize| bench.beside(&format!("copy {number}"));
    let (writer, mut shown) = (Writer::default(), Vec::new());
    thread::scope(|scope| {
        let (store, writer, shown) = (&store, &writer, &mut shown);
        let writing = scope.spawn(move || writer.write(store, write));
        let copying = scope.spawn(move || {
            writer.look(8, |number| {
                let before = rounds_in(store);
                store.backup(&copy_dir(number));
                let after = rounds_in(store);
                let copied = bench.open_at(&copy_dir(number));
                let found = rounds_in(&copied);
                check(&found);
                for (round, (before, after)) in found.iter().zip(before.iter().zip(&after)) {
                    assert!(
                        (before..=after).contains(&round),
                        "a copy has {round}, which was {before} when it was begun and {after} at its end"
                    );
                }
                for number in 0..20 {
                    copied.holds(format!("steady {number}"), noise(300, number));
                }
                shown.push(found);
            });
        });
        join_all([copying, writing]);
    });
    // What was written since has changed none of them.
    for (number, found) in shown.iter().enumerate() {
        assert_eq!(rounds_in(&bench.open_at(&copy_dir(number))), *found);
    }
    let last = rounds_in(&store);
    assert_eq!(rounds_in(&bench.reopen(store)), last);
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
