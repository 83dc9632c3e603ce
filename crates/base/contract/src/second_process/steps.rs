//! What a writer does, step by step: settled by the seed, so that the process that writes and the one that checks need
//! not tell each other.

use std::time::{Duration, SystemTime};

use logladder_engine::{Batch, Engine, Result};

use super::draw::{below, index, one_of};

/// So many keys each writer has for itself. Few, so that they are overwritten and deleted all the time.
pub const KEYS: u64 = 48;

/// A key, and the value that it gets; none if it is deleted.
pub type Change = (Vec<u8>, Option<Vec<u8>>);

/// What step `number` of `writer` changes: mostly one key, now and then several in a batch.
#[must_use]
pub fn step(seed: u64, writer: u64, number: u64) -> Vec<Change> {
    let changes = match below(8, (seed, writer, number, "batch")) {
        0 => 2 + below(5, (seed, writer, number, "changes")),
        _ => 1,
    };
    (0..changes).map(|place| change(seed, writer, number, place)).collect()
}

fn change(seed: u64, writer: u64, number: u64, place: u64) -> Change {
    let of = |what: &str, end| below(end, (seed, writer, number, place, what));
    // The product makes some keys hot, so that what is written dies at different speeds.
    let slot = of("key", KEYS) * of("heat", KEYS) / KEYS;
    let value = (of("delete", 4) > 0).then(|| {
        // Most values are small, some are larger than a small segment or memtable.
        let longest =
            one_of(&[0, 40, 40, 200, 200, 200, 1_000, 5_000], (seed, writer, number, place, "size"));
        let filler = "x".repeat(index(of("length", longest + 1)));
        format!("{writer} {number} {place} {filler}").into_bytes()
    });
    (key(writer, slot), value)
}

/// One of the keys of `writer`. Those of several writers lie between each other.
#[must_use]
pub fn key(writer: u64, slot: u64) -> Vec<u8> {
    format!("key {slot:02} of writer {writer}").into_bytes()
}

/// Does a step in a store that has batches. Which of the ways to set a value is taken, its length decides.
///
/// # Errors
///
/// Those of the store.
pub fn perform(store: &dyn Engine, changes: &[Change]) -> Result<()> {
    match (changes, store.as_atomic(), store.as_expire()) {
        ([(key, Some(value))], _, Some(expire)) if value.len() % 7 == 3 => {
            // Not before this test is done.
            expire.set_until(key, value, SystemTime::now() + Duration::from_hours(24))
        }
        ([(key, Some(value))], Some(atomic), _) if value.len() % 7 == 5 => {
            // Nobody else writes the key.
            let before = store.get(key)?;
            let is_set = atomic.compare_and_set(key, before.as_deref(), Some(value))?;
            assert!(is_set, "another writer has changed {}", key.escape_ascii());
            Ok(())
        }
        ([(key, Some(value))], ..) => store.set(key, value),
        ([(key, None)], ..) => store.delete(key),
        (changes, Some(atomic), _) => {
            let mut batch = Batch::new();
            for (key, value) in changes {
                match value {
                    Some(value) => batch.set(key, value),
                    None => batch.delete(key),
                };
            }
            atomic.write(&batch)
        }
        (_, None, _) => panic!("the store has no batches"),
    }
}
