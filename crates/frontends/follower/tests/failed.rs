//! A copy that cannot write what its leader sends says that it has failed, and keeps what it has; one in which damage was
//! found says that.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use logladder_engine::{Engine, Error, Follow, FollowState};
use logladder_follower::{Follower, Leader, Options};
use tungstenite::Message;

/// How long the test waits for anything before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// Plays a leader: an empty store, a change that can be done, and when it is told to, one whose key is too long.
fn play(listener: &TcpListener, go_on: &Receiver<()>) {
    let too_long = "k".repeat(70_000);
    let first = [
        r#"{"position":"0.0.0"}"#,
        r#"{"whole_from":"0.0.0"}"#,
        r#"{"key":"good","value":"1","next":"1.1.10"}"#,
    ];
    let second = [
        format!(r#"{{"key":"{too_long}","value":"1","next":"2.1.20"}}"#),
        r#"{"key":"behind","value":"1","next":"3.1.30"}"#.to_owned(),
    ];
    for stream in listener.incoming() {
        // What asks for the position is no WebSocket, and goes without an answer.
        let Ok(mut socket) = tungstenite::accept(stream.unwrap()) else { continue };
        for message in first {
            socket.send(Message::text(message)).unwrap();
        }
        go_on.recv().unwrap();
        for message in &second {
            socket.send(Message::text(message.clone())).unwrap();
        }
        // Until the copy goes.
        while socket.read().is_ok() {}
        return;
    }
}

#[test]
fn a_copy_that_cannot_be_written_has_failed_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let leader = Leader::new(&format!("http://{}", listener.local_addr().unwrap()), None).unwrap();
    let (go_on, told) = channel();
    thread::spawn(move || play(&listener, &told));
    let copy = Follower::open(folder.path(), Options::new(leader)).unwrap();
    let begun = Instant::now();
    while copy.get(b"good").unwrap().is_none() {
        assert!(begun.elapsed() < PATIENCE, "{:?}", copy.lag());
        thread::yield_now();
    }
    go_on.send(()).unwrap();
    let why = loop {
        if let FollowState::Failed { why } = copy.lag().state {
            break why;
        }
        assert!(begun.elapsed() < PATIENCE, "{:?}", copy.lag());
        thread::yield_now();
    };
    assert!(why.contains("cannot be written"), "{why}");
    assert_eq!(copy.trouble(), Some(why));
    assert_eq!(copy.lag().position.unwrap().sequence, 1, "the place is before what was not done");
    assert_eq!(copy.get(b"good").unwrap().unwrap(), b"1");
    assert_eq!(copy.get(b"behind").unwrap(), None);
}

/// Flips a bit of the last byte of `bytes`, wherever they stand in a file of the folder.
fn damage(dir: &Path, bytes: &[u8]) {
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let held = fs::read(entry.path()).unwrap();
        if let Some(start) = held.windows(bytes.len()).position(|window| window == bytes) {
            let place = start + bytes.len() - 1;
            let file = fs::File::options().write(true).open(entry.path()).unwrap();
            return file.write_all_at(&[held[place] ^ 1], place as u64).unwrap();
        }
    }
    panic!("no file holds {}", bytes.escape_ascii());
}

#[test]
fn a_copy_in_which_damage_was_found_says_so_until_it_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let leader = Leader::new(&format!("http://{}", listener.local_addr().unwrap()), None).unwrap();
    let (go_on, told) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut socket) = tungstenite::accept(stream.unwrap()) else { continue };
            for message in [
                r#"{"position":"0.0.0"}"#,
                r#"{"key":"whole","value":"a value that stays"}"#,
                r#"{"key":"torn","value":"a value that is damaged"}"#,
                r#"{"whole_from":"0.0.0"}"#,
            ] {
                socket.send(Message::text(message)).unwrap();
            }
            return told.recv().unwrap();
        }
    });
    let copy = Follower::open(folder.path(), Options::new(leader)).unwrap();
    let begun = Instant::now();
    while let Some(why) = copy.trouble() {
        assert!(begun.elapsed() < PATIENCE, "{why}");
        thread::yield_now();
    }
    damage(folder.path(), b"a value that is damaged");
    assert_eq!(copy.get(b"whole").unwrap().unwrap(), b"a value that stays");
    assert_eq!(copy.trouble(), None, "nobody has read it yet");
    let read = copy.get(b"torn");
    assert!(matches!(read, Err(Error::Corrupt { .. })), "{read:?}");
    assert_eq!(copy.get(b"whole").unwrap().unwrap(), b"a value that stays");
    let why = copy.trouble().unwrap();
    assert!(why.contains("the copy is damaged") && why.contains("start it again"), "{why}");
    go_on.send(()).unwrap();
}
