//! [`start_logging`]: what the server says while it runs, on standard error.

use std::io::{self, IsTerminal};

use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format;

/// How lines of the log are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// A sentence a line, with its time.
    #[default]
    Human,
    /// A JSON object a line, with a member for each part.
    Json,
}

/// Colours are for a terminal: in a file they are noise. Who sets `NO_COLOR` wants none there either.
fn wants_colours() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|said| said.is_empty())
}

/// Writes the log of this process to standard error from now on: start, each request, shutdown. `filter` says what is in
/// it, in the words of [`EnvFilter`]: `info` has all of these, and `info,logladder::access=off` no requests.
///
/// A line that cannot be written, on a full disk or because nobody reads any more, is lost, and nothing else is.
///
/// # Errors
///
/// Says what is wrong with `filter`, or that there is a log already.
pub fn start_logging(
    format: LogFormat,
    filter: &str,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let filter = EnvFilter::try_new(filter)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(wants_colours())
        // It would be reported on standard error, where nothing can be written, and end the thread by a panic.
        .log_internal_errors(false);
    match format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        // The sentence says what the fields say.
        LogFormat::Human => builder
            .with_target(false)
            .fmt_fields(format::debug_fn(|writer: &mut format::Writer<'_>, field: &Field, value| {
                if field.name() == "message" { write!(writer, "{value:?}") } else { Ok(()) }
            }))
            .try_init(),
    }
}
