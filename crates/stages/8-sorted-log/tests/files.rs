//! The bytes of files: each is named, and whatever they are, nothing panics.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use logladder_disk::crash::Tree;
use logladder_disk::{OpenOn, RecordingDisk};
use logladder_engine::{Compact, Direction, Engine, Error, Iterate, Ordered};
use logladder_sorted_log::{Options, SortedLog, Work, describe};
use proptest::collection::vec;
use proptest::prelude::*;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/v1");

/// The files of the fixture's stores: store, name, bytes.
fn files() -> Vec<(&'static str, String, Vec<u8>)> {
    let mut files = Vec::new();
    for store in ["closed", "compressed"] {
        for entry in fs::read_dir(Path::new(FIXTURES).join(store)).unwrap().map(Result::unwrap) {
            files.push((store, entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()));
        }
    }
    files
}

#[test]
fn every_byte_of_every_file_has_a_name_and_every_checksum_matches() {
    for (store, name, bytes) in files().into_iter().filter(|(_, name, _)| name != "LOGLADDER") {
        let fields = describe(&name, &bytes);
        let mut end = 0;
        for field in &fields {
            assert_eq!(field.bytes.start, end, "{store}/{name}");
            assert!(field.name != "rest" && field.meaning != "does not match", "{store}/{name}: {field:?}");
            end = field.bytes.end;
        }
        assert_eq!(end, bytes.len(), "{store}/{name}");
    }
}

#[test]
fn a_flipped_bit_anywhere_in_a_table_shows_in_a_checksum_or_makes_no_sense() {
    let (_, name, bytes) = files()
        .into_iter()
        .find(|(store, name, _)| *store == "closed" && name == "0000000015.table")
        .unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let fields = describe(&name, &flipped);
        let shows =
            |field: &logladder_engine::Field| field.name == "rest" || field.meaning == "does not match";
        // The last four bytes are no part of a sum, and have one value.
        let is_magic = bit / 8 < 8 || bit / 8 >= bytes.len() - 4;
        assert!(is_magic || fields.iter().any(shows), "bit {bit}");
    }
}

/// What is done to the bytes of one file.
#[derive(Debug, Clone)]
enum Change {
    Write(prop::sample::Index, Vec<u8>),
    Cut(prop::sample::Index),
    Grow(Vec<u8>),
    Copy(prop::sample::Index, prop::sample::Index),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(at, new) => {
                let at = at.index(bytes.len() + 1);
                let end = (at + new.len()).min(bytes.len());
                bytes.splice(at..end, new.iter().copied());
            }
            Self::Cut(at) => bytes.truncate(at.index(bytes.len() + 1)),
            Self::Grow(new) => bytes.extend_from_slice(new),
            Self::Copy(from, to) => {
                let (from, to) = (from.index(bytes.len() + 1), to.index(bytes.len() + 1));
                let copied = bytes[from.min(to)..].to_vec();
                bytes.splice(to.., copied);
            }
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    let bytes = || prop_oneof![vec(any::<u8>(), 0..40), vec(Just(0_u8), 0..5_000), vec(Just(255_u8), 0..20)];
    prop_oneof![
        (any::<prop::sample::Index>(), bytes()).prop_map(|(at, bytes)| Change::Write(at, bytes)),
        any::<prop::sample::Index>().prop_map(Change::Cut),
        bytes().prop_map(Change::Grow),
        (any::<prop::sample::Index>(), any::<prop::sample::Index>())
            .prop_map(|(from, to)| Change::Copy(from, to)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_store_with_a_changed_file_is_refused_or_opened_and_never_shows_what_was_not_written(
        victim in prop::sample::select(files().into_iter().map(|(store, name, _)| (store, name)).collect::<Vec<_>>()),
        changes in vec(change(), 1..4),
    ) {
        let mut tree = Tree::default();
        for (store, name, mut bytes) in files() {
            if (store, &name) == (victim.0, &victim.1) {
                for change in &changes {
                    change.apply(&mut bytes);
                }
                let _ = describe(&name, &bytes);
            }
            if store == victim.0 {
                tree.put(&Path::new("/store").join(name), bytes);
            }
        }
        let disk = RecordingDisk::from_tree(tree);
        let options = Options::default().with_work(Work::Caller);
        let Ok(store) = SortedLog::open_on(Arc::new(disk), Path::new("/store"), options) else { return Ok(()) };
        let mut is_right = true;
        let mut visit = |key: &[u8], value: &[u8]| {
            let number = key.strip_prefix(b"key ").map(|number| String::from_utf8_lossy(number).into_owned());
            is_right &= match (number, key) {
                (Some(number), _) => {
                    let number: u32 = number.parse().unwrap_or(u32::MAX);
                    value == format!("value {number} ").repeat(3).as_bytes()
                }
                (None, b"name") => value == b"bob" || value == b"anna",
                (None, b"") => value == b"of the empty key",
                (None, _) => key == b"\0\xFF" && value.is_empty(),
            };
            ControlFlow::Continue(())
        };
        let forward = store.for_each(&mut visit);
        let all = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
        let backward = store.scan(all, Direction::Backward, &mut visit);
        prop_assert!(is_right);
        for outcome in [forward, backward, store.get(b"key 007").map(drop), store.compact().map(drop)] {
            let is_fine = matches!(outcome, Ok(()) | Err(Error::Corrupt { .. } | Error::Poisoned { .. }));
            prop_assert!(is_fine, "{:?}", outcome);
        }
    }
}
