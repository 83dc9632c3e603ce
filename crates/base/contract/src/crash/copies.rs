//! What a crash leaves of the copies that were made: each that was acknowledged is whole, and none looks like a store
//! that has less in it.

use std::collections::BTreeMap;

use logladder_disk::crash::{CrashImage, Tree};
use logladder_disk::{LOCK_FILE, RecordingDisk};

use super::run::Copy;
use super::{Examiner, Promise, Run};
use crate::Violation;
use crate::show::show_value;

/// What opening a copy gave, by its number and the fingerprint of its files.
pub(crate) type Opened = BTreeMap<(usize, u64), Result<(), Violation>>;

/// Checks every copy that had been begun, and says how many were opened.
pub(crate) fn check(
    run: &Run,
    image: &CrashImage,
    examiner: &Examiner<'_>,
    opened: &mut Opened,
) -> Result<usize, Violation> {
    let (mut count, after) = (0, image.after);
    for (number, copy) in run.copies.iter().enumerate().filter(|(_, copy)| copy.begun <= after) {
        let mut files = Tree::default();
        for (path, bytes) in image.tree.files().filter(|(path, _)| path.starts_with(&copy.dir)) {
            files.put(path, bytes.to_vec());
        }
        let is_made = copy.acknowledged.is_some_and(|acknowledged| acknowledged <= after);
        let lock = copy.dir.join(LOCK_FILE);
        if files.files().all(|(path, _)| path == lock) && !is_made {
            // A folder without files becomes a new store, as any would.
            continue;
        }
        count += 1;
        let judged = opened.entry((number, files.fingerprint())).or_insert_with(|| {
            let outcome = open_and_judge(run, copy, &files, examiner);
            outcome.map_err(|violation| violation.with_files(&files).at(&format!("copy {number}")))
        });
        match judged {
            Ok(()) => {}
            // It said what is wrong, and it may be.
            Err(refusal) if refusal.expected == WHOLE && !is_made => {}
            Err(violation) => return Err(violation.clone()),
        }
    }
    Ok(count)
}

/// What is not kept by a copy that does not open.
const WHOLE: &str = "the copy opens";

fn open_and_judge(run: &Run, copy: &Copy, files: &Tree, examiner: &Examiner<'_>) -> Result<(), Violation> {
    let disk = RecordingDisk::from_tree(files.clone());
    let values = match examiner.open_and_read_at(&disk, &copy.dir)? {
        Ok(values) => values,
        Err(error) => return Err(Violation::new(WHOLE, error)),
    };
    // Everything that was acknowledged before counts, synced or not. Of what failed before, each or none.
    let promise = Promise::new(&run.writes[..copy.writes], 0, Some(usize::MAX), usize::MAX);
    promise.check(examiner.script_keys(), &values)?;
    match values.last() {
        Some(Some(value)) => {
            Err(Violation::new("a copy holds what its original did", show_value(Some(value))))
        }
        _ => Ok(()),
    }
}
