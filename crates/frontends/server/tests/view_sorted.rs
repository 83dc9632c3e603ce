//! The live view of a sorted-log: levels of tables, and what a flush and a merge do to them.
#![allow(
    clippy::unwrap_used,
    clippy::case_sensitive_file_extension_comparisons,
    reason = "a test fails by a panic, and the engine writes its files' names in one way"
)]

mod harness;

use std::collections::BTreeSet;
use std::sync::Arc;

use harness::view::{check_sums, files, layout, list, number, real, stage, steps, temporary, text, total};
use harness::{Running, options, serve_shared};
use logladder::sorted_log::{self, Options, SortedLog, Work};
use logladder::{Engine, Open, SyncPolicy};
use logladder_server::View;
use serde_json::Value;

/// Everything is so small that some hundred writes reach the second level.
fn small() -> Options {
    Options::default()
        .with_sync(SyncPolicy::Never)
        .with_work(Work::Caller)
        .with_memtable_bytes(1_000)
        .with_block_bytes(150)
        .with_table_bytes(600)
        .with_level0_tables(3)
        .with_levels(3_000, 3)
}

/// Keys that share beginnings, some of them again and again, some deleted.
fn write_some(engine: &dyn Engine, writes: u32) {
    for number in 0..writes {
        let key = format!("user/{:03}", number * 11 % 90);
        if number % 7 == 6 {
            engine.delete(key.as_bytes()).unwrap();
        } else {
            engine.set(key.as_bytes(), format!("{number} of {key}").as_bytes()).unwrap();
        }
    }
}

/// The records of all files, each with the name of its file.
fn records(step: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let files = list(&step["layout"], "files").iter();
    files.flat_map(|file| list(file, "records").iter().map(move |record| (text(file, "name"), record)))
}

#[test]
fn what_is_live_is_what_a_get_finds_and_stands_in_the_level_that_the_manifest_says() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_path_buf();
    let engine: Arc<Box<dyn Engine>> = Arc::new(Box::new(SortedLog::open(&dir, small()).unwrap()));
    let mut options = options();
    options.view = Some(View::of_folder(stage("sorted-log"), &dir));
    let server = serve_shared(Arc::clone(&engine), options, folder);
    for writes in [3, 30, 100, 300] {
        write_some(&**engine, writes);
        let expected = engine.stats().unwrap().live_keys;
        harness::in_the_end(|| number(&layout(&server)["layout"], "keys") == expected);
        let step = layout(&server);
        assert!(step["layout"]["trouble"].is_null(), "{step}");
        check_sums(&step);
        let files = files(&dir);
        let mut live = 0;
        for (name, record) in records(&step).filter(|(_, record)| record["class"] == "live") {
            let value = engine.get(text(record, "key").as_bytes()).unwrap().unwrap();
            let end = usize::try_from(number(record, "at") + number(record, "len")).unwrap();
            assert!(files[name][..end].ends_with(&value), "{record} of {name}");
            assert_eq!(text(record, "value").as_bytes(), value, "{record} of {name}");
            live += 1;
        }
        assert_eq!((live, number(&step["layout"], "keys")), (expected, expected), "after {writes} writes");
        for (_, record) in records(&step).filter(|(_, record)| record["class"] == "tombstone") {
            assert_eq!(engine.get(text(record, "key").as_bytes()).unwrap(), None, "{record}");
        }
        for place in list(&step["layout"], "places") {
            let is_it = |(name, record): (&str, &Value)| {
                name == text(place, "file") && record["at"] == place["at"] && record["class"] == "live"
            };
            assert!(records(&step).any(is_it), "{place}");
        }
        for table in sorted_log::listing(&dir).unwrap().tables {
            let mut shown = list(&step["layout"], "files").iter();
            let shown = shown.find(|file| text(file, "name") == table.file_name).unwrap();
            assert_eq!(text(shown, "group"), format!("level {}", table.level));
            let entries = list(shown, "records").iter().filter(|record| record["key"].is_string()).count();
            assert_eq!(entries as u64, table.entries, "{shown}");
        }
    }
    let levels: BTreeSet<usize> =
        sorted_log::listing(&dir).unwrap().tables.iter().map(|table| table.level).collect();
    assert!(levels.len() >= 2, "{levels:?}");
    drop(engine);
}

fn groups(step: &Value) -> BTreeSet<String> {
    let groups = list(&step["layout"], "files").iter().filter_map(|file| file["group"].as_str());
    groups.map(str::to_owned).collect()
}

/// Overwrites one key until a step is about what `says`.
fn overwrite_until(server: &Running, says: &str) -> Vec<Value> {
    for round in 0..100 {
        assert_eq!(server.put("/v1/keys/city", format!("Dhaka {round}").as_bytes()).status, 204);
        let steps = steps(server);
        if steps.iter().any(|step| groups(step).contains(says)) {
            return steps;
        }
    }
    panic!("no {says} after a hundred writes");
}

#[test]
fn a_flush_and_a_merge_are_shown_as_they_happen_and_no_key_is_lost_in_between() {
    let server = temporary("sorted-log");
    let begun = usize::try_from(number(&layout(&server), "number")).unwrap();
    let keys = number(&layout(&server)["layout"], "keys");
    let steps = overwrite_until(&server, "level 1");
    let under_way: Vec<&Value> =
        steps.iter().filter(|step| text(step, "what").contains(", under way: ")).collect();
    let what: Vec<&str> = under_way.iter().map(|step| text(step, "what")).collect();
    let is_a_set =
        |what: &&str| what.starts_with("set city = Dhaka") || what.starts_with("set city = Rajshahi");
    assert!(what.iter().all(is_a_set), "{what:?}");
    // A table beside the log that says the same; then a table of level 0, and the log is no longer needed.
    assert!(under_way.iter().any(|step| total(step, "loose") > 0), "{what:?}");
    assert!(under_way.iter().any(|step| groups(step).contains("level 0")), "{what:?}");
    assert!(what.iter().any(|what| what.contains("remove ") && what.ends_with(".log")), "{what:?}");
    let deeds: Vec<&Value> = steps.iter().flat_map(|step| list(step, "disk")).collect();
    let removes_a_table = |deed: &&Value| {
        deed.as_str().is_some_and(|deed| deed.starts_with("remove ") && deed.ends_with(".table"))
    };
    assert!(deeds.iter().any(removes_a_table), "{deeds:?}");
    for step in &steps[begun..] {
        check_sums(step);
        assert!(step["layout"]["trouble"].is_null(), "{step}");
        assert_eq!(number(&step["layout"], "keys"), keys, "{step}");
    }
    let newest = steps.last().unwrap();
    assert!(text(&newest["layout"]["newest"], "text").starts_with("set city = "), "{newest}");
}

#[test]
fn a_compacted_store_has_no_newest_record_and_a_memtable_again_with_the_next_write() {
    let server = temporary("sorted-log");
    assert_eq!(server.post("/v1/compact", "").status, 200);
    let step = layout(&server);
    assert!(step["layout"]["newest"].is_null(), "{step}");
    assert!(!groups(&step).contains("memtable"), "{step}");
    assert_eq!((total(&step, "dead"), total(&step, "tombstone")), (0, 0), "{step}");
    assert_eq!(server.put("/v1/keys/fish", b"hilsa").status, 204);
    let step = layout(&server);
    assert_eq!(text(&step["layout"]["newest"], "text"), "set fish = hilsa");
    assert_eq!(text(&list(&step["layout"], "places")[0], "key"), "fish");
    assert!(groups(&step).contains("memtable"), "{step}");
}

#[test]
fn a_batch_is_one_frame_of_several_writes() {
    let server = temporary("sorted-log");
    let batch = r#"{"writes":[{"key":"a","value":"1"},{"key":"b","value":"2"},{"key":"a","delete":true}]}"#;
    assert_eq!(server.post("/v1/batch", batch).status, 200);
    let step = layout(&server);
    check_sums(&step);
    assert_eq!(text(&step["layout"]["newest"], "text"), "3 writes in one batch");
    let log = list(&step["layout"], "files").iter().find(|file| file["group"] == "memtable").unwrap();
    let shown: Vec<String> = list(log, "records")
        .iter()
        .skip_while(|record| record["kind"] != "batch")
        .map(|record| format!("{} {} {}", text(record, "kind"), record["key"], text(record, "class")))
        .filter(|record| !record.starts_with("reserve"))
        .collect();
    assert_eq!(shown, ["batch null frame", "set \"a\" dead", "set \"b\" live", "delete \"a\" tombstone"]);
}

#[test]
fn tables_that_are_too_much_to_be_read_are_shown_by_what_the_manifest_says() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options::default().with_sync(SyncPolicy::Never).with_memtable_bytes(1 << 20);
    let engine = SortedLog::open(folder.path(), options.with_work(Work::Caller)).unwrap();
    for key in 0..30_000_u32 {
        engine.set(format!("key-{key:06}").as_bytes(), &[b'v'; 60]).unwrap();
    }
    let server = real("sorted-log", Box::new(engine), folder);
    let answer = server.get("/view/layout");
    assert!(answer.body.len() < 300_000, "{}", answer.body.len());
    let step: Value = serde_json::from_slice(&answer.body).unwrap();
    check_sums(&step);
    assert!(total(&step, "unread") > 1 << 20, "{step}");
    assert!(!list(&step["layout"], "left_out").is_empty());
    let tables = list(&step["layout"], "files").iter().filter(|file| text(file, "name").ends_with(".table"));
    let notes: Vec<&str> = tables.map(|table| text(table, "note")).collect();
    assert!(notes.iter().any(|note| note.contains(" keys, key-000000 to key-")), "{notes:?}");
    // A write is seen, though the file is as long as before.
    assert_eq!(server.put("/v1/keys/newest", b"of all").status, 204);
    let is_seen = || layout(&server)["layout"]["places"][0]["key"] == "newest";
    assert!(harness::in_the_end(is_seen), "{}", layout(&server)["layout"]["places"][0]);
    let what = text(&layout(&server), "what").to_owned();
    assert_eq!(what, "set newest = of all", "one write, by its number");
}

#[test]
fn a_damaged_table_is_named_and_nothing_that_it_may_cover_is_called_live() {
    let folder = tempfile::tempdir().unwrap();
    let engine = SortedLog::open(folder.path(), small().with_level0_tables(100)).unwrap();
    for round in ["one", "two"] {
        engine.set(b"a", round.as_bytes()).unwrap();
        engine.set(b"b", round.as_bytes()).unwrap();
        engine.flush().unwrap();
    }
    let newest = sorted_log::listing(folder.path()).unwrap().tables[0].file_name.clone();
    Box::new(engine).close().unwrap();
    let path = folder.path().join(&newest);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[36] ^= 1;
    #[allow(clippy::disallowed_methods, reason = "damage is not written with care")]
    std::fs::write(&path, bytes).unwrap();
    // The engine is another's: this one would refuse a get.
    let server = real("sorted-log", Box::new(logladder::memory::Memory::default()), folder);
    let step = layout(&server);
    check_sums(&step);
    let trouble = text(&step["layout"], "trouble");
    assert!(trouble.starts_with(&newest) && trouble.contains("unfinished or damaged"), "{trouble}");
    assert_eq!(total(&step, "live"), 0, "{step}");
    assert!(total(&step, "torn") > 0 && total(&step, "unread") > 0, "{step}");
}
