//! `repl` on a terminal: what is typed, and what is seen.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]
#![cfg(unix)]

mod running;

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::sync::mpsc::{Receiver, channel};

use running::{PATIENCE, logladder};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

const UP: &str = "\x1b[A";
const TAB: &str = "\t";
const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";

/// A session on a terminal of its own.
struct Terminal {
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    /// What came and was not waited for yet.
    seen: Vec<u8>,
    process: Child,
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Terminal {
    /// A session whose prompt is there. The folder is also its home.
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        let theirs = File::options().read(true).write(true).open(OsStr::from_bytes(name.to_bytes())).unwrap();
        let mut command = logladder();
        command.current_dir(folder).env("HOME", folder).env("TERM", "xterm").args(arguments).arg("repl");
        command.stdin(theirs.try_clone().unwrap()).stdout(theirs.try_clone().unwrap()).stderr(theirs);
        let process = command.spawn().unwrap();
        // Else the terminal would stay open when the session has ended.
        drop(command);
        let keyboard = File::from(ours);
        let mut screen_of = keyboard.try_clone().unwrap();
        let (shows, screen) = channel();
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(len @ 1..) = screen_of.read(&mut piece) {
                if shows.send(piece[..len].to_vec()).is_err() {
                    break;
                }
            }
        });
        let mut terminal = Self { keyboard, screen, seen: Vec::new(), process };
        terminal.wait_for("> ");
        terminal
    }

    /// Types `keys`, and waits until `then` is on the screen.
    fn types(&mut self, keys: &str, then: &str) -> String {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.wait_for(then)
    }

    /// Types a line, and says what was answered before the next prompt.
    fn line(&mut self, line: &str) -> String {
        self.types(line, line);
        let answer = self.types("\r", "\n> ");
        answer.strip_prefix('\n').unwrap_or(&answer).strip_suffix("> ").unwrap().to_owned()
    }

    /// What came on the screen up to the end of `text`.
    fn wait_for(&mut self, text: &str) -> String {
        loop {
            let shown = visible(&self.seen);
            if let Some(at) = shown.find(text) {
                let (before, rest) = shown.split_at(at + text.len());
                self.seen = rest.as_bytes().to_vec();
                return before.to_owned();
            }
            match self.screen.recv_timeout(PATIENCE) {
                Ok(piece) => self.seen.extend(piece),
                Err(error) => panic!("no {text:?} on the screen ({error}), but {shown:?}"),
            }
        }
    }

    fn ended(mut self) -> ExitStatus {
        self.process.wait().unwrap()
    }
}

/// What a terminal shows of `bytes`: without what moves the cursor and sets colours. An unfinished sequence is left.
fn visible(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).replace('\r', "");
    let mut shown = String::new();
    let mut rest = text.as_str();
    while let Some((before, sequence)) = rest.split_once("\x1b[") {
        shown.push_str(before);
        match sequence.find(|letter: char| ('\x40'..='\x7e').contains(&letter)) {
            Some(end) => rest = &sequence[end + 1..],
            None => return shown + "\x1b[" + sequence,
        }
    }
    shown + rest
}

#[test]
fn the_session_of_the_json_file_runs_on_a_terminal_as_its_users_know_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(folder.path(), &["--stage", "json-file", "--dir", "people"]);
    assert_eq!(terminal.line(r#"db_set 1 '{"name": "anna"}'"#), "");
    assert_eq!(terminal.line(r#"db_set 2 '{"name": "bob"}'"#), "");
    assert_eq!(terminal.line("db_get 2"), "{\"name\":\"bob\"}\n");
    assert_eq!(terminal.line("db_get 3"), "(nil)\n");
    let stored = std::fs::read_to_string(folder.path().join("people/database.json")).unwrap();
    assert_eq!(stored, r#"{"1":{"name":"anna"},"2":{"name":"bob"}}"#);
    terminal.keyboard.write_all(b"exit\r").unwrap();
    assert!(terminal.ended().success());
    let mut terminal = Terminal::start(folder.path(), &["--dir", "people"]);
    assert_eq!(terminal.line("db_get 1"), "{\"name\":\"anna\"}\n");
    terminal.keyboard.write_all(CTRL_D.as_bytes()).unwrap();
    assert!(terminal.ended().success());
}

#[test]
fn lines_are_found_again_with_the_arrow_key_in_this_session_and_in_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(folder.path(), &[]);
    assert_eq!(terminal.line("set name anna"), "");
    assert_eq!(terminal.line("get name"), "\"anna\"\n");
    terminal.types(UP, "get name");
    assert_eq!(terminal.types("\r", "\"anna\"\n> "), "\n\"anna\"\n> ");
    terminal.keyboard.write_all(CTRL_D.as_bytes()).unwrap();
    assert!(terminal.ended().success());
    let mut terminal = Terminal::start(folder.path(), &[]);
    terminal.types(UP, "get name");
    terminal.types(UP, "set name anna");
    terminal.types("\r", "\n> ");
}

#[test]
fn the_tabulator_completes_commands_and_keys() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(folder.path(), &[]);
    assert_eq!(terminal.line("set a-long-key 1"), "");
    terminal.types("sta", "sta");
    terminal.types(TAB, "ts");
    terminal.types("\r", "live keys");
    terminal.wait_for("\n> ");
    terminal.types("get a-", "get a-");
    terminal.types(TAB, "long-key");
    terminal.types("\r", "\n\"1\"\n> ");
}

#[test]
fn control_c_gives_up_the_line_and_control_d_the_session() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(folder.path(), &[]);
    terminal.types("set name anna", "set name anna");
    terminal.types(CTRL_C, "> ");
    assert_eq!(terminal.line("get name"), "(nil)\n");
    assert_eq!(terminal.line("fetch name"), "error: there is no command `fetch`: type help\n");
    terminal.keyboard.write_all(CTRL_D.as_bytes()).unwrap();
    assert!(terminal.ended().success());
}

#[test]
fn what_a_key_was_is_shown_and_the_store_compacted_and_checked_within_the_session() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(folder.path(), &["--versions", "3"]);
    for line in ["set name anna", "set name '{\"a\": 1}'", "del name", "set other 1"] {
        assert_eq!(terminal.line(line), "");
    }
    assert_eq!(terminal.line("history name"), "3\t(deleted)\n2\t{\"a\":1}\n1\t\"anna\"\n");
    assert_eq!(terminal.line("history nobody"), "(nil)\n");
    assert!(terminal.line("compact").contains(" bytes given back: "));
    assert_eq!(terminal.line("check"), "1 key read\nhealthy\n");
    terminal.keyboard.write_all(CTRL_D.as_bytes()).unwrap();
    assert!(terminal.ended().success());
    // What a stage cannot do is said by the line, and the session goes on.
    let mut terminal = Terminal::start(folder.path(), &["--stage", "json-file", "--dir", "people"]);
    for line in ["history name", "compact"] {
        let said = terminal.line(line);
        assert!(said.starts_with("error: stage json-file cannot "), "{line}: {said}");
    }
    assert_eq!(terminal.line("get name"), "(nil)\n");
}

#[test]
fn a_value_that_would_command_the_terminal_is_shown_escaped() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(folder.path(), &[]);
    assert_eq!(terminal.line(r#"set bell b"\x07\x1b[2J""#), "");
    assert_eq!(terminal.line("get bell"), "\"\\u0007\\u001b[2J\"\n");
    // A control character of eight bits, which JSON itself would leave as it is.
    assert_eq!(terminal.line(r#"set csi b"\xc2\x9b2J""#), "");
    assert_eq!(terminal.line("get csi"), "\"\\u009b2J\"\n");
    assert_eq!(terminal.line("scan b"), "bell\t\"\\u0007\\u001b[2J\"\n");
}
