//! [`Snapshot`]: every key of a store for one watcher, before the changes.

use std::ops::ControlFlow;
use std::sync::Arc;

use axum::http::StatusCode;
use logladder_engine::{Engine, Expiry, Position};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::answer::{Refusal, raw};
use crate::app::App;
use crate::capability::Capability;
use crate::feed::millis;

/// How much is read at once: so much, or one key if that is larger.
const MOST_KEYS: usize = 256;
const MOST_BYTES: usize = 1 << 20;

/// How many such pieces are read ahead of a watcher.
const READ_AHEAD: usize = 1;

/// How many watchers may take everything over at once. Each has some pieces of it in memory, and a thread that reads.
pub(crate) const AT_ONCE: usize = 16;

/// A key that is there.
#[derive(Debug, Serialize)]
struct EntryBody {
    key: Box<RawValue>,
    value: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
}

/// What comes behind the last key.
#[derive(Debug, Serialize)]
struct WholeBody {
    /// With the changes up to here, what was shown is a state that the store had.
    whole_from: String,
}

/// Every key of a store, as messages.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pieces: mpsc::Receiver<Result<Vec<String>, Refusal>>,
    _place: OwnedSemaphorePermit,
}

impl Snapshot {
    /// Begins to read. It ends when nobody takes the pieces any more.
    ///
    /// # Errors
    ///
    /// The store cannot show its keys, or too many are being shown them.
    pub(crate) fn begin(app: &Arc<App>) -> Result<Self, Refusal> {
        if app.engine().as_iterate().is_none() {
            return Err(Capability::Iterate.lacking(app.engine()));
        }
        let why = "too many clients are taking over everything: try again later";
        let full = |_| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why);
        let place = Arc::clone(&app.snapshots).try_acquire_owned().map_err(full)?;
        let (sender, pieces) = mpsc::channel(READ_AHEAD);
        let app = Arc::clone(app);
        tokio::task::spawn_blocking(move || {
            if let Err(refusal) = read(app.engine(), &sender) {
                // If nobody hears it, nobody misses it.
                let _ = sender.blocking_send(Err(refusal));
            }
        });
        Ok(Self { pieces, _place: place })
    }

    /// The next messages; none behind the last.
    pub(crate) async fn next(&mut self) -> Option<Result<Vec<String>, Refusal>> {
        self.pieces.recv().await
    }
}

fn read(engine: &dyn Engine, sender: &mpsc::Sender<Result<Vec<String>, Refusal>>) -> Result<(), Refusal> {
    let iterate = engine.as_iterate().ok_or_else(|| Capability::Iterate.lacking(engine))?;
    let (mut piece, mut bytes, mut failed) = (Vec::new(), 0, None);
    let mut is_heard = true;
    iterate.for_each(&mut |key, value| {
        match entry(engine, key, value) {
            // It has ended since it was found.
            Ok(None) => {}
            Ok(Some(text)) => {
                bytes += text.len();
                piece.push(text);
            }
            Err(refusal) => {
                failed = Some(refusal);
                return ControlFlow::Break(());
            }
        }
        if piece.len() >= MOST_KEYS || bytes >= MOST_BYTES {
            bytes = 0;
            is_heard = sender.blocking_send(Ok(std::mem::take(&mut piece))).is_ok();
        }
        if is_heard { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    if let Some(refusal) = failed {
        return Err(refusal);
    }
    piece.push(text(&WholeBody { whole_from: position(engine)?.to_string() })?);
    let _ = sender.blocking_send(Ok(piece));
    Ok(())
}

/// The place behind the newest change.
pub(crate) fn position(engine: &dyn Engine) -> Result<Position, Refusal> {
    let changes = engine.as_changes().ok_or_else(|| Capability::Changes.lacking(engine))?;
    Ok(changes.position()?)
}

fn entry(engine: &dyn Engine, key: &[u8], value: &[u8]) -> Result<Option<String>, Refusal> {
    let expires = match engine.as_expire().map(|expire| expire.expiry(key)).transpose()? {
        Some(Expiry::At(end)) => Some(millis(end)),
        Some(Expiry::Absent) => return Ok(None),
        _ => None,
    };
    text(&EntryBody { key: raw(key)?, value: raw(value)?, expires }).map(Some)
}

fn text(body: &impl Serialize) -> Result<String, Refusal> {
    serde_json::to_string(body)
        .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

#[cfg(test)]
mod tests {
    use logladder::{Open, SyncPolicy, hash_log};

    use super::*;

    /// A walk finds a value, which ends before it is asked when it does: without that, it would be sent as one without an end.
    #[test]
    fn a_value_that_has_ended_since_it_was_found_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let options = hash_log::Options::default().with_sync(SyncPolicy::Never);
        let store = hash_log::HashLog::open(folder.path(), options).unwrap();
        store.set(b"stays", b"value").unwrap();
        assert!(entry(&store, b"stays", b"value").unwrap().is_some());
        assert_eq!(entry(&store, b"ended", b"value").unwrap(), None);
    }
}
