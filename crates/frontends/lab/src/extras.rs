//! What is checked of an engine beside the cases of the contract. What breaks a promise is told by as few calls as show it.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use logladder_contract::crash::{CrashSummary, Script, crash_images_of, scripts};
use logladder_contract::{
    FaultSummary, Subject, Violation, bit_flips_of, cuts_of, faults_of, model, twenty_keys,
};
use logladder_disk::RecordingDisk;
use logladder_disk::crash::{Loss, Recording, Tree};
use logladder_engine::{Durability, Error};

use crate::deed::Deed;
use crate::plan::Extra;
use crate::replay::DIR;
use crate::rot::rot;
use crate::shrink::smaller_script;

type Outcome = Result<Option<String>, Box<Violation>>;

/// Runs one, and gives its figures if it has some.
pub(crate) fn run(subject: &Subject, extra: Extra) -> Outcome {
    match extra {
        Extra::Written => written(subject).map(|()| None),
        Extra::Rot => said(rot(subject)),
        Extra::Model => said(model(subject)),
        Extra::Crash => said(crashes(subject)),
        Extra::Flips => said(damaged(subject, |script| {
            bit_flips_of(subject, script.clone()).map(|said| said.to_string())
        })),
        Extra::Cuts => {
            said(damaged(subject, |script| cuts_of(subject, script.clone()).map(|said| said.to_string())))
        }
        Extra::Faults => said(faults(subject)),
    }
}

fn said<S: Display>(outcome: Result<S, Box<Violation>>) -> Outcome {
    outcome.map(|summary| Some(summary.to_string()))
}

/// Something that was found, and nothing else that is known of it.
pub(crate) fn violation(found: String) -> Violation {
    Violation {
        script: String::new(),
        moment: String::new(),
        expected: String::new(),
        found,
        files: Vec::new(),
    }
}

/// The calls as a violation tells them, a line each.
pub(crate) fn told(deeds: &[Deed]) -> String {
    deeds.iter().flat_map(Deed::lines).collect::<Vec<_>>().join("\n")
}

/// The files as a violation has them.
pub(crate) fn files(tree: &Tree) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    tree.files().map(|(path, bytes)| (path.to_path_buf(), bytes.to_vec())).collect()
}

/// Script after script, so that the one that fails can be made smaller.
fn crashes(subject: &Subject) -> Result<CrashSummary, Box<Violation>> {
    let check = |script: &Script| crash_images_of(subject, std::slice::from_ref(script), None);
    let mut all = CrashSummary::default();
    for script in scripts(subject) {
        match check(&script) {
            Ok(one) => add(&mut all, &one),
            Err(violation) => {
                let smaller = smaller_script(script, 0, *violation, |script| check(script).map(drop));
                return Err(Box::new(smaller));
            }
        }
    }
    Ok(all)
}

fn add(all: &mut CrashSummary, one: &CrashSummary) {
    all.scripts += one.scripts;
    all.operations += one.operations;
    all.images += one.images;
    all.whole += one.whole;
    all.torn += one.torn;
    all.unsynced += one.unsynced;
    all.dropped += one.dropped;
    all.zeroed += one.zeroed;
    all.distinct += one.distinct;
    all.during_recovery += one.during_recovery;
    all.after_restart += one.after_restart;
    all.copies += one.copies;
    all.refused += one.refused;
}

/// The same with each operation of the disk failing once.
fn faults(subject: &Subject) -> Result<FaultSummary, Box<Violation>> {
    let check = |script: &Script| faults_of(subject, std::slice::from_ref(script));
    let mut all = FaultSummary::default();
    for script in scripts(subject) {
        match check(&script) {
            Ok(one) => {
                all.scripts += one.scripts;
                all.faults += one.faults;
                all.in_openings += one.in_openings;
                all.in_calls += one.in_calls;
                all.refused += one.refused;
                all.images += one.images;
            }
            Err(violation) => {
                let smaller = smaller_script(script, 0, *violation, |script| check(script).map(drop));
                return Err(Box::new(smaller));
            }
        }
    }
    Ok(all)
}

/// The files of a closed store, flipped or cut.
fn damaged(
    subject: &Subject,
    check: impl Fn(&Script) -> Result<String, Box<Violation>>,
) -> Result<String, Box<Violation>> {
    let script = twenty_keys(subject);
    // The last step closes the store, and stays.
    check(&script).map_err(|violation| {
        Box::new(smaller_script(script, 1, *violation, |script| check(script).map(drop)))
    })
}

/// What was set is found by who looks at the disk: after a loss of power, if the engine claims to survive one.
fn written(subject: &Subject) -> Result<(), Box<Violation>> {
    const KEY: &[u8] = b"name";
    const VALUE: &[u8] = b"anna";
    let disk = RecordingDisk::new();
    let mut deeds = vec![Deed::Open];
    let broken = |deeds: &[Deed], violation: Violation| {
        Box::new(Violation { script: told(deeds), files: files(&disk.tree()), ..violation })
    };
    let failed = |deeds: &[Deed], error: &Error| {
        let expected = "no error, on a good disk".to_owned();
        broken(deeds, Violation { expected, ..violation(format!("an error: {error}")) })
    };
    let engine =
        subject.open(Arc::new(disk.clone()), Path::new(DIR)).map_err(|error| failed(&deeds, &error))?;
    deeds.push(Deed::Set(KEY.to_vec(), VALUE.to_vec()));
    engine.set(KEY, VALUE).map_err(|error| failed(&deeds, &error))?;
    if engine.durability() < Durability::ProcessCrash {
        deeds.push(Deed::Sync);
        engine.sync().map_err(|error| failed(&deeds, &error))?;
    }
    let recording = Recording::of(&disk);
    let images = recording.images_at(recording.ops.len());
    let synced = images.iter().find(|image| image.loss == Loss::Unsynced).map(|image| &image.tree);
    let holds =
        |tree: &Tree| tree.files().any(|(_, bytes)| bytes.windows(VALUE.len()).any(|part| part == VALUE));
    let found = if !holds(&disk.tree()) {
        "no file holds the value"
    } else if !synced.is_none_or(holds) {
        "a file holds the value, but a loss of power would take it: the file, or the folder that has its name, was not synced"
    } else {
        return Ok(());
    };
    let expected = format!(
        "the value \"{}\" in a file, synced, when {} returns",
        VALUE.escape_ascii(),
        deeds[deeds.len() - 1]
    );
    Err(broken(&deeds, Violation { expected, ..violation(found.to_owned()) }))
}
