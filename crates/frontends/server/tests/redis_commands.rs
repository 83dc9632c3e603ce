//! What each command of Redis does, over stages that can do much and over stages that can do little. What many clients do at
//! once is in `redis_at_once.rs`.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod harness;

use std::collections::BTreeSet;

use harness::redis::{frame, show};
use harness::{durable, memory, options, stage};

/// The stages that can compare before they write.
const ATOMIC: [&str; 4] = ["memory", "replay-log", "hash-log", "sorted-log"];

#[test]
fn values_are_set_read_and_deleted_in_every_stage() {
    for stage_of_table in logladder::STAGES {
        // One stage wants keys in two layers.
        let server = stage(stage_of_table.name);
        let mut client = server.redis();
        client.expect(&[
            ("SET c/a 1", "OK"),
            ("GET c/a", "\"1\""),
            ("GET c/none", "nil"),
            ("MSET c/b 2 c/c 3", "OK"),
            ("MGET c/c c/none c/a", "[\"3\" nil \"1\"]"),
            ("EXISTS c/a c/none c/a", "2"),
            ("STRLEN c/a", "1"),
            ("TYPE c/a", "string"),
            ("TYPE c/none", "none"),
            ("DBSIZE", "3"),
            ("TTL c/a", "-1"),
            ("PTTL c/none", "-2"),
            ("DEL c/a c/a c/none c/b", "2"),
            ("UNLINK c/a", "0"),
            ("KEYS *", "[\"c/c\"]"),
            ("SCAN 0", "[\"0\" [\"c/c\"]]"),
        ]);
        // Both protocols see one store.
        assert_eq!(server.get("/v1/keys/c/c").text(), "3", "{}", stage_of_table.name);
        assert_eq!(server.put("/v1/keys/c/d", b"4").status, 204);
        client.expect(&[("GET c/d", "\"4\"")]);
    }
}

#[test]
fn a_stage_that_cannot_compare_or_let_values_end_names_those_that_can() {
    let server = stage("scan-log");
    let mut client = server.redis();
    for command in [
        "SET a 1 NX",
        "SET a 1 XX",
        "SET a 1 GET",
        "SETNX a 1",
        "GETSET a 1",
        "GETDEL a",
        "INCR a",
        "APPEND a 1",
    ] {
        let answer = client.ask(command);
        assert!(answer.starts_with("-ERR the stage scan-log can neither"), "{command}: {answer}");
        let able = "; these stages can: memory, replay-log, hash-log, sorted-log";
        assert!(answer.ends_with(able), "{command}: {answer}");
    }
    for command in ["SET a 1 EX 10", "SETEX a 10 1", "EXPIRE a 10", "PEXPIREAT a 10"] {
        let answer = client.ask(command);
        assert!(answer.contains("no values that end by themselves; these stages can: hash-log"), "{answer}");
    }
    client.expect(&[("GET a", "nil"), ("PERSIST a", "0")]);
    assert_eq!(server.get("/readyz").status, 200);
}

#[test]
fn writes_depend_on_what_is_there_as_in_redis() {
    for (name, server) in ATOMIC.into_iter().flat_map(|name| [(name, stage(name)), (name, durable(name))]) {
        let mut client = server.redis();
        client.expect(&[
            ("SET a 1 XX", "nil"),
            ("SET a 1 NX", "OK"),
            ("SET a 2 NX", "nil"),
            ("SET a 2 XX", "OK"),
            ("SET a 3 GET", "\"2\""),
            ("SET a 4 NX GET", "\"3\""),
            ("SET b 1 XX GET", "nil"),
            ("EXISTS b", "0"),
            ("SETNX a 9", "0"),
            ("SETNX b 9", "1"),
            ("GETSET a 5", "\"3\""),
            ("GETSET c 1", "nil"),
            ("GETDEL c", "\"1\""),
            ("GETDEL c", "nil"),
            ("INCR a", "6"),
            ("INCRBY a -10", "-4"),
            ("DECR a", "-5"),
            ("DECRBY a 5", "-10"),
            ("INCR new", "1"),
            ("APPEND new 23", "3"),
            ("GET new", "\"123\""),
            ("SET text abc", "OK"),
            ("INCR text", "-ERR value is not an integer or out of range"),
            ("INCRBY a x", "-ERR value is not an integer or out of range"),
            ("SET most 9223372036854775807", "OK"),
            ("INCR most", "-ERR increment or decrement would overflow"),
            ("DECRBY most -9223372036854775808", "-ERR decrement would overflow"),
            ("GET most", "\"9223372036854775807\""),
            ("SET a 1 NX XX", "-ERR syntax error"),
            ("SET a 1 MAYBE", "-ERR syntax error"),
            ("SET a 1 EX", "-ERR syntax error"),
        ]);
        assert!(client.ask("GET text").contains("abc"), "{name}");
    }
}

#[test]
fn values_end_and_keep_their_end_as_in_redis() {
    for server in [stage("hash-log"), durable("hash-log")] {
        let mut client = server.redis();
        let is_between = |answer: String, least: i64, most: i64| {
            let number: i64 = answer.parse().unwrap();
            assert!((least..=most).contains(&number), "{number}");
        };
        client.expect(&[
            ("SET a 1 EX 1000", "OK"),
            ("TTL a", "1000"),
            ("SETEX b 1000 1", "OK"),
            ("TTL b", "1000"),
        ]);
        is_between(client.ask("PTTL a"), 900_000, 1_000_000);
        // Those that change a value keep its end; those that set one do not.
        client.expect(&[("INCR a", "2"), ("APPEND a 0", "2"), ("SET a 7 KEEPTTL", "OK"), ("GET a", "\"7\"")]);
        is_between(client.ask("PTTL a"), 900_000, 1_000_000);
        client.expect(&[("SET a 8", "OK"), ("TTL a", "-1")]);
        client.expect(&[
            ("EXPIRE a 1000", "1"),
            ("EXPIRE none 1000", "0"),
            ("TTL a", "1000"),
            ("PERSIST a", "1"),
        ]);
        client.expect(&[("PERSIST a", "0"), ("TTL a", "-1"), ("GET a", "\"8\"")]);
        client.expect(&[
            ("EXPIRE a 500 XX", "0"),
            ("EXPIRE a 500 GT", "0"),
            ("EXPIRE a 500 LT", "1"),
            ("EXPIRE a 600 NX", "0"),
            ("EXPIRE a 600 LT", "0"),
            ("EXPIRE a 600 GT", "1"),
            ("TTL a", "600"),
            ("EXPIRE a 1 NX GT", "-ERR NX and XX, GT or LT options at the same time are not compatible"),
            ("EXPIRE a 1 SOON", "-ERR Unsupported option SOON"),
        ]);
        client.expect(&[("PEXPIREAT a 99999999999999", "1"), ("PEXPIRETIME a", "99999999999999")]);
        client.expect(&[("EXPIREAT a 9999999999", "1"), ("EXPIRETIME a", "9999999999")]);
        // The past is a delete.
        client.expect(&[("EXPIRE a -1", "1"), ("EXISTS a", "0"), ("TTL a", "-2")]);
        client.expect(&[
            ("SET a 1 PX 1000000 NX", "OK"),
            ("SET a 2 PX 1000000 NX", "nil"),
            ("SET a 3 EX 1000 GET", "\"1\""),
            ("TTL a", "1000"),
            ("GETSET a 4", "\"3\""),
            ("TTL a", "-1"),
        ]);
        for bad in ["SET a 1 EX 0", "SET a 1 PX -5", "SET a 1 EX 9223372036854775807"] {
            assert_eq!(client.ask(bad), "-ERR invalid expire time in 'set' command");
        }
        assert_eq!(
            client.ask("EXPIRE a 9223372036854775807"),
            "-ERR invalid expire time in 'expire' command"
        );
        client.expect(&[("PSETEX c 1 1", "OK")]);
        while client.ask("EXISTS c") == "1" {}
    }
}

#[test]
fn a_scan_shows_every_key_once_and_only_those_that_match() {
    let server = memory(options());
    let mut client = server.redis();
    (0..300).for_each(|number| drop(client.ask(&format!("SET {number} v"))));
    for (options, expected) in [
        ("", 300),
        (" COUNT 1000", 300),
        (" MATCH 1?", 10),
        (" COUNT 7 MATCH *5 TYPE string", 30),
        (" TYPE hash", 0),
    ] {
        let (mut cursor, mut shown) = ("0".to_owned(), Vec::new());
        loop {
            client.send(&frame(&format!("SCAN {cursor}{options}").split(' ').collect::<Vec<_>>()));
            let answer = show(&client.next().unwrap());
            let (next, keys) = answer.strip_prefix("[\"").unwrap().split_once("\" [").unwrap();
            shown.extend(
                keys.trim_end_matches("]]").split(' ').filter(|key| !key.is_empty()).map(str::to_owned),
            );
            cursor = next.to_owned();
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(
            (shown.len(), shown.iter().collect::<BTreeSet<_>>().len()),
            (expected, expected),
            "{options}"
        );
    }
    client.expect(&[
        ("SCAN x", "-ERR invalid cursor"),
        ("SCAN 0 COUNT 0", "-ERR syntax error"),
        ("SCAN 0 MATCH", "-ERR syntax error"),
        ("SCAN 0 SORT 1", "-ERR syntax error"),
    ]);
}

#[test]
fn mistakes_are_told_in_the_words_of_redis() {
    let server = memory(options());
    server.redis().expect(&[
        ("GET", "-ERR wrong number of arguments for 'get' command"),
        ("GET a b", "-ERR wrong number of arguments for 'get' command"),
        ("PING a b", "-ERR wrong number of arguments for 'ping' command"),
        ("MSET a 1 b", "-ERR wrong number of arguments for 'mset' command"),
        ("CLIENT SETNAME", "-ERR wrong number of arguments for 'client|setname' command"),
        ("CONFIG GET", "-ERR wrong number of arguments for 'config|get' command"),
        ("lpush a 1", "-ERR unknown command 'lpush', with args beginning with: 'a' '1' "),
        ("CLIENT x", "-ERR unknown subcommand 'x'. Try CLIENT HELP."),
        ("SELECT 1", "-ERR DB index is out of range"),
        ("SELECT x", "-ERR value is not an integer or out of range"),
        ("HELLO 4", "-NOPROTO unsupported protocol version"),
        ("HELLO x", "-ERR Protocol version is not an integer or out of range"),
        ("HELLO 3 x", "-ERR Syntax error in HELLO option 'x'"),
    ]);
}

#[test]
fn clients_learn_what_they_ask_for_at_their_start() {
    let server = stage("hash-log");
    let mut client = server.redis();
    client.expect(&[
        ("PING hello", "\"hello\""),
        ("ECHO hello", "\"hello\""),
        ("SELECT 0", "OK"),
        ("CLIENT SETINFO LIB-NAME x", "OK"),
        ("CLIENT GETNAME", "nil"),
        ("CLIENT SETNAME me", "OK"),
        ("CLIENT GETNAME", "\"me\""),
        ("CONFIG GET save appendon*", "[\"appendonly\" \"yes\" \"save\" \"\"]"),
        ("CONFIG GET nothing", "[]"),
        ("COMMAND INFO get nothing", "[[\"get\" 2 [readonly] 1 1 1 [] [] [] []] nil]"),
    ]);
    let count: usize = client.ask("COMMAND COUNT").parse().unwrap();
    assert!(count > 40 && client.ask("COMMAND").matches(" [").count() >= count);
    assert!(client.ask("COMMAND DOCS get").starts_with("[\"get\" [\"summary\""));
    assert!(client.ask("CLIENT INFO").contains("name=me"));
    assert!(client.ask("HELLO 2").contains("\"version\" \""));
    let info = client.ask("INFO");
    for part in ["# Server", "redis_version:7", "logladder_stage:hash-log", "role:master"] {
        assert!(info.contains(part), "{part} in {info}");
    }
    let number = |name: &str| -> u64 {
        let text = info.split("\\r\\n").find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        text.unwrap_or_else(|| panic!("{name} in {info}")).parse().unwrap()
    };
    assert!(number("connected_clients") == 1 && number("total_connections_received") == 1);
    assert!(number("total_commands_processed") > 15 && number("uptime_in_seconds") < 3600);
    #[cfg(target_os = "linux")]
    assert!((1 << 16..=number("used_memory_rss")).contains(&number("used_memory")), "{info}");
    client.ask("SET a 1");
    let keyspace = client.ask("INFO keyspace");
    assert!(keyspace.contains("db0:keys=1") && !keyspace.contains("Server"), "{keyspace}");
    let metrics = server.get("/metrics");
    assert!(
        metrics.text().contains("logladder_redis_commands_total{command=\"set\"} 1"),
        "{}",
        metrics.text()
    );
}

#[test]
fn the_page_of_the_book_names_every_command() {
    let page = include_str!("../../../../docs/src/redis.md");
    let list = memory(options()).redis().ask("COMMAND LIST");
    let names = list.trim_matches(['[', ']']).split(' ').map(|name| name.trim_matches('"').to_uppercase());
    let missing: Vec<String> = names.filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert_eq!(missing, [""; 0]);
}
