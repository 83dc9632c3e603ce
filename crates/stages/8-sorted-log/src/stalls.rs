//! [`StallCount`]: how often writers had to wait for room, and how long. It is for whoever asks, and nothing hangs on it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use logladder_engine::Stalls;

/// The waits of a store's writers.
#[derive(Debug, Default)]
pub(crate) struct StallCount {
    count: AtomicU64,
    nanoseconds: AtomicU64,
}

impl StallCount {
    /// A writer begins to wait. It does until what is returned is dropped.
    pub(crate) fn begin(&self) -> Stall<'_> {
        self.count.fetch_add(1, Ordering::Relaxed);
        Stall { of: self, counted_to: Instant::now() }
    }

    /// All waits so far.
    pub(crate) fn so_far(&self) -> Stalls {
        let time = Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed));
        Stalls::new(self.count.load(Ordering::Relaxed), time)
    }
}

/// A writer that waits.
#[derive(Debug)]
pub(crate) struct Stall<'c> {
    of: &'c StallCount,
    counted_to: Instant,
}

impl Stall<'_> {
    /// Counts the time up to now: a wait that does not end is to be seen as well.
    pub(crate) fn count_time(&mut self) {
        let now = Instant::now();
        let passed = now.duration_since(self.counted_to).as_nanos();
        // 2⁶⁴ nanoseconds are 584 years.
        self.of.nanoseconds.fetch_add(u64::try_from(passed).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.counted_to = now;
    }
}

impl Drop for Stall<'_> {
    fn drop(&mut self) {
        self.count_time();
    }
}
