//! Scans: keys in the order of their bytes, from one to another.

use std::ops::Bound::{Excluded, Included, Unbounded};
use std::ops::ControlFlow;

use logladder_engine::Direction::{self, Backward, Forward};
use logladder_engine::KeyRange;

use crate::samples::odd_strings;
use crate::{Bench, Store};

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

const ALL: KeyRange<'static> = (Unbounded, Unbounded);

fn scanned(store: &Store, range: KeyRange<'_>, direction: Direction) -> Pairs {
    let mut shown = Pairs::new();
    store.scan(range, direction, &mut |key, value| {
        shown.push((key.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    });
    shown
}

/// What a scan should show of these pairs, which are sorted.
fn expected(pairs: &Pairs, range: KeyRange<'_>, direction: Direction) -> Pairs {
    let is_behind = |key: &[u8]| match range.0 {
        Included(start) => key >= start,
        Excluded(start) => key > start,
        Unbounded => true,
    };
    let is_before = |key: &[u8]| match range.1 {
        Included(end) => key <= end,
        Excluded(end) => key < end,
        Unbounded => true,
    };
    let mut within: Pairs =
        pairs.iter().filter(|(key, _)| is_behind(key) && is_before(key)).cloned().collect();
    if direction == Backward {
        within.reverse();
    }
    within
}

/// Some keys with awkward neighbours: of others, one is the beginning; and the least and the greatest bytes.
fn fill(store: &Store) -> Pairs {
    let mut keys = odd_strings();
    let more = [&b"a"[..], b"a\0", b"a\0\0", b"aa", b"ab", b"b", b"\xFE\xFF", b"\xFF", b"\xFF\xFF"];
    keys.extend(more.map(<[u8]>::to_vec));
    keys.sort();
    keys.dedup();
    // Written in another order than they have.
    let mut shuffled: Vec<(usize, &Vec<u8>)> = keys.iter().enumerate().collect();
    shuffled.sort_by_key(|(number, _)| (number * 7919) % 1009);
    for (number, key) in shuffled {
        store.set(key, format!("value {number}"));
    }
    keys.into_iter().enumerate().map(|(number, key)| (key, format!("value {number}").into_bytes())).collect()
}

pub(crate) fn a_scan_shows_the_keys_of_its_range_in_order_both_ways(bench: &Bench) {
    let store = bench.open();
    let pairs = fill(&store);
    let ends = [&b""[..], b"\0", b"a", b"a\0", b"aaa", b"m", b"\xFF", b"\xFF\xFF\xFF"];
    let bounds = || ends.into_iter().flat_map(|end| [Included(end), Excluded(end)]).chain([Unbounded]);
    for start in bounds() {
        for end in bounds() {
            for direction in [Forward, Backward] {
                let range = (start, end);
                assert_eq!(
                    scanned(&store, range, direction),
                    expected(&pairs, range, direction),
                    "{range:?} {direction:?}"
                );
            }
        }
    }
}

pub(crate) fn a_scan_shows_the_newest_values_and_no_deleted_key(bench: &Bench) {
    let store = bench.open();
    let mut pairs = fill(&store);
    for number in (0..pairs.len()).rev() {
        match number % 3 {
            0 => {
                let (key, _) = pairs.remove(number);
                store.delete(key);
            }
            1 => {
                store.set(&pairs[number].0, "new");
                pairs[number].1 = b"new".to_vec();
            }
            _ => {}
        }
    }
    for direction in [Forward, Backward] {
        assert_eq!(scanned(&store, ALL, direction), expected(&pairs, ALL, direction), "{direction:?}");
    }
}

pub(crate) fn a_scan_that_stops_shows_no_more(bench: &Bench) {
    let store = bench.open();
    let pairs = fill(&store);
    for direction in [Forward, Backward] {
        for wanted in [1, 2, pairs.len()] {
            let mut shown = Vec::new();
            store.scan(ALL, direction, &mut |key, _| {
                shown.push(key.to_vec());
                if shown.len() == wanted { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            let all = expected(&pairs, ALL, direction);
            let first: Vec<Vec<u8>> = all.into_iter().take(wanted).map(|(key, _)| key).collect();
            assert_eq!(shown, first, "{direction:?}");
        }
    }
}

pub(crate) fn a_scan_is_of_one_moment_whatever_its_visitor_writes(bench: &Bench) {
    let store = bench.open();
    fill(&store);
    for direction in [Forward, Backward] {
        let pairs = scanned(&store, ALL, Forward);
        let mut shown = Pairs::new();
        store.scan(ALL, direction, &mut |key, value| {
            shown.push((key.to_vec(), value.to_vec()));
            // Every key changes, goes or comes while one is shown.
            let number = shown.len() % pairs.len();
            store.set(&pairs[number].0, format!("changed {direction:?}"));
            store.delete(&pairs[pairs.len() - number - 1].0);
            store.set(format!("added {number} {direction:?}"), "new");
            ControlFlow::Continue(())
        });
        assert_eq!(shown, expected(&pairs, ALL, direction), "{direction:?}");
    }
}

pub(crate) fn long_scans_miss_nothing_and_repeat_nothing(bench: &Bench) {
    let store = bench.open();
    let keys = bench.many(3_000, 200);
    let pairs: Pairs =
        (0..keys).map(|number| (format!("{number:05}").into_bytes(), vec![b'v'; number % 700])).collect();
    for (key, value) in &pairs {
        store.set(key, value);
    }
    for direction in [Forward, Backward] {
        let (shown, expected) = (scanned(&store, ALL, direction), expected(&pairs, ALL, direction));
        // They are too long to be printed.
        assert!(shown == expected, "{direction:?}: {} keys of {keys}", shown.len());
    }
}
