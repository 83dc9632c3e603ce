//! The protocol of Redis, byte by byte: frames, lines of words, pipelines, and what is none of these.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod harness;

use std::io::{Read, Write};
use std::time::Duration;

use harness::redis::{frame, show};
use harness::{in_the_end, memory, options, stage};
use logladder_server::Token;
use redis_protocol::resp3::types::Resp3Frame;

const SHORT: Duration = Duration::from_millis(50);

#[test]
fn answers_are_the_bytes_of_the_protocol() {
    let server = memory(options());
    let said = "PING\r\n*1\r\n$4\r\nping\r\nSET key \"two words\"\r\nGET key\r\nGET none\r\nDEL key\r\nMGET key\r\nQUIT\r\n";
    let answer = "+PONG\r\n+PONG\r\n+OK\r\n$9\r\ntwo words\r\n$-1\r\n:1\r\n*1\r\n$-1\r\n+OK\r\n";
    assert_eq!(server.redis_raw(said.as_bytes()), answer);
    let said = "HELLO 3 SETNAME me\r\nGET none\r\nCONFIG GET save\r\nCLIENT GETNAME\r\nQUIT\r\n";
    let answer = server.redis_raw(said.as_bytes());
    assert!(answer.starts_with("%7\r\n$6\r\nserver\r\n$9\r\nlogladder\r\n"), "{answer}");
    assert!(answer.ends_with("_\r\n%1\r\n$4\r\nsave\r\n$0\r\n\r\n$2\r\nme\r\n+OK\r\n"), "{answer}");
}

#[test]
fn a_pipeline_is_answered_in_its_order_however_it_is_cut() {
    let server = memory(options());
    let mut said = Vec::new();
    let mut expected = String::new();
    for number in 0..500 {
        let (key, value) = (format!("key {number}"), "\r\n*$:".repeat(number % 50));
        said.extend(frame(&["SET", &key, &value]));
        said.extend_from_slice(b"\r\n");
        said.extend(frame(&["GET", &key]));
        said.extend_from_slice(b"INCR counter\r\n");
        let answers = [format!("+OK\r\n${}\r\n", value.len()), value, format!("\r\n:{}\r\n", number + 1)];
        expected.extend(answers);
    }
    said.extend_from_slice(b"QUIT\r\n");
    expected.push_str("+OK\r\n");
    assert_eq!(server.redis_raw(&said), expected);
    for len in [1, 7, 1000] {
        server.redis().ask("DEL counter");
        let mut client = server.redis();
        for piece in said.chunks(len) {
            client.send(piece);
        }
        assert!(client.rest() == expected, "in pieces of {len}");
    }
}

#[test]
fn a_value_of_any_bytes_and_of_the_greatest_length_comes_back() {
    let server = memory(options());
    let mut client = server.redis();
    let value: Vec<u8> = (0..(16 << 20) - 100_u32).map(|number| (number % 251) as u8).collect();
    client.send(&frame(&[&b"SET"[..], b"\0\r\n\xff", &value]));
    assert_eq!(show(&client.next().unwrap()), "OK");
    client.send(&frame(&[&b"GET"[..], b"\0\r\n\xff"]));
    let answer = client.next().unwrap();
    assert!(answer.as_bytes() == Some(&value));
    let key = vec![b'k'; 65_536];
    client.send(&frame(&[&b"SET"[..], &key, b"v"]));
    let refusal = show(&client.next().unwrap());
    assert!(refusal.starts_with("-ERR the key has 65536 bytes, and the limit is 65535"), "{refusal}");
}

#[test]
fn what_is_no_request_ends_its_connection_and_no_other() {
    let server = memory(options());
    let mut other = server.redis();
    other.expect(&[("SET a 1", "OK")]);
    let refused: &[(&[u8], &str)] = &[
        (b"*1000000000\r\n", "invalid multibulk length"),
        (b"*99999999999999999999\r\n", "invalid multibulk length"),
        (b"*2\r\n$3\r\nGET\r\n$1073741824\r\n", "invalid bulk length"),
        (b"*2\r\n$3\r\nGET\r\n$-5\r\n", "invalid bulk length"),
        (b"*1\r\n*1\r\n*1\r\n", "expected '$', got '*'"),
        (b"*1\r\n:1\r\n", "expected '$', got ':'"),
        (b"*1\r\n$4\r\nPINGPING", "expected the end of a line"),
        (b"SET a \"half\r\n", "unbalanced quotes in request"),
    ];
    for (bytes, why) in refused {
        let answer = server.redis_raw(bytes);
        assert!(answer.starts_with(&format!("-ERR Protocol error: {why}")), "{answer}");
        assert!(answer.ends_with("\r\n") && answer.matches("\r\n").count() == 1, "{answer}");
    }
    // A nest of arrays that would use the stack up.
    assert!(server.redis_raw(&b"*1\r\n".repeat(100_000)).contains("Protocol error"));
    let mut words = vec![b'x'; 70_000];
    words.push(b'\n');
    assert!(server.redis_raw(&words).contains("too big inline request"));
    // Handshakes of TLS, and noise of any kind.
    let mut noise = 0x9E37_79B9_u32;
    for _ in 0..200 {
        let mut bytes = Vec::new();
        for _ in 0..200 {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            bytes.push((noise >> 24) as u8);
        }
        bytes.extend_from_slice(b"\r\nQUIT\r\n");
        let mut client = server.redis();
        client.send(&bytes);
        client.stream.shutdown(std::net::Shutdown::Write).unwrap();
        client.rest();
    }
    other.expect(&[("GET a", "\"1\"")]);
}

#[test]
fn what_was_asked_before_a_bad_request_is_answered_before_the_connection_ends() {
    let server = stage("hash-log");
    let answer = server.redis_raw(b"SET a 1\r\nGET a\r\n*1\r\n$x\r\nGET a\r\n");
    assert_eq!(answer, "+OK\r\n$1\r\n1\r\n-ERR Protocol error: invalid bulk length\r\n");
}

#[test]
fn a_page_in_a_browser_is_cut_off_before_its_body_is_read_as_commands() {
    let server = memory(options());
    for head in ["POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n", "Host: localhost\r\n"] {
        assert_eq!(server.redis_raw(format!("{head}SET a 1\r\n").as_bytes()), "");
    }
    server.redis().expect(&[("GET a", "nil")]);
}

#[test]
fn a_stranger_shows_the_token_first_and_can_send_little_before() {
    let mut options = options();
    options.token = Token::new("open sesame");
    let server = memory(options);
    let mut client = server.redis();
    client.expect(&[
        ("GET a", "-NOAUTH Authentication required."),
        ("AUTH wrong", "-WRONGPASS invalid username-password pair or user is disabled."),
        ("PING", "-NOAUTH Authentication required."),
    ]);
    assert!(client.ask("HELLO 3").starts_with("-NOAUTH HELLO must be called"));
    for token in [&["AUTH", "open sesamf"][..], &["AUTH", "other", "open sesame"]] {
        client.send(&frame(token));
        assert!(show(&client.next().unwrap()).starts_with("-WRONGPASS"));
    }
    client.send(&frame(&["AUTH", "open sesame"]));
    assert_eq!(show(&client.next().unwrap()), "OK");
    client.expect(&[("SET a 1", "OK"), ("GET a", "\"1\"")]);
    let mut client = server.redis();
    client.send(&frame(&["HELLO", "3", "AUTH", "default", "open sesame"]));
    client.speaks_resp3 = true;
    assert!(show(&client.next().unwrap()).contains("\"proto\": 3"));
    client.expect(&[("GET a", "\"1\"")]);
    assert!(server.redis_raw(b"*11\r\n").contains("unauthenticated multibulk length"));
    assert!(server.redis_raw(b"*2\r\n$4\r\nAUTH\r\n$20000\r\n").contains("unauthenticated bulk length"));
    // Where there is no token, showing one is a mistake worth hearing of.
    assert!(memory(harness::options()).redis().ask("AUTH x").contains("without any password configured"));
}

#[test]
fn idle_and_slow_clients_are_cut_off() {
    let mut options = options();
    options.idle_timeout = SHORT;
    options.body_timeout = SHORT;
    let server = memory(options);
    // Both end without a word; a read that times out fails the test.
    assert_eq!(server.redis().rest(), "");
    // On a busy machine even a client that hurries may be too late, but not each time.
    let mut client = loop {
        let mut client = server.redis();
        let _ = client.stream.write_all(b"SET a 1\r\n");
        if client.next().is_some() {
            break client;
        }
    };
    assert_eq!(client.rest(), "");
    assert_eq!(server.redis_raw(b"*2\r\n$3\r\nGET\r\n$100\r\nhalf"), "");
    let mut client = server.redis();
    let _ = client.stream.write_all(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1000000\r\n");
    // A client that never stops sending: only the server can end this.
    let ended = in_the_end(|| client.stream.write_all(b"x").is_err());
    assert!(ended || client.rest().is_empty());
}

#[test]
fn a_client_that_takes_no_answer_is_cut_off() {
    let mut options = options();
    options.write_timeout = SHORT;
    options.max_connections = 1;
    let server = memory(options);
    let mut client = server.redis();
    client.send(&frame(&[&b"SET"[..], b"large", &vec![7; 8 << 20]]));
    assert_eq!(show(&client.next().unwrap()), "OK");
    client.send(&b"GET large\r\n".repeat(100));
    // Nothing is read. Once this client is cut off, there is a place again.
    assert!(in_the_end(|| server.redis_raw(b"PING\r\nQUIT\r\n").starts_with("+PONG")));
}

#[test]
fn a_connection_beyond_the_limit_is_told_so() {
    let mut options = options();
    options.max_connections = 2;
    let server = memory(options);
    let mut held = [server.redis(), server.redis()];
    for client in &mut held {
        client.expect(&[("PING", "PONG")]);
    }
    assert_eq!(server.redis_raw(b"PING\r\n"), "-ERR max number of clients reached\r\n");
    // The limit is one for both protocols.
    assert!(server.raw(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").starts_with("HTTP/1.1 503"));
}

#[test]
fn commands_that_were_answered_before_the_end_are_kept_and_none_is_half_answered() {
    for sync in [logladder::SyncPolicy::Never, logladder::SyncPolicy::Always] {
        let folder = tempfile::tempdir().unwrap();
        let engine = logladder::stage("hash-log").unwrap().open(folder.path(), sync).unwrap();
        // The harness owns a folder of its own, so that this one outlives the server.
        let mut server = harness::serve(engine, options(), tempfile::tempdir().unwrap());
        let answered: Vec<usize> = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..4)
                .map(|client| {
                    let mut connection = server.redis();
                    scope.spawn(move || {
                        let mut answered = 0;
                        for first in (0..).step_by(8) {
                            let pipeline = (first..first + 8)
                                .flat_map(|number| frame(&["SET", &format!("{client}-{number}"), "value"]));
                            let sent = connection.stream.write_all(&pipeline.collect::<Vec<u8>>());
                            for _ in 0..8 {
                                match connection.next() {
                                    Some(answer) => assert_eq!(show(&answer), "OK"),
                                    None => return answered,
                                }
                                answered += 1;
                            }
                            sent.unwrap();
                        }
                        answered
                    })
                })
                .collect();
            // Under load: some hundred writes of the first client are there.
            while server.redis().ask("EXISTS 0-200") != "1" {}
            server.ended().unwrap();
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        });
        let store = logladder::stage("hash-log").unwrap().open(folder.path(), sync).unwrap();
        for (client, answered) in answered.into_iter().enumerate() {
            for number in 0..answered {
                let key = format!("{client}-{number}");
                assert!(store.get(key.as_bytes()).unwrap().is_some(), "{key} was answered");
            }
        }
    }
}

#[test]
fn an_idle_connection_does_not_hold_the_end_up() {
    let mut server = stage("memory");
    let mut idle = server.redis();
    idle.expect(&[("PING", "PONG")]);
    let mut half = server.redis();
    half.send(b"*2\r\n$3\r\nGET\r\n");
    server.ended().unwrap();
    assert_eq!(idle.rest(), "");
    assert_eq!(half.stream.read(&mut [0; 16]).unwrap_or(0), 0);
}
