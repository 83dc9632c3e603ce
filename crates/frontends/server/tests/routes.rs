//! Every route and every refusal, over the network.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod harness;

use harness::{memory, options, stage, with_history};
use logladder::STAGES;

#[test]
fn the_session_of_the_append_only_store_runs_as_its_users_know_it() {
    let server = stage("scan-log");
    let answer = server.post("/set", r#"{"key": "name", "value": "John"}"#);
    // As many bytes as the document's access log has.
    assert_eq!((answer.status, answer.body.len()), (201, 30));
    let answer = server.get("/get/name");
    assert_eq!((answer.status, answer.text()), (200, "{\"key\":\"name\",\"value\":\"John\"}\n"));
    let answer = server.delete("/del/name");
    assert_eq!((answer.status, answer.text()), (204, ""));
    assert_eq!(server.delete("/del/name").status, 404);
    assert_eq!(server.get("/get/name").status, 404);
}

#[test]
fn the_session_of_the_replicated_store_runs_with_versions_that_go_up_by_one() {
    let server = with_history();
    let set = |value: &str| server.post("/set", &format!(r#"{{"key": "name", "value": "{value}"}}"#));
    assert_eq!(set("Monika").text(), "{\"key\":\"name\",\"value\":\"Monika\",\"version\":1}\n");
    assert_eq!(server.get("/get/name").text(), "{\"key\":\"name\",\"value\":\"Monika\",\"version\":1}\n");
    assert_eq!(set("Monika Rahman").status, 201);
    assert_eq!(
        server.get("/get/name").text(),
        "{\"key\":\"name\",\"value\":\"Monika Rahman\",\"version\":2}\n"
    );
    let answer = server.delete("/delete/name");
    assert_eq!(
        (answer.status, answer.text()),
        (200, "{\"message\":\"Deleted successfully\",\"key\":\"name\"}\n")
    );
    let answer = server.get("/get/name");
    assert_eq!((answer.status, answer.text()), (404, "{\"error\":\"Key not found\"}\n"));
    assert_eq!(server.delete("/delete/name").text(), "{\"error\":\"Key not found\"}\n");
    assert_eq!(
        server.get("/v1/keys/name/history").text(),
        "{\"key\":\"name\",\"versions\":[{\"version\":3,\"deleted\":true},\
         {\"version\":2,\"value\":\"Monika Rahman\",\"deleted\":false},\
         {\"version\":1,\"value\":\"Monika\",\"deleted\":false}]}\n"
    );
    let at = |version: u64| server.get(&format!("/v1/keys/name?at={version}"));
    assert_eq!((at(1).status, at(1).text().to_owned()), (200, "Monika".to_owned()));
    assert_eq!((at(3).status, at(4).status), (404, 404));
    let page = server.get("/v1/keys/name/history?limit=1&before=3");
    assert!(page.text().contains("\"version\":2") && !page.text().contains("\"version\":1"), "{page:?}");
}

#[test]
fn a_set_that_lacks_something_is_refused_and_says_what() {
    let server = memory(options());
    for body in [
        r"{}",
        r#"{"key":"a"}"#,
        r#"{"value":"a"}"#,
        r#"{"key":"a","value":null}"#,
        r#"{"key":"","value":"a"}"#,
    ] {
        let answer = server.post("/set", body);
        assert_eq!(
            (answer.status, answer.text()),
            (400, "{\"error\":\"Key and value required\"}\n"),
            "{body}"
        );
    }
    let answer = server.post("/set", "{\n\"key\": oops}");
    assert_eq!(answer.status, 400);
    assert_eq!(answer.error(), "bad JSON: expected value at line 2 column 8");
    for (body, says) in [
        (
            r#"{"key":1,"value":"a"}"#,
            "the key must be a string, or an object or an array for its own text, and is 1",
        ),
        (r"[1]", "unexpected JSON"),
        (r#"{"key":"a","value":{"$base64":"!"}}"#, "the value: "),
        ("", "bad JSON: EOF"),
    ] {
        let answer = server.post("/set", body);
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.error().starts_with(says), "{body}: {answer:?}");
    }
    let long = "k".repeat(1 << 20);
    let answer = server.post("/set", &format!(r#"{{"key":"{long}","value":"a"}}"#));
    assert_eq!(answer.status, 413);
    assert!(answer.error().contains("the limit is 65535"), "{answer:?}");
    assert_eq!(server.get("/v1/keys").text(), "{\"keys\":[],\"cursor\":null}\n");
}

#[test]
fn values_are_any_json_and_come_back_as_it() {
    let server = memory(options());
    for value in [r#"{"a":[1,2]}"#, r#""""#, r#""two words""#, r#"{"$base64":"/wA="}"#, "[]"] {
        let body = format!(r#"{{"key":"k","value":{value}}}"#);
        assert_eq!(server.post("/set", &body).status, 201, "{value}");
        assert_eq!(server.get("/get/k").text(), format!("{body}\n"));
    }
}

#[test]
fn any_byte_string_is_a_key_however_it_is_written() {
    let server = memory(options());
    for (path, same) in [
        ("/v1/keys/a%2Fb", "/v1/keys/a/b"),
        ("/v1/keys/%00", "/v1/keys/%00"),
        ("/v1/keys/%FF%fe", "/v1/keys/%ff%FE"),
        ("/v1/keys/", "/v1/keys/"),
        ("/v1/keys/a%2Fhistory", "/v1/keys/%61%2fhistory"),
        ("/v1/keys/%3Fsync", "/v1/keys/%3fsync"),
        ("/v1/keys/..", "/v1/keys/%2E%2E"),
    ] {
        let answer = server.put(path, path.as_bytes());
        assert_eq!(answer.status, 204, "{path}: {answer:?}");
        let answer = server.get(same);
        assert_eq!((answer.status, answer.text()), (200, path));
    }
    let listed = server.get("/v1/keys").text().to_owned();
    assert_eq!(
        listed,
        "{\"keys\":[\"\",\"\\u0000\",\"..\",\"?sync\",\"a/b\",\"a/history\",{\"$base64\":\"//4=\"}],\"cursor\":null}\n"
    );
    assert_eq!(server.delete("/v1/keys/%00").status, 204);
    assert_eq!(server.get("/v1/keys/%00").status, 404);
    // Absent is fine.
    assert_eq!(server.delete("/v1/keys/%00").status, 204);
}

#[test]
fn bytes_come_back_as_they_were_put_and_head_shows_no_body() {
    let server = stage("hash-log");
    let value: Vec<u8> = (0..=255).collect();
    let put = server.send("PUT", "/v1/keys/b?sync=true", &[("content-type", "image/png")], &value);
    assert_eq!(put.status, 204);
    let get = server.get("/v1/keys/b");
    assert_eq!((get.status, &get.body), (200, &value));
    assert_eq!(get.header("etag"), put.header("etag"));
    let head = server.send("HEAD", "/v1/keys/b", &[], b"");
    assert_eq!((head.status, head.body.len(), head.header("content-length")), (200, 0, "256"));
    assert_eq!(server.send("HEAD", "/v1/keys/absent", &[], b"").status, 404);
    let cached = server.send("GET", "/v1/keys/b", &[("if-none-match", get.header("etag"))], b"");
    assert_eq!((cached.status, cached.body.len()), (304, 0));
}

#[test]
fn conditions_make_a_write_that_loses_no_other() {
    for server in [memory(options()), with_history()] {
        let put = |header, tag: &str, value: &[u8]| server.send("PUT", "/v1/keys/n", &[(header, tag)], value);
        assert_eq!(put("if-match", "*", b"0").status, 412);
        assert_eq!(put("if-none-match", "*", b"1").status, 204);
        assert_eq!(put("if-none-match", "*", b"2").status, 412);
        let tag = server.get("/v1/keys/n").header("etag").to_owned();
        assert_eq!(put("if-match", &format!("\"other\", {tag}"), b"3").status, 204);
        assert_eq!(put("if-match", &tag, b"4").status, 412);
        assert_eq!(put("if-match", "three", b"5").status, 400);
        assert_eq!(server.get("/v1/keys/n").text(), "3");
        assert_eq!(server.send("DELETE", "/v1/keys/n", &[("if-match", &tag)], b"").status, 412);
        let tag = server.get("/v1/keys/n").header("etag").to_owned();
        assert_eq!(server.send("DELETE", "/v1/keys/n", &[("if-match", &tag)], b"").status, 204);
        assert_eq!(server.get("/v1/keys/n").status, 404);
    }
}

#[test]
fn lists_of_tags_are_read_as_http_has_them() {
    let server = memory(options());
    server.put("/v1/keys/n", b"v");
    let tag = server.get("/v1/keys/n").header("etag").to_owned();
    let get = |header, tags: &str| server.send("GET", "/v1/keys/n", &[(header, tags)], b"").status;
    for list in ["\"a,b\", TAG", ", TAG ,,\t\"other\"", "TAG,\"\"", "TAG"] {
        let list = list.replace("TAG", &tag);
        assert_eq!((get("if-match", &list), get("if-none-match", &list)), (200, 304), "{list}");
    }
    // A weak tag says that the client has the value, and not that it is the same to the byte.
    let weak = format!("W/{tag}");
    assert_eq!((get("if-match", &weak), get("if-none-match", &weak)), (412, 304));
    for bad in ["", ",", "three", "\"a", "\"a\" \"b\"", "\"a\", *", "w/\"a\"", "W/a"] {
        assert_eq!((get("if-match", bad), get("if-none-match", bad)), (400, 400), "{bad:?}");
    }
}

#[test]
fn ten_concurrent_increments_end_at_ten() {
    let server = memory(options());
    assert_eq!(server.put("/v1/keys/n", b"0").status, 204);
    std::thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| {
                loop {
                    let now = server.get("/v1/keys/n");
                    let next = now.text().parse::<u32>().unwrap() + 1;
                    let tag = now.header("etag");
                    let put =
                        server.send("PUT", "/v1/keys/n", &[("if-match", tag)], next.to_string().as_bytes());
                    if put.status == 204 {
                        break;
                    }
                    assert_eq!(put.status, 412);
                }
            });
        }
    });
    assert_eq!(server.get("/v1/keys/n").text(), "10");
}

#[test]
fn pages_show_every_key_with_the_prefix_once_and_in_order() {
    let server = memory(options());
    for number in 0..25 {
        assert_eq!(server.put(&format!("/v1/keys/a{number:02}"), b"v").status, 204);
    }
    assert_eq!(server.put("/v1/keys/b", b"v").status, 204);
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let answer = server.get(&format!("/v1/keys?prefix=a&limit=10{cursor}"));
        let page: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        let keys = page["keys"].as_array().unwrap();
        assert!(keys.len() <= 10);
        seen.extend(keys.iter().map(|key| key.as_str().unwrap().to_owned()));
        match page["cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, (0..25).map(|number| format!("a{number:02}")).collect::<Vec<_>>());
    for query in ["limit=0", "limit=1001", "limit=x", "cursor=%21", "prefx=a", "prefix=a&prefix=b"] {
        assert_eq!(server.get(&format!("/v1/keys?{query}")).status, 400, "{query}");
    }
}

#[test]
fn a_batch_is_done_whole_or_not_at_all() {
    let server = memory(options());
    assert_eq!(server.put("/v1/keys/old", b"v").status, 204);
    let answer = server.post(
        "/v1/batch?sync=false",
        r#"{"writes":[{"key":"a","value":"1"},{"key":"old","delete":true},{"key":"b","value":{"c":2}}]}"#,
    );
    assert_eq!((answer.status, answer.text()), (200, "{\"written\":3}\n"));
    assert_eq!(server.get("/v1/keys").text(), "{\"keys\":[\"a\",\"b\"],\"cursor\":null}\n");
    for body in [
        r#"{"writes":[{"key":"x","value":"1"},{"key":"y"}]}"#,
        r#"{"writes":[{"key":"x","value":"1"},{"key":"y","value":"1","delete":true}]}"#,
        r#"{"writes":[{"key":"x","value":"1"},{"key":2,"value":"1"}]}"#,
        r#"{"writes":[{"key":"x","value":"1","sync":true}]}"#,
    ] {
        assert_eq!(server.post("/v1/batch", body).status, 400, "{body}");
    }
    assert_eq!(server.get("/v1/keys/x").status, 404);
}

#[test]
fn what_a_stage_lacks_is_refused_with_the_stages_that_have_it() {
    let server = stage("file-per-key");
    for (method, path) in [
        ("GET", "/v1/keys/a/history"),
        ("GET", "/v1/keys/a?at=1"),
        ("GET", "/v1/changes"),
        ("POST", "/v1/batch"),
        ("POST", "/v1/compact"),
    ] {
        let answer = server.send(method, path, &[], br#"{"writes":[]}"#);
        assert_eq!(answer.status, 501, "{path}: {answer:?}");
        assert!(
            answer.text().contains("\"stages\":[") && answer.text().contains("\"hash-log\""),
            "{answer:?}"
        );
        assert!(!answer.text().contains("\"file-per-key\""), "{answer:?}");
    }
    // Neither was opened to keep versions, and both could be. The others keep none however they are opened.
    let answer = server.get("/v1/keys/a/history");
    assert!(answer.text().contains("\"replay-log\"") && answer.text().contains("\"hash-log\""), "{answer:?}");
    for (name, could) in
        [("file-per-key", false), ("sorted-log", false), ("replay-log", true), ("hash-log", true)]
    {
        let answer = stage(name).get("/v1/keys/a/history");
        let said = answer.error();
        assert_eq!(answer.status, 501, "{name}: {said}");
        assert!(said.contains("keeps no earlier versions"), "{name}: {said}");
        assert_eq!(said.contains("as it was opened"), could, "{name}: {said}");
    }
    let answer = server.send("PUT", "/v1/keys/a", &[("if-none-match", "*")], b"v");
    assert_eq!(answer.status, 501);
    assert_eq!(server.get("/v1/keys/a").status, 404);
    // Stage 8 writes batches and compacts, and keeps neither versions nor a log of changes.
    for (method, path, can) in
        [("POST", "/v1/batch", true), ("POST", "/v1/compact", true), ("GET", "/v1/changes", false)]
    {
        let answer = server.send(method, path, &[], br#"{"writes":[]}"#);
        assert_eq!(answer.text().contains("\"sorted-log\""), can, "{path}: {answer:?}");
        let status = stage("sorted-log").send(method, path, &[], br#"{"writes":[]}"#).status;
        assert_eq!(status, if can { 200 } else { 501 }, "{path}");
    }
}

#[test]
fn every_stage_of_the_table_is_served() {
    for stage in STAGES {
        let server = self::stage(stage.name);
        assert_eq!(server.put("/v1/keys/collection/member", b"value").status, 204, "{}", stage.name);
        assert_eq!(server.get("/v1/keys/collection/member").text(), "value", "{}", stage.name);
        assert!(server.get("/v1/stats").text().contains("\"live_keys\":1"), "{}", stage.name);
        assert_eq!(server.delete("/del/collection/member").status, 204, "{}", stage.name);
        assert_eq!(server.delete("/del/collection/member").status, 404, "{}", stage.name);
        let synced = if stage.name == "memory" { 501 } else { 204 };
        assert_eq!(server.send("POST", "/v1/sync", &[], b"").status, synced, "{}", stage.name);
    }
}

#[test]
fn unknown_routes_and_wrong_methods_are_told_apart() {
    let server = memory(options());
    assert_eq!(server.get("/nowhere").status, 404);
    assert!(server.get("/nowhere").error().contains("/nowhere"));
    let answer = server.get("/set");
    assert_eq!((answer.status, answer.header("allow")), (405, "POST"));
    assert!(answer.error().starts_with("GET does not go with /set"));
    assert_eq!(server.post("/get/a", "").status, 405);
    assert_eq!(server.get("/get/").status, 400);
    // What GET shows there is no value, so none is written there.
    for method in ["PUT", "DELETE", "POST", "OPTIONS"] {
        let answer = server.send(method, "/v1/keys/a%20b/history", &[], b"v");
        assert_eq!((answer.status, answer.header("allow")), (405, "GET,HEAD"));
        assert!(answer.error().contains("/v1/keys/a%20b%2Fhistory"), "{answer:?}");
    }
    assert_eq!(server.get("/v1/keys").text(), "{\"keys\":[],\"cursor\":null}\n");
}

#[test]
fn a_space_in_a_parameter_may_be_a_plus() {
    let server = memory(options());
    assert_eq!(server.put("/v1/keys/a%20b%2Bc", b"v").status, 204);
    for query in ["prefix=a+b", "prefix=a%20b%2B", "prefix=a+b%2Bc"] {
        assert_eq!(
            server.get(&format!("/v1/keys?{query}")).text(),
            "{\"keys\":[\"a b+c\"],\"cursor\":null}\n"
        );
    }
    assert_eq!(server.get("/v1/keys?prefix=a%2Bb").text(), "{\"keys\":[],\"cursor\":null}\n");
}

#[test]
fn a_key_that_an_answer_showed_can_be_sent_as_it_was_shown() {
    let server = memory(options());
    for path in ["%5B%22animal%22%2C1%5D", "%7B%22a%22%3A1%7D", "%FF", "text", "5"] {
        assert_eq!(server.put(&format!("/v1/keys/{path}"), b"v").status, 204);
        let listed: serde_json::Value = serde_json::from_slice(&server.get("/v1/keys").body).unwrap();
        let batch = serde_json::json!({"writes": [{"key": listed["keys"][0], "delete": true}]});
        assert_eq!(server.post("/v1/batch", &batch.to_string()).status, 200);
        assert_eq!(server.get("/v1/keys").text(), "{\"keys\":[],\"cursor\":null}\n", "{path}");
    }
}

#[test]
fn numbers_are_digits_up_to_a_limit() {
    let server = with_history();
    for query in
        ["at=-1", "at=%2B1", "at=+1", "at=1e3", "at=", "at=9223372036854775808", "at=99999999999999999999"]
    {
        assert_eq!(server.get(&format!("/v1/keys/a?{query}")).status, 400, "{query}");
    }
    assert_eq!(server.get("/v1/keys/a?at=9223372036854775807").status, 404);
}

#[test]
fn requests_are_counted_by_route_and_status() {
    let server = memory(options());
    server.put("/v1/keys/secret", b"v");
    server.get("/v1/keys/secret");
    server.get("/v1/keys/secret");
    // An account is closed after its answer was sent, so on another connection it may be a moment later.
    let counted = "logladder_http_requests_total{method=\"GET\",route=\"/v1/keys/\",status=\"200\"} 2";
    let text =
        (0..1000).map(|_| server.get("/metrics").text().to_owned()).find(|text| text.contains(counted));
    let text = text.expect("the requests are counted");
    assert!(text.contains("logladder_http_request_duration_seconds_bucket"), "{text}");
    assert!(text.contains("logladder_uptime_seconds") && text.contains("version="), "{text}");
    assert!(!text.contains("secret"), "{text}");
    assert_eq!(server.get("/healthz").status, 200);
    assert_eq!(server.get("/readyz").status, 200);
}
