//! What some stages can do and others cannot: asked for here, and refused with the names of those that can.

use anyhow::Result;
use logladder::{Engine, STAGES, Stage};
use logladder_engine::{Backup, Changes, Compact, Expire, History, Iterate};

use crate::outcome::Refusal;

/// Something that some stages can do and others cannot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Capability {
    /// Its name in tables.
    pub(crate) name: &'static str,
    has: fn(&dyn Engine) -> bool,
}

/// Every capability.
pub(crate) const CAPABILITIES: [Capability; 9] = [
    ITERATE,
    Capability { name: "ordered", has: |engine| engine.as_ordered().is_some() },
    Capability { name: "atomic", has: |engine| engine.as_atomic().is_some() },
    HISTORY,
    CHANGES,
    EXPIRE,
    Capability { name: "collections", has: |engine| engine.as_collections().is_some() },
    COMPACT,
    BACKUP,
];

const ITERATE: Capability = Capability { name: "iterate", has: |engine| engine.as_iterate().is_some() };
/// Earlier versions of a key, of those that have them if they are asked to.
pub(crate) const HISTORY: Capability =
    Capability { name: "history", has: |engine| engine.as_history().is_some() };
const CHANGES: Capability = Capability { name: "changes", has: |engine| engine.as_changes().is_some() };
const EXPIRE: Capability = Capability { name: "expire", has: |engine| engine.as_expire().is_some() };
const COMPACT: Capability = Capability { name: "compact", has: |engine| engine.as_compact().is_some() };
const BACKUP: Capability = Capability { name: "backup", has: |engine| engine.as_backup().is_some() };

impl Capability {
    /// Whether a stage has it.
    pub(crate) fn is_of(self, stage: &Stage) -> bool {
        stage.open_to_ask().is_ok_and(|engine| (self.has)(&*engine))
    }

    /// The names of those that have it.
    pub(crate) fn stages(self) -> Vec<&'static str> {
        STAGES.iter().filter(|stage| self.is_of(stage)).map(|stage| stage.name).collect()
    }

    /// The refusal of an engine without it, with the stages that have it.
    fn refusal(self, engine: &dyn Engine, verb: &str) -> anyhow::Error {
        let able = self.stages();
        let remedy = match able.as_slice() {
            // The stage could, if it had been opened otherwise.
            able if able.contains(&engine.name()) => "open it with --versions 2 or more".to_owned(),
            [] => "no stage can".to_owned(),
            able => format!("these can: {}", able.join(", ")),
        };
        Refusal::Lacks(format!("stage {} cannot {verb}; {remedy}", engine.name())).into()
    }
}

/// # Errors
///
/// The stage cannot.
pub(crate) fn iterate(engine: &dyn Engine) -> Result<&dyn Iterate> {
    engine.as_iterate().ok_or_else(|| ITERATE.refusal(engine, "list its keys"))
}

/// # Errors
///
/// The stage cannot.
pub(crate) fn history(engine: &dyn Engine) -> Result<&dyn History> {
    engine.as_history().ok_or_else(|| HISTORY.refusal(engine, "say what a key was before"))
}

/// # Errors
///
/// The stage cannot.
pub(crate) fn changes(engine: &dyn Engine) -> Result<&dyn Changes> {
    engine.as_changes().ok_or_else(|| CHANGES.refusal(engine, "show its changes"))
}

/// # Errors
///
/// The stage cannot.
pub(crate) fn compact(engine: &dyn Engine) -> Result<&dyn Compact> {
    engine.as_compact().ok_or_else(|| COMPACT.refusal(engine, "give space back"))
}

/// # Errors
///
/// The stage cannot.
pub(crate) fn backup(engine: &dyn Engine) -> Result<&dyn Backup> {
    engine.as_backup().ok_or_else(|| BACKUP.refusal(engine, "copy itself"))
}

/// # Errors
///
/// The stage cannot.
pub(crate) fn expire(engine: &dyn Engine) -> Result<&dyn Expire> {
    engine.as_expire().ok_or_else(|| EXPIRE.refusal(engine, "let a value end"))
}
