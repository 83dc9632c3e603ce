//! Clients that people use: `redis-cli` and `redis-benchmark`, of the package `redis-tools`.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod harness;

use std::io::Write;
use std::process::{Command, Stdio};

use harness::{Running, durable, stage};

/// Runs a tool of Redis against the server, with these lines as its input.
fn run(server: &Running, tool: &str, arguments: &[&str], input: &str) -> String {
    let mut process = Command::new(tool)
        .args(["-h", "127.0.0.1", "-p", &server.redis.port().to_string()])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| {
            panic!(
                "cannot start {tool}: {error}; `cargo xtask test` installs it where it may; by hand, as root: \
                 `apt-get update && apt-get install redis-tools`"
            )
        });
    process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    let (printed, errors) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{printed}{errors}");
    printed
}

#[test]
fn redis_cli_speaks_both_versions_of_the_protocol() {
    for arguments in [&["-2"][..], &["-3"]] {
        let server = stage("hash-log");
        let input = "PING\nSET name \"two words\"\nGET name\nGET none\nINCR n\nMGET name n none\nEXPIRE n 100\nTTL n\n\
                     DEL name n\nLPUSH a b\n";
        let printed = run(&server, "redis-cli", arguments, input);
        let lines: Vec<&str> = printed.lines().collect();
        let expected = [
            "PONG",
            "OK",
            "two words",
            "",
            "1",
            "two words",
            "1",
            "",
            "1",
            "100",
            "2",
            "ERR unknown command 'LPUSH', with args beginning with: 'a' 'b' ",
        ];
        assert_eq!(&lines[..expected.len()], expected, "{printed}");
    }
}

#[test]
fn redis_cli_lists_the_keys_and_says_how_the_server_is() {
    let server = stage("memory");
    let input: Vec<String> = (0..1000).map(|number| format!("SET key:{number} v\n")).collect();
    run(&server, "redis-cli", &[], &input.concat());
    let printed = run(&server, "redis-cli", &["--scan", "--pattern", "key:99?"], "");
    assert_eq!(printed.lines().count(), 10, "{printed}");
    assert!(run(&server, "redis-cli", &["INFO"], "").contains("db0:keys=1000"));
    let many: Vec<String> =
        (0..1000).map(|number| format!("*3\r\n$3\r\nSET\r\n$3\r\n{number:03}\r\n$1\r\nv\r\n")).collect();
    let printed = run(&server, "redis-cli", &["--pipe"], &many.concat());
    assert!(printed.contains("errors: 0, replies: 1000"), "{printed}");
}

#[test]
fn redis_benchmark_gets_through_with_and_without_pipelines() {
    for server in [stage("memory"), stage("replay-log"), durable("replay-log"), durable("hash-log")] {
        for pipeline in ["1", "16"] {
            let arguments = [
                "-t",
                "ping,set,get,incr,mset",
                "-n",
                "2000",
                "-c",
                "10",
                "-r",
                "100",
                "-P",
                pipeline,
                "--csv",
            ];
            let printed = run(&server, "redis-benchmark", &arguments, "");
            // A heading, and a line each: PING both ways, SET, GET, INCR, MSET.
            assert_eq!(printed.lines().filter(|line| line.starts_with('"')).count(), 7, "{printed}");
        }
    }
}
