//! Sets of several threads share transactions: each is there, counted once, and in the order that its writer saw; and where a
//! shared transaction fails, each writer is told.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod servers;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use logladder_engine::{Changes, Engine, Error, History, Position};
use logladder_etcd::{Etcd, Options};

use servers::Server;

const WRITERS: u8 = 24;
const EACH: u8 = 30;

/// A key that all of them write.
const SHARED: &[u8] = b"shared";

fn options(server: &Server) -> Options {
    Options::default().with_endpoints([server.endpoint()])
}

/// All writers at once: each numbers its own key and the shared one in turn.
fn write_at_once(store: &Etcd) {
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            scope.spawn(move || {
                for round in 0..EACH {
                    store.set(&[writer], &[round]).unwrap();
                    store.set(SHARED, &[writer, round]).unwrap();
                }
            });
        }
    });
}

/// The numbers of all versions of a key, the newest first.
fn numbers(store: &Etcd, key: &[u8]) -> Vec<u64> {
    let mut numbers = Vec::new();
    store
        .versions(key, &mut |version| {
            numbers.push(version.number);
            ControlFlow::Continue(())
        })
        .unwrap();
    numbers
}

fn down_from(newest: u64) -> Vec<u64> {
    (1..=newest).rev().collect()
}

#[test]
fn sets_at_once_share_transactions_and_each_is_one_version_and_one_change_in_its_writers_order() {
    let server = Server::alone();
    let store = Etcd::connect(options(&server)).unwrap();
    let start = store.position().unwrap();
    write_at_once(&store);
    for writer in 0..WRITERS {
        assert_eq!(store.get(&[writer]).unwrap().unwrap(), [EACH - 1], "writer {writer}");
        assert_eq!(numbers(&store, &[writer]), down_from(u64::from(EACH)), "writer {writer}");
    }
    let all = u64::from(WRITERS) * u64::from(EACH);
    assert_eq!(numbers(&store, SHARED), down_from(all));

    let (mut rounds, mut revisions) = (BTreeMap::<u8, Vec<u8>>::new(), BTreeSet::new());
    let mut places = vec![start];
    store
        .changes(start, &mut |change| {
            assert_eq!(change.next.sequence, places.last().unwrap().sequence + 1, "no gap and no repeat");
            places.push(change.next);
            revisions.insert(change.next.segment);
            if let (SHARED, Some([writer, round])) = (change.key, change.value) {
                rounds.entry(*writer).or_default().push(*round);
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(places.len() as u64, 1 + 2 * all);
    for (writer, rounds) in rounds {
        assert!(rounds.into_iter().eq(0..EACH), "writer {writer} in its order");
    }
    assert!((revisions.len() as u64) < all, "{} transactions for {} sets", revisions.len(), 2 * all);
    // Whoever goes on from any of these places finds the next one.
    for pair in places.windows(2).step_by(97) {
        assert_eq!(first_after(&store, pair[0]), pair[1]);
    }
}

fn first_after(store: &Etcd, place: Position) -> Position {
    store.changes(place, &mut |_| ControlFlow::Break(())).unwrap()
}

#[test]
fn a_group_that_a_member_finds_too_long_is_done_one_by_one() {
    // Room for a set alone, with its counter.
    let server = Server::alone_with(&[("max-txn-ops", "2")]);
    let store = Etcd::connect(options(&server)).unwrap();
    write_at_once(&store);
    let all = 2 * u64::from(WRITERS) * u64::from(EACH);
    assert_eq!(store.position().unwrap().sequence, all);
}

#[test]
fn a_set_that_is_too_long_is_refused_alone() {
    let server = Server::alone();
    let store = Etcd::connect(options(&server)).unwrap();
    let too_long = vec![0; 2 << 20];
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (store, too_long) = (&store, &too_long);
            scope.spawn(move || {
                if writer % 4 == 0 {
                    let refused = store.set(&[writer], too_long);
                    assert!(matches!(refused, Err(Error::TooLarge { .. })), "{refused:?}");
                } else {
                    store.set(&[writer], b"value").unwrap();
                }
            });
        }
    });
    for writer in 0..WRITERS {
        assert_eq!(store.get(&[writer]).unwrap().is_some(), writer % 4 != 0, "writer {writer}");
    }
}

#[test]
fn a_group_without_an_answer_tells_all_its_writers_and_none_is_done_twice() {
    let server = Server::alone();
    let store = Etcd::connect(options(&server).with_timeout(Duration::from_millis(700))).unwrap();
    server.pause();
    let outcomes = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (store, outcomes) = (&store, &outcomes);
            scope.spawn(move || {
                let outcome = store.set(&[writer], b"value");
                outcomes.lock().unwrap().insert(writer, outcome);
            });
        }
    });
    server.go_on();
    let patient = Etcd::connect(options(&server).with_timeout(Duration::from_secs(20))).unwrap();
    // Behind whatever the member had still to do.
    patient.set(b"after", b"").unwrap();
    let outcomes = outcomes.into_inner().unwrap();
    assert_eq!(outcomes.len(), usize::from(WRITERS));
    for (writer, outcome) in outcomes {
        let times = numbers(&patient, &[writer]).len();
        match outcome {
            Err(Error::OutcomeUnknown { .. }) => assert!(times <= 1, "writer {writer}: {times} times"),
            Err(Error::NoQuorum { .. }) => {
                assert_eq!(times, 0, "writer {writer} was told that it is not done");
            }
            other => panic!("writer {writer}: {other:?}"),
        }
    }
    // Nothing of all that keeps the next ones waiting.
    store.set(b"after", b"").unwrap();
}

#[test]
fn of_a_cluster_that_is_full_each_writer_is_told_the_truth() {
    let server = Server::alone_with(&[("quota-backend-bytes", "1000000")]);
    let store = Etcd::connect(options(&server)).unwrap();
    let outcomes = Mutex::new(Vec::new());
    let is_full = AtomicBool::new(false);
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (store, outcomes, is_full) = (&store, &outcomes, &is_full);
            scope.spawn(move || {
                // The server looks at its size only now and then, and has room for more until it does.
                for round in (0..1_000_u16)
                    .take_while(|&round| round < EACH.into() || !is_full.load(Ordering::Relaxed))
                {
                    let key = [&[writer][..], &round.to_be_bytes()].concat();
                    let outcome = store.set(&key, &[writer; 10_000]);
                    if matches!(outcome, Err(Error::Full { .. })) {
                        is_full.store(true, Ordering::Relaxed);
                    }
                    outcomes.lock().unwrap().push((key, outcome));
                }
            });
        }
    });
    let (mut done, mut refused) = (0, 0);
    for (key, outcome) in outcomes.into_inner().unwrap() {
        let is_there = store.get(&key).unwrap().is_some();
        match outcome {
            Ok(()) => {
                assert!(is_there, "{key:?} was acknowledged");
                done += 1;
            }
            Err(Error::Full { why }) => {
                assert!(why.contains("database space exceeded"), "{why}");
                assert!(!is_there, "{key:?} was refused, and is there");
                refused += 1;
            }
            // The first ones: they may have been done.
            Err(Error::OutcomeUnknown { .. }) => {}
            Err(other) => panic!("{key:?}: {other}"),
        }
    }
    assert!(done > 0 && refused > 0, "{done} done, {refused} refused");
}
