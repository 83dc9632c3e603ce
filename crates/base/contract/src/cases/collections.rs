//! Collections: keys in two layers, `collection/member`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use logladder_engine::Error;
use logladder_engine::limits::MAX_KEY_LEN;

use super::moments::{self, Writer};
use super::threads::{Ends, join_all};
use crate::samples::odd_strings;
use crate::{Bench, Store};

type Members = BTreeMap<Vec<u8>, Vec<u8>>;

fn members(pairs: &[(&str, &str)]) -> Members {
    pairs.iter().map(|(member, value)| (member.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
}

fn store_of_music(bench: &Bench) -> Store {
    let store = bench.open();
    for (key, value) in [
        ("artist/daft_punk", "epic"),
        ("artist/air", "calm"),
        ("artists/none", "another collection"),
        ("art/mondrian", "square"),
        ("Artist/air", "another collection as well"),
        ("song/artist/air", "a member with a stroke"),
        ("artist", "in no collection"),
    ] {
        store.set(key, value);
    }
    store
}

pub(crate) fn put_gives_the_old_value(bench: &Bench) {
    let store = bench.open();
    assert_eq!(store.put("artist/air", "calm"), None);
    assert_eq!(store.put("artist/air", "").as_deref(), Some(&b"calm"[..]));
    assert_eq!(store.put("artist/air", "calmer").as_deref(), Some(&b""[..]), "an empty value is one");
    store.set("artist/air", "calmest");
    assert_eq!(store.put("artist/air", "calm").as_deref(), Some(&b"calmest"[..]));
    store.delete("artist/air");
    assert_eq!(store.put("artist/air", "back"), None);
    store.holds("artist/air", "back");
    assert_eq!(store.stats().live_keys, 1);
}

pub(crate) fn the_first_stroke_splits_a_key(bench: &Bench) {
    let store = store_of_music(bench);
    assert_eq!(store.get_all("artist"), members(&[("daft_punk", "epic"), ("air", "calm")]));
    assert_eq!(store.get_all("artists"), members(&[("none", "another collection")]));
    assert_eq!(store.get_all("song"), members(&[("artist/air", "a member with a stroke")]));
    assert_eq!(store.get_all("none"), Members::new());
    let names: Vec<Vec<u8>> =
        ["Artist", "art", "artist", "artists", "song"].map(|name| name.as_bytes().to_vec()).to_vec();
    assert_eq!(store.collections(), names);
}

pub(crate) fn a_key_that_names_no_member_is_refused_by_put(bench: &Bench) {
    let store = bench.open();
    let put = |key: &[u8]| match store.engine().as_collections().map(|face| face.put(key, b"value")) {
        Some(Err(error)) => error,
        _ => panic!("put took `{}`", key.escape_ascii()),
    };
    assert!(matches!(put(b""), Error::EmptyKey));
    for key in [&b"artist"[..], b"/", b"/air", b"//"] {
        assert!(matches!(put(key), Error::NoCollection { key: named } if named == key));
    }
    assert!(matches!(put(b"artist/"), Error::NoMember { key } if key == b"artist/"));
    assert!(matches!(put(&vec![b'/'; MAX_KEY_LEN + 1]), Error::TooLarge { .. }));
    assert_eq!(store.stats().live_keys, 0);
    assert_eq!(store.put("artist//", "a stroke alone is a member"), None);
}

pub(crate) fn what_names_no_collection_is_refused(bench: &Bench) {
    let store = store_of_music(bench);
    let refusals = |name: &[u8]| {
        let Some(face) = store.engine().as_collections() else { panic!("no collections") };
        let shown = face.get_all(name, &mut |_, _| panic!("something is shown"));
        match (shown, face.delete_all(name)) {
            (Err(shown), Err(deleted)) => [shown, deleted],
            _ => panic!("`{}` was taken for a collection", name.escape_ascii()),
        }
    };
    assert!(refusals(b"").iter().all(|error| matches!(error, Error::NoCollection { .. })));
    for name in [&b"/"[..], b"artist/", b"artist/air"] {
        assert!(refusals(name).iter().all(|error| matches!(error, Error::InvalidKey { .. })));
    }
    let too_long = refusals(&vec![b'x'; MAX_KEY_LEN + 1]);
    assert!(too_long.iter().all(|error| matches!(error, Error::TooLarge { .. })));
    assert_eq!(store.stats().live_keys, 7);
}

pub(crate) fn delete_all_deletes_one_collection(bench: &Bench) {
    let store = store_of_music(bench);
    assert_eq!(store.delete_all("artist"), 2);
    assert_eq!(store.delete_all("artist"), 0, "there is nothing left to delete");
    assert_eq!(store.delete_all("never there"), 0);
    store.lacks("artist/daft_punk");
    store.lacks("artist/air");
    assert_eq!(store.get_all("artist"), Members::new());
    for (key, value) in [("artists/none", "another collection"), ("artist", "in no collection")] {
        store.holds(key, value);
    }
    assert_eq!(store.stats().live_keys, 5);
    let store = if bench.subject().persists() { bench.reopen(store) } else { store };
    store.shows(b"artist/air", None);
    assert!(!store.collections().contains(&b"artist".to_vec()), "a collection without members is not listed");
    assert_eq!(store.put("artist/air", "back"), None);
    assert_eq!(store.get_all("artist"), members(&[("air", "back")]));
}

pub(crate) fn collections_survive_reopening(bench: &Bench) {
    let store = store_of_music(bench);
    store.delete("art/mondrian");
    let before = (store.collections(), store.get_all("artist"), store.get_all("art"));
    let store = bench.reopen(store);
    assert_eq!((store.collections(), store.get_all("artist"), store.get_all("art")), before);
    assert_eq!(store.put("artist/air", "calmer").as_deref(), Some(&b"calm"[..]));
}

/// The engine takes every byte string; what of that is a member is shown as one.
pub(crate) fn keys_of_every_kind_are_shown_where_they_belong(bench: &Bench) {
    let store = bench.open();
    let mut expected: BTreeMap<Vec<u8>, Members> = BTreeMap::new();
    let mut keys: BTreeSet<Vec<u8>> = odd_strings().into_iter().collect();
    keys.extend(odd_strings().into_iter().map(|string| [b"odd/", &string[..]].concat()));
    keys.extend(odd_strings().into_iter().map(|string| [&string[..], b"/member"].concat()));
    for key in keys {
        store.set(&key, &key);
        let at = key.iter().position(|&byte| byte == b'/').filter(|&at| at > 0);
        if let Some(at) = at {
            expected.entry(key[..at].to_vec()).or_default().insert(key[at + 1..].to_vec(), key);
        }
    }
    let names: Vec<Vec<u8>> = expected.keys().cloned().collect();
    let store = if bench.subject().persists() { bench.reopen(store) } else { store };
    assert_eq!(store.collections(), names);
    for (name, members) in expected {
        assert_eq!(store.get_all(&name), members, "of `{}`", name.escape_ascii());
        assert_eq!(store.delete_all(&name), members.len() as u64);
    }
    assert_eq!(store.collections(), Vec::<Vec<u8>>::new());
}

pub(crate) fn a_visitor_of_a_collection_may_do_what_it_likes(bench: &Bench) {
    let store = store_of_music(bench);
    let Some(face) = store.engine().as_collections() else { panic!("no collections") };
    let mut shown = Members::new();
    let visited = face.get_all(b"artist", &mut |member, value| {
        shown.insert(member.to_vec(), value.to_vec());
        store.holds([b"artist/", member].concat(), value);
        store.put([b"artist/", member, b" again"].concat(), "new");
        store.delete([b"artist/", member].concat());
        ControlFlow::Continue(())
    });
    assert!(visited.is_ok(), "{visited:?}");
    assert_eq!(shown, members(&[("daft_punk", "epic"), ("air", "calm")]));
    assert_eq!(store.get_all("artist"), members(&[("daft_punk again", "new"), ("air again", "new")]));

    let mut calls = 0;
    let stopped = face.get_all(b"artist", &mut |_, _| {
        calls += 1;
        ControlFlow::Break(())
    });
    assert!(stopped.is_ok() && calls == 1, "a visitor that breaks was called {calls} times");

    let panics = || face.get_all(b"artist", &mut |_, _| panic!("on purpose, in a visitor"));
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    assert_eq!(store.delete_all("artist"), 2, "the store goes on");
}

pub(crate) fn a_collection_is_shown_as_of_one_moment(bench: &Bench) {
    let store = bench.open();
    let write = |store: &Store, round: u64| {
        moments::names().for_each(|name| store.set(format!("c/{name}"), round.to_string()));
    };
    write(&store, 0);
    let writer = Writer::default();
    thread::scope(|scope| {
        let (store, writer) = (&store, &writer);
        let writing = scope.spawn(move || writer.write(store, write));
        let looking = scope.spawn(move || {
            writer.look(bench.many(60, 15), |_| {
                let shown = store.get_all("c");
                moments::are_of_one_moment(&moments::rounds(|name| shown.get(name.as_bytes()).cloned()));
            });
        });
        join_all([looking, writing]);
    });
}

/// Two who put at once: each value but the last is given back once.
pub(crate) fn puts_at_once_give_each_old_value_once(bench: &Bench) {
    const THREADS: usize = 4;
    let store = bench.open();
    let rounds = bench.many(200, 25);
    let given: Vec<Vec<Option<Vec<u8>>>> = thread::scope(|scope| {
        let store = &store;
        let put_all = move |thread: usize| {
            (0..rounds).map(|round| store.put("c/m", format!("{thread}:{round}"))).collect()
        };
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || put_all(thread))).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| match thread.join() {
            Ok(given) => given,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        threads.into_iter().map(join).collect()
    });
    let mut seen: Vec<Option<Vec<u8>>> = given.into_iter().flatten().collect();
    seen.push(store.get("c/m"));
    let distinct: BTreeSet<&Option<Vec<u8>>> = seen.iter().collect();
    assert_eq!(distinct.len(), THREADS * rounds + 1, "no value, each that was put, and none of them twice");
}

/// New members are written one after the other while the old ones are deleted and somebody looks.
pub(crate) fn delete_all_during_writes_takes_all_of_a_moment(bench: &Bench) {
    let mut store = bench.open();
    for round in 0..bench.many(60, 10) {
        for number in 0..8 {
            store.set(format!("c/{number}"), "old");
        }
        let ended = AtomicBool::new(false);
        let deleted = thread::scope(|scope| {
            let (store, ended) = (&store, &ended);
            let deleting = scope.spawn(move || {
                let _ends = Ends(ended);
                store.delete_all("c")
            });
            let writing = scope.spawn(move || {
                (8..12).for_each(|number| store.set(format!("c/{number}"), "new"));
            });
            let looking = scope.spawn(move || {
                while !ended.load(Ordering::Acquire) {
                    let old = store.get_all("c").values().filter(|value| *value == b"old").count();
                    assert!(old == 0 || old == 8, "{old} of 8 are left");
                }
            });
            join_all([writing, looking]);
            deleting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        let left = store.get_all("c");
        assert_eq!(deleted + left.len() as u64, 12, "each was deleted or is there");
        let latest: BTreeSet<Vec<u8>> =
            (8..12).rev().take(left.len()).map(|number| number.to_string().into_bytes()).collect();
        assert!(left.keys().eq(&latest), "what is left was written last: {left:?}");
        if bench.subject().persists() && round % 5 == 0 {
            store = bench.reopen(store);
            assert_eq!(store.get_all("c"), left);
        }
        assert_eq!(store.delete_all("c"), left.len() as u64);
    }
}
