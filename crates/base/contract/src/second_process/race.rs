//! Failure mode 16: a lock file that is unlinked on release ends in two owners.

use std::fs::{self, OpenOptions};
use std::path::Path;
use std::thread;

use logladder_engine::{Engine, Error, Result};

use super::{Running, cheap_folder, must, number, task};

/// How often each process opens the store.
const OPENINGS: u64 = 30;

/// How many processes.
const RACERS: u64 = 3;

/// Each of three processes opens the store thirty times, and while it has it, nobody else does, and the store is what the last
/// owner left. `test` is the one that calls this.
///
/// # Panics
///
/// Two have it, or it is not that.
pub fn one_has_it_at_a_time<E: Engine>(test: &str, open: fn(&Path) -> Result<E>) {
    if let Some([dir, token]) = task().as_deref() {
        return race(Path::new(dir), Path::new(token), open);
    }
    let folder = cheap_folder();
    let dir = folder.path().join("store");
    let words = [dir.clone(), folder.path().join("the owner's token")].map(|path| path.display().to_string());
    let words = words.each_ref().map(String::as_str);
    let mut racers: Vec<Running> = (0..RACERS).map(|_| Running::start(test, &words)).collect();
    for racer in &mut racers {
        let status = racer.end();
        assert!(status.success(), "a racer ended with {status}");
    }
    let store = must("the store opens", open(&dir));
    let openings = must("it can be read", store.get(b"openings"));
    assert_eq!(openings, Some((RACERS * OPENINGS).to_string().into_bytes()));
}

fn race<E: Engine>(dir: &Path, token: &Path, open: fn(&Path) -> Result<E>) {
    for opening in 0..OPENINGS {
        let store = loop {
            match open(dir) {
                Ok(store) => break store,
                Err(Error::Locked { .. }) => thread::yield_now(),
                Err(error) => panic!("neither open nor locked: {error}"),
            }
        };
        let alone = OpenOptions::new().write(true).create_new(true).open(token);
        assert!(alone.is_ok(), "two processes have the store: {alone:?}");
        let before = must("it can be read", store.get(b"openings"));
        let before = before.map_or(0, |text| number(&String::from_utf8_lossy(&text)));
        must("it can be written", store.set(b"openings", (before + 1).to_string().as_bytes()));
        must("the token is still there", fs::remove_file(token));
        if opening % 2 == 0 {
            drop(store);
        } else {
            must("it is closed", Box::new(store).close());
        }
    }
}
