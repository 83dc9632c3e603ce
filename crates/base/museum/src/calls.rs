//! [`Watched`]: an engine that writes down what it is asked, so that a case of the contract can be told as a list of calls.

use std::path::Path;
use std::sync::{Arc, Mutex};

use logladder_contract::Subject;
use logladder_disk::Disk;
use logladder_engine::{Compact, Compacted, Durability, Engine, Iterate, Repair, Result, Stats, Visit};

use crate::trace::files_of;

/// So many calls are told: the last ones before the failure.
const TOLD: usize = 12;

/// So many bytes of a key or value are told.
const SHOWN: usize = 24;

/// What an engine was asked.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    steps: Vec<String>,
    /// The disk that the store was opened on last.
    disk: Option<Arc<dyn Disk>>,
}

impl Calls {
    /// The last of them, each with how often it was made in a row.
    pub(crate) fn last_steps(&self) -> Vec<String> {
        let left_out = self.steps.len().saturating_sub(TOLD);
        let before = (left_out > 0).then(|| format!("… {left_out} calls before"));
        before.into_iter().chain(self.steps[left_out..].iter().cloned()).collect()
    }

    pub(crate) fn files(&self) -> Vec<(String, Vec<u8>)> {
        self.disk.as_deref().map(files_of).unwrap_or_default()
    }
}

/// An engine of which every call is written down.
pub(crate) struct Watched {
    engine: Box<dyn Engine>,
    calls: Arc<Mutex<Calls>>,
}

fn show(bytes: &[u8]) -> String {
    if bytes.len() <= SHOWN {
        return format!("\"{}\"", bytes.escape_ascii());
    }
    format!("{} bytes", bytes.len())
}

impl Watched {
    pub(crate) fn open(
        subject: &Subject,
        disk: Arc<dyn Disk>,
        dir: &Path,
        calls: &Arc<Mutex<Calls>>,
    ) -> Result<Self> {
        if let Ok(mut calls) = calls.lock() {
            calls.disk = Some(Arc::clone(&disk));
        }
        let watched = Self { engine: subject.open(disk, dir)?, calls: Arc::clone(calls) };
        watched.tell("open".into());
        Ok(watched)
    }

    fn tell(&self, call: String) {
        if let Ok(mut calls) = self.calls.lock() {
            calls.steps.push(call);
        }
    }
}

impl Engine for Watched {
    fn name(&self) -> &'static str {
        self.engine.name()
    }

    fn durability(&self) -> Durability {
        self.engine.durability()
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.tell(format!("get {}", show(key)));
        self.engine.get(key)
    }

    fn get_into(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        self.tell(format!("get_into {}", show(key)));
        self.engine.get_into(key, value)
    }

    fn get_with(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool> {
        self.tell(format!("get_with {}", show(key)));
        self.engine.get_with(key, read)
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.tell(format!("set {} = {}", show(key), show(value)));
        self.engine.set(key, value)
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        self.tell(format!("delete {}", show(key)));
        self.engine.delete(key)
    }

    fn sync(&self) -> Result<()> {
        self.tell("sync".into());
        self.engine.sync()
    }

    fn stats(&self) -> Result<Stats> {
        self.engine.stats()
    }

    fn repairs(&self) -> &[Repair] {
        self.engine.repairs()
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.tell("close".into());
        self.engine.close()
    }

    fn as_iterate(&self) -> Option<&dyn Iterate> {
        self.engine.as_iterate().map(|_| self as &dyn Iterate)
    }

    fn as_compact(&self) -> Option<&dyn Compact> {
        self.engine.as_compact().map(|_| self as &dyn Compact)
    }
}

impl Iterate for Watched {
    fn for_each(&self, visit: &mut Visit<'_>) -> Result<()> {
        self.tell("for_each begins".into());
        let Some(iterate) = self.engine.as_iterate() else { return Ok(()) };
        iterate.for_each(&mut |key, value| {
            self.tell(format!("  the visitor is shown {} = {}", show(key), show(value)));
            visit(key, value)
        })
    }
}

impl Compact for Watched {
    fn compact(&self) -> Result<Compacted> {
        self.tell("compact".into());
        self.engine.as_compact().map_or(Ok(Compacted::default()), Compact::compact)
    }
}
