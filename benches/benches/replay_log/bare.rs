//! The work that no such engine can do without, done by nothing else.

#![allow(clippy::disallowed_methods, reason = "what is compared with the engine is not the engine's")]

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Condvar, Mutex};

/// A file that is appended to by one write(2) for each record.
pub(crate) struct BareFile(File);

impl BareFile {
    pub(crate) fn create(path: &Path) -> Self {
        Self(File::create(path).expect("a file for the bare writes"))
    }

    pub(crate) fn append(&mut self, record: &[u8]) {
        self.0.write_all(record).expect("a bare write");
    }

    /// Writes so many bytes in pieces, and syncs now and then, as a rewrite does.
    pub(crate) fn fill(&mut self, len: u64) {
        let piece = vec![b'x'; 256 * 1024];
        for number in 1..=len.div_ceil(piece.len() as u64) {
            self.append(&piece);
            if number % 32 == 0 {
                self.0.sync_data().expect("a bare sync");
            }
        }
        self.0.sync_data().expect("a bare sync");
    }
}

/// Group commit alone: a write(2) for each record, and an fdatasync that is shared.
pub(crate) struct GroupCommit {
    file: File,
    appended: Mutex<u64>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    durable: u64,
    has_leader: bool,
}

impl GroupCommit {
    pub(crate) fn create(path: &Path) -> Self {
        let file = File::create(path).expect("a file for the bare commits");
        Self { file, appended: Mutex::new(0), state: Mutex::default(), changed: Condvar::new() }
    }

    pub(crate) fn append(&self, record: &[u8]) {
        let number = {
            let mut appended = self.appended.lock().expect("no panic");
            (&self.file).write_all(record).expect("a bare write");
            *appended += 1;
            *appended
        };
        loop {
            let mut state = self.state.lock().expect("no panic");
            if state.durable >= number {
                return;
            }
            if state.has_leader {
                drop(self.changed.wait(state).expect("no panic"));
                continue;
            }
            state.has_leader = true;
            drop(state);
            let covered = *self.appended.lock().expect("no panic");
            self.file.sync_data().expect("a bare sync");
            let mut state = self.state.lock().expect("no panic");
            state.durable = covered;
            state.has_leader = false;
            drop(state);
            self.changed.notify_all();
        }
    }
}
