//! What the second process does, and what must be there afterwards.

use std::collections::BTreeMap;
use std::path::Path;

use logladder_contract::injected::FAILED;
use logladder_contract::second_process::say;
use logladder_engine::{Atomic, Batch, Engine, Open};
use logladder_replay_log::{Housekeeping, Options, Persistence, ReplayLog};

/// How many steps there are.
const STEPS: usize = 22;

const DONE: &str = "done ";

fn options(persistence: Persistence) -> Options {
    Options::default().with_persistence(persistence).with_housekeeping(Housekeeping::OnDemand)
}

/// What a step changes; nothing if it is a snapshot.
fn changes(step: usize) -> Vec<(String, Option<String>)> {
    let value = format!("value of step {step}");
    let key = |number: usize| format!("key {}", number % 5);
    match step % 6 {
        // After some steps, and twice in a row at the end.
        4 => Vec::new(),
        _ if step + 2 >= STEPS => Vec::new(),
        2 => vec![(key(step), None)],
        5 => vec![(key(step), Some(value.clone())), (key(step + 2), None), ("twin".into(), Some(value))],
        _ => vec![(key(step), Some(value))],
    }
}

/// Does every step, and says so. After one that failed it goes on, and what it says then must be true as well.
pub(crate) fn go_through(dir: &Path, persistence: Persistence) {
    let store = match ReplayLog::open(dir, options(persistence)) {
        Ok(store) => store,
        Err(error) => return say(&format!("{FAILED}to open: {error}")),
    };
    for step in 0..STEPS {
        let mut batch = Batch::new();
        let changes = changes(step);
        for (key, value) in &changes {
            match value {
                Some(value) => batch.set(key.as_bytes(), value.as_bytes()),
                None => batch.delete(key.as_bytes()),
            };
        }
        let done = match changes.as_slice() {
            [] => store.snapshot(),
            [(key, Some(value))] => store.set(key.as_bytes(), value.as_bytes()),
            [(key, None)] => store.delete(key.as_bytes()),
            _ => store.write(&batch),
        };
        match done {
            Ok(()) => say(&format!("{DONE}{step}")),
            Err(error) => say(&format!("{FAILED}{step}: {error}")),
        }
    }
    if let Err(error) = Box::new(store).close() {
        say(&format!("{FAILED}to close: {error}"));
    }
}

/// A store that the second process has left.
pub(crate) struct Store(ReplayLog);

impl Store {
    pub(crate) fn open(dir: &Path, persistence: Persistence, when: &str) -> Self {
        match ReplayLog::open(dir, options(persistence)) {
            Ok(store) => Self(store),
            Err(error) => panic!("{when}: the store does not open: {error}"),
        }
    }

    /// Checks that every acknowledged step is there. One that failed, or was under way, is there whole or not at all.
    pub(crate) fn holds(self, lines: &[String], opening: usize, when: &str) {
        let acknowledged: Vec<usize> =
            lines.iter().filter_map(|line| line.strip_prefix(DONE)?.parse().ok()).collect();
        let mut before: BTreeMap<String, String> = BTreeMap::new();
        let apply = |contents: &mut BTreeMap<String, String>, step| {
            for (key, value) in changes(step) {
                match value {
                    Some(value) => contents.insert(key, value),
                    None => contents.remove(&key),
                };
            }
        };
        for &step in &acknowledged {
            apply(&mut before, step);
        }
        let holds = |contents: &BTreeMap<String, String>| {
            (0..5).map(|number| format!("key {number}")).chain(["twin".into()]).all(|key| {
                let found = self.0.get(key.as_bytes()).expect("a get");
                found.as_deref() == contents.get(&key).map(String::as_bytes)
            })
        };
        // After the first write that failed none is acknowledged, so at most one is in doubt.
        let in_doubt = (0..STEPS).find(|step| !acknowledged.contains(step) && !changes(*step).is_empty());
        let mut with_it = before.clone();
        if let Some(step) = in_doubt {
            apply(&mut with_it, step);
        }
        assert!(
            holds(&before) || holds(&with_it),
            "{when}, opening {opening}: the store holds neither what was acknowledged, {before:?}, nor {with_it:?}; {lines:?}"
        );
        self.0.set(b"more", b"written").expect("it takes writes");
        Box::new(self.0).close().expect("it closes");
    }
}
