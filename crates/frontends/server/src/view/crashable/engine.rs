//! [`Engine`] for [`CrashableStore`]: each call goes on to the store, and a write is kept as a step.

use logladder_engine::{
    Atomic, Batch, Changes, Compact, Compacted, Direction, Durability, Engine, Error, Iterate, KeyRange,
    Ordered, Position, Result, Stalls, Stats, Visit, VisitChange,
};

use super::{CrashableStore, crashed, layout_of};
use crate::view::layout::{in_words, shown};
use crate::view::words::deeds;

impl Engine for CrashableStore {
    fn name(&self) -> &'static str {
        self.0.stage.name
    }

    fn durability(&self) -> Durability {
        self.0.stage.durability(self.0.sync)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.ask(|engine| engine.get(key))
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.perform(&in_words(&shown(key), Some(&shown(value))), |engine| engine.set(key, value))
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        self.perform(&in_words(&shown(key), None), |engine| engine.delete(key))
    }

    fn sync(&self) -> Result<()> {
        self.perform("sync: what was written survives a loss of power", |engine| engine.sync())
    }

    fn stats(&self) -> Result<Stats> {
        self.ask(|engine| engine.stats())
    }

    fn stalls(&self) -> Option<Stalls> {
        self.open().engine.as_ref().and_then(|engine| engine.stalls())
    }

    fn trouble(&self) -> Option<String> {
        match &self.open().engine {
            Some(engine) => engine.trouble(),
            None => Some(crashed().to_string()),
        }
    }

    fn close(self: Box<Self>) -> Result<()> {
        let _turn = self.turn();
        self.open_mut().engine.take().map_or(Ok(()), Engine::close)
    }

    fn as_iterate(&self) -> Option<&dyn Iterate> {
        self.0.can.iterate.then_some(self)
    }

    fn as_ordered(&self) -> Option<&dyn Ordered> {
        self.0.can.ordered.then_some(self)
    }

    fn as_atomic(&self) -> Option<&dyn Atomic> {
        self.0.can.atomic.then_some(self)
    }

    fn as_changes(&self) -> Option<&dyn Changes> {
        self.0.can.changes.then_some(self)
    }

    fn as_compact(&self) -> Option<&dyn Compact> {
        self.0.can.compact.then_some(self)
    }
}

/// For a capability that the engine had when it was asked, and has after each opening.
fn gone() -> Error {
    Error::Poisoned { why: "the stage no longer can what it could".into() }
}

impl Iterate for CrashableStore {
    fn for_each(&self, visit: &mut Visit<'_>) -> Result<()> {
        self.ask(|engine| engine.as_iterate().ok_or_else(gone)?.for_each(visit))
    }
}

impl Ordered for CrashableStore {
    fn scan(&self, range: KeyRange<'_>, direction: Direction, visit: &mut Visit<'_>) -> Result<()> {
        self.ask(|engine| engine.as_ordered().ok_or_else(gone)?.scan(range, direction, visit))
    }
}

impl Atomic for CrashableStore {
    fn write(&self, batch: &Batch) -> Result<()> {
        let what = format!("{} writes in one batch", batch.len());
        self.perform(&what, |engine| engine.as_atomic().ok_or_else(gone)?.write(batch))
    }

    fn compare_and_set(&self, key: &[u8], expected: Option<&[u8]>, new: Option<&[u8]>) -> Result<bool> {
        let what = format!("if nobody was faster: {}", in_words(&shown(key), new.map(shown).as_deref()));
        self.perform(&what, |engine| engine.as_atomic().ok_or_else(gone)?.compare_and_set(key, expected, new))
    }
}

impl Changes for CrashableStore {
    fn position(&self) -> Result<Position> {
        self.ask(|engine| engine.as_changes().ok_or_else(gone)?.position())
    }

    fn earliest_position(&self) -> Result<Position> {
        self.ask(|engine| engine.as_changes().ok_or_else(gone)?.earliest_position())
    }

    fn changes(&self, since: Position, visit: &mut VisitChange<'_>) -> Result<Position> {
        self.ask(|engine| engine.as_changes().ok_or_else(gone)?.changes(since, visit))
    }
}

impl Compact for CrashableStore {
    fn compact(&self) -> Result<Compacted> {
        let _turn = self.turn();
        let open = self.open();
        let engine = open.engine.as_deref().ok_or_else(crashed)?;
        let (before, tree) = (open.disk.op_count(), open.disk.tree());
        let outcome = engine.as_compact().ok_or_else(gone)?.compact();
        self.push_stages_of("compact", &open, before, &tree);
        let said = match &outcome {
            Ok(done) => format!("compact: {} bytes reclaimed", done.bytes_reclaimed),
            Err(error) => format!("compact: refused: {error}"),
        };
        let done = deeds(&open.disk.ops_behind(before), &tree, &open.disk.tree());
        self.0.history.push(&said, true, &done, layout_of(self.0.stage, &open.disk));
        outcome
    }
}
