//! Refusals are seen by whoever caused them, and say in the words of JSON what was wrong.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod harness;

use std::io::{Read, Write};

use harness::{Running, memory, options, stage};
use logladder_server::Token;

/// What a client gets that sends everything before it reads anything, as many do.
fn after_sending_all(server: &Running, head: &str, body_len: usize) -> String {
    let mut stream = server.connect();
    stream.write_all(head.as_bytes()).unwrap();
    // More than the buffers of both ends hold.
    stream.write_all(&vec![b'v'; body_len]).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

const LARGE: usize = 32 << 20;

#[test]
fn a_client_that_sends_all_of_a_body_over_the_limit_reads_why_it_is_refused() {
    let mut options = options();
    options.max_body_bytes = 1000;
    let server = memory(options);
    let head = format!("PUT /v1/keys/a HTTP/1.1\r\nhost: localhost\r\ncontent-length: {LARGE}\r\n\r\n");
    let answer = after_sending_all(&server, &head, LARGE);
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("longer than 1000 bytes"), "{answer}");
    // In one chunk, of which the length is known only when it comes.
    let head = format!(
        "PUT /v1/keys/a HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n{LARGE:x}\r\n"
    );
    let answer = after_sending_all(&server, &head, LARGE);
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[test]
fn a_client_without_a_token_or_a_route_reads_so_after_all_of_its_body() {
    let mut options = options();
    options.token = Token::new("secret");
    let server = memory(options);
    let head = |path: &str, token: &str| {
        format!("POST {path} HTTP/1.1\r\nhost: localhost\r\n{token}content-length: {LARGE}\r\n\r\n")
    };
    let answer = after_sending_all(&server, &head("/set", ""), LARGE);
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    let answer = after_sending_all(&server, &head("/nowhere", "authorization: Bearer secret\r\n"), LARGE);
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
}

#[test]
fn a_client_whose_head_is_too_long_reads_so_after_all_of_it() {
    let server = memory(options());
    let answer = after_sending_all(&server, "GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: ", LARGE);
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[test]
fn a_body_is_taken_as_it_is_or_in_chunks_and_not_compressed() {
    let server = memory(options());
    let ask = |encoding: &str| {
        let text = format!(
            "PUT /v1/keys/a HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             transfer-encoding: {encoding}\r\n\r\n1\r\nx\r\n0\r\n\r\n"
        );
        server.raw(text.as_bytes())
    };
    let answer = ask("gzip, chunked");
    assert!(answer.starts_with("HTTP/1.1 501") && answer.contains("\"error\""), "{answer}");
    assert_eq!(server.get("/v1/keys/a").status, 404);
    for encoding in ["chunked", "Chunked"] {
        assert!(ask(encoding).starts_with("HTTP/1.1 204"));
    }
}

#[test]
fn json_of_another_form_is_refused_in_the_words_of_json() {
    let server = memory(options());
    for (path, body, why) in [
        ("/set", r#"["k","v"]"#, "unexpected JSON: an array, and not an object at line 1 column 0"),
        ("/set", "7", "unexpected JSON: integer `7`, and not an object at line 1 column 1"),
        ("/set", "null", "unexpected JSON: null, and not an object at line 1 column 4"),
        ("/v1/batch", "[[]]", "unexpected JSON: an array, and not an object at line 1 column 0"),
        ("/v1/batch", r#"{"writes":{}}"#, "unexpected JSON: an object, and not an array at line 1 column 10"),
        (
            "/v1/batch",
            r#"{"writes":[["k","v",false]]}"#,
            "unexpected JSON: an array, and not an object at line 1 column 11",
        ),
        (
            "/v1/batch",
            r#"{"writes":[{"key":"k","delete":"map, expected a sequence"}]}"#,
            "unexpected JSON: string \"map, expected a sequence\", and not a boolean at line 1 column 57",
        ),
    ] {
        let answer = server.post(path, body);
        assert_eq!((answer.status, answer.error().as_str()), (400, why), "{path} {body}");
    }
    assert_eq!(server.get("/v1/keys/k").status, 404);
}

#[test]
fn a_percent_sign_stands_before_two_digits_or_is_refused() {
    let server = memory(options());
    for path in ["/v1/keys/%zz", "/v1/keys/a%2", "/v1/keys/%", "/get/%zz", "/v1/keys/%zz/history"] {
        let answer = server.get(path);
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.error().contains("%25"), "{answer:?}");
    }
    assert_eq!(server.put("/v1/keys/%zz", b"v").status, 400);
    assert_eq!(server.delete("/del/%zz").status, 400);
    assert_eq!(server.get("/v1/keys?prefix=%zz").status, 400);
    assert_eq!(server.put("/v1/keys/%25zz", b"v").status, 204);
    assert_eq!(server.get("/v1/keys/%25zz").body, b"v");
}

#[test]
fn a_sync_of_a_stage_that_keeps_nothing_is_refused_with_the_stages_that_keep() {
    let server = stage("memory");
    assert_eq!(server.put("/v1/keys/a", b"v").status, 204);
    for (method, path, body) in [
        ("POST", "/v1/sync", &b""[..]),
        ("PUT", "/v1/keys/a?sync=true", b"w"),
        ("POST", "/set?sync=true", br#"{"key":"a","value":"w"}"#),
        ("DELETE", "/v1/keys/a?sync=true", b""),
        ("DELETE", "/del/a?sync=true", b""),
    ] {
        let answer = server.send(method, path, &[], body);
        assert_eq!(answer.status, 501, "{method} {path}: {answer:?}");
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        let stages = body["stages"].as_array().unwrap();
        assert!(stages.contains(&"json-file".into()) && stages.contains(&"hash-log".into()), "{body}");
        assert!(!stages.contains(&"memory".into()), "{body}");
    }
    // Nothing was written.
    assert_eq!(server.get("/v1/keys/a").body, b"v");
    assert_eq!(server.put("/v1/keys/a?sync=false", b"w").status, 204);
}

#[test]
fn a_condition_where_nothing_heeds_it_is_refused_and_nothing_is_written() {
    let server = stage("hash-log");
    assert_eq!(server.put("/v1/keys/a", b"1").status, 204);
    let body = r#"{"key":"a","value":"2"}"#;
    let batch = r#"{"writes":[{"key":"a","value":"2"}]}"#;
    for (method, path, body) in [
        ("POST", "/set", body),
        ("DELETE", "/del/a", ""),
        ("DELETE", "/delete/a", ""),
        ("POST", "/v1/batch", batch),
    ] {
        for condition in ["if-match: \"x\"", "if-none-match: *"] {
            let text = format!(
                "{method} {path} HTTP/1.1\r\nhost: localhost\r\n{condition}\r\ncontent-length: {}\r\n\
                 connection: close\r\n\r\n{body}",
                body.len()
            );
            let answer = server.raw(text.as_bytes());
            assert!(
                answer.starts_with("HTTP/1.1 400") && answer.contains("/v1/keys/{key}"),
                "{path}: {answer}"
            );
            assert_eq!(server.get("/v1/keys/a").text(), "1", "{path}");
        }
    }
}
