//! Many threads, one engine. A case that never ends is stopped and reported as a deadlock.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread::{self, ScopedJoinHandle};

use logladder_engine::Engine;

use crate::Bench;

const THREADS: usize = 4;

/// Starts the threads, if starting them was left to this, waits for each, and fails as the first one failed.
pub(super) fn join_all<'s, T: 's>(threads: impl IntoIterator<Item = ScopedJoinHandle<'s, T>>) {
    // All of them are started before the first is waited for.
    let threads: Vec<ScopedJoinHandle<'s, T>> = threads.into_iter().collect();
    let outcomes: Vec<_> = threads.into_iter().map(ScopedJoinHandle::join).collect();
    for outcome in outcomes {
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    }
}

/// Sets the flag when it is dropped, so that readers end also when a writer panics.
pub(super) struct Ends<'a>(pub(super) &'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

pub(crate) fn writers_of_their_own_keys_lose_nothing(bench: &Bench) {
    let store = bench.open();
    let keys = bench.many(200, 25);
    thread::scope(|scope| {
        let store = &store;
        join_all((0..THREADS).map(|thread| {
            scope.spawn(move || {
                for number in 0..keys {
                    let key = format!("thread {thread} key {number}");
                    store.set(&key, number.to_string());
                    store.holds(&key, number.to_string());
                    if number % 4 == 0 {
                        store.delete(&key);
                        store.lacks(&key);
                    }
                }
            })
        }));
    });
    let check = |store: &crate::Store| {
        for thread in 0..THREADS {
            for number in 0..keys {
                let value = (number % 4 != 0).then(|| number.to_string().into_bytes());
                store.shows(format!("thread {thread} key {number}").as_bytes(), value.as_deref());
            }
        }
    };
    check(&store);
    if bench.subject().persists() {
        let store = bench.reopen(store);
        check(&store);
    }
}

pub(crate) fn a_reader_never_sees_a_value_older_than_one_it_has_seen(bench: &Bench) {
    let store = bench.open();
    store.set("counter", 0_u64.to_be_bytes());
    let (ended, last) = (AtomicBool::new(false), bench.many(1_000, 100) as u64);
    thread::scope(|scope| {
        let (store, ended) = (&store, &ended);
        let readers = (0..2).map(|_| {
            scope.spawn(move || {
                let mut seen = 0;
                while !ended.load(Ordering::Acquire) {
                    let value = store.get("counter").and_then(|bytes| bytes.try_into().ok());
                    let Some(value) = value.map(u64::from_be_bytes) else { panic!("the counter is gone") };
                    assert!(value >= seen, "a reader saw {seen}, and then {value}");
                    seen = value;
                }
            })
        });
        let readers: Vec<_> = readers.collect();
        let writer = scope.spawn(move || {
            let _ends = Ends(ended);
            for number in 1..=last {
                store.set("counter", number.to_be_bytes());
            }
        });
        join_all(readers.into_iter().chain([writer]));
    });
    store.holds("counter", last.to_be_bytes());
}

pub(crate) fn a_reader_never_sees_half_a_value(bench: &Bench) {
    let store = bench.open();
    let value = |byte: u8| vec![byte; 1_000 + 37 * usize::from(byte)];
    store.set("key", value(0));
    let (ended, rounds) = (AtomicBool::new(false), bench.many(500, 60));
    thread::scope(|scope| {
        let (store, ended) = (&store, &ended);
        let reader = scope.spawn(move || {
            let mut buffer = Vec::new();
            while !ended.load(Ordering::Acquire) {
                let found = store.engine().get_into(b"key", &mut buffer);
                assert!(found.is_ok_and(|found| found), "the key is gone");
                let byte = buffer.first().copied().unwrap_or_default();
                assert!(buffer == value(byte), "a reader saw {} bytes of {byte}", buffer.len());
            }
        });
        let writer = scope.spawn(move || {
            let _ends = Ends(ended);
            for round in 0..rounds {
                store.set("key", value(round.to_le_bytes()[0] % 50));
            }
        });
        join_all([reader, writer]);
    });
}

pub(crate) fn a_set_and_a_delete_at_once_end_in_one_of_them(bench: &Bench) {
    let mut store = bench.open();
    for round in 0..bench.many(60, 10) {
        let key = format!("key {}", round % 3);
        let value = format!("value {round}");
        thread::scope(|scope| {
            let set = scope.spawn(|| store.set(&key, &value));
            let delete = scope.spawn(|| store.delete(&key));
            join_all([set, delete]);
        });
        let end = store.get(&key);
        assert!(end.is_none() || end.as_deref() == Some(value.as_bytes()), "it ended in neither");
        if bench.subject().persists() && round % 5 == 4 {
            store = bench.reopen(store);
            store.shows(key.as_bytes(), end.as_deref());
        }
    }
}

pub(crate) fn writers_of_one_key_end_in_the_last_value_of_one(bench: &Bench) {
    let store = bench.open();
    let rounds = bench.many(200, 25);
    thread::scope(|scope| {
        let store = &store;
        join_all((0..THREADS).map(|thread| {
            scope.spawn(move || {
                for round in 0..rounds {
                    store.set("key", format!("{thread}:{round}"));
                }
            })
        }));
    });
    let end = store.get("key");
    let last_ones = (0..THREADS).map(|thread| format!("{thread}:{}", rounds - 1).into_bytes());
    assert!(last_ones.into_iter().any(|value| end.as_ref() == Some(&value)), "it ended in {end:?}");
    assert_eq!(store.stats().live_keys, 1);
    if bench.subject().persists() {
        let store = bench.reopen(store);
        store.shows(b"key", end.as_deref());
    }
}

pub(crate) fn an_engine_can_be_owned_by_several_threads(bench: &Bench) {
    let engine: Arc<dyn Engine> = Arc::from(bench.open().into_engine());
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let engine = Arc::clone(&engine);
            thread::spawn(move || engine.set(format!("key {thread}").as_bytes(), b"value"))
        })
        .collect();
    for thread in threads {
        assert!(matches!(thread.join(), Ok(Ok(()))));
    }
    for thread in 0..THREADS {
        let value = engine.get(format!("key {thread}").as_bytes());
        assert!(matches!(value, Ok(Some(value)) if value == b"value"));
    }
}

pub(crate) fn syncs_and_writes_go_on_at_once(bench: &Bench) {
    let store = bench.open();
    let rounds = bench.many(200, 25);
    thread::scope(|scope| {
        let store = &store;
        let sync = scope.spawn(move || (0..rounds).for_each(|_| store.sync()));
        let write = scope.spawn(move || {
            for round in 0..rounds {
                store.set(format!("key {round}"), round.to_string());
            }
        });
        join_all([sync, write]);
    });
    for round in 0..rounds {
        store.holds(format!("key {round}"), round.to_string());
    }
}

pub(crate) fn a_visit_during_writes_shows_whole_values_and_steady_keys(bench: &Bench) {
    let store = bench.open();
    for number in 0..20 {
        store.set(format!("steady {number}"), "value");
    }
    let (ended, visits) = (AtomicBool::new(false), AtomicUsize::new(0));
    let rounds = bench.many(300, 40);
    thread::scope(|scope| {
        let (store, ended, visits) = (&store, &ended, &visits);
        let visitor = scope.spawn(move || {
            while !ended.load(Ordering::Acquire) || visits.load(Ordering::Relaxed) == 0 {
                let mut steady = 0;
                store.for_each(&mut |key, value| {
                    if key.starts_with(b"steady") {
                        steady += 1;
                        assert_eq!(value, b"value");
                    } else {
                        let first = value.first().copied().unwrap_or_default();
                        assert!(
                            value.len() == 300 && value.iter().all(|&byte| byte == first),
                            "half a value"
                        );
                    }
                    ControlFlow::Continue(())
                });
                assert_eq!(steady, 20, "a visit shows every key that was there all the time, once");
                visits.fetch_add(1, Ordering::Relaxed);
            }
        });
        let writer = scope.spawn(move || {
            let _ends = Ends(ended);
            for round in 0..rounds {
                let key = format!("moving {}", round % 5);
                store.set(&key, [round.to_le_bytes()[0]; 300]);
                if round % 3 == 0 {
                    store.delete(&key);
                }
            }
        });
        join_all([visitor, writer]);
    });
}

pub(crate) fn compactions_during_writes_lose_nothing(bench: &Bench) {
    let store = bench.open();
    let (ended, rounds) = (AtomicBool::new(false), bench.many(600, 60));
    thread::scope(|scope| {
        let (store, ended) = (&store, &ended);
        let compactor = scope.spawn(move || {
            let mut once = false;
            while !once || !ended.load(Ordering::Acquire) {
                store.compact();
                once = true;
            }
        });
        let writer = scope.spawn(move || {
            let _ends = Ends(ended);
            for round in 0..rounds {
                let key = format!("key {}", round % 20);
                store.set(&key, round.to_string());
                store.holds(&key, round.to_string());
                if round % 4 == 1 {
                    store.delete(&key);
                    store.lacks(&key);
                }
            }
        });
        join_all([compactor, writer]);
    });
    let check = |store: &crate::Store| {
        for round in rounds - 20..rounds {
            let value = (round % 4 != 1).then(|| round.to_string().into_bytes());
            store.shows(format!("key {}", round % 20).as_bytes(), value.as_deref());
        }
    };
    check(&store);
    let store = bench.reopen(store);
    check(&store);
    assert_eq!(store.stats().live_keys, 15);
}

pub(crate) fn ten_threads_of_increments_end_at_the_number_of_them(bench: &Bench) {
    let store = bench.open();
    let (threads, rounds) = (10, bench.many(100, 4));
    let start = Barrier::new(threads);
    thread::scope(|scope| {
        let (store, start) = (&store, &start);
        join_all((0..threads).map(|_| {
            scope.spawn(move || {
                start.wait();
                for _ in 0..rounds {
                    loop {
                        let before = store.get("counter");
                        let text = before.as_deref().unwrap_or(b"0");
                        let Ok(number) = String::from_utf8_lossy(text).parse::<u64>() else {
                            panic!("the counter holds {}", text.escape_ascii())
                        };
                        let next = (number + 1).to_string();
                        if store.compare_and_set("counter", before.as_deref(), Some(next.as_bytes())) {
                            break;
                        }
                    }
                }
            })
        }));
    });
    store.holds("counter", (threads * rounds).to_string());
    if bench.subject().persists() {
        bench.reopen(store).holds("counter", (threads * rounds).to_string());
    }
}

pub(crate) fn one_of_many_creators_wins(bench: &Bench) {
    let store = bench.open();
    for round in 0..bench.many(100, 8) {
        let key = format!("key {round}");
        let (won, start) = (AtomicUsize::new(0), Barrier::new(THREADS));
        thread::scope(|scope| {
            let (store, key, won, start) = (&store, &key, &won, &start);
            join_all((1..=THREADS).map(|thread| {
                scope.spawn(move || {
                    start.wait();
                    if store.compare_and_set(key, None, Some(thread.to_string().as_bytes())) {
                        assert_eq!(won.swap(thread, Ordering::AcqRel), 0, "two threads created one key");
                    }
                })
            }));
        });
        store.holds(&key, won.load(Ordering::Acquire).to_string());
    }
}

pub(crate) fn batches_at_once_are_done_one_after_the_other(bench: &Bench) {
    let store = bench.open();
    let keys: Vec<String> = (0..30).map(|number| format!("key {number}")).collect();
    for round in 0..bench.many(100, 10) {
        let start = Barrier::new(THREADS);
        thread::scope(|scope| {
            let (store, keys, start) = (&store, &keys, &start);
            join_all((0..THREADS).map(|thread| {
                scope.spawn(move || {
                    start.wait();
                    store.write_all(|batch| {
                        for key in keys {
                            batch.set(key.as_bytes(), format!("{round} of {thread}").as_bytes());
                        }
                    });
                })
            }));
        });
        let values = store.get_many(&keys);
        assert!(
            values.iter().all(|value| value.is_some() && *value == values[0]),
            "a part of one batch and a part of another are left: {values:?}"
        );
    }
    if bench.subject().persists() {
        let before = store.get_many(&keys);
        assert_eq!(bench.reopen(store).get_many(&keys), before);
    }
}
