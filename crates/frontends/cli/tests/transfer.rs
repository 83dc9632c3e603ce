//! `import` and `export`: which line is bad, and what a file does not hold of the store.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that cannot be set up fails")]

mod called;

use std::io::{BufRead, BufReader, Read};

use called::{command, done, run};

#[test]
fn a_bad_row_is_named_by_its_line_whatever_ends_lines_and_however_many_are_empty() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text, line) in [
        ("crlf.csv", "k,v\r\na,x\r\nb\r\n", 3),
        ("empty.csv", "k,v\na,x\n\n\nb\n", 5),
        ("open.csv", "a,x\r\n\r\n\"c,3\r\nd,4\r\n", 3),
        ("within.csv", "a,\"x\r\n\r\ny\"\r\nb\r\n", 4),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
        let output = run(folder.path(), &["--dir", name.trim_end_matches(".csv"), "import", name]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(4), "{said}");
        assert!(said.contains(&format!("{name}:{line}")), "{name}: {said}");
    }
}

#[test]
fn an_export_says_how_many_of_its_values_end_since_the_file_cannot() {
    let folder = tempfile::tempdir().unwrap();
    done(folder.path(), &["set", "stays", "1"]);
    done(folder.path(), &["set", "ends", "2", "--ttl", "1h"]);
    let output = run(folder.path(), &["export", "out.jsonl"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("2 records exported") && said.contains("1 of these values will end"), "{said}");
    done(folder.path(), &["del", "ends"]);
    let output = run(folder.path(), &["export", "again.jsonl"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("1 record exported") && !said.contains("will end"), "{said}");
}

/// Of a listing, a part may be all that its reader wanted; half of an export would pass for a whole one.
#[test]
fn an_export_whose_reader_goes_away_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let lines: Vec<String> = (0..20_000).map(|number| format!("{number}\tvalue\n")).collect();
    std::fs::write(folder.path().join("in.tsv"), lines.concat()).unwrap();
    done(folder.path(), &["import", "in.tsv"]);
    let mut export = command(folder.path(), &["export", "-"]).spawn().unwrap();
    let mut out = BufReader::new(export.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    drop(out);
    let mut said = String::new();
    export.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(export.wait().unwrap().code(), Some(3), "{said}");
    assert!(said.contains("not whole") && !said.contains("exported\n"), "{said}");
}
