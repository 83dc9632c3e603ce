//! `serve --follow` where the leader is not what it was, or none at all.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]
#![cfg(unix)]

mod running;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use running::copies::{catch_up, contents, copy_of, in_the_end, json, leader, leader_at, put};
use running::{Server, logladder};

/// Fills a store of its own with as many keys as every other store here has, all values as long.
fn filled(dir: &Path, value: &str, last: &str) {
    let server = leader(dir, &[]);
    for number in 0..20 {
        put(&server, &format!("k{number}"), value);
    }
    put(&server, "last", last);
    server.end_well("-TERM");
}

#[test]
fn another_store_under_the_leaders_address_is_noticed_though_it_has_the_same_place() {
    let (one, other, ours) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    filled(one.path(), "old", "1");
    filled(other.path(), "new", "2");
    let first = leader(one.path(), &[]);
    let address = first.address.clone();
    let copy = copy_of(&address, ours.path(), &[]);
    catch_up(&copy, &first);
    // A store is known by the last change that was followed.
    put(&first, "followed", "1");
    catch_up(&copy, &first);
    first.end_well("-TERM");
    let elsewhere = leader(other.path(), &[]);
    put(&elsewhere, "followed", "2");
    let place = json(&elsewhere, "/v1/position");
    assert_eq!(place["position"], json(&copy, "/v1/follower")["position"], "the two cannot be told by it");
    elsewhere.end_well("-TERM");
    let second = leader_at(&address, other.path(), &[]);
    in_the_end("another copy", || contents(&copy) == contents(&second));
    put(&second, "behind", "1");
    catch_up(&copy, &second);
    assert_eq!(contents(&copy), contents(&second));
}

#[test]
fn an_older_state_of_the_leaders_store_is_noticed_even_once_it_has_gone_further() {
    let (dir, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (now, older) = (dir.path().join("now"), dir.path().join("older"));
    filled(&now, "value", "1");
    let copied = std::process::Command::new("cp").arg("-r").args([&now, &older]).status().unwrap();
    assert!(copied.success());
    let first = leader(&now, &[]);
    let address = first.address.clone();
    let copy = copy_of(&address, ours.path(), &[]);
    catch_up(&copy, &first);
    put(&first, "a", "lost");
    catch_up(&copy, &first);
    first.end_well("-TERM");
    copy.end_well("-TERM");
    let second = leader_at(&address, &older, &[]);
    put(&second, "b", "kept");
    put(&second, "c", "kept");
    let copy = copy_of(&address, ours.path(), &[]);
    in_the_end("another copy", || contents(&copy) == contents(&second));
}

/// Answers everything with one text, and keeps the first line of what it was asked.
fn no_logladder(listener: TcpListener, answer: &'static str) -> Arc<Mutex<Vec<String>>> {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::clone(&asked);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(mut stream), list) = (stream, Arc::clone(&list)) else { return };
            thread::spawn(move || {
                let mut line = String::new();
                let _ = BufReader::new(&stream).read_line(&mut line);
                list.lock().unwrap().push(line);
                let _ = stream.write_all(answer.as_bytes());
            });
        }
    });
    asked
}

const A_PAGE: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";

#[test]
fn no_write_is_sent_to_what_has_never_been_followed() {
    let ours = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = no_logladder(listener, A_PAGE);
    let copy = copy_of(&address, ours.path(), &[]);
    in_the_end("the first attempt", || !asked.lock().unwrap().is_empty());
    let (status, body) = copy.ask("PUT", "/v1/keys/a", "1");
    assert!(status == 503 && body.contains("nothing was written"), "{status} {body}");
    assert!(asked.lock().unwrap().iter().all(|line| line.starts_with("GET ")), "{asked:?}");
}

#[test]
fn what_takes_the_leaders_place_and_is_none_does_not_answer_for_it() {
    let (theirs, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let leader = leader(theirs.path(), &[]);
    let copy = copy_of(&leader.address, ours.path(), &[]);
    put(&leader, "a", "1");
    catch_up(&copy, &leader);
    let address = leader.address.clone();
    leader.end_well("-TERM");
    no_logladder(TcpListener::bind(address).unwrap(), A_PAGE);
    let (status, body) = copy.ask("PUT", "/v1/keys/a", "2");
    assert!(status == 504 && body.contains("no logladder server"), "{status} {body}");
    assert_eq!(copy.ask("GET", "/v1/keys/a", ""), (200, "1".to_owned()));
}

/// A leader says with these two that its log has no such place, and gives its reason. A copy then begins again.
#[test]
fn a_stranger_who_answers_as_a_leader_that_has_lost_the_place_costs_a_copy_nothing() {
    const NO: [&str; 2] = [
        "HTTP/1.1 410 Gone\r\ncontent-type: text/html\r\ncontent-length: 4\r\nconnection: close\r\n\r\nGone",
        "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    ];
    for answer in NO {
        let (theirs, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let leader = leader(theirs.path(), &[]);
        let copy = copy_of(&leader.address, ours.path(), &[]);
        // Before there is a change that it has followed, and behind one.
        for round in 0..2 {
            put(&leader, "a", &round.to_string());
            catch_up(&copy, &leader);
        }
        let place = json(&copy, "/v1/follower")["position"].clone();
        assert!(place.is_string(), "{place}");
        let address = leader.address.clone();
        leader.end_well("-TERM");
        let asked = no_logladder(TcpListener::bind(&address).unwrap(), answer);
        let has_followed = || {
            let lines = asked.lock().unwrap();
            lines.iter().filter(|line| line.starts_with("GET /v1/changes")).count() > 1
        };
        // The second attempt begins where the first one has left it.
        in_the_end("a second attempt", has_followed);
        let lag = json(&copy, "/v1/follower");
        assert!(lag["state"] == "away" && lag["position"] == place, "{lag}");
        assert!(lag["error"].as_str().is_some_and(|why| why.contains("is it a logladder server")), "{lag}");
        assert!(asked.lock().unwrap().iter().all(|line| !line.contains("snapshot")), "{asked:?}");
        assert_eq!(copy.ask("GET", "/v1/keys/a", ""), (200, "1".to_owned()));
        assert_eq!(copy.ask("GET", "/readyz", "").0, 200);
    }
}

#[test]
fn a_method_that_nobody_knows_is_answered_as_the_leader_does() {
    let (theirs, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let leader = leader(theirs.path(), &[]);
    let copy = copy_of(&leader.address, ours.path(), &[]);
    for method in ["FOO", "PURGE", "OPTIONS", "TRACE", "PATCH"] {
        let theirs = leader.ask(method, "/v1/keys/a", "");
        assert_eq!(theirs.0, 405, "{method}");
        assert_eq!(copy.ask(method, "/v1/keys/a", ""), theirs, "{method}");
    }
}

/// Longer than a client of HTTP takes unless it is told otherwise.
#[test]
fn a_long_answer_to_a_write_is_sent_back() {
    let (theirs, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let leader = leader(theirs.path(), &["--sync", "never"]);
    let copy = copy_of(&leader.address, ours.path(), &[]);
    in_the_end("the copy", || json(&copy, "/v1/follower")["state"] == "following");
    let body =
        format!(r#"{{"key":"long","value":"{}"}}"#, "\u{1}".repeat(5 << 19).replace('\u{1}', "\\u0001"));
    let (status, answer) = copy.ask("POST", "/set", &body);
    assert_eq!(status, 201, "{}", &answer[..answer.len().min(300)]);
}

#[test]
fn a_copy_that_stood_still_goes_on_over_the_same_connection() {
    let (theirs, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let leader = leader(theirs.path(), &[]);
    let mut command = logladder();
    command.arg("--dir").arg(ours.path()).args(["serve", "--addr", "127.0.0.1:0", "--log", "warn"]);
    command.args(["--follow", &format!("http://{}", leader.address)]).stderr(std::process::Stdio::piped());
    let copy = Server::of(command);
    put(&leader, "a", "1");
    catch_up(&copy, &leader);
    for round in 0..5 {
        copy.signal("-STOP");
        copy.signal("-CONT");
        put(&leader, "a", &round.to_string());
        catch_up(&copy, &leader);
    }
    let (status, log) = copy.end("-TERM");
    assert!(status.success());
    assert!(!log.contains("Not following"), "{log}");
}

#[test]
fn a_leader_that_says_nothing_keeps_no_copy_from_ending() {
    let ours = tempfile::tempdir().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut copy = copy_of(&silent.local_addr().unwrap().to_string(), ours.path(), &[]);
    let asked: Vec<TcpStream> = (0..2).map(|_| silent.accept().unwrap().0).collect();
    copy.signal("-TERM");
    in_the_end("the end", || copy.process.try_wait().unwrap().is_some());
    for mut stream in asked {
        let _ = stream.read_to_end(&mut Vec::new());
    }
}
