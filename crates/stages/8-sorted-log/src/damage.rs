//! [`Damage`]: tables that a merge could not read. They stay where they are, and merges go around them.
//!
//! A damaged block costs the keys in it, and nothing else has to stop for it: what needs no damaged table is merged as ever,
//! reads of other keys are answered, writes go on. Only where level 0 is full, and nothing of it can be merged, writes are
//! refused: it would grow without end, and each read with it. Nothing is written down of this; the next opening finds it
//! again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use logladder_engine::{Error, Result};

/// What merges have met since the store was opened.
#[derive(Debug, Default)]
pub(crate) struct Damage {
    /// For each table the place, and what is wrong there.
    found: Mutex<BTreeMap<PathBuf, (u64, String)>>,
    /// Whether level 0 is full and cannot be merged.
    is_in_the_way: AtomicBool,
}

impl Damage {
    fn found(&self) -> MutexGuard<'_, BTreeMap<PathBuf, (u64, String)>> {
        // Each entry stands for itself, so a panic cannot have left them half-changed.
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what `error` says of one of the tables that were to be merged. `false` if it says something else.
    pub(crate) fn note(&self, error: &Error, is_input: impl Fn(&Path) -> bool) -> bool {
        match error {
            Error::Corrupt { path, offset, what } if is_input(path) => {
                self.found().insert(path.clone(), (*offset, what.clone()));
                true
            }
            _ => false,
        }
    }

    /// Whether this table is known to be damaged.
    pub(crate) fn has(&self, path: &Path) -> bool {
        self.found().contains_key(path)
    }

    /// Says whether level 0 is full and cannot be merged for damage.
    pub(crate) fn set_in_the_way(&self, is_full: bool) {
        self.is_in_the_way.store(is_full && !self.found().is_empty(), Ordering::Relaxed);
    }

    /// Refuses a write for which there is no room, since nothing can be merged.
    ///
    /// # Errors
    ///
    /// So it is.
    pub(crate) fn check_room(&self) -> Result<()> {
        if !self.is_in_the_way.load(Ordering::Relaxed) {
            return Ok(());
        }
        match self.found().first_key_value() {
            Some((path, (offset, what))) => {
                let why = "so it cannot be merged, and there is no room for writes before it is";
                Err(Error::corrupt(path, *offset, format!("{what}, {why}; {REMEDY}")))
            }
            None => Ok(()),
        }
    }

    /// What is damaged, in words, and what can be done.
    pub(crate) fn trouble(&self) -> Option<String> {
        let found = self.found();
        let (path, (offset, what)) = found.first_key_value()?;
        let more = match found.len() {
            1 => String::new(),
            count => format!(", and so are {} other tables", count - 1),
        };
        let place = path.display();
        Some(format!(
            "{place} is damaged at offset {offset}: {what}{more}; it stays where it is, unmerged; {REMEDY}"
        ))
    }
}

/// What can be done about it.
const REMEDY: &str = "with the store closed, `logladder check` names everything that is damaged, and `check --repair FOLDER` makes a \
                      new store of everything else";
