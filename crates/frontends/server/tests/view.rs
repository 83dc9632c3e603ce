//! The live view: what it shows of the files is what lies in them.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod harness;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use harness::view::{
    check_sums, files, json, layout, list, number, real, stage, steps, temporary, text, total,
};
use harness::{options, serve};
use logladder::{Engine, SyncPolicy, hash_log};
use logladder_server::{CrashableStore, Token, View};
use serde_json::Value;

const STAGES_WITH_A_LOG: [&str; 4] = ["scan-log", "replay-log", "hash-log", "sorted-log"];

/// That what the layout says of the files in `dir` is in them.
fn check_against_the_files(step: &Value, dir: &Path) {
    let files = files(dir);
    let part = |value: &Value, file: &str| {
        let at = usize::try_from(number(value, "at")).unwrap();
        let len = usize::try_from(number(value, "len")).unwrap();
        files[file][at..at + len].to_vec()
    };
    let contains =
        |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    let layout = &step["layout"];
    for file in list(layout, "files") {
        assert_eq!(number(file, "bytes"), files[text(file, "name")].len() as u64, "{file}");
        for record in list(file, "records").iter().filter(|record| record["key"].is_string()) {
            assert!(contains(&part(record, text(file, "name")), text(record, "key")), "{record}");
        }
    }
    for place in list(layout, "places") {
        let record = part(place, text(place, "file"));
        assert!(contains(&record, text(place, "key")), "{place}: {:?}", String::from_utf8_lossy(&record));
    }
    let newest = &layout["newest"];
    let mut end = number(newest, "at");
    let hex: String = list(newest, "fields")
        .iter()
        .map(|field| {
            assert_eq!(number(field, "at"), end, "every byte has a name: {newest}");
            assert!(!text(field, "name").is_empty());
            end += number(field, "len");
            text(field, "hex").to_owned()
        })
        .collect();
    assert_eq!(hex, data_encoding::HEXLOWER.encode(&part(newest, text(newest, "file"))));
}

/// Writes a few keys, some of them again, and deletes one.
fn write_some(engine: &dyn Engine) {
    for round in 0..4 {
        for key in 0..6 {
            engine
                .set(format!("key-{key}").as_bytes(), format!("value {key} of {round}").as_bytes())
                .unwrap();
        }
        engine.delete(b"key-1").unwrap();
    }
    engine.set(b"binary", b"\x00\xff\n").unwrap();
}

#[test]
fn there_is_no_such_page_unless_it_is_asked_for() {
    let server = harness::stage("hash-log");
    for path in ["/view", "/view/main.js", "/view/about", "/view/layout", "/view/states"] {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
    assert_eq!(server.post("/view/crash?how=kill", "").status, 404);
}

#[test]
fn the_page_comes_from_this_server_alone_and_runs_no_script_within_itself() {
    let server = temporary("hash-log");
    let page = server.get("/view");
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    let html = page.text();
    assert!(!html.contains("<script>") && !html.contains("style=") && !html.contains("http"), "{html}");
    let named = html.split('"').filter(|part| part.starts_with("/view/"));
    let mut found: Vec<String> = named.map(str::to_owned).collect();
    assert!(found.len() >= 3, "{found:?}");
    while let Some(path) = found.pop() {
        let answer = server.get(&path);
        assert_eq!(answer.status, 200, "{path}");
        let imports = answer.text().split("from \"./").skip(1).filter_map(|rest| rest.split('"').next());
        found.extend(imports.map(|name| format!("/view/{name}")));
    }
    assert_eq!(server.get("/view/other.js").status, 404);
}

#[test]
fn without_the_token_there_is_the_page_and_nothing_of_the_store() {
    let store = CrashableStore::new(stage("hash-log"), SyncPolicy::Never).unwrap();
    let mut options = options();
    options.token = Token::new("secret");
    options.view = Some(View::of_crashable(&store));
    let server = serve(Box::new(store), options, tempfile::tempdir().unwrap());
    assert_eq!(server.get("/view").status, 200);
    assert_eq!(server.get("/view/main.js").status, 200);
    for path in ["/view/about", "/view/layout", "/view/states", "/view/", "/view/other"] {
        assert_eq!(server.get(path).status, 401, "{path}");
    }
    assert_eq!(server.post("/view/crash?how=kill", "").status, 401);
    let shown = [("authorization", "Bearer secret")];
    assert_eq!(server.send("GET", "/view/layout", &shown, b"").status, 200);
    let stranger = [("origin", "http://evil.example")];
    assert_eq!(server.send("GET", "/view", &stranger, b"").status, 403);
}

#[test]
fn the_bytes_of_each_class_add_up_to_the_file_and_an_arrow_ends_at_its_record() {
    for name in STAGES_WITH_A_LOG {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().to_path_buf();
        let engine = Arc::new(stage(name).open(&dir, SyncPolicy::Never).unwrap());
        let mut options = options();
        options.view = Some(View::of_folder(stage(name), &dir));
        let server = harness::serve_shared(Arc::clone(&engine), options, folder);
        check_sums(&layout(&server));
        write_some(&**engine);
        harness::in_the_end(|| number(&layout(&server)["layout"], "keys") == 6);
        let step = layout(&server);
        check_sums(&step);
        check_against_the_files(&step, &dir);
        let places = list(&step["layout"], "places");
        let keys: Vec<&str> = places.iter().map(|place| text(place, "key")).collect();
        assert_eq!(keys, ["binary", "key-5", "key-4", "key-3", "key-2", "key-0"], "{name}");
        assert!(step["layout"]["trouble"].is_null(), "{step}");
        assert!(text(&step["layout"]["newest"], "text").starts_with("set binary = "), "{step}");
        if name == "hash-log" {
            for usage in hash_log::segments(&dir).unwrap() {
                let file = format!("segment-{:010}.log", usage.id);
                let shown =
                    list(&step["layout"], "files").iter().find(|shown| text(shown, "name") == file).unwrap();
                assert_eq!(number(&shown["totals"], "live"), usage.live_bytes);
                assert_eq!(number(&shown["totals"], "dead"), usage.dead_bytes());
                assert_eq!(number(&shown["totals"], "tombstone"), usage.tombstone_bytes);
            }
        }
        drop(engine);
    }
}

#[test]
fn each_operation_is_a_step_that_says_what_it_did() {
    let server = temporary("hash-log");
    let before = number(&layout(&server), "number");
    assert_eq!(server.put("/v1/keys/fish", b"hilsa").status, 204);
    assert_eq!(server.delete("/v1/keys/fish").status, 204);
    assert_eq!(server.post("/v1/sync", "").status, 204);
    let steps = steps(&server);
    let said: Vec<&str> =
        steps.iter().skip(usize::try_from(before).unwrap()).map(|step| text(step, "what")).collect();
    assert_eq!(said, ["set fish = hilsa", "delete fish", "sync: what was written survives a loss of power"]);
    let deeds = list(&steps[usize::try_from(before).unwrap()], "disk");
    assert!(deeds[0].as_str().unwrap().starts_with("write 25 bytes to segment-"), "{deeds:?}");
    let numbers: Vec<u64> = steps.iter().map(|step| number(step, "number")).collect();
    assert_eq!(numbers, (1..=before + 3).collect::<Vec<_>>());
    steps.iter().for_each(check_sums);
}

#[test]
fn a_compaction_is_shown_while_the_old_files_and_the_new_ones_are_both_there() {
    for name in ["hash-log", "replay-log", "sorted-log"] {
        let server = temporary(name);
        let before = layout(&server);
        assert!(total(&before, "dead") > 0, "{before}");
        assert_eq!(server.post("/v1/compact", "").status, 200);
        let after = layout(&server);
        assert_eq!(total(&after, "dead"), 0, "{after}");
        assert_eq!(after["layout"]["keys"], before["layout"]["keys"]);
        let under_way: Vec<Value> =
            steps(&server).into_iter().filter(|step| text(step, "what").contains("under way")).collect();
        assert!(under_way.len() >= 2, "{name}");
        under_way.iter().for_each(check_sums);
        let most = under_way.iter().map(|step| list(&step["layout"], "files").len()).max().unwrap();
        assert!(most > list(&after["layout"], "files").len(), "{name}: old and new ones at once");
        if name != "replay-log" {
            assert!(
                under_way.iter().any(|step| total(step, "loose") > 0),
                "a copy that nobody points to yet"
            );
        }
    }
}

#[test]
fn a_kill_takes_nothing_and_a_loss_of_power_what_was_not_synced() {
    for name in STAGES_WITH_A_LOG {
        let server = temporary(name);
        assert_eq!(server.post("/v1/sync", "").status, 204);
        assert_eq!(server.put("/v1/keys/late", b"not synced").status, 204);
        assert_eq!(server.post("/view/crash?how=kill", "").status, 204);
        let dead = layout(&server);
        assert_eq!(dead["is_open"], false);
        let refused = server.put("/v1/keys/k", b"v");
        assert_eq!(refused.status, 503, "{}", refused.text());
        assert!(refused.error().contains("it has crashed: open it again"), "{}", refused.text());
        assert_eq!(server.get("/readyz").status, 503);
        assert_eq!(server.post("/view/crash?how=kill", "").status, 503, "it is dead already");
        assert_eq!(server.post("/view/reopen", "").status, 204);
        assert_eq!(server.get("/v1/keys/late").body, b"not synced", "{name}");

        assert_eq!(server.post("/v1/sync", "").status, 204);
        assert_eq!(server.put("/v1/keys/later", b"not synced").status, 204);
        assert_eq!(server.post("/view/crash?how=power", "").status, 204);
        assert_eq!(server.post("/view/reopen", "").status, 204);
        assert_eq!(server.get("/v1/keys/late").body, b"not synced", "{name}: it was synced since");
        assert_eq!(server.get("/v1/keys/later").status, 404, "{name}");
        assert_eq!(server.get("/v1/keys/river").body, b"Meghna", "{name}");
        steps(&server).iter().for_each(check_sums);
        assert_eq!(server.post("/view/crash?how=otherwise", "").status, 400);
    }
}

#[test]
fn a_real_store_is_not_made_to_crash() {
    let folder = tempfile::tempdir().unwrap();
    let engine = stage("hash-log").open(folder.path(), SyncPolicy::Never).unwrap();
    let server = real("hash-log", engine, folder);
    for path in ["/view/crash?how=kill", "/view/crash?how=power", "/view/reopen"] {
        let answer = server.post(path, "");
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.error().contains("cargo xtask view"), "{}", answer.error());
    }
    assert_eq!(json(&server.get("/view/about").body)["is_temporary"], false);
}

#[test]
fn a_stage_without_a_log_has_a_page_that_says_so() {
    for name in ["memory", "json-file", "file-per-key", "write-behind"] {
        let server = temporary(name);
        assert_eq!(json(&server.get("/view/about").body)["has_a_log"], false, "{name}");
        let step = layout(&server);
        assert!(list(&step["layout"], "places").is_empty(), "{name}");
        check_sums(&step);
        assert_eq!(list(&step["layout"], "files").is_empty(), name == "memory", "{step}");
    }
}

/// The files of a store that was written to and closed.
fn sample_files(name: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let engine = stage(name).open(folder.path(), SyncPolicy::Never).unwrap();
    write_some(&*engine);
    if let Some(compact) = engine.as_compact() {
        compact.compact().unwrap();
        engine.set(b"after", b"compaction").unwrap();
    }
    engine.close().unwrap();
    files(folder.path())
}

#[test]
fn damage_anywhere_is_told_of_and_breaks_nothing() {
    for name in STAGES_WITH_A_LOG {
        let whole = sample_files(name);
        let mut told = 0;
        for (damaged, bytes) in whole.iter().filter(|(file, _)| *file != "LOGLADDER") {
            // Each place of a small file, and some of a large one; and each file cut.
            let stride = bytes.len().div_ceil(24).max(1);
            let flips = (0..bytes.len()).step_by(stride).map(|at| {
                let mut flipped = bytes.clone();
                flipped[at] ^= 0x55;
                flipped
            });
            let cuts = (0..bytes.len()).step_by(3 * stride).map(|len| bytes[..len].to_vec());
            for content in flips.chain(cuts) {
                let folder = tempfile::tempdir().unwrap();
                for (file, bytes) in &whole {
                    let bytes = if file == damaged { &content } else { bytes };
                    #[allow(clippy::disallowed_methods, reason = "damage is not written with care")]
                    std::fs::write(folder.path().join(file), bytes).unwrap();
                }
                // The engine is another's: this one would refuse to open.
                let server = real(name, Box::new(logladder::memory::Memory::default()), folder);
                let step = layout(&server);
                check_sums(&step);
                told += usize::from(step["layout"]["trouble"].is_string());
            }
        }
        assert!(told > 10, "{name}: {told}");
    }
}

#[test]
fn a_damaged_record_is_named_with_its_file() {
    let whole = sample_files("scan-log");
    let folder = tempfile::tempdir().unwrap();
    for (file, bytes) in &whole {
        let mut bytes = bytes.clone();
        if file == "store.json" {
            bytes[0] = b'?';
        }
        #[allow(clippy::disallowed_methods, reason = "damage is not written with care")]
        std::fs::write(folder.path().join(file), bytes).unwrap();
    }
    let server = real("scan-log", Box::new(logladder::memory::Memory::default()), folder);
    let step = layout(&server);
    assert_eq!(text(&step["layout"], "trouble"), "store.json: the 31 bytes from 0 on cannot be read");
    assert_eq!(total(&step, "torn"), 31);
}

#[test]
fn of_a_large_store_a_bounded_part_is_sent_and_said_to_be_one() {
    const MOST: usize = 300_000;
    for name in STAGES_WITH_A_LOG {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().to_path_buf();
        let engine = stage(name).open(&dir, SyncPolicy::Never).unwrap();
        for key in 0..20_000_u32 {
            engine.set(format!("key-{key:06}").as_bytes(), &[b'v'; 60]).unwrap();
        }
        let server = real(name, engine, folder);
        let answer = server.get("/view/layout");
        assert!(answer.body.len() < MOST, "{name}: {}", answer.body.len());
        let step = json(&answer.body);
        check_sums(&step);
        let places = list(&step["layout"], "places");
        assert!(!places.is_empty() && places.len() <= 40, "{name}: {}", places.len());
        assert_eq!(server.put("/v1/keys/newest", b"of all").status, 204);
        let mut newest = String::new();
        harness::in_the_end(|| {
            newest = layout(&server)["layout"]["places"][0]["key"].as_str().unwrap_or_default().to_owned();
            newest == "newest"
        });
        assert_eq!(newest, "newest", "{name}");
        assert_eq!(text(&layout(&server)["layout"]["newest"], "text"), "set newest = of all", "{name}");
        if name == "hash-log" {
            assert_eq!(number(&layout(&server)["layout"], "keys"), 20_001);
        } else {
            assert!(total(&step, "unread") > 0 && !list(&step["layout"], "left_out").is_empty(), "{name}");
        }
    }
}
