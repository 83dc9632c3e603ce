//! The live view of a server, for those that look at it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use logladder::{Engine, Stage, SyncPolicy};
use logladder_server::{CrashableStore, View};
use serde_json::Value;

use super::{Running, options, serve};

pub(crate) fn stage(name: &str) -> &'static Stage {
    logladder::stage(name).unwrap()
}

/// A server over a temporary store with the samples in it.
pub(crate) fn temporary(name: &str) -> Running {
    let store = CrashableStore::new(stage(name), SyncPolicy::Never).unwrap();
    store.write_samples().unwrap();
    let mut options = options();
    options.view = Some(View::of_crashable(&store));
    serve(Box::new(store), options, tempfile::tempdir().unwrap())
}

/// A server over `engine`, whose files lie in the folder.
pub(crate) fn real(name: &str, engine: Box<dyn Engine>, folder: tempfile::TempDir) -> Running {
    let mut options = options();
    options.view = Some(View::of_folder(stage(name), folder.path()));
    serve(engine, options, folder)
}

pub(crate) fn json(text: &[u8]) -> Value {
    serde_json::from_slice(text).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(text)))
}

pub(crate) fn layout(server: &Running) -> Value {
    let answer = server.get("/view/layout");
    assert_eq!(answer.status, 200, "{}", answer.text());
    json(&answer.body)
}

/// Every step so far.
pub(crate) fn steps(server: &Running) -> Vec<Value> {
    let newest = layout(server)["number"].as_u64().unwrap();
    let mut stream = server.connect();
    let host = server.address;
    write!(stream, "GET /view/states HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
    let lines = BufReader::new(stream).lines().map(Result::unwrap);
    let events = lines.filter_map(|line| line.strip_prefix("data: ").map(|data| json(data.as_bytes())));
    let mut steps: Vec<Value> = Vec::new();
    for event in events {
        let is_last = event["number"].as_u64() == Some(newest);
        steps.push(event);
        if is_last {
            break;
        }
    }
    steps
}

pub(crate) fn list<'v>(value: &'v Value, name: &str) -> &'v Vec<Value> {
    value[name].as_array().unwrap_or_else(|| panic!("no list {name} in {value}"))
}

pub(crate) fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_else(|| panic!("no number {name} in {value}"))
}

pub(crate) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("no text {name} in {value}"))
}

/// That the bytes of the classes are those of the file, and that the records lie one behind the other.
pub(crate) fn check_sums(step: &Value) {
    for file in list(&step["layout"], "files") {
        let sum: u64 =
            file["totals"].as_object().unwrap().values().map(|bytes| bytes.as_u64().unwrap()).sum();
        assert_eq!(sum, number(file, "bytes"), "{file}");
        if file["is_whole"] != true || file["is_log"] != true {
            continue;
        }
        let mut end = 0;
        let mut by_class: BTreeMap<&str, u64> = BTreeMap::new();
        for record in list(file, "records") {
            assert_eq!(number(record, "at"), end, "{file}");
            end += number(record, "len");
            *by_class.entry(text(record, "class")).or_default() += number(record, "len");
        }
        assert_eq!(end, number(file, "bytes"), "{file}");
        for (class, bytes) in by_class {
            assert_eq!(number(&file["totals"], class), bytes, "{class} of {file}");
        }
    }
}

/// The files of a folder, by name.
pub(crate) fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(dir).unwrap().map(Result::unwrap);
    entries
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .collect()
}

/// How many bytes of a class there are in all files.
pub(crate) fn total(step: &Value, class: &str) -> u64 {
    list(&step["layout"], "files").iter().map(|file| number(&file["totals"], class)).sum()
}
