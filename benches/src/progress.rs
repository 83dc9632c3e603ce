//! [`Progress`]: what a worker tells its parent while it works.

use serde::{Deserialize, Serialize};

/// How far one engine is. It arrives some ten times a second, and once at the end of each step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The engine.
    pub engine: String,
    /// What it is doing: `set`, `read back`, `check after reopening`.
    pub step: String,
    /// Operations done in this step.
    pub done: u64,
    /// Operations to do, if that is known.
    pub wanted: Option<u64>,
    /// Seconds since the step began.
    pub seconds: f64,
    /// Seconds after which it will be cut off.
    pub budget: f64,
}

impl Progress {
    /// How far the step is, from 0 to 1: by operations or by time, whichever is further.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // It draws a bar.
    pub fn fraction(&self) -> f64 {
        let by_time = self.seconds / self.budget.max(1e-9);
        let by_count = self.wanted.map_or(0.0, |wanted| self.done as f64 / (wanted as f64).max(1.0));
        by_time.max(by_count).clamp(0.0, 1.0)
    }
}
