//! What the second process does, and what must be there afterwards.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use logladder_contract::injected::FAILED;
use logladder_contract::second_process::say;
use logladder_disk::TEMPORARY_SUFFIX;
use logladder_engine::{Collections, Engine, Open, Result};
use logladder_write_behind::{Janitor, Options, WriteBehind};

/// How many steps there are, in two sessions.
const STEPS: usize = 26;
const FIRST_SESSION: usize = 18;

const BEGUN: &str = "begun ";
const CONFIRMED: &str = "confirmed ";

/// What never comes fails the test instead of hanging it.
const FAR_TOO_LONG: Duration = Duration::from_mins(1);

/// A step of the script.
enum Deed {
    /// Sets or deletes these keys.
    Change(Vec<(String, Option<String>)>),
    /// Deletes a collection.
    DeleteAll(&'static str),
    Sync,
}

/// Keys of three collections, and some of none.
fn key(number: usize) -> String {
    let collection = ["a/", "b/", "deep/er/", ""][number % 4];
    format!("{collection}key {}", number % 3)
}

/// What a step does. Each value tells its step by its length as well.
fn deed(step: usize) -> Deed {
    let value = Some(format!("value of step {step} {}", "x".repeat(step)));
    match step {
        // So many files are synced together.
        8 | 14 => Deed::Change((0..12).map(|number| (format!("many/{number}"), value.clone())).collect()),
        11 => Deed::Change(vec![(key(0), None), (key(1), None), (key(5), value)]),
        12 => Deed::DeleteAll("many"),
        _ if step % 5 == 4 => Deed::Sync,
        _ if step % 5 == 2 => Deed::Change(vec![(key(step), None), (key(step + 3), value)]),
        _ => Deed::Change(vec![(key(step), value)]),
    }
}

fn keys() -> impl Iterator<Item = String> {
    (0..12).map(key).chain((0..12).map(|number| format!("many/{number}")))
}

/// The value that `key` has after a step, if the step is about it.
#[allow(clippy::option_option, reason = "not about it, deleted, set")]
fn value_after(step: usize, key: &str) -> Option<Option<String>> {
    match deed(step) {
        Deed::Change(changes) => {
            changes.into_iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
        }
        Deed::DeleteAll(collection) => key.starts_with(&format!("{collection}/")).then_some(None),
        Deed::Sync => None,
    }
}

/// The value that `key` has before the step.
fn value_before(step: usize, key: &str) -> Option<String> {
    (0..step).rev().find_map(|step| value_after(step, key)).flatten()
}

/// Does every step, and says so. After one that failed it goes on, and what it says then must be true as well.
pub(crate) fn go_through(dir: &Path, options: Options) {
    for steps in [0..FIRST_SESSION, FIRST_SESSION..STEPS] {
        let store = match WriteBehind::open(dir, options) {
            Ok(store) => store,
            Err(error) => return say(&format!("{FAILED}to open: {error}")),
        };
        let last = steps.end - 1;
        for step in steps {
            say(&format!("{BEGUN}{step}"));
            if let Err(error) = perform(&store, step) {
                say(&format!("{FAILED}{step}: {error}"));
            } else if matches!(deed(step), Deed::Sync) {
                say(&format!("{CONFIRMED}{step}"));
            }
            if options.janitor == Janitor::Thread {
                await_janitor(&store, dir, step);
            }
        }
        match Box::new(store).close() {
            Ok(()) => say(&format!("{CONFIRMED}{last}")),
            // What it had in memory is lost: the next session would begin with something else.
            Err(error) => return say(&format!("{FAILED}to close: {error}")),
        }
    }
}

fn perform(store: &WriteBehind, step: usize) -> Result<()> {
    match deed(step) {
        Deed::Change(changes) => changes.iter().try_for_each(|(key, value)| match value {
            Some(value) => store.set(key.as_bytes(), value.as_bytes()),
            None => store.delete(key.as_bytes()),
        }),
        Deed::DeleteAll(collection) => store.delete_all(collection.as_bytes()).map(drop),
        Deed::Sync => store.sync(),
    }
}

/// Waits until the janitor has written the step, or has failed. It looks only at names and lengths: of the calls that
/// it makes for that none is counted, so that each run makes the same others.
fn await_janitor(store: &WriteBehind, dir: &Path, step: usize) {
    let is_there = |key: &str, value: Option<&str>| {
        let found = std::fs::metadata(dir.join(path(key))).ok().map(|found| found.len());
        found == value.map(|value| (logladder_write_behind::HEADER_LEN + names(key) + value.len()) as u64)
    };
    let is_written = || keys().all(|key| is_there(&key, value_before(step + 1, &key).as_deref()));
    let start = Instant::now();
    while !is_written() && store.last_failure().is_none() {
        assert!(start.elapsed() < FAR_TOO_LONG, "step {step} is never written, and nothing has failed");
        thread::yield_now();
    }
}

/// The bytes of a key in its file: the stroke is not in it.
fn names(key: &str) -> usize {
    key.len() - usize::from(key.contains('/'))
}

/// The file of a key in the store's folder.
fn path(key: &str) -> String {
    let name = |text: &str| text.bytes().fold("k-".to_owned(), |name, byte| format!("{name}{byte:02x}"));
    match key.split_once('/') {
        Some((collection, member)) => format!("{}/{}", name(collection), name(member)),
        None => format!("loose/{}", name(key)),
    }
}

/// Opens the store that the second process left: each key has the value that was confirmed, or one that was set
/// later. Then it takes writes.
pub(crate) fn holds_what_was_confirmed(dir: &Path, options: Options, lines: &[String], when: &str) {
    let store = WriteBehind::open(dir, options)
        .unwrap_or_else(|error| panic!("{when}: the store does not open: {error}; {lines:?}"));
    let last = |prefix: &str| {
        let steps = lines.iter().filter_map(|line| line.strip_prefix(prefix)?.parse::<usize>().ok());
        steps.max().map_or(0, |step| step + 1)
    };
    let (confirmed, begun) = (last(CONFIRMED), last(BEGUN));
    for key in keys() {
        let mut allowed = vec![value_before(confirmed, &key)];
        allowed.extend((confirmed..begun).filter_map(|step| value_after(step, &key)));
        let found =
            store.get(key.as_bytes()).expect("a get").map(|value| String::from_utf8_lossy(&value).into());
        assert!(allowed.contains(&found), "{when}: {key} has {found:?}, and may have {allowed:?}; {lines:?}");
    }
    store.set(b"more", b"written").expect("it takes writes");
    Box::new(store).close().expect("it closes");
    let left = leftovers(dir);
    assert!(left.is_empty(), "{when}: {left:?} was left");
}

/// The temporary files in a store's folders.
fn leftovers(dir: &Path) -> Vec<String> {
    let inside =
        |dir: &Path| std::fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("an entry").path());
    let folders = inside(dir).filter(|path| path.is_dir()).collect::<Vec<_>>();
    let names = folders.iter().flat_map(|folder| inside(folder)).map(|path| path.display().to_string());
    names.filter(|name| name.ends_with(TEMPORARY_SUFFIX)).collect()
}
