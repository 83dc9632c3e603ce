//! [`Said`]: how far a benchmark is, on the standard error.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

/// Progress: one line that changes on a terminal, a line for each step in a file.
#[derive(Debug, Default)]
pub struct Said {
    step: String,
}

impl Said {
    /// Says `text` about the step of this name.
    pub fn line(&mut self, step: &str, text: &str) {
        let mut err = io::stderr().lock();
        // Progress that cannot be shown is no reason to stop.
        let _ = if err.is_terminal() {
            write!(err, "\r\x1b[K{text}").and_then(|()| err.flush())
        } else if step == self.step && !text.contains("FAILED") {
            Ok(())
        } else {
            writeln!(err, "{text}")
        };
        step.clone_into(&mut self.step);
    }

    /// Minutes and seconds: `3:07`.
    #[must_use]
    pub fn minutes(duration: Duration) -> String {
        format!("{}:{:02}", duration.as_secs() / 60, duration.as_secs() % 60)
    }
}
