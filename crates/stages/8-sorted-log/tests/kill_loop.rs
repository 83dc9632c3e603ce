//! A process that writes is killed at a random moment, over and over, and the store is opened again, as
//! `logladder_contract::second_process::kill_loop` tells: with memtables so small that tables are written, merged and removed
//! all the time, mostly by the store's own threads.
//!
//! `cargo test -p logladder-sorted-log --test kill_loop` kills some dozens of times, on a file system in memory. So often as
//! you like, on the disk:
//!
//! ```text
//! LOGLADDER_KILLS=1000 cargo test -p logladder-sorted-log --test kill_loop -- --nocapture
//! ```

use std::time::Duration;

use logladder_contract::second_process::kill_loop::{KillLoop, Session};
use logladder_engine::{Compact, Open, SyncPolicy};
use logladder_sorted_log::{Compression, Options, SortedLog, Work};

#[test]
fn what_a_killed_process_acknowledged_is_there_and_nothing_deleted_returns() {
    let kill_loop = KillLoop {
        test: "what_a_killed_process_acknowledged_is_there_and_nothing_deleted_returns",
        kills: 60,
        open: |dir, session| SortedLog::open(dir, options(session)),
        compact: |store: &SortedLog, _| store.compact().map(drop),
        seal: SortedLog::flush,
        look: |store, when| {
            assert!(store.left_alone().is_empty(), "{when}: {:?} is the store's own", store.left_alone());
        },
    };
    kill_loop.run();
}

/// What may be chosen at opening is different each time.
fn options(session: Session) -> Options {
    let every = SyncPolicy::Every(Duration::from_millis(1));
    let policies = [SyncPolicy::Never, SyncPolicy::Never, SyncPolicy::Never, every, SyncPolicy::Always];
    let works = [Work::Background, Work::Background, Work::Caller];
    let compressions = [Compression::None, Compression::None, Compression::Lz4];
    Options::default()
        .with_sync(session.one_of(&policies, "sync"))
        .with_work(session.one_of(&works, "work"))
        .with_memtable_bytes(session.one_of(&[300, 1_000, 4_000, 4_000, 16_000, 64_000], "memtables"))
        .with_block_bytes(session.one_of(&[100, 400, 4_096], "blocks"))
        .with_table_bytes(session.one_of(&[500, 4_000, 30_000], "tables"))
        .with_level0_tables(session.one_of(&[1, 2, 4], "level 0"))
        .with_levels(session.one_of(&[1_000, 8_000], "level 1"), session.one_of(&[2, 10], "factor"))
        .with_filter_bits(session.one_of(&[0, 10], "filters"))
        .with_compression(session.one_of(&compressions, "compression"))
        .with_manifest_bytes(session.one_of(&[600, 4_000, 256 << 10], "manifest"))
}
