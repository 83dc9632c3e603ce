//! A store of stage 8 from the command line: what `inspect` and `check` say of its tables, and lists in order.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that cannot be set up fails")]

mod called;

use std::path::Path;

use called::{done, files_in, run};
use logladder::sorted_log::{Options, SortedLog, Work, listing};
use logladder::{Engine, Open};

/// Two levels of tables, and a log: 60 keys, of which one is deleted again.
fn make(dir: &Path) {
    let small = Options::default()
        .with_work(Work::Caller)
        .with_memtable_bytes(600)
        .with_block_bytes(100)
        .with_table_bytes(500)
        .with_level0_tables(2)
        .with_levels(1_000, 3);
    let store = SortedLog::open(dir, small).unwrap();
    for number in 0..60_u32 {
        store.set(format!("user/{:02}", number * 7 % 60).as_bytes(), format!("{number}").as_bytes()).unwrap();
    }
    store.delete(b"user/30").unwrap();
    Box::new(store).close().unwrap();
}

/// The keys that are there, in order.
fn keys() -> Vec<String> {
    (0..60).filter(|number| *number != 30).map(|number| format!("user/{number:02}")).collect()
}

#[test]
fn inspect_lists_the_tables_of_each_level_as_the_manifest_does_and_each_of_their_bytes() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path());
    let before = files_in(folder.path());
    let tables = listing(folder.path()).unwrap().tables;
    assert!(tables.iter().any(|table| table.level > 0), "{tables:?}");
    let shown = done(folder.path(), &["--dir", ".", "inspect"]);
    assert!(shown.starts_with("stage 8 sorted-log\n"), "{shown}");
    let rows: Vec<Vec<&str>> = shown
        .lines()
        .skip_while(|line| !line.trim_start().starts_with("table "))
        .skip(1)
        .map(|line| line.split_whitespace().collect())
        .collect();
    let (last, rows) = rows.split_last().unwrap();
    assert_eq!(last[..2], ["in", "memory:"]);
    let expected: Vec<Vec<String>> = tables
        .iter()
        .map(|table| {
            let numbers = [table.number, table.level as u64, table.bytes, table.entries, table.tombstones];
            let keys = [&table.smallest, &table.largest].map(|key| String::from_utf8(key.clone()).unwrap());
            let [smallest, largest] = keys;
            let comma = |number: u64| match number {
                0..1_000 => number.to_string(),
                _ => format!("{},{:03}", number / 1_000, number % 1_000),
            };
            numbers.into_iter().map(comma).chain([smallest, "…".to_owned(), largest]).collect()
        })
        .collect();
    assert_eq!(rows, expected);
    let listed = done(folder.path(), &["--dir", ".", "--json", "inspect"]);
    let listed: Vec<serde_json::Value> =
        listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(listed.iter().filter(|line| line["table"].is_u64()).count(), tables.len());
    for table in &tables {
        let fields = done(folder.path(), &["--dir", ".", "inspect", &table.file_name, "--limit", "100000"]);
        assert!(fields.lines().all(|line| !line.contains("does not match")), "{fields}");
        assert!(fields.contains("a block starts at") && fields.contains("filter"), "{fields}");
    }
    assert!(files_in(folder.path()) == before, "inspect has changed the store");
}

#[test]
fn check_names_a_damaged_table_and_the_place_and_leaves_it_as_it_is() {
    let whole = tempfile::tempdir().unwrap();
    make(whole.path());
    assert!(done(whole.path(), &["--dir", ".", "check"]).ends_with(" 59 keys\nhealthy\n"));
    let tables = listing(whole.path()).unwrap().tables;
    for table in &tables {
        let bytes = std::fs::read(whole.path().join(&table.file_name)).unwrap();
        // In a block, which is only read with its keys; in the footer; and the end cut off.
        for (what, damaged) in [
            ("block", flipped(&bytes, 40)),
            ("footer", flipped(&bytes, bytes.len() - 20)),
            ("manifest says", bytes[..bytes.len() - 1].to_vec()),
        ] {
            let folder = tempfile::tempdir().unwrap();
            for (path, bytes) in files_in(whole.path()) {
                std::fs::write(folder.path().join(path.file_name().unwrap()), bytes).unwrap();
            }
            std::fs::write(folder.path().join(&table.file_name), damaged).unwrap();
            let before = files_in(folder.path());
            let output = run(folder.path(), &["--dir", ".", "check"]);
            let said = String::from_utf8(output.stdout).unwrap();
            assert_eq!(output.status.code(), Some(1), "{what}: {said}");
            assert!(said.contains(&table.file_name) && said.contains(what), "{what}: {said}");
            assert!(said.contains("offset"), "{what}: {said}");
            let output = run(folder.path(), &["--dir", ".", "--json", "check"]);
            let said = String::from_utf8(output.stdout).unwrap();
            let said: serde_json::Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
            assert_eq!((output.status.code(), &said["healthy"]), (Some(1), &false.into()), "{said}");
            assert!(files_in(folder.path()) == before, "{what}: check has changed the store");
        }
    }
}

#[test]
fn check_names_each_damaged_table_and_repair_makes_a_store_of_the_rest_and_leaves_the_old_one_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (store, mended) = (folder.path().join("store"), folder.path().join("mended"));
    make(&store);
    let tables = listing(&store).unwrap().tables;
    for table in &tables {
        let path = store.join(&table.file_name);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, flipped(&bytes, 40)).unwrap();
    }
    let before = files_in(&store);
    let output = run(folder.path(), &["--dir", "store", "check"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(tables.iter().all(|table| said.contains(&table.file_name)), "{said}");
    let advice = String::from_utf8(output.stderr).unwrap();
    assert!(advice.contains("check --repair FOLDER"), "{advice}");

    let output = run(folder.path(), &["--dir", "store", "check", "--repair", "mended"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "there was damage: {said}");
    assert!(tables.iter().all(|table| said.contains(&table.file_name)), "{said}");
    let last = said.lines().last().unwrap();
    assert!(last.contains(" keys in mended; missing is what stood only in damaged places"), "{said}");
    assert!(files_in(&store) == before, "the old store has changed");
    let kept = done(folder.path(), &["--dir", "mended", "scan", "--keys"]);
    let kept: Vec<&str> = kept.lines().collect();
    assert!(!kept.is_empty() && kept.len() < 60, "{kept:?}");
    assert!(done(folder.path(), &["--dir", "mended", "check"]).ends_with("healthy\n"));
    // Of a whole store nothing is missing, and the exit code says so.
    let said = done(folder.path(), &["--dir", "mended", "check", "--repair", "again"]);
    assert!(said.ends_with(" keys in again\n"), "{said}");

    // Never into a folder with something in it, nor into the store itself.
    let there = files_in(&mended);
    for (into, why, code) in [
        (
            "mended",
            "mended is not empty; a store is made anew in a folder that is not there yet or is empty",
            3,
        ),
        ("store/new", "name another folder", 3),
    ] {
        let output = run(folder.path(), &["--dir", "store", "check", "--repair", into]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(code) && said.contains(why), "{into}: {said}");
    }
    assert!(files_in(&mended) == there && files_in(&store) == before, "a refusal has changed something");
    // A stage that has no such thing says which have.
    done(folder.path(), &["--stage", "scan-log", "--dir", "other", "set", "a", "1"]);
    let output = run(folder.path(), &["--dir", "other", "check", "--repair", "new"]);
    let said = String::from_utf8(output.stderr).unwrap();
    let remedy = "a store of stage scan-log cannot be repaired; one of hash-log or sorted-log can";
    assert!(output.status.code() == Some(5) && said.contains(remedy), "{said}");
}

fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes
}

#[test]
fn lists_come_in_the_order_of_the_keys_whether_they_are_to_be_sorted_or_not() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path());
    let listed = |words: &[&str]| {
        let all: Vec<&str> = ["--dir", ".", "scan", "--keys"].iter().chain(words).copied().collect();
        done(folder.path(), &all).lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(listed(&[]), keys());
    assert_eq!(listed(&["--sorted"]), keys());
    assert_eq!(listed(&["--sorted", "--limit", "7"]), keys()[..7]);
    assert_eq!(listed(&["--limit", "7", "--prefix", "user/2"]), keys()[20..27]);
    assert_eq!(listed(&["--prefix", "user/3"]), keys()[30..39]);
    assert_eq!(listed(&["--prefix", "user/30"]), [""; 0]);
    let exported = done(folder.path(), &["--dir", ".", "export", "-"]);
    assert!(exported.lines().map(|line| line.split('\t').next().unwrap()).eq(keys()), "{exported}");
}

#[test]
fn a_copy_is_the_same_store_and_restoring_it_leaves_it_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    make(&folder.path().join("store"));
    done(folder.path(), &["--dir", "store", "backup", "copy"]);
    let copy = files_in(&folder.path().join("copy"));
    done(folder.path(), &["--dir", "again", "restore", "copy"]);
    assert!(files_in(&folder.path().join("copy")) == copy, "the copy has changed");
    let all = |dir| done(folder.path(), &["--dir", dir, "scan"]);
    assert_eq!(all("store").lines().count(), 59);
    assert!(all("store") == all("copy") && all("store") == all("again"));
    assert_eq!(done(folder.path(), &["--dir", "again", "check"]).lines().last(), Some("healthy"));
}

#[test]
fn a_copy_with_a_damaged_value_is_not_restored() {
    let folder = tempfile::tempdir().unwrap();
    make(&folder.path().join("store"));
    done(folder.path(), &["--dir", "store", "backup", "copy"]);
    let copy = folder.path().join("copy");
    let table = &listing(&copy).unwrap().tables[0];
    let path = copy.join(&table.file_name);
    let damaged = flipped(&std::fs::read(&path).unwrap(), 40);
    // Not in place: the store has the same file.
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, damaged).unwrap();
    let output = run(folder.path(), &["--dir", "again", "restore", "copy"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{error}");
    assert!(error.contains(&table.file_name) && error.contains("is damaged at offset 32"), "{error}");
    assert!(!folder.path().join("again").exists(), "nothing was restored");
}

#[test]
fn compact_leaves_one_level_and_no_tombstone() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path());
    let said = done(folder.path(), &["--dir", ".", "compact"]);
    assert!(said.contains("files removed"), "{said}");
    let tables = listing(folder.path()).unwrap().tables;
    assert!(tables.iter().all(|table| table.level == tables[0].level && table.tombstones == 0), "{tables:?}");
    assert_eq!(tables.iter().map(|table| table.entries).sum::<u64>(), 59);
    let stats = done(folder.path(), &["--dir", ".", "--json", "stats"]);
    assert!(stats.contains(r#""stage":"sorted-log""#) && stats.contains(r#""live_keys":59"#), "{stats}");
}

#[test]
fn stats_say_of_a_stage_whose_writers_may_have_to_wait_how_often_they_did() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path());
    let stats = done(folder.path(), &["--dir", ".", "stats"]);
    assert!(stats.ends_with("\nstalls            0\nstalled ms        0\n"), "{stats}");
    let stats = done(folder.path(), &["--dir", ".", "--json", "stats"]);
    let stats: serde_json::Value = serde_json::from_str(&stats).unwrap();
    assert!(stats["stalls"] == 0 && stats["stalled_ms"] == 0, "{stats}");
    done(folder.path(), &["--stage", "hash-log", "--dir", "another", "set", "city", "Dhaka"]);
    for words in [&["--dir", "another", "stats"][..], &["--dir", "another", "--json", "stats"]] {
        let stats = done(folder.path(), words);
        assert!(stats.contains("hash-log") && !stats.contains("stall"), "{stats}");
    }
}

#[test]
fn who_named_no_stage_is_told_which_was_taken_for_a_folder_that_says_none() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path());
    std::fs::remove_file(folder.path().join("LOGLADDER")).unwrap();
    let before = files_in(folder.path());
    for words in [&["get", "user/01"][..], &["set", "user/01", "new"], &["repl"]] {
        let output = run(folder.path(), &[&["--dir", "."][..], words].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{words:?}: {said}");
        let taken =
            "no --stage was given and no LOGLADDER file names one, so hash-log was taken: say --stage";
        assert!(said.contains(taken) && said.contains("is not a hash-log store"), "{words:?}: {said}");
    }
    // Who named it is told of the folder only, and who names the right one has the store.
    let output = run(folder.path(), &["--dir", ".", "--stage", "hash-log", "get", "user/01"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("is not a hash-log store") && !said.contains("--stage"), "{said}");
    assert!(files_in(folder.path()) == before, "a refusal has changed something");
    done(folder.path(), &["--dir", ".", "--stage", "sorted-log", "get", "user/01"]);
}

#[test]
fn a_scan_shows_the_keys_between_two_either_way_of_stages_that_sort_and_of_others() {
    let folder = tempfile::tempdir().unwrap();
    for stage in ["sorted-log", "hash-log"] {
        let mixed: Vec<u32> = (0..40).map(|number| number * 7 % 40).collect();
        std::fs::write(folder.path().join("lines"), printed(&mixed)).unwrap();
        done(folder.path(), &["--stage", stage, "--dir", stage, "import", "lines", "--format", "tsv"]);
        let scan = |words: &[&str]| done(folder.path(), &[&["--dir", stage, "scan"], words].concat());
        let from_8 = ["--from", "user/08", "--to", "user/11", "--sorted"];
        assert_eq!(scan(&from_8), printed(&[8, 9, 10]), "{stage}");
        assert_eq!(scan(&["--reverse", "--from", "user/08", "--to", "user/11"]), printed(&[10, 9, 8]));
        assert_eq!(scan(&["--reverse", "--limit", "2"]), printed(&[39, 38]), "{stage}");
        assert_eq!(scan(&["--reverse", "--limit", "2", "--to", "user/11"]), printed(&[10, 9]), "{stage}");
        assert_eq!(scan(&["--sorted", "--limit", "2", "--from", "user/38"]), printed(&[38, 39]), "{stage}");
        // What is asked for is what all of them allow.
        let both = |from, to| scan(&["--sorted", "--prefix", "user/1", "--from", from, "--to", to]);
        assert_eq!(both("user/0", "user/12"), printed(&[10, 11]), "{stage}");
        assert_eq!(both("user/18", "user/3"), printed(&[18, 19]), "{stage}");
        assert_eq!(both("user/2", "user/1"), "", "{stage}");
    }
}

/// What `scan` prints of these keys.
fn printed(numbers: &[u32]) -> String {
    numbers.iter().fold(String::new(), |lines, number| lines + &format!("user/{number:02}\tanna\n"))
}
