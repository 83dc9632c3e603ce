//! Versions and changes as etcd keeps them: all of them until somebody compacts, whoever writes.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod servers;

use std::ops::ControlFlow;

use etcd_client::Client;
use logladder_engine::{
    Atomic, Batch, Changes, Collections, Compact, Engine, Error, History, Iterate, Position,
};
use logladder_etcd::{Etcd, Options};

use servers::Server;

fn open(server: &Server) -> Etcd {
    Etcd::connect(Options::default().with_endpoints([server.endpoint()])).unwrap()
}

/// The versions of a key, the newest first, and what they were.
fn versions(store: &Etcd, key: &[u8]) -> Vec<(u64, Option<Vec<u8>>)> {
    let mut versions = Vec::new();
    store
        .versions(key, &mut |version| {
            versions.push((version.number, version.value.map(<[u8]>::to_vec)));
            ControlFlow::Continue(())
        })
        .unwrap();
    versions
}

fn changes(store: &Etcd, since: Position) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let mut changes = Vec::new();
    let end = store
        .changes(since, &mut |change| {
            changes.push((change.key.to_vec(), change.value.map(<[u8]>::to_vec)));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(end.sequence, since.sequence + changes.len() as u64);
    changes
}

/// A value as it is shown of a key that has one.
fn value(text: &str) -> Option<Vec<u8>> {
    Some(text).map(|text| text.as_bytes().to_vec())
}

/// What another program does to etcd.
fn meanwhile<T>(server: &Server, work: impl AsyncFnOnce(Client) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { work(Client::connect([server.endpoint()], None).await.unwrap()).await })
}

#[test]
fn every_version_is_kept_until_a_compaction_and_deletes_and_repeats_in_batches_are_counted() {
    let server = Server::alone();
    let store = open(&server);
    store.set(b"key", b"1").unwrap();
    store.delete(b"key").unwrap();
    store.delete(b"key").unwrap();
    let mut batch = Batch::new();
    batch.set(b"key", b"3").set(b"other", b"").delete(b"key").set(b"key", b"5");
    store.write(&batch).unwrap();
    assert!(store.compare_and_set(b"key", Some(b"5"), Some(b"6")).unwrap());
    batch.clear();
    batch.set(b"key", b"7").set(b"key", b"8");
    store.write(&batch).unwrap();
    let all = [(8, "8"), (7, "7"), (6, "6"), (5, "5"), (4, ""), (3, "3"), (2, ""), (1, "1")];
    let expected: Vec<_> = all
        .iter()
        .map(|(number, text)| (*number, if text.is_empty() { None } else { value(text) }))
        .collect();
    assert_eq!(versions(&store, b"key"), expected);
    assert_eq!(store.get_at(b"key", 4).unwrap(), Some(None));
    assert_eq!(store.get_at(b"key", 3).unwrap(), Some(value("3")));

    // The newest is kept, with what its batch wrote beside it; and the numbers go on.
    store.compact().unwrap();
    assert_eq!(versions(&store, b"key"), expected[..2]);
    let again = open(&server);
    again.delete(b"key").unwrap();
    again.set(b"key", b"10").unwrap();
    assert_eq!(versions(&again, b"key")[..3], [(10, value("10")), (9, None), (8, value("8"))]);
}

#[test]
fn two_processes_count_the_versions_and_changes_of_a_key_as_one() {
    let server = Server::alone();
    let (one, other) = (open(&server), open(&server));
    let start = one.position().unwrap();
    for round in 0..20_u64 {
        let store = if round % 3 == 0 { &one } else { &other };
        store.set(b"key", &round.to_be_bytes()).unwrap();
        let reader = if round % 2 == 0 { &one } else { &other };
        assert_eq!(reader.get(b"key").unwrap().unwrap(), round.to_be_bytes());
        assert_eq!(versions(reader, b"key")[0].0, round + 1);
        assert_eq!(reader.position().unwrap().sequence, round + 1);
    }
    assert_eq!(changes(&one, start), changes(&other, start));
    assert_eq!(changes(&one, start).len(), 20);
}

#[test]
fn what_others_write_in_the_cluster_is_no_change_of_the_store() {
    let server = Server::alone();
    let store = open(&server);
    let other =
        Etcd::connect(Options::default().with_endpoints([server.endpoint()]).with_prefix("other")).unwrap();
    store.set(b"a", b"1").unwrap();
    let place = store.position().unwrap();
    other.set(b"a", b"2").unwrap();
    meanwhile(&server, async |mut client| client.put("logladde", "r", None).await.unwrap());
    assert_eq!(store.position().unwrap(), place);
    store.delete(b"a").unwrap();
    assert_eq!(changes(&store, place), [(b"a".to_vec(), None)]);
    assert_eq!(store.position().unwrap().sequence, 2);
    assert_eq!(other.get(b"a").unwrap().unwrap(), b"2");
    assert_eq!(changes(&other, other.earliest_position().unwrap()).len(), 1);
}

/// The revisions between the last change of the store and the compaction are of others.
#[test]
fn who_is_up_to_date_misses_nothing_by_a_compaction_that_others_ask_for() {
    let server = Server::alone();
    let store = open(&server);
    let start = store.position().unwrap();
    store.set(b"a", b"1").unwrap();
    store.set(b"a", b"2").unwrap();
    let up_to_date = store.position().unwrap();
    meanwhile(&server, async |mut client| {
        for _ in 0..5 {
            client.put("others", "", None).await.unwrap();
        }
        let now = client.get("others", None).await.unwrap().header().unwrap().revision();
        client.compact(now, None).await.unwrap();
    });
    // One that remembers nothing, and one that has a watch open.
    for store in [&open(&server), &store] {
        // The second is where a copy of an empty store of another stage stands.
        for compacted in [start, Position { sequence: 0, segment: 0, offset: 0 }] {
            match store.changes(compacted, &mut |_| panic!("a change is shown before the error")) {
                Err(Error::Compacted { earliest }) => {
                    assert_eq!(earliest.sequence, 2);
                    assert_eq!(changes(store, earliest), []);
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(changes(store, up_to_date), []);
    }
    store.set(b"a", b"3").unwrap();
    for store in [&open(&server), &store] {
        assert_eq!(changes(store, up_to_date), [(b"a".to_vec(), value("3"))]);
    }
}

/// As one that is restored from an older state has: its numbers have not come so far.
#[test]
fn who_had_a_watch_open_is_told_of_a_cluster_that_has_not_seen_its_place_any_more() {
    let mut server = Server::alone();
    let store = open(&server);
    store.set(b"a", b"1").unwrap();
    store.set(b"a", b"2").unwrap();
    let mut place = store.earliest_position().unwrap();
    // The second time, there is a watch that has been read up to here.
    for _ in 0..2 {
        place = store.changes(place, &mut |_| ControlFlow::Continue(())).unwrap();
    }
    server.kill_and_forget();
    server.start_again();
    server.wait();
    let told = store.changes(place, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(told, Err(Error::InvalidPosition { .. })), "{told:?}");
}

/// It has come as far as the old places, with other changes: nothing but its number tells it apart.
#[test]
fn another_cluster_in_the_place_of_the_one_that_was_opened_is_refused_though_it_has_passed_the_old_places() {
    let mut server = Server::alone();
    let (store, writer) = (open(&server), open(&server));
    store.set(b"a", b"old").unwrap();
    let mut place = store.earliest_position().unwrap();
    // The second time, there is a watch that has been read up to here.
    for _ in 0..2 {
        place = store.changes(place, &mut |_| ControlFlow::Continue(())).unwrap();
    }
    server.kill_and_forget();
    server.start_again_as_another_cluster();
    let theirs = open(&server);
    for number in 0..10 {
        theirs.set(&[number], b"new").unwrap();
    }
    assert!(theirs.position().unwrap().sequence > place.sequence);

    let outcomes = [
        store.changes(place, &mut |_| panic!("a change of another cluster is shown")).map(drop),
        store.get(b"a").map(drop),
        store.set(b"a", b"lost"),
        store.delete(b"a"),
        store.position().map(drop),
        store.for_each(&mut |_, _| panic!("a key of another cluster is shown")),
    ];
    for outcome in outcomes {
        assert!(matches!(outcome, Err(Error::OtherCluster { .. })), "{outcome:?}");
    }
    assert!(store.trouble().is_some_and(|why| why.contains("another cluster")), "{:?}", store.trouble());
    assert_eq!(theirs.get(b"a").unwrap(), None, "nothing was written there");

    // Who first finds it by a write cannot know where that was done; the next ones are done nowhere.
    let refused = loop {
        match writer.set(b"b", b"1") {
            Err(Error::OutcomeUnknown { .. }) => {}
            other => break other,
        }
    };
    assert!(matches!(refused, Err(Error::OtherCluster { .. })), "{refused:?}");
    let written = versions(&theirs, b"b");
    assert!(writer.set(b"b", b"2").is_err());
    assert_eq!(versions(&theirs, b"b"), written);

    // Who remembers nothing but the place.
    match theirs.changes(place, &mut |_| panic!("a change of another cluster is shown")) {
        Err(Error::InvalidPosition { why }) => assert!(why.contains("another cluster"), "{why}"),
        other => panic!("{other:?}"),
    }
    // One that was given out before clusters were told apart is taken for one of this cluster.
    let unmarked = Position { segment: place.segment & 0xFFFF_FFFF_FFFF, ..place };
    let behind = theirs.position().unwrap().sequence - place.sequence;
    assert_eq!(changes(&theirs, unmarked).len() as u64, behind);
}

/// Longer than one answer of a watch, and than an answer that a client takes unless it says otherwise.
#[test]
fn a_batch_as_long_as_a_request_is_followed_change_by_change() {
    let server = Server::alone();
    let store = open(&server);
    let start = store.position().unwrap();
    let mut batch = Batch::new();
    for number in 0..14_u8 {
        batch.set(&[number], &vec![number; 100_000]);
    }
    for _ in 0..4 {
        store.write(&batch).unwrap();
    }
    let store = open(&server);
    let all = changes(&store, start);
    assert_eq!(all.len(), 56);
    for (number, (key, written)) in all.iter().enumerate() {
        let number = u8::try_from(number % 14).unwrap();
        assert_eq!((key.as_slice(), written.as_ref().map(Vec::len)), (&[number][..], Some(100_000)));
    }
    // And from the middle of one.
    let mut middle = start;
    let mut shown = 0;
    store
        .changes(start, &mut |change| {
            (middle, shown) = (change.next, shown + 1);
            if shown == 20 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    assert_eq!(middle.offset, 6);
    for store in [&store, &open(&server)] {
        assert_eq!(changes(store, middle), all[20..]);
    }
}

#[test]
fn a_batch_of_ten_thousand_writes_is_one_revision_and_as_many_changes() {
    let server = Server::alone();
    let store = open(&server);
    let start = store.position().unwrap();
    let mut batch = Batch::new();
    for number in 0..10_000_u32 {
        batch.set(&number.to_be_bytes(), b"value");
    }
    store.write(&batch).unwrap();
    assert_eq!(store.stats().unwrap().live_keys, 10_000);
    let end = store.position().unwrap();
    assert_eq!((end.sequence, end.segment, end.offset), (10_000, start.segment + 1, 0));
    let keys: Vec<Vec<u8>> = changes(&store, start).into_iter().map(|(key, _)| key).collect();
    assert!(
        keys.iter()
            .eq((0..10_000_u32).map(|number| number.to_be_bytes().to_vec()).collect::<Vec<_>>().iter())
    );
}

/// The drawing in the head of the crate.
#[test]
fn what_lies_in_etcd_is_what_the_drawing_shows() {
    let server = Server::alone();
    let store = open(&server);
    let mut batch = Batch::new();
    batch.set(b"name", b"al").set(b"city", b"Dhaka").set(b"name", b"anna");
    store.write(&batch).unwrap();
    store.delete(b"city").unwrap();
    let found = meanwhile(&server, async |mut client| {
        let all = etcd_client::GetOptions::new().with_all_keys();
        let answer = client.get("", Some(all)).await.unwrap();
        answer
            .kvs()
            .iter()
            .map(|pair| (pair.key().to_vec(), pair.value().to_vec(), pair.version()))
            .collect::<Vec<_>>()
    });
    let expected: [(&[u8], &[u8], i64); 6] = [
        // 3 changes, and 1: both count 1, and the batch 2 as well.
        (b"logladder:ca", b"", 2),
        (b"logladder:cb", b"", 1),
        (b"logladder:dcity", b"-", 2),
        (b"logladder:dname", b"=anna", 1),
        (b"logladder:e\0\x04name\0\0\0\0", b"=al", 1),
        (b"logladder:v", b"1", 1),
    ];
    let expected: Vec<_> =
        expected.iter().map(|(key, value, version)| (key.to_vec(), value.to_vec(), *version)).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_store_of_a_newer_layout_is_refused_by_its_version_and_left_alone() {
    let server = Server::alone();
    let options = Options::default().with_endpoints([server.endpoint()]);
    for (written, is_newer) in [("2", true), ("x", false)] {
        meanwhile(&server, async |mut client| client.put("logladder:v", written, None).await.unwrap());
        match (Etcd::connect(options.clone()), is_newer) {
            (Err(Error::UnsupportedVersion { found: 2, supported: 1, .. }), true)
            | (Err(Error::Corrupt { .. }), false) => {}
            (other, _) => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_no_store_has_written_is_damage_by_its_key_and_no_value() {
    let server = Server::alone();
    let store = open(&server);
    meanwhile(&server, async |mut client| client.put("logladder:dname", "anna", None).await.unwrap());
    let outcomes = [
        store.get(b"name").map(drop),
        store.for_each(&mut |_, _| ControlFlow::Continue(())),
        store.versions(b"name", &mut |_| ControlFlow::Continue(())),
        store.get_many(&[b"name"], &mut |_, _| {}),
        store.delete_all(b"none").map(drop),
    ];
    for outcome in &outcomes[..4] {
        assert!(
            matches!(outcome, Err(error @ Error::Corrupt { .. }) if error.to_string().contains("name")),
            "{outcome:?}"
        );
    }
    assert!(outcomes[4].is_ok());
}

/// A page of small values is followed by values that do not fit into one answer together.
#[test]
fn a_visit_shows_many_small_and_some_large_values() {
    let server = Server::alone();
    let store = open(&server);
    let mut batch = Batch::new();
    for number in 0..3_000_u32 {
        batch.set(format!("a {number:05}").as_bytes(), b"small");
    }
    store.write(&batch).unwrap();
    let large = vec![7; 1_500_000];
    for number in 0..50_u8 {
        store.set(&[b'b', number], &large).unwrap();
    }
    let (mut keys, mut bytes) = (0, 0);
    store
        .for_each(&mut |_, value| {
            (keys, bytes) = (keys + 1, bytes + value.len());
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!((keys, bytes), (3_050, 3_000 * 5 + 50 * large.len()));
}
