//! [`Examiner`]: opens what a crash left, and tries what a program would do next.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use logladder_disk::crash::{CrashImage, Loss, Recording, Tree};
use logladder_disk::{Disk, Op, RecordingDisk};
use logladder_engine::{Engine, Error};

use super::{DIR, Script, describe};
use crate::show::{panic_message, show, show_value};
use crate::{Subject, Violation};

/// A key that no script writes.
pub(crate) const AFTERWARDS: &[u8] = b"written after the recovery";

/// What a store holds: the value of each of the examiner's keys.
pub(crate) type Values = Vec<Option<Vec<u8>>>;

/// What an image showed when it was opened, or what one showed that a second crash left of it.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) reading: Reading,
    /// The second crash, in words, if this is what was found after one.
    pub(crate) moment: String,
    /// Whether the second crash was a loss of power.
    pub(crate) power_loss: bool,
}

/// Opens images, each only once: many crashes leave the same one.
pub(crate) struct Examiner<'s> {
    subject: &'s Subject,
    keys: Vec<Vec<u8>>,
    /// So many values that have ended may still be counted.
    ended: u64,
    /// By fingerprint of the tree.
    examined: HashMap<u64, Vec<State>>,
    /// What opening and reading gave, also of images that a second crash left.
    read: HashMap<u64, Reading>,
    during_recovery: usize,
}

/// The contents, or the error, which names a file.
pub(crate) type Reading = Result<Values, String>;

impl<'s> Examiner<'s> {
    pub(crate) fn new(subject: &'s Subject, script: &Script) -> Self {
        let mut keys = script.keys();
        keys.push(AFTERWARDS.to_vec());
        let (examined, read) = (HashMap::new(), HashMap::new());
        Self { subject, keys, ended: script.ended(), examined, read, during_recovery: 0 }
    }

    /// The keys that the script writes, without the examiner's own.
    pub(crate) fn script_keys(&self) -> &[Vec<u8>] {
        &self.keys[..self.keys.len() - 1]
    }

    pub(crate) fn distinct(&self) -> usize {
        self.examined.len()
    }

    pub(crate) fn during_recovery(&self) -> usize {
        self.during_recovery
    }

    /// Opens the image; opens it again; writes, and opens once more. With `second_crashes`, crashes also at every
    /// operation of the first opening, and opens what that leaves.
    pub(crate) fn examine(&mut self, tree: &Tree, second_crashes: bool) -> Result<&[State], Violation> {
        let fingerprint = tree.fingerprint();
        if !self.examined.contains_key(&fingerprint) {
            let states = self.examine_new(tree, second_crashes);
            self.examined.insert(fingerprint, states.map_err(|violation| violation.with_files(tree))?);
        }
        Ok(&self.examined[&fingerprint])
    }

    fn examine_new(&mut self, tree: &Tree, second_crashes: bool) -> Result<Vec<State>, Violation> {
        let disk = RecordingDisk::from_tree(tree.clone());
        let reading = self.open_and_read(&disk)?;
        let recovery = Recording::of(&disk);
        if let Ok(values) = &reading {
            let again = self.open_and_read(&disk)?;
            self.is_same(values, &again, "what the first opening showed")?;
            self.write_and_open(&disk, values)?;
        }
        let mut states = vec![State { reading, moment: String::new(), power_loss: false }];
        if second_crashes && states[0].reading.is_ok() {
            self.crash_again(&recovery, &mut states)?;
        }
        Ok(states)
    }

    /// Crashes while the store recovers.
    fn crash_again(&mut self, recovery: &Recording, states: &mut Vec<State>) -> Result<(), Violation> {
        for after in 0..=recovery.ops.len() {
            for image in recovery.images_at(after).into_iter().filter(|image| is_telling(image, recovery)) {
                self.during_recovery += 1;
                let moment = || format!("then, while it recovers, {}", describe(&image, recovery));
                let reading = self.read(&image.tree).map_err(|violation| violation.at(&moment()))?;
                let power_loss = image.loss.needs_power_loss();
                if states.iter().all(|state| state.reading != *reading || state.power_loss != power_loss) {
                    states.push(State { reading: reading.clone(), moment: moment(), power_loss });
                }
            }
        }
        Ok(())
    }

    /// Only opens the image and reads it.
    pub(crate) fn read(&mut self, tree: &Tree) -> Result<&Reading, Violation> {
        let fingerprint = tree.fingerprint();
        if !self.read.contains_key(&fingerprint) {
            let disk = RecordingDisk::from_tree(tree.clone());
            let reading = self.open_and_read(&disk).map_err(|violation| violation.with_files(tree))?;
            self.read.insert(fingerprint, reading);
        }
        Ok(&self.read[&fingerprint])
    }

    pub(crate) fn open(&self, disk: &RecordingDisk) -> Result<Box<dyn Engine>, Error> {
        self.subject.open(Arc::new(disk.clone()), Path::new(DIR))
    }

    fn open_and_read(&self, disk: &RecordingDisk) -> Result<Reading, Violation> {
        self.open_and_read_at(disk, Path::new(DIR))
    }

    /// Opens the store in the folder `dir`, reads everything in every way, and drops it.
    pub(crate) fn open_and_read_at(&self, disk: &RecordingDisk, dir: &Path) -> Result<Reading, Violation> {
        let attempt = || -> Result<Result<Values, Violation>, Error> {
            let engine = self.subject.open(Arc::new(disk.clone()), dir)?;
            if let Err(violation) = kept_what_it_cut(&*engine, disk) {
                return Ok(Err(violation));
            }
            read_in_every_way(&*engine, &self.keys, self.ended)
        };
        match catch_unwind(AssertUnwindSafe(attempt)) {
            Ok(Ok(Ok(values))) => Ok(Ok(values)),
            Ok(Ok(Err(violation))) => Err(violation),
            Ok(Err(error)) if !error.to_string().contains(&*dir.to_string_lossy()) => {
                Err(Violation::new("an error names the file", error.to_string()))
            }
            Ok(Err(error)) => Ok(Err(error.to_string())),
            Err(panic) => {
                let message = format!("a panic: {}", panic_message(&*panic));
                Err(Violation::new("no file content makes an engine panic", message))
            }
        }
    }

    fn is_same(&self, expected: &Values, found: &Reading, what: &str) -> Result<(), Violation> {
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                return Err(Violation::new(format!("the next opening shows {what}"), error.clone()));
            }
        };
        for (key, (expected, found)) in self.keys.iter().zip(expected.iter().zip(found)) {
            if expected != found {
                let expected = show_value(expected.as_deref());
                return Err(Violation::new(
                    format!("the next opening shows {what}: key {} = {expected}", show(key)),
                    show_value(found.as_deref()),
                ));
            }
        }
        Ok(())
    }

    /// What is written after a recovery survives, and nothing else changes.
    fn write_and_open(&self, disk: &RecordingDisk, values: &Values) -> Result<(), Violation> {
        let mut expected = values.clone();
        let write = || -> Result<(), Error> {
            let engine = self.open(disk)?;
            engine.set(AFTERWARDS, b"new")?;
            engine.set(&self.keys[0], b"new as well")?;
            engine.delete(&self.keys[1])?;
            engine.sync()
        };
        write().map_err(|error| {
            Violation::new("a recovered store takes writes", error.to_string()).with_files(&disk.tree())
        })?;
        if let Some(last) = expected.last_mut() {
            *last = Some(b"new".to_vec());
        }
        expected[0] = Some(b"new as well".to_vec());
        expected[1] = None;
        let found = self.open_and_read(disk)?;
        self.is_same(&expected, &found, "what was written after the recovery")
            .map_err(|violation| violation.with_files(&disk.tree()))
    }
}

/// By `get`, by `get_many`, by `for_each`, and by the count of `stats`, which must agree. Values that have `ended`
/// may be counted.
fn read_in_every_way(
    engine: &dyn Engine,
    keys: &[Vec<u8>],
    ended: u64,
) -> Result<Result<Values, Violation>, Error> {
    let mut values = Vec::with_capacity(keys.len());
    for key in keys {
        values.push(engine.get(key)?);
    }
    let list: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
    let mut differing = None;
    engine.get_many(&list, &mut |place, value| {
        if values[place].as_deref() != value {
            differing = Some((place, value.map(<[u8]>::to_vec)));
        }
    })?;
    if let Some((place, value)) = differing {
        let expected = show_value(values[place].as_deref());
        return Ok(Err(Violation::new(
            format!("get_many and get agree on {}: {expected}", show(list[place])),
            show_value(value.as_deref()),
        )));
    }
    if let Some(iterate) = engine.as_iterate() {
        let mut shown = BTreeMap::new();
        iterate.for_each(&mut |key, value| {
            shown.insert(key.to_vec(), value.to_vec());
            ControlFlow::Continue(())
        })?;
        for (key, value) in keys.iter().zip(&values) {
            let by_visit = shown.remove(key);
            if by_visit != *value {
                return Ok(Err(Violation::new(
                    format!("for_each and get agree on {}: {}", show(key), show_value(value.as_deref())),
                    show_value(by_visit.as_deref()),
                )));
            }
        }
        if let Some((key, _)) = shown.first_key_value() {
            return Ok(Err(Violation::new(
                "for_each shows no key that was never written",
                format!("it shows {}", show(key)),
            )));
        }
    }
    let live = values.iter().flatten().count() as u64;
    let counted = engine.stats()?.live_keys;
    if !(live..=live + ended).contains(&counted) {
        let found = format!("stats count {counted}");
        return Ok(Err(Violation::new(format!("{live} keys are live"), found)));
    }
    Ok(Ok(values))
}

/// Nothing that an opening cuts off is thrown away.
fn kept_what_it_cut(engine: &dyn Engine, disk: &RecordingDisk) -> Result<(), Violation> {
    for repair in engine.repairs() {
        let kept = disk.entry(&repair.kept).ok().flatten();
        if kept.is_none_or(|entry| entry.len != repair.len) {
            return Err(Violation::new(format!("kept as it says: {repair}"), "that file is not there"));
        }
    }
    Ok(())
}

/// Of a write that is torn at each of its bytes, three places are enough for what follows from it. Of the other
/// crashes, each.
pub(crate) fn is_telling(image: &CrashImage, recording: &Recording) -> bool {
    match (image.loss, recording.ops.get(image.after)) {
        (Loss::Torn { bytes: torn }, Some(Op::Write { bytes, .. })) => {
            three_places(bytes.len()).contains(&torn)
        }
        _ => true,
    }
}

/// Near the beginning of a write, in the middle of it, and near its end.
pub(crate) fn three_places(len: usize) -> [usize; 3] {
    [1.min(len), len / 2, len.saturating_sub(1)]
}
