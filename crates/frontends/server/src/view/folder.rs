//! [`Folder`]: the files of a store on a real disk, looked at from outside while the server has it open.
//!
//! All viewers share one look. It is taken when the files or the end of the log have changed, and not again before ten times
//! as long has passed as it took, so that looking at a large store costs a tenth of a core at most.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use logladder::Stage;
use logladder_disk::RealDisk;
use logladder_engine::{Engine, Position, Result};

use super::history::History;
use super::layout::{Glance, Layout, Looker, MOST_PLACES};

/// Files are looked at so often at most.
const SHORTEST: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Folder {
    pub(super) stage: &'static Stage,
    pub(super) history: Arc<History>,
    looking: Mutex<Looking>,
}

#[derive(Debug)]
struct Looking {
    looker: Looker,
    /// By what it is known whether anything has changed.
    mark: Option<(Glance, Option<Position>)>,
    /// Whether something could not be read: a write that was under way may be whole by now.
    is_troubled: bool,
    next: Instant,
}

impl Folder {
    pub(super) fn new(stage: &'static Stage, dir: &Path) -> Self {
        let looker = Looker::at(stage, RealDisk::shared(), dir);
        let looking = Mutex::new(Looking { looker, mark: None, is_troubled: false, next: Instant::now() });
        Self { stage, history: Arc::new(History::new()), looking }
    }

    /// Looks at the files, if it is time, and adds a step if they are not as they were.
    pub(super) fn look(&self, engine: &dyn Engine) {
        // What is held is replaced as a whole.
        let mut looking = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = Instant::now();
        if begun < looking.next {
            return;
        }
        let (layout, position) = match looking.changed(engine) {
            Ok(None) => {
                looking.next = begun + SHORTEST;
                return;
            }
            Ok(Some((before, now))) => {
                let recent = recent_keys(engine, before, now);
                let looked = looking.looker.look(&recent);
                (looked.unwrap_or_else(|error| Layout::of_trouble(error.to_string())), (before, now))
            }
            Err(error) => (Layout::of_trouble(error.to_string()), (None, None)),
        };
        looking.is_troubled = layout.trouble.is_some();
        looking.next = begun + SHORTEST.max(begun.elapsed().saturating_mul(10));
        if let Some(before) = self.history.differs(&layout) {
            let what = self.what(&before, &layout, position);
            self.history.push(&what, true, &[], layout);
        }
    }

    /// What has been done, as far as that can be seen from outside.
    fn what(&self, before: &Layout, now: &Layout, position: (Option<Position>, Option<Position>)) -> String {
        if self.history.is_empty() {
            return "the store as it was found".to_owned();
        }
        let newest = now.newest.as_ref().map(|newest| newest.text.clone());
        let is_new = before.newest.as_ref().map(|newest| (&newest.file, newest.at))
            != now.newest.as_ref().map(|newest| (&newest.file, newest.at));
        let writes = match position {
            (Some(before), Some(now)) => now.sequence.saturating_sub(before.sequence),
            _ => match (before.newest_sequence, now.newest_sequence) {
                (Some(before), Some(now)) => now.saturating_sub(before),
                _ => u64::from(is_new),
            },
        };
        match (newest, writes) {
            (_, 0) => "the files have changed without a write: compaction, or housekeeping".to_owned(),
            (Some(newest), 1) => newest,
            (Some(newest), writes) => format!("{writes} writes, the last of them: {newest}"),
            (None, writes) => format!("{writes} writes"),
        }
    }
}

type Positions = (Option<Position>, Option<Position>);

impl Looking {
    /// Where the log ended at the last look, and where it ends now; none if nothing has changed.
    fn changed(&mut self, engine: &dyn Engine) -> Result<Option<Positions>> {
        let position = engine.as_changes().map(logladder_engine::Changes::position).transpose()?;
        let mark = (self.looker.glance()?, position);
        if self.mark.as_ref() == Some(&mark) && !self.is_troubled {
            return Ok(None);
        }
        let before = self.mark.replace(mark).and_then(|(_, position)| position);
        Ok(Some((before, position)))
    }
}

/// The keys that were written last, the newest first.
fn recent_keys(engine: &dyn Engine, before: Option<Position>, now: Option<Position>) -> Vec<Vec<u8>> {
    /// Longer keys are not looked for, and where there were more changes, none are.
    const LONGEST: usize = 4096;
    const MOST_CHANGES: u64 = 10_000;
    let (Some(changes), Some(before), Some(now)) = (engine.as_changes(), before, now) else {
        return Vec::new();
    };
    if now.sequence.saturating_sub(before.sequence) > MOST_CHANGES {
        return Vec::new();
    }
    let mut keys: VecDeque<Vec<u8>> = VecDeque::new();
    // What the log no longer has is not shown.
    let _ = changes.changes(before, &mut |change| {
        if change.key.len() <= LONGEST {
            keys.push_front(change.key.to_vec());
            keys.truncate(MOST_PLACES);
        }
        ControlFlow::Continue(())
    });
    keys.into()
}
