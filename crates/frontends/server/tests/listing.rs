//! `GET /v1/keys`: pages of keys, of stages that have them in order and of stages that have not.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod harness;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use harness::{Running, options, serve, serve_shared, stage};
use logladder::sorted_log::{Direction, KeyRange, Ordered, SortedLog};
use logladder::{Durability, Engine, Open, Result, Stats, Visit};
use serde_json::Value;

/// Every key with this prefix, page by page.
fn listed(server: &Running, prefix: &str, limit: usize) -> Vec<String> {
    let (mut keys, mut cursor) = (Vec::new(), String::new());
    loop {
        let answer = server.get(&format!("/v1/keys?prefix={prefix}&limit={limit}{cursor}"));
        assert_eq!(answer.status, 200, "{answer:?}");
        let page: Value = serde_json::from_slice(&answer.body).unwrap();
        let shown = page["keys"].as_array().unwrap();
        assert!(shown.len() <= limit, "{page}");
        keys.extend(shown.iter().map(ToString::to_string));
        match page["cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return keys,
        }
    }
}

#[test]
fn pages_are_the_same_whether_a_stage_has_its_keys_in_order_or_not() {
    let servers = ["sorted-log", "hash-log", "memory"].map(stage);
    for path in
        ["a", "a%2Fb", "a%2Fc", "ab", "b", "b%00", "b%00%00", "%FE%FF", "%FF", "%FF%FF", "%FF%FFz", "", "z"]
    {
        for server in &servers {
            assert_eq!(server.put(&format!("/v1/keys/{path}"), b"v").status, 204);
        }
    }
    for server in &servers {
        assert_eq!(server.delete("/v1/keys/ab").status, 204);
    }
    let [ordered, others @ ..] = &servers;
    for prefix in ["", "a", "a%2F", "b", "b%00", "%FE", "%FF", "%FF%FF", "nothing", "z"] {
        for limit in [1, 2, 5, 100] {
            let expected = listed(ordered, prefix, limit);
            for other in others {
                assert_eq!(listed(other, prefix, limit), expected, "{prefix}, {limit} at a time");
            }
        }
        // A cursor of another listing: before the prefix, within it, behind it.
        for cursor in ["", "YQ", "YS9i", "YgA", "_v8", "____eg", "eno"] {
            let path = format!("/v1/keys?prefix={prefix}&limit=2&cursor={cursor}");
            let expected = ordered.get(&path);
            assert_eq!(expected.status, 200, "{path}");
            for other in others {
                assert_eq!(other.get(&path).text(), expected.text(), "{path}");
            }
        }
    }
}

#[test]
fn a_page_that_ends_with_the_longest_key_has_a_next_one() {
    for server in ["sorted-log", "hash-log", "memory"].map(stage) {
        // In an address this key alone would be longer than an address may be.
        let longest = "k".repeat(60_000);
        for key in ["a", &longest, "ka", "kl", "z"] {
            let body = serde_json::json!({"writes": [{"key": key, "value": "v"}]}).to_string();
            assert_eq!(server.post("/v1/batch", &body).status, 200);
        }
        let expected = ["a", "ka", &longest, "kl", "z"].map(|key| format!("{key:?}"));
        for limit in [1, 2, 3, 4, 5] {
            assert_eq!(listed(&server, "", limit), expected, "{limit} at a time");
        }
    }
}

/// Tells a thread to end, when the test does or fails.
struct Ends<'b>(&'b AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn keys_that_stay_are_listed_once_and_in_order_while_others_come_and_go() {
    let folder = tempfile::tempdir().unwrap();
    // So small that tables are written and merged meanwhile.
    let small = logladder::sorted_log::Options::default()
        .with_sync(logladder::SyncPolicy::Never)
        .with_memtable_bytes(4_000)
        .with_table_bytes(2_000)
        .with_levels(8_000, 4);
    let engine: Arc<Box<dyn Engine>> = Arc::new(Box::new(SortedLog::open(folder.path(), small).unwrap()));
    let staying: Vec<String> = (0..500).map(|number| format!("key/{number:03}/stays")).collect();
    for key in &staying {
        engine.set(key.as_bytes(), b"v").unwrap();
    }
    let server = serve_shared(Arc::clone(&engine), options(), folder);
    let ends = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0_u32.. {
                if ends.load(Ordering::Relaxed) {
                    break;
                }
                let passing = format!("key/{:03}/goes", round % 500);
                engine.set(passing.as_bytes(), b"v").unwrap();
                engine.set(staying[(round % 500) as usize].as_bytes(), &round.to_le_bytes()).unwrap();
                engine.delete(passing.as_bytes()).unwrap();
            }
        });
        let _ends = Ends(&ends);
        for limit in [7, 50, 1000] {
            let keys = listed(&server, "key/", limit);
            assert!(keys.is_sorted(), "{limit} at a time");
            let once: BTreeSet<&String> = keys.iter().collect();
            assert_eq!(once.len(), keys.len(), "{limit} at a time");
            let stayed = keys.iter().filter(|key| key.ends_with("stays\""));
            let expected = staying.iter().map(|key| format!("\"{key}\""));
            assert!(stayed.cloned().eq(expected), "{limit} at a time");
        }
    });
    drop(engine);
}

/// Counts the keys that a scan shows.
struct Counted {
    store: SortedLog,
    shown: Arc<AtomicU64>,
}

impl Engine for Counted {
    fn name(&self) -> &'static str {
        self.store.name()
    }
    fn durability(&self) -> Durability {
        self.store.durability()
    }
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.store.get(key)
    }
    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.store.set(key, value)
    }
    fn delete(&self, key: &[u8]) -> Result<()> {
        self.store.delete(key)
    }
    fn sync(&self) -> Result<()> {
        self.store.sync()
    }
    fn stats(&self) -> Result<Stats> {
        self.store.stats()
    }
    fn as_ordered(&self) -> Option<&dyn Ordered> {
        Some(self)
    }
}

impl Ordered for Counted {
    fn scan(&self, range: KeyRange<'_>, direction: Direction, visit: &mut Visit<'_>) -> Result<()> {
        self.store.scan(range, direction, &mut |key, value| {
            self.shown.fetch_add(1, Ordering::Relaxed);
            visit(key, value)
        })
    }
}

#[test]
fn a_page_of_a_stage_that_has_its_keys_in_order_reads_one_key_more_than_it_shows() {
    let folder = tempfile::tempdir().unwrap();
    let store = SortedLog::open(folder.path(), logladder::sorted_log::Options::default()).unwrap();
    for number in 0..300_u32 {
        store.set(format!("key/{number:03}").as_bytes(), b"v").unwrap();
    }
    let shown = Arc::new(AtomicU64::new(0));
    let counted = Counted { store, shown: Arc::clone(&shown) };
    let server = serve(Box::new(counted), options(), folder);
    let mut cursor = String::new();
    for page in 0..30 {
        let answer = server.get(&format!("/v1/keys?prefix=key&limit=10{cursor}"));
        let page_shown: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(page_shown["keys"][0], format!("key/{:03}", page * 10));
        assert!(shown.swap(0, Ordering::Relaxed) <= 11, "page {page}");
        cursor = format!("&cursor={}", page_shown["cursor"].as_str().unwrap_or_default());
    }
    assert_eq!(cursor, "&cursor=", "the last page has no cursor");
}
