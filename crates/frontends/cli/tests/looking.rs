//! Looking at a store: what is left as it is, and what is shown as JSON.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that cannot be set up fails")]

mod called;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use called::{done, files_in, run, session};
use logladder::hash_log::{Compaction, HashLog, Options};
use logladder::sorted_log::{self, SortedLog};
use logladder::{Engine, Open};

/// Of a store that was closed properly, and that whoever opens it to write would compact.
fn leave_segments_to_compact(dir: &Path) {
    let options = Options::default().with_segment_bytes(400).with_compaction(Compaction::OnDemand);
    let store = HashLog::open(dir, options).unwrap();
    for round in 0..40_u8 {
        store.set(b"c/key", &[round; 100]).unwrap();
    }
    Box::new(store).close().unwrap();
}

/// The same of tables: so many of level 0 that whoever opens it to write would merge them.
fn leave_tables_to_merge(dir: &Path) {
    let options = sorted_log::Options::default().with_work(sorted_log::Work::Caller).with_level0_tables(100);
    let store = SortedLog::open(dir, options).unwrap();
    for round in 0..8_u8 {
        store.set(b"c/key", &[round; 100]).unwrap();
        store.flush().unwrap();
    }
    store.set(b"c/key", b"in the log").unwrap();
    Box::new(store).close().unwrap();
}

#[test]
fn who_only_reads_changes_no_file_of_the_store() {
    let folder = tempfile::tempdir().unwrap();
    for stage in logladder::STAGES.iter().map(|stage| stage.name).filter(|name| *name != "memory") {
        let dir = folder.path().join(stage);
        done(folder.path(), &["--stage", stage, "--dir", stage, "set", "c/key", "1"]);
        if stage == "hash-log" {
            leave_segments_to_compact(&dir);
        }
        if stage == "sorted-log" {
            leave_tables_to_merge(&dir);
        }
        let before = files_in(&dir);
        for line in [
            "get c/key",
            "scan",
            "stats",
            "check",
            "inspect",
            "inspect LOGLADDER",
            "export -",
            "watch --all --no-follow",
            "history c/key",
            "--json stats",
        ] {
            let words: Vec<&str> = ["--dir", stage].into_iter().chain(line.split(' ')).collect();
            let output = run(folder.path(), &words);
            let (code, said) = (output.status.code(), String::from_utf8_lossy(&output.stderr));
            assert!(matches!(code, Some(0 | 5)), "{stage}: {line}: {said}");
            assert!(files_in(&dir) == before, "{stage}: {line} has changed the store");
        }
    }
}

#[test]
fn inspect_shows_a_store_that_is_open_elsewhere_or_was_not_closed() {
    let folder = tempfile::tempdir().unwrap();
    let mut open = session(folder.path());
    writeln!(open.stdin.as_mut().unwrap(), "set a 1\nset a 2\nget a").unwrap();
    let mut answer = String::new();
    BufReader::new(open.stdout.as_mut().unwrap()).read_line(&mut answer).unwrap();
    assert_eq!(answer, "\"2\"\n");
    let listed = |word: &str| {
        let listed = done(folder.path(), &["inspect"]);
        assert!(listed.lines().last().is_some_and(|line| line.contains(word)), "{listed}");
    };
    listed("active");
    open.kill().unwrap();
    open.wait().unwrap();
    let before = files_in(folder.path());
    listed("active");
    assert!(files_in(folder.path()) == before, "what was not closed is left as it is");
    assert_eq!(done(folder.path(), &["get", "a"]), "2\n");
    listed("sealed");
}

#[test]
fn a_line_of_json_for_each_thing_is_json() {
    let folder = tempfile::tempdir().unwrap();
    for stage in ["scan-log", "hash-log", "sorted-log"] {
        done(folder.path(), &["--stage", stage, "--dir", stage, "set", "a", "{\"b\":\"\\\"\"}"]);
        let file = if stage == "scan-log" { "store.json" } else { "MANIFEST" };
        let commands: [&[&str]; 10] = [
            &["get", "a"],
            &["scan"],
            &["stats"],
            &["check"],
            &["inspect"],
            &["inspect", file],
            &["inspect", file, "--limit", "1"],
            &["watch", "--all", "--no-follow"],
            &["compact"],
            &["stages"],
        ];
        for words in commands {
            let all: Vec<&str> = ["--json", "--dir", stage].iter().chain(words).copied().collect();
            let output = run(folder.path(), &all);
            let lines = String::from_utf8(output.stdout).unwrap();
            assert!(!lines.is_empty() || output.status.code() == Some(5), "{stage} {words:?}");
            for line in lines.lines() {
                let read: Result<serde_json::Value, _> = serde_json::from_str(line);
                assert!(read.is_ok_and(|value| value.is_object()), "{stage} {words:?}: {line}");
            }
        }
    }
    // Damage is told as JSON too.
    let manifest = folder.path().join("hash-log/MANIFEST");
    let mut bytes = std::fs::read(&manifest).unwrap();
    bytes[0] ^= 1;
    std::fs::write(&manifest, bytes).unwrap();
    for words in [&["check"][..], &["check", "--repair", "mended"]] {
        let all: Vec<&str> = ["--json", "--dir", "hash-log"].iter().chain(words).copied().collect();
        let output = run(folder.path(), &all);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        let lines = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<serde_json::Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(lines.iter().any(|line| line["severity"] == "damage"), "{lines:?}");
    }
}

#[test]
fn a_copy_into_a_folder_with_something_in_it_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    done(folder.path(), &["set", "a", "1"]);
    done(folder.path(), &["backup", "copy"]);
    let before = files_in(folder.path());
    for (words, remedy) in [
        (&["backup", "copy"][..], "name another, or move this one away"),
        (&["restore", "copy"], "name another with --dir, or move this one away"),
    ] {
        let output = run(folder.path(), words);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(3) && said.contains(remedy), "{words:?}: {said}");
    }
    assert!(files_in(folder.path()) == before);
}
