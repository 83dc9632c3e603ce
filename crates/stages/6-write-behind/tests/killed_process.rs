//! A process that is killed in the middle of its writes: what it had synced, and said so, is there; of what came after,
//! each key has its last synced value or a later one, whole.

#![allow(clippy::expect_used, reason = "a test that cannot be set up has failed")]

use std::path::Path;

use logladder_contract::second_process::{Running, number, say, task};
use logladder_engine::{Engine, Open, SyncPolicy};
use logladder_write_behind::{Options, WriteBehind};

const TEST: &str = "what_a_killed_process_had_synced_is_there";

/// Rounds of writes to the same keys, so that there is something old to fall back to.
const KEYS: u64 = 40;

fn options(round: u64) -> Options {
    Options::default().with_sync(if round.is_multiple_of(2) { SyncPolicy::Never } else { SyncPolicy::Always })
}

fn key(number: u64) -> Vec<u8> {
    format!("{}/{number}", number % 3).into_bytes()
}

/// The value of a key in a round: its length and each of its bytes tell which; none in some rounds.
fn value(number: u64, round: u64) -> Option<Vec<u8>> {
    let len = usize::try_from(100 + (number * 37 + round * 11) % 3_000).ok()?;
    let byte = round.to_le_bytes()[0];
    (!(number + round).is_multiple_of(5)).then(|| vec![byte; len])
}

/// The second process: writes rounds for ever, syncs after each, and says so.
fn write(dir: &Path, first: u64) {
    let store = WriteBehind::open(dir, options(first)).expect("the store opens");
    for round in first.. {
        for number in 0..KEYS {
            match value(number, round) {
                Some(value) => store.set(&key(number), &value).expect("set"),
                None => store.delete(&key(number)).expect("delete"),
            }
        }
        store.sync().expect("sync");
        say(&format!("synced {round}"));
    }
}

#[test]
fn what_a_killed_process_had_synced_is_there() {
    if let Some([dir, first]) = task().as_deref() {
        return write(Path::new(dir), number(first));
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut first = 0;
    for kill in 0..12_u64 {
        let dir = folder.path().to_str().expect("UTF-8");
        let mut writer = Running::start(TEST, &[dir, &first.to_string()]);
        let mut synced = None;
        while let Some(line) = writer.next_line() {
            if let Some(round) = line.strip_prefix("synced ").and_then(|round| round.parse::<u64>().ok()) {
                synced = Some(round);
                if round >= first + kill % 4 {
                    // It goes on writing: the signal comes in the middle of something. What it says before it
                    // has come counts as well.
                    writer.kill();
                }
            }
        }
        writer.end();
        let synced = synced.expect("the second process wrote");
        let store = WriteBehind::open(folder.path(), options(kill)).expect("the store opens after a kill");
        for number in 0..KEYS {
            let found = store.get(&key(number)).expect("the key can be read");
            let allowed = [value(number, synced), value(number, synced + 1)];
            assert!(allowed.contains(&found), "kill {kill}: {number} is of another round");
        }
        // The next one begins where no round has been, and over what this one left.
        first = synced + 2;
    }
}
