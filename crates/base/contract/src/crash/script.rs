//! [`Script`]: what is done to a store before it crashes.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::show::show;

/// One call of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Set a key to a value.
    Set(Vec<u8>, Vec<u8>),
    /// Delete a key.
    Delete(Vec<u8>),
    /// Sync.
    Sync,
    /// Set and delete keys in one batch; a key without a value is deleted.
    Batch(Vec<(Vec<u8>, Option<Vec<u8>>)>),
    /// Set a key to a value until then.
    SetUntil(Vec<u8>, Vec<u8>, End),
    /// Compact, if the engine can.
    Compact,
    /// Copy the store into a folder of its own.
    Backup,
    /// Close the store and open it again.
    Close,
    /// Drop the store, as an unfortunate program would, and open it again.
    Drop,
}

/// When a value ends. No script runs long enough to see one end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// In 1970: the key has no value from the beginning.
    Past,
    /// In 2200.
    Future,
}

impl End {
    /// The same in each run, so that each run is the same.
    #[must_use]
    pub fn time(self) -> SystemTime {
        let days = match self {
            Self::Past => 1,
            Self::Future => 84_006,
        };
        UNIX_EPOCH + Duration::from_hours(24 * days)
    }
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
            match step {
                Step::Set(key, _) | Step::Delete(key) | Step::SetUntil(key, ..) => {
                    keys.insert(key.clone());
                }
                Step::Batch(writes) => keys.extend(writes.iter().map(|(key, _)| key.clone())),
                Step::Sync | Step::Compact | Step::Backup | Step::Close | Step::Drop => {}
            }
        }
        keys.into_iter().collect()
    }

    /// How many values it writes that have ended, which a store may still count.
    pub(crate) fn ended(&self) -> u64 {
        self.steps.iter().filter(|step| matches!(step, Step::SetUntil(_, _, End::Past))).count() as u64
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
            Self::Batch(writes) => {
                let writes = writes.iter().map(|(key, value)| match value {
                    Some(value) => format!("set {} = {}", show(key), show(value)),
                    None => format!("delete {}", show(key)),
                });
                write!(f, "batch: {}", writes.collect::<Vec<_>>().join(", "))
            }
            Self::SetUntil(key, value, End::Past) => {
                write!(f, "set {} = {} until 1970", show(key), show(value))
            }
            Self::SetUntil(key, value, End::Future) => {
                write!(f, "set {} = {} until 2200", show(key), show(value))
            }
            Self::Compact => f.write_str("compact"),
            Self::Backup => f.write_str("backup"),
            Self::Close => f.write_str("close, open"),
            Self::Drop => f.write_str("drop, open"),
        }
    }
}
