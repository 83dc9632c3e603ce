//! A process that writes is killed at a random moment, over and over, and the store is opened again, as
//! `logladder_contract::second_process::kill_loop` tells: in segments so small that they are rotated, compacted and removed all
//! the time.
//!
//! `cargo test -p logladder-hash-log --test kill_loop` kills some dozens of times, on a file system in memory. So often as
//! you like, on the disk:
//!
//! ```text
//! LOGLADDER_KILLS=1000 cargo test -p logladder-hash-log --test kill_loop -- --nocapture
//! ```

use std::time::Duration;

use logladder_contract::second_process::kill_loop::{KillLoop, Session};
use logladder_engine::{Compact, Open, SyncPolicy};
use logladder_hash_log::{Compaction, HashLog, Hints, Options};

#[test]
fn what_a_killed_process_acknowledged_is_there_and_nothing_deleted_returns() {
    let kill_loop = KillLoop {
        test: "what_a_killed_process_acknowledged_is_there_and_nothing_deleted_returns",
        kills: 100,
        open: |dir, session| HashLog::open(dir, options(session)),
        compact: |store: &HashLog, session| match options(session).compaction {
            Compaction::OnDemand => store.compact().map(drop),
            _ => Ok(()),
        },
        seal: HashLog::seal,
        look: |_, _| {},
    };
    kill_loop.run();
}

/// What may be chosen at opening is different each time.
fn options(session: Session) -> Options {
    let every = SyncPolicy::Every(Duration::from_millis(1));
    let policies = [SyncPolicy::Never, SyncPolicy::Never, SyncPolicy::Never, every, SyncPolicy::Always];
    let compactions = [Compaction::Background, Compaction::Background, Compaction::OnDemand];
    Options::default()
        .with_segment_bytes(session.one_of(&[300, 1_000, 4_000, 4_000, 16_000, 64_000], "segments"))
        .with_sync(session.one_of(&policies, "sync"))
        .with_compaction(session.one_of(&compactions, "compaction"))
        .with_versions(session.one_of(&[1, 1, 1, 3], "versions"))
        .with_hints(session.one_of(&[Hints::WhereSmall, Hints::Always], "hints"))
}
