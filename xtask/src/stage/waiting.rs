//! What is shown while something takes its time that cannot say how far it is.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often the time is shown anew.
const TICK: Duration = Duration::from_millis(200);

/// Does it, and meanwhile says on a terminal what is done and for how long by now.
pub(super) fn while_shown<T>(what: &str, deed: impl FnOnce() -> T) -> T {
    // Draws nothing if standard error is not a terminal.
    let line = ProgressBar::new_spinner().with_message(what.to_owned());
    if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg} ({elapsed})") {
        line.set_style(style);
    }
    line.enable_steady_tick(TICK);
    let outcome = deed();
    line.finish_and_clear();
    outcome
}
