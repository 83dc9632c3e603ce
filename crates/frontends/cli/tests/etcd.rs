//! `logladder --stage etcd`: a store in a cluster from the command, and through any number of servers.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

// Both are shared with other tests, which use the rest of them.
mod running;
#[path = "../../../stages/9-etcd/tests/servers/mod.rs"]
mod servers;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use running::{Server, logladder};

fn command(members: &[servers::Server]) -> Command {
    let endpoints: Vec<&str> = members.iter().map(servers::Server::endpoint).collect();
    let mut command = logladder();
    command.args(["--stage", "etcd", "--endpoints", &endpoints.join(",")]);
    command
}

fn serve(members: &[servers::Server]) -> Server {
    let mut command = command(members);
    command.args(["serve", "--addr", "127.0.0.1:0", "--log", "error"]).stderr(Stdio::null());
    Server::of(command)
}

fn run(members: &[servers::Server], arguments: &[&str]) -> Output {
    command(members).args(arguments).output().unwrap()
}

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn the_command_reads_and_writes_a_store_in_a_cluster() {
    let members = [servers::Server::alone()];
    assert_eq!(run(&members, &["get", "name"]).status.code(), Some(1));
    for value in ["anna", "bob"] {
        printed(&run(&members, &["set", "name", value]));
    }
    assert_eq!(printed(&run(&members, &["get", "name"])), "bob\n");
    printed(&run(&members, &["del", "name"]));
    assert_eq!(printed(&run(&members, &["history", "name"])), "3\t(deleted)\n2\tbob\n1\tanna\n");
    let shown = printed(&run(&members, &["watch", "--all", "--no-follow"]));
    let changes: Vec<&str> =
        shown.lines().filter_map(|line| line.split_once('\t')).map(|(_, change)| change).collect();
    assert_eq!(changes, ["set\tname\tanna", "set\tname\tbob", "del\tname"]);
    // What needs files says so.
    assert_eq!(run(&members, &["inspect"]).status.code(), Some(5));
    assert!(!Path::new("logladder-data").exists(), "no folder is made");
}

/// Both have a prefix: the store in the cluster, and the keys that are asked for. They are no one's but their own.
#[test]
fn keys_are_listed_by_their_prefix_in_a_store_under_a_prefix_and_in_one_that_lies_in_a_folder() {
    let members = [servers::Server::alone()];
    let folder = tempfile::tempdir().unwrap();
    let in_a_folder = |arguments: &[&str]| {
        printed(&logladder().arg("--dir").arg(folder.path()).args(arguments).output().unwrap())
    };
    for key in ["a", "ab", "b"] {
        printed(&run(&members, &["--cluster-prefix", "shop", "set", key, "1"]));
        in_a_folder(&["set", key, "1"]);
    }
    let listing = ["scan", "--prefix", "a", "--keys", "--sorted"];
    assert_eq!(printed(&run(&members, &[&["--cluster-prefix", "shop"], &listing[..]].concat())), "a\nab\n");
    assert_eq!(printed(&run(&members, &listing)), "");
    assert_eq!(in_a_folder(&listing), "a\nab\n");
}

#[test]
fn servers_over_one_cluster_show_one_store_and_its_members() {
    let mut members = servers::Server::cluster(3);
    let all: Vec<Server> = (0..3).map(|_| serve(&members)).collect();
    for (number, server) in all.iter().enumerate() {
        let (status, body) = server.ask("POST", "/set", r#"{"key":"name","value":"anna"}"#);
        assert_eq!(
            (status, body),
            (201, format!(r#"{{"key":"name","value":"anna","version":{}}}"#, number + 1))
        );
        for reader in &all {
            let expected = format!(r#"{{"key":"name","value":"anna","version":{}}}"#, number + 1);
            assert_eq!(reader.ask("GET", "/get/name", ""), (200, expected));
        }
    }
    let (status, body) = all[0].ask("GET", "/v1/cluster", "");
    assert_eq!(status, 200);
    assert_eq!(body.matches(r#""is_leader":true"#).count(), 1, "{body}");
    for member in &members {
        assert!(body.contains(member.endpoint()), "{body}");
    }
    let (status, body) = all[1].ask("GET", "/healthz", "");
    assert!(status == 200 && body.contains(r#""members":3,"answering":3,"leader":""#), "{body}");
    assert!(!body.contains("http://"), "who needs no token learns no addresses: {body}");

    members[1].kill();
    members[2].kill();
    let refused = all[0].ask("PUT", "/v1/keys/name?sync=true", "bob");
    assert!([503, 504].contains(&refused.0), "{refused:?}");
    let (status, body) = all[0].ask("GET", "/get/name", "");
    assert_eq!(status, 503, "{body}");
    assert!(body.contains("no majority"), "{body}");
    let (status, body) = all[2].ask("GET", "/v1/cluster", "");
    assert!(status == 200 && body.matches(r#""error":""#).count() >= 2, "{body}");
    members[1].start_again();
    members[1].wait();
    let (status, body) = all[0].ask("DELETE", "/delete/name", "");
    assert_eq!(status, 200, "{body}");
    assert_eq!(all[2].ask("GET", "/get/name", "").0, 404);
}

#[test]
fn a_cluster_without_room_is_told_as_that_with_what_makes_some() {
    let members = [servers::Server::alone_with(&[("quota-backend-bytes", "1000000")])];
    let server = serve(&members);
    let value = "v".repeat(10_000);
    // The first that hears of it may have been done.
    let mut writes = (0..400).map(|number| server.ask("PUT", &format!("/v1/keys/k{number}"), &value));
    let refused = writes.find(|(status, _)| ![204, 504].contains(status)).unwrap();
    assert!(refused.0 == 507 && refused.1.contains("etcdctl defrag"), "{refused:?}");
    let (status, body) = server.ask("GET", "/readyz", "");
    assert!(status == 503 && body.contains("no room"), "{status} {body}");
}
