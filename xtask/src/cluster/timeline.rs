//! [`Timeline`]: what was seen, and when. For people a line of text, for programs a line of JSON.

use std::io::Write;
use std::time::Instant;

use anstyle::Style;
use serde_json::{Value, json};

use crate::style::QUIET;

/// What prints it.
#[derive(Debug)]
pub(crate) struct Timeline {
    begun: Instant,
    is_json: bool,
}

impl Timeline {
    pub(crate) fn new(is_json: bool) -> Self {
        Self { begun: Instant::now(), is_json }
    }

    /// The times count from now.
    pub(crate) fn begin(&mut self) {
        self.begun = Instant::now();
    }

    /// Something that is not part of the time: a heading, a summary. Programs have it as events.
    pub(crate) fn text(&self, text: &str) {
        if !self.is_json {
            print(text);
        }
    }

    /// Something that is only for programs, since `text` says it to people.
    pub(crate) fn result(&self, event: &str, mut fields: Value) {
        if self.is_json {
            fields["event"] = event.into();
            print(&fields.to_string());
        }
    }

    /// Something that happened just now.
    pub(crate) fn says(&self, event: &str, style: Style, text: &str, fields: Value) {
        self.says_at(Instant::now(), event, style, text, fields);
    }

    /// Something that happened then. `event` is one word, which is printed in this style before the text.
    pub(crate) fn says_at(&self, when: Instant, event: &str, style: Style, text: &str, mut fields: Value) {
        let seconds = when.saturating_duration_since(self.begun).as_secs_f64();
        if self.is_json {
            fields["event"] = event.into();
            // To the millisecond: more is not known.
            fields["seconds"] = json!((seconds * 1e3).round() / 1e3);
            print(&fields.to_string());
        } else {
            print(&format!("  {QUIET}{seconds:>8.3} s{QUIET:#}  {style}{event:<8}{style:#}  {text}"));
        }
    }
}

fn print(line: &str) {
    // Who read it may be gone, as behind `| head`. The exit code still says how it went.
    let _ = writeln!(anstream::stdout(), "{line}");
}
