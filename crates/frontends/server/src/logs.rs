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

/// The levels of the log, from nothing to everything.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Refuses a filter of which [`EnvFilter`] would make something that nobody meant: to it, a word that is no level is the name of
/// a part, and a part without a level has all of them, so that a slip of the pen is a log of nothing, or of everything.
fn check(filter: &str) -> Result<(), String> {
    let is_level = |text: &str| LEVELS.iter().any(|level| text.eq_ignore_ascii_case(level));
    let is_part = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_:".contains(&byte))
    };
    for directive in filter.split(',') {
        let is_one = match directive.split_once('=') {
            None => is_level(directive),
            Some((part, level)) => is_part(part) && is_level(level),
        };
        if !is_one {
            return Err(format!(
                "`{directive}` is none: it takes a level, one of {}, and behind commas levels for parts of the program, as in \
                 info,logladder::access=off",
                LEVELS.join(", ")
            ));
        }
    }
    Ok(())
}

/// Writes the log of this process to standard error from now on: start, each request, shutdown. `filter` says what is in
/// it: a level, and behind commas levels for parts of the program. `info` has all of these, and `info,logladder::access=off` no
/// requests.
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
    check(filter)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_level_and_levels_for_parts_and_anything_else_is_refused_with_what_is_allowed() {
        for good in [
            "info",
            "OFF",
            "warn,logladder::access=off",
            "logladder::access=info",
            "error,hyper=trace,a_b=off",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
            EnvFilter::try_new(good).unwrap();
        }
        for bad in [
            "nonsense=",
            "",
            "inof",
            "nonsense",
            "=info",
            "info,",
            "info,,warn",
            "a=b=info",
            "a b=info",
            "info=loud",
        ] {
            let why = check(bad).unwrap_err();
            assert!(why.contains("off, error, warn, info, debug, trace"), "{bad:?}: {why}");
        }
    }
}
