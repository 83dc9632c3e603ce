//! [`Feed`]: the changes of a store for one watcher, a bounded batch at a time.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::SystemTime;

use axum::http::StatusCode;
use logladder_engine::{Change, Engine, Position};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::answer::{Refusal, raw};
use crate::app::{App, Life};
use crate::capability::Capability;
use crate::document::{JsonKey, JsonValue};

/// How much is read ahead of a watcher at most: so much, or one change if that is larger.
const MOST_CHANGES: usize = 256;
const MOST_BYTES: usize = 1 << 20;

/// One set or delete.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChangeBody {
    #[schema(value_type = JsonKey)]
    key: Box<RawValue>,
    /// The value from then on; absent if the key was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<JsonValue>, nullable = false)]
    value: Option<Box<RawValue>>,
    deleted: bool,
    /// When the value ends by itself, in milliseconds since 1970; absent if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    expires: Option<u64>,
    /// How many changes the store has seen with this one. It goes up by one with each.
    sequence: u64,
    /// What to send as `since` to go on behind this change.
    next: String,
}

/// A change as it is sent.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) next: Position,
    pub(crate) json: String,
}

/// What a watcher is told next.
#[derive(Debug)]
pub(crate) enum Told {
    Changes(Vec<Event>),
    /// Nothing happened for a while.
    Quiet,
    /// The server shuts down.
    Over,
}

/// The changes of a store for one watcher. It holds one batch at a time, however slow the watcher is.
#[derive(Debug)]
pub(crate) struct Feed {
    app: Arc<App>,
    since: Position,
    written: watch::Receiver<()>,
    life: watch::Receiver<Life>,
    _place: OwnedSemaphorePermit,
}

impl Feed {
    /// Begins behind `since`: a position, `start`, or now.
    pub(crate) async fn begin(app: &Arc<App>, since: Option<String>) -> Result<Self, Refusal> {
        let full = |_| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "too many watchers: try again later");
        let place = Arc::clone(&app.watchers).try_acquire_owned().map_err(full)?;
        let (written, life) = (app.written.subscribe(), app.life.subscribe());
        let since = app.run(move |engine| {
            let changes = engine.as_changes().ok_or_else(|| Capability::Changes.lacking(engine))?;
            let since = match since.as_deref() {
                None | Some("") => changes.position()?,
                Some("start") => changes.earliest_position()?,
                Some(text) => text.parse()?,
            };
            // Refused here, while there is a status to say it with.
            changes.changes(since, &mut |_| ControlFlow::Break(()))?;
            Ok(since)
        });
        Ok(Self { since: since.await?, app: Arc::clone(app), written, life, _place: place })
    }

    pub(crate) fn position(&self) -> Position {
        self.since
    }

    pub(crate) fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Waits for what comes next.
    pub(crate) async fn next(&mut self) -> Result<Told, Refusal> {
        let quiet = Instant::now() + self.app.options.keep_alive;
        loop {
            if *self.life.borrow_and_update() > Life::Running {
                return Ok(Told::Over);
            }
            // Before the look, so that what is written after it is heard.
            self.written.borrow_and_update();
            let since = self.since;
            let events = self.app.run(move |engine| read(engine, since)).await?;
            if let Some(last) = events.last() {
                self.since = last.next;
                return Ok(Told::Changes(events));
            }
            let poll = Instant::now() + self.app.options.poll_interval;
            tokio::select! {
                _ = self.written.changed() => {}
                _ = self.life.changed() => {}
                () = tokio::time::sleep_until(poll.min(quiet)) => {}
            }
            if Instant::now() >= quiet {
                return Ok(Told::Quiet);
            }
        }
    }
}

fn read(engine: &dyn Engine, since: Position) -> Result<Vec<Event>, Refusal> {
    let changes = engine.as_changes().ok_or_else(|| Capability::Changes.lacking(engine))?;
    let (mut events, mut bytes, mut failed) = (Vec::new(), 0, None);
    let outcome = changes.changes(since, &mut |change| match event(change) {
        Ok(event) => {
            bytes += event.json.len();
            events.push(event);
            let is_full = events.len() >= MOST_CHANGES || bytes >= MOST_BYTES;
            if is_full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
        Err(refusal) => {
            failed = Some(refusal);
            ControlFlow::Break(())
        }
    });
    if let Some(refusal) = failed {
        return Err(refusal);
    }
    // What was shown before an error is right and without a gap; the next look meets the error again.
    if events.is_empty() {
        outcome?;
    }
    Ok(events)
}

/// A moment in milliseconds since 1970.
pub(crate) fn millis(moment: SystemTime) -> u64 {
    let since = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn event(change: &Change<'_>) -> Result<Event, Refusal> {
    let body = ChangeBody {
        key: raw(change.key)?,
        value: change.value.map(raw).transpose()?,
        deleted: change.value.is_none(),
        expires: change.expires.map(millis),
        sequence: change.next.sequence,
        next: change.next.to_string(),
    };
    let json = serde_json::to_string(&body)
        .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(Event { next: change.next, json })
}
