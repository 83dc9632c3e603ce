//! `serve --follow`: a copy of what another server has, across the deaths of both.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]
#![cfg(unix)]

mod running;

use std::path::Path;

use running::copies::{catch_up, contents, copy_of, in_the_end, json, leader, leader_at, put};
use running::{PATIENCE, Server, logladder};

/// What `serve` says when it refuses to begin, and its exit code.
fn refused(dir: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = logladder();
    command.arg("--dir").arg(dir).args(["--wait", "0s", "serve", "--addr", "127.0.0.1:0"]).args(arguments);
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_copy_has_what_was_there_and_each_change_after_it() {
    for stage in ["hash-log", "replay-log"] {
        let (theirs, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let leader = leader(theirs.path(), &["--stage", stage, "--sync", "never"]);
        for number in 0..300 {
            put(&leader, &format!("k{number}"), &format!("v{number}"));
        }
        put(&leader, "empty", "");
        let copy = copy_of(&leader.address, ours.path(), &[]);
        catch_up(&copy, &leader);
        assert_eq!(contents(&copy), contents(&leader), "{stage}");
        assert_eq!(copy.ask("GET", "/readyz", "").0, 200);
        for number in 0..100 {
            put(&leader, &format!("k{number}"), "again");
            assert_eq!(leader.ask("DELETE", &format!("/v1/keys/k{}", number + 100), "").0, 204);
        }
        catch_up(&copy, &leader);
        assert_eq!(contents(&copy), contents(&leader), "{stage}");
        assert_eq!(contents(&copy).len(), 201, "{stage}");
        // The place that it keeps is no key of the store.
        assert_eq!(json(&copy, "/v1/stats")["live_keys"], json(&leader, "/v1/stats")["live_keys"]);
        assert_eq!(copy.ask("GET", "/v1/keys/%00logladder/follower", "").0, 404);
        in_the_end("freshness", || json(&copy, "/healthz")["follower"]["changes_behind"] == 0);
        copy.end_well("-TERM");
    }
}

#[test]
fn a_copy_goes_on_where_it_was_whichever_side_is_killed() {
    let (theirs, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut leader = leader(theirs.path(), &["--sync", "never"]);
    let address = leader.address.clone();
    let mut copy = copy_of(&address, ours.path(), &[]);
    for round in 0..6 {
        for number in 0..60 {
            put(&leader, &format!("k{number}"), &format!("{round}-{number}"));
            if number == 30 && round % 2 == 0 {
                // Some of the changes are copied by now, and some may not be.
                copy.end("-KILL");
                copy = copy_of(&address, ours.path(), &[]);
            }
        }
        if round % 2 == 1 {
            leader.end("-KILL");
            assert_eq!(copy.ask("GET", "/healthz", "").0, 200, "reads go on without the leader");
            leader = leader_at(&address, theirs.path(), &[]);
        }
    }
    catch_up(&copy, &leader);
    assert_eq!(contents(&copy), contents(&leader));
    // It was copied whole once: every change after it came from the log, none twice.
    copy.end_well("-TERM");
    leader.end_well("-TERM");
    let mut scan = logladder();
    let shown = scan.arg("--dir").arg(ours.path()).args(["watch", "--all", "--no-follow"]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    let sets: Vec<&str> = shown.lines().filter(|line| line.contains("\tset\tk7\t")).collect();
    assert!(sets.len() <= 6, "a key that was set six times was set more often in the copy: {sets:?}");
}

#[test]
fn what_the_leader_deleted_and_compacted_meanwhile_is_gone_from_the_copy() {
    let (theirs, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let leader = leader(theirs.path(), &["--sync", "never"]);
    for number in 0..50 {
        put(&leader, &format!("k{number}"), "old");
    }
    let copy = copy_of(&leader.address, ours.path(), &[]);
    catch_up(&copy, &leader);
    copy.end_well("-TERM");
    for number in 0..25 {
        assert_eq!(leader.ask("DELETE", &format!("/v1/keys/k{number}"), "").0, 204);
        put(&leader, &format!("k{}", number + 25), "new");
    }
    assert_eq!(leader.ask("POST", "/v1/compact", "").0, 200);
    let copy = copy_of(&leader.address, ours.path(), &[]);
    catch_up(&copy, &leader);
    assert_eq!(contents(&copy), contents(&leader));
    assert_eq!(contents(&copy).len(), 25);
}

#[test]
fn writes_to_a_copy_are_sent_on_with_their_conditions_and_answered_as_the_leader_does() {
    let (theirs, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let leader = leader(theirs.path(), &["--versions", "5"]);
    let copy = copy_of(&leader.address, ours.path(), &[]);
    in_the_end("the copy", || copy.ask("GET", "/readyz", "").0 == 200);
    let (status, body) = copy.ask("POST", "/set", r#"{"key":"name","value":"anna"}"#);
    assert_eq!((status, body.as_str()), (201, r#"{"key":"name","value":"anna","version":1}"#));
    assert_eq!(copy.ask("POST", "/set", r#"{"key":"name"}"#).0, 400);
    assert_eq!(copy.ask("DELETE", "/delete/absent", "").0, 404);
    put(&copy, "name", "bob");
    assert_eq!(leader.ask("GET", "/v1/keys/name", ""), (200, "bob".to_owned()));
    catch_up(&copy, &leader);
    assert_eq!(copy.ask("GET", "/v1/keys/name", ""), (200, "bob".to_owned()));
    leader.end_well("-TERM");
    let (status, body) = copy.ask("PUT", "/v1/keys/name", "carl");
    assert!(status == 503 && body.contains("nothing was written"), "{status} {body}");
    assert_eq!(copy.ask("GET", "/v1/keys/name", ""), (200, "bob".to_owned()));
    in_the_end("the loss of the leader", || json(&copy, "/v1/follower")["state"] == "away");
}

/// The leader counts versions and the copy does not, so the two name one value by different tags.
#[test]
fn a_value_that_was_read_at_a_copy_is_a_condition_of_a_write_through_it() {
    let (theirs, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let leader = leader(theirs.path(), &["--versions", "5"]);
    put(&leader, "name", "anna");
    let copy = copy_of(&leader.address, ours.path(), &[]);
    catch_up(&copy, &leader);
    let tag = copy.tag("/v1/keys/name");
    assert_ne!(tag, leader.tag("/v1/keys/name"));
    let write = |tag: &str, value: &str| copy.ask_if("PUT", "/v1/keys/name", tag, value).0;
    assert_eq!(write(&tag, "bob"), 204, "nobody has written since");
    assert_eq!(write(&tag, "carl"), 412, "somebody has");
    assert_eq!(leader.ask("GET", "/v1/keys/name", ""), (200, "bob".to_owned()));
    // A tag that the leader gave out goes through the copy as well.
    assert_eq!(write(&leader.tag("/v1/keys/name"), "dora"), 204);
    catch_up(&copy, &leader);
    let tag = copy.tag("/v1/keys/name");
    assert_eq!(copy.ask_if("DELETE", "/v1/keys/name", &tag, "").0, 204);
}

/// Who knows that the leader is gone for good serves the folder without `--follow`.
#[test]
fn a_copy_that_is_served_without_its_leader_shows_its_keys_and_nothing_else() {
    let (theirs, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let leader = leader(theirs.path(), &[]);
    put(&leader, "a", "1");
    put(&leader, "b", "2");
    let copy = copy_of(&leader.address, ours.path(), &[]);
    catch_up(&copy, &leader);
    let (all, sizes) = (contents(&leader), json(&leader, "/v1/stats"));
    copy.end_well("-TERM");
    let address = leader.address.clone();
    leader.end_well("-TERM");
    let run = |arguments: &[&str]| {
        let output = logladder().arg("--dir").arg(ours.path()).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    // Looking is no promotion, and shows what the copy shows.
    assert_eq!(run(&["scan", "--sorted"]), "a\t1\nb\t2\n");
    assert_eq!(run(&["export", "-", "--sorted"]), "a\t1\nb\t2\n");
    copy_of(&address, ours.path(), &[]).end_well("-TERM");

    let promoted = Server::start(ours.path(), &[], "info");
    assert_eq!(contents(&promoted), all);
    assert_eq!(json(&promoted, "/v1/stats")["live_keys"], sizes["live_keys"]);
    put(&promoted, "c", "3");
    let (ended, log) = promoted.end("-TERM");
    assert!(ended.success() && log.contains("was a copy"), "{log}");
    let (code, why) = refused(ours.path(), &["--follow", &format!("http://{address}")]);
    assert!(code == Some(3) && why.contains("no copy of another one"), "{code:?} {why}");
    let again = Server::start(ours.path(), &[], "info");
    assert_eq!(contents(&again).len(), all.len() + 1);
    assert!(!again.end("-TERM").1.contains("was a copy"), "it is told once");
}

#[test]
fn a_copy_that_is_told_to_refuses_writes_and_says_where_they_go() {
    let (theirs, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let leader = leader(theirs.path(), &[]);
    let copy = copy_of(&leader.address, ours.path(), &["--writes", "refuse"]);
    for (method, path, body) in [
        ("PUT", "/v1/keys/a", "1"),
        ("DELETE", "/v1/keys/a", ""),
        ("POST", "/set", r#"{"key":"a","value":"1"}"#),
        ("POST", "/v1/batch", r#"{"writes":[]}"#),
    ] {
        let (status, answer) = copy.ask(method, path, body);
        assert!(status == 403 && answer.contains(&leader.address), "{method} {path}: {status} {answer}");
    }
    assert_eq!(json(&leader, "/v1/position")["sequence"], 0);
}

#[test]
fn a_store_that_is_no_copy_is_not_followed_into_and_left_as_it_was() {
    let (theirs, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let leader = leader(theirs.path(), &[]);
    let follow = ["--follow", &format!("http://{}", leader.address)];
    let set = |value: &str| {
        let mut command = logladder();
        command.arg("--dir").arg(ours.path()).args(["set", "mine", value]);
        assert!(command.status().unwrap().success());
    };
    set("1");
    let (code, why) = refused(ours.path(), &follow);
    assert!(code == Some(3) && why.contains("no copy of another one"), "{code:?} {why}");
    let mut get = logladder();
    let kept = get.arg("--dir").arg(ours.path()).args(["get", "mine"]).output().unwrap();
    assert_eq!(kept.stdout, b"1\n");

    // A copy that was written to by itself is one no more.
    std::fs::remove_dir_all(ours.path()).unwrap();
    let copy = copy_of(&leader.address, ours.path(), &[]);
    put(&leader, "theirs", "1");
    catch_up(&copy, &leader);
    copy.end_well("-TERM");
    set("2");
    let (code, why) = refused(ours.path(), &follow);
    assert!(code == Some(3) && why.contains("someone else has written"), "{code:?} {why}");
}

#[test]
fn what_is_no_address_of_a_server_is_refused_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("copy");
    for arguments in [
        &["--follow", "localhost:8080"][..],
        &["--follow", "https://localhost:8080"],
        &["--writes", "refuse"],
        &["--follow", "http://localhost:8080", "--writes", "perhaps"],
    ] {
        assert_eq!(refused(&dir, arguments).0, Some(2), "{arguments:?}");
    }
    assert!(!dir.exists());
}

#[test]
fn a_copy_without_its_leader_says_that_it_is_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody listens there: the port is held by nobody who would.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap().to_string();
    drop(port);
    let copy = copy_of(&address, folder.path(), &[]);
    let (status, body) = copy.ask("GET", "/readyz", "");
    assert!(status == 503 && body.contains("no whole copy"), "{status} {body}");
    assert_eq!(json(&copy, "/healthz")["follower"]["state"], "away");
    copy.end_well("-TERM");
}

#[test]
fn values_that_end_end_in_the_copy_as_well() {
    let (theirs, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let redis = ["--redis", "127.0.0.1:0"];
    let serve = |dir: &Path| {
        let mut command = logladder();
        command.arg("--dir").arg(dir).args(["serve", "--addr", "127.0.0.1:0", "--log", "error"]).args(redis);
        Server::of(command)
    };
    let mut leader = serve(theirs.path());
    let port = leader.next_address("redis://");
    assert_eq!(ask_redis(&port, &["SET", "before", "1", "EX", "1000"]), "+OK");
    let mut copy = copy_of(&leader.address, ours.path(), &redis);
    let copy_port = copy.next_address("redis://");
    assert_eq!(ask_redis(&port, &["SET", "after", "1", "EX", "2000"]), "+OK");
    assert_eq!(ask_redis(&port, &["SET", "ended", "1", "PX", "1"]), "+OK");
    catch_up(&copy, &leader);
    for (key, most) in [("before", 1000), ("after", 2000)] {
        let left: i64 = ask_redis(&copy_port, &["TTL", key]).trim_start_matches(':').parse().unwrap();
        assert!((most - 900..=most).contains(&left), "{key}: {left}");
    }
    in_the_end("the end of a value", || ask_redis(&copy_port, &["EXISTS", "ended"]) == ":0");
    let refused = ask_redis(&copy_port, &["SET", "mine", "1"]);
    assert!(refused.starts_with("-READONLY"), "{refused}");
}

/// The first line of what a server answers to a command.
fn ask_redis(address: &str, words: &[&str]) -> String {
    use std::fmt::Write as _;
    use std::io::{BufRead, BufReader, Write};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut text = format!("*{}\r\n", words.len());
    for word in words {
        write!(text, "${}\r\n{word}\r\n", word.len()).unwrap();
    }
    stream.write_all(text.as_bytes()).unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}
