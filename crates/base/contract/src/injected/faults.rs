//! Which faults are injected into which system calls.

use std::collections::BTreeSet;
use std::fmt;

use super::Call;

/// What is done to which calls.
const FAULTS: [Fault; 9] = [
    Fault::new("SIGKILL", "signal=SIGKILL", None, &KILLABLE),
    Fault::new("EIO", "error=EIO", Some(5), &SYNCS),
    Fault::new("EIO from then on", "error=EIO", Some(5), &SYNCS).lasting(),
    Fault::new("EIO", "error=EIO", Some(5), &["read", "pread64", "rename", "unlink", "linkat"]),
    Fault::new("ENOSPC", "error=ENOSPC", Some(28), &GROWING),
    Fault::new("ENOSPC from then on", "error=ENOSPC", Some(28), &GROWING).lasting(),
    Fault::new("ENOSPC", "error=ENOSPC", Some(28), &["openat", "mkdir"]),
    Fault::new("EMFILE from then on", "error=EMFILE", Some(24), &["openat"]).lasting(),
    Fault::new("ENOMEM", "error=ENOMEM", Some(12), &["mmap"]),
];

const SYNCS: [&str; 4] = ["fsync", "fdatasync", "msync", "syncfs"];

/// What takes space. Not write(2): the second process speaks by it, and a disk that writes at an offset does not.
const GROWING: [&str; 4] = ["pwrite64", "pwritev", "fallocate", "ftruncate"];

#[rustfmt::skip]
const KILLABLE: [&str; 26] = [
    "openat", "mkdir", "flock", "read", "pread64", "getdents64", "write", "writev", "pwrite64", "pwritev", "fallocate",
    "ftruncate", "mmap", "munmap", "msync", "fdatasync", "fsync", "syncfs", "rename", "renameat", "renameat2", "link",
    "linkat", "unlink", "unlinkat", "close",
];

/// What is done to a system call.
#[derive(Debug)]
pub struct Fault {
    /// What a message calls it.
    pub name: &'static str,
    /// As strace wants it; the number of the call is added.
    pub(super) inject: &'static str,
    /// The error's number; none if it is a signal.
    pub code: Option<i32>,
    /// The calls for which it makes sense.
    calls: &'static [&'static str],
    /// Whether every later call of that name fails as well.
    pub is_lasting: bool,
}

impl Fault {
    const fn new(
        name: &'static str,
        inject: &'static str,
        code: Option<i32>,
        calls: &'static [&'static str],
    ) -> Self {
        Self { name, inject, code, calls, is_lasting: false }
    }

    const fn lasting(mut self) -> Self {
        self.is_lasting = true;
        self
    }
}

/// One fault at one call.
#[derive(Debug, Clone, Copy)]
pub struct Shot {
    /// What is done.
    pub fault: &'static Fault,
    /// To which system call.
    pub call: &'static str,
    /// Which of these calls, counted from 1.
    pub number: u64,
}

impl Shot {
    /// Whether a sync fails, after which nobody knows what is on the disk. (A signal ends the process.)
    #[must_use]
    pub fn fails_a_sync(&self) -> bool {
        self.fault.code.is_some() && SYNCS.contains(&self.call)
    }
}

impl fmt::Display for Shot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {} number {}", self.fault.name, self.call, self.number)
    }
}

/// Each fault at each call for which it makes sense.
pub(super) fn shots(calls: &BTreeSet<Call>) -> Vec<Shot> {
    let mut shots = Vec::new();
    for fault in &FAULTS {
        for &call in fault.calls {
            let numbers = calls.iter().filter(|(name, _)| name == call).map(|&(_, number)| number);
            shots.extend(numbers.map(|number| Shot { fault, call, number }));
        }
    }
    shots
}
