//! [`Learner`]: an engine under construction, opened so that what is asked of it is written down.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use logladder_contract::Subject;
use logladder_engine::{Error, SyncPolicy};

use crate::journal::Journal;
use crate::starter::{Describe, OpenEngine, Starter};
use crate::traced::Traced;

/// An engine under construction.
#[derive(Debug, Clone)]
pub struct Learner {
    /// What it is called.
    pub name: String,
    /// What it was begun from.
    pub starter: &'static Starter,
    /// How a store of it is opened.
    pub open: OpenEngine,
    /// How the bytes of its files are named.
    pub describe: Describe,
    /// The folder of its crate, if it has one.
    pub crate_dir: Option<PathBuf>,
}

impl Learner {
    /// The solution of a starter, as if a learner had written it.
    #[must_use]
    pub fn solution(starter: &'static Starter) -> Self {
        Self {
            name: "solution".to_owned(),
            starter,
            open: starter.open,
            describe: starter.describe,
            crate_dir: None,
        }
    }

    /// The subject of its contract. Everything that is asked of it goes into the journal.
    pub(crate) fn subject(&self, journal: &Journal) -> Subject {
        let (open, journal) = (self.open, journal.clone());
        let subject = Subject::new(&self.name, move |disk, dir| {
            journal.note_opening(&disk, dir);
            // One that is not written yet panics, also when it is first asked what it claims.
            match catch_unwind(AssertUnwindSafe(|| open(disk, dir, SyncPolicy::Always))) {
                Ok(Ok(engine)) => Ok(Box::new(Traced::new(engine, &journal))),
                Ok(Err(error)) => Err(error),
                Err(_) => Err(Error::Unsupported { what: "opening panicked".to_owned() }),
            }
        });
        self.starter.allows.iter().fold(subject, |subject, (what, why)| subject.allows(*what, why))
    }

    /// The subject whose claims decide what is checked: its own, or, as long as it cannot be opened, the solution's.
    pub(crate) fn claims(&self, subject: &Subject) -> Subject {
        // A subject that could not be opened claims everything, which no engine here can.
        let is_open = !logladder_contract::Capability::ALL.iter().all(|&capability| subject.can(capability));
        if is_open { subject.clone() } else { claims_of_solution(self.starter) }
    }

    /// Where a step stands in the learner's source: the line of its `todo!()`, or else of its comment.
    pub(crate) fn place_of(&self, step: &str) -> Option<(PathBuf, usize)> {
        let path = self.crate_dir.as_deref()?.join("src/lib.rs");
        let text = std::fs::read_to_string(&path).ok()?;
        let line_with = |part: &str| text.lines().position(|line| line.contains(part));
        let line = line_with(&format!("todo!(\"{step}\")")).or_else(|| {
            text.lines().position(|line| {
                let line = line.trim_start();
                line.starts_with("// STEP ") && line.ends_with(&format!(": {step}"))
            })
        })?;
        Some((shown(&path), line + 1))
    }

    /// The place of a panic, a file and a line, as seen from the working folder. The compiler names the files of the
    /// learner's crate from that crate's folder; every other place is left as it is.
    pub(crate) fn place_of_panic(&self, place: &str) -> String {
        let Some((file, line)) = place.rsplit_once(':') else { return place.to_owned() };
        let in_crate = self.crate_dir.as_deref().map(|folder| folder.join(file));
        match in_crate.filter(|path| Path::new(file).is_relative() && path.is_file()) {
            Some(path) => format!("{}:{line}", shown(&path).display()),
            None => place.to_owned(),
        }
    }
}

/// What the solution of a starter claims.
pub(crate) fn claims_of_solution(starter: &'static Starter) -> Subject {
    let open = starter.open;
    Subject::new(starter.name, move |disk, dir| open(disk, dir, SyncPolicy::Always))
}

/// The path as seen from the working folder, where it is inside it.
fn shown(path: &Path) -> PathBuf {
    let here = std::env::current_dir().ok();
    here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_path_buf)).unwrap_or(path.to_path_buf())
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a file of a test is no part of a store")]
mod tests {
    use super::*;

    #[test]
    fn a_panic_in_the_learners_crate_is_placed_where_the_crate_lies_and_any_other_as_it_was_told() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("src")).unwrap();
        std::fs::write(folder.path().join("src/lib.rs"), "").unwrap();
        let starter = Starter::of("4").unwrap();
        let learner = Learner { crate_dir: Some(folder.path().to_path_buf()), ..Learner::solution(starter) };
        let whole = format!("{}:157", folder.path().join("src/lib.rs").display());
        assert_eq!(learner.place_of_panic("src/lib.rs:157"), whole);
        for other in ["src/not_there.rs:1", "/elsewhere/src/lib.rs:1", "", "nowhere"] {
            assert_eq!(learner.place_of_panic(other), other);
        }
        assert_eq!(Learner::solution(starter).place_of_panic("src/lib.rs:157"), "src/lib.rs:157");
    }
}
