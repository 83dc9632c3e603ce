//! Servers over copies, beside the servers that they follow.

use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use serde_json::Value;

use super::{PATIENCE, Server, logladder};

pub(crate) fn leader_at(address: &str, dir: &Path, arguments: &[&str]) -> Server {
    Server::start_at(address, dir, arguments, "error")
}

pub(crate) fn leader(dir: &Path, arguments: &[&str]) -> Server {
    leader_at("127.0.0.1:0", dir, arguments)
}

/// A copy of what `leader` has.
pub(crate) fn copy_of(leader: &str, dir: &Path, arguments: &[&str]) -> Server {
    let mut command = logladder();
    command.arg("--dir").arg(dir).args(["serve", "--addr", "127.0.0.1:0", "--log", "error"]);
    command.args(["--follow", &format!("http://{leader}")]).args(arguments).stderr(Stdio::piped());
    Server::of(command)
}

/// Asks again until `check` says yes.
pub(crate) fn in_the_end(what: &str, mut check: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !check() {
        assert!(begun.elapsed() < PATIENCE, "{what} does not come true");
        std::thread::yield_now();
    }
}

pub(crate) fn json(server: &Server, path: &str) -> Value {
    let (status, body) = server.ask("GET", path, "");
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}

/// Waits until the copy has everything that the leader has now.
pub(crate) fn catch_up(copy: &Server, leader: &Server) {
    let goal = json(leader, "/v1/position")["sequence"].as_u64().unwrap();
    in_the_end("catching up", || {
        let lag = json(copy, "/v1/follower");
        let position = lag["position"].as_str().and_then(|text| text.split('.').next()?.parse::<u64>().ok());
        position.is_some_and(|sequence| sequence >= goal)
    });
}

pub(crate) fn put(server: &Server, key: &str, value: &str) {
    let (status, body) = server.ask("PUT", &format!("/v1/keys/{key}"), value);
    assert_eq!(status, 204, "{body}");
}

/// Every key and value, as a page of keys and a get of each show them.
pub(crate) fn contents(server: &Server) -> Vec<(String, String)> {
    let keys = json(server, "/v1/keys?limit=1000");
    assert_eq!(keys["cursor"], Value::Null, "the test has more keys than a page");
    let keys = keys["keys"].as_array().unwrap().iter().map(|key| key.as_str().unwrap().to_owned());
    keys.map(|key| (server.ask("GET", &format!("/v1/keys/{key}"), "").1, key))
        .map(|(value, key)| (key, value))
        .collect()
}
