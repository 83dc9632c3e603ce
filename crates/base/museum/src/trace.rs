//! [`trace`]: a bug as the contract saw it, in the shortest run that shows it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use logladder_contract::crash::{Script, Step, crash_images_of};
use logladder_contract::{
    CASES, Deed, Place, Subject, Verdict, Violation, WatchedDisk, bit_flips_of, faults_of,
};
use logladder_disk::{Disk, OpenOn, RecordingDisk};
use logladder_engine::{Engine, Result};

use crate::calls::{Calls, Watched};
use crate::{Bug, Exhibit, Museum, Options, ShownBy};

const DIR: &str = "/store";

/// What was done, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// The calls of the engine, in order. Of a long case, the last.
    pub steps: Vec<String>,
    /// The crash, the flipped bit or the failed operation. Empty where nothing but the calls was needed.
    pub moment: String,
    /// What the contract says.
    pub expected: String,
    /// What was found.
    pub found: String,
    /// The files at that moment, by their names in the store's folder.
    pub files: Vec<(String, Vec<u8>)>,
}

/// The shortest run that shows the bug, from the contract itself. `None` if the contract does not notice it: then either the
/// bug or the contract has gone.
#[must_use]
pub fn trace(exhibit: &Exhibit) -> Option<Trace> {
    trace_of(exhibit.bug, exhibit.shown_by)
}

/// The same with an engine that may have another bug, or none.
#[must_use]
pub fn trace_of(bug: Bug, shown_by: ShownBy) -> Option<Trace> {
    let subject = bug.subject();
    match shown_by {
        ShownBy::Crashes(steps) => {
            let found = crash_images_of(&subject, &[script(steps)], None);
            found.err().map(|violation| of_violation(steps, *violation))
        }
        ShownBy::Flips(steps) => {
            bit_flips_of(&subject, script(steps)).err().map(|violation| of_violation(steps, *violation))
        }
        ShownBy::Faults(steps) => {
            faults_of(&subject, &[script(steps)]).err().map(|violation| of_violation(steps, *violation))
        }
        ShownBy::Case(name) => of_case(&subject, name),
        ShownBy::WriteDuringCompaction(steps) => write_during_compaction(bug, steps),
    }
}

/// A script from its steps: `set KEY VALUE`, `delete KEY`, `sync`, `compact`, `close` and `drop`, with commas between. The last
/// two open the store again. What is none of these is a `sync`.
#[must_use]
pub fn script(steps: &str) -> Script {
    let step = |words: &str| {
        let bytes = |word: &str| word.as_bytes().to_vec();
        match *words.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["set", key, value] => Step::Set(bytes(key), bytes(value)),
            ["delete", key] => Step::Delete(bytes(key)),
            ["compact"] => Step::Compact,
            ["close"] => Step::Close,
            ["drop"] => Step::Drop,
            _ => Step::Sync,
        }
    };
    Script { name: "an exhibit", steps: steps.split(',').map(step).collect() }
}

fn numbered(steps: &str) -> Vec<String> {
    script(steps).steps.iter().map(ToString::to_string).collect()
}

fn of_violation(steps: &str, violation: Violation) -> Trace {
    let name = |path: &Path| path.strip_prefix(DIR).unwrap_or(path).to_string_lossy().into_owned();
    Trace {
        steps: numbered(steps),
        moment: violation.moment,
        expected: violation.expected,
        found: violation.found,
        files: violation.files.into_iter().map(|(path, bytes)| (name(&path), bytes)).collect(),
    }
}

fn of_case(subject: &Subject, name: &str) -> Option<Trace> {
    let case = CASES.iter().find(|case| case.name == name)?;
    let calls = Arc::new(Mutex::new(Calls::default()));
    let (inner, shared) = (subject.clone(), Arc::clone(&calls));
    let watched = Subject::new(subject.name(), move |disk, dir| {
        Ok(Box::new(Watched::open(&inner, disk, dir, &shared)?))
    });
    // A subject is opened once when it is made.
    if let Ok(mut calls) = calls.lock() {
        *calls = Calls::default();
    }
    let Verdict::Failed(found) = logladder_contract::run_case(case, &watched, Place::RecordingDisk).verdict
    else {
        return None;
    };
    let calls = calls.lock().ok()?;
    Some(Trace {
        steps: calls.last_steps(),
        moment: String::new(),
        expected: case.invariant.to_owned(),
        found,
        files: calls.files(),
    })
}

/// A write that comes at exactly the moment when the compaction has read its sources and is about to write its copy.
fn write_during_compaction(bug: Bug, steps: &str) -> Option<Trace> {
    let disk = RecordingDisk::new();
    let store: Arc<Mutex<Option<Arc<Museum>>>> = Arc::default();
    let writer = Arc::clone(&store);
    let wrote = Arc::new(AtomicBool::new(false));
    let has_written = Arc::clone(&wrote);
    let watched = WatchedDisk::new(&disk, move |deed, name| {
        let is_copy = deed == Deed::Create && name.ends_with(".log.tmp");
        // Only while a compaction runs is the store here; and it writes but once.
        match writer.lock().ok().filter(|_| is_copy).and_then(|mut store| store.take()) {
            Some(store) => {
                has_written.store(true, Ordering::Release);
                store.set(b"a", b"newer")
            }
            None => Ok(()),
        }
    });
    let options = Options { bug, ..Options::default() };
    let run = || -> Result<Option<Vec<u8>>> {
        let engine = Arc::new(Museum::open_on(watched, Path::new(DIR), options)?);
        for step in script(steps).steps {
            match step {
                Step::Set(key, value) => engine.set(&key, &value)?,
                Step::Compact => {
                    if let Ok(mut store) = store.lock() {
                        *store = Some(Arc::clone(&engine));
                    }
                    if let Some(compact) = engine.as_compact() {
                        compact.compact()?;
                    }
                }
                _ => {}
            }
        }
        engine.get(b"a")
    };
    let found = match run() {
        Ok(Some(value)) if value == b"newer" => return None,
        Ok(_) if !wrote.load(Ordering::Acquire) => return None,
        Ok(value) => value.map_or("get \"a\" gave no value".to_owned(), |value| {
            format!("get \"a\" gave \"{}\"", value.escape_ascii())
        }),
        Err(error) => error.to_string(),
    };
    Some(Trace {
        steps: numbered(steps),
        moment: "when the compaction is about to write its copy, another thread sets \"a\" = \"newer\""
            .to_owned(),
        expected: "get \"a\" gives \"newer\"".to_owned(),
        found,
        files: files_of(&disk),
    })
}

/// The files of a store on this disk, by their names in its folder.
pub(crate) fn files_of(disk: &dyn Disk) -> Vec<(String, Vec<u8>)> {
    let entries = disk.list(Path::new(DIR)).unwrap_or_default();
    let read = |name: String| Some((name.clone(), disk.read(&Path::new(DIR).join(&name)).ok()?));
    entries.into_iter().filter_map(|entry| read(entry.name)).collect()
}
