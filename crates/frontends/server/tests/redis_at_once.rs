//! Commands of Redis from many clients at once: no half of a write is seen, no addition is lost, and what fails, fails for all.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod harness;

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use harness::redis::{Client, frame, show};
use harness::{durable, fail_syncs, options, stage};
use logladder::SyncPolicy;

/// The stages that can compare before they write.
const ATOMIC: [&str; 4] = ["memory", "replay-log", "hash-log", "sorted-log"];

#[test]
fn who_reads_several_keys_sees_no_half_of_what_writes_several() {
    const ROUNDS: usize = 400;
    const KEYS: usize = 40;
    let servers = ATOMIC.into_iter().flat_map(|name| [(name, stage(name)), (name, durable(name))]);
    for (name, server) in servers.chain([("json-file", stage("json-file"))]) {
        let keys: Vec<String> = (0..KEYS).map(|number| format!("key{number}")).collect();
        let ends = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let write = |writer: &str| {
                let mut client = server.redis();
                for round in 0.. {
                    if ends.load(Ordering::Relaxed) {
                        break;
                    }
                    let pairs: Vec<String> =
                        keys.iter().map(|key| format!("{key} {writer}-{round}")).collect();
                    assert_eq!(client.ask(&format!("MSET {}", pairs.join(" "))), "OK");
                    if round % 3 == 0 {
                        client.ask(&format!("DEL {}", keys.join(" ")));
                    }
                }
            };
            // Two of them, which would mix if both wrote at once key by key.
            for name in ["one", "other"] {
                scope.spawn(move || write(name));
            }
            let mut client = server.redis();
            let (all, mut halves) = (keys.join(" "), 0);
            for _ in 0..ROUNDS {
                let answer = client.ask(&format!("MGET {all}"));
                let mut values = answer.trim_matches(['[', ']']).split(' ');
                let first = values.next();
                halves += usize::from(!values.all(|value| Some(value) == first));
                let there = client.ask(&format!("EXISTS {all}"));
                halves += usize::from(there != "0" && there != KEYS.to_string());
            }
            ends.store(true, Ordering::Relaxed);
            assert_eq!(halves, 0, "{name}");
        });
    }
}

#[test]
fn additions_of_many_connections_and_of_http_are_all_counted() {
    const THREADS: i64 = 4;
    const ADDITIONS: i64 = 100;
    for server in ATOMIC.into_iter().flat_map(|name| [stage(name), durable(name)]) {
        let won = AtomicI64::new(0);
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (server, won) = (&server, &won);
                scope.spawn(move || {
                    let mut client = server.redis();
                    for number in 0..ADDITIONS {
                        // Beside plain sets, and in a pipeline, so that they meet in a batch.
                        let name = format!("{thread}-{number}");
                        let mut pipeline = frame(&["SET", &name, "x"]);
                        pipeline.extend(frame(&["INCR", "sum"]));
                        pipeline.extend(frame(&["SET", &format!("winner {number}"), &name, "NX"]));
                        pipeline.extend(frame(&["GET", &name]));
                        client.send(&pipeline);
                        assert_eq!(show(&client.next().unwrap()), "OK");
                        assert!(show(&client.next().unwrap()).parse::<i64>().unwrap() > 0);
                        won.fetch_add(i64::from(show(&client.next().unwrap()) == "OK"), Ordering::Relaxed);
                        assert_eq!(show(&client.next().unwrap()), "\"x\"");
                    }
                });
            }
        });
        let mut client = server.redis();
        assert_eq!(client.ask("GET sum"), format!("\"{}\"", THREADS * ADDITIONS));
        assert_eq!(won.into_inner(), ADDITIONS, "each race has one winner");
    }
}

#[test]
fn an_end_that_is_given_while_others_add_is_neither_lost_nor_loses_an_addition() {
    let server = stage("hash-log");
    std::thread::scope(|scope| {
        let adding = scope.spawn(|| {
            let mut client = server.redis();
            (0..500).for_each(|_| drop(client.ask("INCR sum")));
        });
        let mut client = server.redis();
        while !adding.is_finished() {
            client.ask("EXPIRE sum 1000");
            client.ask("PERSIST sum");
        }
    });
    let mut client = server.redis();
    client.expect(&[
        ("GET sum", "\"500\""),
        ("EXPIRE sum 1000", "1"),
        ("INCR sum", "501"),
        ("TTL sum", "1000"),
    ]);
}

#[test]
fn a_delete_is_counted_by_one_client_alone() {
    for name in ["memory", "scan-log", "hash-log"] {
        let server = stage(name);
        let mut client = server.redis();
        let keys: Vec<String> = (0..100).map(|number| number.to_string()).collect();
        for key in &keys {
            client.ask(&format!("SET {key} v"));
        }
        let counted: i64 = std::thread::scope(|scope| {
            let delete = |mut client: Client| {
                keys.iter().map(|key| client.ask(&format!("DEL {key}")).parse::<i64>().unwrap()).sum::<i64>()
            };
            let threads = [server.redis(), server.redis()].map(|client| scope.spawn(move || delete(client)));
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(counted, 100, "{name}");
    }
}

#[test]
fn a_failed_sync_is_an_error_to_every_client_that_waited_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let disk = std::sync::Arc::new(logladder_disk::RecordingDisk::new());
    let engine = logladder::stage("replay-log").unwrap();
    let engine =
        engine.open_on(std::sync::Arc::clone(&disk) as _, "store".as_ref(), SyncPolicy::Always).unwrap();
    let mut server = harness::serve(engine, options(), folder);
    let mut client = server.redis();
    client.expect(&[("SET a 1", "OK")]);
    assert_eq!(server.get("/readyz").status, 200);
    fail_syncs(&disk);
    client.send(&[frame(&["SET", "a", "2"]), frame(&["SET", "b", "2"]), frame(&["GET", "a"])].concat());
    for _ in 0..2 {
        let refused = show(&client.next().unwrap());
        assert!(refused.starts_with("-ERR cannot"), "{refused}");
    }
    assert_eq!(show(&client.next().unwrap()), "\"1\"");
    assert!(client.ask("SET a 3").contains("takes no more writes"));
    assert!(client.ask("INCR a").contains("takes no more writes"));
    client.expect(&[("GET a", "\"1\"")]);
    assert_eq!(server.get("/readyz").status, 503);
    assert!(server.ended().is_err());
}
