//! What was written, shown in order: without gaps, from any place on, and never past a gap in silence.

use std::ops::ControlFlow;
use std::time::{Duration, SystemTime};

use logladder_engine::{Error, Position};

use crate::samples::noise;
use crate::{Bench, MadeChange, Store};

/// What was written, as it should be shown: keys and values.
type Written = Vec<(Vec<u8>, Option<Vec<u8>>)>;

fn shown(changes: &[MadeChange]) -> Written {
    changes.iter().map(|change| (change.key.clone(), change.value.clone())).collect()
}

/// Ten writes, no delete of what is not there.
fn write_ten(store: &Store) -> Written {
    let writes = [
        ("name", Some("anna")),
        ("city", Some("Dhaka")),
        ("name", Some("bob")),
        ("", Some("")),
        ("city", None),
        ("name", Some("bob")),
        ("city", Some("Oslo")),
        ("name", None),
        ("\n", Some("\0")),
        ("name", Some("anna")),
    ];
    for (key, value) in writes {
        match value {
            Some(value) => store.set(key, value),
            None => store.delete(key),
        }
    }
    let bytes = |text: &str| text.as_bytes().to_vec();
    writes.into_iter().map(|(key, value)| (bytes(key), value.map(bytes))).collect()
}

pub(crate) fn a_new_store_has_no_changes(bench: &Bench) {
    let store = bench.open();
    let start = store.position();
    assert_eq!(start.sequence, 0, "nothing was written");
    assert_eq!(store.changes(start), []);
    assert_eq!(store.earliest_position().sequence, 0);
    assert_eq!(store.changes(store.earliest_position()), []);
    // A write that comes later is behind that place.
    store.set("key", "value");
    assert_eq!(shown(&store.changes(start)), [(b"key".to_vec(), Some(b"value".to_vec()))]);
    assert_eq!(store.position().sequence, 1);
}

pub(crate) fn changes_come_in_order_and_without_gaps(bench: &Bench) {
    let store = bench.open();
    let start = store.position();
    let written = write_ten(&store);
    let changes = store.changes(start);
    assert_eq!(shown(&changes), written);
    assert!(changes.iter().all(|change| change.expires.is_none()), "none of them has an end");
    assert_eq!(changes.last().map(|change| change.next), Some(store.position()));
    assert_eq!(store.changes(store.earliest_position()), changes, "nothing has been removed yet");
}

pub(crate) fn changes_go_on_from_every_place(bench: &Bench) {
    let store = bench.open();
    let start = store.position();
    let mut places = vec![start];
    let mut written = Written::new();
    for round in 0..3 {
        written.extend(write_ten(&store));
        store.set("round", round.to_string());
        written.push((b"round".to_vec(), Some(round.to_string().into_bytes())));
        places.push(store.position());
    }
    let all = store.changes(start);
    assert_eq!(shown(&all), written);
    places.extend(all.iter().map(|change| change.next));
    for place in places {
        let before = usize::try_from(place.sequence).unwrap_or(usize::MAX);
        assert_eq!(store.changes(place), all[before..], "since {place}");
    }
}

pub(crate) fn a_place_reads_back_from_its_text(bench: &Bench) {
    let store = bench.open();
    let start = store.position();
    write_ten(&store);
    for change in store.changes(start) {
        let text = change.next.to_string();
        let Ok(read) = text.parse::<Position>() else { panic!("{text} does not read back") };
        assert_eq!(read, change.next);
        assert_eq!(store.changes(read), store.changes(change.next));
    }
}

pub(crate) fn a_visitor_of_changes_that_stops_can_go_on(bench: &Bench) {
    let store = bench.open();
    let mut place = store.position();
    let written = write_ten(&store);
    let mut seen = Written::new();
    for _ in 0..=written.len() {
        let Some(feed) = store.engine().as_changes() else { panic!("it no longer has Changes") };
        let mut calls = 0;
        let outcome = feed.changes(place, &mut |change| {
            calls += 1;
            seen.push((change.key.to_vec(), change.value.map(<[u8]>::to_vec)));
            place = change.next;
            ControlFlow::Break(())
        });
        assert!(calls <= 1, "a visitor that breaks is called no more");
        assert!(matches!(outcome, Ok(end) if end == place), "{outcome:?}");
    }
    assert_eq!(seen, written);
}

pub(crate) fn a_visitor_of_changes_may_use_the_store(bench: &Bench) {
    let store = bench.open();
    let start = store.position();
    write_ten(&store);
    let mut added = 0;
    let Some(feed) = store.engine().as_changes() else { panic!("it no longer has Changes") };
    let outcome = feed.changes(start, &mut |change| {
        store.holds("name", "anna");
        if added < 3 {
            store.set(format!("added {added}"), change.key);
            added += 1;
        }
        ControlFlow::Continue(())
    });
    assert!(outcome.is_ok(), "{outcome:?}");
    assert_eq!(store.changes(start).len(), 13);
}

pub(crate) fn each_write_of_a_batch_is_a_change(bench: &Bench) {
    let store = bench.open();
    let start = store.position();
    store.set("before", "1");
    store.write_all(|batch| {
        batch.set(b"a", b"first").set(b"b", b"").delete(b"a").set(b"a", b"last");
    });
    store.set("behind", "2");
    let bytes = |text: &str| text.as_bytes().to_vec();
    let written = [
        (bytes("before"), Some(bytes("1"))),
        (bytes("a"), Some(bytes("first"))),
        (bytes("b"), Some(bytes(""))),
        (bytes("a"), None),
        (bytes("a"), Some(bytes("last"))),
        (bytes("behind"), Some(bytes("2"))),
    ];
    let changes = store.changes(start);
    assert_eq!(shown(&changes), written);
    // Also from between two of them.
    for (number, change) in changes.iter().enumerate() {
        assert_eq!(shown(&store.changes(change.next)), written[number + 1..]);
    }
}

pub(crate) fn a_change_tells_when_its_value_ends(bench: &Bench) {
    let store = bench.open();
    let start = store.position();
    let (past, future) = (SystemTime::UNIX_EPOCH + Duration::from_hours(24), super::expire::in_an_hour());
    store.set_until("key", "ends", future);
    store.set_until("key", "ended", past);
    store.set("key", "stays");
    let ends: Vec<_> =
        store.changes(start).into_iter().map(|change| (change.value, change.expires)).collect();
    let value = |text: &str| Some(text.as_bytes().to_vec());
    assert_eq!(ends, [(value("ends"), Some(future)), (value("ended"), Some(past)), (value("stays"), None)]);
}

/// Nothing is overwritten or deleted, so that no compaction has a reason to touch it.
pub(crate) fn changes_go_on_from_every_place_after_reopening(bench: &Bench) {
    let mut store = bench.open();
    let start = store.position();
    let (mut places, mut written) = (vec![start], Written::new());
    for opening in 0..4 {
        for number in 0..4 {
            let (key, value) = (format!("key {opening} {number}"), noise(10 * number, number as u64));
            store.set(&key, &value);
            written.push((key.into_bytes(), Some(value)));
            places.push(store.position());
        }
        store = bench.reopen(store);
        places.push(store.position());
        assert_eq!(shown(&store.changes(start)), written, "after opening {opening}");
    }
    for place in places {
        let Ok(read) = place.to_string().parse() else { panic!("{place} does not read back") };
        let before = usize::try_from(place.sequence).unwrap_or(usize::MAX);
        assert_eq!(shown(&store.changes(read)), written[before..], "since {place}");
    }
    assert_eq!(store.position().sequence, written.len() as u64, "openings are no changes");
}

pub(crate) fn a_place_of_nowhere_is_refused(bench: &Bench) {
    let store = bench.open();
    let start = store.position();
    write_ten(&store);
    let end = store.position();
    let middle = store.changes(start)[4].next;
    let nowhere = [
        ("behind the end", Position { sequence: end.sequence + 1, ..end }),
        ("far behind the end", Position { sequence: u64::MAX, segment: u64::MAX, offset: u64::MAX }),
        ("a byte behind a record", Position { offset: middle.offset + 1, ..middle }),
        ("a byte before a record", Position { offset: middle.offset.wrapping_sub(1), ..middle }),
        ("another sequence", Position { sequence: middle.sequence + 1, ..middle }),
        ("a file that is not there", Position { segment: u64::MAX, ..middle }),
        ("behind every file", Position { offset: u64::MAX, ..middle }),
    ];
    for (what, place) in nowhere {
        match store.try_changes(place) {
            Err(Error::InvalidPosition { .. }) => {}
            Err(error) => panic!("{place}, {what}, is refused with another error: {error}"),
            Ok(changes) => panic!("{place}, {what}, is taken for a place, with {} changes", changes.len()),
        }
    }
    assert_eq!(store.changes(middle).len(), 5, "the store goes on");
}

pub(crate) fn a_compaction_is_no_change(bench: &Bench) {
    let mut store = bench.open();
    for _ in 0..3 {
        write_ten(&store);
        // Who is up to date stays so: nothing behind that place can be gone.
        let end = store.position();
        store.compact();
        assert_eq!(store.position().sequence, end.sequence);
        assert_eq!(store.changes(end), []);
        store = bench.reopen(store);
        assert_eq!(store.changes(end), []);
        store.compact();
        assert_eq!(store.position().sequence, end.sequence);
        assert_eq!(store.changes(end), []);
        store.set("key", "after the compaction");
        store.set("other", "as well");
        let keys: Vec<Vec<u8>> = store.changes(end).into_iter().map(|change| change.key).collect();
        assert_eq!(keys, [b"key".to_vec(), b"other".to_vec()]);
    }
}

pub(crate) fn changes_that_are_gone_are_said_to_be(bench: &Bench) {
    let mut store = bench.open();
    let start = store.position();
    let (mut written, mut places) = (Written::new(), vec![start]);
    for _ in 0..4 {
        written.extend(write_ten(&store));
        places.push(store.position());
        store = bench.reopen(store);
        store.compact();
        let earliest = store.earliest_position();
        for &place in &places {
            let before = usize::try_from(place.sequence).unwrap_or(usize::MAX);
            match store.try_changes(place) {
                Ok(changes) => {
                    assert_eq!(shown(&changes), written[before..], "since {place}");
                    assert!(place.sequence >= earliest.sequence, "{earliest} is not the earliest place");
                }
                Err(Error::Compacted { earliest: said }) => {
                    assert!(place.sequence < said.sequence, "{place} is not before {said}");
                    // An engine that compacts by itself may have done so in between.
                    let now = store.earliest_position().sequence;
                    assert!(
                        (earliest.sequence..=now).contains(&said.sequence),
                        "the error names {said}, and earliest_position {earliest}"
                    );
                }
                Err(error) => panic!("changes since {place} failed: {error}"),
            }
        }
    }
}

pub(crate) fn the_earliest_place_is_one_to_go_on_from(bench: &Bench) {
    let mut store = bench.open();
    let mut written = Written::new();
    for _ in 0..4 {
        goes_on_from_the_earliest_place(&store, &written);
        written.extend(write_ten(&store));
        store.compact();
        goes_on_from_the_earliest_place(&store, &written);
        store = bench.reopen(store);
    }
}

#[track_caller]
fn goes_on_from_the_earliest_place(store: &Store, written: &Written) {
    loop {
        let earliest = store.earliest_position();
        let before = usize::try_from(earliest.sequence).unwrap_or(usize::MAX);
        match store.try_changes(earliest) {
            Ok(changes) => return assert_eq!(shown(&changes), written[before..], "since {earliest}"),
            // An engine that compacts by itself was at it.
            Err(Error::Compacted { earliest: later }) => {
                assert!(later.sequence > earliest.sequence, "the earliest place is refused");
            }
            Err(error) => panic!("changes since {earliest} failed: {error}"),
        }
    }
}
