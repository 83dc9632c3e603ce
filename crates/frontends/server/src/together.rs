//! [`Together`]: writes of several keys as one, and reads of several keys that see no half of one.
//!
//! An engine's batch is whole on the disk, and each reader of one key sees it or does not. Who reads several keys may come
//! between. So writes of several keys are numbered as they begin and as they end, and a read of several keys looks at the numbers
//! before and behind: where none was under way, it saw a single moment. Neither waits for the other, and neither a read of one key
//! nor a write of one is touched.
//!
//! A stage without batches is written key by key. There, two such writes would mix and stay mixed, so one waits for the other.

use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::{Mutex, MutexGuard, PoisonError};

use logladder_engine::Engine;

/// How many writes of several keys have begun, and how many have ended.
#[derive(Debug, Default)]
pub(crate) struct Together {
    begun: AtomicU64,
    ended: AtomicU64,
    /// Held by the one that writes key by key.
    turn: Mutex<()>,
}

/// A write of several keys that has begun. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct UnderWay<'t> {
    together: &'t Together,
    _turn: Option<MutexGuard<'t, ()>>,
}

impl Together {
    /// Held while several keys are written, in one batch if the engine has batches.
    pub(crate) fn begin(&self, engine: &dyn Engine) -> UnderWay<'_> {
        let turn =
            engine.as_atomic().is_none().then(|| self.turn.lock().unwrap_or_else(PoisonError::into_inner));
        // What the write does comes after this, and whoever sees some of it sees this too.
        self.begun.fetch_add(1, Ordering::AcqRel);
        fence(Ordering::Release);
        UnderWay { together: self, _turn: turn }
    }

    /// Whether no write of several keys is under way, and if so, how many there were.
    pub(crate) fn quiet(&self) -> Option<u64> {
        // None ends that has not begun, so if both are the same now, there was none in between.
        let ended = self.ended.load(Ordering::Acquire);
        (self.begun.load(Ordering::Acquire) == ended).then_some(ended)
    }

    /// Whether none has begun since.
    pub(crate) fn is_still(&self, quiet: u64) -> bool {
        // What was read was read before this.
        fence(Ordering::Acquire);
        self.begun.load(Ordering::Relaxed) == quiet
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.together.ended.fetch_add(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use logladder_disk::OpenOn;

    use super::*;

    #[test]
    fn a_write_that_begins_is_noticed_until_it_has_ended_and_by_who_read_before() {
        let together = Together::default();
        let before = together.quiet().unwrap();
        assert!(together.is_still(before));
        let store = logladder_hash_log::HashLog::open_on(
            std::sync::Arc::new(logladder_disk::RecordingDisk::new()),
            "store".as_ref(),
            logladder_hash_log::Options::default(),
        )
        .unwrap();
        let first = together.begin(&store);
        let second = together.begin(&store);
        assert!(together.quiet().is_none() && !together.is_still(before));
        drop(first);
        assert!(together.quiet().is_none());
        drop(second);
        assert!(!together.is_still(before));
        assert!(together.is_still(together.quiet().unwrap()));
    }
}
