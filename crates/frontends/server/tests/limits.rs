//! What a client that is slow, greedy or a stranger gets.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod harness;

use std::io::{Read, Write};
use std::time::Duration;

use harness::{in_the_end, memory, options, stage};
use logladder_server::{ServeError, Server, Token};

const SHORT: Duration = Duration::from_millis(50);

#[test]
fn a_silent_client_is_cut_off() {
    let mut options = options();
    options.idle_timeout = SHORT;
    let server = memory(options);
    // Both connections end without a word; the read times out, and the test fails, if they do not.
    assert_eq!(server.connect().read(&mut [0; 16]).unwrap(), 0);
    let mut stream = server.connect();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("{\"status\":\"ok\"}\n"),
        "{answer}"
    );
}

#[test]
fn a_head_that_comes_a_byte_at_a_time_is_cut_off() {
    let mut options = options();
    options.header_timeout = SHORT;
    let server = memory(options);
    let mut stream = server.connect();
    // A client that never stops sending: only the server can end this.
    assert!(in_the_end(|| stream.write_all(b"x").is_err()));
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn a_body_that_stops_half_way_is_refused_and_changes_nothing() {
    let mut options = options();
    options.body_timeout = SHORT;
    let server = memory(options);
    let head = "PUT /v1/keys/a HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\nhalf";
    let answer = server.raw(head.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    let mut stream = server.connect();
    stream.write_all(head.as_bytes()).unwrap();
    drop(stream);
    assert_eq!(server.get("/v1/keys/a").status, 404);
}

#[test]
fn a_client_that_takes_no_answer_is_cut_off() {
    let mut options = options();
    options.write_timeout = SHORT;
    options.max_connections = 1;
    let server = memory(options);
    let mut put = b"PUT /v1/keys/large HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 8388608\r\n\r\n".to_vec();
    put.resize(put.len() + (8 << 20), 7);
    let mut stream = server.connect();
    stream.write_all(&put).unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
    // The one place is that client's until the server has seen it go.
    let mut first = [0; 12];
    while !first.ends_with(b"200") {
        stream = server.connect();
        stream.write_all(b"GET /v1/keys/large HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        stream.read_exact(&mut first).unwrap();
    }
    // Nothing more is read. Once this client is cut off, there is a place again.
    let asked = b"GET /healthz HTTP/1.0\r\nhost: localhost\r\n\r\n";
    assert!(in_the_end(|| server.raw(asked).starts_with("HTTP/1.0 200")));
}

#[test]
fn a_body_over_the_limit_is_refused_before_it_is_read() {
    let mut options = options();
    options.max_body_bytes = 1000;
    let server = memory(options);
    assert_eq!(server.put("/v1/keys/a", &[b'v'; 1000]).status, 204);
    // Nothing of it is sent, and it is refused all the same.
    for length in ["1001", "1000000000000000"] {
        let head = format!("PUT /v1/keys/a HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n");
        let answer = server.raw(head.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
        assert!(answer.contains("longer than 1000 bytes"), "{answer}");
    }
    let chunk = format!("3e9\r\n{}\r\n0\r\n\r\n", "v".repeat(1001));
    let head = "PUT /v1/keys/b HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n";
    let answer = server.raw(format!("{head}{chunk}").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert_eq!(server.get("/v1/keys/b").status, 404);
}

#[test]
fn garbage_and_endless_heads_end_the_connection_and_nothing_else() {
    let server = memory(options());
    for text in [&b"\x16\x03\x01\x02\x00\x01garbage\r\n\r\n"[..], b"GET\r\n\r\n", b"*1\r\n$4\r\nPING\r\n"] {
        let answer = server.raw(text);
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    let long = format!("GET /v1/keys/{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "k".repeat(1 << 20));
    let mut stream = server.connect();
    // It may close before it has read all of this.
    let _ = stream.write_all(long.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn a_connection_beyond_the_limit_is_told_so() {
    let mut options = options();
    options.max_connections = 2;
    let server = memory(options);
    let held: Vec<_> = (0..2)
        .map(|_| {
            let mut stream = server.connect();
            stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
            stream.read_exact(&mut [0; 12]).unwrap();
            stream
        })
        .collect();
    let answer = server.raw(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("too many connections"), "{answer}");
    drop(held);
}

#[test]
fn each_of_many_connections_beyond_the_limit_is_told_so() {
    let mut options = options();
    options.max_connections = 1;
    let server = memory(options);
    let mut held = server.connect();
    held.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    held.read_exact(&mut [0; 12]).unwrap();
    // All are there before the first of them says or hears a word.
    let mut others: Vec<_> = (0..200).map(|_| server.connect()).collect();
    let told = others.iter_mut().filter_map(|stream| {
        // It may have been closed already.
        let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n");
        let mut status = [0; 12];
        stream.read_exact(&mut status).ok().filter(|()| status.ends_with(b" 503"))
    });
    assert_eq!(told.count(), 200);
    held.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    held.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("logladder_http_refused_connections_total 200\n"), "{answer}");
}

#[test]
fn the_token_is_asked_for_and_health_is_not_a_secret() {
    let mut options = options();
    options.token = Token::new("open sesame");
    let server = memory(options);
    let get = |headers: &[(&str, &str)], path| server.send("GET", path, headers, b"");
    for wrong in
        ["Bearer open sesamf", "Bearer open sesam", "Bearer ", "Bearer", "Basic open sesame", "open sesame"]
    {
        let answer = get(&[("authorization", wrong)], "/v1/keys");
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, "Bearer"), "{wrong}");
    }
    assert_eq!(get(&[], "/metrics").status, 401);
    assert_eq!(get(&[], "/nowhere").status, 401);
    assert_eq!(get(&[], "/healthz").status, 200);
    // The name of a scheme is the same in any case (RFC 9110, section 11.1).
    for right in ["Bearer open sesame", "bearer open sesame", "BEARER open sesame"] {
        assert_eq!(get(&[("authorization", right)], "/v1/keys").status, 200, "{right}");
    }
    assert!(Token::new("").is_none());
    assert!(!format!("{:?}", Token::new("open sesame")).contains("sesame"));
}

#[test]
fn pages_of_other_sites_and_strange_names_are_refused() {
    let mut options = options();
    options.allowed_origins.push("https://friend.example".into());
    options.allowed_hosts.push("store.example".into());
    let server = memory(options);
    let ask = |host: &str, origin: &str| {
        let origin = if origin.is_empty() { String::new() } else { format!("origin: {origin}\r\n") };
        let text = format!("GET /v1/keys HTTP/1.1\r\nhost: {host}\r\n{origin}connection: close\r\n\r\n");
        server.raw(text.as_bytes())[9..12].to_owned()
    };
    assert_eq!(ask("localhost:1234", ""), "200");
    assert_eq!(ask("[::1]:80", ""), "200");
    assert_eq!(ask("STORE.example", ""), "200");
    assert_eq!(ask("LOCALHOST", ""), "200");
    assert_eq!(ask("LocalHost:1234", ""), "200");
    for wrong in ["localhost:abc", "localhost:99999", "somebody@localhost", "localhost\r\nhost: localhost"] {
        assert_eq!(ask(wrong, ""), "400", "{wrong}");
    }
    assert_eq!(ask("localhost\r\nhost: rebound.example", ""), "400");
    assert_eq!(ask("rebound.example", ""), "403");
    for wrong in
        ["", "localhost:+80", "localhost\r\norigin: http://localhost\r\norigin: https://evil.example"]
    {
        assert_eq!(ask(wrong, ""), "400", "{wrong}");
    }
    assert_eq!(ask("localhost", "http://localhost"), "200");
    assert_eq!(ask("LOCALHOST", "http://localhost"), "200");
    assert_eq!(ask("localhost", "https://friend.example"), "200");
    assert_eq!(ask("localhost", "https://evil.example"), "403");
    assert_eq!(ask("localhost", "null"), "403");
}

#[test]
fn a_page_of_an_allowed_origin_may_ask_and_sees_the_answer_and_no_other_does() {
    let mut options = options();
    options.allowed_origins.push("https://friend.example".into());
    options.token = Token::new("secret");
    let server = memory(options);
    let ask = |method: &str, origin: &str, more: &str| {
        let text = format!(
            "{method} /v1/keys/a HTTP/1.1\r\nhost: localhost\r\norigin: {origin}\r\n{more}connection: close\r\n\r\n"
        );
        server.raw(text.as_bytes()).to_lowercase()
    };
    let (friend, wish) = ("https://friend.example", "access-control-request-method: PUT\r\n");
    let token = "authorization: Bearer secret\r\n";
    let shared = "access-control-allow-origin: https://friend.example\r\n";
    // A browser asks first, and shows no token then.
    let preflight = ask("OPTIONS", friend, wish);
    assert!(preflight.starts_with("http/1.1 204") && preflight.contains(shared), "{preflight}");
    for allowed in ["put", "delete", "authorization", "if-match", "content-type"] {
        assert!(preflight.contains(allowed), "{allowed}: {preflight}");
    }
    for answer in [ask("GET", friend, token), ask("GET", friend, "")] {
        assert!(answer.contains(shared) && answer.contains("vary: origin\r\n"), "{answer}");
    }
    assert!(ask("GET", friend, token).starts_with("http/1.1 404"));
    assert!(ask("GET", friend, "").starts_with("http/1.1 401"), "the answer itself still takes the token");
    for other in ["https://friend.example.evil", "http://friend.example", "null", "https://evil.example"] {
        for answer in [ask("OPTIONS", other, wish), ask("GET", other, token)] {
            assert!(
                answer.starts_with("http/1.1 4") && !answer.contains("access-control"),
                "{other}: {answer}"
            );
        }
    }
}

#[test]
fn who_has_sent_a_whole_request_and_says_no_more_is_answered() {
    for name in ["memory", "hash-log", "scan-log"] {
        let server = stage(name);
        let mut stream = server.connect();
        stream
            .write_all(b"PUT /v1/keys/a HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\n\r\nx")
            .unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 204"), "{name}: {answer:?}");
        assert_eq!(server.get("/v1/keys/a").text(), "x", "{name}");
    }
}

#[test]
fn an_address_for_others_needs_a_token_and_a_port_in_use_is_named() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bind = |options| {
        let engine: Box<dyn logladder::Engine> = Box::new(logladder::memory::Memory::default());
        runtime.block_on(Server::bind(std::sync::Arc::new(engine), options))
    };
    let mut open = options();
    open.address = "0.0.0.0:0".parse().unwrap();
    assert!(matches!(bind(open.clone()), Err(ServeError::NeedsToken { .. })));
    open.token = Token::new("secret");
    assert!(bind(open).is_ok());
    let server = memory(options());
    let mut taken = options();
    taken.address = server.address;
    let error = bind(taken).unwrap_err().to_string();
    assert!(error.contains(&server.address.to_string()) && error.contains("name another"), "{error}");
}
