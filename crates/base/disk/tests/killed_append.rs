//! What a process that is killed in the middle of an append to a reserved file leaves: the beginning of what it appended.
//!
//! A second process appends a long piece without end, over and over in files of their own, and is killed while it
//! does. The pieces are long, so that almost every kill comes in the middle of a copy.

#![cfg(unix)]
#![allow(clippy::expect_used, clippy::print_stdout, reason = "a test that cannot be set up has failed")]

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use logladder_disk::RealDisk;

const TEST: &str = "what_a_killed_append_leaves_is_its_beginning";

/// Where the second process writes.
const FOLDER: &str = "LOGLADDER_KILLED_APPEND";

/// Long beside the rest of an append. The first is copied into the map, the second written to the file.
const PIECES: [usize; 2] = [30_000, 200_000];

/// How much at once.
const LENGTH: &str = "LOGLADDER_KILLED_APPEND_LENGTH";

const CAPACITY: u64 = 16 << 20;

const KILLS: u64 = 60;
const MOST_KILLS: u64 = 3_000;

/// No byte of a piece is zero, as is what was never written.
fn piece(len: usize) -> Vec<u8> {
    (0..len).map(|n| u8::try_from(n % 251).unwrap_or(0) + 1).collect()
}

#[test]
fn what_a_killed_append_leaves_is_its_beginning() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let len = std::env::var(LENGTH).expect("the length of a piece").parse().expect("a number");
        append_without_end(Path::new(&folder), len);
    }
    let mut cut_in_the_middle = 0;
    // On a busy machine a kill may wait until the append is over; so there are more until some have not.
    for (kill, len) in (0..MOST_KILLS).zip(PIECES.into_iter().cycle()) {
        if kill >= KILLS && cut_in_the_middle > 0 {
            break;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut process = Command::new(std::env::current_exe().expect("this test"))
            .args([TEST, "--exact", "--nocapture"])
            .env(FOLDER, folder.path())
            .env(LENGTH, len.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a second process");
        let mut output = process.stdout.take().expect("a pipe");
        // The first piece is there when it says so; how far it has come then is the machine's choice.
        let mut seen = Vec::new();
        let mut byte = [0];
        while !seen.ends_with(b"appending") {
            assert_eq!(output.read(&mut byte).expect("a pipe that can be read"), 1, "the process has ended");
            seen.push(byte[0]);
        }
        for _ in 0..kill % KILLS * 10_000 {
            std::hint::black_box(kill);
        }
        process.kill().expect("the process is killed");
        process.wait().expect("the process has ended");
        let newest = newest_file(folder.path());
        let bytes = std::fs::read(&newest).expect("its file");
        let written = bytes.iter().take_while(|byte| **byte != 0).count();
        assert!(
            bytes[written..].iter().all(|byte| *byte == 0),
            "something lies behind the hole at {written} of {}",
            newest.display()
        );
        cut_in_the_middle += u64::from(written % len != 0);
    }
    // Otherwise nothing was tested.
    assert!(cut_in_the_middle > 0, "no kill came in the middle of an append");
}

fn append_without_end(folder: &Path, len: usize) -> ! {
    let piece = piece(len);
    for number in 0_u64.. {
        let path = folder.join(format!("{number:08}"));
        let file = RealDisk::shared().reserve(&path, CAPACITY).expect("space is reserved");
        if number == 0 {
            file.append(&piece).expect("the first piece fits");
            println!("appending");
        }
        while file.append(&piece).is_ok() {}
        if number > 0 {
            std::fs::remove_file(folder.join(format!("{:08}", number - 1))).expect("the file before goes");
        }
    }
    unreachable!("there are more numbers than files")
}

/// The last one that has something.
fn newest_file(folder: &Path) -> PathBuf {
    let mut paths: Vec<PathBuf> = (std::fs::read_dir(folder).expect("its folder"))
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    let has_something =
        |path: &PathBuf| std::fs::read(path).expect("its file").first().is_some_and(|byte| *byte != 0);
    paths.into_iter().rfind(has_something).expect("a file with something in it")
}
