//! The scripts: what is done to every store before it crashes.

use super::{End, Script, Step};
use crate::samples::{Numbers, noise};
use crate::{Capability, Subject};

/// A value that alone takes the space of several records.
const LONG: &str =
    "a value that takes as much space as several of the other records take, all of them together, or more";

fn set(key: &str, value: impl AsRef<[u8]>) -> Step {
    Step::Set(key.as_bytes().to_vec(), value.as_ref().to_vec())
}

fn delete(key: &str) -> Step {
    Step::Delete(key.as_bytes().to_vec())
}

fn batch(writes: &[(&str, Option<&str>)]) -> Step {
    let bytes = |text: &str| text.as_bytes().to_vec();
    Step::Batch(writes.iter().map(|(key, value)| (bytes(key), value.map(bytes))).collect())
}

fn until(key: &str, value: &str, end: End) -> Step {
    Step::SetUntil(key.as_bytes().to_vec(), value.as_bytes().to_vec(), end)
}

/// The scripts for a subject: those with compactions, batches, ends and copies only if it can.
#[must_use]
pub fn scripts(subject: &Subject) -> Vec<Script> {
    let mut scripts =
        vec![small_writes(), openings(), deletes(), odd_ones(), long_values(), random(subject, 11)];
    if subject.can(Capability::Compact) {
        scripts.extend([compaction(), compactions_and_deletes(), random(subject, 12)]);
    }
    if subject.can(Capability::Atomic) {
        scripts.extend([batches(), random(subject, 13)]);
    }
    if subject.can(Capability::Expire) {
        scripts.push(ends());
    }
    if subject.can(Capability::Backup) {
        scripts.push(copies(subject));
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

/// Keys that are written by several batches, and alone, so that a part of one is told from the whole. Two are so long
/// that a batch may not fit where a single write does.
fn batches() -> Script {
    let steps = vec![
        set("a", "alone"),
        batch(&[("a", Some("1")), ("b", Some("1")), ("c", Some("1"))]),
        batch(&[("a", Some("2")), ("b", None), ("d", Some("2"))]),
        Step::Sync,
        set("c", "alone"),
        batch(&[("b", Some("first of 3")), ("c", None), ("a", None), ("b", Some("3")), ("e", Some(LONG))]),
        Step::Close,
        batch(&[]),
        batch(&[("a", Some("4")), ("c", Some("4")), ("e", None)]),
        delete("a"),
        Step::Compact,
        batch(&[("c", Some("5"))]),
        batch(&[("a", Some("6")), ("b", Some("6")), ("c", Some(LONG)), ("d", None)]),
        Step::Drop,
        batch(&[("d", Some("7")), ("a", None)]),
        Step::Sync,
    ];
    Script { name: "batches", steps }
}

/// What has ended must not bring back what it replaced, and a compaction may remove it.
fn ends() -> Script {
    let steps = vec![
        set("a", "1"),
        set("b", "1"),
        until("c", "1", End::Future),
        Step::Sync,
        until("a", "2", End::Past),
        until("b", "2", End::Future),
        Step::Close,
        Step::Compact,
        set("a", "3"),
        until("c", "3", End::Past),
        Step::Sync,
        Step::Compact,
        until("b", "4", End::Past),
        until("a", "4", End::Past),
        Step::Close,
        Step::Compact,
        until("a", "5", End::Future),
        delete("b"),
        Step::Drop,
    ];
    Script { name: "values that end", steps }
}

fn copies(subject: &Subject) -> Script {
    let mut steps = vec![
        set("a", "1"),
        set("b", "1"),
        Step::Close,
        set("a", "2"),
        delete("b"),
        Step::Backup,
        set("a", "3"),
        set("c", "3"),
        Step::Compact,
        Step::Backup,
        delete("c"),
        Step::Close,
    ];
    if subject.can(Capability::Atomic) {
        steps.insert(5, batch(&[("c", Some("in a batch")), ("d", Some("in a batch"))]));
    }
    Script { name: "copies", steps }
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
            4 if subject.can(Capability::Atomic) => {
                let value = format!("{:x}", numbers.next());
                batch(&[(key, Some(&value)), (["d", "e"][numbers.below(2)], None), ("f", Some(&value))])
            }
            4..7 => delete(key),
            _ => {
                let value = format!("{:x}", numbers.next()).repeat(numbers.below(3));
                set(key, value)
            }
        }
    });
    Script { name: "a random mixture", steps: steps.collect() }
}
