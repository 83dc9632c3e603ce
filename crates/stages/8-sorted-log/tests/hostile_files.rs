//! Failure mode 25, and all others that begin with bytes which no engine wrote: random folders, stores in which one file
//! was replaced or changed, and blocks, tables and manifests of random bytes. What must hold is in `tests/hostile/mod.rs`; a fuzzer looks for worse in `fuzz/`.
//!
//! `LOGLADDER_SEED` repeats a run, and `LOGLADDER_CASES` says how many there are of each.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot be set up has failed")]

mod hostile;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::{BuildHasher, RandomState};
use std::panic;
use std::sync::{Arc, Mutex, PoisonError};

use hostile::{
    STORES, describe_any_bytes, encode_edits, encode_folder, open_any_folder, open_with_one_file_replaced,
    read_any_block, read_any_manifest, read_any_table,
};
use logladder_contract::SEED;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

const CASES: u32 = 4_000;

/// Hands `target` so many values of `strategy`. The allocator counts for the whole process, so one test runs at a time.
fn try_many<T: Debug>(strategy: &impl Strategy<Value = T>, target: impl Fn(T)) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number(SEED).unwrap_or_else(|| RandomState::new().hash_one(0));
    println!("to repeat this run: {SEED}={seed}");
    let cases = number("LOGLADDER_CASES").and_then(|cases| cases.try_into().ok()).unwrap_or(CASES);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    // Making a failure smaller means to fail a thousand times: only where it was at last is told.
    let place = Arc::new(Mutex::new(String::new()));
    let loud = panic::take_hook();
    panic::set_hook(Box::new({
        let place = Arc::clone(&place);
        move |info| *place.lock().unwrap() = info.location().map(ToString::to_string).unwrap_or_default()
    }));
    let outcome = runner.run(&strategy, |value| {
        target(value);
        Ok(())
    });
    panic::set_hook(loud);
    if let Err(error) = outcome {
        panic!("{SEED}={seed}: at {}: {error}", place.lock().unwrap());
    }
}

/// A file of one of the stores as it is, cut, or changed; or random bytes.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let files: Vec<Vec<u8>> = STORES.iter().flat_map(|files| files.values().cloned()).collect();
    let real = prop::sample::select(files);
    prop_oneof![
        3 => real.clone(),
        1 => (real.clone(), any::<prop::sample::Index>()).prop_map(|(mut bytes, end)| {
            bytes.truncate(end.index(bytes.len() + 1));
            bytes
        }),
        1 => (real, any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut bytes, place, by)| {
            if !bytes.is_empty() {
                let place = place.index(bytes.len());
                bytes[place] ^= by;
            }
            bytes
        }),
        1 => vec(any::<u8>(), 0..300),
    ]
}

#[test]
fn any_files_in_a_folder_are_opened_or_refused_and_never_a_panic_or_a_large_allocation() {
    let names: Vec<String> = STORES.iter().flat_map(|files| files.keys().cloned()).collect();
    let names = prop_oneof![9 => prop::sample::select(names), 1 => Just("notes.txt".to_owned())];
    let files = btree_map(names, content(), 0..7).boxed();
    // Whole stores as well, of which some files are others.
    let replaced = (0..STORES.len(), files.clone()).prop_map(|(store, files)| {
        let mut whole: BTreeMap<_, _> = STORES[store].clone();
        whole.extend(files.into_iter().take(2));
        whole
    });
    let folders = prop_oneof![files, replaced.boxed()];
    try_many(&(folders, any::<bool>()), |(files, forged)| open_any_folder(&encode_folder(&files, forged)));
}

#[test]
fn a_store_with_one_hostile_file_shows_nothing_that_was_never_written() {
    // Which store, which file, how, and then small numbers, which are places in a small file.
    let numbers = prop_oneof![any::<u8>(), 0_u8..4];
    let data = (any::<[u8; 3]>(), vec(numbers, 0..60)).prop_map(|(head, rest)| [&head[..], &rest].concat());
    try_many(&data, |data| open_with_one_file_replaced(&data));
}

#[test]
fn any_bytes_under_any_name_are_described_without_a_panic() {
    let data = (any::<u8>(), content()).prop_map(|(name, content)| [&[name][..], &content].concat());
    try_many(&data, |data| describe_any_bytes(&data));
}

/// What blocks are made of: small numbers, which are lengths and places, and large ones.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![3 => 0_u8..20, 1 => any::<u8>(), 1 => Just(0), 1 => Just(0xFF)], 0..300)
}

/// A part of a file of one of the stores, of which some bytes are others.
fn part() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<u8>());
    (content(), any::<prop::sample::Index>(), vec(change, 0..4)).prop_map(|(mut bytes, start, changes)| {
        bytes.drain(..start.index(bytes.len() + 1));
        for (place, by) in changes {
            if !bytes.is_empty() {
                let place = place.index(bytes.len());
                bytes[place] ^= by;
            }
        }
        bytes
    })
}

#[test]
fn any_bytes_are_read_as_a_block_or_refused_and_never_a_panic() {
    try_many(&prop_oneof![bytes(), part()], |data| read_any_block(&data));
}

#[test]
fn any_bytes_are_read_as_the_sections_of_a_table_or_refused_and_never_a_panic() {
    try_many(&prop_oneof![bytes(), part()], |data| read_any_table(&data));
}

#[test]
fn any_edits_are_a_manifest_or_refused_and_never_a_panic() {
    let real: Vec<Vec<u8>> =
        (0..).zip(STORES.iter()).map(|(store, files)| encode_edits(store, &files["MANIFEST"])).collect();
    let changed = (prop::sample::select(real), vec((any::<prop::sample::Index>(), any::<u8>()), 0..4));
    let changed = changed.prop_map(|(mut data, changes)| {
        for (place, by) in changes {
            let place = place.index(data.len());
            data[place] ^= by;
        }
        data
    });
    try_many(&prop_oneof![changed, bytes()], |data| read_any_manifest(&data));
}
