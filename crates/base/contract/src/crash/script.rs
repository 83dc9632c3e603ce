//! [`Script`]: what is done to a store before it crashes.

use std::collections::BTreeSet;
use std::fmt;

use crate::samples::{Numbers, noise};
use crate::show::show;
use crate::{Capability, Subject};

/// One call of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Set a key to a value.
    Set(Vec<u8>, Vec<u8>),
    /// Delete a key.
    Delete(Vec<u8>),
    /// Sync.
    Sync,
    /// Compact, if the engine can.
    Compact,
    /// Close the store and open it again.
    Close,
    /// Drop the store, as an unfortunate program would, and open it again.
    Drop,
}

/// A named sequence of steps, starting in a folder that is not there.
#[derive(Debug, Clone)]
pub struct Script {
    /// What it is about.
    pub name: &'static str,
    /// What is done.
    pub steps: Vec<Step>,
}

impl Script {
    /// Every key that it writes, and one that it does not.
    #[must_use]
    pub fn keys(&self) -> Vec<Vec<u8>> {
        let mut keys: BTreeSet<Vec<u8>> = BTreeSet::from([b"never set".to_vec()]);
        for step in &self.steps {
            if let Step::Set(key, _) | Step::Delete(key) = step {
                keys.insert(key.clone());
            }
        }
        keys.into_iter().collect()
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.name)?;
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(f, "{number:>3}  {step}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(key, value) => write!(f, "set {} = {}", show(key), show(value)),
            Self::Delete(key) => write!(f, "delete {}", show(key)),
            Self::Sync => f.write_str("sync"),
            Self::Compact => f.write_str("compact"),
            Self::Close => f.write_str("close, open"),
            Self::Drop => f.write_str("drop, open"),
        }
    }
}

fn set(key: &str, value: impl AsRef<[u8]>) -> Step {
    Step::Set(key.as_bytes().to_vec(), value.as_ref().to_vec())
}

fn delete(key: &str) -> Step {
    Step::Delete(key.as_bytes().to_vec())
}

/// The scripts for a subject: those with compactions only if it can.
#[must_use]
pub fn scripts(subject: &Subject) -> Vec<Script> {
    let mut scripts =
        vec![small_writes(), openings(), deletes(), odd_ones(), long_values(), random(subject, 11)];
    if subject.can(Capability::Compact) {
        scripts.extend([compaction(), compactions_and_deletes(), random(subject, 12)]);
    }
    scripts
}

fn small_writes() -> Script {
    let steps = vec![
        set("name", "anna"),
        set("city", "Dhaka"),
        set("name", "bob"),
        Step::Sync,
        set("name", ""),
        delete("city"),
        set("city", "Oslo"),
        set("name", "carla"),
        Step::Sync,
        delete("name"),
    ];
    Script { name: "small writes", steps }
}

fn openings() -> Script {
    let steps = vec![
        Step::Close,
        set("a", "1"),
        set("b", "2"),
        Step::Close,
        set("a", "3"),
        Step::Drop,
        delete("b"),
        set("c", "4"),
        Step::Drop,
        Step::Sync,
        set("b", "5"),
        Step::Close,
    ];
    Script { name: "openings in between", steps }
}

fn deletes() -> Script {
    let steps = vec![
        set("a", "1"),
        set("b", "1"),
        Step::Sync,
        delete("a"),
        Step::Sync,
        Step::Close,
        delete("b"),
        delete("absent"),
        Step::Sync,
        set("a", "2"),
        delete("a"),
        Step::Sync,
        Step::Drop,
    ];
    Script { name: "deletes that must stay", steps }
}

/// Values that look like the end or the beginning of something, and keys that are no text.
fn odd_ones() -> Script {
    let steps = vec![
        Step::Set(Vec::new(), b"\n".to_vec()),
        Step::Set(b"\xFF\0\n".to_vec(), b"\xFF\xFE\0".to_vec()),
        set("../x", "value\n[\"name\",\"forged\",false]\n"),
        Step::Sync,
        Step::Set(Vec::new(), vec![0; 40]),
        set("zeros", [0; 24]),
        Step::Delete(b"\xFF\0\n".to_vec()),
    ];
    Script { name: "odd keys and values", steps }
}

fn long_values() -> Script {
    let steps = vec![
        set("long", noise(700, 1)),
        set("short", "1"),
        set("long", noise(300, 2)),
        Step::Close,
        set("long", vec![b'x'; 600]),
        delete("short"),
        set("long", "short now"),
    ];
    Script { name: "long values", steps }
}

fn compaction() -> Script {
    let steps = vec![
        set("a", "1"),
        set("b", "1"),
        set("a", "2"),
        delete("b"),
        set("c", "1"),
        Step::Close,
        set("c", "2"),
        Step::Compact,
        set("a", "3"),
        Step::Sync,
        Step::Close,
        Step::Compact,
        set("d", "1"),
    ];
    Script { name: "compactions in between", steps }
}

/// A tombstone that goes before the value it covers brings the value back.
fn compactions_and_deletes() -> Script {
    let steps = vec![
        set("a", "1"),
        set("b", "1"),
        Step::Close,
        delete("a"),
        Step::Close,
        Step::Compact,
        delete("b"),
        Step::Sync,
        Step::Compact,
        Step::Close,
        set("b", "2"),
        Step::Compact,
        Step::Compact,
        delete("b"),
        Step::Close,
    ];
    Script { name: "deletes between compactions", steps }
}

fn random(subject: &Subject, seed: u64) -> Script {
    let mut numbers = Numbers::new(seed);
    let steps = (0..28).map(|_| {
        let key = ["a", "b", "c", "d"][numbers.below(4)];
        match numbers.below(14) {
            0 => Step::Sync,
            1 => Step::Close,
            2 => Step::Drop,
            3 if subject.can(Capability::Compact) => Step::Compact,
            4..7 => delete(key),
            _ => {
                let value = format!("{:x}", numbers.next()).repeat(numbers.below(3));
                set(key, value)
            }
        }
    });
    Script { name: "a random mixture", steps: steps.collect() }
}
