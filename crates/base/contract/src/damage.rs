//! Damage: every bit of every file flipped, every file cut at every length. What an engine must never do is
//! give a wrong answer as if it were a right one.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use logladder_disk::RecordingDisk;
use logladder_disk::crash::Tree;
use logladder_engine::{Engine, Error};

use crate::case::quietly;
use crate::crash::{DIR, End, Run, Script, Step};
use crate::show::{panic_message, show, show_value};
use crate::{Allowance, Allowed, Capability, Subject, Violation};

/// Of a longer file only some of the bits are flipped: as many as this.
const FLIPS_A_FILE: u64 = 64 * 1024;

/// What became of a store in which one bit was flipped, or one file cut, for each bit or length.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DamageSummary {
    /// What was done to the files: `flipped bits`, `cuts`.
    pub kind: &'static str,
    /// How often.
    pub tried: usize,
    /// An error that names the file, when opening or reading, or a repair.
    pub reported: usize,
    /// Every value is right, and nothing is reported.
    pub harmless: usize,
    /// A write is missing, and nothing says so.
    pub silent: usize,
    /// A value that was never written, or one of a key that never was.
    pub wrong: usize,
    /// An engine panicked.
    pub panics: usize,
    /// What the subject is allowed, and why.
    pub allowances: Vec<Allowance>,
}

impl fmt::Display for DamageSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.tried == 0 {
            return write!(f, "no {}: it has no files", self.kind);
        }
        let Self { kind, tried, reported, harmless, silent, wrong, panics, .. } = self;
        write!(
            f,
            "{tried} {kind}: {reported} reported, {harmless} harmless, {silent} silent, {wrong} wrong, {panics} panics"
        )?;
        for allowance in &self.allowances {
            write!(f, "\n  allowed: {} ({})", allowance.what, allowance.why)?;
        }
        Ok(())
    }
}

/// Flips every bit of every file of a closed store, one at a time, and reads what is left.
///
/// # Errors
///
/// The first flip that the contract does not allow: a wrong value, a silent loss, a panic, an error that names
/// no file, a refused opening that changed a file, or a repair that cut off more than the newest write.
pub fn bit_flips(subject: &Subject) -> Result<DamageSummary, Box<Violation>> {
    bit_flips_of(subject, twenty_keys(subject))
}

/// The same for a store that another script leaves, which ends with [`Step::Close`] and writes something.
///
/// # Errors
///
/// As [`bit_flips`].
pub fn bit_flips_of(subject: &Subject, script: Script) -> Result<DamageSummary, Box<Violation>> {
    let store = Sample::of(subject, script)?;
    let mut summary = store.summary("flipped bits");
    for (path, bytes) in store.files() {
        let bits = bytes.len() as u64 * 8;
        let step = bits.div_ceil(FLIPS_A_FILE).max(1);
        // An odd step meets each of the eight bits of a byte in turn.
        for bit in (0..bits).step_by(usize::try_from(step | 1).unwrap_or(usize::MAX)) {
            let (byte, mask) = (usize::try_from(bit / 8).unwrap_or(usize::MAX), 1 << (bit % 8));
            let mut flipped = bytes.clone();
            flipped[byte] ^= mask;
            let place = || format!("bit {} of byte {byte} of {} is flipped", bit % 8, path.display());
            store.check(&path, flipped, Expected::AllButTheNewest, &mut summary, place)?;
        }
    }
    Ok(summary)
}

/// Cuts every file of a closed store at every length, one at a time, and reads what is left.
///
/// A log that ends between two records shows no damage: then the writes that are missing must be the newest.
///
/// # Errors
///
/// As [`bit_flips`].
pub fn cuts(subject: &Subject) -> Result<DamageSummary, Box<Violation>> {
    cuts_of(subject, twenty_keys(subject))
}

/// The same for a store that another script leaves, which ends with [`Step::Close`] and writes something.
///
/// # Errors
///
/// As [`bit_flips`].
pub fn cuts_of(subject: &Subject, script: Script) -> Result<DamageSummary, Box<Violation>> {
    let store = Sample::of(subject, script)?;
    let mut summary = store.summary("cuts");
    for (path, bytes) in store.files() {
        let step = (bytes.len() / 8_192).max(1);
        for len in (0..bytes.len()).step_by(step) {
            let place = || format!("{} is cut from {} to {len} bytes", path.display(), bytes.len());
            store.check(&path, bytes[..len].to_vec(), Expected::AnyBeginning, &mut summary, place)?;
        }
    }
    Ok(summary)
}

/// Which writes may be missing if something is reported, or, for a cut, also if nothing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    AllButTheNewest,
    AnyBeginning,
}

type Contents = BTreeMap<Vec<u8>, Vec<u8>>;

/// A closed store, of twenty keys as a rule, and everything that was written to it.
struct Sample<'s> {
    subject: &'s Subject,
    script: Script,
    tree: Tree,
    /// What it held after each write or batch: the last is what it holds.
    history: Vec<Contents>,
}

impl<'s> Sample<'s> {
    fn of(subject: &'s Subject, script: Script) -> Result<Self, Box<Violation>> {
        let run =
            Run::of(subject, &script, None).map_err(|violation| Box::new(violation.in_script(&script)))?;
        let mut history = vec![Contents::new()];
        // A batch is lost whole or not at all.
        for call in run.writes.chunk_by(|one, next| one.call == next.call) {
            let mut contents = history.last().cloned().unwrap_or_default();
            for write in call {
                match &write.value {
                    Some(value) => contents.insert(write.key.clone(), value.clone()),
                    None => contents.remove(&write.key),
                };
            }
            history.push(contents);
        }
        Ok(Self { subject, script, tree: run.disk.tree(), history })
    }

    fn summary(&self, kind: &'static str) -> DamageSummary {
        DamageSummary { kind, allowances: self.subject.allowances().to_vec(), ..DamageSummary::default() }
    }

    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        if !self.subject.has_files() {
            return Vec::new();
        }
        self.tree.files().map(|(path, bytes)| (path.to_path_buf(), bytes.to_vec())).collect()
    }

    /// Puts `bytes` in place of the file at `path`, and says what became of the store.
    fn check(
        &self,
        path: &Path,
        bytes: Vec<u8>,
        expected: Expected,
        summary: &mut DamageSummary,
        place: impl Fn() -> String,
    ) -> Result<(), Box<Violation>> {
        let mut tree = self.tree.clone();
        tree.put(path, bytes);
        let broken =
            |violation: Violation| Box::new(violation.with_files(&tree).at(&place()).in_script(&self.script));
        summary.tried += 1;
        let disk = RecordingDisk::from_tree(tree.clone());
        let outcome = quietly(|| catch_unwind(AssertUnwindSafe(|| self.read(&disk))));
        let reading = match outcome {
            Ok(reading) => reading,
            Err(panic) => {
                let found = format!("a panic: {}", panic_message(&*panic));
                return Err(broken(Violation::new("no file content makes an engine panic", found)));
            }
        };
        if let Some(error) = reading.errors.iter().find(|error| !error.contains(DIR)) {
            return Err(broken(Violation::new("an error names the file", error.clone())));
        }
        if !reading.opened && disk.tree().fingerprint() != tree.fingerprint() {
            let found = format!("it was refused, and a file was changed: {}", reading.errors.join("; "));
            return Err(broken(Violation::new("a store that is refused is left as it was", found)));
        }
        self.judge(&reading, expected, summary).map_err(broken)
    }

    fn judge(
        &self,
        reading: &Reading,
        expected: Expected,
        summary: &mut DamageSummary,
    ) -> Result<(), Violation> {
        if let Some((key, value)) = reading.shown.iter().find(|(key, value)| !self.was_written(key, value)) {
            summary.wrong += 1;
            if self.subject.is_allowed(Allowed::WrongValues) {
                return Ok(());
            }
            return Err(Violation::new(
                format!("{} holds a value that it once had, or none", show(key)),
                format!("{}, as if nothing were wrong", show(value)),
            ));
        }
        let last = self.history.len() - 1;
        let now = &self.history[last];
        let allowed_losses = match expected {
            Expected::AllButTheNewest => &self.history[last.saturating_sub(1)..],
            Expected::AnyBeginning => &self.history[..],
        };
        if !reading.errors.is_empty() {
            summary.reported += 1;
            return Ok(());
        }
        let right = reading.shown == *now;
        let may_lose_more =
            expected == Expected::AnyBeginning && self.subject.is_allowed(Allowed::SilentCuts);
        if reading.repaired && (right || may_lose_more || allowed_losses.contains(&reading.shown)) {
            summary.reported += 1;
            return Ok(());
        }
        if right {
            summary.harmless += 1;
            return Ok(());
        }
        if reading.repaired {
            return Err(Violation::new(
                "a repair cuts off what was written last, and only where nothing valid follows",
                self.difference(&reading.shown),
            ));
        }
        summary.silent += 1;
        let (allowance, what) = match expected {
            Expected::AllButTheNewest => (Allowed::SilentLosses, "a lost write is reported"),
            Expected::AnyBeginning => (Allowed::SilentCuts, "a lost write is reported, or was the newest"),
        };
        let is_beginning = expected == Expected::AnyBeginning && allowed_losses.contains(&reading.shown);
        if is_beginning || self.subject.is_allowed(allowance) {
            return Ok(());
        }
        Err(Violation::new(what, format!("{}; and nothing says so", self.difference(&reading.shown))))
    }

    fn was_written(&self, key: &[u8], value: &[u8]) -> bool {
        self.history.iter().any(|contents| contents.get(key).is_some_and(|written| written == value))
    }

    /// The first key that is not as it should be.
    fn difference(&self, shown: &Contents) -> String {
        let now = &self.history[self.history.len() - 1];
        let differs = |key: &&Vec<u8>| now.get(*key) != shown.get(*key);
        let Some(key) = now.keys().chain(shown.keys()).find(differs) else { return "nothing".to_owned() };
        let say = |contents: &Contents| show_value(contents.get(key).map(Vec::as_slice));
        format!("{} should hold {}, and holds {}", show(key), say(now), say(shown))
    }

    /// Opens the store and reads all of it, by key and by visitor. An error ends nothing but that reading.
    fn read(&self, disk: &RecordingDisk) -> Reading {
        let mut reading = Reading::default();
        let engine = match self.subject.open(Arc::new(disk.clone()), Path::new(DIR)) {
            Ok(engine) => engine,
            Err(error) => {
                reading.errors.push(error.to_string());
                return reading;
            }
        };
        reading.opened = true;
        reading.repaired = !engine.repairs().is_empty();
        for key in self.script.keys() {
            match engine.get(&key) {
                Ok(Some(value)) => drop(reading.shown.insert(key, value)),
                Ok(None) => {}
                Err(error) => reading.errors.push(error.to_string()),
            }
        }
        if let Err(error) = visit(&*engine, &mut reading.shown) {
            reading.errors.push(error.to_string());
        }
        reading
    }
}

/// What a visitor sees must be what `get` says; where it differs, the visitor's answer counts, and is judged.
fn visit(engine: &dyn Engine, shown: &mut Contents) -> Result<(), Error> {
    let Some(iterate) = engine.as_iterate() else { return Ok(()) };
    iterate.for_each(&mut |key, value| {
        shown.insert(key.to_vec(), value.to_vec());
        ControlFlow::Continue(())
    })
}

/// What a damaged store showed.
#[derive(Debug, Default)]
struct Reading {
    opened: bool,
    repaired: bool,
    errors: Vec<String>,
    shown: Contents,
}

/// The script whose store [`bit_flips`] and [`cuts`] damage: twenty keys, some overwritten, some deleted, some with an end or
/// in a batch, and compacted, as far as that is possible; and closed.
#[must_use]
pub fn twenty_keys(subject: &Subject) -> Script {
    let key = |number: usize| format!("key {number:02}").into_bytes();
    let mut steps: Vec<Step> = Vec::new();
    for number in 0..20 {
        let value = match number {
            4 => b"\xFF\0\xFE".to_vec(),
            5 => br#"{"name":"anna","tags":["a",1]}"#.to_vec(),
            6 => Vec::new(),
            _ => format!("value {number}").into_bytes(),
        };
        steps.push(Step::Set(key(number), value));
    }
    steps.push(Step::Delete(key(1)));
    steps.push(Step::Set(key(2), b"overwritten".to_vec()));
    if subject.can(Capability::Expire) {
        steps.push(Step::SetUntil(key(11), b"ends".to_vec(), End::Future));
        steps.push(Step::SetUntil(key(12), b"ended".to_vec(), End::Past));
        steps.push(Step::SetUntil(key(13), b"ended".to_vec(), End::Past));
        steps.push(Step::Set(key(13), b"set after its end".to_vec()));
    }
    if subject.can(Capability::Compact) {
        steps.extend([Step::Close, Step::Compact]);
    }
    steps.push(Step::Set(key(3), b"overwritten as well".to_vec()));
    steps.push(Step::Delete(key(7)));
    steps.push(Step::Set(key(8), b"8".to_vec()));
    if subject.can(Capability::Atomic) {
        let value = |text: &str| Some(text.as_bytes().to_vec());
        let writes = vec![
            (key(9), value("in a batch")),
            (key(10), None),
            (key(19), None),
            (key(19), value("as well")),
        ];
        steps.push(Step::Batch(writes));
    }
    steps.push(Step::Close);
    Script { name: "twenty keys", steps }
}
