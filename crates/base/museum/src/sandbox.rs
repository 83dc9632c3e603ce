//! [`Sandbox`]: a store for a test to try, with or without a bug, on a disk that can fail and lose power; and
//! [`against_every_bug`], which hands one after the other to a test and says which bugs it did not notice.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use logladder_contract::{Subject, quietly};
use logladder_disk::RecordingDisk;
use logladder_disk::crash::{Loss, Recording};
use logladder_engine::{Engine, Result, SyncPolicy};

use crate::{Bug, Exhibit, exhibits};

/// The folder of the store.
const DIR: &str = "/store";

/// A store of the museum on a disk in memory. It may have a bug; whoever tests it is not told which.
///
/// It can be opened, closed or dropped and opened again, as often as a test likes, and its disk can fail and lose power.
#[derive(Debug)]
pub struct Sandbox {
    subject: Subject,
    disk: RecordingDisk,
}

impl Sandbox {
    /// An empty folder for a store with this bug.
    #[must_use]
    pub fn new(bug: Bug) -> Self {
        Self { subject: bug.subject(), disk: RecordingDisk::new() }
    }

    /// Opens the store.
    ///
    /// # Panics
    ///
    /// It does not open: for a test, that is noticing something.
    #[must_use]
    #[track_caller]
    pub fn open(&self) -> Box<dyn Engine> {
        self.try_open().unwrap_or_else(|error| panic!("the store does not open: {error}"))
    }

    /// Opens the store.
    ///
    /// # Errors
    ///
    /// Those of the engine.
    pub fn try_open(&self) -> Result<Box<dyn Engine>> {
        self.subject.open(Arc::new(self.disk.clone()), Path::new(DIR))
    }

    /// The disk: to let an operation fail ([`RecordingDisk::inject`]), or to look at the files.
    #[must_use]
    pub fn disk(&self) -> &RecordingDisk {
        &self.disk
    }

    /// Takes the power away: what is left is what was synced, and the next opening finds that. Drop the engine before.
    pub fn lose_power(&mut self) {
        let recording = Recording::of(&self.disk);
        let images = recording.images_at(recording.ops.len());
        // Where everything is durable there is no such image, and nothing is lost.
        let left = images.iter().find(|image| image.loss == Loss::Unsynced).or(images.last());
        if let Some(image) = left {
            self.disk = RecordingDisk::from_tree(image.tree.clone());
        }
    }
}

/// Which bugs a test has noticed.
#[derive(Debug, Clone)]
pub struct Report {
    /// What the test said of the engine that is right, if it failed that: then it proves nothing.
    pub refused_the_right_one: Option<String>,
    /// The bugs that it noticed, and what it said.
    pub noticed: Vec<(&'static Exhibit, String)>,
    /// The bugs that it passed.
    pub passed: Vec<&'static Exhibit>,
}

impl Report {
    /// Whether the test noticed the bug that is called so.
    #[must_use]
    pub fn has_noticed(&self, name: &str) -> bool {
        self.noticed.iter().any(|(exhibit, _)| exhibit.name == name)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(why) = &self.refused_the_right_one {
            return writeln!(f, "the test fails with the engine that is right, and so proves nothing: {why}");
        }
        let (noticed, all) = (self.noticed.len(), self.noticed.len() + self.passed.len());
        writeln!(f, "the test noticed {noticed} of {all} bugs")?;
        for (exhibit, said) in &self.noticed {
            // On one line: the first of an `assert_eq!` says nothing of what was found.
            let said: Vec<&str> = said.lines().map(str::trim).collect();
            writeln!(f, "  noticed   {:<24}  {}", exhibit.name, said.join(" "))?;
        }
        for exhibit in &self.passed {
            writeln!(f, "  passed    {:<24}  {}", exhibit.name, exhibit.wrong)?;
        }
        Ok(())
    }
}

/// Runs `test` with the engine that is right, and then with each that is wrong. The test notices a bug by a panic, as any
/// test fails.
///
/// ```
/// use logladder_museum::{Sandbox, against_every_bug};
///
/// fn a_deleted_key_stays_deleted(sandbox: &mut Sandbox) {
///     let store = sandbox.open();
///     store.set(b"name", b"anna").unwrap();
///     store.delete(b"name").unwrap();
///     drop(store);
///     sandbox.lose_power();
///     assert_eq!(sandbox.open().get(b"name").unwrap(), None);
/// }
///
/// let report = against_every_bug(a_deleted_key_stays_deleted);
/// assert!(report.refused_the_right_one.is_none());
/// assert!(report.has_noticed("loses-deletes"));
/// assert!(!report.has_noticed("drops-tombstones"), "that takes a compaction: the test does not try one");
/// ```
#[must_use]
pub fn against_every_bug(test: impl Fn(&mut Sandbox)) -> Report {
    let outcome = |bug| {
        let attempt = || test(&mut Sandbox::new(bug));
        // Without the message of each panic: the report has what it said.
        catch_unwind(AssertUnwindSafe(|| quietly(attempt))).err().map(|panic| message(&*panic))
    };
    let refused_the_right_one = outcome(Bug::None);
    let (mut noticed, mut passed) = (Vec::new(), Vec::new());
    for exhibit in exhibits() {
        match outcome(exhibit.bug) {
            Some(said) => noticed.push((exhibit, said)),
            None => passed.push(exhibit),
        }
    }
    Report { refused_the_right_one, noticed, passed }
}

/// What a panic said.
fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|&text| text.to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".to_owned())
}

/// Makes a test of a function that takes a [`Sandbox`]: it runs it against every bug, prints which it noticed, and fails if
/// it fails with the engine that is right, or misses a bug that it is said to notice.
///
/// ```
/// # fn main() {}
/// use logladder_museum::{Sandbox, against_every_bug};
///
/// fn an_acknowledged_write_survives(sandbox: &mut Sandbox) {
///     let store = sandbox.open();
///     store.set(b"name", b"anna").unwrap();
///     drop(store);
///     sandbox.lose_power();
///     assert_eq!(sandbox.open().get(b"name").unwrap().as_deref(), Some(&b"anna"[..]));
/// }
///
/// against_every_bug!(an_acknowledged_write_survives, notices "forgets-to-sync" "unsynced-folder");
/// ```
#[macro_export]
macro_rules! against_every_bug {
    ($test:ident $(, notices $($name:literal)+)?) => {
        mod $test {
            #[test]
            fn against_every_bug() {
                $crate::assert_noticed(&$crate::against_every_bug(super::$test), &[$($($name),+)?]);
            }
        }
    };
}

/// Prints the report, and fails if the test proves nothing or misses one of these bugs.
#[doc(hidden)]
#[track_caller]
#[allow(clippy::print_stdout, reason = "a test prints what it found")]
pub fn assert_noticed(report: &Report, names: &[&str]) {
    println!("{report}");
    assert!(report.refused_the_right_one.is_none(), "{report}");
    let missed: Vec<&&str> = names.iter().filter(|name| !report.has_noticed(name)).collect();
    assert!(missed.is_empty(), "the test passes engines with these bugs: {missed:?}");
}

impl Bug {
    /// An engine with this bug, for the contract. Its segments are small enough to be full after a few writes.
    #[must_use]
    pub fn subject(self) -> Subject {
        if self.is_of_late() {
            return Subject::of::<crate::Late>(self);
        }
        let sync = if self == Self::UnsyncedRotation { SyncPolicy::Never } else { SyncPolicy::Always };
        let segment_bytes = match self {
            // It takes more than one record behind the bad one.
            Self::CutsInTheMiddle => 4_096,
            _ => crate::Options::default().segment_bytes,
        };
        Subject::of::<crate::Museum>(crate::Options { bug: self, sync, segment_bytes })
    }

    /// Whether it is a bug of the engine that writes later.
    #[must_use]
    pub fn is_of_late(self) -> bool {
        use Bug::{CleanTooEarly, InventsAValue, NeverSyncs, OpensTwice, PromisesTooMuch, WritesInPlace};
        matches!(
            self,
            CleanTooEarly | WritesInPlace | NeverSyncs | InventsAValue | PromisesTooMuch | OpensTwice
        )
    }
}
