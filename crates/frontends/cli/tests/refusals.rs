//! What the page of the book does not show: a store in use, readers that go away, watching, damaged input.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that cannot be set up fails")]

mod called;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Command;

use called::{command, done, run, session};

#[test]
fn a_store_in_use_is_refused_with_the_name_of_its_lock_and_waited_for_if_asked() {
    let folder = tempfile::tempdir().unwrap();
    let mut open = session(folder.path());
    let output = run(folder.path(), &["--wait", "0s", "set", "a", "1"]);
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("LOGLADDER is locked"), "{said}");

    let waiting = command(folder.path(), &["--wait", "60s", "set", "a", "1"]).spawn().unwrap();
    drop(open.stdin.take());
    assert!(open.wait().unwrap().success());
    assert!(waiting.wait_with_output().unwrap().status.success());
    assert_eq!(done(folder.path(), &["get", "a"]), "1\n");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let lines: Vec<String> = (0..20_000).map(|number| format!("{number}\tvalue\n")).collect();
    std::fs::write(folder.path().join("in.tsv"), lines.concat()).unwrap();
    done(folder.path(), &["import", "in.tsv"]);
    let mut scan = command(folder.path(), &["scan"]).spawn().unwrap();
    let mut out = BufReader::new(scan.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    drop(out);
    let mut said = String::new();
    scan.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((scan.wait().unwrap().code(), said.as_str()), (Some(0), ""));
}

#[test]
fn watch_shows_what_another_process_writes_and_ends_after_the_count() {
    let folder = tempfile::tempdir().unwrap();
    done(folder.path(), &["set", "before", "0"]);
    let mut watch =
        command(folder.path(), &["--wait", "60s", "watch", "--all", "--count", "3"]).spawn().unwrap();
    let mut out = BufReader::new(watch.stdout.take().unwrap());
    let mut line = || {
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        line.split_once('\t').map(|(_, change)| change.to_owned()).unwrap_or_default()
    };
    // It has looked once, and follows.
    assert_eq!(line(), "set\tbefore\t0\n");
    std::fs::write(folder.path().join("in.tsv"), "a\t1\nb\t2\n").unwrap();
    done(folder.path(), &["--wait", "60s", "import", "in.tsv"]);
    assert_eq!(line(), "set\ta\t1\n");
    assert_eq!(line(), "set\tb\t2\n");
    assert!(watch.wait().unwrap().success());
}

#[test]
fn every_format_carries_every_byte_string_from_one_stage_to_another() {
    let folder = tempfile::tempdir().unwrap();
    let samples = [
        ("", ""),
        ("plain", "{\"a\":1}"),
        ("b\"\\xff\\x00\"", "b\"\\xfe\""),
        ("tab", "b\"a\\tb\\nc\\r\""),
        ("quote", "a,\"b\""),
        ("$base64:x", "null"),
    ];
    for (key, value) in samples {
        done(folder.path(), &["set", key, value]);
    }
    let expected = done(folder.path(), &["scan", "--sorted"]);
    for (format, file) in [
        ("jsonl", "x.jsonl"),
        ("csv", "x.csv"),
        ("tsv", "x.tsv"),
        ("database.json", "database.json"),
        ("store.json", "store.json"),
        ("aof", "x.aof"),
    ] {
        done(folder.path(), &["export", file]);
        for stage in ["json-file", "scan-log"] {
            let dir = format!("{stage}-{format}");
            done(folder.path(), &["--stage", stage, "--dir", &dir, "import", file]);
            assert_eq!(done(folder.path(), &["--dir", &dir, "scan", "--sorted"]), expected, "{dir}");
        }
        let again = run(folder.path(), &["export", file]);
        assert_eq!(again.status.code(), Some(3), "a file that is there is not replaced");
    }
}

#[test]
fn a_database_that_is_not_one_object_is_refused_with_its_line_and_left_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("database.json");
    std::fs::write(&path, "{\"1\":1,\n[").unwrap();
    let output = run(folder.path(), &["--stage", "json-file", "--dir", ".", "get", "1"]);
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("line 2"), "{said}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"1\":1,\n[");

    let output = run(folder.path(), &["--dir", "new", "import", "database.json"]);
    assert_eq!(output.status.code(), Some(4));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("1 record imported\n") && said.contains("database.json:2: column"), "{said}");
}

#[test]
fn a_refusal_of_the_system_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("taken"), "").unwrap();
    let output = run(folder.path(), &["--dir", "taken/store", "set", "a", "1"]);
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.matches("os error").count(), 1, "{said}");
}

/// A segment reserves 1 MiB; where that is over the limit, it is written without a reserve.
#[cfg(unix)]
#[test]
fn a_limit_of_files_is_an_error_and_not_the_end_of_the_process() {
    let folder = tempfile::tempdir().unwrap();
    for (blocks, code, says) in [("512", 0, ""), ("0", 3, "ulimit -f")] {
        let mut shell = Command::new("sh");
        let line = format!("ulimit -f {blocks}; exec \"$0\" set a b");
        shell.args(["-c", &line, env!("CARGO_BIN_EXE_logladder")]);
        let output = shell.env("LOGLADDER_DIR", folder.path().join(blocks)).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{blocks} blocks: {said}");
        assert!(said.contains(says), "{blocks} blocks: {said}");
    }
}

/// A file that is not told apart from some place on has no lines that could be left out.
#[test]
fn what_stands_behind_broken_json_is_never_left_out_unsaid() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hole.json"), r#"{"1":1,"2":bad,"3":3}"#).unwrap();
    let output = run(folder.path(), &["import", "hole.json", "--skip-bad-lines"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("hole.json:1") && said.contains("what follows cannot be read"), "{said}");
    assert_eq!(done(folder.path(), &["get", "1"]), "1\n");

    std::fs::write(folder.path().join("open.csv"), "key,value\na,1\nb,\"x\nc,3\n").unwrap();
    let output = run(folder.path(), &["--dir", "csv", "import", "open.csv", "--skip-bad-lines"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("open.csv:3") && said.contains("never closed"), "{said}");
    assert_eq!(done(folder.path(), &["--dir", "csv", "scan"]), "a\t1\n");
}

#[test]
fn what_an_interrupted_export_left_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    done(folder.path(), &["set", "a", "1"]);
    std::fs::write(folder.path().join("out.jsonl.tmp"), "half").unwrap();
    let output = run(folder.path(), &["export", "out.jsonl"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(3) && said.contains("remove it"), "{said}");
    std::fs::remove_file(folder.path().join("out.jsonl.tmp")).unwrap();
    done(folder.path(), &["export", "out.jsonl"]);
}

#[test]
fn a_line_that_is_no_text_does_not_end_a_session() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = command(folder.path(), &["repl"]).spawn().unwrap();
    session.stdin.take().unwrap().write_all(b"get \xff\nset a 1\nget a\n").unwrap();
    let output = session.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("error: the line is not UTF-8") && said.ends_with("\n\"1\"\n"), "{said}");
    assert_eq!(output.status.code(), Some(2));
}

/// Lines of batches, of texts that are JSON, and of bytes that are no text.
#[test]
fn what_stage_5_keeps_and_what_is_exported_can_be_imported_again() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("in.tsv"), "a\t{\"n\":1}\nb\tb\"\\xff\"\nc\t3\n").unwrap();
    done(folder.path(), &["--stage", "5", "--dir", "own", "import", "in.tsv"]);
    std::fs::copy(folder.path().join("own/appendonly-0000000001.aof"), folder.path().join("own.aof"))
        .unwrap();
    done(folder.path(), &["--stage", "5", "--dir", "copy", "import", "own.aof"]);
    done(folder.path(), &["--dir", "copy", "export", "--sorted", "copy.aof"]);
    let exported = std::fs::read_to_string(folder.path().join("copy.aof")).unwrap();
    assert!(exported.contains(r#""value":"{\"n\":1}""#), "another program expects a string: {exported}");
    done(folder.path(), &["--dir", "again", "import", "copy.aof"]);
    let all = |dir| done(folder.path(), &["--dir", dir, "scan", "--sorted"]);
    assert_eq!(all("own"), all("again"));
    assert_eq!(all("own").lines().count(), 3);
}

#[test]
fn versions_of_a_stage_that_keeps_none_are_refused_with_those_that_do() {
    let folder = tempfile::tempdir().unwrap();
    for words in [
        &["--stage", "scan-log", "--versions", "3", "set", "a", "1"][..],
        &["--stage", "2", "--versions", "1", "repl"],
    ] {
        let output = run(folder.path(), words);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.code() == Some(5) && said.contains("replay-log, hash-log"),
            "{words:?}: {said}"
        );
    }
    assert!(!folder.path().join("logladder-data").exists(), "no store was made");
}

#[test]
fn an_empty_file_has_no_records_and_is_no_json_object() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["x.jsonl", "x.csv", "x.tsv", "store.json", "x.aof"] {
        std::fs::write(folder.path().join(name), "").unwrap();
        done(folder.path(), &["import", name]);
    }
    std::fs::write(folder.path().join("x.json"), "").unwrap();
    let output = run(folder.path(), &["import", "x.json"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(4) && said.contains("x.json:1: it is empty"), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_the_output_is_named_as_that() {
    let folder = tempfile::tempdir().unwrap();
    done(folder.path(), &["set", "a", "1"]);
    for words in
        [&["get", "a"][..], &["scan"], &["export", "-"], &["--json", "stats"], &["inspect"], &["stages"]]
    {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = command(folder.path(), words).stdout(full).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let is_told = said.contains("cannot write to standard output: No space left");
        assert!(output.status.code() == Some(3) && is_told, "{words:?}: {said}");
    }
}

/// The file may not grow, so the export fails; the store itself reserves nothing then.
#[cfg(unix)]
#[test]
fn an_export_without_room_names_its_file_and_leaves_none() {
    let folder = tempfile::tempdir().unwrap();
    done(folder.path(), &["set", "a", &"long ".repeat(1000)]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -f 0; exec \"$0\" export out.jsonl", env!("CARGO_BIN_EXE_logladder")]);
    let output = shell.current_dir(folder.path()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("out.jsonl") && !said.contains("standard output"), "{said}");
    let left: Vec<_> = called::files_in(folder.path()).into_keys().collect();
    assert!(left.iter().all(|path| !path.display().to_string().contains("out.jsonl")), "{left:?}");
}

#[test]
fn a_folder_within_that_of_the_store_is_refused_for_a_copy_as_a_place_and_not_as_a_stage() {
    let folder = tempfile::tempdir().unwrap();
    done(folder.path(), &["set", "a", "1"]);
    let store = folder.path().join("logladder-data");
    for words in [["backup", "logladder-data/copy"], ["check", "--repair=logladder-data/copy"]] {
        let output = run(folder.path(), &words);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{words:?}: {said}");
        assert!(said.contains("name another folder") && !store.join("copy").exists(), "{words:?}: {said}");
    }
}

#[test]
fn an_export_into_the_folder_of_the_store_is_refused_however_it_is_called() {
    let folder = tempfile::tempdir().unwrap();
    done(folder.path(), &["set", "a", "1"]);
    let before = called::files_in(folder.path());
    for file in ["logladder-data/segment-0000000099.log", "logladder-data/../logladder-data/out.jsonl"] {
        let output = run(folder.path(), &["export", file, "--format", "jsonl"]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(3) && said.contains("name a file elsewhere"), "{file}: {said}");
    }
    assert_eq!(called::files_in(folder.path()), before);
}

/// What is left of a copy or a repair that ended before it had written anything.
#[test]
fn a_lock_file_that_claims_nothing_is_no_store_to_whoever_reads_and_stays_as_it_is() {
    for (stage, claim) in
        ["hash-log", "sorted-log", "scan-log"].map(|stage| [(stage, ""), (stage, "\0\0")]).concat()
    {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("left");
        std::fs::create_dir(&store).unwrap();
        std::fs::write(store.join("LOGLADDER"), claim).unwrap();
        for words in
            [&["get", "a"][..], &["scan"], &["check"], &["stats"], &["backup", "copy"], &["export", "-"]]
        {
            let output = run(folder.path(), &[&["--stage", stage, "--dir", "left"], words].concat());
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(
                output.status.code() == Some(3) && said.contains("no store in left"),
                "{words:?}: {said}"
            );
        }
        let output = run(folder.path(), &["--dir", "new", "restore", "left"]);
        assert_eq!(output.status.code(), Some(3), "{stage}");
        assert_eq!(std::fs::read(store.join("LOGLADDER")).unwrap(), claim.as_bytes(), "{stage}");
        done(folder.path(), &["--stage", stage, "--dir", "left", "set", "a", "1"]);
        assert_eq!(done(folder.path(), &["--dir", "left", "get", "a"]), "1\n");
    }
}

#[test]
fn a_value_that_would_end_at_once_is_refused_and_not_set() {
    let folder = tempfile::tempdir().unwrap();
    done(folder.path(), &["set", "a", "1"]);
    let output = run(folder.path(), &["set", "a", "2", "--ttl", "0s"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && said.contains("ends at once"), "{said}");
    assert_eq!(done(folder.path(), &["get", "a"]), "1\n");
}

#[test]
fn a_filter_of_the_log_that_means_nothing_is_refused_with_what_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    for filter in ["nonsense=", "inof"] {
        let output = run(folder.path(), &["serve", "--addr", "127.0.0.1:0", "--log", filter]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.code() == Some(2) && said.contains("off, error, warn, info"),
            "{filter}: {said}"
        );
    }
    assert!(!folder.path().join("logladder-data").exists(), "no store was made");
}

/// Each line is a document, and the report is one line.
#[test]
fn what_bench_prints_as_json_is_one_document_on_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["--json", "--stage", "memory", "bench", "--keys", "10", "--seconds", "1"];
    let printed = done(folder.path(), &words);
    assert_eq!(printed.lines().count(), 1, "{printed}");
    let report: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert!(report.is_object(), "{report}");
}

#[test]
fn an_address_that_is_a_name_is_refused_with_one_that_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["serve", "--addr", "store.example:8080"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && said.contains("such as 127.0.0.1:8080"), "{said}");
}
