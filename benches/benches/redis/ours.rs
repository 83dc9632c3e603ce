//! The same with stage 5, through its trait.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use logladder::replay_log::{Options, Persistence, ReplayLog};
use logladder_engine::{Batch, Engine, Open, SyncPolicy};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{KEYS, VALUE_LEN};

/// A store, and the keys that `redis-benchmark` uses.
pub(crate) struct Ours {
    store: Box<dyn Engine>,
    keys: Vec<Vec<u8>>,
    // Behind the store, which writes to it.
    _folder: tempfile::TempDir,
}

impl Ours {
    /// Opens one: with lines that are synced so, or without lines.
    pub(crate) fn open(sync: Option<SyncPolicy>) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder beside the build");
        let options = match sync {
            Some(sync) => Options::default().with_sync(sync),
            None => Options::default().with_persistence(Persistence::Snapshots).with_snapshots(&[]),
        };
        let store: Box<dyn Engine> = Box::new(ReplayLog::open(folder.path(), options).expect("a store"));
        let keys: Vec<Vec<u8>> = (0..KEYS).map(|number| format!("key:{number:012}").into_bytes()).collect();
        for key in &keys {
            store.set(key, &[b'v'; VALUE_LEN]).expect("a set");
        }
        Self { store, keys, _folder: folder }
    }

    /// Sets a second, by so many threads, so many in a batch.
    pub(crate) fn sets(&self, threads: u32, at_once: u32, time: Duration) -> f64 {
        let value = [b'x'; VALUE_LEN];
        self.rate(threads, at_once, time, |keys| {
            if let [key] = keys {
                return self.store.set(key, &value).expect("a set");
            }
            let mut batch = Batch::new();
            for key in keys {
                batch.set(key, &value);
            }
            self.store.as_atomic().expect("stage 5 writes batches").write(&batch).expect("a batch");
        })
    }

    /// Gets a second, by so many threads, so many in a call.
    pub(crate) fn gets(&self, threads: u32, at_once: u32, time: Duration) -> f64 {
        self.rate(threads, at_once, time, |keys| {
            if let [key] = keys {
                let mut value = Vec::with_capacity(VALUE_LEN);
                assert!(self.store.get_into(key, &mut value).expect("a get") && value.len() == VALUE_LEN);
                return;
            }
            let mut found = 0;
            let mut visit = |_, value: Option<&[u8]>| found += value.map_or(0, <[u8]>::len);
            self.store.get_many(keys, &mut visit).expect("gets");
            assert_eq!(found, keys.len() * VALUE_LEN);
        })
    }

    /// How many keys a second `work` is done with, of keys drawn at random.
    #[allow(clippy::cast_precision_loss, reason = "figures are rounded anyway")]
    fn rate(&self, threads: u32, at_once: u32, time: Duration, work: impl Fn(&[&[u8]]) + Sync) -> f64 {
        let (count, stop) = (AtomicU64::new(0), AtomicBool::new(false));
        let gate = Barrier::new(threads as usize + 1);
        let seconds = thread::scope(|scope| {
            for thread in 0..threads {
                let (count, stop, gate, work) = (&count, &stop, &gate, &work);
                scope.spawn(move || {
                    let mut random = ChaCha8Rng::seed_from_u64(thread.into());
                    let mut done = 0;
                    let mut keys: Vec<&[u8]> = Vec::new();
                    gate.wait();
                    while !stop.load(Ordering::Relaxed) {
                        keys.clear();
                        for _ in 0..at_once {
                            keys.push(&self.keys[random.random_range(0..self.keys.len())]);
                        }
                        work(&keys);
                        done += u64::from(at_once);
                    }
                    count.fetch_add(done, Ordering::Relaxed);
                });
            }
            // Before they are let go: with more threads than processors, they may come first.
            let start = Instant::now();
            gate.wait();
            thread::sleep(time);
            stop.store(true, Ordering::Relaxed);
            start
        })
        .elapsed()
        .as_secs_f64();
        count.into_inner() as f64 / seconds
    }
}
